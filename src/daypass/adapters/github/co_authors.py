"""Co-authors of commits: which accounts their addresses belong to, by GitHub's own answer.

REST does not tell it. GraphQL does: `Commit.authors` is the git author and everybody named in
`Co-authored-by` trailers, each with the account that the address belongs to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from daypass.adapters.github import wire
from daypass.errors import ForgeRefusedError
from daypass.model.co_authors import noreply_account, noreply_host, same_address
from daypass.model.pullrequest import CoAuthor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daypass.adapters.github.transport import Transport
    from daypass.model.pullrequest import PullRequestCommit
    from daypass.model.settings import GitHubSettings

_COMMITS: Final = 50  # in one question
_AUTHORS: Final = 100  # of a commit, GitHub's most for one page; the rest stays unknown


class CoAuthors(NamedTuple):
    """Those that GitHub knows, and why it did not say who they are (empty when it did)."""

    known: tuple[CoAuthor, ...]
    unknown_because: str = ""


def find_co_authors(
    transport: Transport, settings: GitHubSettings, commits: Sequence[PullRequestCommit]
) -> CoAuthors:
    """Ask GitHub for the co-authors of those commits that name one by an address without an id.

    No commit of the kind: no question.

    Raises:
        ForgeUnavailableError: GitHub does not answer.
    """
    host = noreply_host(settings.server_url)
    asked = [
        commit.sha
        for commit in commits
        if any(noreply_account(address, host) is None for address in commit.co_authors)
    ]
    named = {same_address(address) for commit in commits for address in commit.co_authors}
    known: dict[str, int] = {}
    unknown_because = ""
    try:
        for start in range(0, len(asked), _COMMITS):
            query = _question(asked[start : start + _COMMITS])
            variables = {"owner": settings.owner, "name": settings.repository}
            shown = wire.read(_shown_commits, transport.graphql(query, variables))
            known.update(wire.read(_accounts, shown))
            if None in shown:
                unknown_because = "GitHub does not show one of the commits yet"
    except ForgeRefusedError as error:
        unknown_because = f"GitHub refuses to tell ({error.message})"
    found = (CoAuthor(address, known[address]) for address in sorted(named & known.keys()))
    return CoAuthors(tuple(found), unknown_because)


def _question(commits: Sequence[str]) -> str:
    """A query for the authors of these commits. Their ids are hexadecimal, as `wire` has seen."""
    fields = "".join(
        f'c{number}: object(oid: "{sha}") {{ ... on Commit {{ authors(first: {_AUTHORS}) '
        "{ nodes { email user { databaseId } } } } } "
        for number, sha in enumerate(commits)
    )
    return (
        "query($owner: String!, $name: String!) "
        f"{{ repository(owner: $owner, name: $name) {{ {fields}}} }}"
    )


def _shown_commits(data: Any) -> list[Any]:
    """The commits asked for; None for one that GitHub does not show."""
    return list(data["repository"].values())


def _accounts(commits: Sequence[Any]) -> dict[str, int]:
    """Address → id of the account that it belongs to."""
    return {
        same_address(wire.text(author["email"])): wire.number(author["user"]["databaseId"])
        for commit in commits
        if commit is not None
        for author in commit["authors"]["nodes"]
        if author["email"] is not None and author["user"] is not None
    }
