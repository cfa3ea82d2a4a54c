"""A daypass that is imported once, and forked for each command: as if each were started anew.

Started as a program, with the path of a socket. Each connection brings one order, a line of JSON:
the words, directory and environment of a command, and what is to befall it. The command runs in a
process of its own with nothing but that environment; the answer is how it ended.

What a command does to the world is watched below all of daypass, by the interpreter's audit events:
every HTTP request that anything sends, and every program that is started. So no call can be
forgotten. Reads are known by name; whatever is not known as one counts as a change of the world.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import re
import resource
import select
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import daypass.adapters
import daypass.cli
from daypass.adapters.github import forge
from daypass.cli.main import main as daypass_main
from daypass.documents.resources import SCHEMA_FILES
from daypass.documents.schema import validator
from daypass.model import obligation

if TYPE_CHECKING:
    from collections.abc import Mapping

_REQUEST_LINE = re.compile(rb"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/1\.1\r\n")
# What only looks. Requests that mint are never among them, whatever their method.
_READS = (
    re.compile(r"(GET|HEAD|LIST) (?!/v1/(?!sys/)\S*/creds/)\S+"),
    re.compile(r"(POST|PUT) /v1/auth/token/lookup(-self|-accessor)?"),
    re.compile(r"(POST|PUT) /v1/sys/leases/lookup"),
    re.compile(r"(POST|PUT) /v1/sys/(wrapping/lookup|capabilities-self)"),
    # A job's clone is its own, and goes with it: of git's commands only this one reaches others.
    re.compile(r"git (?!push\b).*", re.DOTALL),
)
_IDS = re.compile(r"\b\d+\b")


def is_look(call: str) -> bool:
    """Whether a call only looks."""
    return any(read.fullmatch(call) for read in _READS)


@dataclass(slots=True)
class Watch:
    """Counts what a command does, and kills or holds it at one of these moments."""

    order: Mapping[str, Any]
    names: list[str] = field(default_factory=list)
    like: int = 0  # calls like the one before which it is killed
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def see(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit event: what it is the beginning of comes after this returns."""
        if event == "http.client.send":
            found = _REQUEST_LINE.match(bytes(arguments[1])[:2000])
            name = f"{found['method'].decode()} {found['path'].decode()}" if found else None
        elif event == "subprocess.Popen":
            words = [os.fsdecode(word) for word in arguments[1]]
            name = " ".join(["git", *words[3:]] if words[:2] == ["git", "-C"] else words)
        else:
            return
        if name is not None:
            self._meet(name)

    def _meet(self, name: str) -> None:
        # One look after the other of the same name is one: each delivery that a sweep leaves behind
        # is one more that the next run looks at, and the sweep would never come to its end.
        if is_look(name) and (not self.order.get("reads") or self.names[-1:] == [name]):
            return
        with self._lock:
            self.names.append(name)
            at = self.order.get("killAt")
            like = bool(at and re.search(at, name))
            self.like += like
            if len(self.names) == self.order.get("kill") or (
                like and self.like == self.order["killNth"]
            ):
                self.end("killed")
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()
        self._hold(name)

    def _hold(self, name: str) -> None:
        pattern = self.order.get("hold")
        if pattern is None or not re.search(pattern, name):
            return
        folder = Path(self.order["gate"])
        if (folder / "reached").exists():
            return
        (folder / "reached").touch()
        deadline = time.monotonic() + 60
        while not (folder / "go").exists():
            if time.monotonic() > deadline:
                raise TimeoutError("nobody let this run go on")
            time.sleep(0.02)

    def end(self, how: str) -> None:
        """Leave behind what was seen."""
        told = {"how": how, "calls": self.names}
        (Path(self.order["folder"]) / "calls.json").write_text(json.dumps(told))


def import_everything() -> None:
    """All that any verb imports when it is called: what a start costs is paid once."""
    for package in (daypass.cli, daypass.adapters):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name not in ("daypass.cli.demo", "daypass.cli.__main__"):
                importlib.import_module(module.name)


def shorten(order: Mapping[str, Any]) -> None:
    """Let what lasts a minute last seconds, and have no patience: a test has no time.

    Vault itself ends what it mints, as ever; it is only asked for less.
    """
    from daypass.adapters.vault.issuer import VaultIssuer  # noqa: PLC0415  -- in the child alone
    from daypass.lifecycle import ending, redelivering  # noqa: PLC0415

    minute, mint = int(order["minute"]), VaultIssuer.mint

    def briefly(self: VaultIssuer, asked: Any) -> Any:
        ttl = min(asked.ttl, minute) if asked.ttl <= 60 else asked.ttl
        # A delivery that is to outlive its grant does so.
        wrap_ttl = asked.wrap_ttl if asked.wrap_ttl > asked.ttl else min(asked.wrap_ttl, ttl)
        return mint(self, replace(asked, ttl=ttl, wrap_ttl=wrap_ttl))

    VaultIssuer.mint = briefly  # type: ignore[method-assign]
    VaultIssuer.__init__.__kwdefaults__["patience"] = 0.3
    ending._PATIENCE_SECONDS = 0.3  # type: ignore[misc]
    redelivering.LEAST_SECONDS = 1  # type: ignore[misc]


def beset(order: Mapping[str, Any]) -> None:
    """What ails the machine that the command runs on."""
    if order.get("noSpace"):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2048, resource.RLIM_INFINITY))
    if off := order.get("clock"):
        now, now_ns = time.time, time.time_ns
        time.time = lambda: now() + off
        time.time_ns = lambda: now_ns() + off * 10**9


def run(order: Mapping[str, Any]) -> int:
    """The command itself, in a child."""
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    tempfile.tempdir = None
    os.chdir(order["directory"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "stdout"), (2, "stderr")):
        target = os.open(Path(order["folder"]) / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(target, number)
        os.close(target)
    forge._UNTIL_GITHUB_KNOWS = (0.0, 0.0, 0.0)  # type: ignore[misc]  # the box's knows at once
    if order.get("minute"):
        shorten(order)
    if order.get("review"):
        obligation.REVIEW_SECONDS = int(order["review"])  # type: ignore[misc]
    beset(order)
    watch = Watch(order)
    sys.addaudithook(watch.see)
    try:
        code = daypass_main(order["words"])
    except SystemExit as end:  # as argparse ends a command
        code = int(end.code or 0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    watch.end("ended")
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def serve(connection: socket.socket) -> None:
    """One order, in a process between: it waits for the command while others are begun."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with connection, connection.makefile("rwb") as talk:
        order = json.loads(talk.readline())
        child = os.fork()
        if child == 0:
            code = 99
            try:
                code = run(order)
            except BaseException:  # noqa: BLE001  -- what a fresh interpreter would print
                traceback.print_exc()
                sys.stderr.flush()
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        talk.write(b"%d\n" % os.waitstatus_to_exitcode(status))


def main(path: str) -> None:
    import_everything()
    for kind in SCHEMA_FILES:
        validator(kind)
    gc.freeze()  # what is shared is never looked through, and so never copied
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        door.listen(16)
        print("ready", flush=True)
        while True:
            readable, _, _ = select.select([door, sys.stdin], [], [])
            if sys.stdin in readable:  # whose server this is has closed it, or is gone
                return
            connection, _ = door.accept()
            if os.fork() == 0:
                try:
                    serve(connection)
                finally:
                    os._exit(0)
            connection.close()


if __name__ == "__main__":
    main(sys.argv[1])
