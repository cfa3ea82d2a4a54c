"""The foundation: what decisions rest on came by approved pull requests, or granting stops.

Policies, resources, identities, settings, schemas and workflows decide who gets in. So every commit
since the one that an operator trusted (`daypass vault apply`) is proven like a request is. The last
proven commit is kept in Vault, where only the bot and the operators write.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from daypass.documents.repository import catalogue_of
from daypass.errors import DaypassError, DocumentError
from daypass.ledger.commitobject import parse_commit
from daypass.ledger.history import is_signed
from daypass.model.names import FOUNDATION_PATHS
from daypass.policy.provenance import FoundationProof, prove_foundation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daypass.lifecycle.context import Answers, Ports
    from daypass.lifecycle.ports import Repository
    from daypass.model.catalogue import Catalogue
    from daypass.model.instant import Instant
    from daypass.model.pullrequest import ChangedFile, PullRequest

TRUST_NOTE: Final = "trust"
_WAY_OUT: Final = (
    "Undo it by a pull request that its owners approve, then let an operator set the trusted "
    "commit anew with `daypass vault apply --trust REV`"
)


def prove_to_head(
    ports: Ports, answers: Answers, head: str, now: Instant, *, remember: bool
) -> tuple[str, ...]:
    """Why the foundation on `head` is not proven; empty when it is (and remembered, if asked)."""
    note = ports.registry.read_note(TRUST_NOTE)
    if note is None:
        return ("no trusted commit is set: an operator runs `daypass vault apply` once",)
    trusted = str(note["commit"])
    repository = ports.repository
    if trusted == head:
        return ()
    rewritten = _rewritten(repository, trusted, head) or _undone(ports, answers, trusted, head)
    if rewritten is not None:
        return (rewritten,)
    catalogue = _catalogue(repository, trusted)
    sound = catalogue is not None
    for stretch in stretches(ports, answers, trusted, head):
        if catalogue is None:
            return (f"the documents of {trusted[:12]} are broken, so nobody can approve changes",)
        proof = proof_of(ports, answers, stretch, catalogue, now)
        if isinstance(proof, str):
            return (f"{stretch.last[:12]} changes what decisions rest on: {proof}. {_WAY_OUT}",)
        found = _catalogue(repository, stretch.last)
        sound = found is not None
        catalogue = found or catalogue
    # Broken documents name nobody who could approve their mending: only sound ones are trusted.
    if remember and sound:
        ports.registry.write_note(TRUST_NOTE, {"commit": head})
    return ()


def _rewritten(repository: Repository, trusted: str, head: str) -> str | None:
    """Why what is on main's own line was not built on the trusted commit; None when it was."""
    if not repository.is_ancestor(trusted, head):
        return (
            f"the trusted commit {trusted[:12]} is no longer part of main: history was rewritten. "
            "Put main back from a clone that has it, at the newest commit that anybody has "
            f"(`git push --force-with-lease origin {trusted}:main`, or one that builds on it); or, "
            "if what is there now is meant, an operator runs `daypass vault apply --trust REV`"
        )
    if any(commit.sha == trusted for commit in repository.walk(head)):
        return None
    # A merge the wrong way round: its first parent is a state of long ago, and each commit of that
    # line did come by an approved pull request once.
    return (
        f"main's own line no longer goes through the trusted commit {trusted[:12]}: "
        f"something older was made its past. {_WAY_OUT}"
    )


def _undone(ports: Ports, answers: Answers, trusted: str, head: str) -> str | None:
    """Why what was on main may have been undone by a merge that no pull request made.

    Beside its first parent such a merge changes nothing, and main's own line does not show what it
    leaves out: an approved change of policies, or somebody's offboarding.
    """
    merges = {}
    for commit in ports.repository.walk(head):
        if commit.sha == trusted:
            break
        parents = parse_commit(commit.raw).parents
        if len(parents) > 1:
            merges[commit.sha] = parents[1:]
    try:
        with answers.asking(merges):
            for sha, others in merges.items():
                if not any(
                    item.merged_at is not None
                    and item.merge_commit_sha == sha
                    and others == (item.head_sha,)
                    for item in answers.pull_requests_of(sha)
                ):
                    return (
                        f"{sha[:12]} merges something into main that no pull request did: what was "
                        f"there before it may be undone. {_WAY_OUT}"
                    )
    except DaypassError as error:  # nothing is granted; what is to end does not wait for GitHub
        return f"it is not known which pull requests made main's merges: {error.message}"
    return None


def trusted_catalogue(ports: Ports, head: str) -> Catalogue | None:
    """The catalogue of the last commit that was proven.

    None if there is none, it is broken, or `head` was not built on it: no fresh clone has it then.
    """
    note = ports.registry.read_note(TRUST_NOTE)
    if note is None or not ports.repository.is_ancestor(str(note["commit"]), head):
        return None
    return _catalogue(ports.repository, str(note["commit"]))


@dataclass(frozen=True, slots=True)
class Stretch:
    """Commits that came together: one, or all that a rebase merge made of one pull request."""

    before: str | None  # the first-parent commit that the first of them stands on
    last: str
    pull_requests: tuple[PullRequest, ...]  # merged into main, empty if it came by none


def stretches(
    ports: Ports,
    answers: Answers,
    since: str,
    until: str,
    paths: Sequence[str] = FOUNDATION_PATHS,
) -> Iterator[Stretch]:
    """The commits of (since, until] that touch the paths and are not the bot's, oldest first.

    A rebase merge lays down states that nobody approved one by one: only their end is compared.
    """
    pending: Stretch | None = None
    for commit in ports.repository.touching(since, until, paths):
        pair = list(islice(ports.repository.walk(commit), 2))
        if is_signed(parse_commit(pair[0].raw), ports.signers):
            continue
        parent = pair[1].sha if len(pair) > 1 else None
        merged = answers.pull_requests_of(commit)
        same = pending is not None and {item.number for item in merged} == {
            item.number for item in pending.pull_requests
        }
        if pending is not None and same and merged and pending.last == parent:
            pending = replace(pending, last=commit)
            continue
        if pending is not None:
            yield pending
        pending = Stretch(parent, commit, merged)
    if pending is not None:
        yield pending


def proof_of(
    ports: Ports, answers: Answers, stretch: Stretch, before: Catalogue, now: Instant
) -> FoundationProof | str:
    """The approved pull request that brought one stretch; or why it is not proven.

    `before` names who may approve: the documents as they were before the stretch.
    """
    github = before.settings.github
    merged = [
        item
        for item in stretch.pull_requests
        if item.merged_at is not None
        and item.base_repository_id == github.repository_id
        and item.base_ref == github.default_branch
    ]
    if not merged:
        return "it came by no merged pull request"
    changed = _changed(ports.repository, stretch.before, stretch.last)
    fault = "no pull request lists exactly these changes"
    for item in merged:
        if not item.complete:
            fault = f"GitHub does not tell the whole of #{item.number}"
        elif _covers(item.files, changed):
            proof = prove_foundation(item, before, answers.groups(before), now)
            if isinstance(proof, FoundationProof):
                return proof
            fault = proof.why
    return fault


def _changed(repository: Repository, parent: str | None, commit: str) -> dict[str, str | None]:
    """Foundation paths that the commit changes: path → its blob after, None when removed."""
    after = _blobs(repository, commit)
    before = _blobs(repository, parent) if parent else {}
    return {
        path: after.get(path)
        for path in before.keys() | after.keys()
        if before.get(path) != after.get(path)
    }


def _blobs(repository: Repository, commit: str) -> dict[str, str]:
    return {
        entry.path: f"{entry.mode} {entry.blob}"
        for folder in FOUNDATION_PATHS
        for entry in repository.entries(commit, folder)
    }


def _covers(files: tuple[ChangedFile, ...], changed: dict[str, str | None]) -> bool:
    """Whether the pull request lists every changed path with the very bytes that are on main."""
    listed = {item.path: None if item.status == "removed" else item.blob for item in files}
    # What is copied stays where it was: only a rename takes the other path away.
    renamed = [item.previous_path for item in files if item.status == "renamed"]
    listed = {**dict.fromkeys(path for path in renamed if path is not None), **listed}
    return all(
        path in listed and listed[path] == (blob.split(" ")[1] if blob else None)
        for path, blob in changed.items()
    )


def _catalogue(repository: Repository, commit: str) -> Catalogue | None:
    try:
        return catalogue_of(repository, commit)
    except DocumentError:
        return None
