"""The ways by which git may reach a remote: protocols, the home it sees, and the SSH command.

curl reads `~/.netrc` by HOME, and what `http.*` names it reads and writes as files. So git runs
with a home that holds nothing, the SSH command and the log-in helpers get the person's own back,
and a clone whose own configuration sets `http.*` speaks neither http nor https.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A folder that has nothing in it: no `.netrc`, no configuration. Without HOME, curl asks passwd.
NO_HOME: Final = os.devnull
# What of a clone's own `http.*`, and `http.URL.*`, names no host, no file and no credential; and
# the header that a checkout in a job leaves there.
_HARMLESS: Final = frozenset(
    {"extraheader", "postbuffer", "version", "lowspeedlimit", "lowspeedtime", "maxrequests"}
    | {"minsessions", "useragent", "keepaliveidle", "keepaliveinterval", "keepalivecount"}
    | {"maxretries", "retryafter", "maxretrytime"}
)
# What of the user's own configuration says how this machine reaches others.
_OF_THE_USER: Final = frozenset(
    {"proxy", "proxyauthmethod", "sslcainfo", "sslcapath", "sslcert", "sslkey", "sslbackend"}
    | {"proxysslcainfo", "proxysslcert", "proxysslkey"}
    | {"schannelcheckrevoke", "schannelusesslcainfo"}
)
_PROXY: Final = re.compile(r"remote\..*\.proxy(authmethod)?", re.DOTALL)
_ADDRESS: Final = re.compile(r"remote\..*\.(url|pushurl)", re.DOTALL)
_BASE: Final = re.compile(r"url\.(.*)\.(insteadof|pushinsteadof)", re.DOTALL)
_HTTP: Final = re.compile(r"\s*http:", re.IGNORECASE)
_LOOPBACK: Final = re.compile(
    r"http://([^@/\\\s?#]*@)?(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?(/[^\\\s]*)?"
)
_BY_NAME: Final = {
    "ssh": "ssh",
    "plink": "plink",
    "tortoiseplink": "tortoiseplink",
    "putty": "putty",
}


def barring_key(own: Sequence[tuple[str, str]]) -> str:
    """Find the first key of a clone's own configuration that no http request may obey, or ""."""
    for key, _ in own:
        section, _, rest = key.partition(".")
        is_http = section == "http" and rest.rpartition(".")[2] not in _HARMLESS
        if is_http or _PROXY.fullmatch(key):
            return key
    return ""


def protocols(own: Sequence[tuple[str, str]]) -> str:
    """Name the protocols that git may use in a clone: plain http on this machine alone."""
    if barring_key(own):
        return "file:git:ssh"
    addresses = [value for key, value in own if _ADDRESS.fullmatch(key)]
    addresses += [found[1] for key, _ in own if (found := _BASE.fullmatch(key)) is not None]
    plain = [address for address in addresses if _HTTP.match(address)]
    is_here = bool(plain) and all(_LOOPBACK.fullmatch(address) for address in plain)
    return "file:git:http:https:ssh" if is_here else "file:git:https:ssh"


def of_the_user(users: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pick what the user's own configuration says of proxies and authorities."""
    return [
        (key, with_home(value))
        for key, value in users
        if key.startswith("http.") and key.rpartition(".")[2] in _OF_THE_USER
    ]


def with_home(path: str) -> str:
    """Put the person's home in place of `~/`, which git would look up in the home that it has."""
    home = os.environ.get("HOME")
    return f"{home}{path[1:]}" if home and path.startswith("~/") else path


def in_own_home(command: str) -> str:
    """Make a shell command of one, which runs in the person's own home."""
    home = os.environ.get("HOME")
    begin = "unset HOME" if home is None else f"export HOME={shlex.quote(home)}"
    return f"{begin}; {command}"


def helper_in_own_home(helper: str) -> str:
    """Make a log-in helper of one, which runs in the person's own home; "" drops those before."""
    if not helper:
        return ""
    if helper.startswith("!"):
        return f"!{in_own_home(helper[1:])}"
    return f"!{in_own_home(helper if helper.startswith('/') else f'git credential-{helper}')}"


def ssh_variables(of_the_user: Mapping[str, str]) -> dict[str, str]:
    """Give the SSH command that counts, and what kind it is, as git would find by its name."""
    command = os.environ.get("GIT_SSH_COMMAND") or of_the_user.get("core.sshcommand")
    command = command or shlex.quote(os.environ.get("GIT_SSH") or "ssh")
    variant = os.environ.get("GIT_SSH_VARIANT") or of_the_user.get("ssh.variant")
    return {
        "GIT_SSH_COMMAND": in_own_home(command),
        "GIT_SSH_VARIANT": variant or _kind_of(command),
    }


def _kind_of(command: str) -> str:
    try:
        first = Path(shlex.split(command)[0]).name.lower().removesuffix(".exe")
    except (ValueError, IndexError):
        return "auto"
    return _BY_NAME.get(first, "auto")


def user_folder() -> dict[str, str]:
    """Keep git's own folder of the user, whose list of ignored files counts, where it is."""
    home = os.environ.get("HOME")
    if os.environ.get("XDG_CONFIG_HOME") or not home:
        return {}
    return {"XDG_CONFIG_HOME": str(Path(home, ".config"))}
