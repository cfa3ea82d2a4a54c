"""The App's installation token: fetched with a JWT that Vault signs, and kept while it lasts."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

import github

from daypass.adapters.github import failure
from daypass.adapters.github.refused import Speaker
from daypass.adapters.github.transport import Transport
from daypass.model.instant import Instant
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from daypass.model.settings import GitHubSettings

_SPARE: Final = 300  # seconds before its end at which a token is fetched anew
_BACKDATED: Final = 60  # seconds, as GitHub advises, for clocks that differ
_JWT_LIFE: Final = 300  # seconds; GitHub takes 600 at the most


class InstallationAuth(github.Auth.Auth):
    """Authentication as the App's installation in the governed repository, and nowhere else.

    `sign` makes a JWT (RS256) of a payload; `now` is the time that stands in it, and by which the
    token's end is judged: Vault's, because a runner's own clock can be off by more than GitHub
    puts up with.
    """

    def __init__(
        self,
        settings: GitHubSettings,
        sign: Callable[[dict[str, Any]], str],
        now: Callable[[], Instant],
    ) -> None:
        self._settings = settings
        self._now = now
        self._transport = Transport(
            settings.api_url,
            github.Auth.AppAuth(settings.app_id, sign_func=self._timed(sign)),
            Speaker.APP,
        )
        self._lock = threading.Lock()
        self._token: Secret | None = None
        self._fetch_after = 0.0  # by this process's monotonic clock

    @property
    def token_type(self) -> str:
        """The word before the token in the Authorization header."""
        return "token"

    @property
    def token(self) -> str:
        """The token itself, as PyGithub asks for it before every request."""
        return self.secret().reveal()

    def secret(self) -> Secret:
        """A token that lives five minutes at least. Raises ForgeUnavailable-, ForgeRefusedError."""
        with self._lock:
            if self._token is None or time.monotonic() >= self._fetch_after:
                self._token, lifetime = self._fetch()
                self._fetch_after = time.monotonic() + lifetime - _SPARE
            return self._token

    def close(self) -> None:
        """Close the connection over which tokens are fetched."""
        self._transport.close()

    def _fetch(self) -> tuple[Secret, float]:
        answer = self._transport.post(
            f"/app/installations/{self._settings.installation_id}/access_tokens",
            {"repository_ids": [self._settings.repository_id]},
        )
        try:
            token, end = Secret(str(answer["token"])), Instant.parse(answer["expires_at"])
        except (KeyError, TypeError, ValueError):
            # Not chained: the error at hand can hold the token.
            raise failure.unexpected("the installation token") from None
        return token, end.since(self._now())

    def _timed(self, sign: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any]], str]:
        def signed(payload: dict[str, Any]) -> str:
            now = self._now().seconds
            return sign(payload | {"iat": now - _BACKDATED, "exp": now + _JWT_LIFE})

        return signed
