"""Runs of access-commands on the box: somebody writes or dispatches, and the job obeys."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support import acting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.sandbox.box import Box
    from daypass.sandbox.github.accounts import Account
    from support.acting import Done
    from support.town import Asked, Town


@dataclass(frozen=True, slots=True)
class Written:
    """A comment, and the run that it set off."""

    id: int
    number: int
    run: Done


class Commands:
    """People's words, and what becomes of them."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.box: Box = town.box

    def comment(self, who: str, number: int, body: str) -> Written:
        """Somebody comments, and GitHub runs the workflow for it."""
        comment_id = self.box.person(who).comment(number, body)
        return Written(comment_id, number, self.run_comment(comment_id))

    def run_comment(self, comment_id: int, *, body: str | None = None, attempt: int = 1) -> Done:
        """The run for a comment that stands; `body` is what its event says it was."""
        comment = self.box.repository.comments[comment_id]
        payload = {
            "action": "created",
            "issue": {"number": comment.number, "pull_request": {"url": "…"}},
            "comment": {"id": comment.id, "body": comment.body if body is None else body},
        }
        return self._run("issue_comment", payload, comment.author, attempt)

    def dispatch(self, who: str, command: str, *, attempt: int = 1) -> Done:
        """Somebody dispatches the workflow."""
        account = self.box.accounts[who]
        return self._run("workflow_dispatch", {"inputs": {"command": command}}, account, attempt)

    def answers(self, written: Written) -> list[str]:
        """What the App answered to a comment."""
        bot = self.box.github.app.bot.id
        marker = f"<!-- daypass:command:{written.id} -->"
        found = self.box.person("carol").comments(written.number)
        return [
            item["body"]
            for item in found
            if item["user"]["id"] == bot and item["body"].startswith(marker)
        ]

    def result(self, written: Written) -> str:
        """What the one answer says, in one word."""
        (answer,) = self.answers(written)
        return answer.split("\n")[1].removeprefix("<!-- daypass:result:").removesuffix(" -->")

    def intents(self) -> dict[str, dict[str, Any]]:
        """The intents that wait in Vault, by grant."""
        client = self.box.bao.client
        found = {}
        for name in client.list("daypass/metadata/daypass/intents"):
            answer = client.read(f"daypass/data/daypass/intents/{name}") or {}
            content = answer["data"]["data"]
            found |= dict.fromkeys(content.pop("grants", name).split(), content)
        return found

    @contextmanager
    def watching(self) -> Iterator[None]:
        """GitHub's part while a person waits: runs the workflow for each of their comments."""
        stop = threading.Event()
        before = set(self.box.repository.comments)

        def watch() -> None:
            seen = set(before)
            while not stop.is_set():
                for comment in list(self.box.repository.comments.values()):
                    if comment.id not in seen:
                        seen.add(comment.id)
                        if comment.author is not self.box.github.app.bot:
                            self.run_comment(comment.id)
                time.sleep(0.05)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _run(self, event: str, payload: Any, actor: Account, attempt: int) -> Done:
        credentials = self.box.begin_commands_run(event, actor=actor, attempt=attempt)
        with tempfile.TemporaryDirectory(prefix="daypass-command-") as folder:
            home = Path(folder)
            clone = self.box.checkout(home / "clone", credentials)
            path = home / "event.json"
            path.write_text(json.dumps(payload))
            environment = self.box.job_environment(credentials, home)
            environment["GITHUB_STEP_SUMMARY"] = str(home / "summary.md")
            # What a step of the job could set is never believed.
            environment |= {"GITHUB_ACTOR_ID": str(self.box.accounts["carol"].id)}
            words = (*acting.DAYPASS, "command", "--event", str(path), "--format", "json")
            done = acting.run(words, environment, directory=clone)
        self.box.github.end_run(credentials)
        return done


def grant_all(town: Town, names: list[str], **spec: Any) -> dict[str, Asked]:
    """Ask for all of these, and issue them in one run."""
    asked = {name: town.grant(name, **({"duration": "1h"} | spec)) for name in names}
    done = town.apply()
    assert done.code == 0, done.said
    return asked
