"""Time zones in CEL expressions: which are named, and how they are read without the machine's own.

CEL's runtime looks a zone up in the machine's files, and `localtime` in its settings. So a call
such as `now.getHours('Europe/Zurich')` is compiled as one of a function of our own, which moves the
time by what the input of the decision says. Fixed offsets (`'+01:00'`) stay CEL's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from daypass.policy.expression_tokens import MACROS, plain_text, spoken, tokens_of

if TYPE_CHECKING:
    from daypass.policy.expression_tokens import Token

LOCAL: Final = "daypass_local"  # the function that moves a time

_GETTER: Final = re.compile(
    r"get(?:FullYear|Month|Date|DayOfMonth|DayOfWeek|DayOfYear|Hours|Minutes|Seconds|Milliseconds)"
)
_FIXED: Final = re.compile(
    r"(?: [+-]?[0-9.]+(?::[0-9.]+)+ | UTC0 | Fixed/UTC[+-][0-9]{2}:[0-9]{2}:[0-9]{2} )?",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Localised:
    """An expression as it is compiled, and the time zones that it names."""

    text: str
    zones: frozenset[str]  # those that are written out
    is_computed: bool  # whether only evaluating it tells all zones and times that it asks for


@lru_cache(maxsize=16384)  # every expression of a tree, of which each decision asks
def localised(text: str) -> Localised:
    """The expression as it is compiled.

    Raises:
        ValueError: it calls the function that stands for a zone itself.
    """
    if LOCAL not in text and "get" not in text:
        return Localised(text, frozenset(), is_computed=False)
    tokens = tokens_of(text)
    said = spoken(tokens)
    names: set[str] = set()
    computed = False
    for getter, first, last in _calls(said):
        argument = said[first:last]
        zone = plain_text(argument[0]) if len(argument) == 1 else None
        if not argument or (zone is not None and _FIXED.fullmatch(zone)):
            continue
        computed = computed or zone is None or not _is_of_now(said, getter)
        names.update(() if zone is None else (zone,))
        said[last].text = f").{said[getter].text}()"
        said[getter].text = LOCAL
    # The item of a macro can be called `now`.
    computed = computed or (bool(names) and any(token.text in MACROS for token in said))
    return Localised("".join(token.text for token in tokens), frozenset(names), computed)


def zones_named(text: str) -> frozenset[str]:
    """The time zones that an expression writes out; none of one that cannot be used."""
    try:
        return localised(text).zones
    except ValueError:
        return frozenset()


def fixed_offset(zone: str) -> float | None:
    """Seconds east of UTC of a zone such as `+01:00`, or of no zone; None: it is another name."""
    if not zone:
        return 0
    if ":" not in zone or not _FIXED.fullmatch(zone) or zone.startswith("F"):
        return None
    *hours, minutes = zone.lstrip("+-").split(":")
    try:
        seconds = 3600 * sum(float(part) for part in hours) + 60 * float(minutes)
    except ValueError:
        return None
    return -seconds if zone.startswith("-") else seconds


def _calls(said: list[Token]) -> list[tuple[int, int, int]]:
    """Each call that reads a part of a time: its name, its first token within, its bracket."""
    found = []
    opened: list[int | None] = []
    for index, token in enumerate(said):
        if token.text in ("[", "{"):
            opened.append(None)
        elif token.text == "(":
            opened.append(index if _is_getter(said, index - 1) else None)
        elif token.text in (")", "]", "}") and opened:
            start = opened.pop()
            if start is not None and token.text == ")":
                found.append((start - 1, start + 1, index))
    return found


def _is_getter(said: list[Token], index: int) -> bool:
    """Whether a call by this name, which a bracket follows, reads a part of a time."""
    if index < 0 or said[index].kind != "word":
        return False
    if said[index].text == LOCAL:
        raise ValueError(f"the name {LOCAL} is reserved")
    return index > 0 and said[index - 1].text == "." and bool(_GETTER.fullmatch(said[index].text))


def _is_of_now(said: list[Token], getter: int) -> bool:
    """Whether it is the variable `now` that is read: then the offset at the decision's time."""
    owner = getter - 2
    return owner >= 0 and said[owner].text == "now" and (owner == 0 or said[owner - 1].text != ".")
