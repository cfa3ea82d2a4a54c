"""The files of `daypass init` in a governed repository, and how files are written over others."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from daypass.documents.codeowners import PLACES
from daypass.documents.document import read_document
from daypass.documents.resources import SCHEMA_FILES, schema_folder
from daypass.documents.workflows import PRIVILEGED, governed_workflows
from daypass.errors import UsageError
from daypass.model.names import (
    FOUNDATION_AREAS,
    RELEASE_PATH,
    SETTINGS_PATH,
)
from daypass.model.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def settings_there(root: Path) -> Settings:
    """The settings that lie in the work tree. Raises UsageError, DocumentError."""
    path = root / SETTINGS_PATH
    if leads_away(root, SETTINGS_PATH) or not path.is_file():
        raise UsageError(
            f"there is no {SETTINGS_PATH} in {root}",
            remedy="Run `daypass init` first: it writes one.",
        )
    model = read_document(SETTINGS_PATH, path.read_bytes()).model
    if not isinstance(model, Settings):
        raise UsageError(f"{SETTINGS_PATH} is of another kind", remedy="Its kind is Settings.")
    return model


def governed_files(root: Path, settings: Settings) -> dict[str, bytes]:
    """The schemas and the workflows of this release, for the repository at `root`, by path.

    Raises:
        UsageError: a control repository is named, and the pinned release does not lie here.
    """
    schemas = {
        f"schemas/{name}": (schema_folder() / name).read_bytes() for name in SCHEMA_FILES.values()
    }
    control = settings.control
    pin = "" if control is None else digest(root, RELEASE_PATH)
    return schemas | governed_workflows(settings.github.default_branch, control, pin)


def code_owners(root: Path, settings: Settings) -> dict[str, bytes]:
    """CODEOWNERS of the small set-up, by path: what Vault trusts is the foundation's owners'.

    Nothing where one lies already, or where a control repository holds what Vault trusts.
    """
    if settings.control is not None or any((root / path).exists() for path in PLACES):
        return {}
    members = [name for group in settings.foundation_owners for name in settings.groups[group]]
    teams = [name.removeprefix("team:") for name in members if name.startswith("team:")]
    owners = " ".join(f"@{settings.github.owner}/{team}" for team in teams)
    head = "# Reviewed by the foundation's owners: what decisions rest on, and what Vault trusts.\n"
    lines = "".join(f"/{path} {owners}\n" for path in FOUNDATION_AREAS)
    return {PLACES[0]: (head + lines).encode()}


def no_longer_needed(root: Path, settings: Settings) -> list[str]:
    """The privileged workflows that lie here though a control repository has them."""
    if settings.control is None:
        return []
    return [path for path in PRIVILEGED if (root / path).exists()]


def digest(root: Path, path: str) -> str:
    """SHA-256 of a file below `root`, in hex. Raises UsageError if it is not there."""
    file = root / path
    if not file.is_file():
        raise UsageError(
            f"there is no {path} in {root}",
            remedy=f"Copy {path} there from the checkout of daypass in which you ran `make pin`."
            if path == RELEASE_PATH
            else f"Put the PEM file there that {SETTINGS_PATH} names, or correct `vault.caFile`.",
        )
    return hashlib.sha256(file.read_bytes()).hexdigest()


def leads_away(root: Path, path: str) -> bool:
    """Whether a symbolic link stands for the file, or for a folder on the way to it."""
    place = root / path
    return any(
        item.is_symlink()
        for item in (place, *place.parents)
        if item.is_relative_to(root) and item != root
    )


def differing(root: Path, files: dict[str, bytes]) -> list[str]:
    """The paths where something else lies than would be written."""
    return [
        path
        for path, content in files.items()
        if leads_away(root, path)
        or ((root / path).exists() and (root / path).read_bytes() != content)
    ]


def write(root: Path, files: dict[str, bytes]) -> None:
    """Write the files, over what lies there."""
    for path, content in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
