"""Where a person's push may go: the governed repository alone, over https or SSH.

A push to a folder runs the hooks of the repository in it, and a folder can lie in the clone. A
clone's own configuration can also send pushes elsewhere than it fetches from.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from daypass.errors import GitError

if TYPE_CHECKING:
    from daypass.adapters.git.lending import Loan
    from daypass.adapters.git.process import Git

# As git reads them: `x@y/z` without a colon is a folder.
_SSH: Final = re.compile(
    r"ssh://(?:[^@/\s]+@)?(?P<host>[^@:/\s\[\]]+)(?::[0-9]{1,5})?/(?P<path>[^\s]+)"
    r"|(?:[^@:/\s]+@)?(?P<name>[^@:/\s\[\]]{2,}):(?P<rest>[^\s]+)"
)
_ALIASES: Final = {"ssh.github.com": "github.com"}  # where GitHub takes SSH on the port of HTTPS


def read_ssh(url: str) -> tuple[str, str] | None:
    """The host, in lower case, and the path of an address that git reaches over SSH; else None."""
    found = _SSH.fullmatch(url)
    if found is None or (found["name"] and url.partition(":")[2].startswith("//")):
        return None
    host = (found["host"] or found["name"]).lower()
    return _ALIASES.get(host, host), (found["path"] or found["rest"]).lstrip("/")


def demand_governed(git: Git, remote: str, loan: Loan) -> str:
    """The address that a push by this remote goes to, if it is the governed repository.

    Over SSH a host can have another name here; then a fetch must use the very same address.

    Raises:
        GitError: it is another address, a folder, or there are several.
    """
    targets = _addresses(git, remote, "--push")
    for target in targets:
        if not (loan.is_for(target) or _is_over_ssh(git, remote, target, loan)):
            raise _elsewhere(remote, target, loan)
    if len(targets) != 1:
        raise GitError(
            f"nothing was pushed: the remote `{remote}` has {len(targets)} addresses to push to",
            remedy=f"Let it have one: `git config --get-all remote.{remote}.pushurl` shows them.",
        )
    return targets[0]


def promises_are_governed(git: Git, loan: Loan) -> bool:
    """Whether what a partial clone lacks comes from the governed repository, or from a folder."""
    key = r"^(remote\..*\.promisor|extensions\.partialclone)$"
    rows = git.try_run("config", "--null", "--get-regexp", key).stdout.decode("utf-8", "replace")
    for row in filter(None, rows.split("\0")):
        name, _, value = row.partition("\n")
        remote = name[len("remote.") : -len(".promisor")] if name.endswith(".promisor") else value
        done = git.try_run("remote", "get-url", "--all", "--", remote)
        for url in done.stdout.decode("utf-8", "replace").splitlines():
            place = read_ssh(url)
            is_elsewhere = not loan.is_named(place[1]) if place else "://" in url
            if is_elsewhere and not loan.is_for(url) and not url.startswith("file://"):
                return False
    return True


def _is_over_ssh(git: Git, remote: str, target: str, loan: Loan) -> bool:
    place = read_ssh(target)
    if place is None or not loan.is_named(place[1]):
        return False
    return loan.is_on(place[0]) or _addresses(git, remote) == [target]


def _addresses(git: Git, remote: str, *way: str) -> list[str]:
    return git.run("remote", "get-url", *way, "--all", remote).decode().splitlines()


def _elsewhere(remote: str, target: str, loan: Loan) -> GitError:
    shown = ascii(re.sub(r"(?<=://)[^/@\s]+@", "***@", target))
    return GitError(
        f"nothing was pushed: a push to `{remote}` would go to {shown}, which is not the governed "
        f"repository, {loan.shown}",
        remedy="See what sends it there, `git config --show-origin --get-regexp "
        f"'^(remote|url)\\.'`, or name it: `git remote set-url --push {remote} {loan.shown}`.",
    )
