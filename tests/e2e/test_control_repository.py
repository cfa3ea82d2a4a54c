"""The control repository: its workflows, called from a repository whose branch is `trunk`, by act.

The small set-up, on `main`, is run by test_workflows.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daypass.sandbox.box import Box
from daypass.sandbox.organisation import request
from daypass.sandbox.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.sandbox.runner import WorkflowRun
    from support.release import Release

RECONCILE = "reconcile/access-reconcile/grant, end, record"
NAME = "cr-push"


class Site:
    """A box with a control repository, and a runner for its workflows."""

    def __init__(self, box: Box, runner: Runner) -> None:
        self.box = box
        self.runner = runner


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("box")
    with Box.create(folder, pin=release.pin, branch="trunk", control=True) as box:
        box.vault_bootstrap()
        runner = Runner(box, tmp_path_factory.mktemp("runner"), environment=release.environment())
        yield Site(box, runner)


@pytest.fixture(scope="module")
def pushed(site: Site) -> tuple[int, WorkflowRun]:
    """A merged request, and the run that the merge set off; the caller's variables are wrong."""
    alice, bob = site.box.person("alice"), site.box.person("bob")
    number = alice.propose(NAME, request(NAME, duration="1h"), "Access to orders-db")
    bob.approve(number)
    bob.merge(number)
    site.box.variables |= {
        "DAYPASS_PIN": "0" * 64,
        "DAYPASS_VAULT_ADDRESS": "https://vault.evil.example",
        "DAYPASS_VAULT_AUDIENCE": "evil",
        "DAYPASS_VAULT_CA": "0" * 64,
    }
    return number, site.runner.push()


def test_a_merge_to_trunk_is_minted_by_the_control_repositorys_workflow(
    site: Site, pushed: tuple[int, WorkflowRun]
) -> None:
    number, run = pushed
    assert run.jobs == {RECONCILE: "success"}, run.log
    assert f"| issued | `{NAME}` |" in run.summary
    comments = [item["body"] for item in site.box.person("alice").comments(number)]
    assert [body for body in comments if f"delivery:{NAME}" in body]
    log = site.box.repository.store.git("log", "-1", "--format=%B", "trunk")
    assert "Daypass-Event: issued" in log
    assert (
        "Daypass-Workflow: acme/access/.github/workflows/access-apply.yml@refs/heads/trunk" in log
    )
