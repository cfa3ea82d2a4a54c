"""Context: what the answer of a source means for a decision. Pure: others fetch.

An answer is known, stale or unknown, and says where it comes from and how old it is. There is no
default: what is missing in a document is unknown, never null, and null is a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from daypass.model.canonical import canonical_json
from daypass.model.context import MAX_ITEMS, filled
from daypass.model.instant import Instant
from daypass.model.json_text import deeper_than, wider_than
from daypass.policy.facts import ContextFacts, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.model.context import ContextSource

MAX_VALUE: Final = 1024  # bytes of a value's canonical JSON: it is kept in every record
MAX_DEPTH: Final = 16  # lists and maps within each other, of a value: rules look into it
_AHEAD_SECONDS: Final = 60  # what a source's clock may be fast
_INDEX_DIGITS: Final = 6


class AnswerError(ValueError):
    """A document does not answer; the text, for people, holds nothing of the document."""


def unasked(sources: Mapping[str, ContextSource]) -> dict[str, ContextFacts]:
    """All declared sources, where none of them is asked."""
    return {name: nothing(source) for name, source in sources.items()}


def nothing(source: ContextSource) -> ContextFacts:
    """No answer."""
    return ContextFacts(Status.UNKNOWN, None, source.where, None, source.required)


def answer(
    source: ContextSource, document: Any, names: Mapping[str, str | None], now: Instant
) -> ContextFacts:
    """What a document says.

    Args:
        source: as the settings declare it.
        document: its JSON, as Python values.
        names: `subject`, `device` and `resource` of the request.
        now: Vault's time.

    Raises:
        AnswerError: it says nothing that can be used.
    """
    value = find(document, source.pointer, names)
    if _size(value, source) > MAX_VALUE:
        raise AnswerError(f"the value at {source.pointer} is longer than {MAX_VALUE} bytes")
    age = _age(source, document, names, now)
    if age > source.max_age.seconds:
        return ContextFacts(Status.STALE, None, source.where, age, source.required)
    return ContextFacts(Status.KNOWN, value, source.where, age, source.required)


def _size(value: Any, source: ContextSource) -> int:
    if deeper_than(MAX_DEPTH, value):
        raise AnswerError(
            f"the value at {source.pointer} is nested more than {MAX_DEPTH} levels deep"
        )
    if wider_than(MAX_ITEMS, value):
        raise AnswerError(
            f"the value at {source.pointer} has more than {MAX_ITEMS} entries in a list or map"
        )
    try:
        return len(canonical_json(value))
    except ValueError as error:
        raise AnswerError(f"the value at {source.pointer} is no JSON that can be kept") from error


def find(document: Any, pointer: str, names: Mapping[str, str | None]) -> Any:
    """The value that a JSON pointer (RFC 6901) leads to.

    Raises:
        AnswerError: there is none, or the request does not name what the pointer wants.
    """
    path = filled(pointer, names)
    if path is None:
        raise AnswerError(f"the request does not name all that {pointer} wants")
    value = document
    for step in path.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and _is_index(key) and int(key) < len(value):
            value = value[int(key)]
        else:
            raise AnswerError(f"there is nothing at {pointer}")
    return value


def _is_index(step: str) -> bool:
    plain = step.isascii() and step.isdigit() and len(step) <= _INDEX_DIGITS
    return plain and (step == "0" or not step.startswith("0"))


def _age(
    source: ContextSource, document: Any, names: Mapping[str, str | None], now: Instant
) -> int:
    """Seconds since the document's own time, rounded up; 0 if it was fetched in this run."""
    if source.issued_at is None:
        return 0
    text = find(document, source.issued_at, names)
    try:
        seconds = now.since(Instant.parse(text))
    except (ValueError, TypeError, OverflowError) as error:
        raise AnswerError(f"what stands at {source.issued_at} is no RFC 3339 time") from error
    if seconds < -_AHEAD_SECONDS:
        raise AnswerError("its time lies in the future")
    return max(0, -int(-seconds // 1))
