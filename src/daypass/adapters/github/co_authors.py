"""Co-authors of commits: which accounts their addresses belong to, by GitHub's own answer.

REST does not tell it. GraphQL does: `Commit.authors` is the git author and everybody named in
`Co-authored-by` trailers, each with the account that the address belongs to. An answer that leaves
out a commit or an author is none: what GitHub does not show (yet) is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from daypass.adapters.github import wire
from daypass.errors import ForgeRefusedError
from daypass.model.co_authors import noreply_account, noreply_host, same_address
from daypass.model.names import FOLDERS, FOUNDATION_PATHS
from daypass.model.pullrequest import CoAuthor, CommitAuthors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daypass.adapters.github.transport import Transport
    from daypass.model.pullrequest import ChangedFile, PullRequestCommit
    from daypass.model.settings import GitHubSettings

_COMMITS: Final = 50  # in one question
_AUTHORS: Final = 100  # of a commit, GitHub's most for one page; of more, the commit is unknown
# Approvals are counted for what lies here, and for nothing else.
_DECIDED: Final = (*FOLDERS, *FOUNDATION_PATHS)


class CoAuthors(NamedTuple):
    """The commits that GitHub answered for, and why not for the others (empty: it did)."""

    answered: tuple[CommitAuthors, ...]
    unknown_because: str = ""


def find_co_authors(
    transport: Transport,
    settings: GitHubSettings,
    commits: Sequence[PullRequestCommit],
    files: Sequence[ChangedFile],
) -> CoAuthors:
    """Ask GitHub for the authors of those commits that name one by an address without an id.

    No commit of the kind, or no file that approvals are counted for: no question.

    Raises:
        ForgeUnavailableError: GitHub does not answer.
    """
    host = noreply_host(settings.server_url)
    asked = [
        commit.sha
        for commit in commits
        if any(noreply_account(address, host) is None for address in commit.co_authors)
    ]
    if not any(map(_is_decided, files)):
        return CoAuthors(())
    answered: list[CommitAuthors] = []
    because: list[str] = []
    try:
        for start in range(0, len(asked), _COMMITS):
            part = asked[start : start + _COMMITS]
            variables = {"owner": settings.owner, "name": settings.repository}
            shown = wire.read(_shown_commits, transport.graphql(_question(part), variables))
            for number, sha in enumerate(part):
                commit = shown.get(_alias(number))
                why = wire.read(_missing_authors, commit)
                if why:
                    because.append(why)
                else:
                    answered.append(CommitAuthors(sha, wire.read(_authors, commit)))
    except ForgeRefusedError as error:
        because.append(f"GitHub refuses to tell ({error.message})")
    return CoAuthors(tuple(answered), because[0] if because else "")


def _is_decided(file: ChangedFile) -> bool:
    return any(f"{path}/".startswith(f"{place}/") for path in file.paths for place in _DECIDED)


def _alias(number: int) -> str:
    return f"c{number}"


def _question(commits: Sequence[str]) -> str:
    """A query for the authors of these commits. Their ids are hexadecimal, as `wire` has seen."""
    fields = "".join(
        f'{_alias(number)}: object(oid: "{sha}") {{ ... on Commit {{ authors(first: {_AUTHORS}) '
        "{ nodes { email user { databaseId } } pageInfo { hasNextPage } } } } "
        for number, sha in enumerate(commits)
    )
    return (
        "query($owner: String!, $name: String!) "
        f"{{ repository(owner: $owner, name: $name) {{ {fields}}} }}"
    )


def _shown_commits(data: Any) -> dict[str, Any]:
    """The commits asked for, by alias; None for one that GitHub does not show."""
    return dict(data["repository"])


def _missing_authors(commit: Any) -> str:
    """Why GitHub's answer for a commit is not all of its authors; empty when it is."""
    # The git author is always among them: a commit without any is not read yet.
    if commit is None or not commit["authors"]["nodes"]:
        return "GitHub does not show one of the commits yet"
    if commit["authors"]["pageInfo"]["hasNextPage"] is not False:
        return f"one of the commits has more than {_AUTHORS} authors, and GitHub shows no more"
    return ""


def _authors(commit: Any) -> tuple[CoAuthor, ...]:
    """Each author's address, and the account that it belongs to."""
    return tuple(
        CoAuthor(
            same_address(wire.optional(wire.text, author["email"]) or ""),
            wire.optional(lambda user: wire.number(user["databaseId"]), author["user"]),
        )
        for author in commit["authors"]["nodes"]
    )
