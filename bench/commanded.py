"""A run of access-commands in the box: somebody comments or dispatches, and its job obeys.

What is timed is the job's own command, a whole process. GitHub's queue, the check-out before it and
the clean-up after it are not in it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.governed import PACKAGE

if TYPE_CHECKING:
    from pathlib import Path

    from daypass.sandbox.box import Box
    from daypass.sandbox.github import RunCredentials
    from daypass.sandbox.github.accounts import Account


@dataclass(frozen=True, slots=True)
class Obeyed:
    """A run's own command."""

    began: float  # of time.perf_counter
    seconds: float
    output: str


def obey_dispatch(box: Box, who: str, command: str, home: Path) -> Obeyed:
    """Somebody dispatches the workflow with that command."""
    credentials = _begin(box, "workflow_dispatch", box.accounts[who])
    return _obey(box, credentials, home, {"inputs": {"command": command}})


def obey_comment(box: Box, comment_id: int, home: Path) -> Obeyed:
    """The run that a comment sets off."""
    comment = box.repository.comments[comment_id]
    event = {
        "action": "created",
        "issue": {"number": comment.number, "pull_request": {"url": "-"}},
        "comment": {"id": comment.id, "body": comment.body},
    }
    return _obey(box, _begin(box, "issue_comment", comment.author), home, event)


def _begin(box: Box, event: str, actor: Account) -> RunCredentials:
    return box.begin_commands_run(event, actor=actor)


def _obey(box: Box, credentials: RunCredentials, home: Path, event: Any) -> Obeyed:
    clone = box.checkout(home / "clone", credentials)
    path = home / "event.json"
    path.write_text(json.dumps(event))
    environment = box.job_environment(credentials, home) | {"PYTHONPATH": str(PACKAGE.parent)}
    words = ("command", "--event", str(path), "--format", "json")
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "daypass", *words],
        cwd=clone,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - began
    box.github.end_run(credentials)
    if done.returncode != 0:
        text = f"{done.stdout}{done.stderr}"
        raise SystemExit(f"daypass command ended with {done.returncode}: {text}")
    return Obeyed(began, seconds, done.stdout)
