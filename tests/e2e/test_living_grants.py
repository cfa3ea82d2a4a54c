"""What happens to a grant while it lives: it is decided again, watched, and delivered once more."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from daypass.errors import SandboxError
from daypass.model.instant import Instant
from daypass.model.intent import Intent, IntentKind
from daypass.model.secret import Secret
from daypass.sandbox.bao_client import BaoClient
from support import acting
from support.town import Asked, Town
from support.webhook import hooked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.sandbox.box import Box

POLICY = "access/policies/databases.yaml"
SETTINGS = "access/daypass.yaml"
CLAIM_WINDOW = "  claimWindow: 1m\n"
LEDGER = {"by": "bob", "resource": "ledger-db", "duration": "1h", "ticket": "OPS-1"}
ROLE = "daypass-orders-db-read-1h"
BREAK_GLASS = "daypass-bg-orders-db-read-1h"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    from daypass.sandbox.box import Box  # noqa: PLC0415  -- unit tests need no server

    with Box.create(tmp_path_factory.mktemp("living") / "box") as made:
        made.vault_bootstrap()
        yield made


@pytest.fixture(scope="module")
def town(box: Box) -> Town:
    return Town(box)


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """On-claim grants that nobody comes for, while the other tests go on.

    One outlives the time for its claim by far, and the other one ends with it.
    """

    asked: tuple[Asked, ...]
    until: Instant
    roles: frozenset[str]


@pytest.fixture(scope="module", autouse=True)
def unclaimed(town: Town, box: Box) -> Unclaimed:
    alice = box.person("alice")
    changed = town.store.git("show", f"main:{SETTINGS}") + CLAIM_WINDOW
    number = alice.propose("soon", {SETTINGS: changed.encode()}, "Claim within a minute")
    town.merge(Asked("soon", number, alice), approvers=("dave",))
    asked = tuple(
        town.grant(name, approvers=("dave", "carol"), **{**LEDGER, "duration": duration})
        for name, duration in (("never-claimed", "1h"), ("never-opened", "1m"))
    )
    done = town.apply()
    assert done.code == 0, done.said
    for item in asked:
        assert "Claim it within 1 minute," in town.comments(item, "delivery")[0]
    made = max(Instant.parse(town.record(item.id)["wrapping"]["time"]) for item in asked)
    return Unclaimed(asked, made.plus(62), box.postgres.roles())


def granted(town: Town, name: str, **spec: Any) -> Asked:
    asked = town.grant(name, **({"duration": "1h"} | spec))
    done = town.apply()
    assert done.code == 0, done.said
    assert town.events(name) == ["issued"]
    return asked


def intend(box: Box, asked: Asked, kind: IntentKind) -> None:
    intent = Intent(asked.id, kind, 1, Instant.parse("2026-11-22T00:00:00Z"))
    path = f"daypass/data/daypass/intents/{asked.id}"
    box.bao.client.write(path, {"data": intent.to_json()})


def change(town: Town, name: str, path: str, old: str, new: str) -> None:
    """A change of what decisions rest on, approved by its owners."""
    alice = town.box.person("alice")
    text = town.store.git("show", f"main:{path}")
    assert old in text
    number = alice.propose(name, {path: text.replace(old, new).encode()}, name)
    town.merge(Asked(name, number, alice), approvers=("dave",))


def alarms(town: Town, *, state: str = "open") -> list[str]:
    """The titles of the issues that daypass opened."""
    path = f"/repos/{town.box.repository.full_name}/issues?state={state}&per_page=100"
    found = town.box.person("carol").api("GET", path)
    return [item["title"] for item in found if "pull_request" not in item]


def test_what_would_not_be_given_today_is_ended_today(town: Town, box: Box) -> None:
    asked = granted(town, "would-not-be-given")
    credential = town.credential(asked)["credential"]
    session = town.log_in(credential)
    change(town, "suspend", "access/identities/alice.yaml", "status: active", "status: suspended")
    intend(box, asked, IntentKind.REDELIVER)
    done = town.apply()
    assert done.code == 0, done.said
    assert town.events(asked.id) == ["issued", "revoked"], "and not delivered again before"
    with pytest.raises(psycopg.OperationalError):
        session.execute("select 1")
    session.close()
    message = town.message(asked.id, "revoked")
    assert "Daypass-Reason: re-evaluated" in message
    assert "Daypass-Decision: deny sha256:" in message
    assert "built-in/subject-active" in message
    assert town.live_tokens(asked.id) == []
    change(town, "back", "access/identities/alice.yaml", "status: suspended", "status: active")
    town.apply()


def test_an_outage_of_github_throws_nobody_out_and_extends_nothing(town: Town, box: Box) -> None:
    asked = granted(town, "through-an-outage")
    before = town.record(asked.id)["notAfter"]
    box.github.fail_next("GET", r"/teams?/", 502, 200)
    done = town.apply("schedule")
    box.github.heal()
    assert town.events(asked.id) == ["issued"], done.said
    assert len(town.live_tokens(asked.id)) == 1
    assert town.record(asked.id)["notAfter"] == before
    assert town.apply("schedule").code == 0


def marks(box: Box, name: str) -> dict[str, str]:
    return {"daypass_grant": name, "daypass_repository": str(box.repository_id)}


def mint_behind_its_back(box: Box, meta: dict[str, str], role: str = ROLE) -> str:
    """The accessor of a token through a role of ours, by somebody who controls Vault."""
    body = {"policies": [role], "ttl": "1h", "explicit_max_ttl": "1h", "num_uses": 2, "meta": meta}
    made = box.bao.client.write(f"auth/token/create/{role}", body)
    assert made is not None
    return str(made["auth"]["accessor"])


def test_a_token_that_no_grant_knows_is_revoked_and_written_down(town: Town, box: Box) -> None:
    """By the role that it came through: with our marks, with another's, and without any."""
    box.bao.client.write(f"auth/token/roles/{BREAK_GLASS}", {"allowed_policies": [BREAK_GLASS]})
    made = (
        mint_behind_its_back(box, marks(box, "behind-its-back")),
        mint_behind_its_back(box, {"daypass_grant": "x", "daypass_repository": "1"}),
        mint_behind_its_back(box, {}),
        mint_behind_its_back(box, {}, BREAK_GLASS),
    )
    done = town.apply("schedule", "--max", "0")
    assert done.code == 5, done.said
    assert not set(made) & set(box.bao.client.list("auth/token/accessors"))
    assert f"of the role {BREAK_GLASS}, without a mark," in done.said
    assert "Daypass-Reason: orphan" in town.store.git("log", "-1", "--format=%B", "main")
    assert any("orphan" in title for title in alarms(town))
    assert town.apply("schedule").code == 0
    assert town.verify().code == 0


def test_both_files_of_a_grant_removed_by_hand_end_it_and_its_end_is_told(
    town: Town, box: Box
) -> None:
    """By one push, one push after the other, and while a run acts on something else alone."""
    names = ("gone-at-once", "gone-in-turn", "gone-beside")
    for name in names:
        town.grant(name, duration="1h")
    assert town.apply().code == 0
    asked = {name: Asked(name, 0, box.person("alice")) for name in names}
    session = town.log_in(town.credential(asked["gone-at-once"])["credential"])
    files = {name: (f"access/requests/{name}.yaml", f"access/grants/{name}.json") for name in names}
    by_hand = [town.push_straight(dict.fromkeys(files["gone-at-once"]))]
    by_hand += [town.push_straight({path: None}) for path in files["gone-in-turn"]]
    done = town.apply()
    assert done.code == 0, done.said
    with pytest.raises(psycopg.OperationalError):
        session.execute("select 1")
    session.close()

    # A run that is to act on something else alone signs that they are gone: it says so, too.
    by_hand.append(town.push_straight(dict.fromkeys(files["gone-beside"])))
    town.grant("elsewhere", duration="1h")
    done = town.apply("push", "--only", "elsewhere")
    assert done.code == 0, done.said
    assert town.events("elsewhere") == ["issued"]
    for name in names:
        assert town.live_tokens(name) == []
        assert town.events(name) == ["issued", "revoked"]
        message = town.message(name, "revoked")
        assert "Daypass-Reason: record-deleted" in message
        issued = town.store.git("log", "--format=%H", f"--grep=^Grant .*({name})$", "main").strip()
        assert f"This reverts commit {issued}" in message.replace("\n", " ")
    head = town.head()
    assert town.apply("schedule").code == 0
    assert town.head() == head, "told once"
    audit = town.verify()
    assert audit.code == 0, audit.said
    faults = {item["commit"]: item for item in audit.json()["faults"]}
    assert all(faults[commit]["mendedBy"] for commit in (by_hand[0], *by_hand[2:]))


def test_somebody_elses_token_is_none_of_its_business(town: Town, box: Box) -> None:
    """Also if it carries our marks: a minter chooses them, and can choose another's."""
    client, theirs = box.bao.client, []
    client.write("auth/token/roles/daypassport", {"orphan": True})
    for path in ("auth/token/create", "auth/token/create/daypassport"):
        for meta in ({"team": "payments"}, marks(box, "theirs")):
            made = client.write(path, {"ttl": "1h", "meta": meta})
            assert made is not None
            theirs.append(made["auth"]["accessor"])
    assert town.apply("schedule").code == 0
    assert set(theirs) <= set(client.list("auth/token/accessors"))


def test_a_token_that_is_gone_before_its_time_alarms(town: Town, box: Box) -> None:
    asked = granted(town, "gone-early")
    (accessor,) = town.live_tokens(asked.id)
    box.bao.client.write("auth/token/revoke-accessor", {"accessor": accessor})
    done = town.apply("schedule")
    assert done.code == 5
    assert "Daypass-Reason: vanished" in town.message(asked.id, "revoked")
    assert any("vanished" in title for title in alarms(town))
    before = len(alarms(town))
    assert town.apply("schedule").code == 0
    assert len(alarms(town)) == before, "it stays open until somebody has looked"


def test_an_intent_ends_a_grant_and_says_whose_it_was(town: Town, box: Box) -> None:
    asked = granted(town, "intended")
    intend(box, asked, IntentKind.DONE)
    assert town.apply().code == 0
    assert "Daypass-Reason: done" in town.message(asked.id, "revoked")
    assert not box.bao.client.list("daypass/metadata/daypass/intents")


def test_a_second_delivery_revokes_the_first_and_moves_no_end(town: Town, box: Box) -> None:
    asked = granted(town, "interrupted")
    first = town.credential(asked)["credential"]
    (old,) = town.live_tokens(asked.id)
    before = Instant.parse(town.record(asked.id)["notAfter"])
    intend(box, asked, IntentKind.REDELIVER)
    done = town.apply()
    assert done.code == 0, done.said
    assert town.events(asked.id) == ["issued", "delivered-again"]
    with pytest.raises(psycopg.OperationalError):
        town.log_in(first)
    (new,) = town.live_tokens(asked.id)
    assert new != old
    assert Instant.parse(town.record(asked.id)["notAfter"]) <= before
    second = town.credential(asked)["credential"]
    with town.log_in(second) as session:
        assert session.execute("select 1").fetchone() == (1,)
    # Once, and never again.
    intend(box, asked, IntentKind.REDELIVER)
    done = town.apply()
    assert "delivered again before" in done.said
    assert town.live_tokens(asked.id) == [new]
    assert town.verify().code == 0


def test_a_mass_revocation_by_mistake_stops_and_says_why(town: Town) -> None:
    for number in range(3):
        town.grant(f"many-{number}", duration="1h")
    assert town.apply().code == 0
    change(town, "mistake", POLICY, "- database", "- ssh")
    done = town.apply("schedule", "--max", "2")
    assert done.code == 1
    assert "revokes" in done.said
    assert "limit is 2" in done.said
    assert len(town.live_tokens("many-0")) == 1
    assert any("mass-revocation" in title for title in alarms(town))
    change(town, "mended", POLICY, "- ssh", "- database")
    assert town.apply("schedule").code == 0
    assert not any("mass-revocation" in title for title in alarms(town))
    assert town.events("many-0") == ["issued"]


def test_a_second_use_of_a_claimed_token_ends_it_and_alarms(town: Town, box: Box) -> None:
    """Two uses: one is the claim. Whoever has seen the token, and tries it, trips over the other.

    Threat 11: what they were given dies with it, and so does what its holder has.
    """
    bob = box.person("bob")
    asked = granted(town, "tripwire", approvers=("dave", "carol"), **LEDGER)
    session = town.log_in(town.credential(asked)["credential"])
    token = (bob.home / f".local/state/daypass/{asked.id}.token").read_text()
    role = town.record(asked.id)["vault"]["role"]
    before = box.postgres.roles()
    thief = BaoClient(box.bao.address, Secret(token))
    with suppress(SandboxError):
        thief.read(f"database/creds/{role}")
    with pytest.raises(psycopg.OperationalError):
        until_it_ends(session)
    until_it_is_gone(town, asked.id)
    done = town.apply("schedule")
    assert done.code == 5, done.said
    assert "Daypass-Reason: vanished" in town.message(asked.id, "revoked")
    assert any("vanished tripwire" in title for title in alarms(town))
    assert box.postgres.roles() < before


def until_it_ends(session: psycopg.Connection[Any]) -> None:
    """Vault drops what a token leased a moment after the token."""
    with session:
        for _ in range(3000):
            session.execute("select 1")
            time.sleep(0.02)


def until_it_is_gone(town: Town, grant: str) -> None:
    """Vault drops the record of a token after what the token leased."""
    for _ in range(3000):
        if not town.live_tokens(grant):
            return
        time.sleep(0.02)
    pytest.fail(f"the token of {grant} is still there")


def test_a_webhook_hears_of_each_cause_once_and_later_if_it_was_away(town: Town, box: Box) -> None:
    with hooked(box) as hook:
        hook.status = 503
        lost = granted(town, "lost-while-nobody-hears")
        (accessor,) = town.live_tokens(lost.id)
        box.bao.client.write("auth/token/revoke-accessor", {"accessor": accessor})
        box.github.fail_next("GET", "/issues", 503, 100)
        done = town.apply("schedule")
        box.github.heal()
        assert done.code == 5
        assert "the webhook did not take an alarm" in done.said
        assert not any(lost.id in title for title in alarms(town))
        hook.status, hook.heard = 200, []
        # By now nothing of it is to be seen any more: what was to be said is not lost.
        assert town.apply("schedule").code == 5
        assert any(f"vanished {lost.id}" in title for title in alarms(town))
        (heard,) = hook.heard
        assert heard["text"].startswith(f"daypass: look at vanished {lost.id}: the token of")
        assert town.apply("schedule").code == 0
        assert len(hook.heard) == 1
        assert hook.forged == 0


def test_many_tokens_that_no_grant_knows_are_not_revoked_by_mistake(town: Town, box: Box) -> None:
    """Those that Vault's memory has as grants: a main that lost them shows as many as there are."""
    names = ("stray-1", "stray-2", "stray-3")
    for name in names:
        kept = {"accessor": mint_behind_its_back(box, marks(box, name))}
        slot = {"state": "delivered", "data": json.dumps(kept)}
        box.bao.client.write(f"daypass/data/daypass/grants/{name}", {"data": slot})
    done = town.apply("schedule", "--max", "2")
    assert done.code == 1
    assert "the limit is 2" in done.said
    assert all(town.live_tokens(name) for name in names)
    narrow = town.apply("schedule", "--max", "2", "--only", "stray-1")
    assert narrow.code == 5
    assert [bool(town.live_tokens(name)) for name in names] == [False, True, True]
    assert town.apply("schedule", "--max", "2").code == 5
    assert not any(town.live_tokens(name) for name in names)
    assert town.apply("schedule").code == 0


def test_a_monitor_outside_sees_that_runs_come(town: Town, box: Box) -> None:
    made = box.bao.client.write(
        "auth/token/create", {"policies": ["daypass-monitor"], "no_default_policy": True}
    )
    assert made is not None
    token = made["auth"]["client_token"]
    carol = box.person("carol")
    assert town.apply("schedule").code == 0
    well = acting.daypass(carol, "doctor", VAULT_TOKEN=token)
    assert (well.code, "well:" in well.stdout) == (0, True), well.said
    said = " ".join(well.stdout.split())
    assert "proved at GitHub, provided that Vault binds it" in said
    assert "people with write access cannot change what mints" in said
    blind = acting.daypass(carol, "doctor", VAULT_TOKEN=token, GH_TOKEN="")
    assert (blind.code, "not visible  GitHub's half" in blind.stdout) == (0, True), blind.said
    runs = acting.daypass(carol, "doctor", "runs", VAULT_TOKEN=token)
    assert (runs.code, runs.stdout.count("\n")) == (0, 1), runs.said
    baos = acting.daypass(carol, "doctor", BAO_TOKEN=token)  # which names its own variable
    assert " ".join(baos.stdout.split()).replace("BAO_TOKEN", "VAULT_TOKEN") == said
    none = acting.daypass(carol, "doctor")
    assert (none.code, "there is no Vault token" in none.stdout) == (2, True), none.said
    assert "proved at GitHub" in none.stdout
    none = acting.daypass(carol, "doctor", "runs")
    assert (none.code, "there is no Vault token" in none.stderr) == (2, True), none.said
    beat = box.bao.client.read("daypass/data/daypass/notes/heartbeat")
    assert beat is not None
    old = beat["data"]["data"] | {"goodAt": "2026-01-01T00:00:00Z"}
    box.bao.client.write("daypass/data/daypass/notes/heartbeat", {"data": old})
    late = acting.daypass(carol, "doctor", "--heartbeat", "30m", VAULT_TOKEN=token)
    assert late.code == 1
    assert "more than 30m ago" in late.stdout
    left = beat["data"]["data"] | {"looks": "revoke-failed.x"}
    box.bao.client.write("daypass/data/daypass/notes/heartbeat", {"data": left})
    looks = acting.daypass(carol, "doctor", VAULT_TOKEN=token)
    assert (looks.code, "wrong  revoke-failed.x: " in looks.stdout) == (1, True), looks.said
    assert "well" not in looks.stdout
    assert "nothing is stuck" not in looks.stdout
    metrics = acting.daypass(carol, "status", "--format", "openmetrics")
    assert metrics.stdout.endswith("# EOF\n")
    assert "daypass_revoke_failed 0" in metrics.stdout


def test_the_plan_shows_all_of_it_and_touches_nothing(
    town: Town, box: Box, unclaimed: Unclaimed
) -> None:
    asked = granted(town, "planned")
    change(town, "again", "access/identities/alice.yaml", "status: active", "status: suspended")
    ending = {"", *(item.id for item in unclaimed.asked)}  # by themselves, meanwhile
    before = town.head(), {item for item in town.tokens() if item[1] not in ending}
    with acting.job(box, "schedule") as here:
        shown = here.daypass("plan", "--format", "json").json()
    steps = {(item["step"], item["grant"], item["reason"]) for item in shown["actions"]}
    assert ("end", asked.id, "re-evaluated") in steps
    assert town.head() == before[0]
    assert before[1]
    assert before[1] <= set(town.tokens())
    assert town.events(asked.id) == ["issued"]
    assert town.apply("schedule").code == 0
    assert town.events(asked.id) == ["issued", "revoked"]
    change(town, "anew", "access/identities/alice.yaml", "status: suspended", "status: active")


def test_a_grant_on_claim_that_nobody_came_for_lapses(
    town: Town, box: Box, unclaimed: Unclaimed
) -> None:
    while Instant.from_seconds(time.time()) < unclaimed.until:
        time.sleep(0.2)
    assert town.apply("schedule").code == 0
    for name in (item.id for item in unclaimed.asked):
        assert town.events(name) == ["issued", "lapsed"]
        assert "Daypass-Reason: never-claimed" in town.message(name, "lapsed")
        assert town.live_tokens(name) == []
        assert not [role for role in box.postgres.roles() - unclaimed.roles if name in role]


GUARDS = """\
apiVersion: daypass.dev/v1
kind: AccessPolicy
metadata: {name: changing}
spec:
  description: Admins are of the department. What else is asked for changes in a moment.
  effect: guard
  enforcement: enforce
  match: {resources: {types: [database]}}
  rules:
    - name: of-the-department
      expression: request.access != 'admin' || 'orders-team' in subject.groups
      message: admins are of the department
    - name: today
      expression: request.id != 'by-nobody'
      message: not this one any more
"""


def test_whatever_changes_ends_what_rested_on_it_and_nothing_else(town: Town, box: Box) -> None:
    """Policy, team, contract, resource and people: each with its reason in the evidence."""
    alice, teams, accounts = box.person("alice"), box.github.teams, box.accounts
    identity = "access/identities/{}.yaml".format
    vendor = (
        "type: vendor\n  vendor:\n    organisation: Example Ltd\n    sponsor: carol\n"
        "    contractEnd: '2099-01-31'"
    )
    policy, people = "access/policies/changing.yaml", identity("mallory")
    mallory = town.store.git("show", f"main:{people}").replace("type: human", vendor)
    settings = town.store.git("show", f"main:{SETTINGS}").replace(CLAIM_WINDOW, "")
    found = {policy: GUARDS.encode(), people: mallory.encode(), SETTINGS: settings.encode()}
    number = alice.propose("found", found, "A department, and a vendor")
    town.merge(Asked("found", number, alice), approvers=("dave",))
    stays = town.grant("stays", duration="1h", approvers=("carol",))
    ends = {
        "by-policy": town.grant("by-policy", duration="1h"),
        "by-team": town.grant("by-team", by="dave", access="admin", duration="1h"),
        "by-contract": town.grant("by-contract", by="mallory", duration="1h"),
        "by-resource": town.grant(
            "by-resource", approvers=("dave", "bob"), **{**LEDGER, "by": "carol"}
        ),
        "by-leaving": town.grant("by-leaving", by="bob", duration="1h", approvers=("carol",)),
    }
    done = town.apply()
    assert done.code == 0, done.said
    sessions = {
        name: town.log_in(town.credential(item)["credential"])
        for name, item in {**ends, "stays": stays}.items()
    }

    changed = {
        policy: GUARDS.replace("by-nobody", "by-policy").encode(),
        people: mallory.replace("2099-01-31", "2026-01-31").encode(),
        identity("bob"): town.store.git("show", f"main:{identity('bob')}")
        .replace("status: active", "status: offboarded")
        .encode(),
        "access/resources/ledger-db.yaml": None,
    }
    number = alice.propose("change", changed, "It is not what it was")
    town.merge(Asked("change", number, alice), approvers=("dave",))
    teams["orders"].members.discard(accounts["dave"].id)
    # Approved by somebody who is of the team then, and is not any more when it is decided.
    between = town.grant("between", duration="1h", approvers=("carol",))
    teams["dba"].members.discard(accounts["carol"].id)
    done = town.apply("schedule")
    assert done.code == 0, done.said
    assert {name: said(town, name) for name in ends} == {
        "by-policy": ("re-evaluated", "changing/today"),
        "by-team": ("re-evaluated", "changing/of-the-department"),
        "by-contract": ("re-evaluated", "built-in/duration, built-in/vendor-under-contract"),
        "by-resource": ("re-evaluated", "built-in/level-exists, built-in/permitted-by-policy"),
        "by-leaving": ("offboarded", "built-in/subject-active"),
    }
    for name in ends:
        with pytest.raises(psycopg.OperationalError):
            sessions[name].execute("select 1")
    assert sessions["stays"].execute("select 1").fetchone() == (1,)
    for session in sessions.values():
        session.close()
    assert town.events("stays") == ["issued"], "approvals stay as they were counted"
    assert town.events(between.id) == []  # a team's list may be late, and he was of it just now
    town.age_undecided()
    assert town.apply("schedule").code == 0
    assert town.events(between.id) == ["denied"]
    assert "1 approval from dba" in town.message(between.id, "denied")
    assert town.verify().code == 0


def said(town: Town, name: str) -> tuple[str, str]:
    """Why it was revoked: the reason, and the rules that do not hold any more."""
    message = town.message(name, "revoked")
    reason = message.partition("Daypass-Reason: ")[2].partition("\n")[0]
    assert "Daypass-Decision: deny sha256:" in message
    rules = [line[2:].partition(":")[0] for line in message.splitlines() if line.startswith("- ")]
    return reason, ", ".join(rules)
