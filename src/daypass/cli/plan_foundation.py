"""The plan of a change of what decisions rest on, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.cli import output

if TYPE_CHECKING:
    from daypass.lifecycle.foundation_forecast import FoundationForecast


def show_foundation(found: FoundationForecast, *, annotate: bool = False) -> None:
    """Write to standard output what merging the change would do, and who can approve it.

    With `annotate`, what would freeze daypass is an error of the workflow run too.
    """
    output.say(f"{output.styled('foundation', 'bold')}: this changes what decisions rest on")
    for why in found.would_freeze:
        text = f"merging this would freeze daypass: {why}"
        output.say(f"  {output.styled('freezes', 'red')}   {output.printable(text)}")
        if annotate:
            output.say(f"::error title=daypass: would freeze::{output.escape_command(text)}")
    for why in found.unknown:
        output.say(f"  {output.styled('not known', 'yellow')} {output.printable(why)}")
    for need in found.still_needed:
        output.say(f"  {output.styled('approval', 'yellow')}  {output.printable(need)}")
    for line in found.cannot_approve:
        output.say(f"  out       {output.printable(line)}")
    if found.approved:
        output.say(f"  approved  by {', '.join(found.approved)}")
    for review in found.refused_reviews:
        who = review.login or "a deleted account"
        output.say(f"  not counted: {output.printable(f'{who}: {review.why}')}")
    if found.is_ready:
        output.say(f"  {output.styled('ready', 'green')}     nothing more is needed")
