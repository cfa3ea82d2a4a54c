"""Teams of the organisation: found by id where one is known, since a slug can change hands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from daypass.adapters.github import wire
from daypass.errors import ForgeRefusedError
from daypass.model.pullrequest import Team

if TYPE_CHECKING:
    from daypass.adapters.github.transport import Transport


class Members(NamedTuple):
    """Numeric ids of a team's members, and whether the team itself agrees that these are all."""

    ids: frozenset[int]
    agreed: bool


_SLUG: Final = re.compile(r"[A-Za-z0-9._-]+")


def path_of(owner: str, owner_id: int, slug: str, team_id: int | None = None) -> str:
    """The path of a team in GitHub's API, by its id if that is given.

    GitHub's own answers name a team by `/organizations/ID/team/ID`. Raises ForgeRefusedError for
    what is no slug.
    """
    if _SLUG.fullmatch(slug) is None:
        raise ForgeRefusedError(
            f"the team {slug!a} cannot be asked for at GitHub",
            remedy="Check the name where it is written down.",
        )
    if team_id is not None:
        return f"/organizations/{owner_id}/team/{int(team_id)}"
    return f"/orgs/{owner}/teams/{slug}"


def find(
    transport: Transport, owner: str, owner_id: int, slug: str, team_id: int | None = None
) -> Team | None:
    """The team as GitHub has it today; None when there is none.

    Raises ForgeUnavailableError, ForgeRefusedError.
    """
    found = transport.find(path_of(owner, owner_id, slug, team_id))
    return None if found is None else wire.read(_team, found)


def members(transport: Transport, path: str) -> Members:
    """The active members of the team at that path of `path_of`, child teams' included.

    An empty list can come from a replica that lags. It is held against the number of members that
    the team itself tells, which may leave out child teams': so the list is asked for once more.

    Raises ForgeUnavailableError, ForgeRefusedError.
    """
    ids = _ids(transport, path)
    if ids:
        return Members(ids, agreed=True)
    counted = wire.read(lambda value: wire.number(value["members_count"]), transport.get(path))
    ids = _ids(transport, path)
    return Members(ids, agreed=bool(ids) or counted == 0)


def _ids(transport: Transport, path: str) -> frozenset[int]:
    return frozenset(wire.read_all(wire.member, transport.pages(f"{path}/members")))


def _team(value: Any) -> Team:
    return Team(wire.number(value["id"]), wire.text(value["slug"]))
