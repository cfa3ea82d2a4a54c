"""What git's complaints mean, and what to do about them."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING, Final

from daypass.adapters.git.ownership import is_about_ownership, not_ours
from daypass.adapters.git.place import no_repository
from daypass.errors import DaypassError, ForgeRefusedError, ForgeUnavailableError, GitError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from daypass.adapters.git.guard import Guard

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_CONTROL = re.compile(r"[^\x20-\x7e]+")
_FULL: Final = re.compile(r"No space left on device|Disk quota exceeded")
_NO_REPOSITORY: Final = re.compile(r"not a git repository|cannot change to")
_NO_REMOTE: Final = re.compile(r"No such remote|'([^'/]+)' does not appear to be a git repository")
_SSH_KEY: Final = re.compile(r"Permission denied \([a-z,-]*publickey|Host key verification failed")
_DENIED: Final = re.compile(
    r"Authentication failed|could not read (Username|Password)|error: 40[13]|Permission denied"
    r"|Permission to \S+ denied|Host key verification failed"
)
_UNREACHABLE: Final = re.compile(
    r"unable to access|Could not resolve|Could not read from remote|Connection (refused|timed out)"
    r"|does not appear to be a git repository|unable to connect|early EOF|hung up|RPC failed"
    r"|[Rr]edirect"
)
_NO_BRANCH: Final = re.compile(r"couldn't find remote ref")
_ASKED: Final = re.compile(r"could not read (Username|Password)")
IF_APP_DENIED: Final = (
    "Check that the App is installed on the repository with contents: write, and that its token "
    "has not expired."
)
_IF_SSH_DENIED: Final = (
    "Over SSH: `ssh -T git@HOST`, with the remote's host, must greet you. Add your key to the "
    "agent (`ssh-add`) and to your account, or let the remote be an https:// address."
)
_BARRED: Final = re.compile(r"transport '([^'\n]{1,40})' not allowed")
_NETRC: Final = (
    " `~/.netrc` is not read, because curl shows it to any host that a clone names: `gh auth "
    "login`, or a `credential.helper` of your own (`git config --global`), serves in its place."
)
_OWN_SSH: Final = (
    " This clone's own `core.sshCommand` is not run, because a clone can come from anyone: to use "
    'it, put it into your environment, `export GIT_SSH_COMMAND="$(git config core.sshCommand)"`.'
)


def explain(
    directory: Path, what: str, stderr: bytes, if_denied: Callable[[], str], ignored: Guard
) -> DaypassError:
    """Make the error that git's complaint means.

    Args:
        directory: where git ran.
        what: the git command.
        stderr: what it said.
        if_denied: the remedy where the remote refused.
        ignored: what of the clone's own configuration did not count.
    """
    text = stderr.decode("utf-8", "replace")
    if _FULL.search(text):
        return GitError(
            f"`git {what}` found no space left on the disk",
            remedy="Free space, then run the command again: nothing was left half done.",
        )
    if is_about_ownership(text):
        return not_ours(directory, text)
    if _NO_REPOSITORY.search(text):
        return no_repository(directory)
    return _of_remote(what, text, if_denied, ignored) or GitError(
        f"`git {what}` failed: {complaint(text)}",
        remedy="Check `github.defaultBranch` in access/daypass.yaml, and the remote."
        if _NO_BRANCH.search(text)
        else "Check the clone with `git fsck`; a fresh clone (fetch-depth: 0) is safe.",
    )


def _of_remote(
    what: str, text: str, if_denied: Callable[[], str], ignored: Guard
) -> DaypassError | None:
    """What a remote has to do with it; None if nothing."""
    own_ssh = ignored.own_ssh
    if (barred := _BARRED.search(text)) is not None:
        return _barred(what, barred[1], ignored.barring)
    if _DENIED.search(text):
        why = complaint(text)
        if _ASKED.search(why):  # git asks for a name when there is no token, or a bad one
            why = "it was given no token that it takes"
        return ForgeRefusedError(
            f"the remote refused `git {what}`: {why}",
            remedy=if_denied() + (_NETRC if _ASKED.search(text) and _has_netrc() else "")
            if not _SSH_KEY.search(text)
            else _IF_SSH_DENIED + (_OWN_SSH if own_ssh else ""),
        )
    if (named := _NO_REMOTE.search(text)) is not None:
        return GitError(
            f"this clone has no remote `{named[1] or 'origin'}`",
            remedy="Name the governed repository: `git remote add origin URL`; see which ones "
            "there are with `git remote -v`.",
        )
    if _UNREACHABLE.search(text):
        return ForgeUnavailableError(
            f"the remote cannot be reached by `git {what}`: {complaint(text)}",
            remedy="Check the remote's address and the network, then run the command again."
            + (_OWN_SSH if own_ssh else ""),
        )
    return None


def _barred(what: str, protocol: str, key: str) -> GitError:
    """Make the error of a protocol that git may not use in this clone."""
    if protocol in ("http", "https") and key:
        shown = shlex.quote(key.encode("ascii", "backslashreplace").decode())
        return GitError(
            f"`git {what}` was not run: this clone's own configuration sets {shown}, and a clone "
            "can come from anyone",
            remedy="If you set that, let it be your own, for all clones (or HTTPS_PROXY, or "
            f'GIT_SSL_CAINFO): `git config --global {_own_key(shown)} "$(git config {shown})"`. '
            f"Then take it out of this one: `git config --unset-all {shown}`.",
        )
    if protocol == "http":
        return GitError(
            f"`git {what}` was not run: an address of this clone begins with http://, by which "
            "others can read and change what is sent",
            remedy="See which: `git remote -v`. Then `git remote set-url NAME https://…`.",
        )
    return GitError(
        f"`git {what}` was not run: git may not use the protocol {protocol!a} here",
        remedy="See which remote that is: `git remote -v`. Then `git remote set-url NAME "
        "https://…`.",
    )


def _own_key(key: str) -> str:
    """Return the key of one's own configuration that does the same: of all remotes, for a proxy."""
    return f"http.{key.rpartition('.')[2]}" if key.lower().startswith("remote.") else key


def _has_netrc() -> bool:
    home = os.environ.get("HOME")
    return bool(home) and os.path.lexists(f"{home}/.netrc")


def complaint(text: str) -> str:
    """What git complained of, as one line: not what the remote said, no password."""
    lines = [line for line in text.splitlines() if line.startswith(("fatal: ", "error: "))]
    line = lines[0].partition(": ")[2] if lines else "it gave no reason"
    return _CONTROL.sub(" ", _CREDENTIALS.sub("***@", line))[:300]
