"""REST: pull requests, their files, commits and reviews, and merging."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from daypass.sandbox.github import merging
from daypass.sandbox.github.routing import Answer, Call, RefusalError, Routes
from daypass.sandbox.github.state import IssueEvent, Review

if TYPE_CHECKING:
    from daypass.sandbox.github.state import PullRequest, Repository

routes = Routes()
_READ: Final = "pull_requests:read"
_WRITE: Final = "pull_requests:write"
_PULLS: Final = "/repos/{owner}/{repo}/pulls"
_PULL: Final = "/repos/{owner}/{repo}/pulls/{number}"
_EVENTS: Final = {
    "APPROVE": "APPROVED",
    "REQUEST_CHANGES": "CHANGES_REQUESTED",
    "COMMENT": "COMMENTED",
}
_MOST_COMMITS: Final = 250  # what GitHub lists of a pull request, and no more
_MOST_FILES: Final = 3000
_METHODS: Final = ("merge", "squash", "rebase")


@routes.add("GET", _PULLS, needs=_READ)
def pulls(call: Call) -> Answer:
    """Pull requests, newest (or, by `sort`, changed last) first, filtered by three fields."""
    state, head, base = (
        call.query.get("state", "open"),
        call.query.get("head"),
        call.query.get("base"),
    )
    found = [
        item
        for item in reversed(list(call.repository.pulls.values()))
        if state in ("all", item.issue.state)
        and head in (None, f"{item.head_owner.login}:{item.head_ref}")
        and base in (None, item.base_ref)
    ]
    if call.query.get("sort") == "updated":
        found.sort(key=lambda item: item.issue.updated_at, reverse=True)
    if call.query.get("direction") == "asc":
        found.reverse()
    return call.page(found, lambda item: call.hub.views.pull_request_simple(call.repository, item))


@routes.add("POST", _PULLS, needs=_WRITE)
def open_pull(call: Call) -> Answer:
    """Open one; `head` is a branch, or `login:branch` for one in a fork."""
    repository = call.repository
    with repository.lock:
        pull = merging.open_pull_request(
            call.hub,
            repository,
            call.actor,
            title=call.text("title"),
            body=call.optional_text("body"),
            head=_source(call, repository),
            base_ref=call.text("base"),
        )
        pull.draft = call.fields.get("draft") is True
    return Answer(_shown(call, pull), status=201)


@routes.add("GET", _PULL, needs=_READ)
def pull(call: Call) -> Answer:
    """One pull request."""
    return Answer(_shown(call, call.pull))


@routes.add("PATCH", _PULL, needs=_WRITE)
def edit_pull(call: Call) -> Answer:
    """Change title, text or base, close, or open again."""
    with call.repository.lock:
        found, actor = call.pull, call.actor
        if actor is not found.issue.author and not call.may_write:
            raise RefusalError(403, "Must have write access to the repository.")
        found.issue.title = call.text("title", found.issue.title)
        if "body" in call.fields:
            found.issue.body = call.optional_text("body")
        base = call.optional_text("base")
        if base not in (None, found.base_ref):
            merging.retarget(call.hub, call.repository, found, actor, call.text("base"))
        state = call.optional_text("state")
        if state == "closed" and found.open:
            merging.close(call.hub, found, actor)
        elif state == "open" and not found.open:
            if found.merged_at is not None:
                raise RefusalError(422, "Validation Failed: a merged pull request stays closed")
            found.issue.state, found.issue.closed_at, found.issue.closed_by = "open", None, None
            now = call.hub.clock.stamp()
            merging.note_event(call.hub, found, actor, "reopened", now)
        found.issue.updated_at = call.hub.clock.stamp()
    return Answer(_shown(call, found))


@routes.add("GET", _PULL + "/commits", needs=_READ)
def commits_of(call: Call) -> Answer:
    """Its commits, oldest first, 250 at the most."""
    store, found = call.repository.store, call.pull
    base = store.merge_base(found.base_sha, found.head_sha)
    return call.page(
        store.commits_between(base, found.head_sha)[:_MOST_COMMITS],
        lambda sha: call.hub.views.commit(call.repository, sha),
    )


@routes.add("GET", _PULL + "/files", needs=_READ)
def files_of(call: Call) -> Answer:
    """The files that it changes, 3,000 at the most."""
    store, found = call.repository.store, call.pull
    base = store.merge_base(found.base_sha, found.head_sha)
    return call.page(
        store.changes(base, found.head_sha)[:_MOST_FILES],
        lambda change: call.hub.views.file(call.repository, found.head_sha, change),
    )


@routes.add("GET", _PULL + "/reviews", needs=_READ)
def reviews(call: Call) -> Answer:
    """Its reviews in the order in which they were given."""
    found, viewer = call.pull, call.viewer
    seen = [item for item in found.reviews if item.state != "PENDING" or item.author is viewer]
    return call.page(seen, lambda item: call.hub.views.review(call.repository, found, item))


@routes.add("POST", _PULL + "/reviews", needs=_WRITE)
def review(call: Call) -> Answer:
    """Approve, ask for changes, or comment; without an event the review is pending."""
    with call.repository.lock:
        found, actor = call.pull, call.actor
        event = call.optional_text("event")
        if event is not None and event not in _EVENTS:
            raise RefusalError(422, f"Validation Failed: event {event} is not known")
        own = actor is found.issue.author
        if own and event in ("APPROVE", "REQUEST_CHANGES"):
            what = "approve" if event == "APPROVE" else "request changes on"
            raise RefusalError(422, f"Unprocessable Entity: Can not {what} your own pull request")
        body = call.text("body", "")
        if not body and event in ("REQUEST_CHANGES", "COMMENT"):
            raise RefusalError(422, "Validation Failed: a body is required")
        commit = call.optional_text("commit_id") or found.head_sha
        base = call.repository.store.merge_base(found.base_sha, found.head_sha)
        if commit not in call.repository.store.commits_between(base, found.head_sha):
            raise RefusalError(422, "Validation Failed: commit_id is not part of the pull request")
        given = Review(
            id=call.hub.directory.new_id(),
            author=actor,
            state="PENDING" if event is None else _EVENTS[event],
            body=body,
            commit_id=commit,
            submitted_at=call.hub.clock.stamp(),
        )
        found.reviews.append(given)
        found.issue.updated_at = given.submitted_at
    return Answer(call.hub.views.review(call.repository, found, given))


@routes.add("GET", _PULL + "/reviews/{review_id}", needs=_READ)
def review_by_id(call: Call) -> Answer:
    """One review."""
    return Answer(call.hub.views.review(call.repository, call.pull, _review(call)))


@routes.add("PUT", _PULL + "/reviews/{review_id}/dismissals", needs=_WRITE, role="write")
def dismiss_review(call: Call) -> Answer:
    """Take away what a review counts for; it stays in the list, as DISMISSED."""
    message = call.text("message")
    with call.repository.lock:
        given = _review(call)
        if given.state not in ("APPROVED", "CHANGES_REQUESTED"):
            raise RefusalError(422, "Validation Failed: Can not dismiss this review")
        event = IssueEvent(
            call.hub.directory.new_id(),
            call.actor,
            "review_dismissed",
            call.hub.clock.stamp(),
            {
                "dismissed_review": {
                    "state": given.state.lower(),
                    "review_id": given.id,
                    "dismissal_message": message,
                }
            },
        )
        call.pull.events.append(event)
        given.state = "DISMISSED"
    return Answer(call.hub.views.review(call.repository, call.pull, given))


@routes.add("GET", _PULL + "/merge", needs=_READ)
def is_merged(call: Call) -> Answer:
    """204 if it was merged, 404 otherwise."""
    if call.pull.merged_at is None:
        raise RefusalError(404, "Not Found")
    return Answer(status=204)


@routes.add("PUT", _PULL + "/merge", needs="contents:write", role="write")
def merge_pull(call: Call) -> Answer:
    """Merge, squash or rebase; `sha` must be the head if it is given."""
    method = call.text("merge_method", "merge")
    if method not in _METHODS:
        raise RefusalError(422, f"Validation Failed: merge_method {method} is not known")
    with call.repository.lock:
        found = call.pull
        if call.optional_text("sha") not in (None, found.head_sha):
            raise RefusalError(409, "Head branch was modified. Review and try the merge again.")
        sha = merging.merge(
            call.hub,
            call.repository,
            found,
            call.actor,
            method=method,
            title=call.optional_text("commit_title"),
            message=call.optional_text("commit_message"),
        )
    return Answer({"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


@routes.add("GET", "/repos/{owner}/{repo}/commits/{sha}/pulls", needs=_READ)
def pulls_of_commit(call: Call) -> Answer:
    """The merged pull requests that brought a commit; open ones that hold it otherwise."""
    repository = call.repository
    sha = repository.store.resolve(call.parameters["sha"])
    if sha is None:
        raise RefusalError(422, f"No commit found for SHA: {call.parameters['sha']}")
    found = [repository.pulls[number] for number in repository.brought_by.get(sha, ())]
    if not found:
        found = [
            item
            for item in list(repository.pulls.values())
            if item.open and _holds(repository, item, sha)
        ]
    return call.page(found, lambda item: call.hub.views.pull_request_simple(repository, item))


def _holds(repository: Repository, item: PullRequest, sha: str) -> bool:
    base = repository.store.merge_base(item.base_sha, item.head_sha)
    return sha in repository.store.commits_between(base, item.head_sha)


def _shown(call: Call, found: PullRequest) -> dict[str, Any]:
    can = merging.mergeable(call.repository, found)
    return call.hub.views.pull_request(call.repository, found, mergeable=can)


def _source(call: Call, repository: Repository) -> tuple[Repository, str]:
    head = call.text("head")
    login, colon, branch = head.rpartition(":")
    if not colon or login.lower() == repository.owner.login.lower():
        if repository.role(call.viewer) not in ("write", "admin") and not call.may_write:
            raise RefusalError(403, "Must have write access to the repository.")
        return repository, branch
    fork = call.hub.repository(login, repository.name)
    if fork is None or fork.parent is not repository:
        raise RefusalError(422, "Validation Failed: head does not exist")
    return fork, branch


def _review(call: Call) -> Review:
    wanted = call.parameters["review_id"]
    found = next((item for item in call.pull.reviews if str(item.id) == wanted), None)
    if found is None:
        raise RefusalError(404, "Not Found")
    return found
