"""A person's own GitHub token: from the environment, or from `gh`, where they logged in."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Final
from urllib.parse import urlsplit

from daypass.model.secret import Secret

VARIABLES: Final = ("GH_TOKEN", "GITHUB_TOKEN")
_TIMEOUT: Final = 10  # seconds


def person_token(server_url: str) -> Secret | None:
    """GH_TOKEN, else GITHUB_TOKEN, else what `gh auth token` says for that server, else None."""
    for name in VARIABLES:
        value = os.environ.get(name, "").strip()
        if value:
            return Secret(value)
    command, host = shutil.which("gh"), urlsplit(server_url).hostname
    if command is None or host is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603  -- fixed words; the host cannot begin with a dash
            [command, "auth", "token", "--hostname", host],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = done.stdout.strip()
    return Secret(said) if done.returncode == 0 and said else None
