"""The control repository: its workflows, called from a repository whose branch is `trunk`, by act.

The small set-up, on `main`, is run by test_workflows.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daypass.adapters.github.introduction import Named
from daypass.cli.control_repository import compare_control
from daypass.sandbox.box import Box
from daypass.sandbox.organisation import request
from daypass.sandbox.runner import Runner
from support import acting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.sandbox.runner import WorkflowRun
    from support.acting import Done
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


def doctor(site: Site, **environment: str) -> Done:
    """The operator's look at Vault, and at GitHub as carol."""
    token = {"VAULT_TOKEN": site.box.bao.root_token.reveal(), **environment}
    return acting.daypass(site.box.person("carol"), "vault", "doctor", **token)


def test_no_workflow_of_the_governed_repository_opens_vault(site: Site) -> None:
    """And the control repository's own opens it for the governed repository alone."""
    box, control = site.box, site.box.control_repository
    file = ".github/workflows/access-reconcile.yml"
    for where, home in (
        (box.repository, f"{box.repository.full_name}/{file}@refs/heads/trunk"),
        (box.repository, f"{control.full_name}/{file}@refs/tags/main"),
        (control, f"{control.full_name}/{file}@refs/heads/main"),
    ):
        credentials = box.github.begin_run(
            repository=where,
            workflow=".github/workflows/access-apply.yml",
            ref="refs/heads/trunk",
            job_workflow_ref=home,
            environment="daypass",
        )
        with acting.job(box) as job:
            asks = {name: credentials.env[name] for name in credentials.env if "ID_TOKEN" in name}
            job.environment.update(asks)
            done = job.daypass("apply")
        assert done.code == 1
        assert "a claim differs" in done.stderr


def test_the_doctor_proves_the_control_repository_by_its_id(site: Site) -> None:
    box, control = site.box, site.box.control_repository
    done = doctor(site)
    assert done.code == 0, done.said
    unasked = doctor(site, GH_TOKEN="")
    control.name = "access-control-renamed"
    gone = doctor(site)
    other = box.github.create_repository("squatted", admin=box.accounts["mallory"])
    other.name = box.control_name
    other.roles[box.accounts["carol"].id] = "read"
    try:
        taken = doctor(site)
    finally:
        box.github.delete_repository(other)
        control.name = box.control_name
    for told in (unasked, gone, taken):
        assert told.code != 0
        assert "control repository acme/access-control" in told.stdout
    assert f"that name is now repository {other.id}" in " ".join(taken.stdout.split())
    assert "is not proven: GitHub answered 404" in " ".join(gone.stdout.split())


def test_a_name_that_github_follows_is_not_the_name_that_vault_binds(site: Site) -> None:
    control = site.box.control
    assert control is not None
    found = compare_control(control, Named("acme/renamed", control.id, "main"))
    assert not found.state.is_sound
    assert "acme/renamed" in found.detail
    assert compare_control(control, Named("Acme/Access-Control", control.id, "main")).state.is_sound


def test_a_claim_that_somebody_loosened_is_named(site: Site) -> None:
    client = site.box.bao.client
    path = "auth/daypass-github/role/daypass-apply"
    role = (client.read(path) or {})["data"]
    claims = {**role["bound_claims"], "job_workflow_ref": "acme/access/.github/workflows/x@main"}
    client.write(path, {**role, "bound_claims": claims})
    done = doctor(site)
    client.write(path, role)
    assert done.code != 0
    assert 'bound_claims (job_workflow_ref: "acme/access/.github/workflows/x@main" → ' in " ".join(
        done.stdout.split()
    )
