"""CODEOWNERS as GitHub documents it, and areas: what every path of a folder has in common."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daypass.documents.codeowners import OwnerRule, deciding, parse

# The examples of GitHub's "About code owners", and gitignore's rules that they stand on.
DOCUMENTED = """\
# This is a comment.
*       @global-owner1 @global-owner2
*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/*  docs@example.com
apps/ @octocat
/docs/ @doctocat
/scripts/ @doctocat @octocat
**/logs @octocat
/apps/ @octocat
/apps/github
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("README.md", 2),
        ("a/b/c", 2),
        ("a/x.js", 3),
        ("x.go", 4),
        ("a/x.txt", 5),
        ("build/logs/a/b", 11),
        ("build/x", 2),
        ("more/docs/x", 2),
        ("docs/x", 9),
        ("docs/build-app/x.md", 9),
        ("src/apps/x", 8),
        ("scripts/x.js", 10),
        ("a/logs", 11),
        ("a/logs/x.js", 11),
        ("apps/x", 12),
        ("apps/github/x", 13),
        ("apps/github", 13),
    ],
)
def test_the_last_matching_line_owns_a_path(path: str, line: int) -> None:
    found, whole = deciding(parse(DOCUMENTED), path)
    assert (whole, [rule.line for rule in found]) == (True, [line])


def test_a_line_without_owners_and_what_does_not_work_in_this_file() -> None:
    rules = parse("a\\ b @x\n!c @y\n[ab] @z\n  # d @w\n/ @v\n\n\\*.c @u # e\n")
    assert [(rule.pattern, rule.owners) for rule in rules] == [
        ("a\\ b", ("@x",)),
        ("!c", ("@y",)),
        ("[ab]", ("@z",)),
        ("/", ("@v",)),
        ("\\*.c", ("@u",)),
    ]
    assert rules[0].matches("a b")
    assert not rules[2].matches("a")
    assert not rules[3].matches("a")
    assert rules[4].matches("*.c")
    assert not rules[4].matches("x.c")


@pytest.mark.parametrize(
    ("pattern", "covers", "touches"),
    [
        ("*", True, True),
        ("/access/", True, True),
        ("access/policies", True, True),
        ("/access/policies/**", True, True),
        ("/access/**", True, True),
        ("policies/", True, True),
        ("**/policies/**", True, True),
        ("/*/policies/", True, True),
        ("/access/policies/*", False, True),
        ("/access/*", False, False),
        ("/*", False, False),
        ("/access/policies/team/", False, True),
        ("*.yaml", False, True),
        ("/access/policies/**/*.yaml", False, True),
        ("/access/resources/", False, False),
        ("/policies/", False, False),
        ("access/policies.yaml", False, False),
        ("/access/Policies/", False, False),
        ("/", False, False),
    ],
)
def test_what_a_pattern_says_of_a_folder(pattern: str, covers: bool, touches: bool) -> None:
    rule = OwnerRule(1, pattern, ())
    assert (rule.covers("access/policies"), rule.touches("access/policies")) == (covers, touches)


def test_every_rule_that_may_own_a_part_decides_of_a_folder() -> None:
    rules = parse("* @a\n/access/ @b\n*.json @c\n/access/policies/x/\n/src/ @d\n")
    found, whole = deciding(rules, "access/policies/")
    assert (whole, [rule.line for rule in found]) == (True, [4, 3, 2])
    assert deciding(rules[2:], "access/policies/")[1] is False


@pytest.mark.parametrize(
    "pattern",
    [
        "//.github/",
        "./.github/",
        "/./.github/",
        "/x/../.github/",
        "/.github//workflows/",
        "/**.yml",
        "/.github/**.yml",
        "/[.]github/",
        "\\.github/",
        "!/.github/",
        "//",
        ".",
    ],
)
def test_a_pattern_that_can_be_read_in_more_than_one_way(pattern: str) -> None:
    """It counts against what it could match, and gives nothing to its owners."""
    rules = parse(f"* @a\n{pattern} @b\n")
    found, whole = deciding(rules, ".github/")
    assert (whole, [rule.line for rule in found]) == (True, [2, 1])
    assert deciding(rules[1:], ".github/")[1] is False


@pytest.mark.parametrize(
    "pattern", ["/docs/**.md", "/docs//", "!/docs/", "/docs/[ab]", "/docs/\\*.md"]
)
def test_it_counts_against_nothing_else(pattern: str) -> None:
    found, _ = deciding(parse(f"/.github/ @a\n{pattern}\n"), ".github/")
    assert [rule.line for rule in found] == [1]


SEGMENTS = st.sampled_from(["a", "b", "*", "**", "a*", "?"])
PATTERNS = st.builds(
    lambda lead, parts, tail: lead + "/".join(parts) + tail,
    st.sampled_from(["", "/"]),
    st.lists(SEGMENTS, min_size=1, max_size=4),
    st.sampled_from(["", "/"]),
)
NAMES = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=3)


@given(PATTERNS, NAMES, NAMES)
def test_no_path_belies_what_is_said_of_its_folder(
    pattern: str, folder: list[str], rest: list[str]
) -> None:
    rule, path = OwnerRule(1, pattern, ()), "/".join([*folder, *rest])
    if rule.covers("/".join(folder)):
        assert rule.matches(path)
    if rule.matches(path):
        assert rule.touches("/".join(folder))
        assert rule.at_most.matches(path)
