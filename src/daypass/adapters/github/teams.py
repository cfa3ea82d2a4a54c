"""Teams of the organisation: found by id where one is known, since a slug can change hands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.github import wire
from daypass.errors import ForgeRefusedError
from daypass.model.pullrequest import Team

if TYPE_CHECKING:
    from daypass.adapters.github.transport import Transport

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


def _team(value: Any) -> Team:
    return Team(wire.number(value["id"]), wire.text(value["slug"]))
