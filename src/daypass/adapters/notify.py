"""Notifying: a webhook that hears of alarms, in the JSON that Slack and its like take.

Address and key are secrets: an operator writes them into Vault (`daypass/notes/webhook` with `url`
and `key`), so no workflow holds them. Each message is signed: `X-Daypass-Signature` is
`sha256=<hex>` of HMAC-SHA-256 over the body.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from daypass.errors import PermanentError, TemporaryError
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WEBHOOK_NOTE: Final = "webhook"
_TIMEOUT: Final = 10.0  # seconds
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Turns every redirect into an error: the address was chosen by an operator."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Webhook:
    """The Notifier: reads its address from Vault for each message; without one, says nothing."""

    def __init__(self, read_note: Callable[[str], Mapping[str, Any] | None]) -> None:
        self._read_note = read_note

    def notify(self, text: str) -> None:
        """Send one line.

        Raises:
            TemporaryError: it was not taken; neither its address nor its answer is told.
            PermanentError: what Vault holds is no address.
        """
        note = self._read_note(WEBHOOK_NOTE)
        if note is None:
            return
        _post(str(note.get("url", "")), Secret(str(note.get("key", ""))), text)


def _post(url: str, key: Secret, text: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise PermanentError(
            "the webhook in Vault is no https address",
            remedy="Write it anew: `bao kv put -mount=daypass daypass/notes/webhook url=… key=…`.",
        )
    body = json.dumps({"text": text}).encode()
    signature = hmac.new(key.reveal().encode(), body, hashlib.sha256).hexdigest()
    request = urllib.request.Request(  # noqa: S310  -- the scheme was checked above
        url,
        data=body,
        headers={
            "Content-Type": "application/json",
            "X-Daypass-Signature": f"sha256={signature}",
        },
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
    try:
        with opener.open(request, timeout=_TIMEOUT):
            pass
    except (OSError, urllib.error.URLError, http.client.HTTPException) as error:
        raise TemporaryError(
            f"the webhook did not take an alarm ({type(error).__name__})",
            remedy="The issue on GitHub stands. Check the address that Vault holds.",
        ) from None
