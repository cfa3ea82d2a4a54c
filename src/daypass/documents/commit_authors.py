"""Co-authors that the commits of a branch name, and that daypass may not find at GitHub.

While one is not known, no approval of the pull request counts, and the merge of a change that
decisions rest on would freeze daypass. Here GitHub is not asked: `daypass plan --pr N` asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from daypass.documents.finding import Finding
from daypass.documents.problem import Problem
from daypass.documents.wording import shown
from daypass.model.co_authors import co_authors_of, noreply_account, noreply_host, same_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from daypass.model.settings import Settings

RULE: Final = "change-co-author"
SETTINGS_RULE: Final = "settings-co-author"
_MOST: Final = 20  # findings of one branch
_REMEDY: Final = (
    "Take the line out (`git commit --amend`, or `git rebase -i` for an older commit), or name an "
    "address that GitHub knows."
)
_ASK_REMEDY: Final = (
    f"`daypass plan --pr N` asks GitHub. {_REMEDY} An assistant's address goes into "
    "`machineCoAuthors` of access/daypass.yaml, by a pull request of its own."
)


class NewCommit(NamedTuple):
    """A commit that a branch adds."""

    sha: str
    message: str


class CoAuthorFindings(NamedTuple):
    """What is certain, and what only GitHub can tell."""

    findings: tuple[Finding, ...]
    notices: tuple[Finding, ...]


def check_co_authors(
    commits: Iterable[NewCommit], settings: Settings, path: str
) -> CoAuthorFindings:
    """Check the co-authors that commits name.

    Args:
        commits: those that the branch adds to its base.
        settings: those of the branch that it is to be merged into, which rule until the merge.
        path: of a governed file that the branch changes; findings are shown there.
    """
    host = noreply_host(settings.github.server_url)
    findings: list[Finding] = []
    notices: list[Finding] = []
    for commit in commits:
        for address in co_authors_of(commit.message):
            place = f"commit {commit.sha[:12]} names the co-author {shown(address)}"
            if "@" not in address:
                why = (
                    f"{place}, which is no e-mail address: no account can be found for it, and no "
                    "approval of the pull request counts"
                )
                findings.append(Finding.of_file(path, RULE, why, _REMEDY))
            elif not _is_known(address, host, settings):
                why = (
                    f"{place}: unless GitHub knows an account of that address, no approval of the "
                    "pull request counts"
                )
                notices.append(Finding.of_file(path, RULE, why, _ASK_REMEDY))
    return CoAuthorFindings(_distinct(findings), _distinct(notices))


def _is_known(address: str, host: str, settings: Settings) -> bool:
    listed = same_address(address) in settings.machine_co_authors
    return listed or noreply_account(address, host) is not None


def _distinct(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(dict.fromkeys(findings))[:_MOST]


def check_machine_co_authors(settings: Settings) -> Iterator[Problem]:
    """Refuses addresses that GitHub gives to people: the list must not hide an author."""
    host = noreply_host(settings.github.server_url)
    for address in sorted(settings.machine_co_authors):
        name, _, domain = address.partition("@")
        if domain == f"users.noreply.{host}" and not ("+" not in name and name.endswith("[bot]")):
            yield Problem(
                ("spec", "machineCoAuthors"),
                SETTINGS_RULE,
                f"{shown(address)} is an address that GitHub gives to an account, which can be a "
                "person's",
                "Take it out: daypass knows the account by its number, or asks GitHub.",
            )
