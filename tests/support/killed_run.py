"""A run of `daypass apply` that can be killed, or held, at each call that changes the world.

Started as a program, in a job's clone and environment:

    killed_run.py --list FILE          run to the end, and write the name of each such call
    killed_run.py --kill N --when before|after
    killed_run.py --hold NAME --folder DIR
                                       at the first call of that name make DIR/reached, and go on
                                       when DIR/go is there

The adapters are the real ones, wired as the command wires them; only a counter stands between.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daypass.cli import wiring
from daypass.lifecycle.apply import Limits, apply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHANGING = {
    "issuer": {"mint", "revoke", "revoke_lease"},
    "registry": {
        "write",
        "add_pending",
        "remove_pending",
        "write_note",
        "update_note",
        "remove_offline_note",
    },
    "signer": {"sign"},
    "repository": {"write_commits", "push"},
    "forge": {"post_comment", "put_comment", "merge", "open_issue", "close_issue"},
    "sealer": {"seal"},
}


class Counter:
    """Counts calls, and does at one of them what the command line asks for."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._lock = threading.Lock()
        self._held = False
        self.names: list[str] = []

    def call(self, name: str, action: Callable[[], Any]) -> Any:
        with self._lock:
            self.names.append(name)
            number = len(self.names)
        self._meet(number, "before")
        self._hold(name)
        result = action()
        self._meet(number, "after")
        return result

    def _meet(self, number: int, when: str) -> None:
        if (number, when) == (self._arguments.kill, self._arguments.when):
            os.kill(os.getpid(), signal.SIGKILL)

    def _hold(self, name: str) -> None:
        if name != self._arguments.hold or self._held:
            return
        self._held = True
        folder = Path(self._arguments.folder)
        (folder / "reached").touch()
        deadline = time.monotonic() + 30
        while not (folder / "go").exists():
            if time.monotonic() > deadline:
                raise TimeoutError("nobody let this run go on")
            time.sleep(0.02)


class Proxy:
    """A port, with a counter before every call that changes something."""

    def __init__(self, port: str, target: Any, counter: Counter) -> None:
        self._port = port
        self._target = target
        self._counter = counter

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if name not in CHANGING[self._port]:
            return found

        def counted(*words: Any, **more: Any) -> Any:
            label = f"{self._port}.{name}"
            if name == "write_commits":
                return _during(self._counter, label, found(*words, **more))
            return self._counter.call(label, lambda: found(*words, **more))

        return counted


def _during(counter: Counter, label: str, commits: Iterator[str]) -> Iterator[str]:
    """Before the first commit is written, and after each: the objects are there, no ref is."""
    while (commit := counter.call(label, lambda: next(commits, None))) is not None:
        yield commit


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", type=Path)
    parser.add_argument("--kill", type=int)
    parser.add_argument("--when", choices=("before", "after"))
    parser.add_argument("--hold")
    parser.add_argument("--folder")
    arguments = parser.parse_args()
    counter = Counter(arguments)
    with wiring.bot(Path.cwd()) as (ports, settings):
        wrapped = {port: Proxy(port, getattr(ports, port), counter) for port in CHANGING}
        outcome = apply(dataclasses.replace(ports, **wrapped), settings, Limits(20))
    if arguments.list is not None:
        arguments.list.write_text(json.dumps(counter.names))
    print(json.dumps(outcome.to_json()))
    return int(outcome.exit_code)


if __name__ == "__main__":
    raise SystemExit(main())
