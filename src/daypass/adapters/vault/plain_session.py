"""The session that hvac sends through: see `daypass.adapters.plain_http` for what it leaves out."""

from __future__ import annotations

import json as json_module
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from daypass.adapters.plain_http import PlainHttp

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests


class PlainSession(PlainHttp):
    """Takes the place of the `requests.Session` that hvac asks for."""

    cert: Final = None
    proxies: Final[Mapping[str, str]] = {}

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        json: Any = None,
        params: Mapping[str, str] | None = None,
        timeout: Any = None,
        **_settled: Any,
    ) -> requests.Response:
        """As `requests.Session.request`; redirects, authorities and proxies are settled already."""
        sent = dict(headers)
        body = None
        if json is not None:
            body = json_module.dumps(json, allow_nan=False)
            sent["Content-Type"] = "application/json"
        query = f"?{urlencode(params)}" if params else ""
        return self.send(method, url + query, headers=sent, body=body, timeout=timeout)
