"""OpenMetrics text of who holds what, for a monitor that reads it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.model.grant import Grant
    from daypass.model.instant import Instant
    from daypass.model.obligation import Obligation
    from daypass.report.status import Awaited

_OWED: Final = ("due", "overdue")
_WAITING: Final = ("scheduled", "waiting")


def openmetrics(
    grants: Iterable[Grant],
    waiting: Iterable[Awaited],
    owed: Iterable[Obligation],
    now: Instant,
) -> str:
    """The exposition, ending in `# EOF`.

    Args:
        grants: the records on main.
        waiting: the requests there that are not granted yet.
        owed: the reviews of emergencies that have not been given.
        now: for the ages; this machine's time is good enough for a graph.
    """
    grants = tuple(grants)
    held = Counter((grant.resource, grant.access, str(grant.lane)) for grant in grants)
    states = Counter(item.state for item in waiting)
    failed = [grant for grant in grants if grant.state == "revoke-failed"]
    late = Counter("overdue" if item.is_overdue(now) else "due" for item in owed)
    overdue = [now.since(grant.not_after) for grant in grants if grant.not_after < now]
    lines = [
        "# TYPE daypass_grants gauge",
        "# HELP daypass_grants Grants on main.",
        *(
            f'daypass_grants{{resource="{resource}",access="{access}",lane="{lane}"}} {count}'
            for (resource, access, lane), count in sorted(held.items())
        ),
        "# TYPE daypass_requests gauge",
        "# HELP daypass_requests Requests on main that are not granted yet.",
        *(f'daypass_requests{{state="{state}"}} {states[state]}' for state in _WAITING),
        "# TYPE daypass_reviews gauge",
        "# HELP daypass_reviews Reviews of emergencies that have not been given.",
        *(f'daypass_reviews{{state="{state}"}} {late[state]}' for state in _OWED),
        "# TYPE daypass_revoke_failed gauge",
        "# HELP daypass_revoke_failed Grants whose end Vault has not confirmed.",
        f"daypass_revoke_failed {len(failed)}",
        "# TYPE daypass_unrecorded_end_seconds gauge",
        "# UNIT daypass_unrecorded_end_seconds seconds",
        "# HELP daypass_unrecorded_end_seconds Age of the oldest end that no run has recorded.",
        f"daypass_unrecorded_end_seconds {max(overdue, default=0.0):.0f}",
        "# EOF",
    ]
    return "\n".join(lines) + "\n"
