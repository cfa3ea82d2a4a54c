"""The organisation that the box plays: who is there, and what its governed repository holds."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import yaml

from daypass.documents.resources import schema_folder
from daypass.documents.workflows import governed_workflows
from daypass.model.names import (
    ALLOWED_SIGNERS_PATH,
    API_VERSION,
    RELEASE_PATH,
    SETTINGS_PATH,
    Kind,
)
from daypass.sandbox.database_engine import LOOK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from daypass.sandbox.box import Box

# alice asks; bob and carol run the databases; carol and dave look after security; dave owns the
# orders; mallory is a colleague with write access, in no team.
PEOPLE: Final = ("alice", "bob", "carol", "dave", "mallory")
TEAMS: Final = {"dba": ("bob", "carol"), "security": ("carol", "dave"), "orders": ("dave", "bob")}
# Their keys are pinned in their identities, which resources of high and critical sensitivity want.
PINNED: Final = ("bob", "carol")
# They may take access of Vault itself, while GitHub is down.
OFFLINE: Final = ("alice", "bob")
# The deployer's: its private key was thrown away, since nothing is claimed as it here.
DEPLOYER_KEY: Final = "age1w4cjmlye4reg5qcyamekl6yk8890mg4rw0va9fplaa6h79ek2f9smz865k"
AUDIENCE: Final = "daypass-in-a-box"
EVIDENCE_EMAIL: Final = "daypass@acme.example"

# What mints, and what decisions rest on: changes need a review by an owner of the foundation.
_OWNED: Final = (
    "/.github/",
    "/access/policies/",
    "/access/exceptions/",
    "/access/resources/",
    "/access/identities/",
    "/access/daypass.yaml",
    "/access/allowed_signers",
    "/schemas/",
)

Spec = dict[str, Any]


def document(kind: Kind, name: str, spec: Spec, *, schema: str | None = None) -> bytes:
    """A document as a person would write it: YAML, with the line that editors look for."""
    key = "id" if kind in (Kind.ACCESS_REQUEST, Kind.BREAK_GLASS_REQUEST) else "name"
    value = {
        "apiVersion": API_VERSION,
        "kind": str(kind),
        "metadata": {key: name},
        "spec": spec,
    }
    head = "" if schema is None else f"# yaml-language-server: $schema={schema}\n"
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
    return (head + text).encode()


def request(
    request_id: str,
    *,
    subject: str = "alice",
    resource: str = "orders-db",
    access: str = "read",
    duration: str = "1m",
    reason: str = "Orders stuck in `paid` since the 14:00 deploy",
    **more: Any,
) -> dict[str, bytes | None]:
    """An AccessRequest at its path, to be proposed by a person."""
    spec = {
        "subject": subject,
        "resource": resource,
        "access": access,
        "duration": duration,
        "reason": reason,
        **more,
    }
    schema = "../../schemas/access-request.schema.json"
    content = document(Kind.ACCESS_REQUEST, request_id, spec, schema=schema)
    return {f"access/requests/{request_id}.yaml": content}


def governed_repository(box: Box, *, pin: str | None = None) -> dict[str, bytes]:
    """The first commit of the governed repository: path → content; `pin` is its daypass.txt."""
    release = b"" if pin is None else pin.encode()
    digest = hashlib.sha256(release).hexdigest() if release else ""
    return {
        **({RELEASE_PATH: release} if release else {}),
        ".github/CODEOWNERS": _code_owners(f"@{box.github.organisation.login}/security"),
        "README.md": b"# acme: access by pull request\n",
        SETTINGS_PATH: document(Kind.SETTINGS, "daypass", _settings(box)),
        ALLOWED_SIGNERS_PATH: box.allowed_signers().encode(),
        **_documents(Kind.RESOURCE, "access/resources", _resources(box)),
        **_documents(Kind.IDENTITY, "access/identities", _identities(box)),
        **_documents(Kind.ACCESS_POLICY, "access/policies", _policies()),
        **_copies(schema_folder(), "schemas", "*.json"),
        **governed_workflows(box.branch, box.control, digest),
    }


def _code_owners(team: str) -> bytes:
    return "".join(f"{pattern} {team}\n" for pattern in _OWNED).encode()


def _documents(kind: Kind, folder: str, specs: Mapping[str, Spec]) -> dict[str, bytes]:
    return {f"{folder}/{name}.yaml": document(kind, name, spec) for name, spec in specs.items()}


def _copies(folder: Path, target: str, pattern: str) -> dict[str, bytes]:
    return {f"{target}/{path.name}": path.read_bytes() for path in sorted(folder.glob(pattern))}


def _settings(box: Box) -> Spec:
    github = box.github
    return {
        "github": {
            "owner": github.organisation.login,
            "ownerId": github.organisation.id,
            "repository": box.repository_name,
            "repositoryId": box.repository_id,
            "appId": github.app.id,
            "appUserId": github.app.bot.id,
            "installationId": github.app.installation_id,
            "apiUrl": github.api_url,
            "serverUrl": github.server_url,
            "oidcIssuer": github.issuer.url,
            **({} if box.branch == "main" else {"defaultBranch": box.branch}),
        },
        **({} if box.control is None else {"control": asdict(box.control)}),
        "vault": {"address": box.bao.address, "audience": AUDIENCE},
        "evidence": {"email": EVIDENCE_EMAIL, "fingerprint": box.evidence_fingerprint},
        "groups": {
            "dba": ["team:dba"],
            "security": ["team:security"],
            "orders-team": ["team:orders"],
        },
        "teams": {slug: team.id for slug, team in sorted(github.teams.items())},
        "foundation": {"owners": ["security"]},
        "breakGlass": {
            "invokers": ["dba", "alice"],
            "reviewers": ["security"],
            "incident": "INC-[0-9]+",
            "offline": {"invokers": list(OFFLINE), "levels": ["orders-db/read", "ledger-db/read"]},
        },
    }


def _resources(box: Box) -> dict[str, Spec]:
    connection = {
        "host": box.postgres.host,
        "port": str(box.postgres.port),
        "database": box.postgres.database,
    }
    orders = _level("orders-read", "1m", "1h", "8h")
    admin = _level("orders-admin", "1m", "1h")
    ledger = _level("ledger-read", "1m", "1h") | {"issue": "on-claim"}
    common: Spec = {
        "type": "database",
        "environment": "production",
        "owners": {"business": "orders-team", "lifecycle": "dba"},
    }
    return {
        "orders-db": {
            **common,
            "sensitivity": "moderate",
            "levels": {"read": orders, "admin": admin},
            "maxDuration": "8h",
            "recording": "none",
            "approvers": {"groups": ["dba"], "atLeast": 1},
            "connection": connection,
        },
        "ledger-db": {
            **common,
            "sensitivity": "critical",
            "levels": {"read": ledger},
            "maxDuration": "1h",
            "recording": "none",
            "approvers": {"groups": ["dba"], "atLeast": 1, "owner": True},
            "connection": connection,
        },
    }


def _level(role: str, *tiers: str) -> Spec:
    return {
        "engine": "database",
        "mount": "database",
        "tiers": {tier: f"{role}-{tier}" for tier in tiers},
        "issue": "on-merge",
        "confirm": LOOK,
    }


def _identities(box: Box) -> dict[str, Spec]:
    people: dict[str, Spec] = {}
    for name, account in box.accounts.items():
        people[name] = {
            "type": "human",
            "status": "active",
            "github": {"id": account.id, "login": account.login},
        }
        if name in OFFLINE:
            people[name]["vault"] = {"entity": box.vault_people.entities[name]}
        if name in PINNED:
            people[name]["recipients"] = [box.public_keys[name]]
    deployer: Spec = {
        "type": "ci",
        "status": "active",
        "owners": ["alice", "dave"],
        "environment": "production",
        "recipients": [DEPLOYER_KEY],
        "authn": {
            "method": "oidc",
            "issuer": "https://token.actions.githubusercontent.com",
            "claims": {"repository_id": "456", "environment": "production"},
        },
    }
    return {**people, "orders-deployer": deployer}


def _policies() -> dict[str, Spec]:
    def approved_by(*groups: str) -> Spec:
        wanted = [{"group": group, "atLeast": 1} for group in groups]
        return {"stages": [{"name": "owners", "allOf": wanted}]}

    return {
        "databases": {
            "description": "Using a database needs a word from the people who run it.",
            "effect": "permit",
            "enforcement": "enforce",
            "match": {"resources": {"types": ["database"]}},
            "limits": {"maxDuration": "8h"},
            "approvals": approved_by("dba"),
        },
        "emergencies": {
            "description": "In an emergency, databases open without a word from anybody.",
            "effect": "permit",
            "enforcement": "enforce",
            "match": {
                "resources": {"types": ["database"], "sensitivities": ["low", "moderate"]},
                "lanes": ["break-glass"],
            },
            "approvals": {"notRequired": "Somebody not involved reviews it within a day."},
        },
        "critical": {
            "description": "What can do the most harm needs two words and leaves no secret lying.",
            "effect": "guard",
            "enforcement": "enforce",
            "match": {"resources": {"sensitivities": ["critical"]}},
            "approvals": approved_by("dba", "security"),
            "require": {"issue": "on-claim", "ticket": "OPS-[0-9]+"},
        },
    }
