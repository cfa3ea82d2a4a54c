"""What a resource's `connection` says of a database: where it is, and how it proves that."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# Weakest first; the first three may send a password in clear.
SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
CLEAR_MODES: Final = frozenset(SSL_MODES[:3])
VERIFYING_MODES: Final = frozenset(SSL_MODES[4:])
SYSTEM_AUTHORITIES: Final = "system"  # libpq's word for those of the machine
_SAFE_MODE: Final = "verify-full"


def tls_mode(connection: Mapping[str, str]) -> str | None:
    """Return the TLS mode of a connection; None leaves it to libpq, on this very machine.

    Where a resource says nothing, the server proves by its certificate that it is the one that the
    resource names: libpq's own default goes on in clear with whatever answers.
    """
    return connection.get("sslmode") or (None if is_here(connection) else _SAFE_MODE)


def is_here(connection: Mapping[str, str]) -> bool:
    """Return whether every host of it is this machine: a socket, or the loopback interface.

    Without a host libpq takes its socket.
    """
    return all(map(_is_local, connection.get("host", "").split(",")))


def place_of(connection: Mapping[str, str]) -> str:
    """Return where it connects to, for a line that a person reads: hosts and ports."""
    hosts = [item or "a socket of this machine" for item in connection.get("host", "").split(",")]
    ports = connection.get("port", "").split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    pairs = zip(hosts, [*ports, *[""] * len(hosts)], strict=False)
    return ", ".join(f"{host}:{port}" if port else host for host, port in pairs)


def _is_local(host: str) -> bool:
    if not host or host.startswith(("/", "@")):
        return True
    bare = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if bare.lower().removesuffix(".") == "localhost":
        return True
    try:
        address = ip_address(bare)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
