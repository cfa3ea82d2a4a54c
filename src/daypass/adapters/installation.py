"""This installation: all that a remembered result was judged by, besides what was judged.

The code of daypass, the interpreter with its Unicode tables, every package that is installed beside
it, and the database of time zones. What one installation remembers another does not believe: a
clone, a home or a folder of caches can be shared by several.
"""

from __future__ import annotations

import hashlib
import os
import sys
from functools import cache
from typing import Final

from daypass import __version__
from daypass.model.zone_database import database_version

_RECORD: Final = f"daypass-{__version__}.dist-info/RECORD"  # the digest of each file of a wheel


@cache
def installation(*parts: str) -> str:
    """`sha256:<hex>` of what judges.

    Args:
        parts: folders of this package whose code judges, such as `policy` or `adapters/git`.
    """
    package = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120  -- fast
    stamp = hashlib.sha256()
    for line in (__version__, sys.version, database_version(), *_code(package, parts)):
        stamp.update(f"{line}\n".encode())
    stamp.update(_record(os.path.dirname(package)))  # noqa: PTH120  -- as above
    for line in _distributions():
        stamp.update(f"{line}\n".encode())
    return f"sha256:{stamp.hexdigest()}"


def _code(package: str, parts: tuple[str, ...]) -> list[str]:
    """Each file of code with size and time: someone may be at work on daypass itself."""
    found = []
    for part in parts:
        for folder, _, names in os.walk(f"{package}/{part}"):
            for name in names:
                if name.endswith(".py"):
                    told = os.stat(f"{folder}/{name}")  # noqa: PTH116  -- a third of pathlib's time
                    found.append(f"{folder}/{name} {told.st_size} {told.st_mtime_ns}")
    return sorted(found)


def _record(folder: str) -> bytes:
    try:
        with open(f"{folder}/{_RECORD}", "rb") as file:  # noqa: PTH123  -- as above
            return hashlib.sha256(file.read()).digest()
    except OSError:  # of an installation in place, whose code is stamped above
        return b""


def _distributions() -> list[str]:
    """The names, with versions, of what is installed where this interpreter looks for packages."""
    found: set[str] = set()
    for folder in sys.path:
        try:
            found.update(name for name in os.listdir(folder or ".") if name.endswith(".dist-info"))  # noqa: PTH208  -- as above
        except OSError:
            continue
    return sorted(found)
