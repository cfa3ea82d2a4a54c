"""The home folder of this user, who may have none: a container runs under any number."""

from __future__ import annotations

import errno
from pathlib import Path


def home_folder() -> Path | None:
    """Return the home folder; None where `HOME` is not set and the user has no passwd entry."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def no_home() -> OSError:
    """Make the error of a file that belongs into a home folder, where there is none."""
    return OSError(errno.ENOENT, "there is no home folder: set HOME")
