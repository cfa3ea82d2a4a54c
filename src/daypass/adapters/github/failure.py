"""What went wrong with a call to GitHub, as daypass's own errors; no body is ever carried."""

from __future__ import annotations

import math
import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.github import refused
from daypass.errors import ForgeRefusedError, ForgeUnavailableError
from daypass.model.instant import Instant
from daypass.model.json_text import read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.errors import DaypassError

_TOO_MANY: Final = 429
_FORBIDDEN: Final = 403
_SECONDS: Final = re.compile(r"[0-9]{1,12}")
_SERVER_ERROR: Final = 500
_AGAIN: Final = "Nothing is lost: run the command again once GitHub answers (githubstatus.com)."
_REFUSALS: Final = frozenset({"FORBIDDEN", "NOT_FOUND", "INSUFFICIENT_SCOPES"})  # of GraphQL


def refusal(
    verb: str,
    path: str,
    status: int,
    headers: Mapping[str, str],
    body: str,
    by: refused.Speaker,
    server: str,
) -> DaypassError:
    """The error for an answer of that server that is no success, given to the App or to a person.

    `headers` are in lower case. The body is looked at only to tell a rate limit from a refusal.
    """
    what = f"GitHub answered {status} to {verb} {path}"
    if _is_rate_limit(status, headers, body):
        return ForgeUnavailableError(
            f"GitHub limits the rate of requests{_until(headers)}",
            remedy="Run the command again after that time; the scheduled run does so by itself.",
        )
    if status >= _SERVER_ERROR:
        return ForgeUnavailableError(what, remedy=_AGAIN)
    return ForgeRefusedError(
        what + refused.why_refused(status, by, server),
        remedy=refused.remedy(path, status, headers, by, server),
    )


def graphql_errors(errors: Any, by: refused.Speaker, server: str) -> DaypassError:
    """The error for a GraphQL answer that names errors: GitHub sends these with status 200.

    Only their types are told, which are words of GitHub's own; messages can quote the query.
    """
    found = errors if isinstance(errors, list) else []
    types = {str(item.get("type")) for item in found if isinstance(item, dict)}
    if types and types <= _REFUSALS:
        return ForgeRefusedError(
            f"GitHub answered {' and '.join(sorted(types))} to POST /graphql"
            + refused.why_refused(_FORBIDDEN, by, server),
            remedy=refused.remedy("/graphql", _FORBIDDEN, {}, by, server),
        )
    if "RATE_LIMITED" in types:
        return ForgeUnavailableError(
            "GitHub limits the rate of GraphQL requests",
            remedy="Run the command again in an hour at the latest; the scheduled run does so by "
            "itself.",
        )
    return ForgeUnavailableError("GitHub answered an error to POST /graphql", remedy=_AGAIN)


def seconds_of_limit(status: int, headers: Mapping[str, str], body: str) -> float | None:
    """For how many seconds a rate limit refuses requests like the one that was answered.

    Infinite where GitHub does not say: it asks for a minute then, at the least.

    Returns:
        None for an answer that is no rate limit.
    """
    if not _is_rate_limit(status, headers, body):
        return None
    wait, reset, date = (
        headers.get(name, "") for name in ("retry-after", "x-ratelimit-reset", "date")
    )
    if _SECONDS.fullmatch(wait):
        return float(wait)
    if headers.get("x-ratelimit-remaining") == "0" and _SECONDS.fullmatch(reset):
        try:  # by GitHub's own clock: a runner's may be off
            now = parsedate_to_datetime(date).timestamp()
        except ValueError:
            return math.inf
        return max(0.0, float(reset) - now)
    return math.inf


def unreachable(verb: str, path: str, error: BaseException) -> DaypassError:
    """The error for a call that got no answer. The library's text may name the whole URL: left out.

    Only its type is told: DNS, TLS, a refused connection and a timeout have types of their own.
    """
    return ForgeUnavailableError(
        f"GitHub did not answer {verb} {path} ({type(error).__name__})",
        remedy="Check the network, the proxy and `github.apiUrl` in access/daypass.yaml; then run "
        "the command again.",
    )


def unexpected(what: str) -> DaypassError:
    """The error for an answer that is not what GitHub's API description says."""
    return ForgeUnavailableError(
        f"GitHub's answer cannot be read: {what}",
        remedy="Check `github.apiUrl` in access/daypass.yaml and what stands between here and "
        "GitHub; then run the command again. Nothing was decided on that answer.",
    )


def _is_rate_limit(status: int, headers: Mapping[str, str], body: str) -> bool:
    if status == _TOO_MANY:
        return True
    if status != _FORBIDDEN:
        return False
    if "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0":
        return True
    return "rate limit" in _message(body).lower()


def _message(body: str) -> str:
    try:
        value: Any = read_json(body)
    except ValueError:
        return ""
    return str(value.get("message", "")) if isinstance(value, dict) else ""


def _until(headers: Mapping[str, str]) -> str:
    wait, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
    if wait.isdecimal():
        return f" for {int(wait)} s more"
    if reset.isdecimal():
        return f" until {Instant.from_seconds(int(reset))}"
    return "; it does not say until when (a minute at the least)"
