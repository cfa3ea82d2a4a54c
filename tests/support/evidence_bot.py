"""A governed repository over a bare remote, and a bot that writes events as the loop does."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from daypass.adapters.git import GitRepository
from daypass.ledger.allowed_signers import Signers
from daypass.ledger.compose import compose, revert_title, reverts
from daypass.ledger.history import read_tip
from daypass.ledger.record import grant_trailers
from daypass.lifecycle.ports import NewCommit
from daypass.model.canonical import digest_bytes
from daypass.model.event import Event, EventKind
from daypass.model.grant import Approval, Grant, Lane, Wrapping
from daypass.model.instant import Duration, Instant
from daypass.model.names import ALLOWED_SIGNERS_PATH, grant_path, request_path
from daypass.model.resource import IssueMode
from support.desk import DESK, lay_documents
from support.local_signer import LocalSigner

if TYPE_CHECKING:
    from pathlib import Path

START = Instant.parse("2026-11-23T09:00:00Z")
AUTHOR = ("daypass", "bot@daypass.example")


def a_grant(grant_id: str) -> Grant:
    grant = Grant(
        id=grant_id,
        lane=Lane.ROUTINE,
        subject="alice",
        requester="alice",
        requester_id=583231,
        resource="orders-db",
        access="read",
        engine="database",
        mount="database",
        role="orders-ro-1h",
        token_role="daypass-orders-db-read-1h",
        tier=Duration.parse("1h"),
        issue=IssueMode.ON_MERGE,
        request_blob="b" * 40,
        request_commit="c" * 40,
        pull_request=7,
        not_before=START,
        not_after=START.plus(3600),
        accessor=digest_bytes(grant_id.encode()),
        wrapping=Wrapping("database/creds/x", "2026-11-23T09:00:00.1Z", 3600, "sha256:" + "0" * 64),
        recipients=("SHA256:abc",),
        approvals=(
            Approval(1, "bob", 11, "d" * 40, START),
            Approval(2, None, 12, "d" * 40, START.plus(1)),
        ),
        decision_input={},
        decision_digest="sha256:" + "1" * 64,
        policy_digest="sha256:" + "2" * 64,
    )
    return DESK.decided(grant, "moderate")


@dataclass
class Bot:
    """Writes events as the loop does, and lets a test put something else in their place."""

    work: Path
    signer: LocalSigner = field(default_factory=LocalSigner)
    sequence: int = 0
    previous: str | None = None
    seconds: int = START.seconds

    def git(self, *words: str, **environment: str) -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=self.work,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.work),
                "GIT_CONFIG_NOSYSTEM": "1",
                "LC_ALL": "C",
                "GIT_AUTHOR_NAME": "Mallory",
                "GIT_AUTHOR_EMAIL": "mallory@example.com",
                "GIT_COMMITTER_NAME": "Mallory",
                "GIT_COMMITTER_EMAIL": "mallory@example.com",
                # The bot's own clock, whatever day it is: a story is told in its order.
                "GIT_AUTHOR_DATE": f"{self.seconds} +0000",
                "GIT_COMMITTER_DATE": f"{self.seconds} +0000",
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def person_commits(self, message: str, files: dict[str, str | None]) -> str:
        """A commit that somebody merged: unsigned, with any message."""
        self.git("checkout", "-q", "-B", "main", "origin/main")
        for path, content in files.items():
            target = self.work / path
            if content is None:
                target.unlink()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(content)
        self.git("add", "-A")
        arguments = ["commit", "-q", "--allow-empty", "--cleanup=verbatim", "-m", message]
        self.git(*arguments)
        self.git("push", "-q", "--force", "origin", "main")
        self.git("fetch", "-q", "origin")
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "origin/main")

    def open(self) -> GitRepository:
        return GitRepository(self.work, remote="origin", branch="main", author=AUTHOR, token=None)

    def record(
        self,
        event: Event,
        changes: dict[str, bytes | None],
        *,
        title: str = "An event",
        body: str = "",
        sequence: int | None = None,
        previous: str | None = None,
    ) -> str:
        """One event on top of main."""
        number = sequence or self.sequence + 1
        message = compose(title, body, event, number, previous or self.previous)
        return self.write(message, changes, number)

    def write(self, message: str, changes: dict[str, bytes | None], number: int) -> str:
        self.seconds += 60
        with self.open() as repository:
            head = repository.fetch()
            (commit,) = repository.write_commits(
                head,
                iter([NewCommit(changes, message)]),
                self.signer,
                Instant.from_seconds(self.seconds),
            )
            repository.push(commit, head)
        self.sequence, self.previous = number, commit
        return commit

    def request(self, grant_id: str) -> str:
        return self.person_commits(f"Ask for {grant_id}", {request_path(grant_id): "kind: x\n"})

    def issue(
        self,
        grant_id: str,
        grant: Grant | None = None,
        *,
        said: Grant | None = None,
        **chain: object,
    ) -> str:
        """A grant, as `grant` records it; the trailers say what `said` does."""
        commit = self.request(grant_id)
        blob = self.git("rev-parse", f"{commit}:{request_path(grant_id)}")
        asked = {"request_commit": commit, "request_blob": blob}
        said = replace(said or a_grant(grant_id), **asked)
        grant = replace(grant or said, **asked)
        event = Event(EventKind.ISSUED, grant_id, grant_trailers(said))
        record = {grant_path(grant_id): grant.to_bytes()}
        return self.record(event, record, title=f"Grant {grant_id}", **chain)

    def end(self, grant_id: str, issued: str, *, removes: bool = True, **chain: object) -> str:
        event = Event(EventKind.EXPIRED, grant_id, (("Daypass-Reason", "time"),))
        changes: dict[str, bytes | None] = (
            {grant_path(grant_id): None, request_path(grant_id): None} if removes else {}
        )
        title = revert_title(f"Grant {grant_id}")
        return self.record(event, changes, title=title, body=reverts(issued), **chain)

    def signers(self) -> Signers:
        return Signers([self.signer.allowed()])

    def resume(self) -> None:
        """Forget what was written, and read the newest event from main, as a run does."""
        with self.open() as repository:
            tip = read_tip(repository.walk(repository.fetch()), self.signers())
        self.sequence, self.previous = (tip.sequence, tip.commit) if tip else (0, None)


def make_bot(folder: Path) -> Bot:
    """A remote whose main holds the list of allowed signers, and the bot's clone of it."""
    remote, work = folder / "remote.git", folder / "clone"
    work.mkdir()
    bot = Bot(work)
    bot.git("init", "-q", "--bare", "-b", "main", str(remote))
    bot.git("init", "-q", "-b", "main")
    bot.git("remote", "add", "origin", str(remote))
    lay_documents(work)
    (work / ALLOWED_SIGNERS_PATH).write_text(bot.signer.allowed().to_line() + "\n")
    bot.git("add", "-A")
    bot.git("commit", "-q", "-m", "Begin")
    bot.git("push", "-q", "origin", "main")
    bot.git("fetch", "-q", "origin")
    return bot
