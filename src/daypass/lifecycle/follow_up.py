"""Follow-up: what a run does when all that people wait for is done, told and noted.

What belongs here: work that any user can inflate. It is bounded by itself, and the next run goes on
with what it leaves. What does not: ends, alarms, grants and their deliveries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.lifecycle.alarming import raise_alarms
from daypass.lifecycle.closing import Closings
from daypass.lifecycle.heartbeat import leave_heartbeat

if TYPE_CHECKING:
    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.outcome import Outcome
    from daypass.model.catalogue import Catalogue


def follow_up(ports: Ports, ruling: Catalogue, outcome: Outcome, head: str) -> None:
    """Records pull requests that came to nothing, on top of `head`.

    Failures are noted; where there are any, or main has moved, the heartbeat is left once more.
    Raises what the registry raises.
    """
    causes, failures = set(outcome.causes), len(outcome.failures)
    Closings(ports, ruling, outcome).run(head)
    if outcome.causes.keys() - causes:
        raise_alarms(ports, outcome, is_over=False)
    newest = ports.repository.head()
    if newest != outcome.head or len(outcome.failures) != failures:
        outcome.head = newest
        leave_heartbeat(ports, outcome)
