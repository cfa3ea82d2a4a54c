"""Marks: what a grant's token carries in clear, so that drift and people's commands know it."""

from __future__ import annotations

from typing import Final

GRANT_MARK: Final = "daypass_grant"
REPOSITORY_MARK: Final = "daypass_repository"


def marks(grant_id: str, *, repository_id: int, subject: str, pull_request: int) -> dict[str, str]:
    """The metadata of a grant's token: ids only, because Vault's audit log shows it in clear."""
    return {
        GRANT_MARK: grant_id,
        REPOSITORY_MARK: str(repository_id),
        "daypass_subject": subject,
        "daypass_pull_request": str(pull_request),
    }
