"""An organisation in a box, and what the measures do in it: many requests merged, one run of apply.

The box's GitHub answers from the measuring process; `daypass apply` is a process of its own, as in
a workflow, so that neither waits for the other's interpreter.
"""

from __future__ import annotations

import compileall
import json
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import daypass
from daypass.sandbox.box import Box
from daypass.sandbox.organisation import PEOPLE, request
from daypass.sandbox.person import Proposal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PACKAGE = Path(daypass.__file__).parent


@dataclass(frozen=True, slots=True)
class Run:
    """A run of `daypass apply`: whole process, from its start to its end."""

    began: float  # seconds since the epoch
    seconds: float
    done: list[dict[str, Any]]

    def ids(self, what: str) -> set[str]:
        return {line["grant"] for line in self.done if line["what"] == what}


@contextmanager
def empty_box() -> Iterator[Box]:
    """The box before daypass is set up in Vault, and compiled code, as an installation has it."""
    compileall.compile_dir(PACKAGE, quiet=1)
    with (
        tempfile.TemporaryDirectory(prefix="daypass-bench-") as name,
        Box.create(Path(name) / "box") as box,
    ):
        yield box


@contextmanager
def organisation() -> Iterator[Box]:
    """The box, with daypass's set-up in Vault."""
    with empty_box() as box:
        box.vault_bootstrap()
        yield box


def merge_each(box: Box, ids: Sequence[str], **spec: Any) -> None:
    """A pull request for each, asked for by everybody in turn, approved and merged."""
    for turn, name in enumerate(PEOPLE):
        mine, who = ids[turn :: len(PEOPLE)], box.person(name)
        approver = box.person("carol" if name == "bob" else "bob")
        asked = [Proposal(item, request(item, subject=name, **spec), item) for item in mine]
        for number in who.propose_all(asked) if asked else ():
            approver.approve(number)
            approver.merge(number)


def merge_together(box: Box, ids: Sequence[str], **spec: Any) -> int:
    """One pull request that asks for all of them, approved and merged; its number."""
    changes = {path: content for name in ids for path, content in request(name, **spec).items()}
    number = box.person("alice").propose(f"batch-{ids[0]}", changes, "A batch")
    box.person("bob").approve(number)
    box.person("bob").merge(number)
    return number


def apply(box: Box, event: str = "push", *before: str) -> Run:
    """One run of access-apply's own command in a fresh clone; `before` wraps it (a profiler).

    Its log-in, its clone and the clean-up after it are the workflow's, and not in the time.
    """
    credentials = box.begin_apply_run(event)
    with tempfile.TemporaryDirectory(prefix="daypass-job-") as home:
        clone = box.checkout(Path(home) / "clone", credentials)
        environment = box.job_environment(credentials, Path(home))
        environment["PYTHONPATH"] = str(PACKAGE.parent)  # measured is what the bench imported
        command = [*(before or (sys.executable,)), "-m", "daypass", "apply", "--format", "json"]
        began, start = time.time(), time.perf_counter()
        done = subprocess.run(
            command, cwd=clone, env=environment, check=False, capture_output=True, text=True
        )
        seconds = time.perf_counter() - start
    box.github.end_run(credentials)
    if done.returncode != 0:
        raise SystemExit(f"daypass apply ended with {done.returncode}: {done.stdout}{done.stderr}")
    return Run(began, seconds, json.loads(done.stdout)["done"])


def pushes(box: Box) -> int:
    """How often something was pushed to main."""
    return sum(
        item.ref == "refs/heads/main" and item.type == "push" for item in box.repository.activities
    )
