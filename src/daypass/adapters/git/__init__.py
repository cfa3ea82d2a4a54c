"""git: the clone that a run works in, through stock git 2.39 or newer."""

from daypass.adapters.git.repository import GitRepository

__all__ = ["GitRepository"]
