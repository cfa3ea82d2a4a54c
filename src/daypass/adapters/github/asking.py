"""Asking GitHub for something, as a person or as the App: a comment, or a run of a workflow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Self

import github

from daypass.adapters.github import wire
from daypass.adapters.github.person import assert_own_api
from daypass.adapters.github.refused import Speaker
from daypass.adapters.github.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from daypass.model.pullrequest import Account, Comment
    from daypass.model.secret import Secret
    from daypass.model.settings import GitHubSettings

_WORKFLOW: Final = re.compile(r"[a-z0-9-]+\.yml")


class Asker:
    """Asks in the governed repository. Use it in `with`.

    Every method may raise ForgeUnavailableError and ForgeRefusedError; none writes twice.
    """

    def __init__(
        self, settings: GitHubSettings, token: Secret, by: Speaker = Speaker.PERSON
    ) -> None:
        """As whoever the token is of: a person, or the App."""
        assert_own_api(settings)
        self._settings = settings
        auth = github.Auth.Token(token.reveal())
        self._transport = Transport(settings.api_url, auth, by)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._transport.close()

    def comment(self, number: int, body: str) -> Comment:
        """Comment on a pull request, every time anew."""
        path = f"/repos/{self._settings.full_name}/issues/{number}/comments"
        return wire.read(wire.comment, self._transport.post(path, {"body": body}))

    def myself(self) -> Account | None:
        """Whose token it is; None for what is no account."""
        return wire.read(wire.account, self._transport.get("/user"))

    def propose(self, branch: str, title: str, body: str) -> tuple[int, str]:
        """Open a pull request of that branch into the default branch: its number and address."""
        path = f"/repos/{self._settings.full_name}/pulls"
        base = self._settings.default_branch
        answer = self._transport.post(
            path, {"title": title, "body": body, "head": branch, "base": base}
        )
        return wire.read(wire.number_and_address, answer)

    def dispatch(self, workflow: str, inputs: Mapping[str, str]) -> None:
        """Ask for a run of that workflow's file, on the default branch."""
        if _WORKFLOW.fullmatch(workflow) is None:
            raise ValueError(f"{workflow!r} is no workflow's file")
        path = f"/repos/{self._settings.full_name}/actions/workflows/{workflow}/dispatches"
        body = {"ref": self._settings.default_branch, "inputs": dict(inputs)}
        self._transport.post(path, body)
