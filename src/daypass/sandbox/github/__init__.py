"""A GitHub look-alike over real bare git repositories, with an App and an OIDC issuer.

What belongs here: what daypass and the people of the box ask of GitHub, answered in GitHub's own
shapes (a contract test holds them against GitHub's OpenAPI description), with its rules enforced.
What does not: anything of daypass. The box is the world around it.
"""

from daypass.sandbox.github.actions import RunCredentials
from daypass.sandbox.github.server import GitHub

__all__ = ["GitHub", "RunCredentials"]
