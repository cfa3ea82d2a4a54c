"""Marks: what a grant's token carries in clear, so that drift and people's commands know it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.model.breakglass import BreakGlassRequest

GRANT_MARK: Final = "daypass_grant"
REPOSITORY_MARK: Final = "daypass_repository"
_INCIDENT, _REASON, _DURATION, _DRILL = (
    "daypass_incident",
    "daypass_reason",
    "daypass_duration",
    "daypass_drill",
)


def marks(grant_id: str, *, repository_id: int, subject: str, pull_request: int) -> dict[str, str]:
    """The metadata of a grant's token: ids only, because Vault's audit log shows it in clear."""
    return {
        GRANT_MARK: grant_id,
        REPOSITORY_MARK: str(repository_id),
        "daypass_subject": subject,
        "daypass_pull_request": str(pull_request),
    }


def offline_marks(request: BreakGlassRequest, *, repository_id: int) -> dict[str, str]:
    """The metadata of a token that is taken offline: all that the next run must know of it.

    Who took it, and which role it opens, are not among them: these Vault itself says.
    """
    found = {
        GRANT_MARK: request.id,
        REPOSITORY_MARK: str(repository_id),
        _INCIDENT: request.incident,
        _REASON: request.asked.reason,
        _DURATION: str(request.asked.duration),
    }
    return found | ({_DRILL: "true"} if request.drill else {})


def offline_spec(
    meta: Mapping[str, str], *, subject: str, resource: str, access: str
) -> dict[str, object]:
    """The `spec` of the request that these marks stand for. Nothing of it has been checked yet."""
    spec: dict[str, object] = {
        "subject": subject,
        "resource": resource,
        "access": access,
        "duration": meta.get(_DURATION, ""),
        "incident": meta.get(_INCIDENT, ""),
        "reason": meta.get(_REASON, ""),
    }
    return spec | ({"drill": True} if meta.get(_DRILL) == "true" else {})
