"""Turns: people take turns in what a run looks at: a flood delays the person who made it."""

from __future__ import annotations

from collections import defaultdict
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

T = TypeVar("T")
_NONE: Final = object()


def take_turns(items: Iterable[T], person: Callable[[T], Hashable]) -> list[T]:
    """Orders items by turns: the first of each person, then the second of each, and so on.

    Items of one person keep their order; people come in the order of their first items.
    """
    of_person: dict[Hashable, list[T]] = defaultdict(list)
    for item in items:
        of_person[person(item)].append(item)
    rounds = zip_longest(*of_person.values(), fillvalue=_NONE)
    return [item for one in rounds for item in one if item is not _NONE]  # type: ignore[misc]
