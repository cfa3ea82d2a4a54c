"""SSH hosts: what a person's own SSH configuration means by a name such as `github.com-work`."""

from __future__ import annotations

import re
import subprocess
from typing import Final

_SECONDS: Final = 5.0
_HOSTNAME: Final = re.compile(r"^hostname (\S+)$", re.MULTILINE)


def host_meant_by(alias: str) -> str:
    """Look up the host of a name, in lower case; empty where ssh does not tell."""
    try:
        done = subprocess.run(  # noqa: S603  -- a name behind `--`, and no shell
            ["ssh", "-G", "--", alias],  # noqa: S607  -- the person's own
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = _HOSTNAME.search(done.stdout)
    return found[1].lower() if found is not None else ""
