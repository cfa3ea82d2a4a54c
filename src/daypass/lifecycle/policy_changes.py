"""Policy changes: each that reached main is told once, with the digests before and after.

Who asked for it and who approved it comes from the same proof that the foundation rests on; a
change that came by no approved pull request is told as well, as unproven. How far main was looked
through is noted in Vault; what was told since that note stands in the evidence, so that a run that
was killed between the two tells nothing twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.documents.repository import catalogue_of
from daypass.errors import DocumentError
from daypass.ledger.history import read_event
from daypass.lifecycle.foundation import TRUST
from daypass.lifecycle.happening import Happening, make_event
from daypass.lifecycle.notes import NoteKind, OddNoteError, commit_in
from daypass.lifecycle.stretches import (
    Stretch,
    changed_between,
    odd_modes,
    proof_of,
    stretches,
)
from daypass.model.event import EventKind, Reason
from daypass.model.names import RULES_FOLDERS
from daypass.policy.provenance import FoundationProof

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.lifecycle.context import Answers, Ports
    from daypass.lifecycle.observe import Observation
    from daypass.lifecycle.recorder import Recording
    from daypass.model.catalogue import Catalogue
    from daypass.model.pullrequest import PullRequest

POLICIES_NOTE: Final = "policies"
POLICIES: Final = NoteKind(
    POLICIES_NOTE,
    commit_in,
    "Changes of policies that no run has told yet may be missing from the evidence: see `git log "
    "--first-parent -- access/policies access/exceptions`",
)
_UNREADABLE: Final = "-"


def begin_of_changes(ports: Ports, head: str, *, remember: bool) -> str | None:
    """The commit up to which changes were told; None before anything was trusted.

    Ask before the trusted commit moves on: with the first run, or after an operator set it anew on
    a main that was rewritten, it is where changes begin.
    """
    commit = POLICIES.recall(ports.registry)
    if commit is not None and (commit == head or ports.repository.is_ancestor(commit, head)):
        return commit
    try:
        trusted = TRUST.read_strictly(ports.registry)
    except OddNoteError:  # then nothing is proven, and the foundation says so
        return None
    if trusted is not None and remember:
        ports.registry.write_note(POLICIES_NOTE, {"commit": trusted})
    return trusted


def find_changes(ports: Ports, seen: Observation, answers: Answers) -> list[Happening]:
    """The changes of policies on main that no event tells of yet, oldest first.

    Raises what the ports raise.
    """
    since, head = seen.policies_from, seen.world.head
    if since is None or since == head or not ports.repository.is_ancestor(since, head):
        return []
    with answers.asking(ports.repository.touching(since, head, RULES_FOLDERS)):
        found = tuple(stretches(ports, answers, since, head, RULES_FOLDERS))
    told = _told(ports, since, head) if found else frozenset()
    if told is None:  # main's own line no longer goes through it: then it is frozen, and says so
        return []
    return [
        happening
        for stretch in found
        if stretch.last not in told
        for happening in _changed(ports, seen, answers, stretch)
    ]


def note_changes(ports: Ports, seen: Observation, recording: Recording | None) -> None:
    """Remember how far main was looked through, once what was found is on it."""
    head = seen.world.head
    if recording is not None:
        dropped = (item.event.kind for item in recording.dropped)
        if recording.is_stopped or EventKind.POLICY_CHANGED in dropped:
            return
        if recording.base == head:
            head = recording.head
    if seen.policies_from not in (None, head):
        ports.registry.write_note(POLICIES_NOTE, {"commit": head})


def _told(ports: Ports, since: str, head: str) -> frozenset[str] | None:
    """The changes that events of (since, head] tell of; None when main does not lead there."""
    told: set[str] = set()
    for commit in ports.repository.walk(head):
        if commit.sha == since:
            return frozenset(told)
        recorded = read_event(commit, ports.signers)
        change = recorded.event.first("Daypass-Change") if recorded is not None else None
        if change is not None:
            told.add(change)
    return None


def _changed(
    ports: Ports, seen: Observation, answers: Answers, stretch: Stretch
) -> Iterator[Happening]:
    before = _catalogue(ports, stretch.before)
    after = _catalogue(ports, stretch.last)
    digests = [item.policy_digest if item else _UNREADABLE for item in (before, after)]
    if digests[0] == digests[1]:
        return  # only words, such as a comment: every decision is what it was
    proof = proof_of(ports, answers, stretch, before, seen.world.now) if before else None
    odd = odd_modes(changed_between(ports.repository, stretch.before, stretch.last))
    if odd and proof is not None:
        proof = f"{', '.join(odd)} is no regular file"
    proven = isinstance(proof, FoundationProof)
    number = proof.pull_request if isinstance(proof, FoundationProof) else None
    brought = [item for item in stretch.pull_requests if number in (None, item.number)]
    trailers = [
        *(_asked_by(brought[0], before or after) if len(brought) == 1 else ()),
        ("Daypass-Policy", digests[1]),
        ("Daypass-Policy-Before", digests[0]),
        ("Daypass-Change", stretch.last),
        ("Daypass-Reason", str(Reason.APPROVED if proven else Reason.UNPROVEN)),
    ]
    if isinstance(proof, FoundationProof):
        trailers += [
            ("Daypass-Approver", f"{item.account_id} {item.review_id} {item.commit} {item.at}")
            for item in proof.owners
        ]
    folders = " and ".join(RULES_FOLDERS)
    body = f"Commit {stretch.last} changes what {folders} decide.\n"
    if proven:
        body += f"It came by pull request #{number}, approved by owners of what decisions rest on."
    else:
        why = proof if isinstance(proof, str) else "what main held before cannot be read"
        body += f"It is not proven: {why}."
    yield Happening(
        make_event(EventKind.POLICY_CHANGED, None, *trailers, run=ports.run),
        "Note a change of policies" if proven else "Note an unproven change of policies",
        body,
        is_note=True,
    )


def _asked_by(
    pull_request: PullRequest, catalogue: Catalogue | None
) -> tuple[tuple[str, str], ...]:
    number = ("Daypass-Pull-Request", str(pull_request.number))
    author = pull_request.author
    if author is None:
        return (number,)
    identity = catalogue.identity_of(author.id) if catalogue else None
    return (number, ("Daypass-Requester", f"{identity.name if identity else '-'} {author.id}"))


def _catalogue(ports: Ports, commit: str | None) -> Catalogue | None:
    if commit is None:
        return None
    try:
        return catalogue_of(ports.repository, commit)
    except DocumentError:
        return None
