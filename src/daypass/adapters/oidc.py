"""GitHub's OIDC token: the workflow's own identity, fetched from the runner.

Standard library only, and nothing but the one request: no redirect is followed, because the
runner's bearer token would go along.
"""

from __future__ import annotations

import base64
import binascii
import os
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from daypass.errors import ForgeRefusedError, ForgeUnavailableError
from daypass.model.json_text import read_json
from daypass.model.names import IDENTITY_VARIABLE
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

URL_VARIABLE: Final = IDENTITY_VARIABLE
TOKEN_VARIABLE: Final = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105  -- a variable's name
_TIMEOUT: Final = 30.0  # seconds
_LIMIT: Final = 64 * 1024  # bytes; a token is about 2 KB
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What GitHub vouches for about a run."""

    event: str  # what set it off, e.g. `issue_comment`
    actor_id: int  # numeric id of the account that did
    attempt: int  # from 1; a run that was started again keeps its first actor, whoever did that


def facts_of(token: Secret) -> RunFacts:
    """What a token says about its run.

    Only for a token that Vault has just accepted: Vault has checked its signature, and nothing here
    does. So who set a run off is GitHub's signed word, not what GITHUB_ACTOR_ID, a variable that
    any step of the job can set anew, says.

    Raises:
        ForgeRefusedError: it does not say so.
    """
    payload = token.reveal().split(".")[1]
    try:
        claims = read_json(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return RunFacts(
            str(claims["event_name"]), int(claims["actor_id"]), int(claims["run_attempt"])
        )
    except (binascii.Error, ValueError, KeyError, TypeError):
        pass  # told below: these errors quote the token
    raise _not_a_token("its token does not say who set the run off")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Turns every redirect into an error."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def github_oidc(
    audience: str, environment: Mapping[str, str] | None = None
) -> Callable[[], Secret]:
    """A function that fetches a fresh token for that audience each time it is called.

    Raises:
        ForgeRefusedError: this is no job that may ask for one (`id-token: write` is missing).
    """
    variables = os.environ if environment is None else environment
    url, bearer = variables.get(URL_VARIABLE), variables.get(TOKEN_VARIABLE)
    if not url or not bearer:
        raise ForgeRefusedError(
            "this process cannot ask GitHub who it is: id-token: write is missing",
            remedy="Run it in a GitHub Actions job that has `permissions: {id-token: write}` (a "
            "called workflow needs it from its caller too; pull requests from forks never get it).",
        )
    token = Secret(bearer)
    return lambda: _fetch(url, token, audience)


def _fetch(url: str, bearer: Secret, audience: str) -> Secret:
    """One request for one token. Raises ForgeRefusedError, ForgeUnavailableError."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("https", "http"):
        raise _not_a_token(f"{URL_VARIABLE} is no http(s) address")
    query = [*urllib.parse.parse_qsl(parts.query), ("audience", audience)]
    target = urllib.parse.urlunsplit(parts._replace(query=urllib.parse.urlencode(query)))
    request = urllib.request.Request(  # noqa: S310  -- the scheme was looked at above
        target,
        headers={"Authorization": f"Bearer {bearer.reveal()}", "Accept": "application/json"},
    )
    # A runner behind a proxy reaches GitHub through HTTPS_PROXY, inside TLS. Without TLS a proxy
    # would read the bearer token: then none is used, whatever the environment says.
    proxies: dict[str, str] | None = None if parts.scheme == "https" else {}
    opener = urllib.request.build_opener(_NoRedirect(), urllib.request.ProxyHandler(proxies))
    failure: ForgeRefusedError | ForgeUnavailableError | None = None
    body = b""
    try:
        with opener.open(request, timeout=_TIMEOUT) as response:
            body = response.read(_LIMIT)
    except urllib.error.HTTPError as error:
        error.close()
        failure = _http_error(error.code)
    except (urllib.error.URLError, OSError, ValueError):
        failure = ForgeUnavailableError(
            "GitHub's OIDC service did not answer", remedy="Run the workflow again."
        )
    if failure is not None:  # raised here, so that no request with its bearer token is chained
        raise failure
    return _token(body)


def _token(body: bytes) -> Secret:
    try:
        value = read_json(body)["value"]
    except (ValueError, KeyError, TypeError):
        value = None
    if not isinstance(value, str) or value.count(".") != 2:  # noqa: PLR2004  -- header.payload.signature
        raise _not_a_token("its answer holds no token")
    return Secret(value)


def _http_error(status: int) -> ForgeRefusedError | ForgeUnavailableError:
    if status >= _SERVER_ERROR:
        return ForgeUnavailableError(
            f"GitHub's OIDC service failed ({status})", remedy="Run the workflow again."
        )
    return _not_a_token(f"it refused ({status})")


def _not_a_token(because: str) -> ForgeRefusedError:
    return ForgeRefusedError(
        f"GitHub's OIDC service gave no token: {because}",
        remedy="Check that the job has `permissions: {id-token: write}`.",
    )
