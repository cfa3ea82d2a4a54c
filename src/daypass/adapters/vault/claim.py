"""The holder's side: look at a wrapping token, compare it with the evidence, and open it.

Needs no token of its own. Looking comes first and spends nothing: a token that is not the one the
evidence names is refused unopened, so that whoever examines it later still can.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from daypass.adapters.handover import lost, told_as_loss
from daypass.adapters.vault.done_notes import NOTE_BODY, done_note_path
from daypass.adapters.vault.kv import number, text
from daypass.errors import (
    ClaimError,
    DaypassError,
    DeliveryLostError,
    DeliverySpentError,
    VaultRefusedError,
)
from daypass.model.instant import Instant
from daypass.model.resource import IssueMode
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from daypass.adapters.vault.answer import Answer
    from daypass.adapters.vault.client import Client
    from daypass.model.grant import Grant, Wrapping

_REFUSED: Final = frozenset({int(HTTPStatus.BAD_REQUEST), int(HTTPStatus.FORBIDDEN)})
_IN_HAND: Final = 60  # seconds for which the credential of a claim is wrapped on its way here
_REDELIVER: Final = "Comment `/redeliver {id}` on the pull request: what is left of the time is "
_ALARM: Final = (
    "If you have not opened it, somebody else has: run `daypass claim {id} --not-me` at once (or "
    "comment `/not-me {id}` on the pull request), which ends the grant and raises an alarm, and "
    "tell your security team."
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A credential in its holder's hands. The names in it are Vault's, such as `username`."""

    credential: dict[str, Secret]
    ends: Instant | None  # when Vault ends its lease; None where Vault names no lease


@dataclass(frozen=True, slots=True)
class WrappingState:
    """What Vault says of a wrapping token that nobody has opened yet."""

    path: str
    time: str  # to the letter, as Vault tells it
    ttl: int  # seconds, as it was made


def wrapping_lookup(client: Client, token: Secret) -> WrappingState | None:
    """Look at a wrapping token without opening it; None when it is spent, expired or unknown.

    Raises VaultUnavailableError, VaultRefusedError.
    """
    body = {"token": token.reveal()}
    answer = client.call("POST", "sys/wrapping/lookup", body, token=Secret(""), accept=_REFUSED)
    if answer.errors:
        return None
    return answer.read(_wrapping_state)


def _wrapping_state(answer: Answer) -> WrappingState:
    data = answer.data
    return WrappingState(
        text(data["creation_path"]), text(data["creation_time"]), number(data["creation_ttl"])
    )


def unwrap(client: Client, token: Secret) -> Answer | None:
    """Open a wrapping token, which spends it; None when it is spent, expired or unknown.

    Raises VaultUnavailableError, VaultRefusedError.
    """
    answer = client.call("POST", "sys/wrapping/unwrap", token=token, accept=_REFUSED)
    return None if answer.errors else answer


def open_delivery(
    client: Client,
    token: Secret,
    grant: Grant,
    keep: Callable[[Secret, Secret], None] | None = None,
) -> Opened:
    """Open what was delivered for a grant, after comparing it with the evidence.

    Args:
        client: a client without a token of its own.
        token: the wrapping token, as the holder's key decrypted it.
        grant: the record from the evidence.
        keep: is given the grant token of an on-claim delivery, with which its holder can end it,
            and its accessor.

    Returns:
        The credential, and when Vault ends it: a wrapped answer shows its lease to no one else.

    Raises:
        ClaimError: expired, opened already, or not the token that the evidence names.
        VaultUnavailableError, VaultRefusedError.
    """
    state = wrapping_lookup(client, token)
    if state is None:
        raise _spent(client, grant)
    _compare(state, grant)
    try:
        opened = unwrap(client, token)
    except DaypassError as error:  # its answer may be what did not come
        why = f"the delivery of grant {grant.id} was being opened: {error.message}"
        raise may_be_spent(grant, why) from error
    if opened is None:
        raise _spent(client, grant)  # somebody was faster, between the look and the opening
    with told_as_loss(grant.id, grant.pull_request):
        try:
            if grant.issue is IssueMode.ON_CLAIM:
                return _claim(client, opened, grant, keep)
            return _credential(opened, grant, Instant.parse(grant.delivery.time))
        except ClaimError:
            raise
        except DaypassError as error:
            raise lost(grant.id, grant.pull_request, error.message) from error


def may_be_spent(grant: Grant, why: str) -> ClaimError:
    """Make the error of an opening that may have reached Vault, and brought nothing."""
    return ClaimError(
        f"{why}: it may be spent",
        remedy=f"Claim it once more. If it is spent, comment `/redeliver {grant.id}` on pull "
        f"request #{grant.pull_request}.",
    )


def _compare(state: WrappingState, grant: Grant) -> None:
    """Refuse a token that was made elsewhere, or at another time, than the evidence says."""
    expected: Wrapping = grant.delivery
    if state.path != expected.path:
        what = "it was made at another path (re-wrapped: somebody has seen what was in it)"
    elif state.time != expected.time or state.ttl != expected.ttl:
        what = "it was made at another time, or for another length of time"
    else:
        return
    raise ClaimError(
        f"this is not the delivery that the evidence of grant {grant.id} names: {what}",
        remedy="It was not opened. " + _ALARM.format(id=grant.id),
    )


@dataclass(frozen=True, slots=True)
class EndedOwn:
    """What became of ending a grant with its own token."""

    gone: bool  # Vault says of that very token that it is gone
    said: bool  # Vault keeps that its holder ended it


def end_own(client: Client, token: Secret, accessor: Secret, mount: str) -> EndedOwn:
    """End a grant with its own token, which says so in Vault with the same request.

    Args:
        client: a client without a token of its own.
        token: the grant's own token, to the letter: Vault refuses any other text in the words in
            which it refuses one that is gone.
        accessor: of that token.
        mount: of the KV engine where it is said.

    Raises VaultUnavailableError, VaultRefusedError.
    """
    said = _say_done(client, token, accessor, mount)
    path = "auth/token/revoke-self"
    # Its policy lets a living token do this: refused means that there is none any more.
    refused = client.call("POST", path, token=token, accept=_REFUSED).errors
    if not refused:  # it had a use left: it was never used, or could not say so
        refused = client.call("POST", path, token=token, accept=_REFUSED).errors
    return EndedOwn(bool(refused), said)


def _say_done(client: Client, token: Secret, accessor: Secret, mount: str) -> bool:
    """Whether Vault took the note. Whatever keeps it from that must not keep the access alive."""
    try:
        path = done_note_path(mount, accessor.reveal())
        return not client.call("POST", path, NOTE_BODY, token=token, accept=_REFUSED).errors
    except (DaypassError, ValueError):
        return False


def _claim(
    client: Client,
    opened: Answer,
    grant: Grant,
    keep: Callable[[Secret, Secret], None] | None,
) -> Opened:
    """Bring the credential into being with the grant token, which can do nothing else.

    It is read inside a wrapping token, which is opened at once: the policies of levels whose
    credentials are minted on merge let it be read in no other way.
    """
    value = opened.auth.get("client_token")
    if not isinstance(value, str) or not value:
        raise _unreadable(grant)
    if keep is not None:
        keep(Secret(value), Secret(str(opened.auth.get("accessor") or "")))
    path = f"{grant.mount}/creds/{grant.role}"
    refused = False
    wrapped: Answer | None = None
    try:
        wrapped = client.call("GET", path, token=Secret(value), wrap_ttl=_IN_HAND)
    except VaultRefusedError:
        refused = True
    if refused or wrapped is None:
        raise ClaimError(
            f"grant {grant.id} gives nothing any more: it has ended, or its one use is spent",
            remedy=f"Look at `daypass status`. {_ALARM.format(id=grant.id)}",
        )
    inner = wrapped.read(lambda found: Secret(text(found.wrap_info["token"])))
    made_at = wrapped.read(lambda found: Instant.parse(text(found.wrap_info["creation_time"])))
    credential = unwrap(client, inner)
    if credential is None:
        raise _unreadable(grant)
    return _credential(credential, grant, made_at)


def _credential(answer: Answer, grant: Grant, made_at: Instant) -> Opened:
    if not answer.data:
        raise _unreadable(grant)
    return Opened(
        {str(name): Secret(str(value)) for name, value in answer.data.items()},
        made_at.plus(answer.lease_seconds) if answer.lease_seconds else None,
    )


def _spent(client: Client, grant: Grant) -> ClaimError:
    """Vault says the same of a spent and of an expired token: its clock tells them apart."""
    made, now = Instant.parse(grant.delivery.time), client.now()
    if now >= grant.not_after:
        return ClaimError(
            f"grant {grant.id} has ended ({grant.not_after})",
            remedy="Ask again with `daypass request`, naming it in `renews`.",
        )
    if now.since(made) >= grant.delivery.ttl:
        return ClaimError(
            f"the delivery of grant {grant.id} was not claimed in time: it could be opened until "
            f"{made.plus(grant.delivery.ttl)}",
            remedy=_REDELIVER.format(id=grant.id) + "minted anew.",
        )
    return DeliverySpentError(
        f"the delivery of grant {grant.id} has been opened already, or was revoked",
        remedy=_ALARM.format(id=grant.id) + f" If it was you, say so: `daypass claim {grant.id} "
        f"--was-me`. Only then, if you need it once more: {_REDELIVER.format(id=grant.id)}minted "
        "anew. That alone does not say that it was you.",
    )


def _unreadable(grant: Grant) -> DeliveryLostError:
    return DeliveryLostError(
        f"the delivery of grant {grant.id} was opened, and holds no credential",
        remedy=_REDELIVER.format(id=grant.id) + "minted anew.",
    )
