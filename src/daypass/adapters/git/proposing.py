"""Proposing: a person's new file, on a new branch of the remote.

The work tree is not touched, and no configuration of theirs is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.adapters.git.process import Git
from daypass.adapters.git.push_target import demand_governed
from daypass.errors import ForgeRefusedError, GitError

if TYPE_CHECKING:
    from pathlib import Path

    from daypass.adapters.git.lending import Loan
    from daypass.model.instant import Instant

_REFERENCE: Final = "refs/daypass/proposed/"


@dataclass(frozen=True, slots=True)
class Proposal:
    """One new file on a branch of its own. `author` is a name and an e-mail address."""

    branch: str
    path: str
    content: bytes
    message: str
    author: tuple[str, str]


def push(
    directory: Path,
    remote: str,
    loan: Loan,
    proposal: Proposal,
    *,
    onto: str,
    when: Instant,
) -> None:
    """Commit the file on top of `onto`, and push the branch, which must not be there yet.

    Raises:
        GitError: the remote cannot be reached, is not the governed repository, or there is such a
            branch.
        ForgeRefusedError: the remote refuses.
    """
    git = Git(directory)
    git.run("fast-import", "--quiet", "--force", data=_stream(proposal, onto, when))
    branch = f"refs/heads/{proposal.branch}"
    done = git.try_run(
        "push",
        "--porcelain",
        "--no-verify",
        f"--force-with-lease={branch}:",
        remote,
        f"{_REFERENCE}{proposal.branch}:{branch}",
        settings=_secrets(git, remote, loan),
    )
    # Git asks for no lease on what is there to the letter, and calls it up to date.
    if done.returncode == 0 and not any(line.startswith(b"=") for line in done.stdout.splitlines()):
        return
    error = git.explain("push", done.stderr)
    if isinstance(error, ForgeRefusedError):
        error.remedy = (
            loan.withheld
            or "Your GitHub token must be one that may push branches to the repository."
        )
        raise error
    why = error.message if done.returncode else "it is there already"
    raise GitError(
        f"the branch {proposal.branch} could not be pushed: {why}",
        remedy="If it is there already, take another id; otherwise check the remote, and your "
        "GitHub token.",
    )


def _stream(proposal: Proposal, onto: str, when: Instant) -> bytes:
    name, email = proposal.author
    message = proposal.message.encode()
    return b"".join(
        (
            f"commit {_REFERENCE}{proposal.branch}\n".encode(),
            f"committer {name} <{email}> {when.seconds} +0000\n".encode(),
            b"data %d\n%b\nfrom %b\n" % (len(message), message, onto.encode()),
            b"M 100644 inline %b\n" % proposal.path.encode(),
            b"data %d\n%b\n" % (len(proposal.content), proposal.content),
        )
    )


def _secrets(git: Git, remote: str, loan: Loan) -> tuple[tuple[str, str], ...]:
    return loan.settings(git, demand_governed(git, remote, loan))
