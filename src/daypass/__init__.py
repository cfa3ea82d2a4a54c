"""daypass: privileged access by pull request, minted by Vault, recorded by git, ended by itself."""

__version__ = "0.1.0"
