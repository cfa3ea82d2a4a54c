"""What mends a refusal by GitHub: a person's token is that person's, the App's key is the bot's."""

from __future__ import annotations

import os
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from daypass.adapters.github.person import host_to_name, variables_for, why_withheld

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_PERMISSION = re.compile(r"[a-z_]+=(read|write|admin)([,;] ?[a-z_]+=(read|write|admin))*")
_SCOPES = re.compile(r"[a-z_:]+(, ?[a-z_:]+)*")
# The first pattern that fits the path names what is probably missing when GitHub says 403 or 404.
_NEEDED_BY_APP: Final = (
    (re.compile(r"/access_tokens$"), "the App's key and that the App is installed"),
    (re.compile(r"/teams/"), "the App's organization permission `Members: read`"),
    (re.compile(r"/comments"), "the App's permission `Pull requests: write`"),
    (re.compile(r"/pulls"), "the App's permissions `Pull requests: read` and `Contents: read`"),
    (re.compile(r"/graphql$"), "the App's permission `Contents: read`"),
    (re.compile(r"/activity$"), "the App's permission `Contents: read`"),
    (re.compile(r""), "the App's permissions"),
)


class Speaker(StrEnum):
    """As what GitHub is asked."""

    APP = "app"
    PERSON = "person"
    NOBODY = "nobody"  # without a token


def log_in_command(server: str) -> str:
    """How a person logs in at that GitHub server, or at that address of its API."""
    host = host_to_name(server)
    return f"gh auth login --hostname {host}" if host else "gh auth login"


def no_token(server: str) -> str:
    """What a person does who has no token of that server."""
    return f"There is no GitHub token. {log_in_first(server)}"


def log_in_first(server: str) -> str:
    """The remedy of a person who has no token of that server, as an imperative."""
    held = any(os.environ.get(name, "").strip() for name in variables_for(server))
    if held and (why := why_withheld(server)):
        return f"{why} Or log in: `{log_in_command(server)}`."
    return f"Log in: `{log_in_command(server)}`, or set GH_TOKEN."


def token_source(server: str) -> str:
    """Where a person's token comes from, for a sentence: a variable, or `gh`."""
    for name in variables_for(server):
        if os.environ.get(name, "").strip():
            return name
    return f"`{log_in_command(server)}`"


def how_to_log_in(server: str) -> str:
    """What a person does about a token that does not serve, as an imperative."""
    source, log_in = token_source(server), log_in_command(server)
    if os.environ.get("GITHUB_ACTIONS") == "true":
        return f"Give the job's step a token that serves in {source}."
    if source in variables_for(server):
        # `gh auth login` refuses while the variable is set.
        return f"Set {source} to a token that serves, or log in: `unset {source}; {log_in}`."
    return f"Log in again: `{log_in}`."


def why_refused(status: int, by: Speaker, server: str) -> str:
    """What a refusal means, to follow `GitHub answered … to …`; empty where it says it itself."""
    if by is not Speaker.PERSON:
        return ""
    if status == _UNAUTHORIZED:
        return f": your token, from {token_source(server)}, is wrong, expired or revoked"
    if status == _FORBIDDEN:
        return f": your token, from {token_source(server)}, may not do that"
    return ""


def remedy(path: str, status: int, headers: Mapping[str, str], by: Speaker, server: str) -> str:
    """What to do about a refusal by that server. `headers` are in lower case."""
    if by is Speaker.APP:
        return _remedy_of_app(path, status, headers)
    if by is Speaker.NOBODY:
        return f"There is no GitHub token, so GitHub was asked as anybody. {log_in_first(server)}"
    if status == _UNAUTHORIZED:
        return how_to_log_in(server)
    if status == _FORBIDDEN:
        return f"{_missing(headers)} {how_to_log_in(server)}"
    if "/teams/" in path:
        return (
            "A token that may not read teams sees none: `gh auth refresh --scopes read:org`, or "
            f"give that scope to your token, from {token_source(server)}."
        )
    return (
        "Check owner and repository in access/daypass.yaml. GitHub says 404, too, for what your "
        f"token, from {token_source(server)}, may not see. {how_to_log_in(server)}"
    )


def _missing(headers: Mapping[str, str]) -> str:
    """What a person's token lacks, as far as GitHub tells."""
    sso = headers.get("x-github-sso", "")
    if sso.startswith("required"):
        return (
            "The organisation wants tokens authorised for its single sign-on: do that in GitHub's "
            "settings of your tokens (Configure SSO)."
        )
    accepted = headers.get("x-accepted-github-permissions", "")
    if _PERMISSION.fullmatch(accepted):
        return f"It lacks the permission `{accepted}`, or you lack that right yourself."
    scopes = headers.get("x-accepted-oauth-scopes", "")
    if _SCOPES.fullmatch(scopes):
        return f"It lacks one of the scopes `{scopes}`, or you lack the right yourself."
    return "It lacks a permission, or you lack the right in this repository yourself."


def _remedy_of_app(path: str, status: int, headers: Mapping[str, str]) -> str:
    if status == _UNAUTHORIZED:
        return (
            "The App's token is wrong or over: check `github.appId` and that the transit key is "
            "the App's key."
        )
    accepted = headers.get("x-accepted-github-permissions", "")
    if _PERMISSION.fullmatch(accepted):
        needed = f"the permission `{accepted}`"
    else:
        needed = next(text for pattern, text in _NEEDED_BY_APP if pattern.search(path))
    return (
        f"Check {needed}, and owner and repository in access/daypass.yaml (GitHub says 404 for "
        "what a token may not see)."
    )
