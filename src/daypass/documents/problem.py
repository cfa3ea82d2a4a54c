"""Problems: what is wrong at some place inside a value, before lines and columns are known."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at a path of keys and indices inside a document."""

    at: tuple[str | int, ...]
    rule: str
    message: str
    remedy: str
    of_key: bool = False  # the key is what is wrong, not its value
