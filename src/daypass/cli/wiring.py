"""Wiring: the only place that chooses adapters. A verb asks here for what it needs, and no more."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daypass.cli import output
from daypass.cli.at_root import refuse_elsewhere
from daypass.cli.clones import any_branch, as_person, open_repository
from daypass.cli.governed import at_hand, governed
from daypass.cli.head_files import authorities_folder, head_file
from daypass.cli.pinning import assert_pinned
from daypass.cli.remotes import governed_remote
from daypass.cli.settings_in_force import Ways, in_force, settings_at, versions
from daypass.cli.this_command import remembered, take_fetch
from daypass.cli.vault_access import operator_session
from daypass.errors import ForgeRefusedError, GitError, UsageError
from daypass.lifecycle.happening import Run
from daypass.model.names import IDENTITY_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from daypass.adapters.git.repository import GitRepository
    from daypass.adapters.github.asking import Asker
    from daypass.adapters.oidc import RunFacts
    from daypass.adapters.vault.own_token import OwnToken
    from daypass.adapters.vault.session import Session
    from daypass.cli.settings_in_force import Reached
    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.ports import Forge, Issuer
    from daypass.lifecycle.standing import Desk
    from daypass.model.secret import Secret
    from daypass.model.settings import Settings

_TOKEN_VARIABLES: Final = ("BAO_TOKEN", "VAULT_TOKEN")  # in the order in which `bao` takes them


@dataclass(frozen=True, slots=True)
class Commands:
    """A run that obeys people's commands."""

    desk: Desk
    settings: Settings
    facts: RunFacts  # GitHub's signed word about the run, which Vault has checked
    dispatch: Callable[[str], None]  # asks, as the App, for a run of that workflow's file


def is_job() -> bool:
    """Tell whether this is a job of GitHub's: it has pins of its own (see `pinning`)."""
    return os.environ.get("GITHUB_ACTIONS") == "true" or IDENTITY_VARIABLE in os.environ


def read_settings(
    directory: Path, fingerprints: Sequence[str] = (), *, or_newest: bool = False
) -> Settings:
    """Read the settings to act by: a person's from main as its server has it, a job's from HEAD.

    The arguments are those of `governed`. Raises what that does, and `head_settings` for a job.
    """
    if is_job():
        return head_settings(directory)
    try:
        return governed(directory, fingerprints, or_newest=or_newest).settings
    except GitError:
        with suppress(GitError), any_branch(directory) as repository:
            refuse_elsewhere(repository, repository.resolve("HEAD"))
        raise


def head_settings(directory: Path) -> Settings:
    """Read the settings as HEAD of this clone has them: for a job, and to judge local documents.

    Raises:
        GitError: no repository, no commit, or no settings in it.
        UsageError: its settings are not at the root.
        DocumentError: the settings are wrong.
    """
    with any_branch(directory) as repository:
        head = repository.resolve("HEAD")
        try:
            return settings_at(repository, head, directory)
        except GitError:
            refuse_elsewhere(repository, head)
            raise


def main_branch(directory: Path) -> str:
    """Name the branch that is main, without asking a server: as pinned, else as HEAD has it."""
    told = None if is_job() else at_hand(directory)
    settings = head_settings(directory) if told is None else told.settings
    return settings.github.default_branch


def pinned_keys(directory: Path, named: Sequence[str]) -> Sequence[str]:
    """List the evidence keys to believe: those a person names, else the one that is pinned."""
    if named or is_job():
        return named
    told = remembered(directory) or at_hand(directory)
    return () if told is None else told.standing.fingerprints


def newest_settings(directory: Path) -> Iterator[Settings]:
    """Read settings that load, newest first. Raises what the newest raise when none do."""
    with any_branch(directory) as repository:
        yield from versions(repository, directory)


def authorities(directory: Path, settings: Settings) -> Path:
    """Find the folder of the file that vouches for Vault: of main for a person, HEAD's for a job.

    Raises what `authorities_folder` raises.
    """
    name, commit = settings.vault.ca_file, None
    if name is not None and not is_job():
        told = remembered(directory) or at_hand(directory)
        commit = None if told is None else told.commit
    return authorities_folder(directory, name, lambda: any_branch(directory), commit)


def _committed(directory: Path, path: str) -> bytes | None:
    """A file of HEAD. Raises what `head_file` raises."""
    with any_branch(directory) as repository:
        return head_file(repository, path)


@contextmanager
def bot(directory: Path) -> Iterator[tuple[Ports, Settings]]:
    """Everything that the bot acts through, logged in by the workflow's own identity.

    Raises:
        ForgeRefusedError: this is no job that may ask GitHub who it is.
        VaultRefusedError, VaultUnavailableError: the log-in failed.
    """
    from daypass.adapters.attestation import SourceReader
    from daypass.adapters.notify import Webhook
    from daypass.adapters.oidc import github_oidc
    from daypass.adapters.sealing import AgeSealer
    from daypass.adapters.vault.transit import TransitSigner
    from daypass.lifecycle.context import Ports

    def log_in(settings: Settings) -> Session:
        from daypass.adapters.vault.session import login_jwt

        folder = authorities(directory, settings)
        assert_pinned(settings, folder)
        return login_jwt(settings.vault, github_oidc(settings.vault.audience), folder)

    with ExitStack() as stack:
        session, settings = _logged_in_by_proven(directory, log_in, stack)
        desk, _ = stack.enter_context(_desk(directory, session, settings))
        vault, evidence = settings.vault, settings.evidence
        yield (
            Ports(
                issuer=desk.issuer,
                registry=desk.registry,
                notifier=Webhook(desk.registry),
                context=SourceReader(directory, os.environ, partial(_committed, directory)),
                signer=TransitSigner(
                    session, vault.transit_mount, evidence.key, evidence.fingerprint
                ),
                repository=desk.repository,
                forge=desk.forge,
                sealer=AgeSealer(),
                signers=desk.signers,
                run=this_run(),
            ),
            settings,
        )


def _logged_in_by_proven(
    directory: Path,
    log_in: Callable[[Settings], Session],
    stack: ExitStack,
    *,
    reads_notes: bool = True,
) -> tuple[Session, Settings]:
    from daypass.adapters.vault.registry import VaultRegistry
    from daypass.lifecycle.context import Answers

    ways = Ways(
        log_in,
        (lambda session, settings: VaultRegistry(session, settings.vault.kv_mount))
        if reads_notes
        else None,
        lambda session, settings: _desk(directory, session, settings),
        lambda desk: Answers(desk.forge),
    )
    with any_branch(directory) as repository:
        try:
            return in_force(repository, directory, ways, stack)
        except GitError:
            refuse_elsewhere(repository, repository.resolve("HEAD"))
            raise


@contextmanager
def _desk(directory: Path, session: Session, settings: Settings) -> Iterator[Reached]:
    """What a session reaches: Vault, and GitHub as the App. Raises what they raise."""
    from daypass.adapters.github.forge import GitHubForge
    from daypass.adapters.vault.evidence_key import EvidenceKey
    from daypass.adapters.vault.issuer import VaultIssuer
    from daypass.adapters.vault.registry import VaultRegistry
    from daypass.adapters.vault.transit import app_jwt_signer
    from daypass.ledger.key_versions import KeyVersions
    from daypass.lifecycle.standing import Desk

    vault, evidence = settings.vault, settings.evidence
    issuer = VaultIssuer(session)
    sign = app_jwt_signer(session, vault.transit_mount, vault.app_key)
    with GitHubForge.as_app(settings.github, sign, issuer.now) as forge:
        key = EvidenceKey.read(session, settings)
        with open_repository(directory, settings, forge.installation_token) as repository:
            desk = Desk(
                issuer=issuer,
                registry=VaultRegistry(session, vault.kv_mount),
                repository=repository,
                forge=forge,
                signers=KeyVersions(evidence.email, key.versions.values(), repository, key.signing),
            )
            yield desk, forge.installation_token


@contextmanager
def commands_bot(directory: Path) -> Iterator[Commands]:
    """What people's commands are carried out through: a role of its own, which only takes away.

    Raises what `bot` raises.
    """
    from daypass.adapters.github.asking import Asker
    from daypass.adapters.github.refused import Speaker
    from daypass.adapters.oidc import facts_of, github_oidc

    tokens: list[Secret] = []

    def log_in(settings: Settings) -> Session:
        from daypass.adapters.vault.session import login_jwt

        folder = authorities(directory, settings)
        assert_pinned(settings, folder)
        fetch = github_oidc(settings.vault.audience)

        def identity() -> Secret:
            tokens.append(fetch())
            return tokens[-1]

        role = settings.vault.commands_role
        return login_jwt(settings.vault, identity, folder, role=role)

    with ExitStack() as stack:
        # That role may not read which commit is trusted: what Vault and GitHub take serves.
        session, settings = _logged_in_by_proven(directory, log_in, stack, reads_notes=False)
        desk, token = stack.enter_context(_desk(directory, session, settings))

        def dispatch(workflow: str) -> None:
            with Asker(settings.github, token(), Speaker.APP) as asker:
                asker.dispatch(workflow, {})

        yield Commands(desk, settings, facts_of(tokens[-1]), dispatch)


@contextmanager
def vault(directory: Path) -> Iterator[tuple[Issuer, Settings]]:
    """Vault, to look at what lives there. Raises what `logged_in` raises."""
    from daypass.adapters.vault.issuer import VaultIssuer

    with logged_in(directory) as (session, settings):
        yield VaultIssuer(session), settings


@contextmanager
def logged_in(directory: Path) -> Iterator[tuple[Session, Settings]]:
    """Vault: for a job by its own identity, for an operator by a token.

    Raises:
        IndeterminateError: in a job, something that must be known from outside differs.
        UsageError: there is no Vault token, nor a job that has an identity.
        VaultRefusedError, VaultUnavailableError: the log-in failed.
    """
    from daypass.adapters.oidc import github_oidc
    from daypass.adapters.vault.session import login_jwt

    if IDENTITY_VARIABLE not in os.environ:
        operator_token()  # without one no server is asked
    settings = read_settings(directory)
    if IDENTITY_VARIABLE in os.environ:
        folder = authorities(directory, settings)
        assert_pinned(settings, folder)
        session_of = login_jwt(settings.vault, github_oidc(settings.vault.audience), folder)
    else:
        session_of = operator(directory, settings)
    with session_of as session:
        yield session, settings


def operator(directory: Path, settings: Settings) -> Session:
    """Log in to the Vault that settings name with the operator's own token.

    Raises what `operator_token`, `operator_session` and `authorities` raise.
    """
    token = operator_token()
    folder = authorities(directory, settings)
    return operator_session(directory, settings, token, folder, is_job=is_job())


def operator_token() -> OwnToken:
    """The token that `bao` and `vault` would use: the environment's, else the one of a log-in.

    Raises UsageError if there is none.
    """
    from daypass.adapters.vault.own_token import OwnToken
    from daypass.model.secret import Secret

    for name in _TOKEN_VARIABLES:
        value = os.environ.get(name, "").strip()
        if value:
            return OwnToken(Secret(value), name)
    try:
        text = (Path.home() / ".vault-token").read_text(encoding="ascii").strip()
        return OwnToken(Secret(text), "~/.vault-token")
    except (OSError, ValueError, RuntimeError):
        raise UsageError(
            "there is no Vault token to act with",
            remedy="Log in as an operator (`bao login` or `vault login`), or set BAO_TOKEN.",
        ) from None


@contextmanager
def person_asking(settings: Settings) -> Iterator[Asker]:
    """GitHub, to ask it for something as the person whose token lies at hand.

    Raises:
        ForgeRefusedError: there is no token.
    """
    from daypass.adapters.github.asking import Asker

    with Asker(settings.github, asking_token(settings.github.server_url)) as asker:
        yield asker


def asking_token(server_url: str) -> Secret:
    """The person's GitHub token for that server. Raises ForgeRefusedError if there is none."""
    from daypass.adapters.github.person import person_token
    from daypass.adapters.github.refused import log_in_first

    token = person_token(server_url)
    if token is None:
        raise ForgeRefusedError(
            "there is no GitHub token to ask with", remedy=log_in_first(server_url)
        )
    return token


def person_repository(directory: Path, settings: Settings) -> GitRepository:
    """The clone of a person, who fetches with their own token where the remote wants one.

    The token goes to the repository that the settings name, and to no other. Raises GitError; the
    clone's `fetch` does, where no remote is that repository.
    """
    told = remembered(directory)
    if told is not None and told.settings.github == settings.github:
        clone = as_person(directory, settings, told.remote.name)
        return clone.count_as_fetched() if take_fetch(directory) else clone
    chosen = governed_remote(directory, settings.github)
    if chosen.warning:
        output.note(f"warning: {chosen.warning}")
    return as_person(directory, settings, chosen.name, chosen.fault)


@contextmanager
def person(settings: Settings) -> Iterator[Forge]:
    """GitHub as the person, or the job, whose token lies in the environment or in `gh`."""
    from daypass.adapters.github.forge import GitHubForge
    from daypass.adapters.github.person import person_token

    token = person_token(settings.github.server_url)
    with GitHubForge.as_user(settings.github, token) as forge:
        yield forge


def this_run() -> Run:
    """Which run of which workflow this is, by the runner's word; `local` outside of one."""
    run_id = os.environ.get("GITHUB_RUN_ID", "")
    if not run_id.isdigit():
        return Run("local", "local")
    attempt = os.environ.get("GITHUB_RUN_ATTEMPT", "1")
    workflow = os.environ.get("GITHUB_WORKFLOW_REF", "-")
    return Run(f"{run_id}/{attempt}", workflow if workflow.isascii() and workflow else "-")


def directory_of(text: str) -> Path:
    """The directory of `-C`."""
    return Path(text).resolve()
