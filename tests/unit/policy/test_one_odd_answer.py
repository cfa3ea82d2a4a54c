"""One odd answer leaves one grant in doubt: it stops no run, and keeps no other from its end."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from policy_world import (
    ACCOUNTS,
    IDS,
    NOW,
    OPENED,
    catalogue,
    identity,
    policy,
    pull_request,
    request,
    resource,
    review,
    settings,
)
from policy_world import HEAD as COMMIT
from test_live import grant

from daypass.adapters.context_http import parse
from daypass.adapters.github.failure import refusal
from daypass.adapters.oidc import _token
from daypass.adapters.vault.answer import _object
from daypass.errors import ContextError, DaypassError
from daypass.lifecycle.inquiry import Inquiry
from daypass.lifecycle.reevaluate import reevaluate
from daypass.lifecycle.world import World
from daypass.model.canonical import canonical_json, digest_of_read
from daypass.model.event import Reason
from daypass.model.json_text import deeper_than, read_json
from daypass.model.obligation import Obligation
from daypass.model.pullrequest import PullRequestCommit, Push
from daypass.policy.context import MAX_DEPTH, AnswerError, answer
from daypass.policy.groups import resolve_groups

SOURCE = {"url": "https://x.example.com/{subject}", "pointer": "/v", "maxAge": "15m"}
RULE = {"name": "free", "expression": "request.access == 'read'", "message": "the rule must hold"}


def nested(depth: int) -> str:
    return '{"v":' + "[" * depth + "]" * depth + "}"


def world(*policies, **changes):
    found = replace(
        catalogue(policy(), *policies), settings=settings(context={"sources": {"posture": SOURCE}})
    )
    return replace(found, **changes)


def of(who: str):
    """The record of a grant that this person asked for, and received."""
    account = ACCOUNTS[who]
    pull = pull_request(
        review("bob"),
        author=account,
        commits=(PullRequestCommit(COMMIT, account, account),),
        pushes=(Push(account, "0" * 40, COMMIT, OPENED),),
    )
    record = grant(catalogue(), asked=request(subject=who), pull=pull)
    return replace(record, id=f"{who}-1", subject=who, requester=who, requester_id=IDS[who])


class Answers:
    """Sources of context that say of each subject what a test has them say."""

    def __init__(self, **said):
        self.said = said

    def read(self, source, address: str):
        found = self.said.get(address.rpartition("/")[2], '{"v": "ok"}')
        if isinstance(found, Exception):
            raise found
        return parse(source, found.encode())


def found_of(there, *people: str, later: float = 600, doubts=None, obligations=(), reader=None):
    records = {item.id: item for item in map(of, people)}
    observed = World(
        now=NOW.plus(later),
        head="1" * 40,
        catalogue=there,
        ruling=there,
        tip=None,
        requests={},
        grants=records,
        slots={},
        intents={},
        live=frozenset(),
        obligations={item.grant_id: item for item in obligations},
    )
    groups = resolve_groups(there, {"contractors": frozenset()})
    inquiry = Inquiry(reader if reader is not None else Answers())
    return reevaluate(observed, [(there, groups)], (), doubts or {}, inquiry), inquiry


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 65, 505, 100_000])
def test_an_answer_that_is_nested_deeply_keeps_nobody_from_their_end(depth):
    """505 lists within each other stopped every re-evaluation."""
    there = world(policy("g", effect="guard", rules=[RULE]))
    people = {**there.identities, "erin": identity("erin", status="offboarded")}
    there = replace(there, identities=people)
    found, inquiry = found_of(there, "alice", "erin", reader=Answers(alice=nested(depth)))
    assert [(item.grant_id, item.reason) for item in found.ends] == [("erin-1", Reason.OFFBOARDED)]
    assert not found.alarms
    assert "levels deep" in inquiry.faults["posture"]


def test_a_rule_that_reads_such_an_answer_is_in_doubt_for_its_grace_alone():
    rule = {**RULE, "expression": "context.posture.value == 'ok'"}
    there = world(policy("g", effect="guard", rules=[rule]))
    odd = Answers(alice=nested(505))
    found, _ = found_of(there, "alice", "dave", reader=odd)
    assert (found.ends, [*found.alarms]) == ((), ["alice-1"])
    ended, _ = found_of(there, "alice", "dave", later=7000, doubts=found.doubts, reader=odd)
    assert ended.ends == ()
    since = {"alice-1": str(NOW.plus(-8 * 3600))}
    ended, _ = found_of(there, "alice", "dave", doubts=since, reader=odd)
    assert [(item.grant_id, item.reason) for item in ended.ends] == [
        ("alice-1", Reason.UNKNOWN_CONTEXT)
    ]


@pytest.mark.parametrize("error", [RecursionError(), MemoryError(), KeyError("secret")])
def test_what_is_not_foreseen_of_a_source_makes_its_answer_unknown(error):
    rule = {**RULE, "expression": "context.posture.value == 'ok'"}
    there = world(policy("g", effect="guard", rules=[rule]))
    found, inquiry = found_of(there, "alice", "dave", reader=Answers(alice=error))
    assert [*found.alarms] == ["alice-1"]
    assert type(error).__name__ in inquiry.faults["posture"]
    assert "secret" not in str(inquiry.faults)


def test_what_is_not_foreseen_of_a_grant_leaves_that_grant_in_doubt(monkeypatch):
    there = world(resources={"orders-db": resource(sensitivity="critical")})
    seen = Inquiry.about

    def about(self, asked, where, now):
        if asked.subject == "alice":
            raise RecursionError("a secret")
        return seen(self, asked, where, now)

    monkeypatch.setattr(Inquiry, "about", about)
    people = {**there.identities, "erin": identity("erin", status="offboarded")}
    there = replace(there, identities=people)
    found, _ = found_of(there, "alice", "erin")
    assert [item.grant_id for item in found.ends] == ["erin-1"]
    assert "RecursionError" in found.alarms["alice-1"]
    assert "secret" not in found.alarms["alice-1"]
    since = {"alice-1": str(NOW.plus(600 - 15 * 60))}
    found, _ = found_of(there, "alice", "erin", doubts=since)
    assert {item.grant_id: item.reason for item in found.ends} == {
        "alice-1": Reason.UNKNOWN_CONTEXT,
        "erin-1": Reason.OFFBOARDED,
    }


def test_a_review_that_is_overdue_is_known_of_a_live_grant():
    """An expression read that nothing is overdue, whatever was."""
    rule = {**RULE, "expression": "size(subject.overdue) == 0"}
    there = world(policy("g", effect="guard", rules=[rule]))
    assert not found_of(there, "alice", "dave")[0].ends
    owed = Obligation(
        "bg-alice-1", "alice", IDS["alice"], "orders-db", "read", "INC-1", False, 7, NOW, NOW
    )
    found, _ = found_of(there, "alice", "dave", obligations=(owed,))
    assert [item.grant_id for item in found.ends] == ["alice-1"]


def test_the_depth_of_json_is_told_without_recursion():
    value: object = 1
    for depth in range(2000):
        assert depth > 50 or not deeper_than(depth, value)
        assert depth > 50 or depth == 0 or deeper_than(depth - 1, value)
        value = [value] if depth % 2 else {"v": value}
    assert deeper_than(1999, value)
    assert not deeper_than(2000, value)
    assert not deeper_than(1, [1, {}][:1])
    assert deeper_than(1, [1, {}])


@pytest.mark.parametrize("depth", [65, 505, 100_000])
def test_json_from_outside_is_bounded_in_depth(depth):
    text = nested(depth)
    with pytest.raises(ValueError, match="nested more than 64 levels deep"):
        read_json(text)
    assert _object(type("Response", (), {"json": lambda _: json.loads(text)})()) is None
    assert refusal("GET", "/x", 403, {}, text, None, "https://x") is not None
    with pytest.raises(DaypassError):
        _token(text.encode())


def test_what_a_source_gives_is_bounded_in_depth():
    source = world().settings.context["posture"]
    names = {"subject": "alice"}
    whole = json.loads(nested(MAX_DEPTH))
    assert answer(source, whole, names, NOW).value == whole["v"]
    with pytest.raises(AnswerError, match="16 levels deep"):
        answer(source, json.loads(nested(MAX_DEPTH + 1)), names, NOW)
    with pytest.raises(ContextError, match="64 levels deep"):
        parse(source, nested(64).encode())


def test_what_a_source_gives_is_bounded_in_its_entries():
    """Or one answer would deny by every rule that has an expression, whatever it reads."""
    source = world().settings.context["posture"]
    for many in ([1] * 256, {"a": [1] * 256}):
        assert answer(source, {"v": many}, {}, NOW).value == many
    for many in ([1] * 257, {"a": [[1] * 257]}):
        with pytest.raises(AnswerError, match="more than 256 entries"):
            answer(source, {"v": many}, {}, NOW)


def test_canonical_json_of_what_is_nested_deeply_is_a_value_error():
    value: object = 1.5
    for _ in range(100_000):
        value = {"v": value}
    for compute in (canonical_json, digest_of_read):
        with pytest.raises(ValueError, match="nested too deeply"):
            compute(value)
    while isinstance(value, dict):
        value = value.pop("v")
