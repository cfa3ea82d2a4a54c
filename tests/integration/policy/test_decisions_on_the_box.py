"""Decisions as a run makes them: by what ruled before the merge too, and by what sources answer."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from context_server import context_server

from daypass.model.instant import Instant
from daypass.model.names import Kind
from daypass.sandbox.box import Box
from daypass.sandbox.organisation import document, request
from support import acting
from support.town import Asked, Town

if TYPE_CHECKING:
    from pathlib import Path

POLICY = "access/policies/databases.yaml"
SETTINGS = "access/daypass.yaml"
GUARD = """\
apiVersion: daypass.dev/v1
kind: AccessPolicy
metadata: {name: healthy-devices}
spec:
  description: Databases are used from devices that are looked after.
  effect: guard
  enforcement: enforce
  match: {resources: {types: [database]}}
  rules:
    - name: healthy
      expression: context.posture.value == 'healthy'
      message: the device must be healthy
"""


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    with Box.create(tmp_path_factory.mktemp("box") / "box") as box:
        box.vault_bootstrap()
        yield Town(box)


def change(town: Town, name: str, *edits: tuple[str, str, str], **files: bytes) -> None:
    """A change of what decisions rest on, approved by its owners."""
    alice = town.box.person("alice")
    changes = {f"access/policies/{key}.yaml": text for key, text in files.items()}
    for path, old, new in edits:
        text = changes.get(path) or town.store.git("show", f"main:{path}").encode()
        assert old.encode() in text
        changes[path] = text.replace(old.encode(), new.encode())
    number = alice.propose(name, changes, name)
    town.merge(Asked(name, number, alice), approvers=("dave",))


def write(town: Town, path: str, data: dict[str, object]) -> None:
    """What waits in Vault between runs."""
    town.box.bao.client.write(f"daypass/data/daypass/{path}", {"data": data})


def explain(town: Town, grant_id: str) -> acting.Done:
    alice = town.box.person("alice")
    alice.git("fetch", "-q")
    alice.git("checkout", "-q", "-B", "look", "origin/main")
    return acting.daypass(alice, "explain", grant_id)


def policy_digest(message: str) -> str:
    (line,) = [line for line in message.splitlines() if line.startswith("Daypass-Policy: ")]
    return line.removeprefix("Daypass-Policy: ")


def test_loosening_a_policy_opens_nothing_that_was_merged_under_it(town: Town) -> None:
    change(town, "two-words", (POLICY, "atLeast: 1", "atLeast: 2"))
    early = town.ask("merged-later", duration="1h")
    town.grant("merged-strict", duration="1h")  # bob's word alone
    change(town, "one-word", (POLICY, "atLeast: 2", "atLeast: 1"))
    town.merge(early)  # opened under the strict policy, merged under the loose one
    done = town.refuse()
    assert done.code == 0, done.said
    assert town.events("merged-strict") == ["denied"]
    assert town.events("merged-later") == ["issued"]
    denial = town.message("merged-strict", "denied")
    assert "needs 1 more" in denial
    assert "(before the merge)" in denial
    assert "decided by main before the merge too" in denial
    issued = town.message("merged-later", "issued")
    assert "before the merge" not in issued
    assert policy_digest(denial) == policy_digest(issued)  # that of HEAD
    assert f"policies {policy_digest(denial)}" not in denial  # and the base's is another
    shown = explain(town, "merged-strict")
    assert shown.code == 0, shown.said
    assert "besides   decided by main before the merge too" in shown.stdout


def test_what_both_permit_is_given_for_the_shorter_time_and_says_so(town: Town) -> None:
    change(town, "an-hour", (POLICY, "maxDuration: 8h", "maxDuration: 1h"))
    town.grant("short-then-long", duration="4h")
    change(town, "eight-hours", (POLICY, "maxDuration: 1h", "maxDuration: 8h"))
    done = town.apply()
    assert done.code == 0, done.said
    record = town.record("short-then-long")
    lasts = Instant.parse(record["notAfter"]).since(Instant.parse(record["notBefore"]))
    assert lasts == 3600
    base = record["decision"]["base"]
    assert base["policy"] != record["decision"]["policy"]
    message = town.message("short-then-long", "issued")
    assert f"They permitted it too, with policies {base['policy']}" in message
    shown = explain(town, "short-then-long")
    assert "besides   main before the merge" in shown.stdout
    assert town.verify().code == 0


def test_hours_that_only_the_base_counts_are_looked_for_as_far_back_as_it_asks(town: Town) -> None:
    window = "maxDuration: 8h\n    window: {hours: 1, per: 1d}"
    town.grant("spent", by="bob", duration="1h", approvers=("carol",))
    assert town.apply().code == 0
    time.sleep(1.5)  # Vault tells the end in whole seconds, rounded down: less would count as none
    town.delete("spent", by="bob")
    assert town.apply().code == 0
    assert town.events("spent")[-1] == "revoked"
    change(town, "an-hour-a-day", (POLICY, "maxDuration: 8h", window))
    town.grant("what-is-left", by="bob", duration="1h", approvers=("carol",))
    change(town, "any-hours", (POLICY, window, "maxDuration: 8h"))
    assert town.apply().code == 0
    record = town.record("what-is-left")
    assert Instant.parse(record["notAfter"]).since(Instant.parse(record["notBefore"])) < 3600


def test_the_words_that_only_the_base_asked_for_are_in_the_evidence(town: Town) -> None:
    change(town, "security-too", (POLICY, "group: dba", "group: security"))
    town.grant("by-security", duration="1h", approvers=("bob", "dave"))
    change(town, "dba-again", (POLICY, "group: security", "group: dba"))
    assert town.apply().code == 0
    who = {item["identity"] for item in town.record("by-security")["approvals"]}
    assert who == {"bob", "dave"}


EXPORT = {"subject": "nightly-export", "duration": "1h"}
EXCEPTION = "access/exceptions/{}.yaml"


def exception(name: str, **spec: object) -> bytes:
    now = Instant.from_seconds(int(time.time()))
    whole = {
        "excepts": ["built-in/authenticates-itself"],
        "subject": "nightly-export",
        "resource": "orders-db",
        "access": "read",
        "attributedTo": "carol",
        "reason": "It moves to the cluster next month",
        "ticket": "OPS-1",
        "notBefore": str(now.plus(-86400)),
        "notAfter": str(now.plus(30 * 86400)),
        "maxDuration": "30m",
        **spec,
    }
    return document(Kind.POLICY_EXCEPTION, name, whole)


def bring(town: Town, name: str, changes: dict[str, bytes | None]) -> None:
    """A change of what decisions rest on, approved by its owners."""
    alice = town.box.person("alice")
    town.merge(Asked(name, alice.propose(name, changes, name), alice), approvers=("dave",))


def brought(town: Town, name: str, changes: dict[str, bytes | None]) -> None:
    """The same, and the run after it."""
    bring(town, name, changes)
    done = town.apply()
    assert done.code == 0, done.said


def export(town: Town, name: str, *approvers: str, merged: bool = True) -> Asked:
    """Alice asks for the machine that she owns."""
    alice = town.box.person("alice")
    workload = {"runs": "export", "from": "a host of old"}
    asked = Asked(
        name, alice.propose(name, request(name, **EXPORT, workload=workload), name), alice
    )
    if merged:
        town.merge(asked, approvers=approvers)
    return asked


def planned(asked: Asked, summary: Path) -> None:
    """What the plan of a request that rests on the exception tells people."""
    plan = ("plan", "--pr", str(asked.number), "--format", "github")
    seen = acting.daypass(asked.who, *plan, GITHUB_STEP_SUMMARY=str(summary))
    assert "excepted  built-in/authenticates-itself, by night: nightly-export" in seen.stdout
    assert "dave can approve" in seen.stdout
    assert "excepted by `night`: nightly" in summary.read_text(encoding="utf-8")


def shown(town: Town, grant_id: str) -> None:
    """What `explain` and `audit show` say of a grant that rests on the exception."""
    replayed = explain(town, grant_id)
    assert "[excepted by night: does not count]" in replayed.stdout
    assert replayed.code == 0, replayed.said
    alice = town.box.person("alice")
    page = acting.daypass(alice, "audit", "show", grant_id, "--format", "json")
    assert '"exceptions": "night"' in page.stdout
    assert "authenticates-itself: nightly-export has no identity" in page.stdout
    assert "(excepted by night)" in page.stdout


def test_a_static_secret_is_let_through_by_an_approved_exception_and_ends_with_it(
    town: Town, tmp_path: Path
) -> None:
    machine = {
        "type": "service",
        "status": "active",
        "owners": ["alice", "mallory"],
        "environment": "production",
        "recipients": ["age1pp6eegkgh4syg74dahvqltupcexc39k8w6xk4f3jutsjv3ct6u7qznk8lv"],
    }
    path = "access/identities/nightly-export.yaml"
    bring(town, "machine", {path: document(Kind.IDENTITY, "nightly-export", machine)})
    export(town, "export-static", "bob", "dave")
    assert town.apply().code == 0
    assert town.events("export-static") == ["denied"]
    assert "built-in/authenticates-itself" in town.message("export-static", "denied")

    export(town, "export-before", "bob", "dave")  # merged before its exception is
    alice = town.box.person("alice")
    alice.git("fetch", "-q")
    base = town.head()
    brought(town, "night", {EXCEPTION.format("night"): exception("night")})
    assert town.events("export-before") == ["denied"]
    told = town.store.git("log", "-1", "--format=%B", "--grep=^Daypass-Event: policy-changed$")
    assert "Daypass-Reason: approved" in told
    assert "access/exceptions" in told
    alice.git("fetch", "-q")
    alice.git("checkout", "-q", "-B", "look", "origin/main")
    diff = acting.daypass(alice, "plan", "--policy-diff", base)
    assert "exception excepts night: built-in/authenticates-itself for read" in diff.stdout
    assert "looser    denied export-static" in diff.stdout, diff.stdout

    export(town, "export-alone", "bob")
    export(town, "export-own", "bob", "carol")  # carol answers for it
    asked = export(town, "export-by-exception", merged=False)
    planned(asked, tmp_path / "summary")
    town.merge(asked, approvers=("bob", "dave"))
    done = town.refuse()
    assert done.code == 0, done.said
    assert town.events("export-alone") == town.events("export-own") == ["denied"]
    assert "needs 1 more approval" in town.message("export-own", "denied")
    assert town.events("export-by-exception") == ["issued"]
    issued = town.message("export-by-exception", "issued")
    assert "\nDaypass-Exception: night\n" in issued
    assert "It rests on an exception: night." in issued
    record = town.record("export-by-exception")
    assert record["decision"]["exceptions"] == ["night"]
    lasts = Instant.parse(record["notAfter"]).since(Instant.parse(record["notBefore"]))
    assert 1700 < lasts <= 1801
    shown(town, "export-by-exception")
    assert town.live_tokens("export-by-exception")
    assert town.verify().code == 0

    brought(town, "no-night", {EXCEPTION.format("night"): None})
    assert town.events("export-by-exception") == ["issued", "revoked"]
    assert town.live_tokens("export-by-exception") == []
    ended = town.message("export-by-exception", "revoked")
    assert "Daypass-Reason: re-evaluated" in ended
    assert "built-in/authenticates-itself" in ended
    assert town.verify().code == 0


def test_an_exception_that_nobody_approved_opens_nothing(town: Town) -> None:
    straight = EXCEPTION.format("straight")
    town.push_straight({straight: exception("straight")})
    export(town, "export-sneaky", "bob", "dave")
    done = town.apply()
    assert done.code == 5
    assert "changes what decisions rest on: it came by no merged pull request" in done.said
    assert town.events("export-sneaky") == []
    assert town.live_tokens("export-sneaky") == []
    carol = town.box.person("carol")
    number = carol.propose("undo", {straight: None}, "Undo what was pushed")
    town.merge(Asked("undo", number, carol), approvers=("dave",))
    carol.git("pull", "-q", "--ff-only")
    root = town.box.bao.root_token.reveal()
    trusted = acting.daypass(carol, "vault", "apply", "--trust", "HEAD", VAULT_TOKEN=root)
    assert trusted.code == 0, trusted.said
    assert town.apply().code == 0
    assert town.events("export-sneaky") == ["denied"]

    both = exception("both")
    asked = {**request("export-both", **EXPORT), EXCEPTION.format("both"): both}
    alice = town.box.person("alice")
    number = alice.propose("export-both", asked, "For myself")
    town.merge(Asked("export-both", number, alice), approvers=("bob", "dave"))
    assert town.apply().code == 5  # and somebody hears of it
    assert town.events("export-both") == ["denied"]
    assert "changes more than requests" in town.message("export-both", "denied")
    assert town.verify().code == 0


def refused_while_unknown(town: Town, name: str) -> None:
    """A request that needs the posture waits while its source is down, and then is refused."""
    town.grant(name, duration="1h", device="alice-laptop")
    done = town.apply()
    assert done.code == 5, done.said
    assert "the context source posture: it answers 503" in done.said
    assert "the context posture is unknown" in done.said
    assert town.events(name) == []
    town.age_undecided()
    assert town.apply().code == 5
    assert town.events(name) == ["denied"]
    denial = town.message(name, "denied")
    assert "Daypass-Reason: unknown-context" in denial
    assert "the context posture is unknown" in denial


def test_a_posture_is_asked_for_at_issue_and_while_it_lives(town: Town) -> None:
    with context_server() as server:
        source = {
            "url": f"{server.url}/devices.json",
            "pointer": "/{subject}/{device}",
            "maxAge": "5m",
            "timeout": 2,
        }
        line = f"  context: {json.dumps({'sources': {'posture': source}})}\n  foundation:"
        change(
            town,
            "posture",
            (SETTINGS, "  foundation:", line),
            **{"healthy-devices": GUARD.encode()},
        )
        server.status = 503
        refused_while_unknown(town, "while-it-is-down")

        server.say({"alice": {"alice-laptop": "healthy"}, "bob": {"bob-phone": "healthy"}})
        town.grant("healthy", duration="1h", device="alice-laptop")
        town.grant("in-doubt", duration="1h", device="alice-laptop")
        town.grant("somebody-elses", duration="1h", device="bob-phone")
        server.asked.clear()
        done = town.apply()
        assert town.events("healthy") == ["issued"], done.said
        assert town.events("somebody-elses") == []  # nothing is said of that device, yet
        context = town.record("healthy")["decision"]["input"]["context"]["posture"]
        assert (context["status"], context["value"]) == ("known", "healthy")

        server.status = 503  # an outage throws nobody out, and somebody hears of it
        intent = {"kind": "redeliver", "accountId": 1, "at": "2026-11-22T00:00:00Z"}
        write(town, "intents/in-doubt", intent)
        lives = (town.record("in-doubt"), town.live_tokens("in-doubt"))
        done = town.apply("schedule")
        assert done.code == 5
        assert town.events("healthy") == town.events("in-doubt") == ["issued"]
        assert "in-doubt cannot be decided again" in done.said
        # It extends nothing, and delivers nothing anew.
        assert lives == (town.record("in-doubt"), town.live_tokens("in-doubt"))
        # Eight hours go by, for one of the two: moderate sensitivity allows no more.
        since = str(Instant.from_seconds(time.time()).plus(-8 * 3600 - 60))
        write(town, "notes/doubts", {"in-doubt": since})
        town.age_undecided()
        done = town.apply("schedule")
        assert town.events("somebody-elses") == ["denied"], done.said
        assert town.events("in-doubt") == ["issued", "revoked"], done.said
        assert town.events("healthy") == ["issued"]
        message = town.message("in-doubt", "revoked")
        assert "Daypass-Reason: unknown-context" in message
        assert "Daypass-Decision: indeterminate sha256:" in message
        assert town.live_tokens("in-doubt") == []

        server.say({"alice": {"alice-laptop": "lost"}})  # an answer does
        done = town.apply("schedule")
        assert town.events("healthy") == ["issued", "revoked"], done.said
        assert town.live_tokens("healthy") == []
    assert town.verify().code == 0
