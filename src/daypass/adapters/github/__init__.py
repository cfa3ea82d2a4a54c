"""GitHub, through PyGithub: the one place that imports it.

`transport` speaks HTTP and maps errors, `token` turns the App's key into an installation token,
`wire` reads what GitHub answers, `pulls` puts a pull request together, `forge` is the port.
"""

from daypass.adapters.github.forge import GitHubForge

__all__ = ["GitHubForge"]
