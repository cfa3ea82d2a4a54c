"""Schemas: where they lie, what they say, and the digest of them all.

An installed daypass carries them beside its code; a source checkout has them at its top.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from daypass.model.names import Kind

SCHEMA_FILES: Final = {
    Kind.ACCESS_REQUEST: "access-request.schema.json",
    Kind.BREAK_GLASS_REQUEST: "break-glass-request.schema.json",
    Kind.RESOURCE: "resource.schema.json",
    Kind.IDENTITY: "identity.schema.json",
    Kind.ACCESS_POLICY: "access-policy.schema.json",
    Kind.POLICY_EXCEPTION: "policy-exception.schema.json",
    Kind.POLICY_TEST: "policy-test.schema.json",
    Kind.SETTINGS: "settings.schema.json",
    Kind.GRANT: "grant.schema.json",
    Kind.OBLIGATION: "obligation.schema.json",
}


@cache
def schema_folder() -> Path:
    """The folder of this release's schemas."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "schemas"
    return installed if installed.is_dir() else package.parents[1] / "schemas"


@cache
def workflow_folder() -> Path:
    """The folder of this release's workflows."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "workflows"
    return installed if installed.is_dir() else package.parents[1] / ".github" / "workflows"


@cache
def schema_bytes(kind: Kind) -> bytes:
    """The schema of a kind of document, as its file holds it."""
    return (schema_folder() / SCHEMA_FILES[kind]).read_bytes()


def schema_of(kind: Kind) -> dict[str, Any]:
    """The schema of a kind of document."""
    schema: dict[str, Any] = json.loads(schema_bytes(kind))
    return schema


@cache
def schemas_digest() -> str:
    """SHA-256 over all schemas of this release, in hex."""
    digest = hashlib.sha256()
    for kind in sorted(SCHEMA_FILES):
        digest.update(hashlib.sha256(schema_bytes(kind)).digest())
    return digest.hexdigest()
