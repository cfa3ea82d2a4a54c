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
import re
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from daypass.errors import TemporaryError
from daypass.lifecycle.notes import NoteKind, OddNoteError, text_in
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.lifecycle.notes import NoteReader

WEBHOOK_NOTE: Final = "webhook"
# Printable ASCII: no client agrees with another on what anything else in an address means.
_ADDRESS: Final = re.compile(r"[!-~]{8,2048}")
_TIMEOUT: Final = 10.0  # seconds
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Turns every redirect into an error: the address was chosen by an operator."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _address(note: Mapping[str, Any]) -> tuple[str, Secret]:
    """The address and the key. Raises KeyError, TypeError, ValueError: they can be none."""
    url = text_in(note, "url")
    key = text_in(note, "key", "")
    key.encode()
    parts = urlsplit(url)
    if _ADDRESS.fullmatch(url) is None or not parts.hostname or "@" in parts.netloc:
        raise ValueError("not an address")
    if parts.port == 0:  # asked for, a port that is none raises
        raise ValueError("not a port")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ValueError("not an https address")
    return url, Secret(key)


WEBHOOK: Final = NoteKind(
    WEBHOOK_NOTE,
    _address,
    "It has no https address, so the webhook hears of no alarm; the issues on GitHub stand",
    remedy="Write it anew: `bao kv put -mount=daypass daypass/notes/webhook url=… key=…`.",
)


class Webhook:
    """The Notifier: reads its address from Vault for each message; without one, says nothing."""

    def __init__(self, notes: NoteReader) -> None:
        self._notes = notes

    def notify(self, text: str) -> None:
        """Send one line.

        Raises:
            TemporaryError: it was not taken; neither its address nor its answer is told.
            OddNoteError: what Vault holds is no address.
        """
        try:
            found = WEBHOOK.read_strictly(self._notes)
        except OddNoteError as error:
            self._notes.odd.found.setdefault(WEBHOOK_NOTE, (WEBHOOK, error))
            raise
        if found is not None:
            _post(*found, text)


def _post(url: str, key: Secret, text: str) -> None:
    body = json.dumps({"text": text}).encode()
    signature = hmac.new(key.reveal().encode(), body, hashlib.sha256).hexdigest()
    request = urllib.request.Request(  # noqa: S310  -- the scheme was checked before
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
    except (OSError, ValueError, http.client.HTTPException) as error:  # a URLError is an OSError
        raise TemporaryError(
            f"the webhook did not take an alarm ({type(error).__name__})",
            remedy="The issue on GitHub stands. Check the address that Vault holds.",
        ) from None
