"""What is composed is parsed as it was, whatever stands in the body; nothing else is an event."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daypass.ledger import trailers as reading
from daypass.ledger.compose import TITLE_WIDTH, compose, revert_title, reverted_commit, reverts
from daypass.ledger.trailers import ChainedEvent, has_lookalike, parse_message
from daypass.model.event import TRAILERS, Event, EventKind
from daypass.model.visible import is_visible

EVENT = Event(EventKind.REVOKED, "one", (("Daypass-Reason", "done"),))
LAST = b"\nDaypass-Event: revoked\nDaypass-Grant: one\nDaypass-Sequence: 1\nDaypass-Reason: done\n"

values = st.from_regex(r"[!-~]([ -~]{0,40}[!-~])?", fullmatch=True)
trailers = st.lists(st.tuples(st.sampled_from(TRAILERS[4:]), values), max_size=8).map(
    lambda pairs: tuple(
        sorted(
            {name: (name, value) for name, value in pairs}.values(),
            key=lambda pair: TRAILERS.index(pair[0]),
        )
    )
)
events = st.builds(Event, st.sampled_from(EventKind), st.just("one"), trailers)
commits = st.from_regex(r"[0-9a-f]{40}", fullmatch=True)


@given(st.text(min_size=1), st.text(), events, st.integers(1, 10**12), st.none() | commits)
@example("Daypass-Event: issued", "Daypass-Event: issued", EVENT, 1, None)
@example("-- >8 --", "# ---- >8 ----\n8<%<>8", EVENT, 1, None)
@example("---", "\n\nDaypass-Event: issued\n\n", EVENT, 1, None)
@example("x", "a\r\rDaypass-Event: issued\u2028Daypass-Event: issued", EVENT, 1, None)
def test_every_event_survives_whatever_the_words(
    title: str, body: str, event: Event, sequence: int, previous: str | None
) -> None:
    try:
        message = compose(title, body, event, sequence, previous)
    except ValueError as error:
        assert "title" in str(error)  # noqa: PT017  -- the only thing that may be wrong with it
        return
    assert parse_message(message.encode()) == ChainedEvent(event, sequence, previous)
    words, _blank, _trailers = message.rpartition("\n\n")
    assert not has_lookalike(words.encode())
    assert all(char == "\n" or is_visible(char) for char in message)
    assert len(message.split("\n", 1)[0]) <= TITLE_WIDTH
    for line in words.split("\n"):
        assert not line.startswith(("---", "#", "From ", "diff -", "(cherry picked from"))
        assert not any(mark in line for mark in (">8", "8<", ">%", "%<"))


@given(events, st.integers(0), st.sampled_from((b"", b" ", b"\n", b"x", b"\x00", b"\x80", b": ")))
@example(EVENT, 1, b" ")
def test_an_event_of_a_form_that_was_met_before_is_read_as_the_first_one_was(
    event: Event, place: int, odd: bytes
) -> None:
    message = compose("t", "", event, 12, "b" * 40).encode()
    place %= len(message)
    changed = message[:place] + odd + message[place + 1 :]
    reading._SHAPES.clear()
    first = outcome(changed)
    reading._SHAPES.clear()
    assert parse_message(message) == parse_message(message)
    assert outcome(changed) == first


def outcome(message: bytes) -> ChainedEvent | str | None:
    try:
        return parse_message(message)
    except ValueError as error:
        return str(error)


def test_a_long_title_is_not_lost() -> None:
    title = revert_title("Grant " + "very-" * 30 + "long")
    assert len(title) <= TITLE_WIDTH
    assert title.endswith('…"')
    long = "word " * 40 + "end"
    message = compose(long, "body", EVENT, 1, None)
    assert f"\n\n{long}\n" in message


def test_a_revert_names_its_commit() -> None:
    message = compose('Revert "x"', reverts("a" * 40) + "\n\nwhy", EVENT, 1, None)
    assert reverted_commit(message.encode()) == "a" * 40
    with pytest.raises(ValueError, match="no commit"):
        reverts("main")


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"Title",
        b"Title\n\nSigned-off-by: a <a@b>\n",
        b"Daypass-Event: revoked\n\nSigned-off-by: a <a@b>\n",
        b"\xff\xfe\x00\n\n\x80",
    ],
)
def test_a_message_without_our_trailers_is_no_event(message: bytes) -> None:
    assert parse_message(message) is None


@pytest.mark.parametrize(
    "last",
    [
        LAST + b"Signed-off-by: a <a@b>\n",
        LAST + b"Daypass-Reason: time\n",
        LAST + b"Daypass-Unheard-Of: x\n",
        LAST + b" folded\n",
        LAST + b"(cherry picked from commit aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa)\n",
        LAST + b"---\n",
        LAST + b"Daypass-Event: issued\n",
        LAST.replace(b"\n", b"\r\n"),
        LAST.replace(b": ", b":"),
        LAST.replace(b"Daypass-Grant: one\n", b"Daypass-Grant: One\n"),
        LAST.replace(b"Daypass-Grant: one\n", b""),
        LAST.replace(b"revoked", b"granted"),
        LAST.replace(b"Sequence: 1", b"Sequence: 01"),
        LAST.replace(b"Sequence: 1", b"Sequence: 0"),
        LAST.replace(b"Sequence: 1", b"Sequence: +1"),
        LAST.replace(b"Sequence: 1", "Sequence: \u0661".encode()),
        LAST.replace(b"Daypass-Sequence: 1\n", b""),
        LAST.replace(b"Daypass-Reason: done", b"Daypass-Previous: main"),
        LAST.replace(b"Daypass-Reason: done", b"daypass-reason: done"),
        LAST.replace(b"done", b"done "),
        LAST.replace(b"done", b"d\x00ne"),
        b"\nDaypass-Sequence: 1\nDaypass-Event: drift\n",
    ],
)
def test_anything_but_our_own_form_is_malformed(last: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_message(b"Title\n" + last)


def test_the_unchanged_form_is_well_formed() -> None:
    assert parse_message(b"Title\n" + LAST) == ChainedEvent(EVENT, 1, None)
