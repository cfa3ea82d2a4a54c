"""REST: the repository itself: commits, contents, branches, rules, pushes, checks, dispatches."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from daypass.sandbox.github.git_store import NOTHING
from daypass.sandbox.github.routing import Answer, Call, RefusalError, Routes
from daypass.sandbox.github.state import Dispatch
from daypass.sandbox.github.views import node_id, role_flags

if TYPE_CHECKING:
    from collections.abc import Callable

    from daypass.sandbox.github.state import Activity

routes = Routes()
_REPOSITORY: Final = "/repos/{owner}/{repo}"
_CONTENTS: Final = "contents:read"


@routes.add("GET", _REPOSITORY)
def repository(call: Call) -> Answer:
    """The repository."""
    return Answer(call.hub.views.repository_full(call.repository, call.viewer))


@routes.add("GET", _REPOSITORY + "/activity", needs=_CONTENTS)
def activity(call: Call) -> Answer:
    """The record of pushes, newest first, filtered, paged by cursors as GitHub does."""
    ref = call.query.get("ref")
    wanted: dict[str, str | None] = {
        "ref": ref if ref is None or ref.startswith("refs/") else f"refs/heads/{ref}",
        "type": call.query.get("activity_type"),
    }
    actor = call.query.get("actor")
    found = [
        item
        for item in list(call.repository.activities)
        if all(value in (None, getattr(item, name)) for name, value in wanted.items())
        and actor in (None, item.actor.login)
    ]
    if call.query.get("direction", "desc") == "desc":
        found.reverse()
    return _cursor_page(call, found, call.hub.views.activity)


@routes.add("GET", _REPOSITORY + "/collaborators/{username}/permission")
def permission(call: Call) -> Answer:
    """What somebody may do; a coarse answer, as GitHub's own."""
    account = call.hub.directory.by_login(call.parameters["username"])
    if account is None:
        raise RefusalError(404, "Not Found")
    role = call.repository.role(account)
    user = {
        **(call.hub.views.user(account) or {}),
        "permissions": role_flags(role),
        "role_name": role,
    }
    return Answer({"permission": role, "role_name": role, "user": user})


@routes.add("GET", _REPOSITORY + "/contents/{path}", needs=_CONTENTS)
def contents(call: Call) -> Answer:
    """A file, as base64."""
    branch = call.query.get("ref", call.repository.default_branch)
    commit = call.repository.store.resolve(branch)
    path = call.parameters["path"]
    found = None if commit is None else call.repository.store.blob(commit, path)
    if found is None:
        raise RefusalError(404, "Not Found")
    sha, content = found
    api = f"{call.hub.views.api_url}/repos/{call.repository.full_name}"
    html = f"{call.hub.server_url}/{call.repository.full_name}"
    url, git_url = f"{api}/contents/{quote(path)}?ref={quote(branch)}", f"{api}/git/blobs/{sha}"
    page = f"{html}/blob/{quote(branch)}/{quote(path)}"
    return Answer(
        {
            "type": "file",
            "encoding": "base64",
            "size": len(content),
            "name": path.rpartition("/")[2],
            "path": path,
            "content": base64.encodebytes(content).decode(),
            "sha": sha,
            "url": url,
            "git_url": git_url,
            "html_url": page,
            "download_url": f"{html}/raw/{quote(branch)}/{quote(path)}",
            "_links": {"self": url, "git": git_url, "html": page},
        }
    )


@routes.add("GET", _REPOSITORY + "/branches/{branch}", needs=_CONTENTS)
def branch(call: Call) -> Answer:
    """A branch, its head, and whether rules guard it."""
    name = call.parameters["branch"]
    head = call.repository.store.branch(name)
    if head is None:
        raise RefusalError(404, "Branch not found")
    api = f"{call.hub.views.api_url}/repos/{call.repository.full_name}/branches/{name}"
    found = call.repository
    is_guarded = found.rules.protected or found.protection is not None
    guarded = is_guarded and name == found.default_branch
    return Answer(
        {
            "name": name,
            "commit": call.hub.views.commit(call.repository, head),
            "_links": {
                "self": api,
                "html": f"{call.hub.server_url}/{call.repository.full_name}/tree/{name}",
            },
            "protected": guarded,
            # Rulesets guard it, not the older branch protection: GitHub says so in this way.
            "protection": {
                "enabled": guarded,
                "required_status_checks": {
                    "enforcement_level": "off",
                    "contexts": [],
                    "checks": [],
                },
            },
            "protection_url": f"{api}/protection",
        }
    )


@routes.add("GET", _REPOSITORY + "/git/ref/{ref}", needs=_CONTENTS)
def git_ref(call: Call) -> Answer:
    """A ref, `heads/main` for example."""
    ref = f"refs/{call.parameters['ref']}"
    head = call.repository.store.resolve(ref)
    if head is None:
        raise RefusalError(404, "Not Found")
    api = f"{call.hub.views.api_url}/repos/{call.repository.full_name}/git"
    return Answer(
        {
            "ref": ref,
            "node_id": node_id("Ref", int(head[:12], 16)),
            "url": f"{api}/{ref}",
            "object": {"type": "commit", "sha": head, "url": f"{api}/commits/{head}"},
        }
    )


@routes.add("DELETE", _REPOSITORY + "/git/refs/{ref}", needs="contents:write", role="write")
def delete_ref(call: Call) -> Answer:
    """Remove a branch, as people do after a merge."""
    ref = f"refs/{call.parameters['ref']}"
    found = call.repository
    with found.lock:
        head = found.store.resolve(ref)
        if head is None:
            raise RefusalError(422, "Reference does not exist")
        if ref == f"refs/heads/{found.default_branch}":
            raise RefusalError(422, "Cannot delete the default branch")
        found.store.move(ref, NOTHING, head)
        call.hub.record(found, call.actor, ref, head, NOTHING, "branch_deletion")
    return Answer(status=204)


@routes.add("GET", _REPOSITORY + "/commits/{sha}", needs=_CONTENTS)
def commit(call: Call) -> Answer:
    """A commit."""
    sha = call.repository.store.resolve(call.parameters["sha"])
    if sha is None:
        raise RefusalError(422, f"No commit found for SHA: {call.parameters['sha']}")
    return Answer(call.hub.views.commit(call.repository, sha))


@routes.add(
    "POST",
    _REPOSITORY + "/actions/workflows/{workflow_id}/dispatches",
    needs="actions:write",
    role="write",
)
def dispatch(call: Call) -> Answer:
    """Ask for a workflow run. The box keeps the wish; who plays GitHub's part runs it."""
    inputs = call.fields.get("inputs") or {}
    call.repository.dispatches.append(
        Dispatch(call.parameters["workflow_id"], call.text("ref"), dict(inputs), call.actor)
    )
    return Answer(status=204)


@routes.add("POST", _REPOSITORY + "/statuses/{sha}", needs="statuses:write", role="write")
def create_status(call: Call) -> Answer:
    """Set a commit status: anybody with write access can set any."""
    sha = call.repository.store.resolve(call.parameters["sha"])
    if sha is None:
        raise RefusalError(422, f"No commit found for SHA: {call.parameters['sha']}")
    number, now = call.hub.directory.new_id(), call.hub.clock.stamp()
    api = f"{call.hub.views.api_url}/repos/{call.repository.full_name}"
    status = {
        "url": f"{api}/statuses/{sha}",
        "avatar_url": None,
        "id": number,
        "node_id": node_id("Status", number),
        "state": call.text("state"),
        "description": call.optional_text("description"),
        "target_url": call.optional_text("target_url"),
        "context": call.text("context", "default"),
        "created_at": now,
        "updated_at": now,
        "creator": call.hub.views.user(call.actor),
    }
    call.repository.statuses.setdefault(sha, []).append(status)
    return Answer(status, status=201)


@routes.add("GET", _REPOSITORY + "/commits/{sha}/statuses", needs="statuses:read")
def statuses(call: Call) -> Answer:
    """A commit's statuses, newest first."""
    sha = call.repository.store.resolve(call.parameters["sha"]) or ""
    return call.page(call.repository.statuses.get(sha, [])[::-1], lambda item: item)


def _cursor_page(
    call: Call, items: list[Activity], show: Callable[[Activity], dict[str, Any]]
) -> Answer:
    after = call.query.get("after")
    start = 0
    if after is not None:
        places = (place for place, item in enumerate(items) if str(item.id) == after)
        start = next(places, len(items) - 1) + 1
    shown = items[start : start + call.page_size]
    more = start + call.page_size < len(items)
    return Answer(
        [show(item) for item in shown],
        headers=call.links({"next": {"after": str(shown[-1].id)}} if more else {}),
    )
