"""A person's own GitHub token: from the environment, or from `gh`, where they logged in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from daypass.adapters.known_repositories import is_known_server
from daypass.errors import IndeterminateError
from daypass.model.secret import Secret
from daypass.model.servers import is_api_of, is_private, origin_of

if TYPE_CHECKING:
    from daypass.model.settings import GitHubSettings

GITHUB: Final = "github.com"
_VARIABLES: Final = ("GH_TOKEN", "GITHUB_TOKEN")
# As `gh` has it: tokens of any other server than GitHub's own.
_ENTERPRISE: Final = ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
_GITHUBS_OWN: Final = re.compile(r"(.+\.)?(github\.com|ghe\.com)")
_HERE: Final = ("localhost", "127.0.0.1", "::1")
_HOST: Final = "GH_HOST"
_RUNNERS: Final = "GITHUB_SERVER_URL"  # as a job's runner names it
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
    """List the environment variables that can hold a token for that server, in order.

    As `gh` has it, other servers than GitHub's own have variables of their own, which come first.
    """
    return _VARIABLES if _GITHUBS_OWN.fullmatch(hostname(server)) else (*_ENTERPRISE, *_VARIABLES)


def why_withheld(server: str) -> str:
    """Say, as a sentence, why no token of a variable goes to that server; empty where one may.

    A variable does not say which server its token is for, and the address comes from a clone. So
    it goes to GitHub's own servers, to the one that GH_HOST or the job's runner names, and to one
    that this machine knows already. Raises what `is_known_server` raises.
    """
    host = hostname(server)
    if not is_private(server):
        return "A GitHub token goes over https only."
    named = os.environ.get(_RUNNERS, "") if os.environ.get("GITHUB_ACTIONS") == "true" else ""
    if named:
        if origin_of(named) == origin_of(server):
            return ""
        return f"A token of this job goes to {named} alone, and {host} is another server."
    meant = os.environ.get(_HOST, "").strip()
    if _GITHUBS_OWN.fullmatch(host) or meant or is_known_server(server):
        return ""
    return (
        f"{' and '.join(_set_for(server)) or 'GH_TOKEN'} would go to {host}, which this machine "
        f"does not know yet. If that is your GitHub server: `export {_HOST}={host}`."
    )


def assert_meant(server: str) -> None:
    """Compare that server with GH_HOST, where it is set. Raises IndeterminateError."""
    meant = os.environ.get(_HOST, "").strip().lower()
    if not meant or meant in (hostname(server), _with_port(server)):
        return
    raise IndeterminateError(
        f"{_HOST} is {meant!a}, and the governed repository is at {server}: no token was sent to "
        "either",
        remedy=f"See which of the two is right. If it is {server}: `unset {_HOST}`.",
    )


def assert_own_api(settings: GitHubSettings) -> None:
    """Refuse settings by which a token for one server would go to another's API.

    Documents that say so do not load; this is for settings that came another way. Raises
    IndeterminateError.
    """
    if not is_api_of(settings.server_url, settings.api_url):
        raise IndeterminateError(
            f"{settings.api_url} is not the API of {settings.server_url}: no token was sent",
            remedy="Correct `github.apiUrl` in access/daypass.yaml, by a pull request.",
        )


def person_token(server_url: str) -> Secret | None:
    """Find the token of a variable, else what `gh auth token` says for that server, else None.

    Raises IndeterminateError where GH_HOST names another server, or known servers cannot be read.
    """
    assert_meant(server_url)
    if not is_private(server_url):
        return None
    if not why_withheld(server_url):
        for name in _set_for(server_url):
            return Secret(os.environ[name].strip())
    command, host = shutil.which("gh"), hostname(server_url)
    if command is None or not host:
        return None
    # Without the variables: `gh` would give theirs for any server.
    tokens = {*_VARIABLES, *_ENTERPRISE, _HOST}
    try:
        done = subprocess.run(  # noqa: S603  -- fixed words; the host cannot begin with a dash
            [command, "auth", "token", "--hostname", host],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
            stdin=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if name not in tokens},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = done.stdout.strip()
    return Secret(said) if done.returncode == 0 and said else None


def _set_for(server: str) -> list[str]:
    return [name for name in variables_for(server) if os.environ.get(name, "").strip()]


def _with_port(server: str) -> str:
    origin = origin_of(server)
    return "" if origin is None else f"{hostname(server)}:{origin[2]}"
