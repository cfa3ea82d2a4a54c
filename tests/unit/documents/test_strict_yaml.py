"""The one loader: what it refuses, where it says so, and what it never does."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
import yaml
from documents_world import findings_of
from hypothesis import assume, example, given
from hypothesis import strategies as st

from daypass.documents import strict_yaml
from daypass.documents.strict_text import MAX_BYTES
from daypass.errors import DocumentError

AMBIGUOUS = (
    *("yes", "No", "ON", "off", "y", "N", "True", "FALSE", "~", "Null", "NULL"),
    *("010", "0o17", "0x1F", "0b1", "1_000", "+1", "-0", "1.5", "1e3", ".5", "1.", ".inf"),
    *("-.INF", ".nan", "1:30:00", "190:20:30.15", "2026-11-23", "2026-11-23T09:00:00Z", "="),
)
REFUSED = [
    pytest.param(b"a: 1\nb: 2\na: 3\n", 3, 1, "yaml-duplicate-key", id="duplicate key"),
    pytest.param(b'a: 1\n"a": 3\n', 2, 1, "yaml-duplicate-key", id="duplicate key, quoted"),
    pytest.param(b"a: &x 1\n", 1, 4, "yaml-anchor", id="anchor"),
    pytest.param(b"&x a: 1\n", 1, 1, "yaml-anchor", id="anchor on a key"),
    pytest.param(b"a: *x\n", 1, 4, "yaml-alias", id="alias"),
    pytest.param(b"*x : 1\n", 1, 1, "yaml-alias", id="alias as key"),
    pytest.param(b"a:\n  <<: {b: 1}\n", 2, 3, "yaml-merge-key", id="merge key"),
    pytest.param(b"a: !!str 1\n", 1, 4, "yaml-tag", id="tag"),
    pytest.param(b"a: ! 1\n", 1, 4, "yaml-tag", id="non-specific tag"),
    pytest.param(b"a: !!python/object/apply:os.system [x]\n", 1, 4, "yaml-tag", id="object"),
    pytest.param(b"%YAML 1.1\n---\na: 1\n", 1, 1, "yaml-tag", id="directive"),
    pytest.param(b"a: 1\n---\nb: 2\n", 2, 1, "yaml-several-documents", id="two documents"),
    pytest.param(b"a: 1\n...\n---\nb: 2\n", 3, 1, "yaml-several-documents", id="after an end"),
    pytest.param(b"", 1, 1, "document-empty", id="nothing"),
    pytest.param(b"# only a comment\n", 2, 1, "document-empty", id="only a comment"),
    pytest.param(b"a: [1\n", 2, 1, "yaml-syntax", id="open bracket"),
    pytest.param(b"a: b: c\n", 1, 5, "yaml-syntax", id="colon in text"),
    pytest.param(b"a: @b\n", 1, 4, "yaml-syntax", id="reserved character"),
    pytest.param(b"1: a\n", 1, 1, "yaml-key", id="integer key"),
    pytest.param(b"true: a\n", 1, 1, "yaml-key", id="boolean key"),
    pytest.param(b"? [a]\n: b\n", 1, 3, "yaml-key", id="list as key"),
    pytest.param(b"\xef\xbb\xbfa: 1\n", 1, 1, "document-encoding", id="byte order mark"),
    pytest.param(b"a: 1\nb: caf\xe9\n", 2, 7, "document-encoding", id="Latin-1"),
    pytest.param("a: 1".encode("utf-16"), 1, 1, "document-encoding", id="UTF-16"),
    pytest.param(b"a: \0\n", 1, 4, "document-characters", id="NUL"),
    pytest.param(b"a: 1\r\n", 1, 5, "document-characters", id="CRLF"),
    pytest.param(b"a:\t1\n", 1, 3, "document-characters", id="tab"),
    pytest.param(b"a: \x1b[31m\n", 1, 4, "document-characters", id="terminal escape"),
    pytest.param("a: x\u202ey\n".encode(), 1, 5, "document-characters", id="bidirectional"),
    pytest.param("# \u2066\na: 1\n".encode(), 1, 3, "document-characters", id="in a comment"),
    pytest.param("a: x\u200by\n".encode(), 1, 5, "document-characters", id="zero width"),
    pytest.param("a: x\u00a0y\n".encode(), 1, 5, "document-characters", id="no-break space"),
    pytest.param("a: x\u3164y\n".encode(), 1, 5, "document-characters", id="Hangul filler"),
    pytest.param("a: x\ufe0fy\n".encode(), 1, 5, "document-characters", id="variation selector"),
    pytest.param("a: x\U000e0041y\n".encode(), 1, 5, "document-characters", id="tag character"),
    pytest.param("a: x\u2028y\n".encode(), 1, 5, "document-characters", id="line separator"),
    pytest.param(b'a: "x\\u202ey"\n', 1, 4, "document-characters", id="bidirectional, escaped"),
    pytest.param(b'a: "x\\0y"\n', 1, 4, "document-characters", id="NUL, escaped"),
    pytest.param(b"a: " + b"[" * 12 + b"]" * 12, 1, 15, "yaml-depth", id="13 levels"),
    pytest.param(b"a: " + b"x" * MAX_BYTES, 0, 0, "document-size", id="too large"),
    pytest.param(b"a: 9007199254740993\n", 1, 4, "yaml-integer", id="2^53 + 1"),
    pytest.param(b"a: " + b"9" * 5000, 1, 4, "yaml-integer", id="5,000 digits"),
    *(
        pytest.param(f"a: {word}\n".encode(), 1, 4, "yaml-ambiguous-scalar", id=word)
        for word in AMBIGUOUS
    ),
    pytest.param(b"a: 2026-11-23 09:00:00\n", 1, 4, "yaml-ambiguous-scalar", id="date and time"),
    pytest.param(b"a:\nb: 1\n", 1, 3, "yaml-ambiguous-scalar", id="missing value"),
]


@pytest.fixture(params=["libyaml", "pure"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "pure":
        monkeypatch.setattr(strict_yaml, "_Parser", strict_yaml._PureParser)
    return str(request.param)


@pytest.mark.parametrize(("data", "line", "column", "rule"), REFUSED)
def test_refused_where_and_how_to_mend_it(
    data: bytes, line: int, column: int, rule: str, parser: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        strict_yaml.load(data, "access/requests/x.yaml")
    first = findings_of(caught.value)[0]
    assert first.rule == rule
    assert first.remedy
    assert first.path == "access/requests/x.yaml"
    if parser == "libyaml" or rule != "yaml-syntax":  # the two tell syntax errors differently
        assert (first.line, first.column) == (line, column)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("0", 0),
        ("-12", -12),
        ("9007199254740992", 2**53),
        ("true", True),
        ("false", False),
        ("null", None),
        ('"yes"', "yes"),
        ("'010'", "010"),
        ('"1:30:00"', "1:30:00"),
        ('""', ""),
        ("|\n  no", "no\n"),
        (">-\n  010", "010"),
        ("8h", "8h"),
        ("10.0.0.1", "10.0.0.1"),
        ("v1.2.3", "v1.2.3"),
        ("OPS-12", "OPS-12"),
        ("yesterday", "yesterday"),
        ("offline", "offline"),
        ("[b, {c: d}]", ["b", {"c": "d"}]),
        ("[]", []),
        ("{}", {}),
        ("Zürich été 日本", "Zürich été 日本"),
        ('"line\\nbreak"', "line\nbreak"),
    ],
)
@pytest.mark.usefixtures("parser")
def test_read_as_it_stands(text: str, value: object) -> None:
    assert strict_yaml.load(f"---\na: {text}\n...\n".encode(), "x").value == {"a": value}


@pytest.mark.usefixtures("parser")
def test_twelve_levels_are_read() -> None:
    assert strict_yaml.load(b"[" * 12 + b"]" * 12, "x").value


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(DocumentError) as caught:
        strict_yaml.load(b"a: yes\nb: 010\na: 1\nc: &x z\n", "x")
    assert [(f.line, f.rule) for f in findings_of(caught.value)] == [
        (1, "yaml-ambiguous-scalar"),
        (2, "yaml-ambiguous-scalar"),
        (3, "yaml-duplicate-key"),
        (4, "yaml-anchor"),
    ]


def test_positions_of_values_and_keys() -> None:
    parsed = strict_yaml.load(b"a:\n  b: [x, {c: d}]\n", "x")
    assert parsed.position(["a", "b", 1, "c"]) == (2, 14)
    assert parsed.position(["a", "b", 1, "c"], key=True) == (2, 11)
    assert parsed.position(["a", "b", 0]) == (2, 7)
    assert parsed.position([]) == (1, 1)
    assert parsed.position(["a", "nowhere", "deeper"]) == (2, 3)


def test_an_alias_bomb_is_refused_before_anything_is_built() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    bomb = "\n".join(lines).encode()
    began = time.process_time()
    with pytest.raises(DocumentError) as caught:
        strict_yaml.load(bomb, "x")
    assert time.process_time() - began < 0.05
    assert findings_of(caught.value)[0].rule == "yaml-anchor"


@pytest.mark.parametrize(
    "piece", ["[", "{", "- ", "? ", "[{", "a: [", '"', "&a ", "!t ", "{a: ", "|\n", "(", "*a "]
)
@pytest.mark.parametrize("length", [MAX_BYTES, 300_000])
def test_nesting_that_crashes_parsers_ends_in_a_finding(piece: str, length: int) -> None:
    # In a process of its own: a crash of libyaml would take the test run with it.
    script = (
        "import sys, time\n"
        "from daypass.documents import strict_yaml\n"
        "from daypass.errors import DocumentError\n"
        "data = (sys.argv[1] * int(sys.argv[2]))[: int(sys.argv[2])].encode()\n"
        "began = time.process_time()\n"
        "try:\n"
        "    strict_yaml.load(data, 'x')\n"
        "except DocumentError:\n"
        "    print(time.process_time() - began)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, piece, str(length)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    # The last line of 16 KiB of `(` is a plain string: that is a document like any other.
    assert done.returncode == 0, done.stderr
    if piece != "(" or length > MAX_BYTES:
        assert float(done.stdout) < 0.5


@given(st.binary(max_size=400))
@example(b"a: \xff")
@example(b'"\\UFFFFFFFF"')
@example(b'"\\ud800"')
@example(b"? ? ? ?")
@example(b"--- >\n")
@example(b"!<tag:x> a")
def test_any_bytes_give_a_value_or_a_document_error(data: bytes) -> None:
    _value_or_refusal(data)


@given(st.text(alphabet="ab:-[]{},&*!|>'\"%@#?~<. \n0123456789ynet\\ux", max_size=120))
def test_any_yaml_like_text_gives_a_value_or_a_document_error(text: str) -> None:
    _value_or_refusal(text.encode())


@given(st.text(alphabet="ab:-[]{},&*!|>'\"%@#?~<. \n0123456789ynet\\ux", max_size=120))
def test_both_parsers_read_the_same_or_refuse(text: str) -> None:
    fast = _value_or_refusal(text.encode())
    saved = strict_yaml._Parser
    strict_yaml._Parser = strict_yaml._PureParser
    try:
        pure = _value_or_refusal(text.encode())
    finally:
        strict_yaml._Parser = saved
    assume(fast is not _REFUSED and pure is not _REFUSED)
    assert fast == pure


_REFUSED = object()
_PLAIN = st.text(
    alphabet=st.characters(codec="utf-8", exclude_categories=("C", "Z"), include_characters=" "),
    max_size=20,
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_PLAIN, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(_PLAIN, _VALUES, max_size=5))
def test_what_a_yaml_library_dumps_loads_equal(value: dict[str, object]) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    loaded = _value_or_refusal(text.encode())
    assume(loaded is not _REFUSED)  # an invisible character, `y` without quotes, …
    assert loaded == value


@given(st.dictionaries(_PLAIN, _VALUES, max_size=5))
def test_json_is_read_as_json_reads_it(value: dict[str, object]) -> None:
    loaded = _value_or_refusal(json.dumps(value, ensure_ascii=False).encode())
    assume(loaded is not _REFUSED)
    assert loaded == value


@given(st.data(), st.dictionaries(_PLAIN, _VALUES, min_size=2, max_size=5))
def test_the_order_of_keys_never_matters(data: st.DataObject, value: dict[str, object]) -> None:
    order = data.draw(st.permutations(list(value)))
    one = _value_or_refusal(json.dumps(value).encode())
    other = _value_or_refusal(json.dumps({key: value[key] for key in order}).encode())
    assert (one is _REFUSED) == (other is _REFUSED)
    assert one is _REFUSED or one == other


def _value_or_refusal(data: bytes) -> object:
    try:
        return strict_yaml.load(data, "x").value
    except DocumentError as error:
        findings = findings_of(error)
        assert findings
        assert all(finding.rule and finding.remedy for finding in findings)
        return _REFUSED
