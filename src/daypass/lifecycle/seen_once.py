"""Seen once: what only one run can see is kept in Vault until it is on main, and told.

A token that was revoked cannot be found again, and what main tells already is no difference any
more. So a run notes such things before it acts on them, and the next run takes up what one left
that did not get to its end.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError
from daypass.ledger import history
from daypass.lifecycle.notes import NoteKind, text_in, texts_in
from daypass.model.alarm import Alarm
from daypass.model.event import EventKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.drift import Orphan
    from daypass.lifecycle.outcome import Outcome

ONCE_NOTE: Final = "seen-once"
_CAUSES: Final = "causes"  # one string: OpenBao limits how many JSON may hold
_ORPHAN: Final = "orphan."
_SHA256: Final = "sha256:"
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def _causes(note: Mapping[str, Any]) -> dict[str, str]:
    """The alarms that the note keeps. Raises TypeError, ValueError, RecursionError: it is odd."""
    found = texts_in(json.loads(text_in(note, _CAUSES, "{}")))
    for cause, text in found.items():
        Alarm(cause, text, standing=False)
        if cause.startswith(_ORPHAN) and _DIGEST.fullmatch(cause, len(_ORPHAN)) is None:
            raise ValueError("not a digest")
    return found


ONCE: Final = NoteKind(
    ONCE_NOTE,
    _causes,
    "Alarms of a run that did not get to its end, and tokens that it revoked, may be untold",
)


def orphan_cause(digest: str) -> str:
    """The name of the alarm about a token that no grant knows: all of its accessor's digest."""
    return _ORPHAN + digest.removeprefix(_SHA256)


def note(ports: Ports, outcome: Outcome, orphans: Iterable[Orphan] = ()) -> None:
    """Keep what this run has seen once, and the orphans that it is about to revoke.

    Raises what the registry raises: then nothing of it was done.
    """
    seen = {alarm.cause: alarm.text for alarm in outcome.causes.values() if not alarm.standing}
    for orphan in orphans:
        text = (
            f"{orphan.what} lived that no grant knows; the run that revoked it did not get to its "
            "end"
        )
        seen.setdefault(orphan_cause(orphan.digest), text)
    if seen:
        ports.registry.write_note(ONCE_NOTE, {_CAUSES: json.dumps(seen)})


def recall(ports: Ports, outcome: Outcome) -> frozenset[str]:
    """Take up what a run left; the digests of orphans among it. Raises what the registry raises."""
    left = ONCE.recall(ports.registry) or {}
    for cause, text in left.items():
        outcome.alarm(cause, text, standing=False)
    return frozenset(
        _SHA256 + cause.removeprefix(_ORPHAN) for cause in left if cause.startswith(_ORPHAN)
    )


def unrecorded(ports: Ports, head: str, digests: frozenset[str]) -> frozenset[str]:
    """Which of these orphans the evidence does not tell of."""
    if not digests:
        return digests
    walk = ports.repository.walk(head)
    return digests - history.newest_accessors(walk, ports.signers, EventKind.DRIFT)


def forget(ports: Ports, outcome: Outcome) -> None:
    """All of it is on main, and told or left to the next run's alarms. A failure is noted."""
    if not any(not alarm.standing for alarm in outcome.causes.values()):
        return
    if any(cause == "alarms" for cause, _ in outcome.failures):
        return
    try:
        ports.registry.write_note(ONCE_NOTE, {_CAUSES: "{}"})
    except DaypassError as error:
        outcome.fail("alarms", error)
