"""access-commands as GitHub runs it, by act against the box: a comment, and a dispatch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from daypass.sandbox.box import Box
from daypass.sandbox.runner import Runner
from support.town import Asked, Town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.sandbox.runner import WorkflowRun
    from support.release import Release

OBEY = "commands/access-commands-run/obey"


class Site:
    """A box whose repository pins this checkout's release, and a runner for its commands."""

    def __init__(self, town: Town, runner: Runner) -> None:
        self.town = town
        self.box = town.box
        self.runner = runner

    def comment(self, who: str, asked: Asked, body: str) -> WorkflowRun:
        """Somebody comments, and GitHub runs the workflow."""
        comment_id = self.box.person(who).comment(asked.number, body)
        event = {
            "action": "created",
            "issue": {"number": asked.number, "pull_request": {"url": "x"}},
            "comment": {"id": comment_id, "body": body, "user": {"login": who}},
        }
        return self._run("issue_comment", event, who)

    def dispatch(self, who: str, command: str) -> WorkflowRun:
        """Somebody dispatches it."""
        return self._run("workflow_dispatch", {"inputs": {"command": command}}, who)

    def _run(self, event: str, payload: dict[str, Any], who: str) -> WorkflowRun:
        run = self.box.begin_commands_run(event, actor=self.box.accounts[who])
        return self.runner._run("access-commands", event, payload, run)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[Site]:
    with Box.create(tmp_path_factory.mktemp("box") / "box", pin=release.pin) as box:
        box.vault_bootstrap()
        folder = tmp_path_factory.mktemp("runner")
        yield Site(Town(box), Runner(box, folder, environment=release.environment()))


@pytest.fixture(scope="module")
def granted(site: Site) -> dict[str, Asked]:
    asked = {name: site.town.grant(name, duration="1h") for name in ("cw-done", "cw-halt")}
    done = site.town.apply()
    assert done.code == 0, done.said
    return asked


def test_a_comment_that_is_talk_starts_no_job(site: Site, granted: dict[str, Asked]) -> None:
    run = site.comment("mallory", granted["cw-done"], "$(touch hacked) /done cw-done")
    assert run.jobs.get(OBEY) != "success"
    assert len(site.town.live_tokens("cw-done")) == 1


def test_a_hostile_comment_is_data(site: Site, granted: dict[str, Asked]) -> None:
    body = '/done cw-done"; touch hacked; echo "$(id)\n::error::x'
    run = site.comment("mallory", granted["cw-done"], body)
    assert run.jobs == {OBEY: "success"}, run.log
    assert "no command" in run.log
    assert "uid=" not in run.log
    assert len(site.town.live_tokens("cw-done")) == 1


def test_done_ends_a_grant(site: Site, granted: dict[str, Asked]) -> None:
    run = site.comment("alice", granted["cw-done"], "/done cw-done")
    assert run.jobs == {OBEY: "success"}, run.log
    assert run.steps["Obey"] == "success"
    assert "| done | `cw-done` | ending |" in run.summary
    assert not site.town.live_tokens("cw-done")
    said = [item["body"] for item in site.box.person("alice").comments(granted["cw-done"].number)]
    assert "<!-- daypass:result:ending -->" in said[-1]


def test_a_halt_is_obeyed_for_its_owners_alone(site: Site, granted: dict[str, Asked]) -> None:
    assert granted
    refused = site.dispatch("mallory", "halt --subject alice")
    assert refused.jobs == {OBEY: "failure"}, refused.log
    assert len(site.town.live_tokens("cw-halt")) == 1
    obeyed = site.dispatch("carol", "halt --subject alice")
    assert obeyed.jobs == {OBEY: "success"}, obeyed.log
    assert not site.town.live_tokens("cw-halt")
    done = site.town.apply()
    assert done.code == 0, done.said
    assert "Daypass-Reason: halt" in site.town.message("cw-halt", "revoked")
    assert site.town.verify().code == 0
