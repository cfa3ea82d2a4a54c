"""Where a credential is going to connect: looked at, and told, before anything is opened."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from daypass.adapters import libpq
from daypass.adapters.handover import is_database
from daypass.cli import output
from daypass.errors import UsageError
from daypass.model.database_connection import place_of, tls_mode

if TYPE_CHECKING:
    from daypass.adapters.handover import Receiver
    from daypass.model.delivery import Origin
    from daypass.model.resource import Resource


def prepare(receiver: Receiver, resource: Resource, engine: str) -> None:
    """Find what would keep the credential from being received, or used. Nothing is opened yet.

    Raises UsageError, ClaimError, OSError.
    """
    if is_database(engine) and receiver.is_environment:
        _assert_authority(resource)
        _tell_dropped(resource)
    receiver.prepare()


def tell_opening(doing: str, origin: Origin, resource: Resource, engine: str) -> None:
    """Say which Vault is asked, and where the credential is for, before the one is asked."""
    told = f"{doing} at {origin.place}"
    if is_database(engine):
        mode = tls_mode(resource.connection)
        told += f"; connects to {place_of(resource.connection)}"
        told += "" if mode is None else f", TLS {mode}"
    elif "host" in resource.connection:
        told += f"; connects to {place_of(resource.connection)}"
    output.note_wrapped(told)


def _assert_authority(resource: Resource) -> None:
    """Raise UsageError where libpq would refuse to connect: the credential would be for nothing."""
    why = libpq.why_no_authority(resource.connection)
    if why is None:
        return
    mode = tls_mode(resource.connection)
    raise UsageError(
        f"the server of resource {resource.name} cannot be verified on this machine, and "
        f"`sslmode` is {mode}: {why}",
        remedy="Nothing was opened. Put the certificate of the server's authority into "
        "~/.postgresql/root.crt. Or have its owners name that in `connection` of "
        f"access/resources/{resource.name}.yaml, by a pull request: `sslrootcert: system` (libpq "
        "16 and newer), or a path that each holder's machine has. For a program that does not "
        "use libpq, take the credential with `--format json`.",
    )


def _tell_dropped(resource: Resource) -> None:
    """Name what of the holder's environment is left out."""
    names = [name for name in libpq.names_to_drop(resource.connection) if os.environ.get(name)]
    if names:
        output.note_wrapped(
            f"left out of your environment, as the resource decides it: {', '.join(names)}"
        )
