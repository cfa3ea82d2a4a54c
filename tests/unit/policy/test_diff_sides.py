"""What a policy diff shows as looser: each way in which changed documents can open something."""

from __future__ import annotations

from dataclasses import replace

import pytest
from policy_world import (
    ACCOUNTS,
    NOW,
    catalogue,
    exception,
    facts,
    identity,
    outcome,
    policy,
    pull_request,
    request,
    resource,
    review,
    settings,
)

from daypass.lifecycle.diff_records import Recorded
from daypass.lifecycle.diff_sides import Side
from daypass.lifecycle.policydiff import shift_of
from daypass.model.decision import Effect
from daypass.model.grant import Lane
from daypass.model.pullrequest import Dismissal, ReviewState
from daypass.policy.asked import PastGrant
from daypass.policy.facts import Stage

GROUPS = {
    "dba": ["bob", "carol"],
    "orders-team": ["dave", "erin"],
    "security": ["frank", "erin"],
    "contractors": ["team:contractors"],
}
OWNED = ["alice", "dave", "erin"]


def machine(**spec):
    own = {"type": "service", "owners": OWNED, "environment": "production"}
    return identity("deployer", **{**own, **spec})


def guard(name="g", **spec):
    return policy(name, effect="guard", **spec)


def shift(base, head, *approvers, then=None, **asked):
    """How what was asked under the documents of `base` comes out under those of `head`."""
    given = facts(base, *approvers, **asked)
    recorded = Recorded("x", "denied", None, given, then or base)
    return shift_of(recorded, Side.of(base), Side.of(head))


def loosened(*given, **asked):
    found = shift(*given, **asked)
    assert found is not None
    assert found.loosens
    return found


def of_machine():
    return {"asked": request(subject="deployer", workload={"runs": "x", "from": "y"})}


def suspended(name):
    return identity(name, status="suspended")


VENDOR = {"organisation": "Example", "sponsor": "dave"}


def vendor(name, end):
    return identity(name, type="vendor", vendor={**VENDOR, "contractEnd": end})


PEOPLE = {
    "subject": (suspended("alice"), identity("alice"), {}),
    "requester": (suspended("alice"), identity("alice"), of_machine()),
    "owner": (suspended("dave"), identity("dave"), of_machine()),
    "vendor": (vendor("alice", "2026-11-22"), vendor("alice", "2026-11-23"), {}),
    "type": (identity("alice", type="agent"), identity("alice"), {}),
}


@pytest.mark.parametrize("who", PEOPLE)
def test_a_person_who_may_again(who):
    before, after, asked = PEOPLE[who]
    owned = machine(owners=["alice", "dave"])
    base = catalogue(identities=(before, owned))
    head = catalogue(identities=(after, owned))
    found = loosened(base, head, "bob", **asked)
    assert (found.before.effect, found.after.effect) == (Effect.DENY, Effect.PERMIT)
    assert found.not_known == ()
    back = shift(head, base, "bob", **asked)
    assert back is not None
    assert not back.loosens


def test_the_sponsor_of_a_vendor_comes_back():
    eve = vendor("alice", "2027-01-31")
    base = catalogue(identities=(eve, suspended("dave")))
    assert loosened(base, catalogue(identities=(eve,)), "bob").not_known == ()


@pytest.mark.parametrize("bar", [suspended("bob"), vendor("bob", "2026-11-22")])
def test_an_approver_whose_word_did_not_count_then(bar):
    """No record holds a review that did not count: whether it was given is not known."""
    base, head = catalogue(identities=(bar,)), catalogue()
    found = loosened(base, head, "bob")
    assert found.not_known == (
        "whether bob approved or dismissed is not recorded: it did not count then",
    )
    assert loosened(base, head).not_known == found.not_known  # nor does it matter here
    gone = replace(head, identities={k: v for k, v in head.identities.items() if k != "bob"})
    groups = {**GROUPS, "dba": ["team:dba"]}
    team = {"teams": {"contractors": frozenset(), "dba": frozenset({2})}}
    base = catalogue(identities=(bar,), groups=groups)
    gone = replace(gone, settings=base.settings)
    assert loosened(base, gone, "bob", **team).not_known[-1].startswith("whether account 2 ")


def test_a_part_in_it_that_somebody_has_no_longer():
    base = catalogue(identities=(machine(),), groups={**GROUPS, "dba": ["dave", "carol"]})
    others = machine(owners=["alice", "erin"])
    head = replace(base, identities={**base.identities, "deployer": others})
    found = loosened(base, head, "dave", **of_machine())
    assert found.not_known[0].startswith("whether dave approved")


def test_whoever_asked_may_ask_now():
    base = catalogue(identities=(machine(owners=["bob", "dave"]),))
    head = catalogue(identities=(machine(owners=["alice", "dave"]),))
    found = loosened(base, head, "carol", **of_machine())
    assert found.not_known[0].startswith("whether bob, carol, erin approved")


def test_somebody_joins_the_group_that_approves():
    base = catalogue(groups=GROUPS)
    head = catalogue(groups={**GROUPS, "dba": ["bob", "carol", "frank"]})
    assert loosened(base, head, "frank").not_known == ()


def test_somebody_joins_a_group_that_a_rule_asks_of_the_requester():
    rule = {"name": "r", "expression": "'dba' in requester.groups", "message": "dba only"}
    both = (policy(), guard(rules=[rule]))
    base = catalogue(*both, groups=GROUPS)
    head = catalogue(*both, groups={**GROUPS, "dba": ["bob", "carol", "alice"]})
    assert loosened(base, head, "bob").not_known == ()


def test_a_person_who_is_in_a_permitted_group_now():
    own = policy(match={"subjects": {"groups": ["security"]}})
    base = catalogue(own, groups=GROUPS)
    head = catalogue(own, groups={**GROUPS, "security": ["frank", "alice"]})
    assert loosened(base, head, "bob").not_known == ()


UNASKED = ("who belonged to team:new was not asked then",)


@pytest.mark.parametrize("by_group", [False, True])
def test_a_permit_opened_to_a_team_that_nobody_asked_about(by_group):
    base = catalogue(policy(match={"subjects": {"groups": ["security"]}}), groups=GROUPS)
    opened = policy(match={"subjects": {"groups": ["new" if by_group else "team:new"]}})
    groups = {**GROUPS, "new": ["team:new"]} if by_group else GROUPS
    found = loosened(base, catalogue(opened, groups=groups), "bob")
    assert found.not_known == UNASKED
    # One that was asked about, and whose members are known, is no guess.
    contractors = policy(match={"subjects": {"groups": ["contractors"]}})
    assert shift(base, catalogue(contractors, groups=GROUPS), "bob") is None
    unanswered = loosened(
        base, catalogue(contractors, groups=GROUPS), "bob", teams={"contractors": None}
    )
    assert unanswered.not_known == ("who belonged to team:contractors was not asked then",)
    member = {"teams": {"contractors": frozenset({1})}}
    assert loosened(base, catalogue(contractors, groups=GROUPS), "bob", **member).not_known == ()


def test_a_team_of_the_same_name_and_another_id_was_not_asked():
    def pinned(number):
        world = catalogue(policy(match={"subjects": {"groups": ["contractors"]}}))
        return replace(world, settings=settings(teams={"contractors": number}, groups=GROUPS))

    known = {"teams": {"contractors": frozenset()}}
    found = loosened(pinned(1), pinned(2), "bob", **known)
    assert found.not_known == ("who belonged to team:contractors was not asked then",)
    assert shift(pinned(1), pinned(1), "bob", **known) is None


def test_a_guard_narrowed_to_a_team_that_nobody_asked_about():
    short = {"limits": {"maxDuration": "30m"}}
    base = catalogue(policy(), guard(**short))
    head = catalogue(policy(), guard(match={"subjects": {"groups": ["team:new"]}}, **short))
    found = loosened(base, head, "bob")
    assert (found.before.seconds, found.after.seconds) == (1800, 7200)
    assert found.not_known == UNASKED
    assert loosened(base, catalogue(policy()), "bob").not_known == ()


def test_an_approval_by_a_team_that_nobody_asked_about():
    base = catalogue()
    head = catalogue(resources=(resource(approvers={"groups": ["team:new"], "atLeast": 1}),))
    found = loosened(base, head, "frank")
    assert found.not_known == UNASKED


def test_invokers_of_break_glass():
    emergency = policy(match={"lanes": ["break-glass"]})
    base, head = catalogue(emergency), catalogue(emergency)
    lane = {"invokers": ["alice"], "reviewers": ["security"], "incident": "INC-[0-9]+"}
    head = replace(head, settings=settings(breakGlass=lane))
    for before in ({**lane, "invokers": ["bob"]}, {**lane, "invokers": ["security"]}):
        base = replace(base, settings=settings(breakGlass=before))
        found = loosened(base, head, lane=Lane.BREAK_GLASS)
        assert found.not_known == ()
    teams = {**lane, "invokers": ["team:new"]}
    head = replace(head, settings=settings(breakGlass=teams))
    assert loosened(base, head, lane=Lane.BREAK_GLASS).not_known == UNASKED


@pytest.mark.parametrize(
    "change",
    [
        {"recording": "required"},
        {"maxDuration": "1h"},
        {"approvers": {"groups": ["dba"], "atLeast": 2}},
        {"approvers": {"groups": ["security"], "atLeast": 1}},
        {"sensitivity": "critical"},
        {"environment": "staging", "type": "ssh"},
    ],
)
def test_a_resource(change):
    about = policy(match={"resources": {"environments": ["production"]}})
    base, head = catalogue(about, resources=(resource(**change),)), catalogue(about)
    assert loosened(base, head, "bob").not_known == ()


def test_longer_tiers_and_a_delivery_without_a_claim():
    def world(**spec):
        tiers = {"1h": "orders-ro-1h"}
        level = {"engine": "database", "mount": "database", "tiers": tiers, **spec}
        return catalogue(resources=(resource(levels={"read": level}),))

    assert loosened(world(), world(tiers={"4h": "orders-ro-4h"}), "bob").after.seconds == 7200
    assert loosened(world(issue="on-claim"), world(), "bob")


def test_an_exception_and_somebody_who_answered_for_one():
    own = machine(owners=["alice", "frank"], authn=None)
    open_to = resource(approvers={"groups": ["dba", "orders-team"], "atLeast": 1})
    base = catalogue(identities=(own,), resources=(open_to,))
    head = replace(base, exceptions={"one": exception("one", attributedTo="bob")})
    found = loosened(base, head, "carol", "dave", **of_machine())
    assert found.not_known == ()
    # bob answers for it no longer: his word, which did not count, may have been given.
    fewer = replace(head, exceptions={"other": exception("other", attributedTo="frank")})
    found = loosened(head, fewer, "dave", **of_machine())
    assert found.not_known[0].startswith("whether bob approved")


def test_a_no_whose_author_is_known_no_longer_and_one_that_others_may_take_back():
    no = review("frank", ReviewState.CHANGES_REQUESTED)
    base = catalogue(groups={**GROUPS, "security": ["erin"]})
    people = {name: item for name, item in base.identities.items() if name != "frank"}
    pull = {"pull": pull_request(no, review("bob"))}
    # While a team is unknown no one can be said to be a stranger: the same documents, no team.
    plain = {key: value for key, value in GROUPS.items() if key != "contractors"}
    base = replace(base, settings=settings(groups={**plain, "security": ["erin"]}))
    assert loosened(base, replace(base, identities=people), **pull).not_known == ()
    taken = Dismissal(7, ReviewState.CHANGES_REQUESTED, ACCOUNTS["erin"], NOW.plus(-90))
    dismissed = pull_request(
        review("bob"), review("frank", ReviewState.DISMISSED, number=7), dismissals=(taken,)
    )
    base = catalogue(groups={**GROUPS, "orders-team": ["dave"], "security": ["frank"]})
    head = catalogue(groups={**GROUPS, "orders-team": ["dave", "erin"], "security": ["frank"]})
    found = loosened(base, head, pull=dismissed)
    assert found.not_known[0].startswith("whether erin approved or dismissed")


def test_an_exception_takes_no_objection_of_its_person_away():
    no = pull_request(review("bob"), review("frank", ReviewState.CHANGES_REQUESTED))
    named = exception("one", "built-in/own-keys", attributedTo="frank", subject="alice")
    base = catalogue(policy())
    head = catalogue(policy(), exceptions=(named,))
    assert shift(base, head, pull=no) is None
    assert shift(head, base, pull=no) is None


def test_what_is_left_open_where_it_was_denied_counts_as_looser():
    never = {"name": "r", "expression": "false", "message": "never"}
    asks = {**never, "expression": "context.posture.value == 1"}
    base = catalogue(policy(), guard(rules=[never]))
    found = loosened(base, catalogue(policy(), guard(rules=[asks])), "bob")
    assert found.after.effect is Effect.INDETERMINATE
    assert found.not_known == ("g/r: never (the settings declare no context posture)",)


def test_what_came_from_outside_stays_as_it_was():
    """Approvals that counted, other grants, overdue reviews."""
    past = PastGrant("g", Lane.ROUTINE, "orders-db", "read", NOW.plus(-60), NOW.plus(60), live=True)
    base = catalogue(policy(limits={"concurrent": 1}))
    found = loosened(base, catalogue(policy(limits={"concurrent": 2})), "bob", history=(past,))
    assert found.after.permitted
    assert shift(base, base, "bob", history=(past,)) is None
    given = facts(base, "bob")
    overdue = replace(given, subject=replace(given.subject, overdue=("e-1",)))
    recorded = Recorded("x", "denied", None, overdue, base)
    assert shift_of(recorded, Side.of(base), Side.of(base)) is None
    assert not Side.of(base).decide(recorded).permitted


def test_a_live_grant_keeps_whose_word_was_counted_when_it_was_issued():
    given = facts(catalogue(), "bob")
    issued = replace(given.request, issued_at=str(NOW))
    live = replace(given, stage=Stage.LIVE, request=issued, now=str(NOW.plus(60)))
    recorded = Recorded("x", "live", None, live, catalogue())
    left = catalogue(groups={**GROUPS, "dba": ["carol"]}, identities=(suspended("bob"),))
    assert shift_of(recorded, Side.of(catalogue()), Side.of(left)) is None
    gone = catalogue(identities=(suspended("alice"),))
    found = shift_of(recorded, Side.of(catalogue()), Side.of(gone))
    assert found is not None
    assert not found.loosens


def test_a_record_without_the_documents_of_its_time_knows_no_team():
    about = policy(match={"subjects": {"groups": ["contractors"]}})
    base, head = catalogue(groups=GROUPS), catalogue(about, groups=GROUPS)
    assert not outcome(head, "bob").permitted
    recorded = Recorded("x", "issued", None, facts(base, "bob"), None)
    found = shift_of(recorded, Side.of(head), Side.of(base))
    assert found is not None
    assert found.loosens
    assert found.not_known == ("who belonged to team:contractors was not asked then",)
