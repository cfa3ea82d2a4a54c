"""What a number of a repository is of: pull requests and issues share theirs."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from daypass.adapters.github.transport import Transport

if TYPE_CHECKING:
    from daypass.model.secret import Secret
    from daypass.model.settings import GitHubSettings


class Numbered(StrEnum):
    """What GitHub has by a number."""

    PULL_REQUEST = "pull request"
    ISSUE = "issue"
    NOTHING = "nothing"


def look_up_number(settings: GitHubSettings, token: Secret | None, number: int) -> Numbered:
    """Ask GitHub what that number is of, as the person whose token it is.

    Raises ForgeUnavailableError, or ForgeRefusedError if it shows not even the repository.
    """
    repository = f"/repos/{settings.full_name}"
    with Transport.as_person(settings.api_url, token) as transport:
        if transport.find(f"{repository}/pulls/{int(number)}") is not None:
            return Numbered.PULL_REQUEST
        if transport.find(f"{repository}/issues/{int(number)}/comments") is not None:
            return Numbered.ISSUE
        transport.get(repository)
        return Numbered.NOTHING
