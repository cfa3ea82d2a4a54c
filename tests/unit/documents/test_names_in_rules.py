"""What an expression names must exist: `validate` says what is misspelt, and what is near."""

from __future__ import annotations

import pytest
from documents_world import POLICY, POLICY_PATH, SETTINGS, SETTINGS_PATH, judged, reported


def ruled(expression: str) -> dict[str, str]:
    rule = f"  rules:\n    - name: r\n      expression: {expression}\n      message: Not you.\n"
    return {POLICY_PATH: POLICY + rule}


@pytest.mark.parametrize(
    ("expression", "rule", "said"),
    [
        (
            "\"!('dbaa' in subject.groups)\"",
            "reference-group",
            "no group `dbaa`; did you mean `dba`",
        ),
        ("approvals.exists(a, 'dab' in a.groups)", "reference-group", "did you mean `dba`"),
        ("subject.groups.all(g, g != 'dbas')", "reference-group", "did you mean `dba`"),
        ("subject.name != 'alicce'", "reference-identity", "did you mean `alice`"),
        ("requester.identity in ['bob', 'alcie']", "reference-identity", "did you mean `alice`"),
        ("\"!('db' + 'a' in subject.groups)\"", "policy-expression", "does not write out"),
        ('"!has(context.postre)"', "reference-context", "no context source `postre`"),
        ("size(subject.groups) > 0", "policy-expression", "other than by their names"),
    ],
)
def test_a_name_that_is_not_there_is_found_where_it_stands(expression, rule, said):
    (found,) = judged(ruled(expression))
    assert (found.rule, found.place) == (rule, f"{POLICY_PATH}:12:19")
    assert said in found.message


@pytest.mark.parametrize(
    "expression",
    [
        "approvals.exists(a, 'dba' in a.groups || 'team:any' in a.groups)",
        "subject.name != 'alice' && subject.labels.team != 'nobody'",
    ],
)
def test_names_that_are_there_are_no_finding(expression):
    assert judged(ruled(expression)) == ()


def test_a_context_source_that_is_misspelt_is_found_by_the_nearest():
    source = "{url: https://mdm.example, pointer: /v, maxAge: 15m}"
    declared = f"{SETTINGS}  context: {{sources: {{posture: {source}}}}}\n"
    files = {**ruled("context.postre.status != 'known'"), SETTINGS_PATH: declared}
    (found,) = judged(files)
    assert found.message.startswith("there is no context source `postre`; did you mean `posture`?")
    right = {**ruled("context.posture.status != 'known'"), SETTINGS_PATH: declared}
    assert judged(right) == ()


def test_a_team_that_an_expression_names_wants_its_id():
    files = ruled("\"!('team:externals' in subject.groups)\"")
    assert "team-by-slug" in [
        item.rule for item in reported(files).notices if "externals" in item.message
    ]
    pinned = {**files, SETTINGS_PATH: SETTINGS + "  teams: {dba: 7}\n"}
    (found,) = judged(pinned)
    assert (found.rule, found.place) == ("team-without-id", f"{POLICY_PATH}:12:19")
    assert "`externals`" in found.message
