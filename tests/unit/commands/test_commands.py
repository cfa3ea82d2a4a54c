"""What counts as a command: a few exact forms, and nothing else that anybody could write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daypass.errors import UsageError
from daypass.lifecycle.answers import Answer, Result, answer_body, plain, result_of
from daypass.lifecycle.commands import (
    Aim,
    Command,
    Halt,
    halt_of,
    read_comment,
    read_dispatch,
    write_comment,
)
from daypass.model.intent import IntentKind, Usage
from daypass.model.names import NAME_PATTERN


@pytest.mark.parametrize(
    ("body", "kind", "grant_id"),
    [
        ("/done", IntentKind.DONE, None),
        ("/done  \r\nthanks to all", IntentKind.DONE, None),
        ("/done a1", IntentKind.DONE, "a1"),
        ("/done\ta1\t", IntentKind.DONE, "a1"),
        ("/not-me a1", IntentKind.NOT_ME, "a1"),
        ("/revoke a1\n\nthey left", IntentKind.REVOKE, "a1"),
        ("/redeliver alice-orders-db-7f3k", IntentKind.REDELIVER, "alice-orders-db-7f3k"),
    ],
)
def test_the_exact_forms_are_commands(body: str, kind: IntentKind, grant_id: str | None) -> None:
    assert read_comment(body) == Command(kind, grant_id)


DIGEST = "sha256:" + "0" * 64
HOSTILE = [
    "/activity a1",
    f"/activity a1 {DIGEST}",
    f"/activity {DIGEST} 1 2",
    f"/activity a1 {DIGEST}0 1 2",
    f"/activity a1 {DIGEST} 1 2 3",
    f"/activity a1 {DIGEST} -1 2",
    f"/activity a1 {DIGEST} 1 " + "9" * 13,
    f"/activity a1 {DIGEST} 1 \u0662",  # an Arabic digit
    f"/activity a1 {DIGEST.upper()} 1 2",
    f"/activity a1 {DIGEST} 1 $(id)",
    "",
    "/done $(touch /tmp/x)",
    "/done a1 $(touch /tmp/x)",
    "/done `id`",
    "/done a1; rm -rf /",
    "/done a1 b2",
    "/done A1",
    "/done ../a1",
    "/done -x",
    "/done \u04301",  # a Cyrillic letter
    "/done a1\u2028/revoke b2",
    "/done a1\x0b",
    "/done a1\x85$(id)",
    "/done\u00a0a1",
    "/done a1\u202e",
    "/done a1\x00",
    " /done a1",
    "\n/done a1",
    "> /done a1",
    "- /done a1",
    "`/done a1`",
    "please /done a1",
    "/DONE a1",
    "/donea1",
    "/done=a1",
    "/revoke",
    "/redeliver",
    "/not-me",
    "/claimed a1",  # it answers a run, and sets nothing off
    "Claimed a1",
    "/halt --type agent",
    "halt --type agent",
    "/apply a1",
    "@daypass done a1",
    "<!-- daypass:command:1 -->\n/done a1",
    "/done " + "a" * 64,
]


@pytest.mark.parametrize("body", HOSTILE)
def test_nothing_else_is(body: str) -> None:
    assert read_comment(body) is None


@given(st.text())
def test_no_text_becomes_more_than_a_word_and_an_id(text: str) -> None:
    for body in (text, f"/done {text}", f"/revoke a{text}", f"/{text}"):
        command = read_comment(body)
        if command is not None:
            said = " ".join(body.partition("\n")[0].split())
            assert said == write_comment(command)


@given(
    st.sampled_from([IntentKind.DONE, IntentKind.REVOKE, IntentKind.REDELIVER]),
    st.from_regex(NAME_PATTERN, fullmatch=True),
)
def test_what_is_written_is_read(kind: IntentKind, grant_id: str) -> None:
    command = Command(kind, grant_id)
    assert read_comment(write_comment(command)) == command


@given(
    st.from_regex(NAME_PATTERN, fullmatch=True),
    st.one_of(st.none(), st.integers(0, 10**12 - 1)),
    st.one_of(st.none(), st.integers(0, 10**12 - 1)),
)
def test_a_use_that_is_written_is_read(grant_id: str, vault: int, postgres: int) -> None:
    command = Command(IntentKind.ACTIVITY, grant_id, Usage(DIGEST, vault, postgres))
    assert read_comment(write_comment(command) + "\r\nfor people") == command


def test_dispatches_are_read() -> None:
    assert read_dispatch("revoke a1") == Command(IntentKind.REVOKE, "a1")
    assert read_dispatch("halt --type agent") == Halt(Aim.TYPE, "agent")
    for aim in (Aim.SUBJECT, Aim.RESOURCE):
        halt = halt_of(aim, "orders-db")
        assert read_dispatch(str(halt)) == halt


@pytest.mark.parametrize(
    "text",
    [
        "",
        "halt",
        "halt --all",
        "halt --type robots",
        "halt --type *",
        "halt --subject $(id)",
        "halt --subject alice --resource x",
        "halt --subject alice\nrevoke a1",
        "done a1",
        "redeliver a1",
        "/revoke a1",
        "revoke",
        "revoke A1",
    ],
)
def test_other_dispatches_are_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(UsageError) as error:
        read_dispatch(text)
    assert error.value.remedy
    assert "$(" not in f"{error.value.message}{error.value.remedy}"


@pytest.mark.parametrize("aim", list(Aim))
def test_a_name_that_cannot_be_one_halts_nothing(aim: Aim) -> None:
    with pytest.raises(UsageError):
        halt_of(aim, "../x")


@pytest.mark.parametrize("result", list(Result))
def test_an_answer_says_for_programs_and_people_what_became_of_it(result: Result) -> None:
    why = "@security <b>*x*</b> #1 ![x](http://evil) `y`"
    answer = Answer("a1", IntentKind.DONE, result, why)
    body = "<!-- daypass:command:7 -->\n" + answer_body(answer)
    assert result_of(body) is result
    assert "@" not in body
    assert "<b>" not in body
    assert "![" not in body
    assert answer.sentence
    said = plain(body)
    assert "<!--" not in said
    assert "a1" in said
    if result in (Result.REFUSED, Result.UNCONFIRMED):
        assert "@security <b>*x*</b> #1" in said
    # Only a run of apply may say so: it has looked at the leases.
    assert "revoked" not in said.replace("revokes", "")


def test_a_comment_without_a_result_says_nothing() -> None:
    for body in ("", "one line", "a\nb", "a\n<!-- daypass:result:paid -->"):
        assert result_of(body) is None
