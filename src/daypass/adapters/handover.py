"""Handing a claimed credential over: what is handed over, and what a way of doing it offers.

A delivery can be opened once. So all that can fail is tried before it is opened (`prepare`), and
what fails afterwards (`give`) says so: nothing is lost in silence. The ways are in
`handover_command`, `handover_file` and `handover_output`.
"""

from __future__ import annotations

import json
import os
import shlex
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from daypass.adapters import libpq
from daypass.errors import DaypassError, DeliveryLostError
from daypass.model.database_connection import tls_mode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from daypass.model.instant import Instant
    from daypass.model.resource import Resource
    from daypass.model.secret import Secret

# What daypass itself reads or says: no field of a resource becomes one of these.
_RESERVED: Final = frozenset(
    f"DAYPASS_{name}"
    for name in (
        *("GRANT", "NOT_AFTER", "FINGERPRINT", "PIN", "TRACEBACK", "CLONE_TOKEN"),
        *("VAULT_ADDRESS", "VAULT_AUDIENCE", "VAULT_CA", "BOX_ARTIFACTS"),
    )
)
_SECRET_FIELDS: Final = frozenset({"username", "password"})  # of a database: Vault's alone
ROOM: Final = 16384  # bytes written ahead: more than any credential


class Given(Protocol):
    """What is handed over: a grant from the evidence, or what was taken while GitHub is down."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def engine(self) -> str:
        """The secrets engine that it comes from."""

    @property
    def resource(self) -> str:
        """What it opens."""

    @property
    def access(self) -> str:
        """Which level of it."""

    @property
    def not_after(self) -> Instant:
        """When Vault ends it."""

    @property
    def pull_request(self) -> int | None:
        """Where it was asked for."""


@dataclass(frozen=True, slots=True)
class Handful:
    """What a holder gets: the credential, and what is needed to use it."""

    grant: Given
    resource: Resource
    credential: Mapping[str, Secret]

    def told(self) -> dict[str, str]:
        """As environment variables: libpq's for a database, `DAYPASS_<FIELD>` for others.

        What a resource says comes first: it replaces neither what Vault gave nor the grant's name.
        """
        told = {
            name: value
            for name, value in self._connection().items()
            if name not in _RESERVED and not name.startswith("DAYPASS_CONTEXT_")
        }
        told |= {self._variable(name): value.reveal() for name, value in self.credential.items()}
        return told | {
            "DAYPASS_GRANT": self.grant.id,
            "DAYPASS_NOT_AFTER": str(self.grant.not_after),
        }

    def environment(self) -> dict[str, str]:
        """This process's environment, and what is told on top of it."""
        dropped = self.names_to_drop
        return {k: v for k, v in os.environ.items() if k not in dropped} | self.told()

    def to_json(self) -> str:
        """As JSON, for programs."""
        value = {
            "grant": self.grant.id,
            "resource": self.grant.resource,
            "access": self.grant.access,
            "notAfter": str(self.grant.not_after),
            "connection": self._said(),
            "credential": {name: secret.reveal() for name, secret in self.credential.items()},
        }
        return json.dumps(value, indent=2) + "\n"

    def to_exports(self) -> str:
        """As lines that a POSIX shell can `eval`."""
        told = self.told()
        lines = []
        if self._is_database:
            others = [name for name in self.names_to_drop if name not in told]
            lines.append(f"unset {' '.join(others)}")
        lines += [f"export {key}={shlex.quote(value)}" for key, value in told.items()]
        return "\n".join(lines) + "\n"

    @property
    def names_to_drop(self) -> list[str]:
        """The variables of the holder's environment that are not its to decide."""
        return libpq.names_to_drop(self.resource.connection) if self._is_database else []

    @property
    def _is_database(self) -> bool:
        return is_database(self.grant.engine)

    def _said(self) -> dict[str, str]:
        """What the resource says of the connection; of a database with the TLS mode that holds."""
        said = dict(self.resource.connection)
        mode = tls_mode(said) if self._is_database else None
        return said if mode is None else {**said, "sslmode": mode}

    def _connection(self) -> dict[str, str]:
        """The same by variable, without what is Vault's to say."""
        vaults = _SECRET_FIELDS if self._is_database else frozenset()
        said = self._said().items()
        return {self._variable(name): value for name, value in said if name not in vaults}

    def _variable(self, name: str) -> str:
        known = libpq.VARIABLES.get(name) if self._is_database else None
        return known or f"DAYPASS_{name.upper().replace('-', '_')}"


def is_database(engine: str) -> bool:
    """Whether what that secrets engine makes is told in libpq's words."""
    return engine == "database"


class Receiver(Protocol):
    """One way of handing over."""

    @property
    def is_environment(self) -> bool:
        """Whether it tells the credential by variables, in libpq's words for a database."""

    def prepare(self) -> None:
        """Try all that can fail. Raises UsageError, ClaimError, OSError; nothing is opened yet."""

    def give(self, handful: Handful) -> None:
        """Hand over. Raises ClaimError, OSError, ValueError if that failed after all."""

    def abandon(self) -> None:
        """Undo `prepare`: nothing came."""


@contextmanager
def told_as_loss(grant_id: str, pull_request: int | None) -> Iterator[None]:
    """Tell of whatever ends the block that the credential is lost, and what to do about it.

    For what comes between the opening of a delivery and its end; what daypass says by itself stays.
    """
    try:
        yield
    except DaypassError:
        raise
    except KeyboardInterrupt:
        raise lost(grant_id, pull_request, "interrupted") from None
    except OSError as error:
        raise lost(grant_id, pull_request, error.strerror or type(error).__name__) from error
    except Exception as error:  # its text may hold anything, a secret included
        raise lost(grant_id, pull_request, type(error).__name__) from error


def lost(grant_id: str, pull_request: int | None, why: str) -> DeliveryLostError:
    """Make the error of a delivery that was opened, and whose credential reached nothing."""
    if pull_request is None:
        return DeliveryLostError(
            f"{grant_id} was taken, and could not be handed over ({why})",
            remedy=f"It was not received. End it with `daypass done {grant_id}`, and take it anew.",
        )
    return DeliveryLostError(
        f"the delivery was opened, and could not be handed over ({why})",
        remedy=f"The credential was not received. Comment `/redeliver {grant_id}` on pull request "
        f"#{pull_request}: what is left of the time is minted anew.",
    )
