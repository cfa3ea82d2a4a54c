"""What a local runner cannot show: what GitHub enforces, read from the workflow files."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from daypass import __version__
from daypass.model.names import COMMANDS_RUN_WORKFLOW
from support.release import REQUIREMENTS, ROOT, Release

WORKFLOWS = ROOT / ".github" / "workflows"
FILES = sorted(WORKFLOWS.glob("*.yml"))
ACCESS = [path for path in FILES if path.name.startswith("access-")]
TRIGGERS = {
    "access-apply.yml": {"push", "schedule", "workflow_dispatch"},
    "access-commands.yml": {"issue_comment", "workflow_dispatch"},
    "access-commands-run.yml": {"workflow_call"},
    "access-reconcile.yml": {"workflow_call"},
    "access-report.yml": {"schedule", "workflow_dispatch"},
    "access-validate.yml": {"pull_request", "merge_group"},
    "ci.yml": {"push", "pull_request"},
    "nightly.yml": {"schedule", "workflow_dispatch"},
}
everywhere = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


def load(path: Path) -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load(path.read_text())
    return loaded


def triggers(path: Path) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as a boolean.
    found = load(path)[True]
    return found if isinstance(found, dict) else dict.fromkeys(found)


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in load(path)["jobs"].values() for step in job.get("steps", ())]


def test_every_workflow_is_known_here() -> None:
    assert {path.name for path in FILES} == set(TRIGGERS)


@everywhere
def test_it_starts_on_exactly_what_it_should(path: Path) -> None:
    assert set(triggers(path)) == TRIGGERS[path.name]


@everywhere
def test_it_begins_with_no_permission(path: Path) -> None:
    assert load(path)["permissions"] == {}


@everywhere
def test_no_workflow_touches_a_stored_secret(path: Path) -> None:
    """The job's own token is none: it lives as long as the job, and can only read."""
    text = path.read_text()
    own = "          DAYPASS_CLONE_TOKEN: ${{ github.token }}\n"
    for job in load(path)["jobs"].values():
        if any("DAYPASS_CLONE_TOKEN" in step.get("env", ()) for step in job.get("steps", ())):
            assert job["permissions"]["contents"] == "read"
            assert set(job["permissions"]) <= {"contents", "id-token"}
    rest = text.replace(own, "")
    assert not re.search(r"\bsecrets\b\s*[.\[:]|secrets: inherit|github\.token", rest)


@everywhere
def test_no_script_is_built_from_what_people_write(path: Path) -> None:
    for step in steps(path):
        assert "${{" not in step.get("run", ""), step["name"]


@pytest.mark.parametrize("path", ACCESS, ids=lambda path: path.name)
def test_nothing_is_read_of_an_event_that_it_need_not_have(path: Path) -> None:
    """A schedule's payload has no `repository`: what is read of it is "" there, and no error."""
    known = {
        "github.event.pull_request.number",  # beside what stands in for it in a merge queue
        "github.event.pull_request.base.sha",
        "github.event.merge_group.base_sha",
        "github.event.issue.pull_request",  # where it is a comment
        "github.event.comment.body",
    }
    assert set(re.findall(r"github\.event\.[\w.]+", path.read_text())) <= known


@everywhere
def test_every_action_is_pinned_by_its_full_commit(path: Path) -> None:
    used = [step["uses"] for step in steps(path) if "uses" in step]
    used += [job["uses"] for job in load(path)["jobs"].values() if "uses" in job]
    for action in used:
        assert action.startswith("./") or re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action)


@everywhere
def test_no_checkout_leaves_its_token_behind(path: Path) -> None:
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_only_the_jobs_that_mint_and_that_end_may_ask_for_an_identity() -> None:
    """And the one that publishes pages, which GitHub asks of it: it runs no code of anybody's."""
    asking = {
        (path.name, name)
        for path in FILES
        for name, job in load(path)["jobs"].items()
        if "id-token" in job.get("permissions", {})
    }
    assert asking == {
        ("access-apply.yml", "reconcile"),
        ("access-reconcile.yml", "reconcile"),
        ("access-commands.yml", "commands"),
        ("access-commands-run.yml", "obey"),
        ("access-report.yml", "pages"),
    }
    for path in FILES:
        for name, job in load(path)["jobs"].items():
            granted = job["permissions"]
            assert granted.pop("id-token", "write") == "write"
            pages = (path.name, name) == ("access-report.yml", "pages")
            assert granted == ({"pages": "write"} if pages else {"contents": "read"})


def test_the_schedules_are_off_the_full_hour() -> None:
    for name in ("access-apply.yml", "access-report.yml", "nightly.yml"):
        for entry in triggers(WORKFLOWS / name)["schedule"]:
            first, _, rest = entry["cron"].split()[0].partition("-")
            last, _, step = (rest or f"{first}/1").partition("/")
            minutes = range(int(first), int(last) + 1, int(step))
            assert minutes
            assert 0 not in {minute % 60 for minute in minutes}


def test_the_report_is_made_of_main_alone_and_published_only_where_asked() -> None:
    report, pages = load(WORKFLOWS / "access-report.yml")["jobs"].values()
    clone = report["steps"][0]
    assert "--branch" not in clone["run"]  # the default one, whatever a dispatch names
    assert "--filter" not in clone["run"]  # an archive of it would lack the contents
    hands_over = next(step for step in report["steps"] if "pages" in step.get("uses", ""))
    for condition in (pages["if"], hands_over["if"]):
        assert "vars.DAYPASS_PAGES == 'true'" in condition
    assert all("uses" in step and "run" not in step for step in pages["steps"])
    used = {
        step["uses"].partition("@")[0]
        for job in (report, pages)
        for step in job["steps"]
        if "uses" in step
    }
    assert {action.partition("/")[0] for action in used} == {"actions"}


def test_every_night_looks_for_what_a_push_has_no_time_for_and_keeps_what_it_finds() -> None:
    """By the very targets that people make; a fork that only governs is left in peace."""
    (job,) = load(WORKFLOWS / "nightly.yml")["jobs"].values()
    targets = job["strategy"]["matrix"]["target"]
    assert targets == ["fuzz", "widening", "crash", "stateful", "whole"]
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    assert "|| !github.event.repository.fork" in job["if"]
    look, keep = job["steps"][1:]
    assert look["run"].startswith("set -o pipefail\n"), "or the end of `tee` would be its own"
    assert 'make "$TARGET" 2>&1 | tee' in look["run"]
    assert "failure()" in keep["if"]
    assert "tests/fuzz/corpus" in keep["with"]["path"].split()
    assert job["timeout-minutes"] < 360, "GitHub ends every job then, and keeps nothing"


def test_pushes_are_never_filtered_by_path() -> None:
    assert triggers(WORKFLOWS / "access-apply.yml")["push"] == {"branches": ["main"]}


@pytest.mark.parametrize("name", ["access-apply.yml", "access-reconcile.yml"])
def test_a_run_that_mints_is_never_cancelled(name: str) -> None:
    concurrency = load(WORKFLOWS / name)["concurrency"]
    assert concurrency["cancel-in-progress"] is False
    # A run on another branch is in another group: it would cancel the one that waits on main.
    assert concurrency["group"] == name.removesuffix(".yml") + "-${{ github.ref }}"


def test_no_word_of_a_person_is_lost_and_none_is_put_into_an_expression() -> None:
    """A pending run is cancelled by a newer one of its group: each has a group of its own."""
    for name in ("access-commands.yml", "access-commands-run.yml"):
        concurrency = load(WORKFLOWS / name)["concurrency"]
        assert concurrency["cancel-in-progress"] is False
        assert concurrency["group"].endswith("-${{ github.run_id }}")
        text = (WORKFLOWS / name).read_text()
        assert "inputs.command" not in text
        assert text.count("github.event.comment.body") == text.count("startsWith(")
    assert triggers(WORKFLOWS / "access-commands.yml")["issue_comment"] == {"types": ["created"]}
    (job,) = load(WORKFLOWS / "access-commands.yml")["jobs"].values()
    assert job["uses"] == "./" + COMMANDS_RUN_WORKFLOW


@pytest.mark.parametrize("name", ["access-reconcile.yml", "access-commands-run.yml"])
def test_the_job_that_mints_uses_no_third_party_action_and_the_pinned_release(name: str) -> None:
    found = steps(WORKFLOWS / name)
    assert not [step["uses"] for step in found if "uses" in step]
    clone = found[0]
    assert '--branch "$GITHUB_REF_NAME"' in clone["run"]
    assert "--filter=blob:none" in clone["run"]
    assert "--depth" not in clone["run"]
    for path in ACCESS:
        for step in steps(path):
            if "pip" in step.get("run", ""):
                assert "--require-hashes" in step["run"]
                assert "--only-binary :all:" in step["run"]
                assert '--requirement "$RUNNER_TEMP/daypass.txt"' in step["run"]


@pytest.mark.parametrize("path", ACCESS, ids=lambda path: path.name)
def test_no_job_writes_a_file_of_main_or_fetches_a_ref_of_other_people(path: Path) -> None:
    """A name that no file system takes would end it: of a file, a branch or a tag."""
    for step in steps(path):
        assert not step.get("uses", "").startswith("actions/checkout@"), "it does both"
        run = step.get("run", "")
        assert not re.search(r"git\b.* (checkout|switch|restore|read-tree|pull)\b", run)
        if "git clone" in run:
            assert {"--no-checkout", "--single-branch", "--no-tags"} <= set(run.split())
        if "git fetch" in run or " fetch " in run:
            assert "--no-tags" in run
            assert "refs/heads/*" not in run
        if "git init" in run or "git clone" in run:
            assert 'git -C "$RUNNER_TEMP/clone" cat-file' in run or "git cat-file blob" in run


def test_this_repository_pins_what_it_locks() -> None:
    pinned = (ROOT / ".github" / "daypass.txt").read_text()
    dependencies, last = pinned.split(f"daypass=={__version__} \\\n")
    assert dependencies == REQUIREMENTS.read_text(), "run `make pin`"
    assert re.fullmatch(r" {4}--hash=sha256:[0-9a-f]{64}\n", last)


def test_the_wheel_can_be_built_again_with_the_same_hash(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from support.release import make_release  # noqa: PLC0415  -- beside what it is compared with

    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    (wheel,) = make_release(tmp_path).wheels.glob("*.whl")
    (other,) = release.wheels.glob("*.whl")
    assert wheel.name == other.name
    assert wheel.read_bytes() == other.read_bytes()


def test_the_linters_find_nothing() -> None:
    programs = Path(sysconfig.get_path("scripts"))
    for command in (
        [programs / "actionlint", *FILES],
        [programs / "zizmor", "--offline", "--pedantic", "--quiet", WORKFLOWS],
    ):
        done = subprocess.run(
            [str(word) for word in command], check=False, capture_output=True, text=True, cwd=ROOT
        )
        assert done.returncode == 0, done.stdout + done.stderr
