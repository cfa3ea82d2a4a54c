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
_VALUE: Final = "([!-~][ -~]{0,511}+)(?<! )"
_LINE = re.compile(rb"(Daypass-[A-Za-z]+(?:-[A-Za-z]+)*): " + _VALUE.encode())
# What a person, or git, could take for one of our trailers, wherever it stands in a message.
_LOOKALIKE = re.compile(rb"^[^\S\n]*Daypass-[\w-]*[^\S\n]*[:=]", re.IGNORECASE | re.MULTILINE)
_FORMS: Final = 256
_ALIKE: Final = 8  # shapes of one form
_SEQUENCE = re.compile(r"[1-9][0-9]{0,17}")
_PLACE: Final = frozenset({EVENT, GRANT, SEQUENCE, PREVIOUS})
_ORDER: Final = {name: position for position, name in enumerate(TRAILERS)}


class ChainedEvent(NamedTuple):
    """An event with the place that its own trailers claim for it."""

    event: Event
    sequence: int
    previous: str | None


class _Shape(NamedTuple):
    """The names of an event's trailers, and an expression whose groups are their values."""

    names: tuple[str, ...]
    first: int  # how many of them tell its place in the chain
    text: re.Pattern[str]


# By a paragraph's first line, and how many it has. There are a few shapes, and many events.
_SHAPES: Final[dict[tuple[str, int], tuple[_Shape, ...]]] = {}


def has_lookalike(message: bytes) -> bool:
    """Whether any line could be taken for a trailer of ours (in a commit that we did not sign)."""
    return _LOOKALIKE.search(message.replace(b"\r", b"\n")) is not None


def parse_message(message: bytes) -> ChainedEvent | None:
    """The event that a message records; None if its last paragraph has no trailer of ours.

    Raises:
        ValueError: trailers that are forged, twice there, out of order or unknown.
    """
    begin = message.rfind(b"\n\n", 0, -1) + 2
    try:
        text = message[begin:].decode("ascii") if begin > 1 else ""
    except UnicodeDecodeError:
        text = ""
    form = (text[: text.find("\n")], text.count("\n"))
    for shape in _SHAPES.get(form, ()):
        match = shape.text.fullmatch(text)
        if match is not None:
            return _chained(shape.names, shape.first, match.groups())
    pairs = [_pair(line) for line in _trailers(message)]
    if not pairs:
        return None
    names, values = zip(*pairs, strict=True)
    first = _check_order(names)
    chained = _chained(names, first, values)
    _learn(form, names, first)
    return chained


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


def _chained(names: tuple[str, ...], first: int, values: tuple[str, ...]) -> ChainedEvent:
    said = dict(zip(names[:first], values, strict=False))
    if EVENT not in said or SEQUENCE not in said:
        _bad(f"{EVENT} and {SEQUENCE} are needed")
    trailers = tuple(zip(names[first:], values[first:], strict=True))
    return ChainedEvent(
        event=Event.of_checked(_kind(said[EVENT]), said.get(GRANT), trailers),
        sequence=_sequence(said[SEQUENCE]),
        previous=_previous(said.get(PREVIOUS)),
    )


def _trailers(message: bytes) -> list[bytes]:
    """The lines of the last paragraph; none if there is nothing of ours among them."""
    lines = message.split(b"\n")
    while lines and not lines[-1].strip():
        lines.pop()
    first = len(lines)
    while first and lines[first - 1].strip():
        first -= 1
    return lines[first:] if has_lookalike(b"\n".join(lines[first:])) else []


def _learn(form: tuple[str, int], names: tuple[str, ...], first: int) -> None:
    """Read the next event that has these names at once: one expression in place of one a line.

    What it matches is what would be read line by line, and what it does not match is read so.
    """
    if len(_SHAPES) >= _FORMS:  # events of ever new shapes are not to fill the memory
        _SHAPES.clear()
    text = re.compile("".join(f"{name}: {_VALUE}\n" for name in names))
    _SHAPES[form] = (*_SHAPES.get(form, ()), _Shape(names, first, text))[:_ALIKE]


def _pair(line: bytes) -> tuple[str, str]:
    match = _LINE.fullmatch(line)
    if match is None:
        _bad(f"{line[:80]!r} stands among the trailers and is none")
    name = match[1].decode()
    if name not in _ORDER:
        _bad(f"{name} is no trailer of daypass")
    return name, match[2].decode()


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
