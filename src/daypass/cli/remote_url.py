"""Where a clone comes from: the GitHub server and the repository that a remote's URL names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_SSH: Final = re.compile(r"(?:ssh://)?[^@/\s]+@([^:/\s]+)(?::\d+/|[:/])(.+)")
_NAME: Final = re.compile(r"([A-Za-z0-9-]+)/([A-Za-z0-9._-]+?)(?:\.git)?/?")
_ALIASES: Final = {"ssh.github.com": "github.com"}  # where GitHub takes SSH on the port of HTTPS


@dataclass(frozen=True, slots=True)
class Place:
    """A repository on a GitHub server."""

    server: str  # https://github.com, without a path
    name: str  # owner/name

    @property
    def host(self) -> str:
        """The server's name alone, in lower case, without a port."""
        return urlsplit(self.server).hostname or ""

    @property
    def shown(self) -> str:
        """Host and name, without what a URL may hold besides."""
        return f"{self.host}/{self.name}"

    def is_at(self, server: str, name: str) -> bool:
        """Whether it is that repository of that server. GitHub's names have no case."""
        return (self.host, self.name.lower()) == (urlsplit(server).hostname, name.lower())


def is_full_name(text: str) -> bool:
    """Whether it has the form `owner/name`."""
    return _NAME.fullmatch(text) is not None


def read(url: str) -> Place | None:
    """What an https or ssh URL names; None if it has neither form."""
    parts = urlsplit(url) if url.startswith(("https://", "http://")) else None
    if parts is not None and parts.hostname:
        port = f":{parts.port}" if parts.port else ""
        server, path = f"{parts.scheme}://{parts.hostname}{port}", parts.path.lstrip("/")
    elif match := _SSH.fullmatch(url):
        server, path = f"https://{_ALIASES.get(match[1], match[1])}", match[2]
    else:
        return None
    named = _NAME.fullmatch(path)
    return Place(server, f"{named[1]}/{named[2]}") if named else None
