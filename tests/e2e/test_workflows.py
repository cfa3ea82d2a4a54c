"""The workflow files that GitHub runs, run by act against the box."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from daypass.cli.main import main
from daypass.model.instant import Instant
from daypass.sandbox.box import Box
from daypass.sandbox.organisation import request
from daypass.sandbox.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from daypass.sandbox.runner import WorkflowRun
    from support.release import Release

VALIDATE = "access-validate/validate and plan"
RECONCILE = "reconcile/access-reconcile/grant, end, record"


class Site:
    """A box whose repository pins this checkout's release, and a runner for its workflows."""

    def __init__(self, box: Box, runner: Runner) -> None:
        self.box = box
        self.runner = runner
        self.alice = box.person("alice")
        self.bob = box.person("bob")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[Site]:
    with Box.create(tmp_path_factory.mktemp("box"), pin=release.pin) as box:
        box.vault_bootstrap()
        folder = tmp_path_factory.mktemp("runner")
        yield Site(box, Runner(box, folder, environment=release.environment()))


@pytest.fixture(scope="module")
def waiting(site: Site) -> int:
    """A pull request that stays open: the plan is shown on it.

    Beside it main holds a name that no file system takes, and attributes that would change the
    bytes of the pinned release.
    """
    odd = {"docs/" + "n" * 300: b"x\n", ".gitattributes": b"* text eol=crlf\n"}
    number = site.alice.propose("wf-odd", odd, "Documentation")
    site.bob.approve(number)
    site.bob.merge(number)
    return site.alice.propose("wf-open", request("wf-open"), "Access to orders-db")


@pytest.fixture(scope="module")
def pushed(site: Site, waiting: int) -> tuple[int, WorkflowRun]:
    """A merged request, and the run that the merge set off."""
    assert waiting in site.box.repository.pulls
    number = site.alice.propose("wf-push", request("wf-push"), "Access to orders-db")
    site.bob.approve(number)
    site.bob.merge(number)
    return number, site.runner.push()


def test_a_merge_is_minted_recorded_and_delivered(
    site: Site, pushed: tuple[int, WorkflowRun]
) -> None:
    number, run = pushed
    assert run.jobs == {RECONCILE: "success"}, run.log
    assert run.steps["Apply"] == "success"
    assert "| issued | `wf-push` |" in run.summary
    comments = [item for item in site.alice.comments(number) if "delivery:wf-push" in item["body"]]
    assert [item["user"]["id"] for item in comments] == [site.box.github.app.bot.id]
    log = site.box.repository.store.git("log", "-1", "--format=%B", "main")
    assert "Daypass-Event: issued" in log
    assert "Daypass-Workflow: acme/access/.github/workflows/access-apply.yml@refs/heads/main" in log


def test_the_same_run_shows_the_plan_on_open_pull_requests(
    site: Site, waiting: int, pushed: tuple[int, WorkflowRun]
) -> None:
    run = pushed[1]
    assert run.steps["Show the plan on open pull requests"] == "success", run.log
    (comment,) = [item["body"] for item in site.alice.comments(waiting) if "plan" in item["body"]]
    assert "needs 1 approval from dba" in comment.replace("\\", "")
    assert "bob" in comment  # by name: here GitHub can be asked who may approve


def test_a_document_that_is_wrong_is_refused(site: Site, pushed: tuple[int, WorkflowRun]) -> None:
    assert pushed
    bad = {"access/requests/wf-bad.yaml": b"apiVersion: daypass.dev/v1\nkind: AccessRequest\n"}
    number = site.alice.propose("wf-bad", bad, "Access to orders-db")
    run = site.runner.pull_request(number)
    assert run.jobs == {VALIDATE: "failure"}, run.log
    assert run.steps["Validate what changed"] == "failure"
    assert run.steps["Install the pinned daypass"] == "success"
    assert "access/requests/wf-bad.yaml" in run.log
    assert "`spec` is missing" in run.summary.replace("\\", "")


def test_a_request_with_anything_else_in_one_pull_request_is_refused(site: Site) -> None:
    policy = site.alice.git("show", "origin/main:access/policies/databases.yaml").encode()
    mixed = request("wf-mixed") | {
        "access/policies/databases.yaml": policy.replace(b"8h", b"9h"),
    }
    number = site.alice.propose("wf-mixed", mixed, "Access, and a small change")
    run = site.runner.pull_request(number)
    assert run.jobs == {VALIDATE: "failure"}, run.log
    assert run.steps["Validate what changed"] == "failure"
    assert "access/policies/databases.yaml" in run.log


def test_a_sound_request_is_accepted_and_its_plan_is_in_the_summary(site: Site) -> None:
    number = site.alice.propose("wf-good", request("wf-good"), "Access to orders-db")
    run = site.runner.pull_request(number)
    assert run.jobs == {VALIDATE: "success"}, run.log
    assert "no findings" in run.summary
    assert "**alice** gets **read** on **orders-db**" in run.summary
    assert "database/creds/orders-read-1m" in run.summary


def test_the_merge_queue_is_served(site: Site) -> None:
    number = site.alice.propose("wf-queue", request("wf-queue"), "Access to orders-db")
    run = site.runner.merge_group(number)
    assert run.jobs == {VALIDATE: "success"}, run.log
    assert "#### `wf-queue`" in run.summary


def test_the_schedule_reverts_what_has_expired(site: Site, pushed: tuple[int, WorkflowRun]) -> None:
    assert pushed[1].jobs == {RECONCILE: "success"}
    store = site.box.repository.store
    record = json.loads(store.git("show", "main:access/grants/wf-push.json"))
    not_after = Instant.parse(record["spec"]["notAfter"]).seconds
    time.sleep(max(0.0, not_after + 1 - time.time()))
    run = site.runner.schedule()
    assert run.jobs == {RECONCILE: "success"}, run.log
    assert "| expired | `wf-push` |" in run.summary
    message = store.git("log", "-1", "--format=%B", "main")
    assert message.startswith('Revert "Grant alice read on orders-db (wf-push)"')
    assert "wf-push" not in store.git("ls-tree", "-r", "--name-only", "main")
    assert not [name for name in site.box.postgres.roles() if "wf-push" in name]


def test_the_report_is_made_archived_and_published(
    site: Site, pushed: tuple[int, WorkflowRun], tmp_path: Path
) -> None:
    assert pushed[1].jobs == {RECONCILE: "success"}
    box = site.box
    more = {"DAYPASS_PAGES": "true", "DAYPASS_FINGERPRINT": box.evidence_fingerprint}
    box.variables.update(more)
    try:
        run = site.runner.report()
    finally:
        for name in more:
            del box.variables[name]
    assert run.jobs == {"access-report/report": "success", "access-report/publish": "success"}, (
        run.log
    )
    assert run.artifacts is not None
    kept = run.artifacts / "access-report"
    page = (kept / "site" / "index.html").read_text()
    assert "evidence holds" in page
    assert "wf-push" in page
    assert "wf-push" in (kept / "tables" / "grants.csv").read_text()
    assert "R26" in (kept / "site" / "controls.html").read_text()
    published = run.artifacts / "github-pages"
    assert {item.name for item in published.iterdir()} == {"index.html", "controls.html"}
    clone = tmp_path / "clone"
    subprocess.run(
        ["git", "clone", "-q", "--no-checkout", kept / "evidence.bundle", clone], check=True
    )
    words = ["audit", "verify", "--fingerprint", box.evidence_fingerprint]
    assert main(["-C", str(clone), *words]) == 0
