"""The emergency lane on the day when GitHub is down: taken of Vault itself, written down later."""

from __future__ import annotations

import json
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from daypass.adapters.vault.offline_notes import AT_ONCE
from daypass.errors import SandboxError
from daypass.sandbox.bao_client import BaoClient
from daypass.sandbox.box import Box
from support import acting, killed_run
from support.village import Emergency, Village

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.acting import Done

RUNNER = (sys.executable, killed_run.__file__)
ROLE = "daypass-offline-orders-db-read-1h"
SAID = ("--incident", "INC-7", "--reason", "Checkout is down — and GitHub")


@dataclass(frozen=True, slots=True)
class Taken:
    """What somebody has in their hands."""

    id: str
    credential: dict[str, str]


class Island(Village):
    """The village, cut off from GitHub for as long as somebody says."""

    def cut(self) -> None:
        """Off, but for the issuer of the runners' tokens: the rest of a run is to be seen."""
        self.box.github.fail_next("*", "^/(api|acme)/", 503, times=1_000_000)

    def join(self) -> None:
        self.box.github.heal()

    def type_offline(self, by: str, *words: str, lasts: str = "8h", **more: str) -> Done:
        """Somebody types a command who is logged in to Vault, and to nothing else."""
        token = self.box.vault_people.log_in(by, lasts=lasts).reveal()
        return acting.daypass(
            self.box.person(by), *words, **{"GH_TOKEN": "", "VAULT_TOKEN": token, **more}
        )

    def break_glass(self, by: str, *words: str, lasts: str = "8h", **more: str) -> Done:
        # As `bao login` leaves a person; nothing of GitHub's.
        asked = ("break-glass", *(words or ("orders-db", "read")), *SAID, "--offline")
        return self.type_offline(by, *asked, "--format", "json", lasts=lasts, **more)

    def seize(self, by: str = "alice", *words: str, lasts: str = "8h") -> Taken:
        done = self.break_glass(by, *words, lasts=lasts)
        assert done.code == 0, done.said
        return Taken(done.json()["grant"], done.json()["credential"])

    def works(self, taken: Taken) -> bool:
        try:
            with self.log_in(taken.credential) as session:
                return session.execute("select 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    def notes(self) -> list[str]:
        client = self.box.bao.client
        folder = "daypass/metadata/daypass/offline"
        return [
            name for entity in client.list(folder) for name in client.list(f"{folder}/{entity}")
        ]

    def by_hand(self, by: str, role: str = ROLE, **meta: str) -> dict[str, Any]:
        """`bao token create -role=…`, without daypass."""
        client = BaoClient(self.box.bao.address, self.box.vault_people.log_in(by))
        body = {
            "policies": [role],
            "ttl": "300s",
            "explicit_max_ttl": "300s",
            "num_uses": "2",
            "meta": {"daypass_repository": str(self.box.repository_id), **meta},
        }
        found: dict[str, Any] = client.write(f"auth/token/create/{role}", body)["auth"]
        return found

    def read(self, given: dict[str, Any], path: str) -> dict[str, str]:
        """`bao read`, with the token that was just made."""
        from daypass.model.secret import Secret  # noqa: PLC0415  -- beside its only use

        found = BaoClient(self.box.bao.address, Secret(given["client_token"])).read(path)
        return dict((found or {})["data"])


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Island]:
    with Box.create(tmp_path_factory.mktemp("box")) as box:
        box.vault_bootstrap()
        for person in box.people.values():
            person.git("pull", "-q", "--ff-only")
        yield Island(box)


@pytest.fixture(scope="module")
def alices(town: Island) -> Taken:
    """What alice took while nobody could reach GitHub."""
    town.cut()
    try:
        with pytest.raises(SandboxError):
            town.box.person("alice").api("GET", "/user")
        asked = ("break-glass", "orders-db", "read", *SAID, "--duration", "20m")
        down = acting.daypass(town.box.person("alice"), *asked)
        assert down.code == 1
        assert (
            "daypass break-glass --offline orders-db read --incident INC-7 --reason 'Checkout is "
            "down — and GitHub' --duration 20m -- COMMAND" in down.stderr
        )
        return town.seize("alice")
    finally:
        town.join()


# Who may, and what for.


def test_nobody_else_gets_anything(town: Island) -> None:
    refused = town.break_glass("mallory")
    assert refused.code == 4
    assert "may take nothing offline" in refused.stderr
    with pytest.raises(SandboxError, match="403"):
        town.by_hand("mallory")
    for words, why in {
        ("orders-db", "admin"): "cannot be taken offline",
        ("orders-db", "read", "--duration", "2h"): "an hour at the most",
    }.items():
        done = town.break_glass("alice", *words)
        assert done.code in (3, 4)
        assert why in done.stderr
    with pytest.raises(SandboxError, match="403"):
        town.by_hand("alice", "daypass-orders-db-read-1h")
    unasked = town.type_offline("alice", "break-glass", "orders-db", "read", *SAID, "--offline")
    assert unasked.code == 2
    assert "not shown unasked" in unasked.stderr
    elsewhere = town.break_glass("alice", VAULT_ADDR="https://vault.example.net")
    assert elsewhere.code == 7
    assert "nothing was sent to either" in elsewhere.stderr
    root = town.break_glass("alice", VAULT_TOKEN=town.box.bao.root_token.reveal())
    assert "it has no entity" in root.stderr
    assert town.notes() == []


def test_vault_itself_holds_the_lane_within_bounds(town: Island) -> None:
    client, people = town.box.bao.client, town.box.vault_people
    for role in client.list("auth/token/roles"):
        if role.startswith("daypass-offline-"):
            found = (client.read(f"auth/token/roles/{role}") or {})["data"]
            assert 0 < found["token_explicit_max_ttl"] <= 3600
            assert found["allowed_policies"] == [role]
            assert not found["orphan"]
    alice = BaoClient(town.box.bao.address, people.log_in("alice"))
    folder = "daypass/data/daypass/offline"
    for path in (f"{folder}/{people.entities['bob']}/x", "daypass/data/daypass/grants/x"):
        with pytest.raises(SandboxError, match="403"):
            alice.write(path, {"data": {"a": "b"}})
    mine = f"{folder}/{people.entities['alice']}/bg-nothing-of-it"
    alice.write(mine, {"data": {"accessor": "none"}})
    with pytest.raises(SandboxError, match="403"):
        alice.write(mine, {"data": {"accessor": "another"}})
    with pytest.raises(SandboxError, match="403"):
        alice.delete(mine.replace("/data/", "/metadata/"))
    done = town.apply()
    assert done.code == 5
    assert "bg-nothing-of-it cannot be what it says" in done.said
    assert town.notes() == []


def test_who_floods_vault_with_word_holds_up_nobody_and_nothing_is_lost(town: Island) -> None:
    """No policy of Vault's counts what somebody writes below their own entity: a run does."""
    alice = BaoClient(town.box.bao.address, town.box.vault_people.log_in("alice"))
    folder = f"daypass/data/daypass/offline/{town.box.vault_people.entities['alice']}"
    flood = 3 * AT_ONCE + 5
    for number in range(flood):
        alice.write(f"{folder}/bg-flood-{number:03}", {"data": {"accessor": "none"}})
    brief = town.grant("beside-the-flood", duration="1h")
    began = {issue.number for issue in town.box.repository.issues.values()}
    done = town.apply()
    assert done.code == 5, done.said
    assert town.events(brief.id) == ["issued"]
    assert len(town.notes()) == flood - AT_ONCE
    assert f"alice (entity {folder.rpartition('/')[2]} of Vault) left word of" in done.said
    for _ in range(flood // AT_ONCE):
        done = town.apply("schedule")
    assert town.notes() == []
    told = {
        issue.title for issue in town.box.repository.issues.values() if issue.number not in began
    }
    assert {f"daypass: look at offline bg-flood-{number:03}" for number in range(flood)} <= told
    assert town.apply("schedule").code == 0


# What is taken.


def test_it_opens_what_was_asked_for_without_github(town: Island, alices: Taken) -> None:
    assert town.works(alices)
    assert town.notes() == [alices.id]
    assert len(town.live_tokens(alices.id)) == 1


def test_a_run_that_cannot_reach_github_ends_nothing(town: Island, alices: Taken) -> None:
    with acting.job(town.box, "schedule") as job:
        town.cut()
        try:
            done = job.daypass("apply", "--format", "json")
        finally:
            town.join()
    assert done.code == 1
    assert town.works(alices)
    assert town.notes() == [alices.id]


def test_a_plan_tells_of_it_and_touches_nothing(town: Island, alices: Taken) -> None:
    with acting.job(town.box, "schedule") as job:
        shown = job.daypass("plan", "--format", "json").json()
        text = job.daypass("plan").stdout
    (use,) = shown["offline"]
    assert (use["grant"], use["tokenRole"], use["live"]) == (alices.id, ROLE, True)
    assert shown["orphans"] == []
    assert f"write down {alices.id}" in text
    assert town.works(alices)
    assert town.events(alices.id) == []


def test_the_next_run_writes_it_down_though_no_issue_can_be_opened(
    town: Island, alices: Taken
) -> None:
    town.box.github.fail_next("*", "/issues", 503, times=1_000_000)
    try:
        done = town.apply("schedule")
    finally:
        town.join()
    assert done.code == 5
    assert "alice took read on orders-db of Vault itself, from" in done.said
    assert town.events(alices.id) == ["issued"]
    message = town.message(alices.id, "issued")
    assert "Daypass-Lane: break-glass-offline\n" in message
    assert "Daypass-Decision: permit sha256:" in message
    assert "Daypass-Pull-Request" not in message
    record = town.record(alices.id)
    assert record["vault"]["tokenRole"] == ROLE
    assert "Checkout is down — and GitHub" in town.store.git(
        "show", f"main:access/break-glass/{alices.id}.yaml"
    )
    assert town.notes() == []
    assert town.works(alices)


def test_then_somebody_is_called_to_review_it(town: Island, alices: Taken) -> None:
    late = town.apply("schedule")
    assert late.code == 5  # the alarm that nobody could be given by then
    assert f"offline.{alices.id}" in {line["grant"] for line in late.json()["done"]}
    issue = town.issue(offline(town, alices, 0))
    assert issue.title == "Break-glass: alice took read on orders-db (INC-7)"
    assert "GitHub was down" in (issue.body or "")
    assert "@acme/security" in (issue.body or "")
    assert town.is_owed(offline(town, alices, 0))
    assert town.apply("schedule").json()["done"] == []
    text = acting.daypass(town.box.person("dave"), "status").stdout
    assert "active (break-glass-offline)" in text
    assert "review due until" in text
    claimed = town.claim(offline(town, alices, 0).asked)
    assert "was taken offline" in claimed.stderr


def test_it_ends_and_is_reviewed_like_any_other(town: Island, alices: Taken) -> None:
    number = town.issue(offline(town, alices, 0)).number
    taken = offline(town, alices, number)
    town.end(taken)
    assert not town.works(alices)
    own = town.review(taken, "alice")
    assert "somebody not involved" in own.stderr
    assert town.review(taken, "dave").code == 0
    assert town.events(taken.id) == ["issued", "revoked", "reviewed"]
    assert town.issue(taken).state == "closed"
    assert not town.is_owed(taken)


def test_what_is_over_by_then_is_written_down_from_its_note(town: Island) -> None:
    done = town.break_glass("bob", lasts="5s")
    assert "your log-in ends in" in done.stderr
    taken = Taken(done.json()["grant"], done.json()["credential"])
    while town.live_tokens(taken.id) or town.works(taken):
        time.sleep(0.2)
    time.sleep(1.1)  # what it lasted is told in whole seconds
    done = town.apply("schedule")
    assert town.events(taken.id) == ["issued", "expired"], done.said
    assert town.is_owed(offline(town, taken, 0))
    assert town.notes() == []


def test_an_end_that_its_holder_told_of_is_no_theft(town: Island) -> None:
    town.cut()
    try:
        taken = town.seize("alice", "drill", "orders-db", "read")
        done = town.type_offline("alice", "done", taken.id)
    finally:
        town.join()
    assert done.code == 0, done.said
    assert not town.works(taken)
    run = town.apply("schedule")
    assert town.events(taken.id) == ["issued", "revoked"], run.said
    assert "Daypass-Lane: break-glass-offline-drill\n" in town.message(taken.id, "issued")
    assert "Daypass-Reason: done\n" in town.message(taken.id, "revoked")
    assert "gone before its time" not in run.said
    assert town.notes() == []


def test_a_holders_end_that_waits_for_its_job_is_no_theft(town: Island) -> None:
    """Once it is written down, its holder says so by a dispatch, and a run can be faster."""
    taken = town.seize("alice", "drill", "orders-db", "read")
    town.apply("schedule")
    assert town.events(taken.id) == ["issued"]
    done = acting.daypass(town.box.person("alice"), "done", taken.id)
    assert done.code == 0, done.said
    assert not town.works(taken)
    assert town.box.repository.dispatches[-1].inputs == {"command": f"revoke {taken.id}"}
    run = town.apply("schedule")
    assert "gone before its time" not in run.said
    assert "Daypass-Reason: done\n" in town.message(taken.id, "revoked")


def test_what_is_not_permitted_ends_and_stands_in_the_evidence(town: Island) -> None:
    taken = town.seize("bob", "ledger-db", "read")
    assert town.works(taken)
    done = town.apply("schedule")
    assert done.code == 5
    assert "It is not permitted" in done.said
    assert not town.works(taken)
    assert town.events(taken.id) == ["issued", "revoked"]
    assert "Daypass-Decision: deny sha256:" in town.message(taken.id, "issued")
    assert "Daypass-Reason: policy\n" in town.message(taken.id, "revoked")
    assert town.is_owed(offline(town, taken, 0))


def test_an_overdue_review_ends_the_next_one(town: Island) -> None:
    first = town.seize("bob")
    town.late_run()
    time.sleep(2.2)  # Vault tells whole seconds
    second = town.seize("bob")
    done = town.apply("schedule")
    assert f"the review of {first.id} is overdue" in done.said
    assert town.events(second.id) == ["issued", "revoked"]
    assert not town.works(second)
    assert town.works(first)  # the debt is about what comes next
    bob = town.box.person("bob")
    bob.merge(bob.propose("over", {f"access/break-glass/{first.id}.yaml": None}, "It is over"))
    town.apply()
    time.sleep(1.1)  # GitHub tells whole seconds
    number = town.issue(offline(town, first, 0)).number
    assert town.review(offline(town, first, number, "bob"), "dave").code == 0
    assert town.events(first.id)[-1] == "reviewed"


# Without daypass.


def test_what_is_taken_by_hand_is_found_by_its_marks(town: Island) -> None:
    marks = {"daypass_incident": "INC-9", "daypass_reason": "By hand", "daypass_duration": "5m"}
    given = town.by_hand("alice", daypass_grant="bg-by-hand", **marks)
    credential = town.read(given, "database/creds/orders-read-1h")
    assert town.apply("schedule").code == 5
    assert town.events("bg-by-hand") == ["issued"]
    assert town.works(Taken("bg-by-hand", credential))
    again = town.by_hand("bob", daypass_grant="bg-by-hand", **marks)
    assert "lived that no grant knows: revoked" in town.apply("schedule").said
    assert town.live_tokens("bg-by-hand") != []
    assert again["accessor"] not in town.live_tokens("bg-by-hand")


def test_what_cannot_be_what_it_says_is_revoked(town: Island) -> None:
    marks: list[dict[str, str]] = [
        {},
        {"daypass_grant": "../../x"},
        {"daypass_grant": "bg-lunch", "daypass_incident": "lunch", "daypass_duration": "5m"},
        {"daypass_grant": "bg-long", "daypass_incident": "INC-1", "daypass_duration": "9h"},
        {"daypass_grant": "bg-other", "daypass_repository": "1"},
    ]
    given = {town.by_hand("alice", **meta)["accessor"] for meta in marks}
    assert len(given & {accessor for accessor, _ in town.tokens()}) == len(marks)
    done = town.apply("schedule")
    assert done.code == 5
    assert not given & {accessor for accessor, _ in town.tokens()}
    assert len(done.json()["alarms"]) == len(marks)


def test_no_file_of_its_name_keeps_it_from_the_evidence_and_from_its_review(town: Island) -> None:
    """Whoever takes something could merge such a file: it was access, and no request refused."""
    names = ("requests/{}.yaml", "break-glass/{}.yaml", "break-glass/{}.yaml/deeper")
    taken = [town.seize("alice") for _ in names]
    squats = {
        f"access/{name}".format(item.id): b"mine: true\n"
        for name, item in zip(names, taken, strict=True)
    }
    bob = town.box.person("bob")
    bob.merge(bob.propose("squat", squats, "Nothing to see"))
    done = [town.apply("schedule") for _ in range(2)]
    for item in taken:
        assert town.events(item.id) == ["issued"], done
        assert town.is_owed(offline(town, item, 0))
        assert town.works(item)
    assert town.apply("schedule").code == 0
    gone: dict[str, bytes | None] = {f"access/break-glass/{item.id}.yaml": None for item in taken}
    bob.merge(bob.propose("squat-over", gone, "It is over"))
    town.apply()
    assert [town.events(item.id) for item in taken] == [["issued", "revoked"]] * len(taken)
    assert not town.files() & squats.keys()


def test_a_run_that_is_killed_over_it_is_carried_on(town: Island, tmp_path: Path) -> None:
    town.seize("bob", "ledger-db", "read")
    with acting.job(town.box) as job:
        job.run(*RUNNER, "--list", str(tmp_path / "calls.json"))
    calls: list[str] = json.loads((tmp_path / "calls.json").read_text())
    steps = ("registry.write", "issuer.revoke", "repository.push", "registry.remove_offline_note")
    assert set(steps) <= set(calls)
    for number in (calls.index(step) + 1 for step in steps):
        taken = town.seize("bob", "ledger-db", "read")
        with acting.job(town.box) as job:
            killed = job.run(*RUNNER, "--kill", str(number), "--when", "after")
        assert killed.code == -signal.SIGKILL, killed.said
        repaired = town.apply("schedule")
        where = f"killed after {calls[number - 1]}: {repaired.said}"
        assert town.events(taken.id) == ["issued", "revoked"], where
        assert not town.works(taken), where
        assert town.notes() == [], where
        assert town.issue(offline(town, taken, 0)).state == "open", where
        assert town.apply("schedule").json()["done"] == []


def test_the_evidence_holds(town: Island) -> None:
    done = town.verify()
    assert done.code == 0, done.said
    report = done.json()
    assert report["verdict"] == "holds"
    assert report["faults"] == []


def offline(town: Island, taken: Taken, number: int, by: str = "alice") -> Emergency:
    """It, as the village knows emergencies; its place is the issue of that number."""
    return Emergency(taken.id, number, town.box.person(by))
