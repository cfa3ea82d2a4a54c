"""Stretches: the commits of main that changed what decisions rest on, and what proves each.

A stretch is proven by the pull request that brought it: merged, listing exactly these changes, and
approved by the owners that the documents before it name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from daypass.ledger.commitobject import parse_commit
from daypass.ledger.history import is_signed
from daypass.model.names import FOUNDATION_PATHS
from daypass.model.tree import EXECUTABLE_FILE, FOLDER, REGULAR_FILE, SUBMODULE, TreeEntry
from daypass.policy.provenance import FoundationProof, prove_foundation

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from daypass.documents.readable import Changes
    from daypass.ledger.allowed_signers import Signers
    from daypass.lifecycle.context import Answers
    from daypass.lifecycle.ports import Repository
    from daypass.model.catalogue import Catalogue
    from daypass.model.instant import Instant
    from daypass.model.pullrequest import ChangedFile, PullRequest
    from daypass.model.settings import GitHubSettings


class Looking(Protocol):
    """What main is looked through with: the clone, and whose signature is the bot's."""

    @property
    def repository(self) -> Repository:
        """The clone."""

    @property
    def signers(self) -> Signers:
        """The bot's keys."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Commits that came together: one, or all that a rebase merge made of one pull request."""

    before: str | None  # the first-parent commit that the first of them stands on
    last: str
    pull_requests: tuple[PullRequest, ...]  # merged into main, empty if it came by none
    commits: tuple[str, ...] = ()  # all of them, oldest first


def stretches(
    ports: Looking,
    answers: Answers,
    since: str,
    until: str,
    paths: Sequence[str] = FOUNDATION_PATHS,
    *,
    asked: Container[str] | None = None,
) -> Iterator[Stretch]:
    """The commits of (since, until] that touch the paths and are not the bot's, oldest first.

    A rebase merge lays down states that were not approved one by one: only their end is compared.
    With `asked`, GitHub is asked about these commits only, and about the rest of a rebase merge
    that one of them began; the others came by no pull request.
    """
    pending: Stretch | None = None
    for commit in ports.repository.touching(since, until, paths):
        pair = list(islice(ports.repository.walk(commit), 2))
        if is_signed(parse_commit(pair[0].raw), ports.signers, commit):
            continue
        parent = pair[1].sha if len(pair) > 1 else None
        goes_on = pending is not None and pending.pull_requests and pending.last == parent
        ask = asked is None or commit in asked or goes_on
        merged = answers.pull_requests_of(commit) if ask else ()
        same = pending is not None and {item.number for item in merged} == {
            item.number for item in pending.pull_requests
        }
        if pending is not None and same and merged and pending.last == parent:
            pending = replace(pending, last=commit, commits=(*pending.commits, commit))
            continue
        if pending is not None:
            yield pending
        pending = Stretch(parent, commit, merged, (commit,))
    if pending is not None:
        yield pending


def proof_of(
    ports: Looking, answers: Answers, stretch: Stretch, before: Catalogue, now: Instant
) -> FoundationProof | str:
    """The approved pull request that brought the bytes of one stretch; or why they are not proven.

    Of modes GitHub tells nothing: see `odd_modes`.
    `before` names who may approve: the documents as they were before the stretch.
    """
    merged = _merged(stretch, before.settings.github)
    if not merged:
        return "it came by no merged pull request"
    changed = changed_between(ports.repository, stretch.before, stretch.last)
    fault = "no pull request lists exactly these changes"
    for item in merged:
        if not item.complete:
            why = item.incomplete_because
            fault = f"GitHub does not tell the whole of #{item.number}" + (
                f": {why}" if why else ""
            )
            if not item.is_too_large:
                fault += " (each run asks again)"
        elif _covers(item.files, changed):
            proof = prove_foundation(item, before, answers.groups(before), now)
            if isinstance(proof, FoundationProof):
                return proof
            fault = proof.why
    return fault


def approved_of(
    answers: Answers, stretch: Stretch, before: Catalogue, now: Instant
) -> PullRequest | None:
    """A pull request of the stretch that its owners approved, whatever bytes main has of it.

    A merge on top of a change that nothing proves holds bytes that no owner was shown. What the
    owners were shown is what the pull request lists.
    """
    for item in _merged(stretch, before.settings.github):
        if item.complete and isinstance(
            prove_foundation(item, before, answers.groups(before), now), FoundationProof
        ):
            return item
    return None


def _merged(stretch: Stretch, github: GitHubSettings) -> list[PullRequest]:
    """The pull requests of a stretch that were merged into the default branch."""
    return [
        item
        for item in stretch.pull_requests
        if item.merged_at is not None
        and item.base_repository_id == github.repository_id
        and item.base_ref == github.default_branch
    ]


def changed_between(repository: Repository, parent: str | None, commit: str) -> Changes:
    """Foundation paths that differ between two commits, with what the later one has there."""
    after = foundation_at(repository, commit)
    before = foundation_at(repository, parent) if parent else {}
    return {
        path: after.get(path)
        for path in before.keys() | after.keys()
        if before.get(path) != after.get(path)
    }


def odd_modes(changed: Changes) -> tuple[str, ...]:
    """Paths that are no regular file any more, each with its mode: no owner can be shown that.

    What GitHub lists of a pull request, and what its owners see there, are bytes.
    """
    return tuple(
        f"{path} ({entry.mode})"
        for path, entry in sorted(changed.items())
        if entry is not None
        and entry.mode != REGULAR_FILE
        # Scripts of workflows run by their bytes, whatever the mode: the approval showed those.
        and not (entry.mode == EXECUTABLE_FILE and path.startswith(".github/"))
    )


def by_bytes(changed: Changes) -> Changes:
    """The same with regular files: approved bytes rule, whatever mode somebody gave them."""
    return {
        path: entry if entry is None else TreeEntry(REGULAR_FILE, entry.blob, path)
        for path, entry in changed.items()
        if entry is None or entry.mode not in (SUBMODULE, FOLDER)  # these have no bytes
    }


def foundation_at(repository: Repository, commit: str) -> dict[str, TreeEntry]:
    """What decisions rest on in a commit's tree: path → entry."""
    return {
        entry.path: entry
        for folder in FOUNDATION_PATHS
        for entry in repository.entries(commit, folder)
    }


def _covers(files: tuple[ChangedFile, ...], changed: Changes) -> bool:
    """Whether the pull request lists every changed path with the very bytes that are on main."""
    listed = {item.path: None if item.status == "removed" else item.blob for item in files}
    # What is copied stays where it was: only a rename takes the other path away.
    renamed = [item.previous_path for item in files if item.status == "renamed"]
    listed = {**dict.fromkeys(path for path in renamed if path is not None), **listed}
    return all(
        path in listed and listed[path] == (entry.blob if entry is not None else None)
        for path, entry in changed.items()
    )
