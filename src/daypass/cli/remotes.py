"""Which remote of a clone is the governed repository, and what mends a refusal by it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from daypass.adapters.git.process import Git
from daypass.cli import remote_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from daypass.model.secret import Secret
    from daypass.model.settings import GitHubSettings

ORIGIN: Final = "origin"
# `git remote -v`; a remote that a clone is partial of has its filter in brackets behind.
_FETCHED: Final = re.compile(r"([^\t]+)\t(.*) \(fetch\)(?: \[[^]]*\])?")


def remotes_of(git: Git) -> dict[str, str]:
    """The remotes of a clone: their names, and where they fetch from."""
    done = git.try_run("remote", "--verbose")
    lines = done.stdout.decode("utf-8", "replace").splitlines() if done.returncode == 0 else []
    return {found[1]: found[2] for found in map(_FETCHED.fullmatch, lines) if found is not None}


def promisor_of(directory: Path) -> tuple[str, Callable[[], Secret] | None]:
    """The remote to read a clone by that is known by its own configuration alone, and its token.

    A partial clone is completed from the remote that promised to, with the person's own token of
    that server. Any other clone is read as it is: `origin`, and no token.
    """
    git = Git(directory)
    done = git.try_run("config", "--get-regexp", "--name-only", r"^remote\..*\.promisor$")
    keys = done.stdout.decode("utf-8", "replace").split() if done.returncode == 0 else []
    names = [key.removeprefix("remote.").removesuffix(".promisor") for key in keys]
    name = ORIGIN if ORIGIN in names or not names else names[0]
    place = remote_url.read(remotes_of(git).get(name, "")) if names else None
    if place is None:
        return name, None
    from daypass.adapters.github.person import person_token

    token = person_token(place.server)
    return name, (lambda: token) if token is not None else None


def governed_remote(directory: Path, settings: GitHubSettings) -> str:
    """The name of the remote that is the governed repository, as a person's clone has it.

    In a clone of a fork `origin` is the fork, whose main is not what was granted. So the one whose
    address names the repository comes first; then `origin`, as in a clone of a mirror; then the
    only one there is. `origin` where nothing fits: what needs it says that there is none.
    """
    remotes = remotes_of(Git(directory))
    places = {name: remote_url.read(url) for name, url in remotes.items()}
    fitting = [
        name
        for name, place in places.items()
        if place is not None and place.is_at(settings.server_url, settings.full_name)
    ]
    for names in (fitting, list(remotes)):
        if ORIGIN in names:
            return ORIGIN
        if names and (names is fitting or len(names) == 1):
            return names[0]
    return ORIGIN


def if_denied(token: Secret | None) -> str:
    """What a person does when a remote refuses them, their token being that one."""
    from daypass.adapters.github.refused import how_to_log_in, token_source

    if token is None:
        return "There is no GitHub token. Log in: `gh auth login`, or set GH_TOKEN."
    return (
        f"Your token, from {token_source()}, is wrong, expired or revoked, or may not do that in "
        f"this repository. {how_to_log_in()}"
    )
