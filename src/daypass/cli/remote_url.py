"""Where a clone comes from: the GitHub server and the repository that a remote's URL names."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from daypass.adapters.git.lending import read_address
from daypass.adapters.git.push_target import read_ssh

_SSH: Final = re.compile(r"(?:ssh://)?[^@/\s]+@([^:/\s]+)(?::\d+/|[:/])(.+)")
_NAME: Final = re.compile(r"([A-Za-z0-9-]+)/([A-Za-z0-9._-]+?)(?:\.git)?/?")
_ALIASES: Final = {"ssh.github.com": "github.com"}  # where GitHub takes SSH on the port of HTTPS


@dataclass(frozen=True, slots=True)
class Place:
    """A repository on a GitHub server."""

    server: str  # https://github.com, without a path
    name: str  # owner/name
    # Over SSH the host can be an alias of the person's own, such as `github.com-work`.
    is_ssh: bool = field(default=False, compare=False)

    @property
    def host(self) -> str:
        """The server's name alone, in lower case, without a port."""
        return _host(self.server)

    @property
    def shown(self) -> str:
        """Host and name, without what a URL may hold besides."""
        return f"{self.host}/{self.name}"

    @property
    def address(self) -> str:
        """Server and name in lower case, as pins have them; over SSH the host as it is written."""
        return f"{f'ssh://{self.host}' if self.is_ssh else self.server}/{self.name}".lower()

    def is_at(self, server: str, name: str) -> bool:
        """Whether it is that repository of that server. GitHub's names have no case."""
        if self.name.lower() != name.lower():
            return False
        if self.is_ssh:
            return self.host == _host(server)
        here, there = read_address(self.server), read_address(server)
        return here is not None and here == there  # and neither has a path


def is_full_name(text: str) -> bool:
    """Whether it has the form `owner/name`."""
    return _NAME.fullmatch(text) is not None


def read(url: str) -> Place | None:
    """What an https or ssh URL names; None if it has neither form, or is odd.

    Nothing of an odd one is told: it may hold a password.
    """
    address = read_address(url)
    if address is not None:
        port = f":{address.port}" if address.port else ""
        server, path, is_ssh = f"{address.scheme}://{address.host}{port}", address.path, False
    elif read_ssh(url) is not None and (match := _SSH.fullmatch(url)):
        server, path, is_ssh = f"https://{_ALIASES.get(match[1], match[1])}", match[2], True
    else:
        return None
    named = _NAME.fullmatch(path)
    return Place(server, f"{named[1]}/{named[2]}", is_ssh) if named else None


def _host(server: str) -> str:
    address = read_address(server)
    return "" if address is None else address.host.strip("[]")
