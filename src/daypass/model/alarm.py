"""Alarms: where a person must look. One cause, one alarm, however many runs see it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_CAUSE: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,119}")


@dataclass(frozen=True, slots=True)
class Alarm:
    """One cause for somebody to look. `text` may hold ids and codes, and what policies say."""

    cause: str  # a stable name: the same cause has the same name in every run
    text: str
    standing: bool  # True: over when a run no longer sees it; False: until a person closes it

    def __post_init__(self) -> None:
        if _CAUSE.fullmatch(self.cause) is None:
            raise ValueError(f"{self.cause!r} is no name of a cause")

    @property
    def marker(self) -> str:
        """The first line of the GitHub issue that is opened for it."""
        return f"<!-- daypass:alarm:{self.cause} -->"
