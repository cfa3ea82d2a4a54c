"""Taking access of Vault itself, while GitHub is down: with one's own log-in, and leaving word.

The word is left before anything is opened: what was opened is never unknown to the next run.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from daypass.adapters.vault import minting
from daypass.adapters.vault.claim import Opened
from daypass.adapters.vault.kv import text, version_written
from daypass.adapters.vault.offline_notes import done_path, note_body, note_path
from daypass.errors import VaultRefusedError
from daypass.model.instant import Instant
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.adapters.vault.answer import Answer
    from daypass.adapters.vault.session import Session

_FORBIDDEN: Final = frozenset({int(HTTPStatus.FORBIDDEN)})


@dataclass(frozen=True, slots=True)
class LogIn:
    """Who is logged in, by Vault's word. `ends` is None for what has no end."""

    entity_id: str
    ends: Instant | None


@dataclass(frozen=True, slots=True)
class OfflineOrder:
    """What is to be taken."""

    grant_id: str
    token_role: str
    credential_path: str
    seconds: int
    meta: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class OfflineToken:
    """What was minted, and has opened nothing yet."""

    token: Secret
    accessor: Secret
    not_after: Instant


def who_is_logged_in(session: Session) -> LogIn:
    """Ask Vault whose token this is.

    Raises:
        VaultRefusedError: it is nobody's: a root token, or one that was made and not logged in for.
        VaultUnavailableError: Vault does not answer.
    """
    answer = session.call("GET", "auth/token/lookup-self")
    log_in = answer.read(_log_in)
    if not log_in.entity_id:
        raise VaultRefusedError(
            "this Vault token is nobody's: it has no entity",
            remedy="Log in as yourself (`bao login -method=…`). Whose log-in it was is what the "
            "evidence will rest on.",
        )
    return log_in


def _log_in(answer: Answer) -> LogIn:
    """Who is logged in. Raises KeyError, TypeError, ValueError."""
    ends = answer.data["expire_time"]
    return LogIn(
        str(answer.data["entity_id"] or ""), None if ends is None else Instant.parse(text(ends))
    )


def mint(session: Session, mount: str, order: OfflineOrder) -> OfflineToken:
    """Mint through the offline role, and leave word of it. Nothing is opened yet.

    Args:
        session: logged in as the invoker.
        mount: of the KV engine that daypass keeps its memory in.
        order: what is to be taken.

    Raises VaultRefusedError, VaultUnavailableError; then what was minted is revoked.
    """
    path = f"auth/token/create/{order.token_role}"
    body = minting.wanted(order.grant_id, order.token_role, order.seconds, order.meta)
    created = session.call("POST", path, body, accept=_FORBIDDEN)
    if created.errors:
        raise VaultRefusedError(
            f"your log-in may not mint through {order.token_role}",
            remedy="Only the entities of `breakGlass.offline.invokers` may, once `daypass vault "
            "apply` has laid that in. If yours is one of them, log in again.",
        )
    token = created.auth.get("client_token")
    accessor = created.auth.get("accessor")
    entity_id = str(created.auth.get("entity_id") or "")
    if not isinstance(token, str) or not token or not isinstance(accessor, str):
        raise VaultRefusedError(
            "Vault's answer holds no token",
            remedy="Run `daypass vault doctor`: the token role differs from access/.",
        )
    own = Secret(token)
    try:
        minting.refuse_odd(created, order.grant_id, order.seconds)
        note = note_body(accessor, order.token_role, order.seconds, order.meta)
        path = note_path(mount, entity_id, order.grant_id)
        session.call("POST", path, note).read(version_written)
        return OfflineToken(own, Secret(accessor), session.now().plus(order.seconds))
    except BaseException:
        session.call("POST", "auth/token/revoke-self", token=own, accept=range(400, 600))
        raise


def read_credential(session: Session, token: Secret, order: OfflineOrder) -> Opened:
    """Open it: the credential comes into being. Raises VaultRefusedError, VaultUnavailableError."""
    answer = session.call("GET", order.credential_path, token=token)
    if not answer.data:
        raise VaultRefusedError(
            f"{order.credential_path} holds no credential",
            remedy="Run `daypass vault doctor`: the engine's role differs from access/.",
        )
    credential = {str(name): Secret(str(value)) for name, value in answer.data.items()}
    seconds = answer.lease_seconds
    return Opened(credential, session.now().plus(seconds) if seconds else None)


def leave_done(session: Session, mount: str, grant_id: str) -> None:
    """Leave word that it is needed no more. Raises VaultRefusedError, VaultUnavailableError."""
    entity_id = who_is_logged_in(session).entity_id
    body = {"data": {"done": "true"}, "options": {"cas": 0}}
    session.call("POST", done_path(mount, entity_id, grant_id), body).read(version_written)
