"""All that the box's GitHub remembers: accounts, teams, repositories, the App and the runs."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Final

from daypass.sandbox.github.accounts import LONG_AGO, Account, Clock, Credential, Directory, Team
from daypass.sandbox.github.actions import Issuer, Run, RunCredentials
from daypass.sandbox.github.app import App
from daypass.sandbox.github.git_store import NOTHING, GitStore
from daypass.sandbox.github.pull_views import PullViews
from daypass.sandbox.github.state import Activity, Repository, Rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from daypass.model.secret import Secret

_ACTIONS: Final = "github-actions[bot]"
_BRANCH: Final = "refs/heads/"


class Hub:
    """The state behind the API. Whatever changes a repository holds its lock."""

    def __init__(self, directory: Path, server_url: str, owner: str) -> None:
        self.clock = Clock()
        self.directory = Directory(self.clock)
        self.server_url = server_url
        self.api_url = f"{server_url}/api/v3"
        self.views = PullViews(server_url, self.api_url, self.directory)
        self.organisation = self.directory.add(owner, "Organization", name=owner.capitalize())
        self.teams: dict[str, Team] = {}
        self.issuer = Issuer(f"{server_url}/_services/token")
        self.app = self._install_app("daypass")
        self._actions = self.directory.add(_ACTIONS, "Bot", emails=[])
        self._store_directory = directory
        self._repositories: dict[int, Repository] = {}

    # Who

    def add_member(
        self, login: str, *, name: str | None = None, keys: Iterable[str] = ()
    ) -> Account:
        """A person of the organisation, with `<login>@<organisation>.example` as e-mail address.

        The account is an old one, which `<login>@users.noreply.github.com` belongs to as well.
        """
        email = f"{login}@{self.organisation.login}.example"
        account = self.directory.add(
            login,
            name=name or login.capitalize(),
            emails=[email],
            keys=keys,
            created_at=LONG_AGO,
        )
        for repository in self._repositories.values():
            if repository.owner is self.organisation:
                repository.roles.setdefault(account.id, "write")
        return account

    def add_team(self, slug: str, members: Iterable[Account]) -> Team:
        """A team of the organisation."""
        team = Team(self.directory.new_id(), slug, slug, self.clock.stamp())
        team.members |= {account.id for account in members}
        self.teams[slug] = team
        return team

    def rename_team(self, team: Team, slug: str) -> None:
        """Give a team another slug. The old one is free for any member to take."""
        self.teams.pop(team.slug)
        team.slug = slug
        self.teams[slug] = team

    def token(self, account: Account) -> Secret:
        """A personal access token: acts as that account."""
        return self.directory.issue(Credential(account), "ghp")

    # Where

    def create_repository(
        self,
        name: str,
        *,
        admin: Account,
        members: Iterable[Account] = (),
        private: bool = True,
        branch: str = "main",
        app: bool = True,
    ) -> Repository:
        """An empty repository of the organisation, with rules on its default branch.

        Args:
            name: without the organisation's.
            admin: may do everything there.
            members: may write there.
            private: whether only they see it.
            branch: the default branch.
            app: whether the App is installed there.
        """
        store = GitStore.create(self._store_directory / f"{name}.git", branch)
        repository = self._register(name, self.organisation, store)
        repository.default_branch, repository.app_installed = branch, app
        repository.private = private
        repository.roles = {account.id: "write" for account in members} | {admin.id: "admin"}
        if app:
            repository.rules.bypass.add(self.app.bot.id)
        return repository

    def first_commit(
        self, repository: Repository, files: Mapping[str, bytes], author: Account
    ) -> str:
        """Make the first commit of an empty repository; its id."""
        store, ref = repository.store, f"{_BRANCH}{repository.default_branch}"
        first = _first_commit(store, files, author, self.clock.stamp())
        store.move(ref, first, NOTHING)
        self.record(repository, author, ref, NOTHING, first, "branch_creation")
        return first

    def fork(self, repository: Repository, account: Account) -> Repository:
        """A fork of a repository in somebody's own account."""
        path = self._store_directory / f"{account.login}-{repository.name}.git"
        store = GitStore.create(path, repository.default_branch)
        store.git("fetch", "-q", str(repository.store.path), "+refs/heads/*:refs/heads/*")
        fork = self._register(repository.name, account, store)
        fork.parent, fork.private = repository, repository.private
        fork.rules.protected = False
        # One lock for both: a push to the fork moves pull requests of its parent.
        fork.lock = repository.lock
        return fork

    def repository(self, owner: str, name: str) -> Repository | None:
        """A repository by names; case does not count."""
        wanted = f"{owner}/{name.removesuffix('.git')}".lower()
        living = self.all_repositories()
        return next((item for item in living if item.full_name.lower() == wanted), None)

    def delete_repository(self, repository: Repository) -> None:
        """Remove a repository; pull requests that came from it have no head repository any more."""
        del self._repositories[repository.id]
        for other in self.all_repositories():
            for pull in other.pulls.values():
                if pull.head_repository is repository:
                    pull.head_repository = None

    def all_repositories(self) -> list[Repository]:
        """Every repository."""
        return list(self._repositories.values())

    @property
    def repository_ids(self) -> Iterable[int]:
        """Ids of the organisation's repositories that the App is installed in."""
        return [
            item.id
            for item in self.all_repositories()
            if item.owner is self.organisation and item.app_installed
        ]

    # What happens

    def record(
        self, repository: Repository, actor: Account, ref: str, before: str, after: str, kind: str
    ) -> None:
        """Write down who moved a branch; the record is what the activity API shows."""
        repository.activities.append(
            Activity(self.directory.new_id(), actor, ref, before, after, kind, self.clock.stamp())
        )

    def begin_run(  # noqa: PLR0913  -- a run's facts, each named
        self,
        *,
        repository: Repository,
        workflow: str,
        event: str = "push",
        ref: str | None = None,
        job_workflow_ref: str | None = None,
        actor: Account | None = None,
        environment: str | None = None,
        sha: str | None = None,
        attempt: int = 1,
        runner_environment: str = "github-hosted",
        permissions: Mapping[str, str] | None = None,
    ) -> RunCredentials:
        """Start a workflow run: what its runner would hand to the job.

        Args:
            repository: where it runs.
            workflow: `.github/workflows/….yml`.
            event: push, schedule, workflow_dispatch, pull_request, …
            ref: what it was started for; the default branch unless told otherwise.
            job_workflow_ref: `owner/repo/.github/workflows/….yml@ref` of a reusable workflow; the
                workflow itself unless told otherwise.
            actor: who set it off; the App unless told otherwise.
            environment: of the job, if it has one.
            sha: the commit; the head of `ref` unless told otherwise.
            attempt: from 1.
            runner_environment: `github-hosted` or `self-hosted`.
            permissions: of the job's GITHUB_TOKEN; reading contents unless told otherwise.
        """
        ref = ref or f"{_BRANCH}{repository.default_branch}"
        own = f"{repository.full_name}/{workflow}@{ref}"
        run = Run(
            id=self.directory.new_id(),
            attempt=attempt,
            repository=repository,
            actor=actor or self.app.bot,
            workflow=workflow,
            event=event,
            ref=ref,
            sha=sha or repository.store.resolve(ref) or NOTHING,
            job_workflow_ref=job_workflow_ref or own,
            environment=environment,
            runner_environment=runner_environment,
        )
        granted = {"metadata": "read", **(permissions or {"contents": "read"})}
        token = self.directory.issue(
            Credential(self._actions, granted, frozenset({repository.id})), "ghs"
        )
        return RunCredentials(run, self._environment(run), token)

    def end_run(self, credentials: RunCredentials) -> None:
        """The run is over: its tokens end."""
        self.issuer.close(credentials.run.id)
        self.directory.revoke(credentials.token.reveal())

    def _environment(self, run: Run) -> dict[str, str]:
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.issuer.url}/request?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.issuer.open(run),
            "GITHUB_ACTOR": run.actor.login,
            "GITHUB_ACTOR_ID": str(run.actor.id),
            "GITHUB_API_URL": self.api_url,
            "GITHUB_SERVER_URL": self.server_url,
            "GITHUB_REPOSITORY": run.repository.full_name,
            "GITHUB_REPOSITORY_ID": str(run.repository.id),
            "GITHUB_REPOSITORY_OWNER": run.repository.owner.login,
            "GITHUB_REPOSITORY_OWNER_ID": str(run.repository.owner.id),
            "GITHUB_RUN_ID": str(run.id),
            "GITHUB_RUN_ATTEMPT": str(run.attempt),
            "GITHUB_RUN_NUMBER": "1",
            "GITHUB_REF": run.ref,
            "GITHUB_REF_NAME": run.ref.removeprefix(_BRANCH),
            "GITHUB_REF_TYPE": "branch",
            "GITHUB_REF_PROTECTED": "true" if run.ref_protected else "false",
            "GITHUB_SHA": run.sha,
            "GITHUB_EVENT_NAME": run.event,
            "GITHUB_WORKFLOW": run.workflow,
            "GITHUB_WORKFLOW_REF": run.workflow_ref,
            "GITHUB_WORKFLOW_SHA": run.sha,
        }

    def _install_app(self, slug: str) -> App:
        bot = self.directory.add(f"{slug}[bot]", "Bot", name=slug)
        return App(
            id=self.directory.new_id(),
            client_id=f"Iv23li{bot.id:x}",
            slug=slug,
            bot=bot,
            installation_id=self.directory.new_id(),
            created_at=self.clock.stamp(),
        )

    def _register(self, name: str, owner: Account, store: GitStore) -> Repository:
        repository = Repository(
            id=self.directory.new_id(),
            owner=owner,
            name=name,
            store=store,
            rules=Rules(self.directory.new_id(), self.directory.new_id()),
            created_at=self.clock.stamp(),
        )
        self._repositories[repository.id] = repository
        return repository


def _first_commit(store: GitStore, files: Mapping[str, bytes], author: Account, stamp: str) -> str:
    """The tree of `files` as a commit without parents, by `git fast-import`."""
    email = min(author.emails, default=author.email)
    seconds = int(datetime.fromisoformat(stamp).timestamp())
    who = f"{author.name or author.login} <{email}> {seconds} +0000"
    parts = [
        b"commit refs/box/first\n",
        f"author {who}\ncommitter {who}\n".encode(),
        _data(b"Begin: what this organisation governs by pull request\n"),
    ]
    for path, content in sorted(files.items()):
        if not re.fullmatch(r"[A-Za-z0-9._/-]+", path):
            raise ValueError(f"{path!r} needs quoting, which this box does not do")
        parts += [f"M 100644 inline {path}\n".encode(), _data(content)]
    store.git("fast-import", "--quiet", data=b"".join(parts))
    sha = store.git("rev-parse", "refs/box/first").strip()
    store.git("update-ref", "-d", "refs/box/first")
    return sha


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)
