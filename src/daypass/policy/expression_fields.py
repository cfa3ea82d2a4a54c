"""Fields in expressions: which one reads that its variable does not have.

CEL makes an error of a field that is missing, which denies; but `has(request.tickett)` is silently
false, and what is built on it means something else than its author wrote.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Final, TypeAlias

from daypass.policy.expression_tokens import MACROS, plain_text, spoken, tokens_of
from daypass.policy.facts import (
    ApprovalFacts,
    ContextFacts,
    LevelFacts,
    PersonFacts,
    RequesterFacts,
    RequestFacts,
    ResourceFacts,
    SubjectFacts,
)
from daypass.policy.facts_json import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from daypass.policy.expression_tokens import Token
    from daypass.policy.facts_json import Facts


@dataclass(frozen=True, slots=True)
class _Record:
    fields: Mapping[str, _Shape]


@dataclass(frozen=True, slots=True)
class _Many:
    """A list, or a mapping whose keys are anything: what each entry is."""

    entry: _Shape


_Shape: TypeAlias = _Record | _Many | None  # None: any key, or none


def _record(cls: type[Facts], **known: _Shape) -> _Record:
    names = (key_of(item.name) for item in fields(cls))  # type: ignore[arg-type]
    return _Record({name: known.get(name) for name in names})


_PERSON: Final = _record(PersonFacts)
_SHAPES: Final[Mapping[str, _Shape]] = {
    "request": _record(RequestFacts),
    "subject": _record(SubjectFacts, owners=_Many(_PERSON), sponsor=_PERSON),
    "resource": _record(ResourceFacts, level=_record(LevelFacts)),
    "requester": _record(RequesterFacts),
    "approvals": _Many(_record(ApprovalFacts)),
    "context": _Many(_record(ContextFacts)),
}


@dataclass(frozen=True, slots=True)
class UnknownField:
    """A field that an expression reads, and what its owner has instead."""

    owner: str  # as it is written, for people
    name: str
    known: tuple[str, ...]


def unknown_fields(text: str) -> tuple[UnknownField, ...]:
    """Returns the fields that an expression reads in vain."""
    reader = _Reader(spoken(tokens_of(text)))
    return tuple(dict.fromkeys(reader.read()))


@dataclass(slots=True)
class _Reader:
    said: list[Token]
    shapes: dict[str, _Shape] = field(default_factory=lambda: dict(_SHAPES))

    def read(self) -> Iterator[UnknownField]:
        # The variable of a macro hides one of the input; what it is, is known once its list is.
        for index, token in enumerate(self.said):
            if token.text in MACROS and self._text(index + 1) == "(":
                self.shapes[self._text(index + 2)] = None
        for index, token in enumerate(self.said):
            before = self._text(index - 1) if index else ""
            if token.kind == "word" and before != "." and token.text in self.shapes:
                yield from self._chain(index)

    def _chain(self, index: int) -> Iterator[UnknownField]:
        """Follows `a.b[0].c` from its first word, as far as it can be told what it reads."""
        shape, owner = self.shapes[self.said[index].text], self.said[index].text
        while shape is not None:
            name, after = self._step(index + 1)
            if after == 0:
                return
            if self._text(after) == "(":
                if isinstance(shape, _Many) and name in MACROS:
                    self.shapes[self._text(after + 1)] = shape.entry
                return
            if isinstance(shape, _Record):
                if name is None:
                    return
                if name not in shape.fields:
                    yield UnknownField(owner, name, tuple(shape.fields))
                    return
                shape = shape.fields[name]
            else:
                shape = shape.entry
            owner = f"{owner}.{name}" if name is not None else f"{owner}[…]"
            index = after - 1

    def _step(self, index: int) -> tuple[str | None, int]:
        """Returns the name that is read next, and the token after it: 0 where nothing is read."""
        if self._text(index) == "." and index + 1 < len(self.said):
            return self._text(index + 1), index + 2
        if self._text(index) == "[" and self._text(index + 2) == "]":
            return plain_text(self.said[index + 1]), index + 3
        return None, 0

    def _text(self, index: int) -> str:
        return self.said[index].text if 0 <= index < len(self.said) else ""
