"""Time zones: what of them is in a decision's input, and what becomes of one that is not known."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from policy_world import (
    MERGED,
    NOW,
    catalogue,
    exception,
    facts,
    failing,
    identity,
    outcome,
    policy,
    pull_request,
    request,
    resource,
    review,
    rules_of,
)
from test_live import again, grant

from daypass.errors import PermanentError
from daypass.lifecycle import deciding
from daypass.lifecycle.base import Ruling
from daypass.lifecycle.deciding import decide_merged
from daypass.lifecycle.diff_records import Recorded
from daypass.lifecycle.diff_sides import Side
from daypass.lifecycle.inquiry import Inquiry
from daypass.lifecycle.reevaluate import reevaluate
from daypass.lifecycle.world import World
from daypass.model import zone_database
from daypass.model.canonical import canonical_json
from daypass.model.decision import Effect
from daypass.model.grant import Lane
from daypass.model.instant import Instant
from daypass.model.zone_database import database_version, find_zone
from daypass.policy import zone, zone_facts
from daypass.policy.asked import Asked, Surroundings
from daypass.policy.decide import decide
from daypass.policy.expression_zones import localised
from daypass.policy.expressions import ExpressionError, compile_expression
from daypass.policy.groups import resolve_groups
from daypass.policy.input import DecisionInput
from daypass.policy.live import LiveInputs
from daypass.policy.zone import ZoneFacts

ZURICH = {"timeZone": "Europe/Zurich", "from": "07:00", "to": "18:00"}
NOWHERE = {"timeZone": "Mars/Olympus", "from": "00:00", "to": "23:59"}
ELEVEN = "now.getHours('Europe/Zurich') == 11"
# As daypass 0.1.0 recorded it, before inputs held time zones.
OLD = (
    '{"approvals":{"blockedBy":[],"counted":[{"accountId":2,"at":"2026-11-23T09:50:00Z","commit":'
    '"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","groups":["dba"],"identity":"bob","reviewId":1002}]'
    ',"excluded":[1],"fault":null,"status":"known"},"context":{},"groups":{"dba":{"members":[{'
    '"accountId":2,"identity":"bob"},{"accountId":3,"identity":"carol"}],"status":"known"},'
    '"orders-team":{"members":[{"accountId":4,"identity":"dave"},{"accountId":5,"identity":"erin"}]'
    ',"status":"known"}},"history":{"grants":[],"holders":[],"renewed":null,"status":"known"},'
    '"now":"2026-11-23T10:00:00Z","request":{"access":"read","device":null,"drill":false,'
    '"durationSeconds":7200,"id":"alice-orders-1","issuedAt":null,"lane":"routine","notBefore":null'
    ',"reasonLength":29,"renews":null,"resource":"orders-db","subject":"alice","ticket":null,'
    '"workloadDeclared":false},"requester":{"accountId":1,"groups":[],"identity":"alice","invoker":'
    'true,"overdue":[],"status":"active","type":"human"},"resource":{"approverGroups":["dba"],'
    '"approversAtLeast":1,"approversOwner":false,"businessOwner":"orders-team","environment":'
    '"production","labels":{},"level":{"engine":"database","issue":"on-merge","longestSeconds":'
    '28800,"name":"read"},"levels":["read"],"lifecycleOwner":"dba","maxDurationSeconds":28800,'
    '"name":"orders-db","recording":"none","sensitivity":"moderate","type":"database"},"stage":'
    '"issue","subject":{"accountId":1,"authnMethod":null,"autonomy":null,"contractEnd":null,'
    '"environment":null,"groups":[],"keysSharedWith":[],"labels":{},"name":"alice","overdue":[],'
    '"owners":[],"pinnedRecipients":1,"sponsor":null,"status":"active","tools":[],"type":"human"},'
    '"unknownGroups":[],"version":1}'
)
OLD_DIGEST = "sha256:e4bbb8f740f716470c673bdb202a1e685dd538dcaa15d58788365455fbb06e1e"


def free(expression: str, **more: str) -> list[dict[str, str]]:
    return [{"name": "free", "expression": expression, "message": "must hold", **more}]


@pytest.fixture
def no_database(monkeypatch):
    """Another machine, of another year: nothing of today's database is there."""

    def forget() -> None:
        zone_database.find_zone.cache_clear()
        zone_database.zone_names.cache_clear()
        monkeypatch.setattr(zone_database, "_data", lambda _path: None)

    yield forget
    monkeypatch.undo()
    zone_database.find_zone.cache_clear()
    zone_database.zone_names.cache_clear()


@pytest.mark.parametrize(
    "world",
    [
        catalogue(policy(limits={"times": ZURICH})),
        catalogue(policy(rules=free(ELEVEN))),
        catalogue(policy(enforcement="audit", limits={"times": ZURICH})),
    ],
)
def test_the_input_holds_the_offset_of_each_zone_that_a_policy_names(world):
    given = facts(world, "bob").to_json()
    expected = {"Europe/Zurich": {"offsetSeconds": 3600, "database": database_version()}}
    assert given["zones"] == expected
    summer = facts(world, "bob", now=Instant.parse("2026-07-01T10:00:00Z")).to_json()
    assert summer["zones"]["Europe/Zurich"]["offsetSeconds"] == 7200


def test_an_input_without_zones_has_the_bytes_of_before():
    assert "zones" not in facts(catalogue(), "bob").to_json()


def test_a_recorded_input_of_before_has_the_same_bytes_and_the_same_word():
    read = DecisionInput.from_json(json.loads(OLD))
    assert canonical_json(read.to_json()).decode() == OLD
    assert read.digest == OLD_DIGEST
    for spec, effect in (
        ({"limits": {"times": ZURICH}, "rules": free(ELEVEN)}, Effect.PERMIT),
        ({"limits": {"times": {**ZURICH, "from": "11:01"}}}, Effect.DENY),
        ({"rules": free("now.getHours('Europe/Zurich') == 10")}, Effect.DENY),
    ):
        decision = decide(read, rules_of(catalogue(policy(**spec))), recorded=json.loads(OLD))
        assert (decision.effect, decision.input_digest) == (effect, OLD_DIGEST)


def test_a_recorded_decision_is_made_again_without_a_database(no_database):
    world = catalogue(policy(limits={"times": ZURICH}, rules=free(ELEVEN)))
    rules, recorded = rules_of(world), facts(world, "bob").to_json()
    first = decide(DecisionInput.from_json(recorded), rules, recorded=recorded)
    assert first.permitted
    no_database()
    assert decide(DecisionInput.from_json(recorded), rules, recorded=recorded) == first
    assert DecisionInput.from_json(recorded).to_json() == recorded


def test_the_recorded_offset_decides_and_not_the_database_of_today():
    """As if a country had moved its clocks since."""
    world = catalogue(policy(limits={"times": ZURICH}), policy("free", rules=free(ELEVEN)))
    recorded = facts(world, "bob").to_json()
    recorded["zones"]["Europe/Zurich"]["offsetSeconds"] = -10 * 3600
    decision = decide(DecisionInput.from_json(recorded), rules_of(world), recorded=recorded)
    assert failing(decision) == {"orders-read/times", "free/free"}


@pytest.mark.parametrize("offset", ["3600", True, 1.5, 86400, -86400, [], {}])
def test_an_offset_that_cannot_be_is_no_input(offset):
    recorded = facts(catalogue(policy(limits={"times": ZURICH})), "bob").to_json()
    recorded["zones"]["Europe/Zurich"]["offsetSeconds"] = offset
    with pytest.raises(ValueError, match="offset"):
        DecisionInput.from_json(recorded)


@pytest.mark.parametrize("name", ["US/Pacific", "Asia/Calcutta", "EST5EDT", "UTC", "Etc/GMT+12"])
def test_aliases_are_known(name):
    assert find_zone(name) is not None


@pytest.mark.parametrize(
    "name", ["europe/zurich", "localtime", "../zones", "/etc/localtime", "posixrules", "", "zones"]
)
def test_only_names_of_the_database_are_known(name):
    assert find_zone(name) is None


def test_what_the_environment_says_of_zones_is_not_asked(monkeypatch, tmp_path):
    for variable, value in (("TZ", "Asia/Tokyo"), ("TZDIR", str(tmp_path))):
        monkeypatch.setenv(variable, value)
    world = catalogue(policy(rules=free("now.getHours('Asia/Kolkata') == 15")))
    assert outcome(world, "bob").permitted
    assert outcome(catalogue(policy(rules=free("now.getHours() == 10"))), "bob").permitted
    machine = outcome(catalogue(policy(rules=free("now.getHours('localtime') == 19"))), "bob")
    assert machine.effect is Effect.INDETERMINATE


@pytest.mark.parametrize(
    ("expression", "zones"),
    [
        (ELEVEN, {"Europe/Zurich"}),
        ('now . getHours ( "Europe/Zurich" ) == 11', {"Europe/Zurich"}),
        ("(now).getHours('Europe/Zurich') == 11", {"Europe/Zurich"}),
        ("now.getDayOfWeek('Asia/Tokyo') == 1", {"Asia/Tokyo"}),
        ("now.getDate('Pacific/Kiritimati') == 24", {"Pacific/Kiritimati"}),
        ("now.getHours('+01:00') == 11 && now.getHours('') == 10", set()),
        ("timestamp('2026-07-01T10:00:00Z').getHours('Europe/Zurich') == 12", {"Europe/Zurich"}),
        ("(now + duration('1h')).getHours('UTC') == 11", {"UTC"}),
        ('"now.getHours(\'X\')" == "now.getHours(\\\'X\\\')"', set()),
        ("r'\\w' != 'x' && now.getHours('UTC') == 10 // now.getHours('X')", {"UTC"}),
        ("now.getHours(r'Europe/Zurich') == 11", {"Europe/Zurich"}),
        ("now.getHours('''Europe/Zurich''') == 11", {"Europe/Zurich"}),
        ("now. // the hour\n getHours('Europe/Zurich' // )\n) == 11", {"Europe/Zurich"}),
        ("!has(resource.labels.getDate) && !has(resource.labels.daypass_local)", set()),
        ("[timestamp('2026-07-01T10:00:00Z')].all(now, now.getHours('Europe/Zurich') == 12)",
         {"Europe/Zurich"}),
    ],
)  # fmt: skip
def test_zones_in_expressions(expression, zones):
    world = catalogue(policy(rules=free(expression)))
    assert localised(expression).zones == zones
    assert outcome(world, "bob").permitted
    assert set(facts(world, "bob").zones) == zones


@pytest.mark.parametrize(
    "expression",
    [
        "now.daypass_local('Europe/Zurich').getHours() == 11",
        "now.daypass_local('Europe/Zurich', now, daypass_zones).getHours() == 11",
        "daypass_local(now, 'Europe/Zurich') == now",
        "daypass_zones == {}",
    ],
)
def test_the_function_that_stands_for_a_zone_is_not_to_be_called(expression):
    with pytest.raises(ExpressionError, match=r"reserved|undeclared"):
        compile_expression(expression)
    assert outcome(catalogue(policy(rules=free(expression))), "bob").effect is Effect.DENY


LABELLED = OLD.replace(
    '"labels":{},"level":', '"labels":{"getDate":"x","zone":"Europe/Zurich"},"level":'
)
COMPUTED = [
    ("now.getHours('Europe/' + 'Zurich')", {"Europe/Zurich"}),
    ("now.getHours(resource.labels.zone)", {"Europe/Zurich"}),
    ("now.getHours((resource.labels.zone))", {"Europe/Zurich"}),
    ("now.getHours('Europe\\x2fZurich')", {"Europe/Zurich"}),
    ("now.getHours(true ? 'Europe/Zurich' : 'Mars/Olympus')", {"Europe/Zurich"}),
    ("now.getHours('+01' + ':00')", set()),
    ("now.getHours('-' + '01:00') + 2", set()),
    ("now.getHours('' + '') + 1", set()),
]


@pytest.mark.parametrize(
    "expression",
    [
        "now.getHours(r'Europe/Zurich') == {}",
        "now.getHours('Europe/Zurich' // in winter\n) == {}",
        "now.getHours('+01:00') == {} && now.getHours('Fixed/UTC+01:00:00') == {}",
        "now.getHours('01:00') == {}",
        "resource.labels.getDate == 'x' && now.getHours() + 1 == {}",
        *(f"{call} == {{}}" for call, _ in COMPUTED),
    ],
)
def test_expressions_of_0_1_0_have_the_same_word(expression):
    """Golden: what 0.1.0 said of each, of a recorded input and of a live grant."""
    recorded = json.loads(LABELLED)
    read = DecisionInput.from_json(recorded)
    assert canonical_json(read.to_json()).decode() == LABELLED
    labelled = (replace(resource(), labels={"getDate": "x", "zone": "Europe/Zurich"}),)
    for hour, effect in ((11, Effect.PERMIT), (12, Effect.DENY)):
        rules = free(expression.replace("{}", str(hour)))
        world = catalogue(policy(rules=rules), resources=labelled)
        assert decide(read, rules_of(world), recorded=recorded).effect is effect
        assert again(world, grant(catalogue(), "bob")).effect is effect


@pytest.mark.parametrize(("call", "zones"), COMPUTED)
def test_a_computed_zone_is_recorded_as_it_was_used(call, zones, no_database):
    labelled = (replace(resource(), labels={"zone": "Europe/Zurich"}),)
    rules = free(f"{call} == 11", appliesAt="issue")
    world = catalogue(policy(rules=rules), resources=labelled)
    given = facts(world, "bob").to_json()
    assert set(given.get("zones", {})) == zones
    no_database()
    decision = decide(DecisionInput.from_json(given), rules_of(world), recorded=given)
    assert decision.permitted
    # A live grant is not decided by it, and its input does not hold it.
    inputs = LiveInputs(NOW.plus(60), world, resolve_groups(world, {}))
    assert inputs.of(grant(catalogue(), "bob"), {}).zones == {}


@pytest.mark.parametrize(
    ("call", "effect"),
    [
        ("now.getHours('Mars/' + 'Olympus') == 1", Effect.INDETERMINATE),
        ("!(now.getHours('Mars/' + 'Olympus') == 1)", Effect.INDETERMINATE),
        ("now.getHours('libc:' + 'localtime') == 1", Effect.INDETERMINATE),
        ("now.getHours(resource.labels.zone) == 1", Effect.DENY),  # there is none
        ("now.getHours(request.durationSeconds) == 1", Effect.DENY),
        ("false && now.getHours('Mars/' + 'Olympus') == 1", Effect.DENY),
    ],
)
def test_a_computed_zone_that_is_not_known(call, effect):
    world = catalogue(policy(rules=free(call)))
    assert outcome(world, "bob").effect is effect
    assert again(world, grant(catalogue(), "bob")).effect is effect


OTHER_TIMES = [
    "timestamp('2026-07-01T09:00:00Z').getHours('Europe/Zurich') == 11",
    "(now + duration('2h')).getHours('Europe/Zurich') == 13",
    "(now + duration('4800h')).getHours('Europe/' + 'Zurich') == 12",
    "timestamp('1893-01-01T00:00:00Z').getMinutes('Europe/Zurich') == 29",
]


@pytest.mark.parametrize("expression", OTHER_TIMES)
def test_another_time_than_now_is_decided_without_a_database(expression, no_database):
    world = catalogue(policy(rules=free(expression)))
    rules, recorded = rules_of(world), facts(world, "bob").to_json()
    first = decide(DecisionInput.from_json(recorded), rules, recorded=recorded)
    assert first.permitted
    (at,) = recorded["zones"]["Europe/Zurich"]["at"]
    no_database()
    read = DecisionInput.from_json(recorded)
    assert read.to_json() == recorded
    assert decide(read, rules, recorded=recorded) == first
    # What the input does not hold, whether of that time or of all: not known, and no denial.
    del recorded["zones"]["Europe/Zurich"]["at"][at]
    for given in (recorded, {**recorded, "zones": {}}):
        second = decide(DecisionInput.from_json(given), rules, recorded=given)
        assert second.effect is Effect.INDETERMINATE


def test_an_input_of_before_without_a_database_is_no_denial(no_database):
    """Of the time when inputs held no zones: it rests on the database of today."""
    no_database()
    recorded = json.loads(OLD)
    for expression in (ELEVEN, *OTHER_TIMES, *(f"{call} == 11" for call, zones in COMPUTED[:1])):
        rules = rules_of(catalogue(policy(rules=free(expression))))
        decision = decide(DecisionInput.from_json(recorded), rules, recorded=recorded)
        assert decision.effect is Effect.INDETERMINATE


@pytest.mark.parametrize("at", [{"x": "1"}, {"x": 86400}, {"x": None}, [], "x"])
def test_an_offset_at_another_time_that_cannot_be_is_no_input(at):
    recorded = facts(catalogue(policy(rules=free(OTHER_TIMES[0]))), "bob").to_json()
    recorded["zones"]["Europe/Zurich"]["at"] = at
    with pytest.raises(ValueError, match="offset"):
        DecisionInput.from_json(recorded)


def test_an_input_holds_no_more_times_than_fit(monkeypatch):
    monkeypatch.setattr(zone_facts, "MAX_READINGS", 2)
    days = ", ".join(f"timestamp('2026-07-0{day}T00:00:00Z')" for day in (1, 2, 3))
    world = catalogue(policy(rules=free(f"[{days}].all(day, day.getHours('UTC') == 0)")))
    given = facts(world, "bob")
    assert len(given.zones["UTC"].at) == 2
    assert decide(given, rules_of(world)).effect is Effect.INDETERMINATE


def test_only_policies_that_are_about_it_put_zones_into_the_input():
    other = {"match": {"resources": {"names": ["another"]}}}
    tokyo = {"timeZone": "Asia/Tokyo", "from": "00:00", "to": "23:59"}
    policies = [
        policy("b", limits={"times": ZURICH}),
        policy("a", rules=free("now.getHours('UTC') == 10")),
        policy("c", limits={"times": tokyo}, rules=free("now.getHours('US/Pacific') > 0"), **other),
    ]
    given = facts(catalogue(*policies), "bob")
    assert list(given.zones) == ["Europe/Zurich", "UTC"]
    assert given.to_json() == facts(catalogue(*reversed(policies)), "bob").to_json()


def test_each_zone_of_the_database_is_read_once_in_a_run(monkeypatch):
    read = []
    data = zone_database._data
    zone_database.find_zone.cache_clear()
    monkeypatch.setattr(zone_database, "_data", lambda path: read.append(path) or data(path))
    names = sorted(zone_database.zone_names())
    for name in (*names, *names):
        assert find_zone(name) is not None
    assert len([path for path in read if path != "zones"]) == len(names)


def test_a_recorded_question_is_put_to_policies_that_name_other_zones():
    """As `plan --policy-diff` does: what was recorded counts, the rest is worked out."""
    recorded = facts(catalogue(policy(limits={"times": ZURICH})), "bob")
    shifted = replace(recorded, zones={"Europe/Zurich": ZoneFacts(-10 * 3600, "1999z")})
    tokyo = {"timeZone": "Asia/Tokyo", "from": "19:00", "to": "19:01"}
    for asked, effect in ((recorded, Effect.PERMIT), (shifted, Effect.DENY)):
        world = catalogue(policy(limits={"times": tokyo}, rules=free(ELEVEN)))
        decision = Side.of(world).decide(Recorded("x", "denied", None, asked, world))
        assert decision.effect is effect
        assert failing(decision) <= {"orders-read/free"}


# A zone that is not known: the machine's error, which waits


UNKNOWN = [{"limits": {"times": NOWHERE}}, {"rules": free("now.getHours('Mars/Olympus') == 1")}]


def merged(world, approvers=("bob",), base=None):
    """The decision on a merged request, as an apply asks for it."""
    groups = resolve_groups(world, {"contractors": frozenset()})
    asked = Asked(request(), Lane.ROUTINE, pull_request().author)
    pull = pull_request(*(review(name) for name in approvers))
    ruling = Ruling("1" * 40, world, rules_of(world), groups)
    before = Ruling("2" * 40, base, rules_of(base), groups) if base is not None else None
    return decide_merged(
        asked, pull, ruling, before, lambda here: Surroundings(NOW, here.groups, (), held=())
    )


@pytest.mark.parametrize("spec", UNKNOWN)
def test_a_request_that_needs_an_unknown_zone_waits(spec):
    world = catalogue(policy(**spec))
    assert outcome(world, "bob").effect is Effect.INDETERMINATE
    with pytest.raises(PermanentError, match="Mars/Olympus was not found in tzdata 20") as error:
        merged(world)
    assert "lock" in error.value.remedy


@pytest.mark.parametrize("spec", UNKNOWN)
def test_an_unknown_zone_of_another_policy_holds_nothing_up(spec):
    other = policy("other", match={"resources": {"names": ["another"]}}, **spec)
    trial = policy("trial", enforcement="audit", effect="guard", **spec)
    assert merged(catalogue(policy(), other, trial)).decision.permitted


@pytest.mark.parametrize("spec", UNKNOWN)
def test_what_is_denied_anyhow_does_not_wait(spec):
    world = catalogue(policy(**spec), identities=(identity("alice", status="suspended"),))
    assert merged(world).decision.effect is Effect.DENY


def test_where_the_package_is_missing_the_error_says_so(no_database, monkeypatch):
    no_database()
    monkeypatch.setattr(zone, "database_version", lambda: "")
    monkeypatch.setattr(zone_facts, "database_version", lambda: "")
    monkeypatch.setattr(deciding, "database_version", lambda: "")
    with pytest.raises(PermanentError, match="the Python package tzdata is not installed"):
        merged(catalogue(policy(limits={"times": ZURICH})))
    # Of main before the merge too: then it is this machine that knows no zone at all.
    with pytest.raises(PermanentError, match="the Python package tzdata is not installed"):
        merged(catalogue(), base=catalogue(policy(limits={"times": ZURICH})))


@pytest.mark.parametrize("spec", UNKNOWN)
def test_a_zone_that_only_main_before_the_merge_names_is_no_error(spec):
    """Main was mended. Its past cannot be: the request is undecided, and then refused."""
    before = catalogue(policy(**spec))
    decided = merged(catalogue(), base=before)
    assert decided.decision.effect is Effect.INDETERMINATE
    assert decided.why[-1] == (
        "main before the merge, at 222222222222, names Mars/Olympus, which no database of time "
        "zones here knows, and main does not any more: ask again under a new id"
    )
    with pytest.raises(PermanentError, match="Mars/Olympus"):
        merged(before, base=before)
    with pytest.raises(PermanentError, match="Mars/Olympus"):
        merged(before, base=catalogue())


def test_an_answer_that_is_missing_besides_a_zone_waits_as_it_would_alone():
    rules = free("now.getHours('Mars/Olympus') == 1 && context.posture.value == 1")
    decided = merged(catalogue(policy(rules=rules)))
    assert decided.decision.effect is Effect.INDETERMINATE


def reevaluated(record, *rulings, since=None):
    """What becomes of a live grant; `since`: a run before had noted a doubt then."""
    groups = resolve_groups(rulings[0], {"contractors": frozenset()})
    observed = World(
        now=MERGED,
        head="1" * 40,
        catalogue=rulings[0],
        ruling=rulings[0],
        tip=None,
        requests={},
        grants={record.id: record},
        slots={},
        intents={},
        live=frozenset({record.accessor}),
    )
    doubts = {} if since is None else {record.id: str(since)}
    pairs = [(item, groups) for item in rulings]
    return reevaluate(observed, pairs, (), doubts, Inquiry())


LONG_AGO = MERGED.plus(-30 * 24 * 3600)
MARS = "now.getHours('Mars/Olympus') == 1"
POSTURE = "context.posture.value == 1"


@pytest.mark.parametrize("expression", [MARS, "now.getHours('Mars/' + 'Olympus') == 1"])
def test_a_live_grant_is_never_ended_by_an_unknown_zone(expression):
    record = grant(catalogue(), "bob")
    today = catalogue(policy(rules=free(expression)))
    assert again(today, record).effect is Effect.INDETERMINATE
    found = reevaluated(record, today, since=LONG_AGO)
    assert found.ends == ()
    assert "Mars/Olympus" in found.alarms[record.id]
    # What another catalogue cannot know for so long ends it all the same.
    doubtful = catalogue(policy(rules=free(POSTURE)))
    for rulings in ([today, doubtful], [doubtful, today]):
        found = reevaluated(record, *rulings, since=LONG_AGO)
        assert [action.grant_id for action in found.ends] == [record.id]


@pytest.mark.parametrize(
    "policies",
    [
        [policy(rules=[*free(POSTURE), {**free(MARS)[0], "name": "zone"}])],
        [policy(rules=free(POSTURE)), policy("guard", effect="guard", rules=free(MARS))],
        [policy(rules=free(f"{MARS} || {POSTURE}"))],
        [policy(rules=free(f"now.getHours('Mars/' + 'Olympus') == 1 || {POSTURE}"))],
    ],
    ids=["two rules", "two policies", "one rule", "one rule that computes it"],
)
def test_an_unknown_zone_hides_no_other_doubt(policies):
    """Another doubt ends a live grant after its grace, with an unknown zone as without."""
    record = grant(catalogue(), "bob")
    found = reevaluated(record, catalogue(*policies), since=LONG_AGO)
    assert [action.grant_id for action in found.ends] == [record.id]
    assert "posture" in found.alarms[record.id]


def test_the_age_of_an_unknown_zone_does_not_count_for_another_doubt():
    record = grant(catalogue(), "bob")
    found = reevaluated(record, catalogue(policy(rules=free(MARS))))
    assert (found.ends, found.doubts) == ((), {})


def test_a_zone_that_approvals_choose_is_gathered_with_those_that_count(no_database):
    """Whoever answers for an exception does not approve what it is about."""
    rules = free("now.getHours(approvals.size() == 0 ? 'Asia/Tokyo' : 'UTC') == 19")
    excepted = exception(subject="alice", attributedTo="bob")
    world = catalogue(policy(rules=rules), exceptions=(excepted,))
    inputs = LiveInputs(NOW.plus(60), world, resolve_groups(world, {}))
    given = inputs.of(grant(catalogue(), "bob"), {})  # approved before there was an exception
    assert list(given.zones) == ["Asia/Tokyo"]
    no_database()
    assert "orders-read/free" not in failing(decide(given, rules_of(world)))
