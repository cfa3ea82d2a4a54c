"""What a policy diff says that a changed document may widen, whatever was decided before."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from daypass.lifecycle.diff_fields import widenings

POLICY: dict[str, Any] = {
    "description": "As it was.",
    "effect": "permit",
    "enforcement": "enforce",
    "match": {"subjects": {"groups": ["security"]}},
    "limits": {
        "maxDuration": "2h",
        "window": {"hours": 8, "per": "7d"},
        "concurrent": 2,
        "times": {"timeZone": "Europe/Zurich", "from": "07:00", "to": "19:00"},
        "freezes": [{"from": "2026-12-23T17:00:00Z", "to": "2027-01-04T06:00:00Z", "reason": "x"}],
    },
    "approvals": {"stages": [{"name": "dba", "allOf": [{"group": "dba", "atLeast": 2}]}]},
    "require": {
        "ticket": "OPS-[0-9]+",
        "reasonLength": 20,
        "recording": "required",
        "issue": "on-claim",
    },
    "rules": [{"name": "short", "expression": "request.durationSeconds < 60", "message": "Short."}],
}
RESOURCE: dict[str, Any] = {
    "type": "database",
    "environment": "production",
    "sensitivity": "high",
    "owners": {"business": "orders-team", "lifecycle": "dba"},
    "levels": {"read": {"mount": "database", "tiers": {"1h": "ro-1h"}, "issue": "on-claim"}},
    "maxDuration": "2h",
    "recording": "required",
    "approvers": {"groups": ["dba"], "atLeast": 2, "owner": True},
}
IDENTITY: dict[str, Any] = {
    "type": "vendor",
    "status": "active",
    "github": {"id": 1, "login": "eve"},
    "recipients": ["age1a", "age1b"],
    "vendor": {"organisation": "Example", "sponsor": "alice", "contractEnd": "2027-01-31"},
}
SETTINGS: dict[str, Any] = {
    "claimWindow": "1h",
    "groups": {"dba": ["bob", "carol"]},
    "teams": {"dba": 1},
    "foundation": {"owners": ["dba"], "atLeast": 2},
    "breakGlass": {"invokers": ["alice"], "reviewers": ["dba"], "incident": "INC-[0-9]+"},
    "context": {"sources": {"posture": {"url": "https://a.example", "required": True}}},
}
DOCUMENTS = {
    "policy": ("access/policies/x.yaml", POLICY),
    "guard": ("access/policies/x.yaml", {**POLICY, "effect": "guard"}),
    "resource": ("access/resources/x.yaml", RESOURCE),
    "identity": ("access/identities/x.yaml", IDENTITY),
    "settings": ("access/daypass.yaml", SETTINGS),
}


def document(spec: dict[str, Any], labels: dict[str, str] | None = None) -> dict[str, Any]:
    return {"metadata": {"name": "x", "labels": labels or {}}, "spec": spec}


def with_value(spec: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    """The spec with that field (None: without it); a number is an index."""
    found = deepcopy(spec)
    *path, last = [int(key) if key.isdecimal() else key for key in place.split("/")]
    inner: Any = found
    for key in path:
        inner = inner.setdefault(key, {}) if isinstance(inner, dict) else inner[key]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return found


# What is changed, to what is tighter, and to what is wider, with what is said of that.
CHANGES: list[tuple[str, str, Any, Any, str]] = [
    ("policy", "limits/maxDuration", "90m", "3h", "limits.maxDuration: 2h → 3h"),
    ("policy", "limits/maxDuration", "2h", None, "limits.maxDuration: 2h → none"),
    ("policy", "limits/window/hours", 4, 9, "limits.window.hours: 8 → 9"),
    ("policy", "limits/window/per", "14d", "1d", "limits.window.per: 7d → 1d"),
    ("policy", "limits/concurrent", 1, None, "limits.concurrent: 2 → none"),
    ("policy", "limits/times/to", "19:00", "20:00", "limits.times.to: 19:00 → 20:00"),
    ("policy", "approvals/stages/0/allOf", None, [], ""),
    (
        "policy",
        "approvals/stages/0/anyOf",
        None,
        [{"group": "security", "atLeast": 1}],
        'stages[dba].anyOf: adds {"group": "security", "atLeast": 1}',
    ),
    ("policy", "require/ticket", "OPS-[0-9]+", "OPS-.*", "require.ticket: OPS-[0-9]+ → OPS-.*"),
    ("policy", "require/reasonLength", 30, 10, "require.reasonLength: 20 → 10"),
    ("policy", "require/recording", "required", "api-log", "recording: required → api-log"),
    ("policy", "require/issue", "on-claim", None, "require.issue: on-claim → none"),
    (
        "policy",
        "rules",
        [*POLICY["rules"], {**POLICY["rules"][0], "name": "b"}],
        [],
        "rules[short].expression: request.durationSeconds < 60 → none",
    ),
    ("policy", "rules/0/appliesAt", "always", "issue", "rules[short].appliesAt: none → issue"),
    ("policy", "rules/0/mayBeExcepted", False, True, "mayBeExcepted: none → True"),
    ("policy", "rules/0/expression", "request.durationSeconds < 60", "true", "60 → true"),
    (
        "policy",
        "match/subjects/groups",
        ["security"],
        ["security", "team:new"],
        "match.subjects.groups: adds team:new",
    ),
    ("policy", "match/lanes", ["routine"], ["routine", "break-glass"], "adds break-glass"),
    ("policy", "description", "Otherwise.", None, ""),
    (
        "guard",
        "match/subjects/groups",
        ["security", "team:new"],
        ["team:new"],
        "match.subjects.groups: adds team:new; takes out security",
    ),
    ("guard", "enforcement", "enforce", "warn", "enforcement: enforce → warn"),
    ("resource", "maxDuration", "1h", "8h", "maxDuration: 2h → 8h"),
    ("resource", "recording", "required", "none", "recording: required → none"),
    ("resource", "sensitivity", None, "low", "sensitivity: high → low"),
    ("resource", "sensitivity", None, "critical", "sensitivity: high → critical"),
    ("resource", "approvers/atLeast", 3, 1, "approvers.atLeast: 2 → 1"),
    ("resource", "approvers/owner", True, False, "approvers.owner: True → False"),
    ("resource", "approvers/groups", ["dba"], ["dba", "all"], "approvers.groups: adds all"),
    ("resource", "levels/read/tiers/8h", None, "ro-8h", "levels.read.tiers.8h: none → ro-8h"),
    ("resource", "levels/read/issue", "on-claim", "on-merge", "issue: on-claim → on-merge"),
    ("resource", "environment", "production", "staging", "environment: production → staging"),
    ("identity", "vendor/contractEnd", "2026-12-31", "2027-06-30", "2027-01-31 → 2027-06-30"),
    ("identity", "status", "suspended", "active", ""),
    ("identity", "recipients", None, ["age1a", "age1c"], "adds age1c; takes out age1b"),
    ("identity", "recipients", None, ["age1a"], "recipients: takes out age1b"),
    ("identity", "github/id", 1, 2, "github.id: 1 → 2"),
    ("identity", "github/login", "eve2", None, ""),
    ("settings", "breakGlass/invokers", [], ["alice", "bob"], "breakGlass.invokers: adds bob"),
    ("settings", "breakGlass/reviewers", ["dba"], ["team:new"], "adds team:new; takes out dba"),
    ("settings", "groups/dba", ["bob", "carol"], ["bob", "frank"], "adds frank; takes out carol"),
    ("settings", "teams/dba", 1, 2, "teams.dba: 1 → 2"),
    ("settings", "foundation/atLeast", 3, 1, "foundation.atLeast: 2 → 1"),
    ("settings", "context/sources/posture/required", True, False, "required: True → False"),
    ("settings", "claimWindow", "8h", None, ""),
]


@pytest.mark.parametrize(("what", "place", "tighter", "wider", "said"), CHANGES)
def test_what_a_field_may_widen(what, place, tighter, wider, said):
    path, spec = DOCUMENTS[what]
    name = "settings" if what == "settings" else f"{what.replace('guard', 'policy')} x"

    def told(value):
        try:
            changed = with_value(spec, place, value)
        except KeyError:
            return []  # there was none
        return list(widenings(path, document(spec), document(changed)))

    assert told(tighter) == [] or tighter is None
    found = told(wider)
    if said:
        assert len(found) == 1
        assert found[0].startswith(f"{name}: ")
        assert found[0].endswith(said)


def test_somebody_who_may_again_and_labels():
    path, spec = DOCUMENTS["identity"]
    gone = {**spec, "status": "suspended"}
    assert list(widenings(path, document(gone), document(spec))) == [
        "identity x: status: suspended → active"
    ]
    assert list(widenings(path, document(spec), document(gone))) == []
    assert list(widenings(path, document(gone), None)) == [
        "identity x: it is gone, and was suspended: nothing bars its account and keys"
    ]
    assert list(widenings(path, document(spec), None)) == [
        "identity x: it is gone, and was active: nothing bars its account and keys"
    ]
    assert list(widenings(path, None, document(spec))) == ["identity x: it is new"]
    assert list(widenings(path, document(spec), document(spec, {"a": "b"}))) == [
        "identity x: labels.a: none → b"
    ]


@pytest.mark.parametrize(
    ("spec", "comes", "goes"),
    [
        ({}, "it permits anew", "its conditions are gone"),
        ({"effect": "guard"}, None, "its conditions are gone"),
        ({"enforcement": "audit"}, None, None),
        ({"effect": "guard", "enforcement": "warn"}, None, None),
    ],
)
def test_policies_that_come_and_go(spec, comes, goes):
    path, whole = "access/policies/x.yaml", document({**POLICY, **spec})
    assert list(widenings(path, None, whole)) == ([f"policy x: {comes}"] if comes else [])
    assert list(widenings(path, whole, None)) == ([f"policy x: {goes}"] if goes else [])


def test_a_freeze_that_is_lifted_and_a_stage_that_goes():
    path, spec = DOCUMENTS["policy"]
    more = [*spec["limits"]["freezes"], {**spec["limits"]["freezes"][0], "reason": "y"}]
    longer = with_value(spec, "limits/freezes", more)
    assert list(widenings(path, document(spec), document(longer))) == []
    (line,) = widenings(path, document(longer), document(spec))
    assert line.startswith("policy x: limits.freezes: takes out {")
    second = {"name": "security", "anyOf": [{"group": "security", "atLeast": 1}]}
    staged = with_value(spec, "approvals/stages", [*spec["approvals"]["stages"], second])
    # Who is named by a permit counts for two approvers; who is named by a guard does not.
    (line,) = widenings(path, document(spec), document(staged))
    assert line.startswith("policy x: approvals.stages[security].anyOf: adds {")
    of_guard = ({**item, "effect": "guard"} for item in (spec, staged))
    assert list(widenings(path, *map(document, of_guard))) == []
    (line,) = widenings(path, document(staged), document(spec))
    assert line.startswith("policy x: approvals.stages[security].anyOf: takes out {")


def test_a_guard_that_is_about_everything_takes_only_away():
    path, spec = DOCUMENTS["guard"]
    everything = {**spec, "match": {}}
    assert list(widenings(path, document(spec), document(everything))) == []
    assert list(widenings(path, document(everything), document(spec))) == [
        "policy x: match.subjects.groups: adds security"
    ]


@pytest.mark.parametrize("what", ["policy", "guard"])
def test_a_new_window_and_a_new_rule_take_only_away(what):
    path, spec = DOCUMENTS[what]
    whole = {"name": "b", "expression": "false", "message": "Never."}
    more = {**whole, "appliesAt": "issue", "mayBeExcepted": True}
    bare = with_value(spec, "limits/window", None)
    full = with_value(spec, "rules", [*spec["rules"], more])
    assert list(widenings(path, document(bare), document(full))) == []
    assert len(list(widenings(path, document(full), document(bare)))) == 2


def test_a_level_that_goes_takes_only_away():
    path, spec = DOCUMENTS["resource"]
    other = with_value(spec, "levels/write", spec["levels"]["read"])
    assert list(widenings(path, document(other), document(spec))) == []
    assert list(widenings(path, document(spec), document(other)))


def test_exceptions_and_requests_have_their_own_words():
    for path in ("access/exceptions/x.yaml", "access/requests/x.yaml", "README.md"):
        assert list(widenings(path, None, document({}))) == []
