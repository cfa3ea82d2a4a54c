"""Secret: a value that does not show itself by accident."""

from __future__ import annotations

from typing import final


@final
class Secret:
    """Holds a secret string; `str`, `repr`, f-strings, logs and tracebacks show only `***`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself. Each call is a place to look at in a review."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __reduce__(self) -> tuple[type, tuple[str]]:
        raise TypeError("a Secret is not serialised")
