"""A person of the box: an account, a home with an SSH key, a clone; acts through git and HTTP.

Everything that a person does here goes through the doors that people use: `git push` over HTTP,
and GitHub's REST API with their own token.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from daypass.errors import SandboxError
from daypass.sandbox.github.git_store import git_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from daypass.model.secret import Secret
    from daypass.sandbox.github import GitHub
    from daypass.sandbox.github.accounts import Account
    from daypass.sandbox.github.state import Repository

_FIRST_ERROR: Final = 400


@dataclass(frozen=True, slots=True)
class Proposal:
    """A branch to be pushed: its name, what changes on it, and the commit's message."""

    branch: str
    changes: Mapping[str, bytes | None]  # path → content; None removes
    message: str


class Person:
    """Somebody of the box. `home` is theirs; `clone` is where they work."""

    def __init__(
        self, github: GitHub, repository: Repository, account: Account, token: Secret, home: Path
    ) -> None:
        self.account = account
        self.token = token
        self.home = home
        self.clone = home / repository.name
        self.vault_address = ""  # of the organisation's Vault, where its box has one
        self._github = github
        self._repository = repository

    @property
    def login(self) -> str:
        """Their login of today."""
        return self.account.login

    @property
    def ssh_key(self) -> Path:
        """Their private SSH key."""
        return self.home / ".ssh" / "id_ed25519"

    def environment(self) -> dict[str, str]:
        """What their shell has: a home, git's log-in (never on a command line), GH_TOKEN."""
        login = base64.b64encode(f"x-access-token:{self.token.reveal()}".encode()).decode()
        return {
            **git_environment(self.home),
            "GH_TOKEN": self.token.reveal(),
            # A token goes to a server that is not GitHub's own only where its owner says so.
            "GH_HOST": urlsplit(self._github.server_url).netloc,
            "GIT_CONFIG_COUNT": "3",
            "GIT_CONFIG_KEY_0": f"http.{self._github.server_url}/.extraheader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {login}",
            "GIT_CONFIG_KEY_1": "user.name",
            "GIT_CONFIG_VALUE_1": self.account.name or self.account.login,
            "GIT_CONFIG_KEY_2": "user.email",
            "GIT_CONFIG_VALUE_2": min(self.account.emails, default=self.account.email),
        }

    def git(self, *words: str, data: bytes = b"") -> str:
        """Run git in their clone (made at the first call); its standard output.

        Raises:
            SandboxError: git failed; with what it said.
        """
        if not self.clone.exists():
            url = f"{self._github.server_url}/{self._repository.full_name}.git"
            self._run(self.home, "clone", "-q", url, self.clone.name)
        return self._run(self.clone, *words, data=data)

    def push(
        self, proposals: Sequence[Proposal], *, onto: str = "origin/HEAD", force: bool = False
    ) -> None:
        """Commit each proposal on a branch of its own, and push all of them at once.

        Args:
            proposals: what is pushed.
            onto: the commit that each stands on; the default branch is fetched first.
            force: whether the branches may lose commits.

        Raises:
            SandboxError: the push was refused.
        """
        self.git("fetch", "-q", "origin")
        parent = self.git("rev-parse", f"{onto}^{{commit}}").strip()
        stream = b"".join(self._stream(item, parent) for item in proposals)
        self.git("fast-import", "--quiet", "--force", data=stream)
        refs = [f"refs/box/{item.branch}:refs/heads/{item.branch}" for item in proposals]
        self.git("push", "-q", *(["--force"] if force else []), "origin", *refs)

    def propose(
        self,
        branch: str,
        changes: Mapping[str, bytes | None],
        title: str,
        *,
        body: str = "",
        onto: str = "origin/HEAD",
    ) -> int:
        """Push one commit on a new branch, and open a pull request; its number."""
        self.push([Proposal(branch, changes, title)], onto=onto)
        return self.open_pull_request(branch, title, body=body)

    def propose_all(self, proposals: Sequence[Proposal]) -> list[int]:
        """Push all in one go, and open a pull request for each; their numbers."""
        self.push(proposals)
        return [self.open_pull_request(item.branch, item.message) for item in proposals]

    def open_pull_request(self, branch: str, title: str, *, body: str = "") -> int:
        """Open a pull request into the default branch; its number."""
        base = self._repository.default_branch
        value = {"title": title, "body": body, "head": branch, "base": base}
        return int(self.api("POST", self._path("pulls"), value)["number"])

    def approve(self, number: int, *, body: str = "") -> None:
        """Approve what the pull request's head is now."""
        self.api("POST", self._path(f"pulls/{number}/reviews"), {"event": "APPROVE", "body": body})

    def merge(self, number: int, *, method: str = "squash", title: str | None = None) -> str:
        """Merge; the id of the commit that brought it."""
        value = {"merge_method": method} | ({} if title is None else {"commit_title": title})
        return str(self.api("PUT", self._path(f"pulls/{number}/merge"), value)["sha"])

    def close(self, number: int) -> None:
        """Close a pull request, or an issue, without merging."""
        self.api("PATCH", self._path(f"issues/{number}"), {"state": "closed"})

    def comment(self, number: int, body: str) -> int:
        """Comment; the comment's id."""
        path = self._path(f"issues/{number}/comments")
        return int(self.api("POST", path, {"body": body})["id"])

    def comments(self, number: int) -> list[dict[str, Any]]:
        """The first hundred comments, oldest first."""
        found = self.api("GET", self._path(f"issues/{number}/comments?per_page=100"))
        return list(found)

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Call GitHub's REST API as this person.

        Raises:
            SandboxError: GitHub refused; with its status and message.
        """
        target = urlsplit(self._github.api_url)
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=30)
        headers = {"Authorization": f"Bearer {self.token.reveal()}"}
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, target.path + path, body=data, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        value: Any = json.loads(content) if content else {}
        if answer.status >= _FIRST_ERROR:
            raise SandboxError(
                f"GitHub answered {answer.status} to {self.login}'s {method} {path}: "
                f"{value['message']}",
                remedy="Do what GitHub's rules allow, or change them in the box.",
            )
        return value

    def _path(self, rest: str) -> str:
        return f"/repos/{self._repository.full_name}/{rest}"

    def _stream(self, proposal: Proposal, parent: str) -> bytes:
        who = self.git("var", "GIT_COMMITTER_IDENT").strip()
        message = proposal.message.encode()
        parts = [
            f"commit refs/box/{proposal.branch}\ncommitter {who}\n".encode(),
            b"data %d\n%b\nfrom %b\n" % (len(message), message, parent.encode()),
        ]
        for path, content in proposal.changes.items():
            quoted = json.dumps(path, ensure_ascii=False).encode()
            if content is None:
                parts.append(b"D %b\n" % quoted)
            else:
                parts.append(b"M 100644 inline %b\ndata %d\n%b\n" % (quoted, len(content), content))
        return b"".join(parts)

    def _run(self, directory: Path, *words: str, data: bytes = b"") -> str:
        result = subprocess.run(  # noqa: S603  -- git, as this person
            ["git", *words],  # noqa: S607  -- the machine's git
            check=False,
            cwd=directory,
            input=data,
            capture_output=True,
            env=self.environment(),
        )
        if result.returncode != 0:
            said = result.stderr.decode(errors="replace").strip()
            raise SandboxError(
                f"{self.login}'s git {words[0]} failed: {said}",
                remedy="Do what GitHub's rules allow, or change them in the box.",
            )
        return result.stdout.decode(errors="surrogateescape")


def make_home(home: Path, comment: str) -> str:
    """Make a home with a new ed25519 SSH key in it; the public key's line."""
    folder = home / ".ssh"
    folder.mkdir(mode=0o700, parents=True)
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    line = f"{public.decode()} {comment}"
    descriptor = os.open(folder / "id_ed25519", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(private)
    (folder / "id_ed25519.pub").write_text(line + "\n")
    return line
