"""Attacks that were tried, and got through once: each on the whole way, on real servers."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import psycopg
import pytest
import requests
import yaml

from daypass.adapters.ssh_keys import open_sealed
from daypass.model.instant import Instant
from daypass.model.intent import Intent, IntentKind
from daypass.model.secret import Secret
from daypass.sandbox.box import Box
from daypass.sandbox.organisation import request
from daypass.sandbox.person import Proposal
from support import acting
from support.town import Town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.acting import Done
    from support.town import Asked

TIMES = (
    "9999-12-31T23:59:59-23:59",  # in UTC it lies in a year that no calendar here has
    "0001-01-01T00:00:00+23:59",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
)
ORDERS = "access/resources/orders-db.yaml"
WHEN = "2026-11-22T00:00:00Z"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with Box.create(tmp_path_factory.mktemp("box")) as box:
        box.vault_bootstrap()
        town = Town(box)
        assert town.apply().code == 0
        yield town


@pytest.fixture
def own_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """For what cannot be mended afterwards."""
    with Box.create(tmp_path_factory.mktemp("own")) as box:
        box.vault_bootstrap()
        town = Town(box)
        assert town.apply().code == 0
        yield town


@pytest.mark.parametrize("instant", TIMES)
def test_a_time_out_of_this_world_stops_nobody_else(town: Town, instant: str) -> None:
    name = f"far-{TIMES.index(instant)}"
    town.grant(name, duration="1h", notBefore=instant)
    honest = town.grant(f"{name}-honest", duration="1h")
    done = town.apply()
    assert done.code == 0, done.said
    assert town.events(honest.id) == ["issued"]
    assert town.events(name) == ["denied"]


def approvers(town: Town, at_least: int) -> None:
    """A change of what decisions rest on, in good order."""
    carol, dave = town.box.person("carol"), town.box.person("dave")
    document = yaml.safe_load(town.store.git("show", f"main:{ORDERS}"))
    document["spec"]["approvers"]["atLeast"] = at_least
    document["spec"]["approvers"]["groups"] = ["dba", "orders-team"]
    changes = {ORDERS: yaml.safe_dump(document).encode()}
    number = carol.propose(f"approvers-{at_least}", changes, f"{at_least} approvers")
    dave.approve(number)
    carol.merge(number)
    assert town.apply().code == 0


def test_a_main_that_was_put_back_by_force_ends_what_people_end_and_says_what_to_do(
    own_town: Town,
) -> None:
    """Of what lay on top of it, the trusted commit too, no clone that a run makes has anything."""
    town = own_town
    kept = town.grant("kept", duration="1h")
    assert town.apply().code == 0
    before = town.head()
    town.grant("put-back", duration="1h")
    assert town.apply().code == 0
    lost = town.head()
    town.store.git("update-ref", "refs/heads/main", before)  # by somebody who may lift the rules
    town.delete(kept.id)
    asked = town.grant("hoped-for", duration="1h")
    done = town.apply()
    assert done.code == 5, done.said
    assert not town.live_tokens(kept.id)
    assert town.live_tokens("put-back")
    assert town.events(kept.id) == ["issued"]  # a second future of main would be lost with it
    assert town.events(asked.id) == []
    said = done.said.partition("git push --force-with-lease origin ")[2].partition(":")[0]
    assert said == lost

    town.store.git("update-ref", "refs/heads/main", lost)
    town.apply("schedule")
    assert town.events(kept.id) == ["issued", "revoked"]
    assert town.events("put-back") == ["issued"]
    after = town.grant("afterwards", duration="1h")
    done = town.apply()
    assert town.events(after.id) == ["issued"]
    assert done.code == 0, done.said
    assert town.verify().code == 0


def test_a_merge_the_wrong_way_round_brings_back_no_old_policy(own_town: Town) -> None:
    """Somebody who may push past the rules makes an old, approved state main's past again.

    Each commit that changes anything on that line did come by an approved pull request.
    """
    town, mallory = own_town, own_town.box.person("mallory")
    approvers(town, 1)
    old = town.store.git("rev-parse", "refs/pull/1/head").strip()
    approvers(town, 2)
    mallory.git("fetch", "-q", "origin", "main", "refs/pull/1/head")
    words = ("-p", old, "-p", town.head(), "-m", "Merge main")
    merged = mallory.git("commit-tree", f"{old}^{{tree}}", *words).strip()
    bypass = town.box.repository.rules.bypass
    bypass.add(mallory.account.id)
    mallory.git("push", "-q", "origin", f"{merged}:refs/heads/main")
    bypass.discard(mallory.account.id)
    asked = town.grant("easier-now", duration="1h")
    done = town.apply()
    assert done.code == 5, done.said
    assert town.events(asked.id) == []
    assert not town.live_tokens(asked.id)
    assert "trusted commit" in done.said


def test_approving_it_for_another_branch_is_no_approval_for_main(town: Town) -> None:
    """Whoever reviewed it there saw only what that branch did not have yet.

    The head, and with it the commit of the review, is the same before and after the base changes.
    """
    alice, bob = town.box.person("alice"), town.box.person("bob")
    hidden = request("hidden-admin", access="admin", duration="1h")
    shown = request("shown-read", duration="1m")
    alice.push([Proposal("wip", hidden, "Work in progress")])
    alice.push([Proposal("wip-next", shown, "A minute of reading")], onto="origin/wip")
    pulls = f"/repos/{town.box.repository.full_name}/pulls"
    body = {"title": "A minute of reading", "head": "wip-next", "base": "wip"}
    number = int(alice.api("POST", pulls, body)["number"])
    seen = [item["filename"] for item in bob.api("GET", f"{pulls}/{number}/files")]
    assert seen == ["access/requests/shown-read.yaml"]
    bob.approve(number)
    time.sleep(1)  # GitHub tells whole seconds
    alice.api("PATCH", f"{pulls}/{number}", {"base": "main"})
    alice.merge(number)
    done = town.refuse()
    assert done.code == 0, done.said
    assert town.events("hidden-admin") == ["denied"]
    assert not town.live_tokens("hidden-admin")


def test_an_approval_after_the_base_was_changed_counts(town: Town) -> None:
    alice, bob = town.box.person("alice"), town.box.person("bob")
    alice.push([Proposal("wip-open", request("wip-open", duration="1h"), "Work in progress")])
    alice.push([Proposal("wip-base", {"notes.txt": b"n\n"}, "Elsewhere")])
    pulls = f"/repos/{town.box.repository.full_name}/pulls"
    body = {"title": "Reading", "head": "wip-open", "base": "wip-base"}
    number = int(alice.api("POST", pulls, body)["number"])
    alice.api("PATCH", f"{pulls}/{number}", {"base": "main"})
    time.sleep(1)
    bob.approve(number)
    alice.merge(number)
    assert town.apply().code == 0
    assert town.events("wip-open") == ["issued"]


@pytest.mark.parametrize(("by", "then"), [("alice", "denied"), ("carol", "issued")])
def test_a_requester_takes_no_reviewers_no_back(town: Town, by: str, then: str) -> None:
    """GitHub lets everybody with write access dismiss a review. Carol may approve it herself."""
    name = f"dismissed-by-{by}"
    asked = town.ask(name, duration="1h")
    town.box.person("carol").approve(asked.number)
    reviews = f"/repos/{town.box.repository.full_name}/pulls/{asked.number}/reviews"
    no = town.box.person("bob").api("POST", reviews, {"event": "REQUEST_CHANGES", "body": "no"})
    town.box.person(by).api("PUT", f"{reviews}/{no['id']}/dismissals", {"message": "fine"})
    seen = acting.daypass(asked.who, "plan", "--pr", str(asked.number))
    assert ("asks for changes" in seen.said) is (then == "denied"), seen.said
    town.merge(asked, approvers=())
    done = town.refuse() if then == "denied" else town.apply()
    assert done.code == 0, done.said
    assert town.events(name) == [then]


def opened_by_hand(town: Town, asked: Asked) -> dict[str, str]:
    """What a delivery holds, for somebody who has the holder's key and stock tools."""
    (body,) = town.comments(asked, "delivery")
    armored = body[body.index("-----BEGIN AGE") : body.index("-----END AGE")]
    sealed = f"{armored}-----END AGE ENCRYPTED FILE-----\n"
    text = open_sealed(sealed, asked.who.ssh_key, lambda _path: Secret(""))
    headers = {"X-Vault-Token": text.reveal().split("\n")[0]}
    url = f"{town.box.bao.address}/v1/sys/wrapping/unwrap"
    found: dict[str, str] = requests.post(url, headers=headers, timeout=10).json()["data"]
    return found


def run_later(town: Town) -> Done:
    """A run after the grace: all that waits was seen an hour earlier."""
    path = "daypass/data/daypass/notes/opened"
    note = town.box.bao.client.read(path)
    assert note is not None
    rows = json.loads(note["data"]["data"]["openings"])
    for row in rows:
        row[2] = str(Instant.parse(row[2]).plus(-3600))
    town.box.bao.client.write(path, {"data": {"openings": json.dumps(rows)}})
    return town.apply("schedule")


def test_a_thief_who_opens_first_is_asked_about_and_ended_by_the_holder(town: Town) -> None:
    names = ("stolen", "by-stock-tools", "by-claim")
    stolen, stock, claimed = (town.grant(name, duration="1h") for name in names)
    assert town.apply().code == 0
    session = town.log_in(opened_by_hand(town, stolen))
    opened_by_hand(town, stock)
    stock.who.comment(stock.number, f"/claimed {stock.id}")
    assert town.claim(claimed).code == 0
    assert town.apply("schedule").code == 0
    late = run_later(town)
    assert late.code == 5, late.said
    (alarm,) = late.json()["alarms"]
    assert alarm.startswith("the delivery of stolen was opened")
    (question,) = town.comments(stolen, "opened")
    assert "@alice: the delivery of `stolen` was opened" in question
    assert not town.comments(stock, "opened")
    assert not town.comments(claimed, "opened")
    assert session.execute("select 1").fetchone() == (1,), "a question ends nothing"

    tried = town.claim(stolen)
    assert (tried.code, "daypass claim stolen --not-me" in tried.stderr) == (1, True), tried.said
    told = town.claim(stolen, "--not-me", "--wait", "0")
    assert told.code == 0, told.said
    said = [item["body"] for item in stolen.who.comments(stolen.number)][-1]
    assert said == "/not-me stolen"
    path = f"daypass/data/daypass/intents/{stolen.id}"
    intent = Intent(stolen.id, IntentKind.NOT_ME, stolen.who.account.id, Instant.parse(WHEN))
    town.box.bao.client.write(path, {"data": intent.to_json()})  # as access-commands notes it
    ended = town.apply()
    assert ended.code == 5, ended.said
    assert "the holder of stolen says that it was not them" in ended.said
    assert "Daypass-Reason: reported-stolen" in town.message(stolen.id, "revoked")
    with pytest.raises(psycopg.OperationalError):
        session.execute("select 1")
    session.close()
    assert town.verify().code == 0


def merge_raw(town: Town, branch: str, path: bytes, content: bytes) -> None:
    """Merge one file whose name only git itself can spell."""
    mallory = town.box.person("mallory")
    mallory.git("fetch", "-q", "origin")
    who = mallory.git("var", "GIT_COMMITTER_IDENT").strip()
    quoted = b'"' + b"".join(b"\\%03o" % byte for byte in path) + b'"'
    stream = (
        f"commit refs/box/{branch}\ncommitter {who}\ndata 3\nraw\nfrom "
        f"{mallory.git('rev-parse', 'origin/main').strip()}\n"
    ).encode() + b"M 100644 inline %s\ndata %d\n%s\n" % (quoted, len(content), content)
    mallory.git("fast-import", "--quiet", "--force", data=stream)
    mallory.git("push", "-q", "origin", f"refs/box/{branch}:refs/heads/{branch}")
    mallory.merge(mallory.open_pull_request(branch, "A file"))


def test_a_record_whose_name_is_no_text_is_taken_out_and_stops_nobody(town: Town) -> None:
    merge_raw(town, "raw-record", b"access/grants/\xff.json", b"{}")
    asked = town.grant("after-the-raw-record", duration="1h")
    first, second = town.apply(), town.apply()
    assert first.code == 5, first.said
    assert "udcff.json was changed by hand" in first.said
    assert second.code == 0, second.said
    assert town.events(asked.id) == ["issued"]
    verified = town.verify()
    assert verified.json()["faults"], verified.said


def test_a_request_whose_name_is_no_text_stops_nobody(town: Town) -> None:
    merge_raw(town, "raw-request", b"access/requests/\xfe.yaml", b"a: b\n")
    asked = town.grant("after-the-raw-request", duration="1h")
    done = town.apply()
    assert done.code == 0, done.said
    assert town.events(asked.id) == ["issued"]
    dave = town.box.person("dave")
    dave.git("pull", "-q", "--ff-only")
    checked = acting.daypass(dave, "validate")
    assert checked.code == 3, checked.said


def test_nobody_stays_because_they_hold_more_than_a_run_may_revoke(own_town: Town) -> None:
    """The limit is there for mistakes. It must be no shield for somebody who was shown the door."""
    town, carol = own_town, own_town.box.person("carol")
    held = [town.grant(f"many-{number}", duration="1h") for number in range(2)]
    assert town.apply().code == 0
    path = "access/identities/alice.yaml"
    document = yaml.safe_load(town.store.git("show", f"main:{path}"))
    document["spec"]["status"] = "offboarded"
    number = carol.propose("bye", {path: yaml.safe_dump(document).encode()}, "alice has left")
    town.box.person("dave").approve(number)
    carol.merge(number)
    done = town.apply("push", "--max", "1")
    assert done.code == 0, done.said
    for asked in held:
        assert town.events(asked.id) == ["issued", "revoked"]
        assert "Daypass-Reason: offboarded" in town.message(asked.id, "revoked")
        assert not town.live_tokens(asked.id)
