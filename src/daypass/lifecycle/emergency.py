"""The emergency lane's door: which pull requests daypass itself may merge, and which it had merged.

Nobody approves them, so what takes the place of an approval is proven: the invoker alone wrote and
opened it, it holds one request and nothing else, and the App, not a person, merged it, after the
decision point had permitted it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.model.names import break_glass_path, is_name
from daypass.model.pullrequest import AccountType

if TYPE_CHECKING:
    from daypass.lifecycle.world import RequestFile
    from daypass.model.pullrequest import PullRequest
    from daypass.model.settings import GitHubSettings

BRANCH_PREFIX: Final = "break-glass/"  # only such branches are looked at: every run looks at them
_FOLDER: Final = "access/break-glass/"
_ENDING: Final = ".yaml"


def is_from_fork(pull_request: PullRequest, github: GitHubSettings) -> bool:
    """Whether its branch lies in another repository, or in one that is gone."""
    return pull_request.head_repository_id != github.repository_id


def push_here(github: GitHubSettings) -> str:
    """Why nothing from a fork is granted or proven, and how to mend it."""
    return (
        f"it comes from a fork, and the App cannot see who pushed there: push the branch to "
        f"{github.full_name}, and open the pull request from it"
    )


def is_into_main(pull_request: PullRequest, github: GitHubSettings) -> bool:
    """Whether it would be merged into the governed branch."""
    there = pull_request.base_repository_id, pull_request.base_ref
    return there == (github.repository_id, github.default_branch)


def request_of(pull_request: PullRequest) -> str | None:
    """The id of the one request that the pull request brings; None when it brings anything else."""
    files = pull_request.files
    if len(files) != 1 or files[0].status != "added":
        return None
    name = files[0].path.removeprefix(_FOLDER).removesuffix(_ENDING)
    return name if is_name(name) and files[0].path == break_glass_path(name) else None


def fault_of(pull_request: PullRequest, github: GitHubSettings) -> str | None:
    """Why it is no emergency of its author's own; None when it is. For people."""
    author = pull_request.author
    if author is None or author.type is not AccountType.USER:
        return "whoever opened it is no person's account"
    misplaced = _misplaced(pull_request, github)
    if misplaced is not None:
        return misplaced
    if request_of(pull_request) is None:
        return "it must add one file in access/break-glass, and change nothing else"
    others = [
        "somebody whose account is gone" if push.actor is None else f"account {push.actor.id}"
        for push in pull_request.pushes
        if push.actor is None or push.actor.id != author.id
    ]
    if others:
        return f"{others[0]} pushed to it: an emergency is written by its invoker alone"
    return None


def _misplaced(pull_request: PullRequest, github: GitHubSettings) -> str | None:
    """Why no run would look at it, or could tell who wrote it."""
    if is_from_fork(pull_request, github):
        return push_here(github)
    if not is_into_main(pull_request, github):
        return f"it is into {pull_request.base_ref}, and not into {github.default_branch}"
    if not pull_request.head_ref.startswith(BRANCH_PREFIX):
        return (
            f"its branch is {pull_request.head_ref}, and only branches whose names begin with "
            f"{BRANCH_PREFIX} are looked at: `daypass break-glass` makes one"
        )
    return None


def fault_of_merged(
    pull_request: PullRequest, file: RequestFile, github: GitHubSettings
) -> str | None:
    """Why a request on main did not come through this door; None when it did. For people."""
    merger = pull_request.merged_by
    if merger is None or merger.id != github.app_user_id:
        who = "an account that is gone" if merger is None else f"account {merger.id}"
        return f"#{pull_request.number} was merged by {who}: only daypass merges an emergency"
    if request_of(pull_request) != file.grant_id:
        return f"#{pull_request.number} holds more than this one emergency"
    return fault_of(pull_request, github)
