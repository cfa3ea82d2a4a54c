"""Co-authors: the addresses that a commit message names in `Co-authored-by` lines.

Any line that looks like one counts, wherever it stands in the message, with the lines that continue
it: GitHub reads trailers only. Every address in such a line counts, in angle brackets or beside
them; a line that does not end with one in brackets is kept whole, and belongs to no account.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE: Final = re.compile(r"\s*co-authored-by\s*:(.*)", re.IGNORECASE)
_BRACKETED: Final = re.compile(r"<([^<>]+)>")
_BARE: Final = re.compile(r"[^\s<>,;:()\"']+@[^\s<>,;:()\"']+")
_NOREPLY: Final = re.compile(r"([1-9][0-9]{0,18})\+[^@\s]+@users\.noreply\.([a-z0-9.-]+)")
_SERVER: Final = re.compile(r"https?://([a-z0-9.-]+)")


def co_authors_of(message: str) -> tuple[str, ...]:
    """The addresses of the co-authors that a commit message names, each once, in its order.

    A line without an address is returned as it is: it belongs to no account.
    """
    found = (address for value in _values(message) for address in _addresses(value))
    return tuple(dict.fromkeys(found))


def _values(message: str) -> Iterator[str]:
    """What stands behind the colon of each such line, unfolded."""
    for line in _unfolded(message):
        # Git ends lines at line feeds only. What other signs end stays in this line's value.
        parts = line.splitlines()
        for number, part in enumerate(parts):
            match = _LINE.match(part)
            if match is not None:
                yield " ".join((match[1], *parts[number + 1 :]))
                break


def _unfolded(message: str) -> list[str]:
    """The lines of a message. One that begins with white space continues the one before it."""
    lines: list[list[str]] = []
    for line in message.split("\n"):
        if lines and line[:1].isspace() and line.strip():
            lines[-1].append(line)
        else:
            lines.append([line])
    return ["\n".join(parts) for parts in lines]


def _addresses(value: str) -> list[str]:
    text = value.strip()
    inside = _BRACKETED.findall(text)
    if not inside or not text.endswith(f"<{inside[-1]}>"):
        return [text]
    named = [item.strip() for item in inside if "@" in item]
    return [*named, *_BARE.findall(_BRACKETED.sub(" ", text))] or [inside[-1].strip()]


def same_address(address: str) -> str:
    """The form in which two spellings of an address are compared: without case, as GitHub does."""
    return address.strip().lower()


def noreply_account(address: str, host: str) -> int | None:
    """The numeric id of the account that an address of the form `ID+LOGIN@users.noreply.HOST` has.

    None for every other address. Older ones without the id name a login, which can change hands:
    only GitHub can tell the account.
    """
    match = _NOREPLY.fullmatch(same_address(address))
    return int(match[1]) if match is not None and match[2] == host else None


def noreply_host(server_url: str) -> str:
    """The host in a server's noreply addresses: `github.com` for `https://github.com`."""
    match = _SERVER.match(server_url.lower())
    return match[1] if match else ""
