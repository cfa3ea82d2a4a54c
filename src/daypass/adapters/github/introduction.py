"""Getting to know a repository that has no settings yet: the numbers that GitHub knows it by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import github

from daypass.adapters.github import wire
from daypass.adapters.github.transport import Transport

if TYPE_CHECKING:
    from daypass.model.pullrequest import Account
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


def introduce(api_url: str, token: Secret, full_name: str, app: str) -> Introduction:
    """Ask GitHub about `owner/name` and about the App of that slug.

    Raises:
        ForgeUnavailableError, ForgeRefusedError: GitHub does not answer, or not to this token.
    """
    transport = Transport(api_url, github.Auth.Token(token.reveal()))
    try:
        name = "/".join(quote(part, safe="") for part in full_name.split("/"))
        found = wire.read(_repository, transport.get(f"/repos/{name}"))
        bot = transport.get(f"/users/{quote(app, safe='')}%5Bbot%5D")
        myself = wire.read(wire.account, transport.get("/user"))
        return Introduction(*found, app_user_id=wire.read(_id, bot), myself=myself)
    finally:
        transport.close()


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
