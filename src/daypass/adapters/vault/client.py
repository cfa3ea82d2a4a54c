"""The one place that talks to Vault: one pooled connection, one funnel for every error.

hvac builds the requests; what it does by default and must not happen here is switched off: it
reads VAULT_TOKEN or `~/.vault-token` when it is given no token, it sends `X-Vault-Token` along
with a redirect to whatever host the answer names, and its errors carry the response's body.
Nothing is sent again but what a rate limit has refused, which Vault has not carried out: a repeated
token-create would be a second token.
"""

from __future__ import annotations

import math
import re
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import hvac.adapters
import requests

from daypass.adapters.rate_limit import RateLimit
from daypass.adapters.vault import failures
from daypass.adapters.vault.answer import read_failure, read_success
from daypass.adapters.vault.plain_session import PlainSession
from daypass.errors import VaultRefusedError, VaultUnavailableError
from daypass.model.instant import Instant
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from daypass.adapters.vault.answer import Answer
    from daypass.model.settings import VaultSettings

_TIMEOUTS: Final = (5.0, 60.0)  # seconds to connect, and to wait for the next byte
_POOL: Final = 16  # kept-alive connections: more than the threads of a run
# What a token looks like in a header; anything else would reach an error message of `requests`.
_TOKEN = re.compile(r"[!-~]{1,4096}")
_NO_TOKEN: Final = Secret("")
# Seconds without any other answer than a rate limit, after which a run leaves it to the next one.
_PATIENCE: Final = 30.0
_ONE_CALL: Final = 60.0  # seconds that one call waits for it, while others are answered
RUN_PATIENCE: Final = 180.0  # seconds that a run waits for it in all: ends are at stake
_LIMITED: Final = int(HTTPStatus.TOO_MANY_REQUESTS)
_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_FIRST_CLIENT_ERROR: Final = int(HTTPStatus.BAD_REQUEST)
_FIRST_SERVER_ERROR: Final = int(HTTPStatus.INTERNAL_SERVER_ERROR)


class Client:
    """A connection to one Vault, with one token (or none). Usable from several threads."""

    def __init__(
        self,
        settings: VaultSettings,
        *,
        token: Secret = _NO_TOKEN,
        directory: Path | None = None,
        patience: float = math.inf,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            settings: where Vault is. `ca_file` is relative to `directory`.
            token: the token to send; an empty one sends none, and never one of the environment.
            directory: the governed repository's work tree (default: the current directory).
            patience: seconds that rate limits are waited for in all. Without it as long as calls
                are answered, and a minute for each: an operator's set-up has thousands of writes.

        Raises:
            VaultRefusedError: the token cannot be a token, or the file of authorities is missing.
        """
        self.address = settings.address.rstrip("/")
        # No proxy, no netrc, no other CA bundle by accident: the environment does not count.
        authorities = _authorities(settings.ca_file, directory or Path())
        session = PlainSession(connections=_POOL, verify=authorities)
        self._session = session
        self._limit = RateLimit(_PATIENCE, patience, _ONE_CALL)
        self._adapter = hvac.adapters.RawAdapter(
            base_uri=self.address,
            token="",
            timeout=_TIMEOUTS,
            allow_redirects=False,
            session=session,
            namespace=settings.namespace,
            strict_http=True,
        )
        self.use_token(token)

    def use_token(self, token: Secret) -> None:
        """Send this token from the next call on."""
        value = token.reveal()
        if value and _TOKEN.fullmatch(value) is None:
            raise VaultRefusedError(
                "the Vault token holds characters that no token has",
                remedy="Look for a line break or a space where the token comes from.",
            )
        self._adapter.token = value

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        token: Secret | None = None,
        wrap_ttl: int | None = None,
        accept: Collection[int] = (),
        quote: bool = False,
    ) -> Answer:
        """Send one request and return Vault's answer.

        Args:
            method: GET, POST, DELETE or LIST.
            path: below `/v1/`, made of names that were checked before.
            body: parameters, sent as JSON.
            token: send this one instead of the client's, for this call only.
            wrap_ttl: seconds; asks for the answer inside a wrapping token.
            accept: failing statuses that the caller understands and wants back as an answer.
            quote: put Vault's own short reason into the error (only where it can hold no secret).

        Raises:
            VaultUnavailableError: no answer, sealed, standby, rate limit, 5xx.
            VaultRefusedError: any other failing status.
        """
        arguments: dict[str, Any] = {}
        if body is not None:
            arguments["json"] = dict(body)
        if wrap_ttl is not None:
            arguments["wrap_ttl"] = f"{wrap_ttl}s"
        adapter = self._adapter if token is None else self._with(token)
        response = self._send(adapter, method, path, arguments)
        if response.status_code != _LIMITED:
            self._limit.answered()
        if response.status_code < failures.FIRST_REDIRECT:
            return read_success(response, self.address, method, path)
        answer = read_failure(response, self.address, method, path)
        status = response.status_code
        doing = f"{method} {path}"
        is_refusal = _FIRST_CLIENT_ERROR <= status < _FIRST_SERVER_ERROR and status != _LIMITED
        if answer is None and is_refusal:
            why = f"its body is not that of Vault's {status}"
            raise failures.not_vault(self.address, doing, why)
        if answer is not None and status in accept and (answer.errors or answer.is_absent):
            return answer
        errors = answer.errors if answer else ()
        raise failures.refused(self.address, doing, status, errors, quote=quote)

    def now(self) -> Instant:
        """Vault's time, in whole seconds rounded down.

        Raises:
            VaultUnavailableError: no answer, sealed, or an answer without a readable time.
        """
        # Answered in the root namespace only, and to anybody: no token, no namespace.
        adapter = self._with(_NO_TOKEN)
        adapter.namespace = None
        parameters = {"params": {"standbyok": "true", "perfstandbyok": "true"}}
        return _time_of(self.address, self._send(adapter, "GET", "sys/health", parameters))

    def _send(self, adapter: Any, method: str, path: str, arguments: Mapping[str, Any]) -> Any:
        """Send one request, and again what a rate limit has refused, as long as there is patience.

        Raises VaultUnavailableError: no answer came.
        """
        tries, refused = 0, 0.0  # how often, and when for the first time
        while True:
            failure: VaultUnavailableError | None = None
            response: Any = None
            try:
                response = adapter.request(
                    method, f"/v1/{path}", raise_exception=False, **arguments
                )
            except requests.exceptions.RequestException as error:
                # Not chained: an exception of `requests` carries the request, token and all.
                failure = failures.no_answer(self.address, error)
            if failure is not None:
                raise failure
            if response.status_code != _LIMITED:
                return response
            asked = response.headers.get("Retry-After", "")
            seconds = float(asked) if _SECONDS.fullmatch(asked) else None
            now = time.monotonic()
            refused = refused if tries else now
            if not self._limit.wait(tries, seconds, now - refused):
                return response
            tries += 1

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _with(self, token: Secret) -> Any:
        """The same connection, with another token."""
        adapter = hvac.adapters.RawAdapter.from_adapter(self._adapter)
        adapter.token = token.reveal()
        return adapter


def _authorities(ca_file: str | None, directory: Path) -> str | bool:
    if ca_file is None:
        return True
    path = directory / ca_file
    if not path.is_file():
        raise VaultRefusedError(
            f"{ca_file}, the authorities that vouch for Vault, is not there",
            remedy="Correct `spec.vault.caFile` in access/daypass.yaml, or add that file.",
        )
    return str(path)


def _time_of(address: str, response: Any) -> Instant:
    """The time in an answer of `sys/health`, or the error that its status means."""
    status = response.status_code
    if status >= failures.FIRST_REDIRECT:
        raise failures.refused(address, "GET sys/health", status, ())
    try:
        seconds = response.json()["server_time_utc"]
        if isinstance(seconds, int):
            return Instant.from_seconds(seconds)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        pass  # an older server, or a cache in between: HTTP's own header tells it too
    try:
        return Instant.from_seconds(parsedate_to_datetime(response.headers["Date"]).timestamp())
    except (KeyError, ValueError, TypeError, OverflowError):
        raise failures.not_vault(address, "GET sys/health", "it tells no time") from None
