"""Near misses: `did you mean …?`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 80  # nobody misspells a name into something longer


def suggestion(word: Any, known: Iterable[str]) -> str:
    """`; did you mean `x`?` for the known word that is nearest, or nothing."""
    if not isinstance(word, str) or len(word) > _LONGEST:
        return ""
    import difflib  # noqa: PLC0415  -- only a document that is wrong needs it

    by_fold = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)
    return f"; did you mean `{by_fold[near[0]]}`?" if near else ""
