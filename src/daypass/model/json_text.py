"""JSON from outside: read so that no nesting of it can stop a run.

Python's reader recurses, and so does whatever walks through what it gave.
"""

from __future__ import annotations

import json
from typing import Any, Final

MAX_DEPTH: Final = 64  # lists and maps within each other; what daypass reads has a dozen


class DeepError(ValueError):
    """JSON is nested too deeply."""

    def __init__(self) -> None:
        super().__init__(f"it is nested more than {MAX_DEPTH} levels deep")


def read_json(text: str | bytes, **options: Any) -> Any:
    """Reads JSON from outside; `options` are those of `json.loads`.

    Raises:
        ValueError: it is no JSON, or nested more than `MAX_DEPTH` levels deep.
    """
    try:
        value = json.loads(text, **options)
    except RecursionError:
        raise DeepError from None
    if deeper_than(MAX_DEPTH, value):
        raise DeepError
    return value


def deeper_than(levels: int, value: Any) -> bool:
    """Tells whether a value of JSON has more lists and maps within each other. Never recurses."""
    layer = [value]
    for _ in range(levels + 1):
        nested = [item for item in layer if isinstance(item, (dict, list))]
        if not nested:
            return False
        layer = [
            item
            for outer in nested
            for item in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return True


def wider_than(entries: int, value: Any) -> bool:
    """Tells whether a list or map within a value of JSON has more entries. Never recurses."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, (dict, list)):
            if len(item) > entries:
                return True
            waiting.extend(item.values() if isinstance(item, dict) else item)
    return False
