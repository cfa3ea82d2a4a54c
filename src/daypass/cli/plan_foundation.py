"""The plan of a change of what decisions rest on, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.cli import output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.lifecycle.foundation_forecast import FoundationForecast
    from daypass.policy.approvals import RefusedReview


def show_foundation(
    found: FoundationForecast, *, ready: str | None, annotate: bool = False
) -> None:
    """Write to standard output what merging the change would do, and who can approve it.

    `ready` is what is said of one that needs nothing more. With `annotate`, what would freeze
    daypass or break documents is an error of the workflow run too.
    """
    output.say(f"{output.styled('foundation', 'bold')}: this changes what decisions rest on")
    against = [("freezes", f"freeze daypass: {why}") for why in found.would_freeze]
    against += [("breaks", f"break: {why}") for why in found.would_break]
    for word, what in against:
        text = f"merging this would {what}"
        output.say(f"  {output.styled(f'{word:<9}', 'red')} {output.printable(text)}")
        if annotate:
            output.annotate("error", text, title=f"daypass: would {word.removesuffix('s')}")
    for why in found.unknown:
        output.say(f"  {output.styled('not known', 'yellow')} {output.printable(why)}")
    show_needed(found.still_needed, found.cannot_approve)
    if found.approved:
        output.say(f"  approved  by {', '.join(found.approved)}")
    show_uncounted(found.refused_reviews)
    if ready is not None:
        output.say(f"  {output.styled('ready', 'green')}     {ready}")


def show_needed(needs: Iterable[str], cannot_approve: Iterable[str]) -> None:
    """What approvals are still needed, and who cannot give them, each with why."""
    for need in needs:
        output.say(f"  {output.styled('approval', 'yellow')}  {output.printable(need)}")
    for line in cannot_approve:
        output.say(f"  out       {output.printable(line)}")


def show_uncounted(reviews: Iterable[RefusedReview]) -> None:
    """The reviews that do not count, each with why."""
    for review in reviews:
        who = review.login or "a deleted account"
        output.say(f"  not counted: {output.printable(f'{who}: {review.why}')}")
