"""Runs of daypass by the hundred: from a warm interpreter, in jobs of their own, killed at will.

What runs is the command line with its real wiring, in a process of its own; see `warm_server`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from support import interpreter
from support.acting import Done, person_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Future

    from daypass.sandbox.box import Box
    from daypass.sandbox.github import RunCredentials
    from daypass.sandbox.github.accounts import Account
    from daypass.sandbox.person import Person


@dataclass(frozen=True, slots=True)
class Ran(Done):
    """A command that ended, and the calls with which it touched the world, in order."""

    calls: tuple[str, ...]

    @property
    def was_killed(self) -> bool:
        return self.code == -9


@dataclass(frozen=True, slots=True)
class Fate:
    """What befalls a command. Nothing, unless something is named."""

    kill: int | None = None  # before which of its calls it is killed; 1 is the first
    kill_at: str | None = None  # a pattern: before a call like this it is killed
    kill_nth: int = 1  # before which of the calls like that; 1 is the first
    reads: bool = False  # whether calls that only look are counted too
    hold: str | None = None  # a pattern: at the first call like this it waits for `go`
    minute: int | None = None  # seconds that a grant of a minute lasts; no patience then either
    review: int | None = None  # seconds after its issue at which an emergency's review is due
    no_space: bool = False  # no file can be written to
    clock: int = 0  # seconds that the machine's clock is off
    folder: Path | None = None  # where `reached` appears when it is held, and `go` lets it go on


_NOTHING = Fate()


class Warm:
    """A box, and jobs in it. Use it in `with`."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self._folder = Path(tempfile.mkdtemp(prefix="warm-"))
        self._pool = ThreadPoolExecutor(8)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        shutil.rmtree(self._folder)

    def apply(self, fate: Fate = _NOTHING, *, event: str = "schedule") -> Ran:
        """One run of access-apply's own command."""
        credentials = self.box.begin_apply_run(event)
        with self._job(credentials) as (clone, environment):
            return self._ask(("apply", "--format", "json"), clone, environment, fate)

    def start(self, fate: Fate = _NOTHING, *, event: str = "schedule") -> Future[Ran]:
        """The same, and go on meanwhile."""
        return self._pool.submit(self.apply, fate, event=event)

    def obey(self, comment_id: int, fate: Fate = _NOTHING, *, attempt: int = 1) -> Ran:
        """The run of access-commands for a comment that stands."""
        comment = self.box.repository.comments[comment_id]
        payload = {
            "action": "created",
            "issue": {"number": comment.number, "pull_request": {"url": "…"}},
            "comment": {"id": comment.id, "body": comment.body},
        }
        return self._command("issue_comment", payload, comment.author, fate, attempt)

    def dispatch(self, who: Person, command: str, fate: Fate = _NOTHING) -> Ran:
        """The run of access-commands that somebody dispatches."""
        payload = {"inputs": {"command": command}}
        return self._command("workflow_dispatch", payload, who.account, fate)

    def _command(
        self,
        event: str,
        payload: Mapping[str, Any],
        actor: Account | None,
        fate: Fate,
        attempt: int = 1,
    ) -> Ran:
        credentials = self.box.begin_commands_run(event, actor=actor, attempt=attempt)
        with self._job(credentials) as (clone, environment):
            path = clone.parent / "event.json"
            path.write_text(json.dumps(payload))
            words = ("command", "--event", str(path), "--format", "json")
            return self._ask(words, clone, environment, fate)

    def person(self, person: Person, *words: str) -> Ran:
        """Somebody types `daypass …` in their clone."""
        if not person.clone.exists():
            person.git("fetch", "-q")
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="told-") as name:
            environment = person_environment(person)
            return self._ask(words, person.clone, environment, _NOTHING, Path(name))

    @contextmanager
    def _job(self, credentials: RunCredentials) -> Iterator[tuple[Path, dict[str, str]]]:
        """A job with a clone of its own: copied, because a run fetches what is new itself."""
        template = self._folder / "clone"
        if not template.exists():
            self.box.checkout(template, credentials)
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="job-") as name:
            home = Path(name)
            subprocess.run(["cp", "-r", str(template), str(home / "clone")], check=True)
            yield home / "clone", self.box.job_environment(credentials, home)
        self.box.github.end_run(credentials)

    def _ask(
        self,
        words: tuple[str, ...],
        directory: Path,
        environment: dict[str, str],
        fate: Fate,
        folder: Path | None = None,
    ) -> Ran:
        folder = folder or directory.parent / "told"
        folder.mkdir(exist_ok=True)
        order = {
            "words": words,
            "directory": str(directory),
            "environment": environment,
            "folder": str(folder),
            "kill": fate.kill,
            "killAt": fate.kill_at,
            "killNth": fate.kill_nth,
            "reads": fate.reads,
            "hold": fate.hold,
            "gate": str(fate.folder) if fate.folder else None,
            "minute": fate.minute,
            "review": fate.review,
            "noSpace": fate.no_space,
            "clock": fate.clock,
        }
        code = interpreter.shared().ask(order)
        told = folder / "calls.json"
        calls = json.loads(told.read_text())["calls"] if told.exists() else []
        said = [(folder / name).read_text() for name in ("stdout", "stderr")]
        return Ran(code, *said, tuple(calls))
