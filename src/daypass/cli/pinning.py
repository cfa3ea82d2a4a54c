"""Pinning: what a job must know from outside of the repository before it says who it is.

The settings lie in the repository, and a job reads them before it can prove that they came by an
approved pull request. Whoever can push there could name a Vault or a GitHub of their own, to be
handed the job's identity or to lie about approvals. So where the job logs in, and whom it believes,
must be what the runner says, and what the control repository's workflow file or, without one, the
variables of the environment `daypass` say. The App can change none of them.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

from daypass.errors import IndeterminateError
from daypass.model.names import ADDRESS_VARIABLE, AUDIENCE_VARIABLE, CA_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from daypass.model.settings import Settings

_OURS: Final = (ADDRESS_VARIABLE, CA_VARIABLE, AUDIENCE_VARIABLE)


def assert_pinned(
    settings: Settings, directory: Path, environment: Mapping[str, str] | None = None
) -> None:
    """Compare the settings with what is known from outside; nothing was sent anywhere before.

    Args:
        settings: as HEAD of the checkout has them.
        directory: the checkout, for the CA file that the settings name.
        environment: the job's; this process's own by default.

    Raises:
        IndeterminateError: something differs, or is not known.
    """
    variables = os.environ if environment is None else environment
    github = settings.github
    wanted = {
        ADDRESS_VARIABLE: settings.vault.address,
        "GITHUB_API_URL": github.api_url,
        "GITHUB_SERVER_URL": github.server_url,
        "GITHUB_REPOSITORY_ID": str(github.repository_id),
        "GITHUB_REF": f"refs/heads/{github.default_branch}",
    }
    if settings.vault.ca_file is not None:
        content = (directory / settings.vault.ca_file).read_bytes()
        wanted[CA_VARIABLE] = hashlib.sha256(content).hexdigest()
    # Vault itself refuses another audience, so a set-up that does not say it is no weaker.
    if variables.get(AUDIENCE_VARIABLE):
        wanted[AUDIENCE_VARIABLE] = settings.vault.audience
    for name, value in wanted.items():
        _compare(name, variables.get(name, ""), value)


def _compare(name: str, known: str, written: str) -> None:
    if known == written:
        return
    if name in _OURS:
        remedy = (
            f"Set {name} to what access/daypass.yaml should say: in the workflow file of the "
            "control repository or, where there is none, as a variable of the environment "
            "`daypass` (Settings, Environments; it is no secret)."
        )
    else:
        remedy = "The runner sets it. If access/daypass.yaml is wrong, change it by a pull request."
    said = f"{name} is {known!a}" if known else f"{name} is not set"
    raise IndeterminateError(
        f"this job cannot trust access/daypass.yaml: {said}, and the settings say {written!a}. "
        "Nothing was sent to either",
        remedy=remedy,
    )
