"""A tiny client of OpenBao's HTTP API, for setting up the box.

The bot talks to OpenBao through hvac (`daypass.adapters.vault`). The box is the organisation
around the bot, so it uses nothing of the bot's own.
"""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from daypass.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.model.secret import Secret

_FIRST_ERROR = 400
_NOT_FOUND = 404


class BaoClient:
    """Calls `<address>/v1/<path>` with a token. One connection a call; follows no redirect."""

    def __init__(self, address: str, token: Secret | None = None) -> None:
        self._address = urlsplit(address)
        self._token = token

    def read(self, path: str) -> dict[str, Any] | None:
        """GET; None if there is nothing at that path."""
        return self._call("GET", path, None)

    def list(self, path: str) -> tuple[str, ...]:
        """The keys below a path; empty if there are none."""
        answer = self._call("GET", path + "?list=true", None)
        return tuple(answer["data"]["keys"]) if answer else ()

    def write(self, path: str, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """POST; an empty dict when the server answers with no content.

        Raises:
            SandboxError: the server refused; with its status, and without its answer.
        """
        return self._call("POST", path, data or {}) or {}

    def delete(self, path: str) -> None:
        """DELETE. Idempotent."""
        self._call("DELETE", path, None)

    def status(self, path: str = "sys/health") -> int | None:
        """The HTTP status of a GET; None if nobody answers."""
        try:
            return self._exchange("GET", path, None)[0]
        except (OSError, http.client.HTTPException):
            return None

    def _call(
        self, method: str, path: str, data: Mapping[str, Any] | None
    ) -> dict[str, Any] | None:
        try:
            status, body = self._exchange(method, path, data)
        except (OSError, http.client.HTTPException) as error:
            raise SandboxError(
                f"OpenBao at {self._address.geturl()} does not answer ({type(error).__name__})",
                remedy="Start it: OpenBao.start() or OpenBao.restart().",
            ) from error
        if status == _NOT_FOUND:
            return None
        if status >= _FIRST_ERROR:
            raise SandboxError(
                f"OpenBao refused {method} {path.partition('?')[0]} with {status}",
                remedy="Read openbao.log and audit.log in the box's directory.",
            )
        return json.loads(body) if body else {}

    def _exchange(
        self, method: str, path: str, data: Mapping[str, Any] | None
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(
            self._address.hostname or "", self._address.port, timeout=30
        )
        headers = {"X-Vault-Request": "true"}
        if self._token is not None:
            headers["X-Vault-Token"] = self._token.reveal()
        try:
            connection.request(
                method,
                "/v1/" + quote(path, safe="/?=&"),
                body=None if data is None else json.dumps(data).encode(),
                headers=headers,
            )
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()
