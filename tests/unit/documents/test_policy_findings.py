"""What `validate` finds in a policy that loads, and hardly means what it says."""

from __future__ import annotations

import pytest
from documents_world import (
    POLICY,
    POLICY_PATH,
    RESOURCE,
    RESOURCE_PATH,
    SETTINGS,
    SETTINGS_PATH,
    human,
    judged,
    reported,
)

BOB = "access/identities/bob.yaml"


def said(added: str) -> list[str]:
    """What is found in the policy with that line, each as its rule, message and remedy."""
    found = judged({POLICY_PATH: f"{POLICY}  {added}\n"})
    return [f"{item.rule}: {item.message} | {item.remedy}" for item in found]


def free(expression: str) -> str:
    return f"rules: [{{name: free, expression: {expression!r}, message: It is so.}}]"


@pytest.mark.parametrize(
    ("expression", "wrong"),
    [
        ("!has(request.tickett)", "`request` has no field `tickett`; did you mean `ticket`?"),
        ('request["tickett"] == ""', "`request` has no field `tickett`"),
        ("subject.sponsor.nam == subject.name", "`subject.sponsor` has no field `nam`"),
        ("subject.owners[0].mail == null", "`subject.owners[…]` has no field `mail`"),
        ("subject.owners.all(o, o.state == null)", "`o` has no field `state`"),
        ("approvals.exists(a, has(a.grops))", "`a` has no field `grops`; did you mean `groups`?"),
        ("context.posture.valu == 1", "`context.posture` has no field `valu`"),
        ("resource.level.isue == null", "`resource.level` has no field `isue`"),
    ],
)
def test_a_field_that_is_misspelt_is_named(expression, wrong):
    (found,) = said(free(expression))
    assert found.startswith(f"policy-field: {wrong}")


@pytest.mark.parametrize(
    "expression",
    [
        "has(request.ticket) && request.ticket != null // request.tickett",
        'request.ticket == "request.tickett" || "a" in resource.labels.anything',
        "[request].all(request, request.id == resource.name)",
        "approvals.exists(a, subject.labels.team == 'x' && a.groups.exists(g, g == 'dba'))",
        'resource.levels.size() > 1 && now.getHours("UTC") > 1 && request[subject.name] == 1',
    ],
)
def test_what_can_be_read_is_no_finding(expression):
    assert said(free(expression)) == []


@pytest.mark.parametrize(
    ("pattern", "wrong"),
    [
        (r"\QOPS-1\E", r"`\Q` makes plain text of all that follows"),
        (r"(OPS|\Q)", r"`\Q` makes plain text"),  # as a whole it would swallow its own end
        (r"OPS\E", r"`\E` ends a `\Q`"),
        (r"\COPS", r"`\C` is one byte"),
        (r"\<OPS-1", r"`\<` is the character `<` here"),
        ("OPS-[:digit:]+", "`[:digit:]` is a set of the characters"),
        ("OPS-[^:digit:]+", "Write `[[:^digit:]]`."),
        ("OPS-[0-9]{,8}", "Write `{0,8}`."),
    ],
)
def test_a_pattern_that_re2_reads_otherwise_is_named(pattern, wrong):
    for added in (
        f"require: {{ticket: '{pattern}'}}",
        free(f"request.ticket.matches(r'{pattern}')"),
    ):
        found = said(added)
        assert [item.partition(":")[0] for item in found][-1:] == ["policy-pattern"]
        assert wrong in found[-1]


def test_a_text_that_is_not_raw_makes_a_backspace_of_a_word_boundary():
    (found,) = said(
        "rules: [{name: free, message: It is so., "
        "expression: 'request.ticket.matches(\"\\bOPS\")'}]"
    )
    assert "the control character U+0008" in found
    assert "r'…'" in found


@pytest.mark.parametrize(
    "pattern", ["OPS-[[:digit:]]{1,8}", r"[{,8}\]]\{,8", r"\\Q", "[]:a:]", r"(OPS|SEC)-[0-9]+"]
)
def test_a_pattern_that_means_what_it_says_is_no_finding(pattern):
    assert said(f"require: {{ticket: '{pattern}'}}") == []


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("europe/zurich", "did you mean `Europe/Zurich`?"),
        ("Europe/Zurik", "did you mean `Europe/Zurich`?"),
        ("localtime", ""),
        ("posixrules", ""),
        ("Factory", ""),
        ("right/Europe/Zurich", "did you mean `Europe/Zurich`?"),
        ("posix/UTC", ""),
    ],
)
def test_a_zone_is_one_of_the_iana_database_as_it_is_spelt_there(zone, hint):
    times = f'times: {{timeZone: {zone}, from: "08:00", to: "18:00"}}'
    (found,) = said(f"limits: {{{times}}}")
    assert found.startswith(f"policy-time-zone: the time zone {zone} was not found in tzdata")
    assert hint in found
    assert hint or "The nearest that is known is" in found
    (found,) = said(free(f"now.getHours('{zone}') == 1"))
    assert found.startswith("policy-time-zone")


@pytest.mark.parametrize(
    "added",
    [
        'limits: {times: {timeZone: US/Pacific, days: [mon], from: "00:00", to: "24:00"}}',
        'limits: {times: {timeZone: Etc/GMT+5, from: "18:00", to: "06:00"}}',
        "limits: {window: {hours: 24, per: 1d}}",
        f"{free('true')[:-1]}, {{name: other, expression: 'true', message: So it is.}}]",
    ],
)
def test_limits_and_names_that_can_be_are_no_finding(added):
    assert said(added) == []


def asked(at_least: int, groups: str, status: str = "active", **more: str):
    """The report on a repository whose policy asks for so many of the group `own`."""
    stages = f"allOf: [{{group: own, atLeast: {at_least}}}]"
    return reported(
        {
            POLICY_PATH: POLICY.replace("allOf: [{group: dba, atLeast: 1}]", stages),
            SETTINGS_PATH: SETTINGS.replace("groups:\n", f"groups:\n    own: {groups}\n"),
            BOB: human("bob", 12).replace("active", status),
            **more,
        }
    )


def test_more_approvals_than_a_group_has_people_are_found():
    found = asked(3, "[alice, bob]").findings
    assert [item.rule for item in found] == ["approvers-too-few"]
    assert found[0].place == f"{POLICY_PATH}:9:66"
    assert found[0].message == "3 of own must approve, and it names 2 who could (alice, bob)"
    assert asked(2, "[alice, bob]").findings == ()
    assert asked(3, '[alice, bob, "team:dba"]').findings == ()  # GitHub knows how many


def test_people_count_once_within_a_policy_however_often_their_group_is_asked():
    first, second = ("{group: own, atLeast: 1}", "{group: own, atLeast: 2}")
    twice = f"[{{name: a, allOf: [{first}]}}, {{name: b, allOf: [{second}]}}]"
    found = reported(
        {
            POLICY_PATH: POLICY.replace("[{name: dba, allOf: [{group: dba, atLeast: 1}]}]", twice),
            SETTINGS_PATH: SETTINGS.replace("groups:\n", "groups:\n    own: [alice, bob]\n"),
        }
    ).findings
    assert [item.message.partition(",")[0] for item in found] == ["3 of own must approve"]


def test_who_is_suspended_is_told_of_and_keeps_no_change_from_main():
    """Taking somebody's access away must not wait for a smaller number."""
    found = asked(2, "[alice, bob]", "suspended")
    assert {item.rule for item in found.findings} == {"identity-not-answerable"}  # for deployer
    assert [item.rule for item in found.notices if item.rule.startswith("approvers")] == [
        "approvers-too-few"
    ]


def test_settings_and_resources_ask_for_no_more_than_their_groups_have():
    settings = SETTINGS.replace("groups:\n", "groups:\n    own: [alice]\n").replace(
        "owners: [dba]", "owners: [own], atLeast: 2"
    )
    resource = RESOURCE.replace("[dba], atLeast: 1", "[own], atLeast: 2")
    found = reported({SETTINGS_PATH: settings, RESOURCE_PATH: resource}).findings
    assert [(item.rule, item.path) for item in found] == [
        ("approvers-too-few", SETTINGS_PATH),
        ("approvers-too-few", RESOURCE_PATH),
    ]
