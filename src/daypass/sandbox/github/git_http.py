"""git over HTTP: git's own `http-backend`, behind GitHub's log-in, rules and record of pushes."""

from __future__ import annotations

import gzip
import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daypass.sandbox.github import merging
from daypass.sandbox.github.git_store import NOTHING, git_environment
from daypass.sandbox.github.routing import RefusalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.sandbox.github.accounts import Account, Credential
    from daypass.sandbox.github.hub import Hub
    from daypass.sandbox.github.state import Repository

PATH: Final = re.compile(
    r"/(?P<owner>[^/]+)/(?P<repo>[^/]+?)(?:\.git)?"
    r"/(?P<service>info/refs|git-upload-pack|git-receive-pack)"
)
_RECEIVE: Final = "git-receive-pack"


class GitAnswer:
    """Status, headers and body as git's CGI program gave them."""

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        self.status = 200
        self.headers: dict[str, str] = {}
        for line in head.decode("latin-1").split("\r\n"):
            name, _, value = line.partition(": ")
            if name == "Status":
                self.status = int(value.split(" ")[0])
            elif name:
                self.headers[name] = value


def serve(
    hub: Hub,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    credential: Credential | None,
) -> GitAnswer:
    """Answer a git request.

    Raises:
        RefusalError: 401 when nobody is logged in and must be, 403 without write access, 404 for
            repositories that the caller may not see.
    """
    match = PATH.fullmatch(path)
    if match is None:
        raise RefusalError(404, "Not Found")
    service = match["service"]
    pushing = _RECEIVE in (service, query.partition("service=")[2].partition("&")[0])
    repository = _allowed(hub, match["owner"], match["repo"], credential, pushing=pushing)
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    environment = {
        **git_environment(repository.store.path),
        "GIT_PROJECT_ROOT": str(repository.store.path),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{service}",
        "REQUEST_METHOD": method,
        "QUERY_STRING": query,
        "CONTENT_TYPE": headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "GIT_PROTOCOL": headers.get("git-protocol", ""),
        "REMOTE_ADDR": "127.0.0.1",
    }
    if credential is not None:
        environment["REMOTE_USER"] = credential.account.login
    if service == _RECEIVE and credential is not None:
        return _receive(hub, repository, credential.account, environment, body)
    return GitAnswer(_backend(environment, body))


def _allowed(
    hub: Hub, owner: str, name: str, credential: Credential | None, *, pushing: bool
) -> Repository:
    repository = hub.repository(owner, name)
    if repository is None:
        raise RefusalError(404 if credential else 401, "Repository not found.")
    if credential is None:
        if repository.private or pushing:
            raise RefusalError(401, "Authentication required.")
        return repository
    if credential.permissions is None:
        role = repository.role(credential.account)
        reads, writes = role != "none", role in ("write", "admin")
    else:
        inside = credential.repository_ids is None or repository.id in credential.repository_ids
        reads = inside and credential.allows("contents", "read")
        writes = inside and credential.allows("contents", "write")
    if not reads:
        raise RefusalError(404, "Repository not found.")
    if pushing and not writes:
        raise RefusalError(403, f"Permission to {repository.full_name}.git denied.")
    return repository


def _receive(
    hub: Hub, repository: Repository, actor: Account, environment: Mapping[str, str], body: bytes
) -> GitAnswer:
    """A push: the update hook holds it against the rules, and what moved goes on record."""
    rules = repository.rules
    with repository.lock, tempfile.NamedTemporaryFile(prefix="daypass-push-") as receipt:
        extra = {
            "BOX_PROTECTED": repository.default_branch if rules.protected else "",
            "BOX_BYPASS": "1" if actor.id in rules.bypass else "0",
            "BOX_RECEIPT": receipt.name,
        }
        answer = GitAnswer(_backend({**environment, **extra}, body))
        moved = [line.split(" ") for line in Path(receipt.name).read_text().splitlines()]
        for before, after, ref in moved:
            if ref.startswith("refs/heads/"):
                kind = _kind(repository, before, after)
                hub.record(repository, actor, ref, before, after, kind)
        merging.after_push(hub, repository, actor, [ref for _, _, ref in moved])
    return answer


def _kind(repository: Repository, before: str, after: str) -> str:
    if before == NOTHING:
        return "branch_creation"
    if after == NOTHING:
        return "branch_deletion"
    forward = repository.store.attempt("merge-base", "--is-ancestor", before, after)
    return "push" if forward.returncode == 0 else "force_push"


def _backend(environment: Mapping[str, str], body: bytes) -> bytes:
    return subprocess.run(
        ["git", "http-backend"],  # noqa: S607  -- the person's own git
        check=False,
        input=body,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(environment),
    ).stdout
