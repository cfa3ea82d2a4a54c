"""A person's own GitHub token: from the environment, or from `gh`, where they logged in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import Final
from urllib.parse import urlsplit

from daypass.model.secret import Secret

GITHUB: Final = "github.com"
_VARIABLES: Final = ("GH_TOKEN", "GITHUB_TOKEN")
# As `gh` has it: tokens of any other server than GitHub's own.
_ENTERPRISE: Final = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
_GITHUBS_OWN: Final = re.compile(r"(.+\.)?(github\.com|ghe\.com)")
_HERE: Final = ("localhost", "127.0.0.1", "::1")
_HOST: Final = "GH_HOST"
_TIMEOUT: Final = 10  # seconds


def hostname(server: str) -> str:
    """The host of a GitHub server, by its address or by that of its API; empty if it has none."""
    try:
        host = urlsplit(server).hostname or ""
    except ValueError:
        return ""
    bare = host.removeprefix("api.")
    return bare if _GITHUBS_OWN.fullmatch(bare) else host


def host_to_name(server: str) -> str:
    """The host that a log-in must name to `gh`; empty where it means github.com by itself."""
    host = hostname(server)
    return "" if host == GITHUB or host in _HERE else host


def variables_for(server: str) -> tuple[str, ...]:
    """The environment variables that can hold a token for that server, in order.

    As `gh` has it, other servers than GitHub's own have variables of their own, which come first.
    GH_TOKEN and GITHUB_TOKEN serve there too, unless GH_HOST says that another server is meant.
    """
    host = hostname(server)
    if not host or host in _HERE or _GITHUBS_OWN.fullmatch(host):
        return _VARIABLES
    meant = os.environ.get(_HOST, "").strip().lower()
    return _ENTERPRISE if meant not in ("", host) else (*_ENTERPRISE, *_VARIABLES)


def person_token(server_url: str) -> Secret | None:
    """The token of a variable, else what `gh auth token` says for that server, else None."""
    for name in variables_for(server_url):
        value = os.environ.get(name, "").strip()
        if value:
            return Secret(value)
    command, host = shutil.which("gh"), hostname(server_url)
    if command is None or not host:
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
