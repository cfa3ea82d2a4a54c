"""The refusal of `access/` anywhere else than at the root of its repository."""

from __future__ import annotations

from daypass.errors import UsageError
from daypass.model.names import SETTINGS_PATH


def not_at_the_root(found: str) -> UsageError:
    """Make the error of settings that are at `found`, below another folder."""
    folder = found.removesuffix(f"/{SETTINGS_PATH}")
    return UsageError(
        f"access/ is in {folder}/, and daypass reads it at the root of its repository alone: "
        "nothing was looked at",
        remedy=f"Give it a repository of its own, or move it: `git mv {folder}/access access`. "
        "GitHub runs workflows, and asks code owners, for the whole of a repository.",
    )
