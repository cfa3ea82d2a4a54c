"""The ports of one run, bundled, and what is asked of GitHub once a run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError
from daypass.policy.groups import resolve_groups, teams_needed

if TYPE_CHECKING:
    from daypass.ledger.allowed_signers import Signers
    from daypass.lifecycle.happening import Run
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
    signers: Signers  # whose signature makes a commit evidence: the keys of Vault's transit engine
    run: Run


@dataclass(slots=True)
class Answers:
    """GitHub's answers, each asked for once in a run."""

    forge: Forge
    _brought: dict[str, tuple[PullRequest, ...]] = field(default_factory=dict)

    def pull_requests_of(self, commit: str) -> tuple[PullRequest, ...]:
        """The merged pull requests that brought a commit."""
        if commit not in self._brought:
            self._brought[commit] = self.forge.pull_requests_of(commit)
        return self._brought[commit]

    def groups(self, catalogue: Catalogue) -> GroupDirectory:
        """All groups; a team that GitHub cannot tell of is unknown, never empty."""
        slugs = sorted(teams_needed(catalogue))
        with ThreadPoolExecutor(WORKERS) as pool:
            members = tuple(pool.map(self._members, slugs))
        return resolve_groups(catalogue, dict(zip(slugs, members, strict=True)))

    def _members(self, slug: str) -> frozenset[int] | None:
        try:
            return self.forge.team_members(slug)
        except DaypassError:
            return None
