"""Time zones in CEL expressions: which are named, and how they are read without the machine's own.

CEL's runtime looks a zone up in the machine's files, and `localtime` in its settings. So a call
such as `now.getHours('Europe/Zurich')` is compiled as one of a function of our own, which moves the
time by what the input of the decision says. Fixed offsets (`'+01:00'`) stay CEL's.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

ZONES: Final = "daypass_zones"  # the variable that holds the offsets of the input
NOW: Final = "daypass_now"  # the time at which they hold: `now` can be the name of a macro's item
LOCAL: Final = "daypass_local"  # the function that moves a time

_GETTERS: Final = (
    "get(?:FullYear|Month|Date|DayOfMonth|DayOfWeek|DayOfYear|Hours|Minutes|Seconds|Milliseconds)"
)
_TOKEN: Final = re.compile(
    r"""
      (?P<skip>
          //[^\n]*
        | \b(?:[rR][bB]?|[bB][rR])(?:'''.*?'''|\"\"\".*?\"\"\"|'[^'\n]*'|"[^"\n]*")
        | '''(?:\\.|[^\\])*?''' | \"\"\"(?:\\.|[^\\])*?\"\"\"
        | '(?:\\.|[^'\\\n])*' | "(?:\\.|[^"\\\n])*"
      )
      | \.\s*(?P<name>GETTERS)\s*\(\s*
        (?: (?P<none>\)) | '(?P<one>[^'"\\\n]*)'\s*\) | "(?P<two>[^'"\\\n]*)"\s*\) )
      | (?P<odd>\b(?:GETTERS|OURS\w*)\b)
    """.replace("GETTERS", _GETTERS).replace("OURS", "daypass_"),
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_FIXED: Final = re.compile(r"(?:[+-]?[0-9]{1,2}:[0-9]{2})?")


def localised(text: str) -> tuple[str, frozenset[str]]:
    """The expression as it is compiled, and the time zones that it names.

    Raises:
        ValueError: the zone of a call is not written out as a plain text, or a name is reserved.
    """
    names: set[str] = set()

    def replace(found: re.Match[str]) -> str:
        if found["odd"] is not None:
            if found["odd"].startswith("daypass_"):
                raise ValueError(f"names that begin with daypass_ are reserved: {found['odd']}")
            raise ValueError(
                f"the time zone of `{found['odd']}` must be written out, as in "
                f"`now.{found['odd']}('Europe/Zurich')`"
            )
        zone = found["one"] if found["one"] is not None else found["two"]
        if zone is None or _FIXED.fullmatch(zone):
            return found[0]
        names.add(zone)
        return f".{LOCAL}('{zone}', {NOW}, {ZONES}).{found['name']}()"

    return _TOKEN.sub(replace, text), frozenset(names)


@lru_cache(maxsize=1024)
def zones_named(text: str) -> frozenset[str]:
    """The time zones that an expression names; none of one that cannot be used."""
    try:
        return localised(text)[1]
    except ValueError:
        return frozenset()
