"""What daypass says on GitHub about emergencies: escaped, but for the teams that it calls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from daypass.lifecycle.messages import escape

if TYPE_CHECKING:
    from daypass.model.obligation import Obligation
    from daypass.model.settings import Settings

_TEAM: Final = "team:"
_SLUG: Final = re.compile(r"[A-Za-z0-9-]+")


def turned_away_marker(number: int) -> str:
    """The first line of the comment that says why an emergency was not even decided."""
    return f"<!-- daypass:break-glass-away:{number} -->"


def turned_away(why: str) -> str:
    """Why a pull request of the emergency lane was closed without a decision."""
    return f"""\
### No emergency

{escape(why)}.

Nothing was granted, and this pull request is closed. `daypass break-glass` opens one that holds.
"""


def review_refused_marker(comment_id: int) -> str:
    """The first line of the answer to a review that does not count."""
    return f"<!-- daypass:review-refused:{comment_id} -->"


def review_refused(why: str) -> str:
    """Why a review does not count."""
    return f"### This review does not count\n\n{escape(why)}.\n"


def emergency_title(owed: Obligation) -> str:
    """The title of the issue that calls for a review."""
    what = "Drill" if owed.drill else "Break-glass"
    return f"{what}: {owed.subject} took {owed.access} on {owed.resource} ({owed.incident})"


def emergency(owed: Obligation, settings: Settings) -> str:
    """The issue that calls for a review: what was taken, and who must look until when."""
    drill = "This is a drill: it is reviewed like an emergency.\n\n" if owed.drill else ""
    return f"""\
{drill}| | |
|---|---|
| grant | `{owed.grant_id}` |
| who | `{owed.subject}` |
| what | `{owed.access}` on `{owed.resource}` |
| incident | {escape(owed.incident)} |
| since | {owed.since} |
| {_asked_by(owed)} |

Nobody approved this before. {_reviewers(settings)}: somebody of you who was not involved reviews
it **until {owed.due}**. Look at what was done, its record included, and say what you found:

```sh
daypass review {owed.grant_id} --note "what you looked at, and what you found"
```

or comment {_place(owed)}, with `/review {owed.grant_id}` as the first line. It counts once the
access has ended. Until it is reviewed after that time, {owed.subject} receives nothing more.

<sub>This issue closes itself when the review is in the evidence.</sub>
"""


def _asked_by(owed: Obligation) -> str:
    if owed.pull_request is None:
        return "taken | of Vault itself, with their own log-in: GitHub was down"
    return f"pull request | #{owed.pull_request}"


def _place(owed: Obligation) -> str:
    return "on this issue" if owed.pull_request is None else f"on #{owed.pull_request}"


def _reviewers(settings: Settings) -> str:
    """The reviewing groups, and the GitHub teams in them called by name."""
    lane = settings.break_glass
    words = []
    for name in lane.reviewers if lane is not None else ():
        teams = [
            entry.removeprefix(_TEAM)
            for entry in settings.groups.get(name, (name,))
            if entry.startswith(_TEAM)
        ]
        calls = [f"@{settings.github.owner}/{slug}" for slug in teams if _SLUG.fullmatch(slug)]
        words.append(f"`{name}`" + (f" ({', '.join(calls)})" if calls else ""))
    return ", ".join(words) or "Reviewers"
