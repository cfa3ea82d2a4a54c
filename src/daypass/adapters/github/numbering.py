"""What a number of a repository is of: pull requests and issues share theirs."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import github

from daypass.adapters.github.refused import Speaker
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
    auth = github.Auth.Token(token.reveal()) if token is not None else None
    by = Speaker.PERSON if token is not None else Speaker.NOBODY
    repository = f"/repos/{settings.full_name}"
    transport = Transport(settings.api_url, auth, by)
    try:
        if transport.find(f"{repository}/pulls/{int(number)}") is not None:
            return Numbered.PULL_REQUEST
        if transport.find(f"{repository}/issues/{int(number)}/comments") is not None:
            return Numbered.ISSUE
        transport.get(repository)
        return Numbered.NOTHING
    finally:
        transport.close()
