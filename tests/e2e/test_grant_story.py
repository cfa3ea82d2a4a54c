"""From a pull request to a revert, and every way in which a request must come to nothing.

The tests share one organisation and run from top to bottom: what expires is granted first and
watched last, and meanwhile the rest is tried.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from daypass.errors import SandboxError
from daypass.model.instant import Instant
from daypass.sandbox.box import Box
from daypass.sandbox.organisation import request
from support import acting
from support.town import Asked, Town

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICY = "access/policies/databases.yaml"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with Box.create(tmp_path_factory.mktemp("box")) as box:
        box.vault_bootstrap()
        yield Town(box)


class Brief:
    """Two grants of a minute: one minted at the merge, one at the claim."""

    def __init__(self, town: Town) -> None:
        self.orders = town.grant("brief-orders", duration="1m")
        self.ledger = town.grant(
            "brief-ledger",
            by="bob",
            resource="ledger-db",
            ticket="OPS-1234",
            duration="1m",
            approvers=("carol", "dave"),
        )
        self.run = town.apply()
        self.orders_credential = town.credential(self.orders)
        self.ledger_credential = town.credential(self.ledger)
        self.record = town.record("brief-orders")
        self.not_after = Instant.parse(self.record["notAfter"])


@pytest.fixture(scope="module")
def brief(town: Town) -> Brief:
    return Brief(town)


# What is granted.


def test_one_run_grants_what_was_merged(town: Town, brief: Brief) -> None:
    assert brief.run.code == 0, brief.run.said
    done = {line["grant"]: line["what"] for line in brief.run.json()["done"]}
    assert done == {"brief-orders": "issued", "brief-ledger": "issued"}
    for asked in (brief.orders, brief.ledger):
        assert town.events(asked.id) == ["issued"]
        assert len(town.live_tokens(asked.id)) == 1
        assert len(town.comments(asked, "delivery")) == 1


def test_its_holder_works_with_it_and_nobody_else_can_tell_the_password(
    town: Town, brief: Brief
) -> None:
    for credential in (brief.orders_credential, brief.ledger_credential):
        with town.log_in(credential["credential"]) as session:
            row = session.execute("select count(*) from orders").fetchone()
            assert row == (3,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute("delete from orders")


def test_a_secret_on_claim_did_not_exist_before_its_claim(town: Town) -> None:
    asked = town.grant(
        "late-ledger",
        by="carol",
        resource="ledger-db",
        ticket="OPS-77",
        duration="1h",
        approvers=("bob", "dave"),
    )
    assert town.apply().code == 0
    record = town.record(asked.id)
    vault = record["vault"]
    assert vault["issue"] == "on-claim"
    assert record["wrapping"]["path"] == "auth/token/create/" + vault["tokenRole"]
    assert len(record["approvals"]) == 2
    assert not [name for name in town.box.postgres.roles() if asked.id in name]
    town.credential(asked)
    assert [name for name in town.box.postgres.roles() if asked.id in name]


def test_a_second_claim_is_refused_and_says_what_it_may_mean(town: Town, brief: Brief) -> None:
    again = town.claim(brief.orders)
    assert again.code == 1
    assert again.stdout == ""
    assert "you have opened the delivery" in again.stderr
    assert f"daypass redeliver {brief.orders.id}" in again.stderr
    assert "at once" not in again.stderr, "its holder has said that it was them: no cry of theft"


def test_somebody_elses_key_opens_nothing(town: Town) -> None:
    asked = town.grant("not-yours", duration="1h")
    assert town.apply().code == 0
    thief = town.box.person("mallory")
    done = acting.daypass(thief, "claim", asked.id, "--format", "json")
    assert done.code == 1
    assert done.stdout == ""
    town.credential(asked)  # and it did not spend the delivery


def test_status_says_who_holds_what(town: Town, brief: Brief) -> None:
    done = acting.daypass(town.box.person("dave"), "status", "--format", "json")
    rows = {row["grant"]: row for row in done.json()}
    assert rows[brief.orders.id]["subject"] == "alice"
    assert rows[brief.orders.id]["notAfter"] == str(brief.not_after)


def test_a_run_that_finds_nothing_to_do_changes_nothing(town: Town) -> None:
    before = town.head()
    again = town.apply("schedule")
    assert again.code == 0
    assert again.json()["done"] == []
    assert town.head() == before


# What is not.


@pytest.fixture(scope="module")
def refused(town: Town) -> dict[str, Asked]:
    """Six requests that were merged and must not be granted, and the run that met them."""
    alice, bob, carol = (town.box.person(name) for name in ("alice", "bob", "carol"))
    none = town.grant("no-approval", approvers=())
    outsider = town.grant("outsider", approvers=("mallory",))

    own = town.ask("own-approval")
    with pytest.raises(SandboxError, match="Can not approve your own pull request"):
        alice.approve(own.number)
    # So somebody else's is amended by its approver, under the author's name.
    path = f"access/requests/{own.id}.yaml"
    bob.git("fetch", "-q", "origin")
    amended = bob.git("show", f"origin/{own.id}:{path}").replace("1m", "8h")
    bob.propose("own-copy", {path: amended.encode()}, "x", onto=f"origin/{own.id}")
    bob.git("push", "-q", "origin", f"refs/box/own-copy:refs/heads/{own.id}")
    bob.approve(own.number)
    carol.merge(own.number)

    older = town.ask("older-head")
    bob.approve(older.number)
    path = f"access/requests/{older.id}.yaml"
    longer = alice.git("show", f"origin/{older.id}:{path}").replace("1m", "8h")
    alice.git("fetch", "-q", "origin")
    alice.propose("older-copy", {path: longer.encode()}, "x", onto=f"origin/{older.id}")
    alice.git("push", "-q", "origin", f"refs/box/older-copy:refs/heads/{older.id}")
    carol.merge(older.number)

    half = town.grant(
        "one-of-two", by="bob", resource="ledger-db", ticket="OPS-1", approvers=("carol",)
    )
    no_ticket = town.grant("no-ticket", by="bob", resource="ledger-db", approvers=("carol", "dave"))

    after = town.grant("after-merge", approvers=())
    time.sleep(1.1)  # GitHub tells whole seconds
    bob.approve(after.number)

    late = town.grant("lapsed")
    merged_at = (datetime.now(UTC) - timedelta(hours=25)).strftime("%Y-%m-%dT%H:%M:%SZ")
    pull = town.box.repository.pulls[late.number]
    pull.merged_at = merged_at
    for review in pull.reviews:
        review.submitted_at = merged_at

    done = town.apply()
    assert done.code == 0, done.said
    found = (none, outsider, own, older, half, no_ticket, after, late)
    became = {line["grant"]: line["what"] for line in done.json()["done"]}
    assert became.keys() == {item.id for item in found}
    # What only lacks approvals may be what GitHub tells too late.
    short = {item.id for item in (none, outsider, own, older, half, after)}
    assert {name for name, what in became.items() if what == "waiting"} == short
    town.age_undecided()
    assert town.apply().code == 0
    return {item.id: item for item in found}


@pytest.mark.parametrize(
    ("request_id", "kind", "why"),
    [
        ("no-approval", "denied", "1 approval from dba"),
        ("outsider", "denied", "1 approval from dba"),
        ("own-approval", "denied", "1 approval from dba"),
        ("older-head", "denied", "1 approval from dba"),
        ("one-of-two", "denied", "approval"),
        ("no-ticket", "denied", "ticket"),
        ("after-merge", "denied", "1 approval from dba"),
        ("lapsed", "lapsed", "24 hours"),
    ],
)
def test_it_is_refused_with_the_reason_and_leaves_nothing(
    town: Town, refused: dict[str, Asked], request_id: str, kind: str, why: str
) -> None:
    asked = refused[request_id]
    assert town.events(request_id) == [kind]
    assert why in town.message(request_id, kind)
    (comment,) = town.comments(asked, "refused")
    assert why in comment.replace("\\", "")
    assert f"access/requests/{request_id}.yaml" not in town.files()
    assert town.live_tokens(request_id) == []
    assert not [name for name in town.box.postgres.roles() if request_id in name]


def test_an_id_is_used_once(town: Town, refused: dict[str, Asked]) -> None:
    assert "no-approval" in refused
    path = "access/requests/no-approval.yaml"
    alice = town.box.person("alice")
    number = alice.propose("again", {path: request("no-approval")[path]}, "Once more")
    town.merge(Asked("no-approval", number, alice))
    assert town.apply().code == 0
    assert town.events("no-approval") == ["denied", "denied"]
    assert "used before" in town.message("no-approval", "denied")
    assert town.live_tokens("no-approval") == []


def test_a_request_pushed_straight_to_main_is_denied_and_alarms(town: Town) -> None:
    """It alarms at the first look, and is denied once no pull request has come to light."""
    town.push_straight(request("straight"))
    done = town.apply()
    assert done.code == 5
    assert "straight is not proven yet" in done.json()["alarms"][0]
    assert town.events("straight") == []
    assert town.live_tokens("straight") == []
    town.age_undecided()
    done = town.apply()
    assert done.code == 5
    assert "straight is not proven:" in done.json()["alarms"][0]
    assert "Daypass-Reason: unproven" in town.message("straight", "denied")
    assert town.live_tokens("straight") == []


# What ends early.


def test_deleting_the_request_revokes_it_and_ends_open_sessions(town: Town) -> None:
    asked = town.grant("deleted", duration="1h")
    kept = town.grant("kept", duration="1h")
    assert town.apply().code == 0
    credential = town.credential(asked)["credential"]
    other = town.credential(kept)["credential"]
    with town.log_in(other) as untouched:
        session = town.log_in(credential)
        town.delete("deleted")
        done = town.apply()
        assert done.code == 0, done.said
        with pytest.raises(psycopg.OperationalError):
            session.execute("select 1")
        session.close()
        with pytest.raises(psycopg.OperationalError):
            town.log_in(credential)
        assert untouched.execute("select 1").fetchone() == (1,)
    assert town.events("deleted") == ["issued", "revoked"]
    message = town.message("deleted", "revoked")
    assert "Daypass-Reason: request-deleted" in message
    assert town.live_tokens("deleted") == []
    assert len(town.live_tokens("kept")) == 1


@pytest.mark.parametrize("between", ["deleted", "changed"])
def test_a_request_that_was_put_back_before_any_run_has_ended_its_grant(
    town: Town, between: str
) -> None:
    """A run finds the same bytes, and whoever deleted them has said that the grant is to end."""
    asked, kept = town.grant(f"back-{between}", duration="1h"), town.grant(f"by-{between}")
    assert town.apply().code == 0
    path = f"access/requests/{asked.id}.yaml"
    before = town.store.git("show", f"main:{path}")
    meanwhile = None if between == "deleted" else (before + "# another word\n").encode()
    for step, content in enumerate((meanwhile, before.encode())):
        number = asked.who.propose(f"{asked.id}-{step}", {path: content}, "As it was")
        town.merge(Asked(asked.id, number, asked.who))
    with acting.job(town.box) as job:
        actions = job.daypass("plan", "--format", "json").json()["actions"]
    assert [item["grant"] for item in actions] == [asked.id], actions
    assert town.apply().code == 0
    assert town.events(asked.id) == ["issued", "revoked"]
    assert "Daypass-Reason: request-put-back" in town.message(asked.id, "revoked")
    assert town.live_tokens(asked.id) == []
    assert path not in town.files()
    assert (town.events(kept.id), len(town.live_tokens(kept.id))) == (["issued"], 1)


# What somebody does to main by hand.


def test_a_record_edited_by_hand_is_put_back_and_freezes_granting(town: Town) -> None:
    ending = town.grant("ends-meanwhile", duration="1h")
    assert town.apply().code == 0
    path = "access/grants/kept.json"
    before = town.store.git("show", f"main:{path}")
    town.push_straight({path: before.replace('"alice"', '"mallory"').encode()})
    town.delete(ending.id)
    waiting = town.grant("waits", duration="1h")
    done = town.apply()
    assert done.code == 5
    assert done.json()["alarms"] == [f"{path} was changed by hand"]
    assert {line["what"] for line in done.json()["done"]} == {"alarm", "drift", "revoked"}
    assert town.store.git("show", f"main:{path}") == before
    assert town.events(ending.id) == ["issued", "revoked"]
    assert town.events(waiting.id) == []
    assert town.live_tokens(waiting.id) == []
    assert town.apply().code == 0
    assert town.events(waiting.id) == ["issued"]


def test_a_record_that_was_deleted_and_put_back_before_any_run_has_ended_its_grant(
    town: Town,
) -> None:
    asked = town.grant("record-back", duration="1h")
    assert town.apply().code == 0
    path = f"access/grants/{asked.id}.json"
    before = town.store.git("show", f"main:{path}").encode()
    for step, content in enumerate((None, before)):
        number = asked.who.propose(f"{asked.id}-{step}", {path: content}, "As it was")
        town.merge(Asked(asked.id, number, asked.who))
    assert town.apply().code == 0
    assert town.events(asked.id) == ["issued", "revoked"]
    assert "Daypass-Reason: record-deleted" in town.message(asked.id, "revoked")
    assert town.live_tokens(asked.id) == []
    assert path not in town.files()


def test_a_folder_where_a_record_is_to_lie_keeps_nothing_from_the_evidence(town: Town) -> None:
    """All of a run is one push: what cannot be written would keep every end from it, for good."""
    ending = town.grant("ends-beside", duration="1h")
    assert town.apply().code == 0
    path = "access/grants/in-the-way.json"
    who = ending.who
    number = who.propose("a-folder", {f"{path}/.gitkeep": b""}, "A folder")
    town.merge(Asked("a-folder", number, who))
    late = town.grant("in-the-way", duration="1h")
    town.delete(ending.id)
    done = town.apply()
    assert done.json()["alarms"] == [f"{path}/.gitkeep was changed by hand"]
    assert town.events(ending.id) == ["issued", "revoked"]
    assert town.apply().code == 0
    assert town.events(late.id) == ["issued"]
    assert path in town.files()


def test_a_policy_that_its_owners_approved_counts_at_once(town: Town) -> None:
    alice = town.box.person("alice")
    text = town.store.git("show", f"main:{POLICY}")
    number = alice.propose("shorter", {POLICY: text.replace("8h", "2h").encode()}, "At most 2h")
    town.merge(Asked("shorter", number, alice), approvers=("dave",))
    asked = town.grant("too-long", duration="4h")
    done = town.apply()
    assert done.code == 0, done.said
    record = town.record(asked.id)
    lasts = Instant.parse(record["notAfter"]).since(Instant.parse(record["notBefore"]))
    assert lasts == 2 * 3600


def test_a_policy_pushed_straight_grants_nothing_until_it_is_undone(town: Town) -> None:
    text = town.store.git("show", f"main:{POLICY}")
    ending = town.grant("ends-anyway", duration="1h")
    assert town.apply().code == 0
    town.push_straight({POLICY: text.replace("atLeast: 1", "atLeast: 0").encode()})
    sneaky = town.grant("sneaky", approvers=(), duration="1h")
    town.delete(ending.id)
    done = town.apply()
    assert done.code == 5
    assert "changes what decisions rest on: it came by no merged pull request" in done.said
    assert town.events(sneaky.id) == []
    assert town.live_tokens(sneaky.id) == []
    assert town.events(ending.id) == ["issued", "revoked"]

    carol = town.box.person("carol")
    number = carol.propose("undo", {POLICY: text.encode()}, "Undo what was pushed")
    town.merge(Asked("undo", number, carol), approvers=("dave",))
    assert town.apply().code == 5  # not before an operator has looked
    carol.git("pull", "-q", "--ff-only")
    trusted = acting.daypass(
        carol,
        *("vault", "apply", "--trust", "HEAD"),
        VAULT_TOKEN=town.box.bao.root_token.reveal(),
    )
    assert trusted.code == 0, trusted.said
    assert town.apply().code == 0
    assert town.events(sneaky.id) == ["denied"]


# What ends by itself.


def test_at_its_time_it_stops_at_the_server_and_the_run_reverts_it(
    town: Town, brief: Brief
) -> None:
    credential = brief.orders_credential["credential"]
    end = brief.not_after.nanoseconds / 1e9
    if time.time() < end - 2:  # a slow machine comes too late to look on, and sees the end state
        time.sleep(max(0.0, end - 2 - time.time()))
        session = town.log_in(credential)  # until the last moment
        assert _ended(session) > end - 0.05, "it ended before its time"
    _refused(town, credential)
    for asked in (brief.orders, brief.ledger):
        assert town.live_tokens(asked.id) == []
        assert not [name for name in town.box.postgres.roles() if asked.id in name]

    done = town.apply("schedule")
    assert done.code == 0, done.said
    # On a slow machine an earlier run may have come after the end, and written it down.
    assert {line["what"] for line in done.json()["done"]} <= {"expired"}
    for asked in (brief.orders, brief.ledger):
        assert town.events(asked.id) == ["issued", "expired"]
        assert not {name for name in town.files() if asked.id in name}


def _refused(town: Town, credential: dict[str, str]) -> None:
    """Wait until a log-in is refused: the server ends both grants of the story within moments."""
    for _ in range(3000):
        try:
            town.log_in(credential).close()
        except psycopg.OperationalError:
            break
        time.sleep(0.02)
    else:
        raise AssertionError("its password still opens the database")
    for _ in range(3000):
        names = town.box.postgres.roles()
        if not [name for name in names if "brief-" in name]:
            return
        time.sleep(0.02)
    raise AssertionError("its user is still there")


def _ended(session: psycopg.Connection[Any]) -> float:
    """When the server ended an open session, by this machine's clock."""
    with session:
        for _ in range(1000):
            try:
                session.execute("select 1")
            except psycopg.OperationalError:
                return time.time()
            time.sleep(0.02)
    raise AssertionError("the session lives on")


def test_the_revert_names_what_it_reverts(town: Town, brief: Brief) -> None:
    message = town.message("brief-orders", "expired")
    assert brief.record["request"]["commit"] in message
    assert message.startswith('Revert "Grant alice read on orders-db (brief-orders)"\n')
    issued = message.partition("This reverts commit ")[2][:40]
    assert "Daypass-Event: issued" in town.store.git("log", "-1", "--format=%B", issued)
    assert f"Daypass-Not-After: {brief.not_after}" in message


def test_stock_git_finds_every_signature_good(town: Town) -> None:
    auditor = town.box.person("dave")
    auditor.git("pull", "-q", "--ff-only")
    signers = ("-c", "gpg.ssh.allowedSignersFile=access/allowed_signers")
    log = auditor.git(*signers, "log", "--author=daypass@", "--format=%G?%x20%GK")
    assert set(log.split("\n")[:-1]) == {f"G {town.box.evidence_fingerprint}"}
    shown = auditor.git(*signers, "log", "--show-signature", "-1")
    assert 'Good "git" signature for daypass@acme.example' in shown


def test_the_evidence_holds_for_whoever_knows_the_key_from_elsewhere(town: Town) -> None:
    done = town.verify()
    assert done.code == 0, done.said
    report = done.json()
    assert report["verdict"] == "holds"
    assert report["signers"] == [town.box.evidence_fingerprint]
    # What was done by hand is named for ever, and by which commit it was mended.
    assert {fault["code"] for fault in report["faults"]} == {"record-edit"}
    assert all(fault["mendedBy"] for fault in report["faults"])


def test_a_merge_that_undoes_a_deletion_neither_keeps_the_grant_nor_goes_unseen(
    town: Town,
) -> None:
    """Its first parent is main before the deletion: main's own line shows nothing of it."""
    asked = town.grant("undone", duration="1h")
    assert town.apply().code == 0
    before = town.head()
    town.delete(asked.id)
    carol = town.box.person("carol")
    carol.git("fetch", "-q", "origin")
    words = ("-p", before, "-p", town.head(), "-m", "As before")
    merge = carol.git("commit-tree", f"{before}^{{tree}}", *words).strip()
    town.push_to_main(merge)
    done = town.apply()
    assert done.code == 5
    assert "merges something into main that no pull request did" in done.json()["alarms"][0]
    assert town.events(asked.id) == ["issued", "revoked"]
    assert town.live_tokens(asked.id) == []
    carol.git("pull", "-q", "--ff-only")
    root = town.box.bao.root_token.reveal()
    trusted = acting.daypass(carol, "vault", "apply", "--trust", "HEAD", VAULT_TOKEN=root)
    assert trusted.code == 0, trusted.said
    assert town.apply().code == 0


def test_a_merge_that_github_cannot_tell_of_keeps_no_grant_from_ending(town: Town) -> None:
    """It may undo something, so nothing is granted; what is to end does not wait for GitHub."""
    asked = town.grant("ends-meanwhile-too", duration="1h")
    assert town.apply().code == 0
    path = f"access/requests/{asked.id}.yaml"
    number = asked.who.propose("by-a-merge", {path: None}, "No longer needed")
    town.box.person("carol").merge(number, method="merge")
    town.box.github.fail_next("*", "/pulls", 502, times=100)
    town.apply()
    town.box.github.heal()
    assert town.events(asked.id) == ["issued", "revoked"]
    assert town.live_tokens(asked.id) == []
    assert town.apply().code == 0
