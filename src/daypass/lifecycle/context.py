"""The ports of one run, bundled, and what is asked of GitHub once a run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError
from daypass.lifecycle.inquiry import Inquiry
from daypass.policy.groups import resolve_groups, teams_needed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

    from daypass.ledger.allowed_signers import Signers
    from daypass.lifecycle.happening import Run
    from daypass.lifecycle.inquiry import ContextReader
    from daypass.lifecycle.ports import (
        Forge,
        Issuer,
        Notifier,
        Registry,
        Repository,
        Sealer,
        Signer,
    )
    from daypass.model.catalogue import Catalogue
    from daypass.model.pullrequest import PullRequest
    from daypass.policy.groups import GroupDirectory

WORKERS: Final = 8


@dataclass(frozen=True, slots=True)
class Ports:
    """The world, as one run may touch it."""

    issuer: Issuer
    registry: Registry
    signer: Signer
    repository: Repository
    forge: Forge
    sealer: Sealer
    notifier: Notifier
    context: ContextReader
    signers: Signers  # whose signature makes a commit evidence: the keys of Vault's transit engine
    run: Run


@dataclass(slots=True)
class Answers:
    """GitHub's answers, and those of the context sources, each asked for once in a run."""

    forge: Forge
    inquiry: Inquiry = field(default_factory=Inquiry)
    _brought: dict[str, tuple[PullRequest, ...]] = field(default_factory=dict)
    _asked: dict[str, Future[tuple[PullRequest, ...]]] = field(default_factory=dict)

    @contextmanager
    def asking(self, commits: Iterable[str]) -> Iterator[None]:
        """Ask for the pull requests of these commits side by side, while the caller goes on."""
        unknown = [commit for commit in dict.fromkeys(commits) if commit not in self._brought]
        pool = ThreadPoolExecutor(WORKERS)
        self._asked = {
            commit: pool.submit(self.forge.pull_requests_of, commit) for commit in unknown
        }
        try:
            yield
        finally:
            self._asked = {}
            pool.shutdown(cancel_futures=True)

    def pull_requests_of(self, commit: str) -> tuple[PullRequest, ...]:
        """The merged pull requests that brought a commit. Waits for an answer under way."""
        if commit not in self._brought:
            asked = self._asked.pop(commit, None)
            self._brought[commit] = (
                asked.result() if asked is not None else self.forge.pull_requests_of(commit)
            )
        return self._brought[commit]

    def groups(self, catalogue: Catalogue) -> GroupDirectory:
        """All groups; a team that GitHub cannot tell of is unknown, never empty."""
        settings = catalogue.settings
        slugs = sorted(slug for slug in teams_needed(catalogue) if settings.counts_team(slug))
        ids = [settings.team_id(slug) for slug in slugs]
        with ThreadPoolExecutor(WORKERS) as pool:
            members = tuple(pool.map(self._members, slugs, ids))
        return resolve_groups(catalogue, dict(zip(slugs, members, strict=True)))

    def _members(self, slug: str, team_id: int | None) -> frozenset[int] | None:
        try:
            return self.forge.team_members(slug, team_id)
        except DaypassError:
            return None
