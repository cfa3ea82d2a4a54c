"""Handing a claimed credential over: to a command, to standard output, or to a file.

A delivery can be opened once. So all that can fail is tried before it is opened (`prepare`), and
what fails afterwards (`give`) says so: nothing is lost in silence.
"""

from __future__ import annotations

import errno
import json
import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from daypass.adapters.new_file import NewFile
from daypass.errors import ClaimError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from daypass.model.instant import Instant
    from daypass.model.resource import Resource
    from daypass.model.secret import Secret

# libpq's names for what a resource's `connection` may say.
_LIBPQ: Final = {
    "host": "PGHOST",
    "port": "PGPORT",
    "database": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "username": "PGUSER",
    "password": "PGPASSWORD",
}
# libpq lets these override PGHOST: a password would go to where they point.
_REDIRECTING: Final = ("PGHOSTADDR", "PGSERVICE")
_ROOM: Final = 16384  # bytes written ahead: more than any credential


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
        """As environment variables: libpq's for a database, `DAYPASS_<FIELD>` for others."""
        told = {
            "DAYPASS_GRANT": self.grant.id,
            "DAYPASS_NOT_AFTER": str(self.grant.not_after),
        }
        for name, value in self._fields().items():
            libpq = _LIBPQ.get(name) if self._is_database else None
            told[libpq or f"DAYPASS_{name.upper().replace('-', '_')}"] = value
        return told

    def environment(self) -> dict[str, str]:
        """This process's environment, and what is told on top of it."""
        here = dict(os.environ)
        if self._is_database:
            for name in _REDIRECTING:
                here.pop(name, None)
        return here | self.told()

    def to_json(self) -> str:
        """As JSON, for programs."""
        value = {
            "grant": self.grant.id,
            "resource": self.grant.resource,
            "access": self.grant.access,
            "notAfter": str(self.grant.not_after),
            "connection": dict(self.resource.connection),
            "credential": {name: secret.reveal() for name, secret in self.credential.items()},
        }
        return json.dumps(value, indent=2) + "\n"

    def to_exports(self) -> str:
        """As lines that a POSIX shell can `eval`."""
        lines = [f"unset {' '.join(_REDIRECTING)}"] if self._is_database else []
        lines += [f"export {key}={shlex.quote(value)}" for key, value in self.told().items()]
        return "\n".join(lines) + "\n"

    @property
    def _is_database(self) -> bool:
        return self.grant.engine == "database"

    def _fields(self) -> dict[str, str]:
        secret = {name: value.reveal() for name, value in self.credential.items()}
        # The credential comes last: what a resource says can never replace what Vault gave.
        return {**self.resource.connection, **secret}


class Receiver(Protocol):
    """One way of handing over."""

    def prepare(self) -> None:
        """Try all that can fail. Raises UsageError, ClaimError, OSError; nothing is opened yet."""

    def give(self, handful: Handful) -> None:
        """Hand over. Raises ClaimError if that failed after all."""

    def abandon(self) -> None:
        """Undo `prepare`: nothing came."""


@dataclass(slots=True)
class Command:
    """Becomes the command, with the credential in its environment: its exit code is ours."""

    words: Sequence[str]
    _path: str = ""

    def prepare(self) -> None:
        """Find the command before the delivery is opened."""
        found = shutil.which(self.words[0])
        if found is None:
            raise UsageError(
                f"there is no command {self.words[0]!a}",
                remedy="Nothing was opened. Correct its name or PATH, and run the claim again.",
            )
        self._path = found

    def give(self, handful: Handful) -> None:
        """Replace this process. No copy of the credential stays behind, and no parent waits."""
        environment = handful.environment()
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            os.execve(self._path, list(self.words), environment)  # noqa: S606  -- no shell is wanted
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise _lost(handful.grant, error) from error
        try:
            # A script without a first line that names its shell: as a shell itself would run it.
            command = ["/bin/sh", self._path, *self.words[1:]]
            os.execve(command[0], command, environment)  # noqa: S606  -- the path is not parsed
        except OSError as error:
            raise _lost(handful.grant, error) from error

    def abandon(self) -> None:
        """There is nothing to undo."""


@dataclass(frozen=True, slots=True)
class StandardOutput:
    """Prints `export` lines or JSON."""

    form: str  # env | json

    def prepare(self) -> None:
        """A closed standard output is found before the delivery is opened."""
        os.fstat(sys.stdout.fileno())

    def give(self, handful: Handful) -> None:
        """Print."""
        try:
            sys.stdout.write(handful.to_json() if self.form == "json" else handful.to_exports())
            sys.stdout.flush()
        except OSError as error:
            raise _lost(handful.grant, error) from error

    def abandon(self) -> None:
        """There is nothing to undo."""


@dataclass(slots=True)
class File:
    """A new file that only its owner can read; it appears whole, and replaces nothing."""

    path: Path
    _new: NewFile | None = None

    def prepare(self) -> None:
        """Write as much as will be needed, under another name, and try all that `give` will do.

        A full disk shows now, and so does a file system without hard links, by which alone a file
        appears whole and replaces nothing (vfat, and some that are mounted over a network).
        """
        if self.path.exists() or self.path.is_symlink():
            raise UsageError(
                f"{self.path} exists, and is not overwritten",
                remedy="Nothing was opened. Remove it or name another file, and run it again.",
            )
        self._new = NewFile.create(self.path)
        try:
            self._new.write(b"\0" * _ROOM)
        except OSError:
            self.abandon()
            raise
        try:
            self._new.try_appearing()
        except OSError as error:
            self.abandon()
            raise UsageError(
                f"the file system of {self.path} takes no hard links ({error.strerror})",
                remedy="Nothing was opened. Name a file on another one, such as your home "
                "directory's, and run it again.",
            ) from error

    def give(self, handful: Handful) -> None:
        """Write through the same descriptor, and let it appear under its name."""
        new = self._new
        if new is None:
            raise ValueError("prepare comes first")
        try:
            new.write(handful.to_json().encode())
        except OSError as error:
            new.discard()
            raise _lost(handful.grant, error) from error
        try:
            new.appear()
        except OSError as error:
            if not new.is_there():
                new.discard()
                raise _lost(handful.grant, error) from error
            new.leave()
            raise ClaimError(
                f"{self.path} could not be made ({error.strerror}); the credential is in "
                f"{self.path.with_name(new.draft)}",
                remedy="Move that file to where you want it.",
            ) from error

    def abandon(self) -> None:
        """Remove what was prepared."""
        if self._new is not None:
            self._new.discard()


def _lost(grant: Given, error: OSError) -> ClaimError:
    if grant.pull_request is None:
        return ClaimError(
            f"{grant.id} was taken, and could not be handed over ({error.strerror})",
            remedy=f"Nobody has the credential now. End it (`daypass done {grant.id}`), and take "
            "it anew.",
        )
    return ClaimError(
        f"the delivery was opened, and could not be handed over ({error.strerror})",
        remedy=f"Nobody has the credential now. Comment `/redeliver {grant.id}` on pull request "
        f"#{grant.pull_request}: what is left of the time is minted anew.",
    )
