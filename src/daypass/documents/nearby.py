"""Near misses: `did you mean …?`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_LONGEST = 80  # nobody misspells a name into something longer
_ALIKE = 0.6  # of difflib's ratio: above it, a person meant that word


def suggestion(word: Any, known: Iterable[str]) -> str:
    """`; did you mean `x`?` for the known word that is nearest, or nothing."""
    near = nearest(word, known)
    return f"; did you mean `{near}`?" if near is not None else ""


def named(word: str, known: Collection[str], remedy: str) -> tuple[str, str]:
    """The suggestion for a message, and its remedy: the nearest is named there if it is not alike.

    A person who has the nearest before them sees what was meant. What the remedy names already is
    not named again.
    """
    hint, near = suggestion(word, known), nearest(word, known, alike=0)
    if not hint and near is not None and near not in remedy:
        remedy = f"The nearest that is known is `{near}`. {remedy}"
    return hint, remedy


def nearest(word: Any, known: Iterable[str], *, alike: float = _ALIKE) -> str | None:
    """The known word that is nearest, if it is `alike` (0: in any case; 1: the same)."""
    if not isinstance(word, str) or len(word) > _LONGEST:
        return None
    import difflib  # noqa: PLC0415  -- only a document that is wrong needs it

    by_fold = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=alike)
    return by_fold[near[0]] if near else None
