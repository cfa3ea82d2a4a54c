"""Getting to know a repository that has no settings yet: the numbers that GitHub knows it by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from daypass.adapters.github import teams, wire
from daypass.adapters.github.refused import log_in_command
from daypass.adapters.github.transport import Transport
from daypass.errors import ForgeRefusedError

if TYPE_CHECKING:
    from daypass.model.pullrequest import Account, Team
    from daypass.model.secret import Secret


@dataclass(frozen=True, slots=True)
class Introduction:
    """What settings say of a repository and of the App, and who asks."""

    owner: str
    owner_id: int
    repository: str
    repository_id: int
    default_branch: str
    app_user_id: int  # of the App's own bot account
    myself: Account | None
    owners: Team  # the team that approves changes of the foundation


@dataclass(frozen=True, slots=True)
class Named:
    """A repository as GitHub knows it today by that name."""

    full_name: str  # as GitHub spells it
    id: int
    default_branch: str


def look_up(api_url: str, token: Secret, full_name: str) -> Named:
    """Ask GitHub which repository has the name `owner/name`; a renamed one is followed.

    Raises:
        ForgeUnavailableError, ForgeRefusedError: GitHub does not answer, or not to this token.
    """
    with Transport.as_person(api_url, token) as transport:
        return wire.read(_named, transport.get(f"/repos/{_quoted(full_name)}"))


def introduce(api_url: str, token: Secret, full_name: str, app: str, owners: str) -> Introduction:
    """Ask GitHub about `owner/name`, the App of that slug and the team of that slug.

    Raises:
        ForgeUnavailableError, ForgeRefusedError: GitHub does not answer, or not to this token.
    """
    with Transport.as_person(api_url, token) as transport:
        found = wire.read(
            _repository,
            _asked(
                transport,
                f"/repos/{_quoted(full_name)}",
                f"Create {full_name}, or correct --repository (default: that of `origin`).",
            ),
        )
        bot = _asked(
            transport,
            f"/users/{quote(app, safe='')}%5Bbot%5D",
            "Create the App, or correct --app: its name as the address of its page has it.",
        )
        myself = wire.read(wire.account, transport.get("/user"))
        team = teams.find(transport, found[0], found[1], owners)
        if team is None:
            raise ForgeRefusedError(
                f"GitHub shows no team {owners} in {found[0]}",
                remedy="Name a team of the organisation with --owners. A token that may not read "
                "teams sees none: `gh auth refresh --scopes read:org`.",
            )
        return Introduction(*found, app_user_id=wire.read(_id, bot), myself=myself, owners=team)


def _asked(transport: Transport, path: str, remedy: str) -> Any:
    """What is at that path. Where there is nothing, no settings can be to blame yet: a flag is."""
    found = transport.find(path)
    if found is None:
        raise ForgeRefusedError(
            f"GitHub answered 404 to GET {path}",
            remedy=f"{remedy} GitHub says 404 too for what a token may not see: "
            f"`{log_in_command(transport.api_url)}`, or GH_TOKEN.",
        )
    return found


def _quoted(full_name: str) -> str:
    return "/".join(quote(part, safe="") for part in full_name.split("/"))


def _named(value: Any) -> Named:
    return Named(
        wire.text(value["full_name"]),
        wire.number(value["id"]),
        wire.text(value["default_branch"]),
    )


def _repository(value: Any) -> tuple[str, int, str, int, str]:
    owner = value["owner"]
    return (
        wire.text(owner["login"]),
        wire.number(owner["id"]),
        wire.text(value["name"]),
        wire.number(value["id"]),
        wire.text(value["default_branch"]),
    )


def _id(value: Any) -> int:
    return wire.number(value["id"])
