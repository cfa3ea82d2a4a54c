"""An operator's own token: where it comes from, and what its refusal by Vault means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from daypass.adapters.vault.failures import quoted
from daypass.errors import DaypassError, VaultForbiddenError

if TYPE_CHECKING:
    from daypass.adapters.vault.client import Client
    from daypass.model.secret import Secret
    from daypass.model.settings import VaultSettings

_REFUSED: Final = frozenset({int(HTTPStatus.BAD_REQUEST), int(HTTPStatus.FORBIDDEN)})
# So both kinds of Vault refuse by a policy. A dead token gets the bare words, or `invalid token`.
_LIVES: Final = re.compile(r"^1 error occurred:")
_VARIABLE: Final = re.compile(r"[A-Z_]+")
_CAPABILITIES: Final = {
    "GET": "read",
    "LIST": "list",
    "POST": "create, update",
    "PUT": "create, update",
    "DELETE": "delete",
}


@dataclass(frozen=True, slots=True)
class OwnToken:
    """A person's token of Vault."""

    secret: Secret
    source: str  # for a sentence: a variable, or the file of a log-in

    def how_to_log_in(self, settings: VaultSettings) -> str:
        """The command that gets a token which lives. A variable would go before it."""
        where = f" -address={settings.address}"
        if settings.namespace:
            where += f" -namespace={settings.namespace}"
        unset = f"unset {self.source}; " if _VARIABLE.fullmatch(self.source) else ""
        return f"`{unset}bao login{where}` (or `vault login`)"


def explained(
    client: Client, settings: VaultSettings, token: OwnToken, error: VaultForbiddenError
) -> VaultForbiddenError:
    """The same refusal, told as what it is: the token is dead, or lacks a right.

    Vault answers 403 to both. A token that lives may look itself up, by the policy `default`,
    which some tokens lack. Where Vault does not answer, the refusal is left as it was.
    """
    try:
        answer = client.call("GET", "auth/token/lookup-self", accept=_REFUSED)
    except DaypassError:
        return error
    if answer.errors and any(map(_LIVES.search, answer.errors)):
        return VaultForbiddenError(
            f"Vault refused {error.doing} (403): your token, from {token.source}, may not do that, "
            "nor look itself up",
            remedy=f"Log in as an operator: {token.how_to_log_in(settings)}.",
            doing=error.doing,
        )
    if answer.errors:
        return VaultForbiddenError(
            f"Vault refused your token, from {token.source} (403): it is wrong, expired or revoked",
            remedy=f"Log in as an operator: {token.how_to_log_in(settings)}.",
            doing=error.doing,
        )
    method, _, path = error.doing.partition(" ")
    policies = [str(name) for name in answer.data.get("policies") or ()]
    lacking = _CAPABILITIES.get(method, method)
    return VaultForbiddenError(
        f"Vault refused {error.doing} (403): your token, from {token.source}, lives, and its "
        f"policies ({quoted([', '.join(policies)])}) do not permit it",
        remedy=f"It needs `{lacking}` on `{path}`. Log in as an operator: "
        f"{token.how_to_log_in(settings)}.",
        doing=error.doing,
    )
