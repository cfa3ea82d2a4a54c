"""An organisation in a box: all its servers and people, wired together as one thing."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

from daypass.documents.workflows import Literals, control_workflows
from daypass.errors import SandboxError
from daypass.model.names import COMMANDS_RUN_WORKFLOW, ENVIRONMENT, RECONCILE_WORKFLOW
from daypass.model.settings import ControlSettings
from daypass.sandbox import organisation
from daypass.sandbox.database_engine import set_up_database_engine
from daypass.sandbox.github import GitHub
from daypass.sandbox.github.state import Environment
from daypass.sandbox.openbao import OpenBao
from daypass.sandbox.person import Person, make_home
from daypass.sandbox.postgres import Postgres
from daypass.sandbox.vault_people import VaultPeople

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path
    from types import TracebackType

    from daypass.model.secret import Secret
    from daypass.sandbox.github import RunCredentials
    from daypass.sandbox.github.accounts import Account
    from daypass.sandbox.github.state import Repository

_TRANSIT: Final = "daypass-transit"
_EVIDENCE_KEY: Final = "evidence"
_APPLY: Final = ".github/workflows/access-apply.yml"
_COMMANDS: Final = ".github/workflows/access-commands.yml"
# As the workflows clone: no name of a file, a branch or a tag may end a job.
_CLONE: Final = (
    *("git", "clone", "-q", "--no-checkout"),
    *("--single-branch", "--no-tags", "--filter=blob:none"),
)


class Box:
    """OpenBao, PostgreSQL, a GitHub with the organisation `acme`, and its people.

    After `create` the governed repository lies on GitHub, and Vault holds the evidence key and
    the database engine. `vault_bootstrap` lays the rest of daypass's set-up into Vault.
    """

    repository_name: Final = "access"
    control_name: Final = "access-control"

    def __init__(
        self,
        directory: Path,
        bao: OpenBao,
        postgres: Postgres,
        github: GitHub,
        branch: str = "main",
    ) -> None:
        self.directory = directory
        self.bao = bao
        self.postgres = postgres
        self.github = github
        self.accounts: dict[str, Account] = {}
        self.people: dict[str, Person] = {}
        self.public_keys: dict[str, str] = {}
        self.evidence_key = b""
        self.app_key: Secret = github.app.generate_key()
        self.branch = branch  # the governed repository's default branch
        self.control: ControlSettings | None = None  # None: it holds the privileged workflows too
        # What an administrator sets on GitHub: known to jobs from outside of the repository.
        self.variables: dict[str, str] = {}
        self._control_repository: Repository | None = None
        self._repository: Repository | None = None
        self._vault_people: VaultPeople | None = None

    @classmethod
    def create(
        cls,
        directory: Path,
        *,
        pin: str | None = None,
        branch: str = "main",
        control: bool = False,
    ) -> Self:
        """Start everything in `directory`, which must be empty or missing.

        Args:
            directory: where servers, repositories and homes lie.
            pin: what the first commit holds as `.github/daypass.txt`; without it the repository
                has none, and its workflows cannot install daypass.
            branch: the governed repository's default branch.
            control: whether a control repository holds the privileged workflows.

        Raises:
            SandboxError: a server did not start.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
            bao = pool.submit(OpenBao.start, directory / "openbao")
            postgres = pool.submit(Postgres.start, directory / "postgres")
            github = stack.enter_context(GitHub.start(directory / "github"))
            for server in (bao, postgres):
                stack.callback(_stop_if_started, server)
            box = cls(directory, bao.result(), postgres.result(), github, branch)
            box._furnish(pin, control=control)
            stack.pop_all()
            return box

    @property
    def repository(self) -> Repository:
        """The governed repository on GitHub."""
        if self._repository is None:
            raise SandboxError("the box is empty", remedy="Make it with Box.create().")
        return self._repository

    @property
    def control_repository(self) -> Repository:
        """The control repository on GitHub."""
        if self._control_repository is None:
            raise SandboxError(
                "the box has no control repository", remedy="Make it with control=True."
            )
        return self._control_repository

    @property
    def vault_people(self) -> VaultPeople:
        """People's own log-ins to Vault."""
        if self._vault_people is None:
            raise SandboxError("the box is empty", remedy="Make it with Box.create().")
        return self._vault_people

    @property
    def repository_id(self) -> int:
        """The governed repository's numeric id."""
        return self.repository.id

    @property
    def evidence_fingerprint(self) -> str:
        """`SHA256:…` of the evidence key, as `ssh-keygen -l` prints it."""
        digest = hashlib.sha256(_ssh_blob(self.evidence_key)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def allowed_signers(self) -> str:
        """The allowed-signers file for the evidence key, as stock git reads it."""
        key = base64.b64encode(_ssh_blob(self.evidence_key)).decode()
        return f'{organisation.EVIDENCE_EMAIL} namespaces="git" ssh-ed25519 {key}\n'

    def person(self, name: str) -> Person:
        """Somebody of the organisation: alice, bob, carol, dave or mallory."""
        return self.people[name]

    def begin_apply_run(
        self, event: str = "push", *, actor: Account | None = None
    ) -> RunCredentials:
        """A run of access-apply on main, in the job that may log in to Vault."""
        return self._begin_run(_APPLY, RECONCILE_WORKFLOW, event, actor, 1)

    def begin_commands_run(
        self, event: str, *, actor: Account | None = None, attempt: int = 1
    ) -> RunCredentials:
        """A run of access-commands, in the job that may log in to Vault."""
        return self._begin_run(_COMMANDS, COMMANDS_RUN_WORKFLOW, event, actor, attempt)

    def _begin_run(
        self, caller: str, called: str, event: str, actor: Account | None, attempt: int
    ) -> RunCredentials:
        control = self.control
        home, branch = self.repository.full_name, self.branch
        if control is not None:
            home, branch = control.repository, control.branch
        return self.github.begin_run(
            repository=self.repository,
            workflow=caller,
            event=event,
            job_workflow_ref=f"{home}/{called}@refs/heads/{branch}",
            actor=actor,
            environment=ENVIRONMENT if control is None else None,
            attempt=attempt,
        )

    def job_environment(self, run: RunCredentials, home: Path) -> dict[str, str]:
        """The whole environment of a job of that run, as a runner gives it."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "CI": "true",
            "DAYPASS_VAULT_ADDRESS": self.bao.address,
            "DAYPASS_VAULT_AUDIENCE": organisation.AUDIENCE,
            "DAYPASS_CLONE_TOKEN": run.token.reveal(),
            **run.env,
        }

    def checkout(self, directory: Path, run: RunCredentials) -> Path:
        """A clone of main as the job makes it: whole history, blobs when needed, no work tree."""
        login = base64.b64encode(f"x-access-token:{run.token.reveal()}".encode()).decode()
        url = f"{self.github.server_url}/{self.repository.full_name}"
        subprocess.run(  # noqa: S603  -- git, on our own server
            [*_CLONE, "--branch", self.branch, url, str(directory)],
            check=True,
            env={
                **self.job_environment(run, directory.parent),
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": f"http.{self.github.server_url}/.extraheader",
                "GIT_CONFIG_VALUE_0": f"Authorization: Basic {login}",
            },
        )
        return directory

    def vault_bootstrap(self) -> str:
        """Run `daypass vault apply` as the operator would, once; what it printed.

        The App's private key is imported from a file, as GitHub gives it, which is removed.

        Raises:
            SandboxError: the command failed; with what it said.
        """
        operator = self.person("carol")
        operator.git("pull", "-q", "--ff-only")
        key_file = operator.home / "github-app.pem"
        descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as stream:
                stream.write(self.app_key.reveal())
            words = ["vault", "-C", str(operator.clone), "apply", "--app-key-file", str(key_file)]
            result = subprocess.run(  # noqa: S603  -- daypass itself
                [sys.executable, "-m", "daypass", *words],
                check=False,
                capture_output=True,
                text=True,
                env={
                    **operator.environment(),
                    "VAULT_ADDR": self.bao.address,
                    "VAULT_TOKEN": self.bao.root_token.reveal(),
                },
            )
        finally:
            key_file.unlink()
        if result.returncode != 0:
            raise SandboxError(
                f"daypass vault apply ended with {result.returncode}: {result.stderr.strip()}",
                remedy="Mend what it names, and run vault_bootstrap again.",
            )
        return result.stdout

    def stop(self) -> None:
        """Stop all servers and remove PostgreSQL's data. Idempotent."""
        with ExitStack() as stack:
            for end in (self.bao.stop, self.postgres.close, self.github.stop):
                stack.callback(end)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _furnish(self, pin: str | None, *, control: bool) -> None:
        set_up_database_engine(self.bao, self.postgres)
        self.evidence_key = self._make_evidence_key()
        self._vault_people = VaultPeople(self.bao, organisation.PEOPLE)
        for name in organisation.PEOPLE:
            key = make_home(self.directory / "people" / name, f"{name}@acme")
            self.public_keys[name] = key
            self.accounts[name] = self.github.add_member(name, keys=[key])
        for slug, members in organisation.TEAMS.items():
            self.github.add_team(slug, [self.accounts[name] for name in members])
        # The settings name the repository's id, so it is there before its first commit.
        self._repository = self.github.create_repository(
            self.repository_name,
            members=self.accounts.values(),
            admin=self.accounts["carol"],
            branch=self.branch,
        )
        self._set_known_from_outside(pin, control=control)
        self.github.first_commit(
            self._repository,
            organisation.governed_repository(self, pin=pin),
            self.accounts["carol"],
        )
        for name, account in self.accounts.items():
            self.people[name] = Person(
                self.github,
                self._repository,
                account,
                self.github.token(account),
                self.directory / "people" / name,
            )
            self.people[name].vault_address = self.bao.address

    def _set_known_from_outside(self, pin: str | None, *, control: bool) -> None:
        """What jobs know from outside: variables, or the files of a control repository."""
        pins = () if pin is None else (hashlib.sha256(pin.encode()).hexdigest(),)
        known = Literals(pins, self.bao.address, organisation.AUDIENCE, "")
        if not control:
            self.variables.update(known.variables())
            if pin is None:  # no file has that digest, and nothing is installed
                self.variables["DAYPASS_PIN"] = hashlib.sha256(b"").hexdigest()
            # The report's job, which has no environment, installs by the repository's own.
            self.repository.variables["DAYPASS_PIN"] = self.variables["DAYPASS_PIN"]
            # Only the default branch gets it.
            self.repository.environments[ENVIRONMENT] = Environment(
                self.github.directory.new_id(),
                ENVIRONMENT,
                [(self.branch, "branch")],
                self.variables,
            )
            return
        admin = self.accounts["carol"]
        made = self.github.create_repository(self.control_name, admin=admin, app=False)
        self._control_repository = made
        self.control = ControlSettings(made.full_name, made.id)
        self.github.first_commit(made, control_workflows(self.control, known), admin)

    def _make_evidence_key(self) -> bytes:
        """The evidence key, made before the first commit, which names it; 32 raw bytes."""
        client = self.bao.client
        client.write(f"sys/mounts/{_TRANSIT}", {"type": "transit"})
        client.write(f"{_TRANSIT}/keys/{_EVIDENCE_KEY}", {"type": "ed25519"})
        answer = client.read(f"{_TRANSIT}/keys/{_EVIDENCE_KEY}") or {}
        return base64.b64decode(answer["data"]["keys"]["1"]["public_key"])


def _ssh_blob(raw: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in (b"ssh-ed25519", raw))


def _stop_if_started(server: Future[OpenBao] | Future[Postgres]) -> None:
    if server.exception() is None:
        server.result().__exit__(None, None, None)
