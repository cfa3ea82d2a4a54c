"""The `Forge` port over GitHub's REST API, as the App or as a person."""

from __future__ import annotations

import math
import re
import time
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import github

from daypass.adapters.github import pulls, teams, wire
from daypass.adapters.github.person import assert_own_api
from daypass.adapters.github.refused import Speaker, no_token
from daypass.adapters.github.sharing import Latest, Once, Patience
from daypass.adapters.github.token import InstallationAuth
from daypass.adapters.github.transport import PER_PAGE, Transport
from daypass.errors import ForgeRefusedError, ForgeUnavailableError, IndeterminateError
from daypass.model.instant import Instant
from daypass.model.pullrequest import ClosedPart, Closing, OpenPart
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from daypass.model.pullrequest import Account, Comment, PullRequest, Team
    from daypass.model.settings import GitHubSettings

T = TypeVar("T")

_UNTIL_GITHUB_KNOWS: Final = (0.5, 1.0, 2.0)  # seconds between questions
_PATIENCE: Final = 30.0  # seconds that a run waits in all for answers that contradict each other
_MARKER: Final = re.compile(r"<!-- daypass:[a-z0-9:._-]+ -->")
_SHA: Final = re.compile(r"[0-9a-f]{40}")
_MOST_OPEN: Final = 5000  # of the list of open pull requests, whose newest come first
CLOSED_PAGES: Final = 10  # of the list of closed pull requests, in one run


class GitHubForge:
    """GitHub for one run: what was asked of teams and accounts is asked once.

    May be used by several threads. Every method may raise ForgeUnavailableError and
    ForgeRefusedError. Close it, or use it in `with`.
    """

    def __init__(
        self, settings: GitHubSettings, auth: github.Auth.Auth | None, by: Speaker
    ) -> None:
        assert_own_api(settings)
        self._settings = settings
        self._auth = auth
        self._transport = Transport(settings.api_url, auth, by)
        self._once = Once()
        self._patience = Patience(_PATIENCE)

    @classmethod
    def as_app(
        cls,
        settings: GitHubSettings,
        sign: Callable[[dict[str, Any]], str],
        now: Callable[[], Instant],
    ) -> GitHubForge:
        """As the App: `sign` makes the App's JWT (RS256) of a payload, `now` is Vault's time."""
        return cls(settings, InstallationAuth(settings, sign, now), Speaker.APP)

    @classmethod
    def as_user(cls, settings: GitHubSettings, token: Secret | None) -> GitHubForge:
        """As the person (or job) whose token it is; without one, as anybody on the internet."""
        if token is None:
            return cls(settings, None, Speaker.NOBODY)
        return cls(settings, github.Auth.Token(token.reveal()), Speaker.PERSON)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()
        if isinstance(self._auth, InstallationAuth):
            self._auth.close()

    def installation_token(self) -> Secret:
        """A token for `git push` that lives five minutes at least. Ask again for each push."""
        if isinstance(self._auth, InstallationAuth):
            return self._auth.secret()
        if isinstance(self._auth, github.Auth.Token):
            return Secret(self._auth.token)
        raise ForgeRefusedError(
            "there is no token to push with", remedy=no_token(self._settings.server_url)
        )

    def pull_requests_of(self, commit: str) -> tuple[PullRequest, ...]:
        """The pull requests that brought a commit to the default branch, merged ones only.

        GitHub can take seconds after a merge until it tells; a request that nobody is said to have
        merged is refused for good. So an empty answer is asked for again, a few times.
        """
        found = self._until(lambda: self._merged_with(commit), bool, Patience(math.inf))
        return tuple(self.pull_request(number) for number in found)

    def _merged_with(self, commit: str) -> tuple[int, ...]:
        here = self._settings
        found = (
            pulls.is_merged_into(here.default_branch, here.repository_id, item)
            for item in self._transport.pages(f"{self._repository}/commits/{_sha(commit)}/pulls")
        )
        return tuple(number for number in found if number is not None)

    def pull_request(self, number: int) -> PullRequest:
        """One pull request, with all that approvals are counted on.

        Lists that contradict it, or each other, come from a replica that lags: it is asked for
        again, a few times.
        """
        return self._until(
            lambda: pulls.fetch(self._transport, self._settings, number),
            lambda found: not pulls.contradicts_itself(found),
        )

    def _until(
        self, ask: Callable[[], T], is_good: Callable[[T], bool], patience: Patience | None = None
    ) -> T:
        """The first good answer, or the last one, within what a run waits in all.

        With a patience of its own it takes nothing from the run's.
        """
        patience = patience or self._patience
        found = ask()
        for pause in _UNTIL_GITHUB_KNOWS:
            if is_good(found) or not patience.take(pause):
                break
            time.sleep(pause)
            found = ask()
        return found

    def account(self, account_id: int) -> Account | None:
        """An account by its numeric id, with its login of today; None when it is gone."""
        return self._once.get(("account", account_id), lambda: self._account(account_id))

    def team_members(self, slug: str, team_id: int | None = None) -> frozenset[int]:
        """Numeric ids of a team's active members, child teams' included (as GitHub counts them).

        By id it costs what it costs by slug: one request for a hundred members. An empty list that
        the team itself contradicts is asked for again, a few times; if it stays so, the team's
        members are not known: ForgeUnavailableError.
        """
        here = self._settings
        path = teams.path_of(here.owner, here.owner_id, slug, team_id)
        return self._once.get(("team", path), lambda: self._team_members(path, slug))

    def _team_members(self, path: str, slug: str) -> frozenset[int]:
        found = self._until(lambda: teams.members(self._transport, path), lambda told: told.agreed)
        if not found.agreed:
            raise ForgeUnavailableError(
                f"GitHub lists no member of the team {slug}, and counts some",
                remedy="Nothing to mend: the next run asks again.",
            )
        return found.ids

    def team(self, slug: str, team_id: int | None = None) -> Team | None:
        """A team as GitHub has it today, by its id if that is given; None when none is seen.

        GitHub tells a token that may not see teams (`read:org`) that there is none.
        """
        here = self._settings
        return teams.find(self._transport, here.owner, here.owner_id, slug, team_id)

    def ssh_keys(self, account: Account) -> tuple[str, ...]:
        """The public keys that GitHub holds for an account, one OpenSSH line each.

        GitHub tells keys by login only, and a login can be given up and taken by somebody else: so
        the login is asked for by the numeric id just before its keys are, whatever `account` says.
        A gone account has no keys.
        """
        return self._once.get(("keys", account.id), lambda: self._ssh_keys(account.id))

    def comments(self, number: int) -> tuple[Comment, ...]:
        """All comments of a pull request, oldest first, as they are now."""
        return self._discussion(number).now()

    def comments_since(self, number: int, since: Instant, most: int) -> tuple[Comment, ...]:
        """Those that were written or changed at or after `since`, oldest first.

        Raises IndeterminateError when there are more than `most`.
        """
        path = f"{self._repository}/issues/{int(number)}/comments"
        query = {"since": str(Instant.from_seconds(since.seconds))}  # GitHub knows no fractions
        items = list(islice(self._transport.pages(path, query), most + 1))
        if len(items) > most:
            raise IndeterminateError(
                f"#{number} has more than {most} comments since {since}",
                remedy="Look at the pull request yourself; delete what floods it.",
            )
        found = wire.read_all(wire.comment, items)
        return tuple(sorted(found, key=lambda comment: comment.id))

    def post_comment(self, number: int, marker: str, body: str, *, first: bool = False) -> Comment:
        """Post a comment unless the App already posted one with that marker (its first line).

        Returns the one that stands. Of two posted at once, the later one is deleted: so what was
        seen of the discussion earlier in this run is good enough to begin with, and nothing need
        be seen of it where no run before can have posted it (`first`).
        """
        known = () if first else self._discussion(number).at_some_time()
        return self._post(number, marker, body, known)

    def put_comment(self, number: int, marker: str, body: str) -> Comment:
        """The same, and if one stands that says something else, it is edited to say this."""
        standing = self._post(number, marker, body, self.comments(number))
        whole = f"{marker}\n{body}"
        if standing.body.replace("\r\n", "\n").strip() == whole.strip():
            return standing
        path = f"{self._repository}/issues/comments/{standing.id}"
        return wire.read(wire.comment, self._transport.patch(path, {"body": whole}))

    def open_pull_requests(self, branch_prefix: str = "") -> OpenPart:
        """The pull requests that are open against the default branch, the newest 5,000 of them.

        With a prefix, only those with a head branch that begins so.
        """
        query = {"state": "open", "base": self._settings.default_branch}
        pages = self._transport.pages(f"{self._repository}/pulls", query)
        listed = wire.read_all(wire.open_pull_request, islice(pages, _MOST_OPEN + 1))
        found = (item for item in listed[:_MOST_OPEN] if item.head_ref.startswith(branch_prefix))
        return OpenPart(tuple(found), is_cut=len(listed) > _MOST_OPEN)

    def closed_pull_requests(self, since: Instant, page: int = 1) -> ClosedPart:
        """Those against the default branch that were closed at or after `since`, unmerged.

        GitHub lists by the time of the last change, newest first: the list is read no further back
        than `since`, since nothing is closed without being changed, and for a few pages.
        """
        query = {
            "state": "closed",
            "base": self._settings.default_branch,
            "sort": "updated",
            "direction": "desc",
            "page": str(page),
        }
        items = self._transport.pages(f"{self._repository}/pulls", query)
        most = CLOSED_PAGES * PER_PAGE
        listed = []
        for value in islice(items, most):
            item = wire.read(wire.closed_pull_request, value)
            if item[0] < since:
                break
            listed.append(item)
        return ClosedPart(
            tuple(item for _, item in listed if item is not None and item.closed_at >= since),
            newest=listed[0][0] if listed else None,
            oldest=listed[-1][0] if listed else None,
            # The last page is read again: what is first there then shows how the list has moved.
            next_page=page + CLOSED_PAGES - 1 if len(listed) == most else None,
        )

    def closing_of(self, number: int, most: int) -> Closing:
        """Who closed a pull request, and the first `most` files that it would have changed."""
        issue = self._transport.get(f"{self._repository}/issues/{int(number)}")
        pages = self._transport.pages(f"{self._repository}/pulls/{int(number)}/files")
        closer = wire.read(lambda value: wire.account(value["closed_by"]), issue)
        files = wire.read_all(wire.changed_file, islice(pages, most + 1))
        return Closing(closer, files[:most], is_cut=len(files) > most)

    def merge(self, number: int, head: str, title: str) -> str:
        """Squash a pull request into its base, if `head` is still its head; the commit."""
        path = f"{self._repository}/pulls/{int(number)}/merge"
        body = {
            "sha": _sha(head),
            "merge_method": "squash",
            "commit_title": title,
            "commit_message": "",
        }
        return wire.read(lambda value: wire.sha(value["sha"]), self._transport.put(path, body))

    def marked_issues(self, mark: str) -> dict[str, tuple[int, str]]:
        """Open issues by the App whose first line begins with `mark`: that line → number, body."""
        pages = self._transport.pages(f"{self._repository}/issues", {"state": "open"})
        issues = wire.read_all(wire.issue, (item for item in pages if "pull_request" not in item))
        found: dict[str, tuple[int, str]] = {}
        for number, author_id, body in sorted(issues):
            line = body.partition("\n")[0].strip()
            if author_id == self._settings.app_user_id and line.startswith(mark):
                found.setdefault(line, (number, body))
        return found

    def open_issue(self, marker: str, title: str, body: str) -> str:
        """Open an issue with that first line; its address. Ask `marked_issues` first."""
        content = {"title": title, "body": f"{marker}\n{body}"}
        answer = self._transport.post(f"{self._repository}/issues", content)
        return wire.read(lambda value: wire.text(value["html_url"]), answer)

    def close_issue(self, number: int) -> None:
        """Close an issue. Idempotent."""
        self._transport.patch(f"{self._repository}/issues/{int(number)}", {"state": "closed"})

    @property
    def _repository(self) -> str:
        return f"/repos/{self._settings.full_name}"

    def _post(self, number: int, marker: str, body: str, known: tuple[Comment, ...]) -> Comment:
        if _MARKER.fullmatch(marker) is None:
            raise ValueError("a marker looks like <!-- daypass:what:which -->")
        standing = self._marked(known, marker)
        if standing is not None:
            return standing
        whole = body if body.partition("\n")[0] == marker else f"{marker}\n{body}"
        path = f"{self._repository}/issues/{number}/comments"
        posted = wire.read(wire.comment, self._transport.post(path, {"body": whole}))
        oldest = self._marked(self.comments(number), marker)
        if oldest is None or oldest.id >= posted.id:
            return posted
        self._transport.delete(f"{self._repository}/issues/comments/{posted.id}")
        return oldest

    def _discussion(self, number: int) -> Latest[tuple[Comment, ...]]:
        return self._once.get(("comments", number), lambda: Latest(lambda: self._comments(number)))

    def _comments(self, number: int) -> tuple[Comment, ...]:
        path = f"{self._repository}/issues/{number}/comments"
        found = wire.read_all(wire.comment, self._transport.pages(path))
        return tuple(sorted(found, key=lambda comment: comment.id))

    def _marked(self, comments: tuple[Comment, ...], marker: str) -> Comment | None:
        """The App's oldest comment with that marker. Anybody else's with it counts for nothing."""
        bot = self._settings.app_user_id
        return next(
            (
                comment
                for comment in comments
                if comment.author_id == bot and comment.body.partition("\n")[0].strip() == marker
            ),
            None,
        )

    def _ssh_keys(self, account_id: int) -> tuple[str, ...]:
        today = self._account(account_id)
        if today is None:
            return ()
        return wire.read_all(wire.key, self._transport.pages(f"/users/{today.login}/keys"))

    def _account(self, account_id: int) -> Account | None:
        # A person's account is seldom gone, and one 404 would take its word from it for the run.
        found = self._until(
            lambda: self._transport.find(f"/user/{account_id}"), lambda value: value is not None
        )
        return wire.read(wire.account, found)


def _sha(text: str) -> str:
    if _SHA.fullmatch(text) is None:
        raise _malformed(f"the commit {text!a}")
    return text


def _malformed(what: str) -> ForgeRefusedError:
    return ForgeRefusedError(
        f"{what} cannot be asked for at GitHub",
        remedy="Check the name where it is written down.",
    )
