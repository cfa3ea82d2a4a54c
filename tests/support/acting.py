"""How end-to-end tests act: each command in a process and an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support import interpreter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from daypass.sandbox.box import Box
    from daypass.sandbox.person import Person

DAYPASS = (sys.executable, "-m", "daypass")
# `make whole`: each command in an interpreter of its own, which waits for GitHub as long as ever.
COLD = os.environ.get("DAYPASS_WHOLE") == "1"


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended: its exit code and what it printed."""

    code: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        return self.stdout + self.stderr

    def json(self) -> Any:
        return json.loads(self.stdout)


def run(
    command: Sequence[str], environment: Mapping[str, str], *, directory: Path | None = None
) -> Done:
    if tuple(command[: len(DAYPASS)]) == DAYPASS and not COLD:
        return _warm(command[len(DAYPASS) :], environment, directory)
    done = subprocess.run(
        command,
        check=False,
        cwd=directory,
        capture_output=True,
        text=True,
        env=dict(environment),
        timeout=120,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def _warm(words: Sequence[str], environment: Mapping[str, str], directory: Path | None) -> Done:
    """daypass in a process of its own, forked from an interpreter that has imported everything."""
    with tempfile.TemporaryDirectory(prefix="daypass-told-") as name:
        order = {
            "words": [*words],
            "environment": dict(environment),
            "directory": str(directory or Path.cwd()),
            "folder": name,
        }
        code = interpreter.shared().ask(order)
        return Done(code, *((Path(name) / part).read_text() for part in ("stdout", "stderr")))


def person_environment(person: Person) -> dict[str, str]:
    """A person's shell: their own tokens and keys, and programs to run."""
    return {**person.environment(), "PATH": os.environ["PATH"]}


def daypass(person: Person, *words: str, **more: str) -> Done:
    """A person types `daypass …` in their clone. Who logs in to Vault names it, as README says."""
    if not person.clone.exists():
        person.git("fetch", "-q")
    if {"BAO_TOKEN", "VAULT_TOKEN"} & more.keys():
        more = {"VAULT_ADDR": person.vault_address} | more
    return run((*DAYPASS, *words), person_environment(person) | more, directory=person.clone)


@dataclass(frozen=True, slots=True)
class Job:
    """A job of access-apply: a fresh clone of main, and the environment that a runner gives."""

    box: Box
    clone: Path
    environment: dict[str, str]

    def start(self, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.clone,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str) -> Done:
        return run(command, self.environment, directory=self.clone)

    def daypass(self, *words: str) -> Done:
        return self.run(*DAYPASS, *words)


@contextmanager
def job(box: Box, event: str = "push") -> Iterator[Job]:
    """A job, whose tokens end with it."""
    credentials = box.begin_apply_run(event)
    with tempfile.TemporaryDirectory(prefix="daypass-job-") as home:
        clone = box.checkout(Path(home) / "clone", credentials)
        summary = Path(home) / "summary.md"
        environment = box.job_environment(credentials, Path(home))
        environment["GITHUB_STEP_SUMMARY"] = str(summary)
        yield Job(box, clone, environment)
    box.github.end_run(credentials)


def apply(box: Box, event: str = "push", *words: str) -> Done:
    """One run of access-apply's own command."""
    with job(box, event) as here:
        return here.daypass("apply", "--format", "json", *words)
