"""Hands: the accounts that opened, wrote, committed or pushed a part of a pull request.

None of them approves it. Where one cannot be established, no approval counts at all: the approver
could be the one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.model.co_authors import noreply_account, noreply_host, same_address
from daypass.model.pullrequest import AccountType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.model.pullrequest import Account, PullRequest, PullRequestCommit
    from daypass.model.settings import Settings

# GitHub's own account that commits what people merge and edit in the browser. It is no person:
# who did it stands as the commit's author and as the actor of the push.
WEB_FLOW_ID: Final = 19864447
_REWRITE: Final = (
    "Write the commit anew under an address of your GitHub account (`git config user.email`; then "
    "`git commit --amend --reset-author`, or `git rebase -i` for an older one), and push it"
)
_OPEN_ANEW: Final = "Push the change to a new branch, and open another pull request"
_CO_AUTHOR_REMEDY: Final = (
    "Take the line out (`git commit --amend`, or `git rebase -i` for an older commit) and push; or "
    "name an address that GitHub knows. An assistant's address goes into `machineCoAuthors` of "
    "access/daypass.yaml, by a pull request of its own"
)
_UNREAD_REMEDY: Final = (
    "Move the line into the last paragraph of the message, or take it out (`git commit --amend`, "
    "or `git rebase -i` for an older commit), and push"
)


class UnknownHandError(Exception):
    """An account had a hand in the pull request, and which one is not known.

    `remedy` says how its author mends it; it is empty where there is nothing to do but wait.
    `may_pass` is true for what GitHub may well tell later. Never leaves `daypass.policy`.
    """

    def __init__(self, why: str, remedy: str = "", *, may_pass: bool = False) -> None:
        super().__init__(why)
        self.remedy = remedy
        self.may_pass = may_pass


def hands_of(
    pull_request: PullRequest, parties: frozenset[int], settings: Settings
) -> dict[int, str]:
    """Every account that opened, wrote, committed or pushed any of it, and what it did.

    Args:
        pull_request: as GitHub tells it.
        parties: accounts that are excluded anyway, and may be a bot's.
        settings: those that the decision rests on; they name the machine co-authors.

    Raises:
        UnknownHandError: one of them is not known, or is no person.
    """
    if not pull_request.complete:
        raise UnknownHandError(
            "GitHub does not tell the whole of the pull request"
            + (f": {pull_request.incomplete_because}" if pull_request.incomplete_because else ""),
            may_pass=not pull_request.is_too_large,
        )
    hands: dict[int, str] = {}
    for account, what, remedy in _touches(pull_request):
        if account is None:
            raise UnknownHandError(f"{what} belongs to no GitHub account", remedy)
        if account.type is not AccountType.USER and account.id not in parties:
            # Whoever made the bot act may be the one who approves.
            raise UnknownHandError(
                f"{what} is account {account.id}, which is no person and not the subject",
                "Let a person open, commit and push it",
            )
        hands.setdefault(account.id, what)
    _require_head(pull_request)
    for commit in pull_request.commits:
        for account_id in _co_authors(commit, pull_request, settings):
            hands.setdefault(account_id, f"a co-author of commit {commit.sha[:12]}")
    return hands


def _co_authors(
    commit: PullRequestCommit, pull_request: PullRequest, settings: Settings
) -> Iterator[int]:
    """The accounts that GitHub shows as a commit's authors, or that its message names.

    An address that belongs to an account counts as that account, also where the settings list it
    as a machine's: so the list counts for nothing where GitHub did not say whose the address is.
    """
    host, what = (
        noreply_host(settings.github.server_url),
        f"a co-author of commit {commit.sha[:12]}",
    )
    shown = {item.sha: item.authors for item in pull_request.commit_authors}
    accounts = {item.address: item.account_id for told in shown.values() for item in told}
    yield from (
        item.account_id for item in shown.get(commit.sha, ()) if item.account_id is not None
    )
    for address in map(same_address, commit.co_authors):
        account_id = noreply_account(address, host) or accounts.get(address)
        if account_id is not None:
            yield account_id
        elif commit.sha not in shown:
            why = pull_request.co_authors_unknown_because or "GitHub was not asked"
            raise UnknownHandError(f"who {what} is, is not known: {why}", may_pass=True)
        elif address not in settings.machine_co_authors:
            raise UnknownHandError(f"{what} belongs to no GitHub account", _CO_AUTHOR_REMEDY)
        elif address not in accounts:
            why = "stands in a line that GitHub does not read"
            raise UnknownHandError(f"{what} {why}", _UNREAD_REMEDY)


def _touches(pull_request: PullRequest) -> Iterator[tuple[Account | None, str, str]]:
    """Each account, what it did, and how that is mended where the account is not known."""
    yield pull_request.author, "the author of the pull request", _OPEN_ANEW
    for commit in pull_request.commits:
        yield commit.author, f"the author of commit {commit.sha[:12]}", _REWRITE
        if commit.committer is None or commit.committer.id != WEB_FLOW_ID:
            yield commit.committer, f"the committer of commit {commit.sha[:12]}", _REWRITE
    for push in pull_request.pushes:
        yield push.actor, f"the one who pushed {push.after[:12]}", _OPEN_ANEW


def _require_head(pull_request: PullRequest) -> None:
    """Raises UnknownHandError where GitHub's lists do not show (yet) who made and pushed it."""
    head = pull_request.head_sha
    missing = None
    if not any(commit.sha == head for commit in pull_request.commits):
        missing = f"the author of the head {head[:12]}"
    elif not any(push.after == head for push in pull_request.pushes):
        # Commit e-mails can be forged. Without GitHub's own word on who pushed the head, an
        # approver could have written it in somebody else's name.
        missing = f"the one who pushed the head {head[:12]}"
    if missing is not None:
        raise UnknownHandError(f"{missing} belongs to no GitHub account", may_pass=True)
