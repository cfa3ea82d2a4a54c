"""Controls about exceptions: what is given by one, and that nothing is given without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.model.resource import LEGACY_STATIC
from daypass.policy.gather import keys_shared_with
from daypass.report.answer import counted
from daypass.report.controls.catalogue import non_human
from daypass.report.controls.control import Finding, fails, holds, some, unknown, unused

if TYPE_CHECKING:
    from daypass.report.ground import Ground

_APPROVALS: Final = 2
_GRAIN: Final = 2  # seconds: Vault tells its times in whole ones


def static_secrets_listed(ground: Ground) -> Finding:
    """R27."""
    if ground.catalogue is None:
        return unknown(f"{ground.catalogue_problem}")
    legacy = [
        item.name for item in ground.catalogue.resources.values() if item.type == LEGACY_STATIC
    ]
    if not legacy:
        return unused("no resource is a legacy static secret")
    bare = [
        story.id for story in ground.grants if story.resource in legacy and not story.exceptions
    ]
    if bare:
        return fails(f"given without a dated exception: {some(bare)}")
    return unknown(
        f"{counted(len(legacy), 'legacy static secret')}: {some(legacy)}. They are "
        "listed in every report, and given by dated exceptions only; whether the secret is rotated "
        "after use is not recorded"
    )


def machines_act_alone(ground: Ground) -> Finding:
    """R17."""
    catalogue = ground.catalogue
    if catalogue is None:
        return unknown(f"{ground.catalogue_problem}")
    shared = {
        item.name: people
        for item in non_human(ground)
        if (people := keys_shared_with(item, catalogue))
    }
    held = [story for story in ground.live if story.subject in shared]
    bad = [story.id for story in held if not story.exceptions]
    if bad:
        return fails(f"a person could open it, and no exception attributes it: {some(bad)}")
    if not non_human(ground):
        return unused("no identity here is non-human")
    open_to = (
        f"{counted(len(held), 'live grant')} that a person could open, each attributed by an "
        "exception"
        if held
        else "no live grant that a person could open"
    )
    return holds(
        f"{open_to}. Who uses a credential once it is claimed, Vault and the workload see, not git"
    )


def excepted_bounded(ground: Ground) -> Finding:
    """R22."""
    if ground.catalogue is None:
        return unknown(f"{ground.catalogue_problem}")
    known = ground.catalogue.exceptions
    excepted = [story for story in ground.grants if story.exceptions]
    bad = [
        story.id
        for story in excepted
        if len(story.independent) < _APPROVALS
        or story.not_after is None
        or any(
            story.not_after > known[name].not_after
            or story.not_after.since(story.not_before) > known[name].max_duration.seconds + _GRAIN
            for name in story.exceptions
            if name in known
        )
    ]
    if bad:
        return fails(f"longer than its exception, or without two approvals: {some(bad)}")
    if not excepted:
        return unused("no grant rests on an exception")
    return holds(
        f"{counted(len(excepted), 'grant')} under an exception, none longer than it says, each "
        "with two approvals at the least; the decision point asks for both, and for a record"
    )
