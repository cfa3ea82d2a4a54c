"""The one place that talks to Vault: one pooled connection, one funnel for every error.

hvac builds the requests; what it does by default and must not happen here is switched off: it
reads VAULT_TOKEN or `~/.vault-token` when it is given no token, it sends `X-Vault-Token` along
with a redirect to whatever host the answer names, and its errors carry the response's body.
Nothing is retried here: a repeated token-create would be a second token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import hvac.adapters
import requests

from daypass.adapters.vault import failures
from daypass.adapters.vault.plain_session import PlainSession
from daypass.errors import VaultRefusedError, VaultUnavailableError
from daypass.model.instant import Instant
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from daypass.model.settings import VaultSettings

_TIMEOUTS: Final = (5.0, 60.0)  # seconds to connect, and to wait for the next byte
_POOL: Final = 16  # kept-alive connections: more than the threads of a run
# What a token looks like in a header; anything else would reach an error message of `requests`.
_TOKEN = re.compile(r"[!-~]{1,4096}")
_NO_TOKEN: Final = Secret("")


@dataclass(frozen=True, slots=True)
class Answer:
    """What Vault answered. `repr` shows the status only: the rest can hold a secret."""

    status: int
    data: Mapping[str, Any] = field(repr=False)
    auth: Mapping[str, Any] = field(repr=False)
    wrap_info: Mapping[str, Any] = field(repr=False)
    warnings: tuple[str, ...] = field(repr=False)
    errors: tuple[str, ...] = field(repr=False)
    date: str | None = None  # the HTTP Date header: Vault's clock, in whole seconds
    lease_id: str = ""
    lease_seconds: int = 0  # how long the lease lasts; 0 without one

    @property
    def keys(self) -> tuple[str, ...]:
        """The names that a LIST gave; none when there was nothing to list."""
        return tuple(self.data.get("keys") or ())

    def refuse_warnings(self, doing: str) -> None:
        """Raise VaultRefusedError if Vault warned: it ignored, or cut, something it was told."""
        if self.warnings:
            raise VaultRefusedError(
                f"Vault did not do all it was asked, {doing}: {failures.quoted(self.warnings)}",
                remedy="Run `daypass vault doctor`: the set-up in Vault differs from access/.",
            )


class Client:
    """A connection to one Vault, with one token (or none). Usable from several threads."""

    def __init__(
        self, settings: VaultSettings, *, token: Secret = _NO_TOKEN, directory: Path | None = None
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            settings: where Vault is. `ca_file` is relative to `directory`.
            token: the token to send; an empty one sends none, and never one of the environment.
            directory: the governed repository's work tree (default: the current directory).

        Raises:
            VaultRefusedError: the token cannot be a token, or the file of authorities is missing.
        """
        self.address = settings.address.rstrip("/")
        # No proxy, no netrc, no other CA bundle by accident: the environment does not count.
        authorities = _authorities(settings.ca_file, directory or Path())
        session = PlainSession(connections=_POOL, verify=authorities)
        self._session = session
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
        doing = f"{method} {path}"
        failure: VaultUnavailableError | None = None
        response: Any = None
        try:
            response = adapter.request(method, f"/v1/{path}", raise_exception=False, **arguments)
        except requests.exceptions.RequestException as error:
            # Not chained: an exception of `requests` carries the request, token and all.
            failure = failures.no_answer(self.address, error)
        if failure is not None:
            raise failure
        answer = _answer(response)
        if response.status_code < failures.FIRST_REDIRECT or response.status_code in accept:
            if answer is None:
                raise failures.not_vault(self.address)
            return answer
        raise failures.refused(
            self.address, doing, response.status_code, answer.errors if answer else (), quote=quote
        )

    def now(self) -> Instant:
        """Vault's time, in whole seconds rounded down.

        Raises:
            VaultUnavailableError: no answer, sealed, or an answer without a readable time.
        """
        # Answered in the root namespace only, and to anybody: no token, no namespace.
        adapter = self._with(_NO_TOKEN)
        adapter.namespace = None
        response: Any = None
        failure: VaultUnavailableError | None = None
        try:
            response = adapter.request(
                "GET",
                "/v1/sys/health",
                raise_exception=False,
                params={"standbyok": "true", "perfstandbyok": "true"},
            )
        except requests.exceptions.RequestException as error:
            failure = failures.no_answer(self.address, error)
        if failure is not None:
            raise failure
        return _time_of(self.address, response)

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


def _answer(response: Any) -> Answer | None:
    """The answer in a response; None if it is not one that Vault would give."""
    date = response.headers.get("Date")
    if not response.content:
        return Answer(response.status_code, {}, {}, {}, (), (), date)
    try:
        body = response.json()
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    data = body.get("data")
    return Answer(
        status=response.status_code,
        data=data if isinstance(data, dict) else {},
        auth=body.get("auth") or {},
        wrap_info=body.get("wrap_info") or {},
        warnings=tuple(body.get("warnings") or ()),
        errors=tuple(str(item) for item in body.get("errors") or ()),
        date=date,
        lease_id=str(body.get("lease_id") or ""),
        lease_seconds=int(body.get("lease_duration") or 0),
    )


def _time_of(address: str, response: Any) -> Instant:
    """The time in an answer of `sys/health`, or the error that its status means."""
    status = response.status_code
    if status >= failures.FIRST_REDIRECT:
        raise failures.refused(address, "GET sys/health", status, ())
    try:
        seconds = response.json()["server_time_utc"]
        if isinstance(seconds, int):
            return Instant.from_seconds(seconds)
    except (ValueError, KeyError, TypeError):
        pass  # an older server, or a cache in between: HTTP's own header tells it too
    try:
        return Instant.from_seconds(parsedate_to_datetime(response.headers["Date"]).timestamp())
    except (KeyError, ValueError):
        raise failures.not_vault(address) from None
