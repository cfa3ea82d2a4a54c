"""Decisions as a run makes them: by what ruled before the merge too, and by what sources answer."""

from __future__ import annotations

import json
import time

import pytest
from context_server import context_server

from daypass.model.instant import Instant
from daypass.sandbox.box import Box
from support import acting
from support.town import Asked, Town

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
    done = town.apply()
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
        town.grant("while-it-is-down", duration="1h", device="alice-laptop")
        done = town.apply()
        assert done.code == 5, done.said
        assert "the context source posture: it answers 503" in done.said
        assert town.events("while-it-is-down") == ["denied"]
        denial = town.message("while-it-is-down", "denied")
        assert "Daypass-Reason: unknown-context" in denial
        assert "the context posture is unknown" in denial

        server.say({"alice": {"alice-laptop": "healthy"}, "bob": {"bob-phone": "healthy"}})
        town.grant("healthy", duration="1h", device="alice-laptop")
        town.grant("in-doubt", duration="1h", device="alice-laptop")
        town.grant("somebody-elses", duration="1h", device="bob-phone")
        server.asked.clear()
        done = town.apply()
        assert town.events("healthy") == ["issued"], done.said
        assert town.events("somebody-elses") == ["denied"]
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
        done = town.apply("schedule")
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
