"""git: the clone that a run works in, through stock git 2.39 or newer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daypass.adapters.git.repository import GitRepository

__all__ = ["GitRepository"]


def __getattr__(name: str) -> Any:
    """Import the repository when it is asked for: `validate` needs the process alone."""
    if name != "GitRepository":
        raise AttributeError(name)
    from daypass.adapters.git.repository import GitRepository  # noqa: PLC0415  -- as above

    return GitRepository
