"""Servers: whether the address of an API is that of the GitHub server which it is named for."""

from __future__ import annotations

import re
from typing import Final

# As strict as what git and the HTTP client are given: no user, no odd character.
_URL: Final = re.compile(
    r"(https?)://([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?"
    r"(?:/[^\s\\?#]*)?"
)
_PORTS: Final = {"https": 443, "http": 80}
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_API: Final = "api."
_SLASHES: Final = 2  # of `https://`


def origin_of(url: str) -> tuple[str, str, int] | None:
    """Read scheme, host in lower case and port of a URL; None where it has none of these."""
    found = _URL.fullmatch(url)
    if found is None:
        return None
    return found[1], found[2].lower(), int(found[3] or _PORTS[found[1]])


def is_private(url: str) -> bool:
    """Tell whether what is sent there is read by that server alone: https, or this machine."""
    origin = origin_of(url)
    return origin is not None and (origin[0] == "https" or origin[1] in _LOOPBACK)


def is_bare(url: str) -> bool:
    """Tell whether a URL names a server and nothing on it: no path but one slash."""
    return origin_of(url) is not None and url.count("/") - url.endswith("/") == _SLASHES


def is_api_of(server_url: str, api_url: str) -> bool:
    """Tell whether an API belongs to a server: it has the server's host and port, or `api.HOST`.

    github.com has https://api.github.com, GitHub Enterprise Server https://HOST/api/v3, and a
    tenant of ghe.com https://api.HOST.
    """
    server, api = origin_of(server_url), origin_of(api_url)
    if server is None or api is None:
        return False
    return api in (server, (server[0], f"{_API}{server[1]}", server[2]))
