"""The common mistakes in YAML: each is told where it was made, as what it is, with its mend."""

from __future__ import annotations

from typing import Final

import pytest
from documents_world import findings_of
from hypothesis import given
from hypothesis import strategies as st

from daypass.documents import strict_yaml
from daypass.documents.document import read_document
from daypass.errors import DocumentError

HEAD: Final = "kind: AccessRequest\nmetadata:\n  id: a\nspec:\n"  # four lines
MISTAKES: Final = {
    "a tab indents": ("\tsubject: alice\n", 5, 1, "a TAB stands here", "spaces instead"),
    "too deep": (
        "  subject: alice\n    access: read\n",
        *(6, 5, "indented by 4 spaces, as if it belonged to line 5", "Indent it by 2 spaces"),
    ),
    "too shallow": (
        "    subject: alice\n  access: read\n",
        *(6, 3, "by 4 spaces (line 5) or no space (line 4)", "Indent it by 4 spaces or by no"),
    ),
    "a key of a list's item": (
        "  rules:\n    - name: a\n     effect: deny\n",
        *(7, 6, "by 6 spaces (line 6) or 2 spaces (line 5)", "by 6 spaces or by 2 spaces"),
    ),
    "an item of a list": (
        "  groups:\n    - a\n   - b\n",
        *(7, 4, "that it could stand beside by 4 spaces (line 6)", "Indent it by 4 spaces."),
    ),
    "children of a value": (
        "  subject: alice\n      name: x\n",
        *(6, 7, "as if it belonged to line 5, which has a value", "take the value of that line"),
    ),
    "no space after a colon": (
        "  subject:alice\n  access: read\n",
        *(5, 10, "no space after the colon of `subject`", "Write `subject: alice`."),
    ),
    "no space after the last colon": (
        "  access: read\n  subject:alice\n",
        *(6, 10, "no space after the colon of `subject`", "Write `subject: alice`."),
    ),
    "no space after a dash": (
        "  groups:\n    - a\n    -b\n",
        *(7, 5, "no space after the dash", "Write `- b`."),
    ),
    "no colon": (
        "  subject alice\n  access: read\n",
        *(5, 3, "there is no colon in this line", "Write `subject: alice`."),
    ),
    "a key twice": (
        "  subject: alice\n  subject: bob\n",
        *(6, 3, "`subject` stands twice in this mapping, first in line 5", "Delete one"),
    ),
    "a double quote is open": (
        '  reason: "stuck\n  access: read\n',
        *(5, 11, "the quote that opens here is not closed", 'Close it with "'),
    ),
    "a single quote is open": (
        "  reason: 'stuck\n  access: read\n",
        *(5, 11, "the quote that opens here is not closed", "Close it with '"),
    ),
    "a later quote closes it": (
        '  reason: "stuck\n  access: "read"\n',
        *(5, 11, "the quote that opens here is not closed", 'Close it with "'),
    ),
    "an apostrophe": (
        "  reason: 'it's stuck'\n",
        *(5, 15, "text follows after the quote that closes the value", "twice ('')"),
    ),
    "text after a quote": (
        '  reason: "x" y\n',
        *(5, 15, "text follows after the quote that closes the value", 'as `\\"`'),
    ),
    "a colon in the text": (
        "  reason: fix: it\n",
        *(5, 14, "the value of `reason` holds a colon", 'Write `reason: "fix: it"`'),
    ),
    "a comment for a value": ("  reason: #12 broke\n", 5, 10, "is missing", "` #` is a comment"),
    "an open bracket": (
        "  groups: [a, b\n  access: read\n",
        *(6, 9, "the [ of line 5, column 11, is not closed", "Close it with ], or put a comma"),
    ),
    "a bracket open at the end": (
        "  groups: [\n",
        *(6, 1, "the [ of line 5, column 11, is not closed", "Close it with ], or put a comma"),
    ),
    "a bracket too many": ("  groups: [a]]\n", 5, 14, "this ] closes nothing", "Delete it."),
    "a character that begins nothing": ("  by: @bob\n", 5, 7, "`@` cannot begin a", "in quotes"),
    "a backslash": (
        '  reason: "C:\\path"\n',
        *(5, None, "a backslash begins an escape, and this is none", "each backslash twice"),
    ),
    "a merge's conflict": (
        "<<<<<<< HEAD\n  subject: a\n=======\n  subject: b\n>>>>>>> x\n",
        *(5, 1, "the conflict of a merge stands here", "Keep one of the two sides"),
    ),
    "text beside a bar": ("  reason: | x\n", 5, None, "after the | or >", "Let the line end"),
    "text behind the end": ("  a: b\n...\nc: d\n", 7, 1, "behind the end", "the line `...`"),
}


@pytest.fixture(params=["libyaml", "pure"])
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "pure":
        monkeypatch.setattr(strict_yaml, "_Parser", strict_yaml._PureParser)


@pytest.mark.usefixtures("_parser")
@pytest.mark.parametrize(
    ("text", "line", "column", "what", "remedy"), MISTAKES.values(), ids=MISTAKES
)
def test_a_mistake_is_told_as_what_it_is(
    text: str, line: int, column: int | None, what: str, remedy: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        strict_yaml.load((HEAD + text).encode(), "access/requests/a.yaml")
    found = findings_of(caught.value)[0]
    assert what in found.message
    assert remedy in found.remedy.replace("Put the value in quotes: `", "Write `")
    assert (found.line, column and found.column) == (line, column)


@pytest.mark.usefixtures("_parser")
def test_a_first_line_that_is_indented_is_the_one_that_is_named() -> None:
    with pytest.raises(DocumentError) as caught:
        strict_yaml.load(b"# a comment\n kind: a\nspec: b\n", "x")
    found = findings_of(caught.value)[0]
    assert (found.line, found.column) == (2, 1)
    assert "first column" in found.remedy


@pytest.mark.parametrize(
    ("path", "kind", "spec", "hint"),
    [
        ("requests", "AccessRequest", "\n  subject:alice", "write `subject: alice`"),
        ("policies", "AccessPolicy", "\n  rules:\n    -name", "write `- name`"),
        ("requests", "AccessRequest", " some text", ""),
    ],
)
def test_what_was_read_as_text_is_told_with_the_space_that_it_lacks(
    path: str, kind: str, spec: str, hint: str
) -> None:
    text = f"apiVersion: daypass.dev/v1\nkind: {kind}\nmetadata:\n  id: a\nspec:{spec}\n"
    with pytest.raises(DocumentError) as caught:
        read_document(f"access/{path}/a.yaml", text.encode())
    found = [item for item in findings_of(caught.value) if item.rule == "schema-type"]
    assert any(hint in item.remedy and item.remedy for item in found)


@pytest.mark.usefixtures("_parser")
@given(st.text("ab:-'\"[]{}#|>\\@ \n<=`.?,&", max_size=60))
def test_whatever_stands_there_is_told_in_its_own_lines(text: str) -> None:
    try:
        strict_yaml.load(text.encode(), "x")
    except DocumentError as error:
        lines = text.split("\n")
        for found in findings_of(error):
            assert found.message
            assert found.remedy
            assert 1 <= found.line <= len(lines) + 1
