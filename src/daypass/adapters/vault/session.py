"""Logging in, and staying logged in: a job's token lives minutes, a batch can outlast it."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.adapters.vault.client import RUN_PATIENCE, Client
from daypass.adapters.vault.kv import number
from daypass.adapters.vault.own_token import OwnToken, explained
from daypass.errors import (
    DaypassError,
    TemporaryError,
    VaultForbiddenError,
    VaultRefusedError,
)
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from daypass.adapters.vault.answer import Answer
    from daypass.model.instant import Instant
    from daypass.model.settings import VaultSettings

_RENEW_BELOW: Final = 0.25  # of the token's life
_TRY_AGAIN_AFTER: Final = 10.0  # seconds after a log-in that failed while the old token still lives
_LOGIN_REFUSED: Final = frozenset({400, 401, 403, 404})


class Session:
    """A client that is logged in. Usable from several threads; one of them logs in again."""

    def __init__(
        self,
        client: Client,
        login: Callable[[], tuple[Secret, int]] | None,
        explain: Callable[[VaultForbiddenError], VaultForbiddenError] | None = None,
    ) -> None:
        """Wrap a client.

        Args:
            client: the connection.
            login: returns a new token and its life in seconds (0: no end known).
            explain: tells what a 403 means to whom the token is of.
        """
        self._explain = explain
        self._client = client
        self._login = login
        self._lock = threading.Lock()
        self._lifetime = 0
        self._ends = float("inf")  # of time.monotonic
        self._next_try = 0.0
        if login is not None:
            self._log_in(login)

    @property
    def client(self) -> Client:
        """The client underneath, for calls with a token of their own."""
        return self._client

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
        """`Client.call`, after making sure that the token lives long enough."""
        self.ensure_fresh()
        try:
            return self._client.call(
                method, path, body, token=token, wrap_ttl=wrap_ttl, accept=accept, quote=quote
            )
        except VaultForbiddenError as error:
            if self._explain is None or token is not None:
                raise
            raise self._explain(error) from error

    def now(self) -> Instant:
        """Vault's time. Raises VaultUnavailableError."""
        return self._client.now()

    def ensure_fresh(self) -> None:
        """Log in again when less than a quarter of the token's life is left.

        Raises VaultRefusedError, VaultUnavailableError, or what fetching the identity raised.
        """
        if self._login is None or not self._is_stale():
            return
        with self._lock:
            if self._is_stale():
                self._log_in_or_wait(self._login)

    def close(self) -> None:
        """End a token that this session fetched itself, and close the connection."""
        try:
            if self._login is not None:
                # Best effort: it would end by itself in minutes, and the work is done.
                self._client.call("POST", "auth/token/revoke-self", accept=range(400, 600))
        except DaypassError:
            pass
        finally:
            self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _is_stale(self) -> bool:
        now = time.monotonic()
        return now >= self._next_try and self._ends - now < self._lifetime * _RENEW_BELOW

    def _log_in_or_wait(self, login: Callable[[], tuple[Secret, int]]) -> None:
        try:
            self._log_in(login)
        except TemporaryError:
            # The source of identities is down. The token at hand is good for a while: go on.
            if self._ends - time.monotonic() < _TRY_AGAIN_AFTER:
                raise
            self._next_try = time.monotonic() + _TRY_AGAIN_AFTER / 2

    def _log_in(self, login: Callable[[], tuple[Secret, int]]) -> None:
        before = time.monotonic()
        token, lifetime = login()
        self._client.use_token(token)
        self._lifetime = lifetime
        self._ends = before + lifetime if lifetime else float("inf")


def login_token(
    settings: VaultSettings, token: Secret | OwnToken, directory: Path | None = None
) -> Session:
    """A session with a token that somebody brings: an operator's own, or a test's.

    Raises VaultRefusedError if it cannot be a token. It is checked by the first call.
    """
    secret = token.secret if isinstance(token, OwnToken) else token
    if not secret.reveal():
        raise VaultRefusedError(
            "there is no Vault token",
            remedy="Log in (`bao login` or `vault login`), or set BAO_TOKEN, and run it again.",
        )
    client = Client(settings, token=secret, directory=directory)
    explain = partial(explained, client, settings, token) if isinstance(token, OwnToken) else None
    return Session(client, None, explain)


def login_jwt(
    settings: VaultSettings,
    fetch_jwt: Callable[[], Secret],
    directory: Path | None = None,
    *,
    role: str | None = None,
) -> Session:
    """Log in with the workflow's own identity; `fetch_jwt` is asked again when that is due.

    `role` is the one of `daypass apply` unless another is named.

    Raises:
        VaultRefusedError: the role does not take this workflow, ref, repository or audience.
        VaultUnavailableError: Vault does not answer or is sealed.
    """
    client = Client(settings, directory=directory, patience=RUN_PATIENCE)
    wanted = role or settings.apply_role

    def login() -> tuple[Secret, int]:
        body = {"role": wanted, "jwt": fetch_jwt().reveal()}
        path = f"auth/{settings.jwt_mount}/login"
        answer = client.call("POST", path, body, token=Secret(""), accept=_LOGIN_REFUSED)
        token = answer.auth.get("client_token")
        if not isinstance(token, str) or not token:
            raise _login_refused(settings, wanted, answer)
        return Secret(token), answer.read(lambda found: number(found.auth["lease_duration"]))

    try:
        return Session(client, login)
    except BaseException:
        client.close()
        raise


# What OpenBao and Vault say, and what it means to whoever runs the workflow. Their own text is not
# shown: it can hold claims of the token.
_MEANINGS: Final = (
    (("audience", "aud claim", "aud)"), "the token was asked for another audience"),
    (("claim", "sub)"), "a claim differs: the repository, the ref, the workflow or the event"),
    (("expired", "exp)"), "the token has expired"),
    (("not valid yet", "not yet valid", "nbf", "iat"), "the token is not valid yet"),
    (("issuer", "iss)"), "the token comes from another issuer"),
    (("signature", "verifying token", "unsupported", "alg"), "its signature does not hold"),
    (("role", "unsupported path", "no handler"), "the role or its mount is not there"),
)


def _login_refused(settings: VaultSettings, role: str, answer: Answer) -> VaultRefusedError:
    text = " ".join(answer.errors).lower()
    reason = next(
        (meaning for words, meaning in _MEANINGS if any(word in text for word in words)),
        "it gave no reason that can be repeated here",
    )
    return VaultRefusedError(
        f"Vault refused the log-in to role {role} ({answer.status}): {reason}",
        remedy="Only the workflow that `daypass vault apply` has bound to it may log in: this "
        f"repository's default branch, audience {settings.audience!r}. `daypass vault doctor` "
        "compares the binding with access/daypass.yaml.",
    )
