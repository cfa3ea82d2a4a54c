"""Controls that the documents of the head show: resources, identities, policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.model.event import EventKind, Reason
from daypass.model.identity import IdentityType
from daypass.report.answer import counted
from daypass.report.controls.control import Finding, fails, holds, some, unknown, unused
from daypass.report.questions.identities import is_living, problems_of

if TYPE_CHECKING:
    from daypass.model.identity import Identity
    from daypass.report.ground import Ground

_OWNERS = 2


def resources_described(ground: Ground) -> Finding:
    """R1."""
    if ground.catalogue is None:
        return fails(f"{ground.catalogue_problem}")
    number = len(ground.catalogue.resources)
    if not number:
        return unused("no resource is described; the schema refuses one that lacks any of these")
    return holds(f"each of {counted(number, 'resource')} names them: the schema demands it")


def identities_owned(ground: Ground) -> Finding:
    """R2."""
    if ground.catalogue is None:
        return fails(f"{ground.catalogue_problem}")
    nhis = non_human(ground)
    bad = [
        item.name for item in nhis if sum(is_living(ground, name) for name in item.owners) < _OWNERS
    ]
    if bad:
        return fails(f"fewer than two living human owners: {some(bad)}")
    if not nhis:
        return unused("no identity here is non-human; each of them has one type, by the schema")
    return holds(
        f"{counted(len(nhis), 'non-human identity', 'non-human identities')}, each with "
        "two living human owners"
    )


def workloads_authenticate(ground: Ground) -> Finding:
    """R15."""
    if ground.catalogue is None:
        return unknown(f"{ground.catalogue_problem}")
    wanted = [
        item
        for item in ground.identities.values()
        if item.type in (IdentityType.SERVICE, IdentityType.CI, IdentityType.WORKLOAD)
    ]
    static = {item.name for item in wanted if item.authn is None}
    given = [story for story in ground.grants if story.subject in static]
    bad = sorted({story.subject for story in given if not story.exceptions})
    if bad:
        return fails(f"granted without saying how they authenticate: {some(bad)}")
    if given:
        number = counted(len(given), "grant")
        return holds(f"{number} to what has a static secret, each by a dated exception")
    ways = sorted({str(item.authn["method"]) for item in wanted if item.authn})
    if not ways:
        return unused("no workload says how it authenticates, and none was granted anything")
    return holds(f"{counted(len(wanted), 'workload')}, by {', '.join(ways)}; no static secret")


def agents_sponsored(ground: Ground) -> Finding:
    """R16."""
    agents = [item for item in ground.identities.values() if item.type is IdentityType.AGENT]
    bad = [item.name for item in agents if not is_living(ground, item.sponsor) or not item.tools]
    halted = sum(
        story.end is not None and story.end.reason == Reason.HALT for story in ground.grants
    )
    if ground.catalogue is None:
        return unknown(f"{ground.catalogue_problem}")
    if bad:
        return fails(f"no living sponsor, or no tools: {some(bad)}")
    if not agents:
        return unused("there is no agent")
    return holds(
        f"{counted(len(agents), 'agent')} with sponsor and tools; "
        f"{counted(halted, 'grant')} ended by a halt"
    )


def vendors_bound(ground: Ground) -> Finding:
    """R18."""
    if ground.catalogue is None:
        return unknown(f"{ground.catalogue_problem}")
    vendors = [item for item in ground.identities.values() if item.type is IdentityType.VENDOR]
    live = {story.subject for story in ground.live}
    bad = [
        item.name
        for item in vendors
        if item.name in live
        and (
            not is_living(ground, item.sponsor)
            or (item.contract_end is not None and item.contract_end < ground.window.at)
        )
    ]
    late = [
        story.id
        for story in ground.grants
        for item in (ground.identities.get(story.subject),)
        if item is not None
        and item.contract_end is not None
        and story.not_after is not None
        and item.contract_end < story.not_after
    ]
    if bad or late:
        return fails(f"access without a sponsor or past the contract: {some(bad + late)}")
    if not vendors:
        return unused("there is no vendor")
    return holds(f"{counted(len(vendors), 'vendor')}; no grant outlasts a contract")


def rotated(ground: Ground) -> Finding:
    """R28."""
    if ground.catalogue is None:
        return unknown(f"{ground.catalogue_problem}")
    static = [item for item in non_human(ground) if item.rotation]
    bad = [
        item.name
        for item in static
        if any("rotation" in what for what in problems_of(ground, item, 0))
    ]
    if bad:
        return fails(f"not rotated in time, by the evidence: {some(bad)}")
    return (
        holds(f"{len(static)} rotated in time")
        if static
        else unused("no identity has a credential that needs rotation")
    )


def orphans(ground: Ground) -> Finding:
    """R29."""
    if ground.catalogue is None:
        return unknown(f"{ground.catalogue_problem}")
    lost = {
        item.name
        for item in non_human(ground)
        if not any(is_living(ground, name) for name in item.owners)
    }
    live = sorted({story.subject for story in ground.live} & lost)
    if live:
        return fails(f"orphaned, and with access: {some(live)}")
    return (
        holds(f"orphaned without access: {some(sorted(lost))}")
        if lost
        else unused("no non-human identity is orphaned")
    )


def offboarded(ground: Ground) -> Finding:
    """R30."""
    if ground.catalogue is None:
        return unknown(f"{ground.catalogue_problem}")
    gone = [item for item in ground.identities.values() if not item.is_active]
    holding = {story.subject for story in ground.live}
    bad = [item.name for item in gone if item.name in holding]
    if bad:
        return fails(f"not active, and with access: {some(bad)}")
    ended = sum(
        story.end is not None and story.end.reason == Reason.OFFBOARDED for story in ground.grants
    )
    if not gone and not ended:
        return unused("nobody left")
    return holds(
        f"{len(gone)} not active, none with access; {counted(ended, 'grant')} ended by offboarding"
    )


def recertified(ground: Ground) -> Finding:
    """R31."""
    number = len(ground.notes(EventKind.RECERTIFIED))
    return (
        holds(f"{counted(number, 'recertification')}")
        if number
        else unknown("no recertification is on record, and nothing here says when one is due")
    )


def non_human(ground: Ground) -> list[Identity]:
    """The identities of the head that are no person."""
    return [item for item in ground.identities.values() if not item.type.is_person]
