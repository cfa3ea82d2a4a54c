"""Whom a person's token may go to: the governed repository itself, whatever a clone's files say.

A clone can come from anybody: an archive of a colleague, a folder on a shared machine. Its own
configuration names remotes, proxies and authorities, so none of that decides where a token goes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from daypass.adapters.git.process import authorisation

if TYPE_CHECKING:
    from collections.abc import Callable

    from daypass.adapters.git.process import Git
    from daypass.model.secret import Secret

# Stricter than RFC 3986, so that git and curl read in it what is read here.
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?:[^@/\\\s?#\[\]]*@)?"
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^\s\\?#]*)?",
)
_PORTS: Final = {"https": 443, "http": 80}
_LAST_PORT: Final = 0xFFFF
_LOOPBACK: Final = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|\[::1\]")
# What of `http.*`, and of `http.URL.*`, leads no request elsewhere and weakens no TLS.
_HARMLESS: Final = frozenset(
    {"extraheader", "postbuffer", "version", "lowspeedlimit", "lowspeedtime", "maxrequests"}
    | {"minsessions", "useragent"}
)
_DIVERTING: Final = re.compile(r"url\..*|remote\..*\.(proxy|proxyauthmethod|vcs)", re.DOTALL)
_OWN: Final = frozenset({"local", "worktree"})


class Address(NamedTuple):
    """An http or https URL, taken apart; the host in lower case."""

    scheme: str
    host: str
    port: int | None  # None: the scheme's own
    path: str  # without the first slash

    @property
    def is_loopback(self) -> bool:
        """Whether it never leaves this machine."""
        return _LOOPBACK.fullmatch(self.host) is not None


def read_address(url: str) -> Address | None:
    """What an http or https URL says; None for any other, and for one that is odd."""
    found = _URL.fullmatch(url)
    if found is None or int(found["port"] or 0) > _LAST_PORT:
        return None
    port = int(found["port"]) if found["port"] else None
    scheme = found["scheme"]
    path = (found["path"] or "").lstrip("/")
    return Address(scheme, found["host"].lower(), None if port == _PORTS[scheme] else port, path)


class Loan:
    """A person's token, for one repository on one server."""

    def __init__(self, server_url: str, full_name: str, token: Callable[[], Secret | None]) -> None:
        """Lend what `token` gives (None: there is none), which is asked when it is needed first."""
        self._server = read_address(server_url)
        self._name = full_name.lower()
        self._token = token
        self.shown = f"{server_url}/{full_name}"  # the one address that it is for
        self._verdicts: dict[str, str] = {}  # by URL: asked of git once, before any is lent
        self.withheld = ""  # why no token was sent, as a sentence; empty where one was

    def settings(self, git: Git, url: str) -> tuple[tuple[str, str], ...]:
        """Configuration that sends the token there; none where it must not go, or there is none.

        `url` is where git goes by that remote, after all that rewrites addresses.
        """
        there = read_address(url)
        if there is None:  # SSH, or a folder: no token serves there
            return ()
        if url not in self._verdicts:
            self._verdicts[url] = self._why_not(git, there)
        self.withheld = self._verdicts[url]
        token = self._token() if not self.withheld else None
        return () if token is None else authorisation(url, token)

    def is_for(self, url: str) -> bool:
        """Whether that http or https URL is the governed repository's, over a line of its own."""
        there, here = read_address(url), self._server
        if there is None or here is None or there[:3] != here[:3] or not self.is_named(there.path):
            return False
        return there.scheme == "https" or there.is_loopback

    def is_named(self, path: str) -> bool:
        """Whether a path on a server is the governed repository's. GitHub's names have no case."""
        return path.rstrip("/").removesuffix(".git").lower() == self._name

    def is_on(self, host: str) -> bool:
        """Whether that is the host of its server."""
        return self._server is not None and self._server.host == host.lower()

    def _why_not(self, git: Git, there: Address) -> str:
        here = self._server
        if here is None or there[:3] != here[:3] or not self.is_named(there.path):
            return (
                "Your GitHub token was not sent: it goes to the governed repository alone, "
                f"{self.shown}, and this remote has another address."
            )
        if there.scheme != "https" and not there.is_loopback:
            return "Your GitHub token was not sent: it does not go over http."
        keys = diverting_keys(git)
        if keys:
            return (
                f"Your GitHub token was not sent: this clone's own configuration sets {keys[0]}, "
                "which may lead it elsewhere. If you set that yourself, put it into your "
                "environment (HTTPS_PROXY, GIT_SSL_CAINFO) instead: "
                f"`git config --unset-all {keys[0]}`."
            )
        return ""


def diverting_keys(git: Git) -> tuple[str, ...]:
    """What a clone's own configuration sets that decides where a request goes, or who answers.

    The keys alone: a value may hold a password. Raises GitError if the configuration is unreadable.
    """
    words = git.run("config", "--list", "--show-scope", "--null").decode("utf-8", "replace")
    parts = words.split("\0")[:-1]
    own = [
        entry.partition("\n")[0]
        for scope, entry in zip(parts[::2], parts[1::2], strict=True)
        if scope in _OWN
    ]
    return tuple(key for key in own if _is_diverting(key))


def _is_diverting(key: str) -> bool:
    section, _, rest = key.partition(".")
    if section.lower() == "http":
        return rest.rpartition(".")[2].lower() not in _HARMLESS
    return _DIVERTING.fullmatch(key.lower()) is not None
