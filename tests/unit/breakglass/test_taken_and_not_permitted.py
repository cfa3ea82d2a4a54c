"""What was taken offline and may not be kept ends in the run that knows, whatever main is like."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from daypass.lifecycle.offline import OfflineUse
from daypass.lifecycle.outcome import Outcome
from daypass.lifecycle.plan import Action, Plan, Step
from daypass.lifecycle.ports import Slot, SlotState
from daypass.lifecycle.writing_down import WritingDown
from daypass.model.decision import Effect, Enforcement, RuleOutcome
from daypass.model.instant import Instant
from daypass.model.intent import Intent, IntentKind
from daypass.model.resource import Sensitivity
from support.evidence_bot import a_grant

NOW = Instant.parse("2026-11-23T09:10:00Z")


class Vault:
    """Issuer and registry in one."""

    def __init__(self) -> None:
        self.revoked: list[str] = []
        self.intents: list[Intent] = []

    def revoke(self, accessor: str) -> None:
        self.revoked.append(accessor)

    def write_intent(self, intent: Intent) -> None:
        self.intents.append(intent)


def writing(vault: Vault, *invokers: str) -> WritingDown:
    lane = SimpleNamespace(offline=SimpleNamespace(invokers=invokers))
    ruling = SimpleNamespace(settings=SimpleNamespace(break_glass=lane))
    world = SimpleNamespace(frozen=("somebody pushed",), ruling=ruling, now=NOW)
    ports = SimpleNamespace(issuer=vault, registry=vault, run=None)
    seen = SimpleNamespace(world=world)
    return WritingDown(cast("Any", ports), cast("Any", seen), cast("Any", None), Outcome())


@pytest.mark.parametrize(("effect", "revoked"), [("deny", ["acc"]), ("permit", [])])
def test_what_was_denied_and_not_ended_is_ended_on_a_frozen_main_too(
    effect: str, revoked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WritingDown, "_write", lambda _self, granted: granted)
    record = replace(a_grant("a1"), effect=effect).to_document()
    slot = Slot("a1", 1, SlotState.MINTED, {"record": record, "accessor": "acc", "offline": "e"})
    vault = Vault()
    plan = Plan((Action(Step.WRITE_DOWN, "a1", slot=slot),))
    assert writing(vault).run((), plan) == []
    assert vault.revoked == revoked


def test_who_is_named_no_more_keeps_nothing() -> None:
    vault = Vault()
    use = OfflineUse("a1", "e", "role", "acc", "sha256:x", NOW, NOW.plus(60), {})
    run = writing(vault, "alice")
    assert run._is_named(cast("Any", SimpleNamespace(name="alice")))
    assert not run._is_named(cast("Any", SimpleNamespace(name="mallory")))
    run._end_unnamed(use, "mallory")
    assert vault.revoked == ["acc"]
    assert [(item.grant_id, item.kind) for item in vault.intents] == [("a1", IntentKind.REVOKE)]
    assert run.outcome.alarms


@pytest.mark.parametrize(
    ("accessor", "age", "is_written"),
    [("acc", 60, False), ("acc", 3600, True), (None, 60, True), (None, 30 * 86400, True)],
)
def test_what_is_undecided_is_written_down_once_its_grace_is_over(
    accessor: str | None, age: int, is_written: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For want of a time zone too: else what was taken would never become evidence."""
    why = RuleOutcome(
        "hours", "times", Effect.INDETERMINATE, Enforcement.ENFORCE, "Mars", zones=("Mars/Olympus",)
    )
    decision = SimpleNamespace(effect=Effect.INDETERMINATE, reasons=(why,))
    monkeypatch.setattr(WritingDown, "_decide", lambda *_: (None, decision))
    monkeypatch.setattr(WritingDown, "_remember", lambda *_: "remembered")
    monkeypatch.setattr(WritingDown, "_write", lambda _self, granted: granted)
    use = OfflineUse("a1", "e", "role", accessor, "sha256:x", NOW.plus(-age), NOW, {})
    resource = SimpleNamespace(sensitivity=Sensitivity.CRITICAL)
    case = SimpleNamespace(use=use, role=SimpleNamespace(resource=resource))
    run = writing(Vault())
    found = run._judge(cast("Any", case), cast("Any", None))
    assert found == ("remembered" if is_written else None)
    assert list(run.outcome.causes) == ([] if is_written else ["offline-doubt.a1"])
