"""A name in an expression is a name: its group is asked for, and what is not known is no "no"."""

from __future__ import annotations

from dataclasses import replace

import pytest
from policy_world import (
    IDS,
    catalogue,
    facts,
    failing,
    outcome,
    policy,
    resource,
    rules_of,
    settings,
)
from test_live import again, grant

from daypass.model.decision import Effect
from daypass.model.expression_names import names_in
from daypass.policy.decide import decide
from daypass.policy.expressions import check_expressions, compile_expression
from daypass.policy.groups import teams_needed
from daypass.policy.input import DecisionInput, with_untold

TEAMS = {"contractors": frozenset(), "externals": frozenset({IDS["alice"]})}


def guard(expression: str, **spec):
    rule = {"name": "free", "expression": expression, "message": "the rule must hold"}
    return policy("guard", effect="guard", rules=[{**rule, **spec}])


@pytest.mark.parametrize(
    ("expression", "of_subject", "of_askers"),
    [
        ("!('a' in subject.groups)", {"a"}, set()),
        ("'a' in subject['groups'] || r'b' in requester.groups", {"a"}, {"b"}),
        ("approvals.exists(a, 'team:x' in a.groups)", set(), {"team:x"}),
        ("approvals.filter(x, 'a' in x.groups).exists(y, 'b' in y.groups)", set(), {"a", "b"}),
        ("approvals.exists(subject, 'a' in subject.groups)", set(), {"a"}),
        ("['a', 'b'].exists(g, g in subject.groups)", {"a", "b"}, set()),
        ("subject.groups.exists(g, g == 'a' || g in ['b'])", {"a", "b"}, set()),
        ("subject.groups.exists(g, g.startsWith('team:') && g == 'team:a')", {"team:a"}, set()),
        ("subject.groups.all(g, 'a' != g && !(g in ['b', 'c']))", {"a", "b", "c"}, set()),
        ("!subject.groups.exists_one(g, g == (now == now ? 'a' : 'b'))", {"a", "b"}, set()),
        ("size(subject.groups.filter(g, g == 'a')) == 0", {"a"}, set()),
        ("(now == now ? 'a' : 'b') in subject.groups", {"a", "b"}, set()),
        ("'a' in (now == now ? subject.groups : requester.groups)", {"a"}, {"a"}),
        ("['a', 'b'][0] in subject.groups", {"a", "b"}, set()),
        ("has(subject.groups) && size(approvals) > 1", set(), set()),
        ("subject.labels.groups == 'a' || resource.name in ['a']", set(), set()),
        ("context.rota.value.exists(c, 'a' in c.groups)", set(), set()),
    ],
)
def test_groups_are_read_from_expressions(expression, of_subject, of_askers):
    names = compile_expression(expression).names
    assert (names.subject_groups, names.asker_groups) == (of_subject, of_askers)
    assert not names.unclear


@pytest.mark.parametrize(
    "expression",
    [
        "!('external' + 's' in subject.groups)",
        r"!('extern\u0061ls' in subject.groups)",
        "!('externals' in subject['gro' + 'ups'])",
        r"!('externals' in subject['gr\u006fups'])",
        "!subject.exists(key, key.startsWith('grou') && 'externals' in subject[key])",
        "!(resource.labels.team in subject.groups)",
        "subject != {'a': 1} && !(requester in [subject])",
        "size(subject.groups) == 0",
        "subject.groups == []",
        "!(subject.groups[0] == 'externals')",
        "!subject.groups.exists(g, g.startsWith('team:'))",
        "!subject.groups.exists(g, g != 'dba')",
        "subject.groups.all(g, g == 'dba')",
        "!subject.groups.exists(g, g in requester.groups)",
        "!subject.groups.exists(g, g == 'dba' || g.startsWith('team:'))",
        "approvals.all(a, a.groups.map(g, g) == [])",
        "approvals.all(a, approvals.exists(b, a == b))",
        "approvals.all(a, !(dyn(a).groups == ['dba']))",
        "!(.subject.groups == ['dba'])",
        "!('externals' in {'who': subject}.who.groups)",
        "('dba' in subject.groups) == (" + "!" * 50 + "true)",
    ],
)
def test_groups_that_cannot_be_told_are_told_to_the_author_and_never_known(expression):
    written = guard(expression)
    assert [
        (name, "write `'NAME' in subject.groups`" in why)
        for name, why in check_expressions(written)
    ] == [("free", True)]
    decision = outcome(catalogue(policy(), written), "bob", teams=TEAMS)
    assert decision.effect is Effect.INDETERMINATE
    assert failing(decision) == {"guard/free"}


@pytest.mark.parametrize(
    "expression",
    [
        "!('team:externals' in subject.groups)",
        "!('team:externals' in requester.groups)",
        "subject.groups.all(g, g != 'team:externals')",
        "['dba', 'team:externals'].all(g, !(g in requester.groups))",
        "!(now == now && (now == now ? 'team:externals' : 'dba') in subject.groups)",
    ],
)
def test_a_team_that_only_an_expression_names_is_asked_for(expression):
    world = catalogue(policy(), guard(expression))
    assert teams_needed(world) == {"contractors", "externals"}
    assert outcome(world, "bob", teams=TEAMS).effect is Effect.DENY
    assert outcome(world, "bob", teams={**TEAMS, "externals": frozenset()}).permitted
    for unknown in ({"contractors": frozenset()}, {**TEAMS, "externals": None}):
        decision = outcome(world, "bob", teams=unknown)
        assert decision.effect is Effect.INDETERMINATE
        assert "team:externals" in decision.reasons[0].message


def test_a_team_of_approvers_that_only_an_expression_names_is_asked_for():
    world = catalogue(policy(), guard("approvals.all(a, !('team:juniors' in a.groups))"))
    juniors = {"contractors": frozenset(), "juniors": frozenset({IDS["bob"]})}
    assert outcome(world, "bob", teams=juniors).effect is Effect.DENY
    assert outcome(world, "carol", teams=juniors).permitted
    assert outcome(world, "carol").effect is Effect.INDETERMINATE


def test_a_team_without_an_id_is_not_known_where_teams_are_pinned():
    world = catalogue(policy(), guard("!('team:externals' in subject.groups)"))
    for ids, effect in (({}, Effect.INDETERMINATE), ({"externals": 7}, Effect.DENY)):
        pinned = replace(world, settings=settings(teams={"contractors": 6, **ids}))
        assert outcome(pinned, "bob", teams=TEAMS).effect is effect


@pytest.mark.parametrize("name", ["externalz", "team:", "", "Contractors"])
def test_a_group_that_is_not_defined_is_not_known(name):
    world = catalogue(policy(), guard(f"!('{name}' in subject.groups)"))
    assert outcome(world, "bob").effect is Effect.INDETERMINATE


def test_a_group_that_is_not_known_is_no_matter_of_rules_that_do_not_name_it():
    """Or a guard that names one would turn the denials of others into doubts."""
    rule = {"name": "dba", "expression": "'dba' in subject.groups", "message": "only for dba"}
    world = catalogue(policy(rules=[rule]), guard("!('team:externals' in subject.groups)"))
    assert outcome(world, "bob").effect is Effect.DENY
    assert outcome(catalogue(policy(rules=[rule])), "bob").effect is Effect.DENY


@pytest.mark.parametrize("field", ["businessOwner", "lifecycleOwner", "approverGroups[0]"])
def test_the_own_groups_of_a_resource_are_asked_about(field):
    owned = resource(
        owners={"business": "team:own", "lifecycle": "team:own"},
        approvers={"groups": ["team:own"], "atLeast": 1},
    )
    world = catalogue(policy(), guard(f"!(resource.{field} in subject.groups)"), resources=(owned,))
    for members, effect in (({2}, Effect.PERMIT), ({1, 2}, Effect.DENY)):
        known = {"contractors": frozenset(), "own": frozenset(members)}
        assert outcome(world, "bob", teams=known).effect is effect
    assert "guard/free" in failing(outcome(world, "bob"))
    known = {"contractors": frozenset(), "own": frozenset({2})}
    record = grant(world, "bob", teams=known)
    assert again(world, record, teams=known).permitted


@pytest.mark.parametrize(
    "expression",
    ["requester.invoker != true", "!(requester.invoker == true)", "requester['invoker'] != true"],
)
def test_whether_somebody_is_an_invoker_is_not_known_while_a_team_is_not(expression):
    lane = {"invokers": ["team:oncall"], "reviewers": ["security"], "incident": "INC-[0-9]+"}
    world = replace(catalogue(policy(), guard(expression)), settings=settings(breakGlass=lane))
    teams = {"contractors": frozenset(), "oncall": frozenset()}
    assert outcome(world, "bob", teams=teams).permitted
    assert outcome(world, "bob", teams={**teams, "oncall": frozenset({1})}).effect is Effect.DENY
    assert outcome(world, "bob", teams={**teams, "oncall": None}).effect is Effect.INDETERMINATE


def test_what_is_recorded_says_which_groups_were_asked_about():
    world = catalogue(policy(), guard("!('team:externals' in subject.groups)"))
    given = facts(world, "bob", teams={**TEAMS, "externals": frozenset()})
    recorded = given.to_json()
    assert recorded["askedGroups"] == ["team:externals"]
    assert DecisionInput.from_json(recorded) == given
    assert "askedGroups" not in facts(catalogue(), "bob").to_json()


def test_a_recorded_input_does_not_answer_what_was_not_asked_then():
    then, today = catalogue(), catalogue(policy(), guard("!('team:externals' in subject.groups)"))
    old = facts(then, "bob")
    assert decide(with_untold(old, [*then.policies.values()]), rules_of(then)).permitted
    asked = with_untold(old, [*today.policies.values()])
    assert decide(asked, rules_of(today)).effect is Effect.INDETERMINATE
    new = facts(today, "bob", teams={**TEAMS, "externals": frozenset()})
    assert with_untold(new, [*today.policies.values()]) is new


def test_a_live_grant_is_asked_about_the_groups_of_today():
    then, today = catalogue(), catalogue(policy(), guard("!('team:externals' in subject.groups)"))
    record = grant(then, "bob")
    assert again(today, record, teams={**TEAMS, "externals": frozenset()}).permitted
    assert again(today, record, teams=TEAMS).effect is Effect.DENY
    assert again(today, record, teams={**TEAMS, "externals": None}).effect is Effect.INDETERMINATE


@pytest.mark.parametrize("name", ["team:juniors", "juniors"])
def test_what_approvers_of_a_live_grant_belonged_to_is_what_was_asked_at_its_issue(name):
    expression = f"approvals.all(a, !('{name}' in a.groups))"
    groups = {"dba": ["bob"], "orders-team": ["dave"], "juniors": ["carol"]}
    then, today = catalogue(policy()), catalogue(policy(), guard(expression), groups=groups)
    teams = {"contractors": frozenset(), "juniors": frozenset({IDS["carol"]})}
    late = again(today, grant(then, "bob"), teams=teams)
    assert late.effect is Effect.INDETERMINATE
    assert name in late.reasons[0].message
    asked = grant(today, "bob", teams=teams)
    assert again(today, asked, teams=teams).permitted
    # An outage of today changes nothing that was known then.
    assert again(today, asked, teams={"contractors": None, "juniors": None}).permitted
    at_issue = catalogue(policy(), guard(expression, appliesAt="issue"), groups=groups)
    assert again(at_issue, grant(then, "bob"), teams=teams).permitted


@pytest.mark.parametrize("named", ["subject.name", "requester.identity"])
def test_identities_are_read_from_expressions(named):
    assert names_in(f"{named} != 'alcie' && 'x' != ''").identities == {"alcie"}
    assert names_in(f"!({named} in ['alice', 'bob'])").identities == {"alice", "bob"}
