"""Co-authors: the addresses that a commit message names in `Co-authored-by` lines.

Any line that looks like one counts, wherever it stands in the message: GitHub reads trailers only,
and what it reads is among these.
"""

from __future__ import annotations

import re
from typing import Final

_LINE: Final = re.compile(r"\s*co-authored-by\s*:(.*)", re.IGNORECASE)
_ADDRESSED: Final = re.compile(r".*<([^<>]+)>\s*")
_ADDRESS: Final = re.compile(r"<([^<>]+)>")
_NOREPLY: Final = re.compile(r"([1-9][0-9]{0,18})\+[^@\s]+@users\.noreply\.([a-z0-9.-]+)")
_SERVER: Final = re.compile(r"https?://([a-z0-9.-]+)")


def co_authors_of(message: str) -> tuple[str, ...]:
    """The addresses of the co-authors that a commit message names, in its order.

    A line without an address is returned as it is: it belongs to no account.
    """
    found = (_LINE.fullmatch(line) for line in message.splitlines())
    return tuple(address for line in found if line for address in _addresses(line[1]))


def _addresses(text: str) -> list[str]:
    whole = _ADDRESSED.fullmatch(text)
    if whole is None:
        return [text.strip()]
    several = [item.strip() for item in _ADDRESS.findall(text) if "@" in item]
    return several or [whole[1].strip()]


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
