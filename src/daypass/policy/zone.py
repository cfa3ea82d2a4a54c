"""Time zones: is a name one that this machine can reckon with?"""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def zone_problem(name: str) -> str:
    """Why a time zone cannot be used; empty when it can."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"{name} is no time zone of the IANA database that this machine has"
    return ""
