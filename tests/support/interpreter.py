"""The warm interpreter that tests start daypass from; see `warm_server` for what runs in it."""

from __future__ import annotations

import functools
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support import warm_server

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATIENCE_SECONDS = 120


class Interpreter:
    """A server process that forks for each command; it ends when its owner closes it, or dies."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="warm-"))
        self._socket = self._folder / "s"
        self._lock = threading.Lock()
        self._ready = False
        self._server = subprocess.Popen(
            [sys.executable, warm_server.__file__, str(self._socket)],
            stdin=subprocess.PIPE,  # its end is the server's
            stdout=subprocess.PIPE,
        )

    def ask(self, order: Mapping[str, Any]) -> int:
        """Runs one command and waits for it: its exit code, negative for a signal."""
        self._await_server()
        with socket.socket(socket.AF_UNIX) as talk:
            talk.settimeout(_PATIENCE_SECONDS)
            talk.connect(str(self._socket))
            talk.sendall(json.dumps(order).encode() + b"\n")
            return int(talk.makefile("rb").readline())

    def close(self) -> None:
        """Ends the server, and waits for it."""
        self._server.communicate()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _await_server(self) -> None:
        with self._lock:
            if not self._ready:
                assert self._server.stdout is not None
                assert self._server.stdout.readline() == b"ready\n"
                self._ready = True


@functools.cache
def shared() -> Interpreter:
    """The one of this test process, started when it is first wanted; see `close_shared`."""
    return Interpreter()


def close_shared() -> None:
    """Ends it, if it was ever wanted."""
    if shared.cache_info().currsize:
        shared().close()
        shared.cache_clear()
