"""Withdrawn: what was pushed past the pull requests and taken back before it was decided.

Nothing else would tell of it: the evidence does, and its alarm stays until a person has looked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError
from daypass.ledger.history import find_events
from daypass.lifecycle.happening import Refusal
from daypass.model.event import EventKind, Reason
from daypass.model.grant import Lane
from daypass.model.instant import Instant
from daypass.model.names import break_glass_path, request_path
from daypass.policy.provenance import ProvenanceFault, prove

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.lifecycle.context import Answers, Ports
    from daypass.lifecycle.observe import Observation
    from daypass.lifecycle.outcome import Outcome
    from daypass.lifecycle.undecided_note import UndecidedRequests
    from daypass.lifecycle.undecided_rows import Noted

_AT_ONCE: Final = 25  # that one pass records; the next one goes on with the rest


def find_withdrawn(
    ports: Ports,
    answers: Answers,
    seen: Observation,
    undecided: UndecidedRequests,
    outcome: Outcome,
) -> Iterator[Refusal]:
    """The refusals to record of what nothing was known to have brought, and main holds no more.

    A row is forgotten once the evidence tells of it: a run that is killed before loses nothing.
    What GitHub tells the origin of by now was only late, and needs no event.
    """
    world = seen.world
    found = undecided.unproven_gone(world.requests.keys() | world.grants.keys())
    gone = dict(sorted(found.items())[:_AT_ONCE])
    if not gone:
        return
    try:
        # One walk for all: of what has no event yet it goes through all of history.
        events = find_events(ports.repository.walk(world.head), ports.signers, gone)
    except DaypassError as error:
        for name in gone:
            outcome.fail(name, error)
        return
    for name, row in gone.items():
        if events[name]:
            undecided.clear(name)
            continue
        try:
            refusal = _refusal(ports, answers, seen, name, row)
        except DaypassError as error:
            outcome.fail(name, error)
            continue
        if refusal is not None:
            yield refusal
        else:
            undecided.clear(name, proven=row.blob)


def _refusal(
    ports: Ports, answers: Answers, seen: Observation, name: str, row: Noted
) -> Refusal | None:
    """What the evidence is to say; None where a pull request turned out to have brought it."""
    head, catalogue = seen.world.head, seen.world.catalogue
    lanes = {request_path(name): Lane.ROUTINE, break_glass_path(name): Lane.BREAK_GLASS}
    changed = ports.repository.changed_by(None, head, tuple(lanes))
    commit, path, blob = next(
        (
            (commit, path, blob)
            for path in lanes
            for commit, blob in changed.get(path, {}).items()
            if blob is not None and blob.startswith(row.blob)
        ),
        (None, request_path(name), row.blob),
    )
    why = "no commit of main holds it any more"
    if commit is not None and catalogue is not None:
        brought = answers.pull_requests_of(commit)
        proof = prove(brought, commit, path, blob, catalogue.settings.github)
        if not isinstance(proof, ProvenanceFault):
            return None
        why = proof.why
    since, now = Instant.from_seconds(row.since), seen.world.now
    taken = f"it lay on main when a run first met it at {since}, and was taken away by {now}"
    return Refusal(
        name,
        blob,
        EventKind.DENIED,
        Reason.UNPROVEN,
        (why, f"{taken}, before it was decided"),
        request_commit=commit,
        lane=lanes[path],
        merged=False,
    )
