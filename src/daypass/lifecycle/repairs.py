"""Repairs: what a run puts back of the bot's own files, and the loss that an operator accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.lifecycle import happening
from daypass.lifecycle.outcome import writable
from daypass.lifecycle.restored import loss_accepted
from daypass.model.canonical import digest_bytes
from daypass.model.tree import DOUBLED

if TYPE_CHECKING:
    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.happening import Happening
    from daypass.lifecycle.observe import Observation
    from daypass.lifecycle.outcome import Outcome

_TOLD: Final = 20  # paths, by name


def find_repairs(ports: Ports, seen: Observation) -> list[Happening]:
    """Finds the files of the bot that were edited or forged by hand: one event puts all back.

    Raises what the repository raises.
    """
    changed = seen.world.tampering.changed
    if not changed:
        return []
    known = {path: seen.signed_blobs[path] for path in changed if path in seen.signed_blobs}
    contents = ports.repository.blobs(sorted(set(known.values())))
    restored = {path: contents[blob] for path, blob in known.items()}
    forged = tuple(path for path in changed if path not in known)
    return [happening.repaired(restored, forged, ports.run)]


def find_accepted_loss(ports: Ports, seen: Observation) -> list[Happening]:
    """Finds the loss that an operator accepted since the last event."""
    loss = seen.memory.accepted
    return [loss_accepted(loss, ports.run)] if loss is not None else []


def alarm_frozen(seen: Observation, outcome: Outcome) -> None:
    """Raises an alarm for each reason why nothing is granted."""
    for cause, text in seen.restored.items():
        outcome.alarm(cause, text)
    _alarm_doubled(seen, outcome)
    _alarm_odd(seen, outcome)
    for grant_id, error in seen.world.odd_slots.items():
        outcome.alarm(f"slot.{grant_id}", f"{error.message}. {error.remedy}")
    for reason in seen.world.frozen:
        if reason not in seen.restored.values():
            cause = f"frozen.{digest_bytes(writable(reason).encode())[7:15]}"
            outcome.alarm(cause, reason, standing=reason not in seen.misused)


def _alarm_doubled(seen: Observation, outcome: Outcome) -> None:
    """Raises one alarm for all requests that main holds several times under one path."""
    if seen.doubled:
        more = len(seen.doubled) - _TOLD
        outcome.alarm(
            "doubled-requests",
            f"main holds several entries of {', '.join(seen.doubled[:_TOLD])}"
            + (f" and {more} more paths" if more > 0 else "")
            + ": git does not read them alike, and nothing is granted or ended by them. Find who "
            "brought them with `git log --first-parent -- access`, and let git write the folder "
            "anew: `git read-tree --empty`, `git add --all` and `git commit`",
        )


def _alarm_odd(seen: Observation, outcome: Outcome) -> None:
    """Raises one alarm for all that lies in the place of a request and is no regular file."""
    odd = [
        f"{item.path} ({item.mode})"
        for item in seen.world.requests.values()
        if not (item.is_document or item.mode == DOUBLED or item.grant_id in seen.world.grants)
    ]
    if odd:
        more = len(odd) - _TOLD
        outcome.alarm(
            "odd-requests",
            f"no regular file (mode 100644): {', '.join(sorted(odd)[:_TOLD])}"
            + (f" and {more} more" if more > 0 else "")
            + ": nothing is granted by them. Delete them by a pull request, and ask anew with a "
            "new id and a plain file",
        )
