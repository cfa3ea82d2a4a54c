"""REST: issues, labels and comments; a pull request's comments are its issue's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.sandbox.github import merging
from daypass.sandbox.github.routing import Answer, Call, RefusalError, Routes
from daypass.sandbox.github.state import Comment

if TYPE_CHECKING:
    from daypass.sandbox.github.state import Issue

routes = Routes()
_READ: Final = "issues:read|pull_requests:read"
_WRITE: Final = "issues:write|pull_requests:write"
_ISSUES: Final = "/repos/{owner}/{repo}/issues"
_ISSUE: Final = "/repos/{owner}/{repo}/issues/{number}"
_COMMENT: Final = "/repos/{owner}/{repo}/issues/comments/{comment_id}"
_LONGEST_BODY: Final = 65_536  # characters


@routes.add("GET", _ISSUES, needs=_READ)
def issues(call: Call) -> Answer:
    """Issues and pull requests, newest first, filtered by `state`, `labels` and `creator`."""
    state, creator = call.query.get("state", "open"), call.query.get("creator")
    labels = {item for item in call.query.get("labels", "").split(",") if item}
    found = [
        item
        for item in reversed(list(call.repository.issues.values()))
        if state in ("all", item.state)
        and labels <= set(item.labels)
        and creator in (None, item.author.login)
    ]
    return call.page(found, lambda item: call.hub.views.issue(call.repository, item))


@routes.add("POST", _ISSUES, needs="issues:write")
def open_issue(call: Call) -> Answer:
    """Open an issue."""
    with call.repository.lock:
        issue = merging.open_issue(
            call.hub, call.repository, call.actor, call.text("title"), call.optional_text("body")
        )
        issue.labels = [str(item) for item in call.fields.get("labels", ())]
    return Answer(call.hub.views.issue(call.repository, issue), status=201)


@routes.add("GET", _ISSUE, needs=_READ)
def issue(call: Call) -> Answer:
    """One issue."""
    return Answer(call.hub.views.issue(call.repository, call.issue))


@routes.add("PATCH", _ISSUE, needs=_WRITE)
def edit_issue(call: Call) -> Answer:
    """Change title or text, close, or open again."""
    with call.repository.lock:
        found = call.issue
        if call.actor is not found.author and not call.may_write:
            raise RefusalError(403, "Must have write access to the repository.")
        found.title = call.text("title", found.title)
        if "body" in call.fields:
            found.body = call.optional_text("body")
        _set_state(call, found, call.text("state", found.state))
        found.updated_at = call.hub.clock.stamp()
    return Answer(call.hub.views.issue(call.repository, found))


@routes.add("POST", _ISSUE + "/labels", needs=_WRITE, role="write")
def add_labels(call: Call) -> Answer:
    """Add labels; GitHub takes an object, and a bare list too."""
    wanted = call.body if isinstance(call.body, list) else call.fields.get("labels", [])
    with call.repository.lock:
        found = call.issue
        found.labels += [str(item) for item in wanted if item not in found.labels]
    return Answer(call.hub.views.issue(call.repository, found)["labels"])


@routes.add("GET", _ISSUE + "/events", needs=_READ)
def events(call: Call) -> Answer:
    """What happened to a pull request, oldest first.

    Its base was changed, a review of it dismissed, and it was merged, closed or opened again.
    """
    pull = call.repository.pulls.get(call.issue.number)
    found = list(pull.events) if pull is not None else []
    return call.page(found, lambda item: call.hub.views.issue_event(call.repository, item))


@routes.add("GET", _ISSUE + "/comments", needs=_READ)
def comments(call: Call) -> Answer:
    """Its comments, oldest first; with `since`, those that were changed no earlier."""
    number, since = call.issue.number, call.query.get("since", "")
    found = [
        item
        for item in list(call.repository.comments.values())
        if item.number == number and item.updated_at >= since
    ]
    return call.page(found, lambda item: call.hub.views.comment(call.repository, item))


@routes.add("POST", _ISSUE + "/comments", needs=_WRITE)
def add_comment(call: Call) -> Answer:
    """Comment."""
    body = _body(call)
    with call.repository.lock:
        number, now = call.issue.number, call.hub.clock.stamp()
        comment = Comment(call.hub.directory.new_id(), number, call.actor, body, now, now)
        call.repository.comments[comment.id] = comment
        call.issue.updated_at = now
    return Answer(call.hub.views.comment(call.repository, comment), status=201)


@routes.add("GET", _COMMENT, needs=_READ)
def comment(call: Call) -> Answer:
    """One comment."""
    return Answer(call.hub.views.comment(call.repository, _comment(call)))


@routes.add("PATCH", _COMMENT, needs=_WRITE)
def edit_comment(call: Call) -> Answer:
    """Edit a comment: its author may, and so may anybody with write access."""
    body = _body(call)
    with call.repository.lock:
        found = _may_change(call)
        found.body, found.updated_at = body, call.hub.clock.stamp()
    return Answer(call.hub.views.comment(call.repository, found))


@routes.add("DELETE", _COMMENT, needs=_WRITE)
def delete_comment(call: Call) -> Answer:
    """Delete a comment: its author may, and so may anybody with write access."""
    with call.repository.lock:
        del call.repository.comments[_may_change(call).id]
    return Answer(status=204)


def _set_state(call: Call, found: Issue, state: str) -> None:
    if state == found.state:
        return
    if state not in ("open", "closed"):
        raise RefusalError(422, "Validation Failed: state is open or closed")
    shut, now = state == "closed", call.hub.clock.stamp()
    found.state = state
    found.closed_at = now if shut else None
    found.closed_by = call.actor if shut else None
    pull = call.repository.pulls.get(found.number)
    if pull is not None:
        merging.note_event(call.hub, pull, call.actor, "closed" if shut else "reopened", now)


def _body(call: Call) -> str:
    body = call.text("body")
    if len(body) > _LONGEST_BODY:
        raise RefusalError(422, "Validation Failed: body is too long (maximum is 65536 characters)")
    return body


def _comment(call: Call) -> Comment:
    wanted = call.parameters["comment_id"]
    found = call.repository.comments.get(int(wanted)) if wanted.isdecimal() else None
    if found is None:
        raise RefusalError(404, "Not Found")
    return found


def _may_change(call: Call) -> Comment:
    found = _comment(call)
    if call.actor is not found.author and not call.may_write:
        raise RefusalError(403, "Must have write access to the repository.")
    return found
