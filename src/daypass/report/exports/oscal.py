"""OSCAL 1.1 assessment results: what this repository shows of each control.

Source: https://pages.nist.gov/OSCAL/reference/latest/assessment-results/json-outline/. Identifiers
are UUIDs of version 5, made of the head and of what they name: the same head, the same bytes.
A control that nothing here can show is `not-satisfied` with the reason `other`, never satisfied.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any, Final

from daypass.report.controls.control import Verdict
from daypass.report.controls.table import CONTROLS
from daypass.report.heading import heading

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.report.controls.control import Control, Finding
    from daypass.report.ground import Ground

OSCAL_VERSION: Final = "1.1.3"
NAMESPACE: Final = "https://daypass.dev/ns/oscal"
_ROOT: Final = uuid.uuid5(uuid.NAMESPACE_URL, NAMESPACE)
_NIST: Final = re.compile(r"800-53 ([A-Z]{2})-([0-9]+)(?:\(([0-9]+)\))?")
_REASONS: Final = {Verdict.HOLDS: "pass", Verdict.FAILS: "fail"}


def assessment_results(ground: Ground) -> dict[str, Any]:
    """The document. Needs evidence read with `check_inputs`."""
    window = ground.window
    ids = _Ids(ground.verification.head, *map(str, (window.since, window.until, window.at)))
    looked = [(control, control.look(ground)) for control in CONTROLS]
    at = str(window.at)
    plan = ids.of("plan")
    return {
        "assessment-results": {
            "uuid": ids.of("document"),
            "metadata": {
                "title": f"Privileged access of {ground.repository}",
                "last-modified": str(ground.evidence.head_at),
                "version": ground.verification.head,
                "oscal-version": OSCAL_VERSION,
                "props": [_prop(line.key, line.value) for line in heading(ground)],
            },
            "import-ap": {"href": f"#{plan}"},
            "results": [
                {
                    "uuid": ids.of("result"),
                    "title": "What the evidence shows",
                    "description": "Each control that daypass answers to, held against the signed "
                    "evidence of one repository.",
                    "start": str(window.since or ground.evidence.first_at),
                    "end": str(window.until),
                    "reviewed-controls": {"control-selections": [_selection()]},
                    "observations": [_observation(ids, *item, at) for item in looked],
                    "findings": [_finding(ids, *item) for item in looked],
                }
            ],
            "back-matter": {
                "resources": [
                    {
                        "uuid": plan,
                        "title": "The controls that daypass looks for",
                        "description": "They are a table of daypass's own, of the version that "
                        "made this; `daypass audit report --controls` prints it.",
                    }
                ]
            },
        }
    }


class _Ids:
    """UUIDs that the same evidence gives again."""

    def __init__(self, *of: str) -> None:
        self._root = uuid.uuid5(_ROOT, "\n".join(of))

    def of(self, name: str) -> str:
        return str(uuid.uuid5(self._root, name))


def _selection() -> dict[str, Any]:
    names = {name for control in CONTROLS for name in _nist(control.frameworks)}
    return {
        "description": "Controls of NIST SP 800-53 that these answer to",
        "include-controls": [{"control-id": name} for name in sorted(names)],
    }


def _observation(ids: _Ids, control: Control, found: Finding, at: str) -> dict[str, Any]:
    return {
        "uuid": ids.of(f"observation {control.id}"),
        "title": control.statement,
        "description": found.shown,
        "props": [_prop("control", control.id), _prop("verdict", str(found.verdict))],
        "methods": ["EXAMINE"],
        "types": ["control-objective"],
        "collected": at,
    }


def _finding(ids: _Ids, control: Control, found: Finding) -> dict[str, Any]:
    satisfied = found.verdict is Verdict.HOLDS
    return {
        "uuid": ids.of(f"finding {control.id}"),
        "title": control.statement,
        "description": f"{found.verdict}: {found.shown}",
        "props": [_prop("framework", name) for name in control.frameworks],
        "target": {
            "type": "objective-id",
            "target-id": control.id,
            "status": {
                "state": "satisfied" if satisfied else "not-satisfied",
                "reason": _REASONS.get(found.verdict, "other"),
                "remarks": str(found.verdict),
            },
        },
        "related-observations": [{"observation-uuid": ids.of(f"observation {control.id}")}],
    }


def _nist(frameworks: Iterable[str]) -> Iterable[str]:
    """`800-53 AC-2(2)` as OSCAL's catalog has it: `ac-2.2`."""
    for name in frameworks:
        match = _NIST.fullmatch(name)
        if match is not None:
            family, number, more = match.groups()
            yield f"{family.lower()}-{number}" + (f".{more}" if more else "")


def _prop(name: str, value: str) -> dict[str, str]:
    """A property in our own namespace; its value is one line, and never empty."""
    return {"name": name, "ns": NAMESPACE, "value": " ".join(value.split()) or "-"}
