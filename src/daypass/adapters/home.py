"""The home folder of this user, who may have none: a container runs under any number."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def home_folder() -> Path | None:
    """Return the home folder; None where `HOME` is not set and the user has no passwd entry."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def find_state_folder() -> Path | None:
    """Find where daypass keeps what is this person's alone; None where there is no home folder.

    That is `$XDG_STATE_HOME/daypass`. By the XDG specification a path that is not absolute does not
    count; `~/.local/state` serves in its place.
    """
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    if state.is_absolute():
        return state / "daypass"
    home = home_folder()
    return None if home is None else home / ".local" / "state" / "daypass"


def no_home() -> OSError:
    """Make the error of a file that belongs into a home folder, where there is none."""
    return OSError(errno.ENOENT, "there is no home folder: set HOME")
