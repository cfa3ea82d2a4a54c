"""The story: from a pull request to a revert, played by real people's commands on real servers.

Every step runs what a user would run: git, GitHub's REST API, the `daypass` command, psql. A step
that does not end as it should ends the story with a SandboxError.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg

from daypass.errors import SandboxError
from daypass.model.instant import Instant
from daypass.sandbox import organisation
from daypass.sandbox.postgres import program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daypass.sandbox.box import Box
    from daypass.sandbox.person import Person
    from daypass.sandbox.stage import Stage

GRANT: Final = "alice-orders-db-7f3k"
_QUERY: Final = "SELECT id, item, state FROM orders WHERE state = 'paid'"
_PATH: Final = f"access/requests/{GRANT}.yaml"
_AUDITOR: Final = (
    "git -c gpg.ssh.allowedSignersFile=access/allowed_signers log --reverse "
    "--date=format:%H:%M:%S --format=%cd%x20%G?%x20%an:%x20%s%n%w(0,9,9)"
    "%(trailers:key=Daypass-Event,key=Daypass-Not-After,key=Daypass-Ended-At,key=Daypass-Approver,"
    "unfold)"
)


class Story:
    """One telling of it, in a box that holds the organisation."""

    def __init__(self, box: Box, stage: Stage) -> None:
        self.box = box
        self.stage = stage
        self.alice = box.person("alice")
        self.bob = box.person("bob")
        self.number = 0
        self.ends = Instant(0)
        self.credential: dict[str, str] = {}

    def play(self) -> None:
        """Tell it from beginning to end."""
        for name in ("alice", "bob", "mallory"):
            self.box.person(name).git("fetch", "-q")
        self.ask()
        self.approve()
        self.merge()
        self.claim()
        self.misuse()
        self.expire()
        self.audit()

    def ask(self) -> None:
        """A first version that is refused, and one that is not."""
        stage, alice = self.stage, self.alice
        stage.step(
            "Alice asks for access, and makes a mistake",
            "A request is a file. The check that GitHub runs on her pull request runs here, too.",
        )
        alice.git("switch", "-q", "-c", GRANT)
        wrong = organisation.request(GRANT, access="write", duration="12h")[_PATH] or b""
        target = alice.clone / _PATH
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(wrong)
        stage.show(wrong.decode())
        self.daypass(alice, ["validate", "--base", "origin/main"], expect=3)
        stage.step("She mends it and opens a pull request")
        target.write_bytes(organisation.request(GRANT)[_PATH] or b"")
        self.daypass(alice, ["validate", "--base", "origin/main"])
        self.run(alice, ["git", "add", _PATH])
        self.run(alice, ["git", "commit", "-q", "-m", "Ask for read access to orders-db"])
        self.run(alice, ["git", "push", "-q", "origin", "HEAD"])
        self.number = alice.open_pull_request(GRANT, "Ask for read access to orders-db")
        stage.good(f"pull request #{self.number} is open")
        self.plan()

    def plan(self) -> None:
        """What merging would do, as main's own code says it on the pull request."""
        self.stage.step(
            "The plan on the pull request",
            "Main's own code, not the pull request's, says what merging will do.",
        )
        self.job(["plan", "--open", "--comment"], "schedule", quiet=True)
        comment = self.alice.comments(self.number)[-1]["body"]
        self.stage.show(comment.partition("\n")[2])

    def approve(self) -> None:
        """Approvals are computed: not everybody's counts."""
        self.stage.step(
            "Mallory, a colleague, approves; then Bob, who runs the database, does",
            "An approval is counted when access is issued, from GitHub's own record.",
        )
        self.box.person("mallory").approve(self.number)
        self.daypass(self.bob, ["plan", "--pr", str(self.number)])
        self.bob.approve(self.number)
        self.daypass(self.bob, ["plan", "--pr", str(self.number)])

    def merge(self) -> None:
        """The merge mints."""
        stage = self.stage
        stage.step("Bob merges, and the push to main runs access-apply")
        began = time.monotonic()
        commit = self.bob.merge(self.number)
        stage.good(f"merged as {commit[:12]}")
        self.job(["apply"], "push")
        stage.good(f"from the merge to the delivered comment: {time.monotonic() - began:.1f} s")

    def claim(self) -> None:
        """The holder claims, and logs in."""
        stage, alice = self.stage, self.alice
        stage.step(
            "Alice claims it, with the SSH key that GitHub knows, and logs in",
            "The comment holds a single-use token, sealed to her key. She checks it against the "
            "signed evidence, unwraps it, and hands it to psql.",
        )
        alice.git("switch", "-q", "main")
        alice.git("pull", "-q", "--ff-only")
        self.ends = Instant.parse(json.loads(self._record())["spec"]["notAfter"])
        save = alice.home / "credential.json"
        # psql as Alice types it; what it was given is kept, to try it again after its time.
        script = (
            'umask 077; printf \'{"user":"%s","password":"%s"}\' "$PGUSER" "$PGPASSWORD" > "$0"; '
            'exec "$@"'
        )
        shown = ["claim", GRANT, "--", "psql", "-c", _QUERY]
        real = ["claim", GRANT, "--", "sh", "-c", script, str(save), str(program("psql")), "-c"]
        self.daypass(alice, [*real, _QUERY], shown=shown)
        self.credential = json.loads(save.read_text())
        save.unlink()

    def misuse(self) -> None:
        """What does not work: a second claim, and somebody else's."""
        self.stage.step("A second claim is refused: the delivery opens once")
        self.daypass(self.alice, ["claim", GRANT, "--", "psql"], expect=1, psql=True)
        self.stage.step("Mallory, who can read the comment, cannot open it")
        mallory = self.box.person("mallory")
        mallory.git("pull", "-q", "--ff-only")
        self.daypass(mallory, ["claim", GRANT, "--", "psql"], expect=1, psql=True)
        self.stage.step("Who holds what, until when?")
        self.daypass(self.alice, ["status"])

    def expire(self) -> None:
        """Its time comes. Nothing of daypass is running."""
        stage = self.stage
        stage.step(
            "Its time comes. Nothing of daypass is running: Vault ends it by itself",
            "The database is asked, over and over, whether Alice's user is still there.",
        )
        stage.wait(lambda: self.ends.nanoseconds / 1e9 - time.time() - 0.5)
        gone = self._watch()
        stage.good(
            f"PostgreSQL dropped the user {gone * 1000:.0f} ms after the end of the grant "
            f"({self.ends})"
        )
        with tempfile.TemporaryDirectory() as directory:
            environment = self._database(Path(directory))
            self.run(
                self.alice,
                [str(program("psql")), "-c", _QUERY],
                shown=["psql", "-c", _QUERY],
                expect=2,
                more=environment,
            )

    def audit(self) -> None:
        """The schedule reverts, and an auditor reads."""
        stage, alice = self.stage, self.alice
        stage.step("The schedule comes round: the grant's commit is reverted")
        self.job(["apply"], "schedule")
        alice.git("pull", "-q", "--ff-only")
        self.daypass(alice, ["status"])
        stage.step(
            "An auditor needs git, and nothing else",
            "G: a good signature by the key that never leaves Vault. N: not signed by the bot.",
        )
        self.run(alice, shlex.split(_AUDITOR), shown=shlex.split(_AUDITOR))
        stage.step("daypass checks the whole chain, against the key as it is known from elsewhere")
        key = ["--fingerprint", self.box.evidence_fingerprint]
        self.daypass(alice, ["audit", "verify", *key])

    # How commands are run

    def daypass(
        self,
        person: Person,
        words: Sequence[str],
        *,
        expect: int = 0,
        shown: Sequence[str] | None = None,
        psql: bool = False,
    ) -> None:
        """Run the `daypass` command as a person, in their clone."""
        more = {"PATH": f"{program('psql').parent}:{person.environment()['PATH']}"} if psql else {}
        self.run(
            person,
            [sys.executable, "-m", "daypass", *words],
            shown=["daypass", *(shown or words)],
            expect=expect,
            more=more,
        )

    def run(
        self,
        person: Person,
        words: Sequence[str],
        *,
        shown: Sequence[str] | None = None,
        expect: int = 0,
        more: Mapping[str, str] | None = None,
    ) -> None:
        """Run any command as a person, and show both."""
        self.stage.command(shlex.join(shown or words), who=person.login)
        result = subprocess.run(  # noqa: S603  -- what the story tells, no input of anybody's
            list(words),
            check=False,
            cwd=person.clone,
            capture_output=True,
            text=True,
            env={**person.environment(), **(more or {})},
        )
        self.stage.show(result.stdout)
        self.stage.show(result.stderr, style="quiet" if result.returncode == 0 else "bad")
        self._expect(shlex.join(shown or words), result.returncode, expect)

    def job(self, words: Sequence[str], event: str, *, quiet: bool = False) -> None:
        """Run `daypass` as the job of access-reconcile does, in a clone of its own."""
        with tempfile.TemporaryDirectory(dir=self.box.directory) as name:
            home = Path(name)
            run = self.box.begin_apply_run(event)
            clone = self.box.checkout(home / "main", run)
            self.stage.command(f"daypass {shlex.join(words)}", who=f"access-apply on {event}")
            result = subprocess.run(  # noqa: S603  -- daypass itself
                [sys.executable, "-m", "daypass", *words, "--format", "text"],
                check=False,
                cwd=clone,
                capture_output=True,
                text=True,
                env=self.box.job_environment(run, home),
            )
        if not quiet or result.returncode:
            self.stage.show(result.stdout)
            self.stage.show(result.stderr, style="bad")
        self._expect(shlex.join(words), result.returncode, 0)

    def _expect(self, what: str, code: int, wanted: int) -> None:
        if code != wanted:
            raise SandboxError(
                f"`{what}` ended with {code}, and the story expects {wanted}",
                remedy="Run the demo again; if it ends here again, please report it.",
            )
        if wanted:
            self.stage.good(f"refused, as it should be (exit code {code})")

    def _record(self) -> str:
        return (self.alice.clone / f"access/grants/{GRANT}.json").read_text()

    def _database(self, home: Path) -> dict[str, str]:
        """The environment in which psql finds the database with the credential that was claimed."""
        return {
            "HOME": str(home),
            "PGHOST": self.box.postgres.host,
            "PGPORT": str(self.box.postgres.port),
            "PGDATABASE": self.box.postgres.database,
            "PGUSER": self.credential["user"],
            "PGPASSWORD": self.credential["password"],
            "PGSSLMODE": "disable",
        }

    def _watch(self) -> float:
        """Seconds from the end of the grant until its user was gone from PostgreSQL."""
        question = "SELECT count(*) FROM pg_roles WHERE rolname = %s"
        try:
            with self.box.postgres.connect() as connection:
                while time.time() < self.ends.seconds + 30:
                    row = connection.execute(question, [self.credential["user"]]).fetchone()
                    if row is not None and row[0] == 0:
                        return time.time() - self.ends.nanoseconds / 1e9
        except psycopg.Error as error:
            raise SandboxError(
                "the database could not be asked", remedy="Run the demo again."
            ) from error
        raise SandboxError(
            "the user outlived its grant by 30 seconds",
            remedy="This must not happen: please report it.",
        )
