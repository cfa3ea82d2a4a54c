"""What `request`, `break-glass` and `plan` share: what main says, who asks, what may be asked."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from daypass.adapters.clock import machine_now
from daypass.adapters.git.proposing import push
from daypass.cli import wiring
from daypass.cli.remotes import governed_remote, loan_of
from daypass.documents.repository import catalogue_of
from daypass.errors import DeniedError
from daypass.lifecycle.preview_sources import OfflineKeys, PreviewSources, TeamLooks
from daypass.lifecycle.recipients import Recipients
from daypass.model.co_authors import noreply_host

if TYPE_CHECKING:
    from pathlib import Path

    from daypass.adapters.git.proposing import Proposal
    from daypass.lifecycle.ports import Forge
    from daypass.lifecycle.preview_sources import Used
    from daypass.model.catalogue import Catalogue
    from daypass.model.pullrequest import Account
    from daypass.model.settings import Settings

_LONGEST_ID: Final = 63


def main_of(directory: Path, settings: Settings) -> tuple[Catalogue, str]:
    """What main says now, and its head.

    Raises:
        GitError, ForgeUnavailableError: the remote cannot be read.
        DocumentError: the documents on main are wrong.
    """
    with wiring.person_repository(directory, settings) as repository:
        head = repository.fetch()
        return catalogue_of(repository, head), head


def identity_of(myself: Account | None, catalogue: Catalogue, otherwise: str) -> str:
    """The name of who asks. `otherwise` ends the remedy of who has none.

    Raises:
        DeniedError: no identity has that GitHub account.
    """
    identity = catalogue.identity_of(myself.id) if myself is not None else None
    if identity is None:
        from daypass.adapters.github.refused import log_in_command

        log_in = log_in_command(catalogue.settings.github.server_url)
        raise DeniedError(
            "your GitHub account is no identity of this repository",
            remedy=f"Log in as yourself (`{log_in}`, or GH_TOKEN). {otherwise}",
        )
    return identity.name


def person_sources(forge: Forge, used: Used | None = None) -> PreviewSources:
    """What a preview may ask with a person's token: keys, teams and, by the evidence, ids."""
    from daypass.adapters.sealing import AgeSealer

    return PreviewSources(
        recipients=Recipients(forge, AgeSealer()), teams=TeamLooks(forge), used=used
    )


def offline_sources(used: Used | None = None) -> PreviewSources:
    """What a preview may ask where neither GitHub nor Vault is asked: pinned keys, and ids."""
    from daypass.adapters.sealing import AgeSealer

    return PreviewSources(recipients=Recipients(OfflineKeys(), AgeSealer()), used=used)


def new_id(*parts: str) -> str:
    """An id that nobody has used: eight random characters make that sure enough."""
    tail = secrets.token_hex(4)
    return "-".join(parts)[: _LONGEST_ID - len(tail) - 1].rstrip("-") + f"-{tail}"


def push_proposal(directory: Path, settings: Settings, proposal: Proposal, onto: str) -> None:
    """Push the branch to the governed repository, with the person's token. Raises as `push`."""
    remote, (loan, _) = governed_remote(directory, settings.github), loan_of(settings.github)
    push(directory, remote.name, loan, proposal, onto=onto, when=machine_now())


def author_of(myself: Account | None, server_url: str) -> tuple[str, str]:
    """Name and address of the commit: GitHub's own, which ties it to the account."""
    host = noreply_host(server_url)
    if myself is None:
        return "unknown", f"unknown@users.noreply.{host}"
    return myself.login, f"{myself.id}+{myself.login}@users.noreply.{host}"
