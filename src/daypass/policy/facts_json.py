"""Facts as JSON: how a group of facts is written, and read back to the same bytes."""

from __future__ import annotations

from dataclasses import fields
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


class Facts:
    """A group of facts: fields in `snake_case` here, keys in `camelCase` in JSON."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON."""
        keys = _keys(type(self))  # type: ignore[arg-type]  # mypy: an unhashable class; it is not
        found = {}
        for name, key in keys:
            value = getattr(self, name)
            found[key] = value if type(value) in _LEAVES else _plain(value)
        return found

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`, for facts that hold no other facts."""
        names = _names(cls)  # type: ignore[arg-type]  # mypy: an unhashable class; it is not
        return cls(
            **{
                names[key]: tuple(item) if type(item) is list else item
                for key, item in value.items()
            }
        )


@cache
def _keys(cls: type) -> tuple[tuple[str, str], ...]:
    """Each field's name, and its key in JSON."""
    return tuple((item.name, key_of(item.name)) for item in fields(cls))


def key_of(name: str) -> str:
    """The key in JSON of a field."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


@cache
def _names(cls: type) -> dict[str, str]:
    """Each key in JSON, and its field's name."""
    return {key: name for name, key in _keys(cls)}


def read_fields(cls: type, value: Mapping[str, Any]) -> dict[str, Any]:
    """Name each value by its field, as `_names` has the keys."""
    names = _names(cls)
    return {names[key]: item for key, item in value.items()}


_LEAVES: Final = frozenset({str, int, bool, type(None)})  # most values: JSON as they are


def _plain(value: Any) -> Any:
    if isinstance(value, Facts):
        return value.to_json()
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [item if type(item) in _LEAVES else _plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def frozen(value: Any) -> Any:
    """Make a list a tuple, and leave all else as it is."""
    return tuple(value) if isinstance(value, list) else value
