"""Vault's failures as errors for people: what it means, and what to do about it.

Response bodies are never carried along. Vault's own `errors` list is quoted only where a caller
knows that it can hold no secret.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import requests.exceptions

from daypass.errors import (
    DaypassError,
    VaultForbiddenError,
    VaultRefusedError,
    VaultUnavailableError,
)
from daypass.model.visible import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST_REDIRECT: Final = int(HTTPStatus.MULTIPLE_CHOICES)
_FIRST_CLIENT_ERROR: Final = int(HTTPStatus.BAD_REQUEST)
_FIRST_SERVER_ERROR: Final = int(HTTPStatus.INTERNAL_SERVER_ERROR)
_STANDBY: Final = frozenset({429, 472, 473})  # of sys/health; 429 is also the rate limit
_QUOTE_LIMIT: Final = 400
_LATER: Final = "Nothing was lost: run the command again when Vault answers."
_UNSEAL: Final = "Unseal it (`bao operator unseal`), then run the command again."


def no_answer(address: str, error: requests.exceptions.RequestException) -> VaultUnavailableError:
    """No answer came: what stands between here and Vault."""
    if isinstance(error, requests.exceptions.SSLError):
        return VaultUnavailableError(
            f"the certificate of Vault at {address} is not trusted, or is for another name",
            remedy="Name its authority in `spec.vault.caFile` of access/daypass.yaml, or correct "
            "`spec.vault.address`.",
        )
    if isinstance(error, requests.exceptions.Timeout):
        return VaultUnavailableError(f"Vault at {address} did not answer in time", remedy=_LATER)
    if isinstance(error, requests.exceptions.ConnectionError):
        return VaultUnavailableError(
            f"Vault at {address} cannot be reached",
            remedy="Check that it runs and that this machine may connect to it (a private Vault "
            "needs a self-hosted runner), and `spec.vault.address` in access/daypass.yaml.",
        )
    return VaultUnavailableError(
        f"the connection to Vault at {address} failed ({type(error).__name__})",
        remedy="Check `spec.vault.address` in access/daypass.yaml; then run the command again.",
    )


def not_vault(address: str, doing: str, why: str) -> VaultUnavailableError:
    """Something answered that is not Vault, or is not what Vault answers: it says nothing.

    Args:
        address: of Vault.
        doing: method and path.
        why: what is wrong with the answer; nothing of the answer itself.
    """
    return VaultUnavailableError(
        f"what answers at {address} does not speak as Vault does: {doing} was answered, and {why}",
        remedy="Look for a proxy, a portal or a cache in between, and check `spec.vault.address` "
        "in access/daypass.yaml; then run the command again. Nothing was decided on that answer.",
    )


def refused(
    address: str, doing: str, status: int, errors: Sequence[str], *, quote: bool = False
) -> DaypassError:
    """The error that a failing status means."""
    reason = f": {quoted(errors)}" if quote and errors else ""
    if FIRST_REDIRECT <= status < _FIRST_CLIENT_ERROR:
        return VaultUnavailableError(
            f"Vault at {address} answers with a redirect ({status}), which is not followed: the "
            "token would go with it",
            remedy="A standby does that. Let `spec.vault.address` name the active node, or a load "
            "balancer that finds it.",
        )
    if status >= _FIRST_SERVER_ERROR or status in _STANDBY:
        return _unavailable(address, doing, status, errors, reason)
    if status == HTTPStatus.FORBIDDEN:
        return VaultForbiddenError(
            f"Vault refused {doing} (403){reason}",
            doing=doing,
            remedy="The token may not do that, or is no longer valid. `daypass vault doctor` "
            "compares the policies in Vault with what access/ asks for.",
        )
    if status == HTTPStatus.NOT_FOUND:
        return VaultRefusedError(
            f"Vault has nothing at {doing} (404){reason}",
            remedy="Run `daypass vault doctor`; it names what `daypass vault apply`, or the "
            "database's administrator, has still to lay in.",
        )
    return VaultRefusedError(
        f"Vault refused {doing} ({status}){reason}",
        remedy="Run `daypass vault doctor`; it compares Vault with what access/ asks for.",
    )


def _unavailable(
    address: str, doing: str, status: int, errors: Sequence[str], reason: str
) -> VaultUnavailableError:
    text = " ".join(errors).lower()
    # sys/health tells by its status alone, everything else by Vault's fixed sentence.
    sealed = "sealed" in text or (status == HTTPStatus.SERVICE_UNAVAILABLE and not errors)
    if sealed:
        return VaultUnavailableError(f"Vault at {address} is sealed", remedy=_UNSEAL)
    if status == HTTPStatus.NOT_IMPLEMENTED:
        return VaultUnavailableError(
            f"Vault at {address} is not initialised",
            remedy="Initialise it (`bao operator init`), unseal it, and lay in the set-up.",
        )
    if "not active" in text or "standby" in text or status in _STANDBY - {429}:
        return VaultUnavailableError(
            f"Vault at {address} is a standby, and its active node does not answer",
            remedy="Wait for the fail-over, or name the active node in `spec.vault.address`.",
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return VaultUnavailableError(
            f"Vault at {address} limits the rate ({doing})",
            remedy="Raise its quota for daypass, or run again later.",
        )
    return VaultUnavailableError(
        f"Vault at {address} failed at {doing} ({status}){reason}",
        remedy="Its own log says why. " + _LATER,
    )


def quoted(texts: Sequence[str]) -> str:
    """Vault's own words on one line, bounded, without control characters."""
    line = "; ".join(" ".join(text.split()) for text in texts)
    plain = HIDDEN.sub("?", line)
    return plain if len(plain) <= _QUOTE_LIMIT else plain[: _QUOTE_LIMIT - 1] + "…"
