"""What the doctor found on GitHub: a state, why it matters, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How something on GitHub stands to what the set-up rests on."""

    SOUND = "sound"
    MISSING = "missing"
    DIFFERENT = "different"
    UNPROVEN = "unproven"  # it is not known that owners of the foundation approved it
    ADVICE = "advice"  # nothing rests on it, and it would be better otherwise
    NOT_VISIBLE = "not visible"  # this token may not see it: nothing is known of it

    @property
    def is_wrong(self) -> bool:
        """Whether something has to be mended."""
        return self in (State.MISSING, State.DIFFERENT, State.UNPROVEN)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing, as it was found; it holds no secret."""

    check: str  # what was looked at, for programs: never renamed
    state: State
    what: str  # for people
    why: str = ""  # why it matters
    mend: tuple[str, ...] = ()  # commands, each to be copied as it stands
    proves: bool = True  # whether "two writers cannot mint" rests on it
