"""Controls: every one of the table, and each that can fail, made to fail."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from report_world import (
    HOUR,
    NOW,
    approval,
    ended,
    failure,
    ground,
    identity,
    record,
    refusal,
    story,
)

from daypass.ledger.fault import Fault, FaultCode
from daypass.ledger.verify import Verdict as Evidence
from daypass.model.event import EventKind
from daypass.model.exception import PolicyException
from daypass.model.instant import Duration
from daypass.model.resource import Resource
from daypass.report.answer import Standing
from daypass.report.controls import controls
from daypass.report.controls.control import Verdict
from daypass.report.controls.table import CONTROLS
from daypass.report.controls.tried import TRIED
from daypass.report.ground import Cases

if TYPE_CHECKING:
    from daypass.report.ground import Ground


def verdicts(found: Ground) -> dict[str, str]:
    return {str(row[0]): str(row[3]) for row in controls(found).rows}


def test_every_requirement_is_there_once() -> None:
    assert [item.id for item in CONTROLS] == [
        f"R{number}" for number in range(1, 36) if number not in (14, 33)
    ]
    assert all(item.frameworks for item in CONTROLS)
    ids = re.compile(
        r"CSF [A-Z]{2}\.[A-Z]{2}-\d\d|800-53 [A-Z]{2}-\d+(\(\d+\))?|800-207 .+"
        r"|OWASP NHI\d+|AI RMF .+"
    )
    assert all(ids.fullmatch(text) for item in CONTROLS for text in item.frameworks)


def test_of_nothing_nothing_holds_but_what_the_documents_show() -> None:
    found = verdicts(ground())
    assert {name for name, verdict in found.items() if verdict == Verdict.HOLDS} == set()
    assert Verdict.FAILS not in found.values()


STATIC = identity("ci", "ci", owners=["alice", "bob"])
SHARED = (
    identity("ci", "ci", owners=["alice", "bob"], recipients=["age1x"]),
    identity("alice", recipients=["age1x"]),
)
BOTH = (approval("bob"), approval("carol"))


def excepting(found: Ground, **spec: str) -> Ground:
    """The same, with an exception `x` in force."""
    item = PolicyException.from_document(
        {
            "metadata": {"name": "x"},
            "spec": {
                "excepts": ["built-in/authenticates-itself"],
                "subject": "ci",
                "resource": "orders-db",
                "access": "read",
                "attributedTo": "alice",
                "ticket": "OPS-1",
                "notBefore": str(NOW.plus(-HOUR)),
                "notAfter": str(NOW.plus(HOUR)),
                "maxDuration": "1h",
                **spec,
            },
        }
    )
    assert found.catalogue is not None
    return replace(found, catalogue=replace(found.catalogue, exceptions={"x": item}))


def legacy(found: Ground) -> Ground:
    """The same, where orders-db rests on a static secret."""
    level = {"engine": "database", "mount": "database", "tiers": {"1h": "ro"}}
    item = Resource.from_document(
        {
            "metadata": {"name": "orders-db"},
            "spec": {
                "type": "legacy-static",
                "environment": "production",
                "sensitivity": "low",
                "owners": {"business": "dba", "lifecycle": "dba"},
                "levels": {"read": level},
                "maxDuration": "1h",
                "recording": "none",
                "approvers": {"groups": ["dba"], "atLeast": 1},
            },
        }
    )
    assert found.catalogue is not None
    return replace(found, catalogue=replace(found.catalogue, resources={"orders-db": item}))


FAILING = {
    "R1": ground(documents=False),
    "R2": ground(identities=(identity("ci", "ci", owners=["alice", "gone"]),)),
    "R3": ground(cases=Cases(right=7, wrong=1, denials=3)),
    "R4": ground(story(), faults=(Fault(FaultCode.DECISION, "9" * 40, "other"),)),
    "R5": ground(story(record=record(input_matches=False))),
    "R6": ground(story(record=record(sensitivity="high", context=False))),
    "R8": ground(story(lasts=2 * HOUR)),
    "R9": ground(story(record=record(renews="never-there"))),
    "R12": ground(story(approvals=(approval("alice"), approval("bob")))),
    "R13": ground(story(record=record(sensitivity="critical"))),
    "R15": ground(story(subject="ci"), identities=(identity("ci", "ci", owners=["alice", "bob"]),)),
    "R17": ground(story(subject="ci"), identities=SHARED),
    "R22": ground(story(exceptions=("x",))),
    "R27": legacy(ground(story())),
    "R16": ground(identities=(identity("bot", "agent", owners=["alice", "bob"]),)),
    "R18": ground(
        story(subject="acme"),
        identities=(
            identity("acme", "vendor", vendor={"sponsor": "alice", "contractEnd": "2026-01-01"}),
        ),
    ),
    "R19": ground(
        story("one", record=record(resource_type="shared-account")),
        story("two", begins=-60, record=record(resource_type="shared-account")),
    ),
    "R20": ground(
        story("one", subject="ci", record=record(subject_type="ci")),
        story("two", subject="ci", record=record(subject_type="ci", environment="staging")),
    ),
    "R21": ground(story(begins=-30 * HOUR, lane="break-glass", end=ended(-29 * HOUR))),
    "R24": ground(story(begins=-2 * HOUR, end=ended(-HOUR), record=record(recording="required"))),
    "R25": ground(story(begins=-2 * HOUR, end=ended(-HOUR), merged=None)),
    "R26": ground(verdict=Evidence.BROKEN),
    "R28": ground(
        identities=(identity("old", "service", owners=["alice", "bob"], rotation={"every": "30d"}),)
    ),
    "R29": ground(story(subject="ci"), identities=(identity("ci", "ci", owners=["gone", "lost"]),)),
    "R30": ground(story(subject="eve"), identities=(identity("eve", status="offboarded"),)),
}

SHORTER = (("a" * 40, Duration.parse("400d")), ("b" * 40, Duration.parse("90d")))
FAILING["R34"] = ground(verdict=Evidence.HOLDS, promises=SHORTER)


@pytest.mark.parametrize("control", FAILING)
def test_what_does_not_hold_is_said_not_to(control: str) -> None:
    assert verdicts(FAILING[control])[control] == Verdict.FAILS
    assert controls(FAILING[control]).standing is Standing.ATTENTION


HOLDING = {
    "R2": ground(identities=(identity("ci", "ci", owners=["alice", "bob"]),)),
    "R3": ground(refusals=(refusal(EventKind.DENIED, "policy"),)),
    "R4": ground(story()),
    "R5": ground(story()),
    "R6": ground(story(record=record(context=True))),
    "R15": ground(
        identities=(identity("ci", "ci", owners=["alice", "bob"], authn={"method": "oidc"}),)
    ),
    "R34": ground(verdict=Evidence.HOLDS, promises=SHORTER[::-1]),
    "R8": ground(story()),
    "R10": ground(story(end=ended(-60, kind=EventKind.REVOKED, reason="done"))),
    "R11": ground(story(failures=(failure(-60),))),
    "R12": ground(story()),
    "R13": ground(
        story(record=record(sensitivity="high"), approvals=(approval("bob"), approval("carol")))
    ),
    "R23": ground(story(end=ended(-60, kind=EventKind.REVOKED, reason="re-evaluated"))),
    "R25": ground(story(begins=-2 * HOUR, end=ended(-HOUR))),
    "R26": ground(verdict=Evidence.HOLDS),
    "R30": ground(identities=(identity("eve", status="offboarded"),)),
}


EXCEPTED = ground(
    story(subject="ci", exceptions=("x",), approvals=BOTH), identities=(STATIC, *SHARED[1:])
)
HOLDING["R22"] = excepting(EXCEPTED)
HOLDING["R17"] = ground(story(subject="ci", exceptions=("x",)), identities=SHARED)


def test_an_exception_is_what_a_static_secret_needs() -> None:
    assert verdicts(EXCEPTED)["R15"] == Verdict.HOLDS


@pytest.mark.parametrize("spec", [{"maxDuration": "30m"}, {"notAfter": str(NOW.plus(60))}])
def test_a_grant_that_outlasts_its_exception_is_found(spec: dict[str, str]) -> None:
    assert verdicts(excepting(EXCEPTED, **spec))["R22"] == Verdict.FAILS


def test_that_a_static_secret_is_rotated_is_not_said() -> None:
    found = verdicts(legacy(ground(story(exceptions=("x",)))))
    assert found["R27"] == Verdict.UNKNOWN


@pytest.mark.parametrize("control", HOLDING)
def test_what_was_put_to_the_test_holds(control: str) -> None:
    assert verdicts(HOLDING[control])[control] == Verdict.HOLDS


def test_cases_that_are_answered_as_written_put_denial_to_the_test() -> None:
    assert verdicts(ground(cases=Cases(right=7, wrong=0, denials=3)))["R3"] == Verdict.HOLDS


def test_every_test_that_is_named_is_there() -> None:
    root = Path(__file__).resolve().parents[2]
    sources = "\n".join(path.read_text(encoding="utf-8") for path in root.rglob("test_*.py"))
    known = {control.id for control in CONTROLS}
    for control, names in TRIED.items():
        assert control in known
        for name in names:
            assert f"def {name}(" in sources, f"{control}: {name}"


def test_evidence_that_only_vouches_for_itself_proves_nothing() -> None:
    assert verdicts(ground())["R26"] == Verdict.UNKNOWN
