"""The control that says how long evidence is kept: what main's own history shows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.ledger.verify import Verdict as Evidence
from daypass.report.answer import counted
from daypass.report.controls.control import Finding, fails, holds, unknown

if TYPE_CHECKING:
    from daypass.report.ground import Ground


def retained(ground: Ground) -> Finding:
    """R34."""
    if ground.catalogue is None:
        return unknown(f"{ground.catalogue_problem}")
    promise = ground.catalogue.settings.evidence.retention
    shortened = [
        f"{now} instead of {before} in {commit[:12]}"
        for (_, before), (commit, now) in zip(ground.promises, ground.promises[1:], strict=False)
        if now < before
    ]
    if shortened:
        return fails(f"the retention was shortened: {'; '.join(shortened)}")
    if ground.verification.verdict is Evidence.BROKEN:
        return fails("the evidence does not hold: what is missing, `daypass audit verify` names")
    events = counted(ground.verification.events, "event")
    said = (
        f"{promise} are promised and never were shortened; {events} since "
        f"{str(ground.evidence.first_at)[:10]}, none missing. That a copy is kept elsewhere "
        "(`daypass audit bundle`), git does not say"
    )
    if ground.verification.verdict is Evidence.SELF_ATTESTED:
        return unknown(f"{said}; and nothing from outside vouches for the key")
    return holds(said)
