"""The one parser of trailers: from the last paragraph of a message to an event, or to a reason.

git's own commands do not agree on what a trailer is (`interpret-trailers` stops at a `---` line,
`%(trailers)` does not). Here it is the last paragraph, of which every line must be a trailer of
ours, in the order of `model.event.TRAILERS`; anything else makes an event malformed.
"""

from __future__ import annotations

import itertools
import re
from functools import lru_cache
from typing import Final, NamedTuple, NoReturn

from daypass.model.event import (
    EVENT,
    GRANT,
    PREVIOUS,
    REPEATED,
    SEQUENCE,
    TRAILERS,
    Event,
    EventKind,
)

OBJECT_ID: Final = re.compile(r"[0-9a-f]{40}")
# The same, but for spaces around a value: those of a paragraph are found in one go.
_LINES = re.compile(r"^(Daypass-[A-Za-z-]+): ([ -~]{1,512})$", re.MULTILINE)
_LINE = re.compile(rb"(Daypass-[A-Za-z]+(?:-[A-Za-z]+)*): ([!-~](?:[ -~]{0,510}[!-~])?)")
# What a person, or git, could take for one of our trailers, wherever it stands in a message.
_LOOKALIKE = re.compile(rb"^[^\S\n]*Daypass-[\w-]*[^\S\n]*[:=]", re.IGNORECASE | re.MULTILINE)
_SEQUENCE = re.compile(r"[1-9][0-9]{0,17}")
_PLACE: Final = frozenset({EVENT, GRANT, SEQUENCE, PREVIOUS})
_ORDER: Final = {name: position for position, name in enumerate(TRAILERS)}


class ChainedEvent(NamedTuple):
    """An event with the place that its own trailers claim for it."""

    event: Event
    sequence: int
    previous: str | None


def has_lookalike(message: bytes) -> bool:
    """Whether any line could be taken for a trailer of ours (in a commit that we did not sign)."""
    return _LOOKALIKE.search(message.replace(b"\r", b"\n")) is not None


def parse_message(message: bytes) -> ChainedEvent | None:
    """The event that a message records; None if its last paragraph has no trailer of ours.

    Raises:
        ValueError: trailers that are forged, twice there, out of order or unknown.
    """
    pairs = _plain_pairs(message)
    if pairs is None:
        lines = _last_paragraph(message)
        if not has_lookalike(b"\n".join(lines)):
            return None
        pairs = [_pair(line) for line in lines]
    first = _check_order(tuple([name for name, _value in pairs]))
    values = dict(pairs[:first])
    if EVENT not in values or SEQUENCE not in values:
        _bad(f"{EVENT} and {SEQUENCE} are needed")
    return ChainedEvent(
        event=Event.of_checked(_kind(values[EVENT]), values.get(GRANT), tuple(pairs[first:])),
        sequence=_sequence(values[SEQUENCE]),
        previous=_previous(values.get(PREVIOUS)),
    )


def trailer_lines(event: Event, sequence: int, previous: str | None) -> tuple[str, ...]:
    """The last paragraph for an event, line by line.

    Raises:
        ValueError: trailers that the parser would not give back as they are.
    """
    pairs = [(EVENT, str(event.kind))]
    if event.grant is not None:
        pairs.append((GRANT, event.grant))
    pairs.append((SEQUENCE, str(sequence)))
    if previous is not None:
        pairs.append((PREVIOUS, previous))
    pairs.extend(event.trailers)
    _check_order(tuple(name for name, _value in pairs))
    _sequence(str(sequence))
    _previous(previous)
    return tuple(f"{name}: {value}" for name, value in pairs)


def _last_paragraph(message: bytes) -> list[bytes]:
    lines = message.split(b"\n")
    while lines and not lines[-1].strip():
        lines.pop()
    first = len(lines)
    while first and lines[first - 1].strip():
        first -= 1
    return lines[first:]


def _pair(line: bytes) -> tuple[str, str]:
    match = _LINE.fullmatch(line)
    if match is None:
        _bad(f"{line[:80]!r} stands among the trailers and is none")
    name = match[1].decode()
    if name not in _ORDER:
        _bad(f"{name} is no trailer of daypass")
    return name, match[2].decode()


def _plain_pairs(message: bytes) -> list[tuple[str, str]] | None:
    """The pairs of a last paragraph as daypass writes it; None when it is anything else."""
    begin = message.rfind(b"\n\n", 0, -1)
    if begin < 0 or message[-1:] != b"\n":
        return None
    paragraph = message[begin + 2 :]
    if not paragraph.isascii():
        return None
    text = paragraph.decode("ascii")
    if ":  " in text or " \n" in text:  # a value may have spaces around it
        return None
    pairs: list[tuple[str, str]] = _LINES.findall(text)
    plain = len(pairs) == text.count("\n") and _are_known(tuple([name for name, _ in pairs]))
    return pairs if plain else None


@lru_cache(maxsize=256)
def _are_known(names: tuple[str, ...]) -> bool:
    return all(name in _ORDER for name in names)


@lru_cache(maxsize=256)  # there are a few shapes of events, and many events
def _check_order(names: tuple[str, ...]) -> int:
    """How many of the names tell an event's place in the chain: they come first."""
    for name in names:
        if name not in _ORDER:
            _bad(f"{name} is no trailer of daypass")
    for before, after in itertools.pairwise(names):
        if before == after and after not in REPEATED:
            _bad(f"{after} stands there twice")
        if _ORDER[before] > _ORDER[after]:
            _bad(f"{after} stands after {before}")
    return sum(name in _PLACE for name in names)


def _kind(text: str) -> EventKind:
    try:
        return EventKind(text)
    except ValueError:
        _bad(f"{text!r} is no event")


def _sequence(text: str) -> int:
    if _SEQUENCE.fullmatch(text) is None:
        _bad(f"{text!r} is no sequence number")
    return int(text)


def _previous(text: str | None) -> str | None:
    if text is not None and OBJECT_ID.fullmatch(text) is None:
        _bad(f"{text!r} is no commit")
    return text


def _bad(what: str) -> NoReturn:
    raise ValueError(what)
