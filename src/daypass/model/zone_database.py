"""The database of time zones: that of the package `tzdata`, locked and installed with daypass.

The machine's own is never asked: two machines have different ones, and a variable replaces it.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

PACKAGE: Final = "tzdata"
# What a database can hold beside zones: the machine's own zone, rules for names such as EST5EDT,
# one that says that no zone was set, and the other two ways to count leap seconds.
_NO_ZONES: Final = frozenset({"localtime", "posixrules", "Factory"})
_NO_FOLDERS: Final = ("posix/", "right/", "SystemV/")


def database_version() -> str:
    """The version of the database, such as `2026f`; empty where the package is missing."""
    try:
        return str(importlib.import_module(PACKAGE).IANA_VERSION)
    except (ImportError, AttributeError):
        return ""


@lru_cache(maxsize=1024)  # all of the database: 600 names
def find_zone(name: str) -> ZoneInfo | None:
    """The time zone of that name, aliases included; None: the database has no such zone."""
    import io  # noqa: PLC0415  -- most runs ask for the version alone
    from zoneinfo import ZoneInfo  # noqa: PLC0415  -- as above

    data = _data(f"zoneinfo/{name}") if name in zone_names() else None
    try:
        return ZoneInfo.from_file(io.BytesIO(data), key=name) if data is not None else None
    except ValueError:
        return None


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Every zone of the database, exactly as it is spelt: file systems may be less exact."""
    names = frozenset((_data("zones") or b"").decode("ascii").split())
    return frozenset(name for name in names - _NO_ZONES if not name.startswith(_NO_FOLDERS))


def _data(path: str) -> bytes | None:
    import pkgutil  # noqa: PLC0415  -- as above

    try:
        return pkgutil.get_data(PACKAGE, path)
    except (ImportError, OSError):
        return None
