"""The foundation: what decisions rest on came by approved pull requests, or granting stops.

Policies, resources, identities, settings, schemas and workflows decide who gets in. So every commit
since the one that an operator trusted (`daypass vault apply`) is proven like a request is. The last
proven commit is kept in Vault, where only the bot and the operators write.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from daypass.documents.readable import ReadableDocuments
from daypass.errors import DaypassError
from daypass.ledger.commitobject import parse_commit
from daypass.lifecycle.looked import LOOKED, LOOKED_NOTE, Looked
from daypass.lifecycle.notes import NoteKind, OddNoteError, commit_in
from daypass.lifecycle.proven import WAY_OUT, ProvenLine
from daypass.lifecycle.stretches import Looking
from daypass.model.event import Reason
from daypass.model.identity import IdentityStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from daypass.lifecycle.context import Answers, Ports
    from daypass.lifecycle.notes import NoteReader
    from daypass.lifecycle.ports import Repository
    from daypass.model.catalogue import Catalogue
    from daypass.model.instant import Instant

TRUST_NOTE: Final = "trust"
TRUST: Final = NoteKind(
    TRUST_NOTE,
    commit_in,
    "Which commit is trusted is not known, so main is not proven and nothing is granted",
    remedy="Look at what main holds; then an operator runs `daypass vault apply --trust REV`.",
)


class Proving(Looking, Protocol):
    """What main is proven with: what it is looked through with, and the notes of Vault."""

    @property
    def registry(self) -> NoteReader:
        """The notes: which commit is trusted."""


@dataclass(frozen=True, slots=True)
class Foundation:
    """How far the foundation of main is proven, and what rules until all of it is."""

    unproven: tuple[str, ...] = ()  # why the head's is not; empty when it is
    # What each live grant must hold under, the newest first; empty when nothing is trusted.
    rulings: tuple[Catalogue, ...] = ()
    # By name, what the notes say from now on, so that the next proof begins there.
    notes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def prove_to_head(
    ports: Proving,
    answers: Answers,
    head: str,
    catalogue: Catalogue | None,
    now: Instant,
) -> Foundation:
    """Prove what `head` holds. Nothing is written: `notes` of the result are for who remembers.

    Args:
        ports: the trusted commit is a note of the registry.
        answers: who brought each commit, and who belongs where.
        head: of main.
        catalogue: what its documents make; None when they do not load.
        now: Vault's time.
    """
    trusted, why = _trusted(ports.registry)
    if trusted is None:
        return Foundation((why,))
    repository = ports.repository
    if trusted == head and catalogue is not None:
        return Foundation((), (catalogue,))
    if not repository.is_ancestor(trusted, head):
        return Foundation((_lost(trusted),))
    rewritten = _rewritten(repository, trusted, head) or _undone(ports, answers, trusted, head)
    note = LOOKED.recall(ports.registry)
    line = ProvenLine(ports, answers, trusted, now, Looked.from_note(note, trusted))
    line.follow(head)
    notes: dict[str, Mapping[str, Any]] = {}
    if line.unproven is not None:
        told = line.looked.to_note(line.proven if rewritten is None else trusted)
        if told != note:
            notes[LOOKED_NOTE] = told
    if rewritten is None:
        proven = head if line.unproven is None and catalogue is not None else line.proven
        # Broken documents name no owner who could approve their mending: only sound ones count.
        if proven != trusted:
            notes[TRUST_NOTE] = {"commit": proven}
    unproven = tuple(why for why in (rewritten, line.unproven) if why is not None)[:1]
    unproven += _not_looked_at(line.looked.left)
    if not unproven and catalogue is not None:
        return Foundation((), (catalogue,), notes)
    rulings = list(line.rulings())
    for tip in _beside(repository, trusted, head) if rewritten is not None else ():
        line = ProvenLine(ports, answers, trusted, now)
        line.follow(tip)
        rulings += line.rulings()
    return Foundation(unproven, tuple(rulings), notes)


def _trusted(registry: NoteReader) -> tuple[str | None, str]:
    """The commit that an operator trusts; or why none can be told."""
    try:
        trusted = TRUST.read_strictly(registry)
    except OddNoteError as error:
        return None, f"{error.message}. {error.remedy.rstrip('.')}"
    return trusted, "no trusted commit is set: an operator runs `daypass vault apply` once"


def left_meanwhile(
    ports: Ports, answers: Answers, head: str, tip: str | None, now: Instant
) -> dict[str, Reason]:
    """People whom approved changes offboarded or suspended on a main that was put back: why.

    Nothing is concluded from what that main lacks: each is there, and was active at the trusted
    commit or, where that is lost, at the newest event that main has.
    """
    repository = ports.repository
    since = TRUST.recall(ports.registry) or tip
    if since is None or not repository.is_ancestor(since, head):
        since = tip
    if since is None:
        return {}
    before = ReadableDocuments.of(repository, since).catalogue()
    line = ProvenLine(ports, answers, since, now)
    line.follow(head)
    found: dict[str, Reason] = {}
    for catalogue in line.rulings() if before is not None else ():
        for name, person in catalogue.identities.items():
            known = before.identities.get(name) if before is not None else None
            if known is not None and known.is_active and not person.is_active:
                left = person.status is IdentityStatus.OFFBOARDED
                found[name] = Reason.OFFBOARDED if left else Reason.REEVALUATED
    return found


def _not_looked_at(left: int) -> tuple[str, ...]:
    if not left:
        return ()
    why = (
        f"{left} changes of main that came after an unproven one were not looked at yet, and an "
        "approved offboarding may be among them: each run goes on with them. Do not wait for the "
        "schedule: `gh workflow run access-apply.yml`"
    )
    return (why,)


def _lost(trusted: str) -> str:
    return (
        f"the trusted commit {trusted[:12]} is no longer part of main: history was rewritten. "
        "Put main back from a clone that has it, at the newest commit that anybody has "
        f"(`git push --force-with-lease origin {trusted}:main`, or one that builds on it); or, "
        "if what is there now is meant, an operator runs `daypass vault apply --trust REV`"
    )


def _rewritten(repository: Repository, trusted: str, head: str) -> str | None:
    """Why main's own line does not go through the trusted commit; None when it does."""
    if any(commit.sha == trusted for commit in repository.walk(head)):
        return None
    # A merge the wrong way round: its first parent is a state of long ago, and each commit of that
    # line did come by an approved pull request once.
    return (
        f"main's own line no longer goes through the trusted commit {trusted[:12]}: "
        f"something older was made its past. {WAY_OUT}"
    )


def _undone(ports: Proving, answers: Answers, trusted: str, head: str) -> str | None:
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
                        f"there before it may be undone. {WAY_OUT}"
                    )
    except DaypassError as error:  # nothing is granted; what is to end does not wait for GitHub
        return f"it is not known which pull requests made main's merges: {error.message}"
    return None


def _beside(repository: Repository, trusted: str, head: str) -> Iterator[str]:
    """What merges brought beside main's own line, and was built on the trusted commit.

    One of them may be what main was before such a merge undid a part of it.
    """
    for commit in repository.walk(head):
        if repository.is_ancestor(commit.sha, trusted):
            return
        for other in parse_commit(commit.raw).parents[1:]:
            if any(item.sha == trusted for item in repository.walk(other)):
                yield other
