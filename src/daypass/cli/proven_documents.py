"""Proven documents: what an operator's command acts by, and whether owners approved it.

Two people with write access can merge settings that no owner of the foundation approved. A run
grants nothing then. So that no operator binds Vault by them instead, `daypass vault apply` and the
doctors act by the documents of main's head, once Vault is set up, and prove them as a run does.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, cast

from daypass.cli import wiring
from daypass.cli.at_root import entries_at_root
from daypass.cli.settings_in_force import settings_at, versions
from daypass.documents.repository import CATALOGUE_PATHS, catalogue_of, is_part, load_catalogue
from daypass.errors import DaypassError, ForgeRefusedError, GitError, UsageError, VaultRefusedError
from daypass.lifecycle.foundation import TRUST, TRUST_NOTE, Foundation, prove_to_head
from daypass.lifecycle.notes import OddNoteError, OddNotes
from daypass.model.names import grant_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daypass.adapters.git.repository import GitRepository
    from daypass.adapters.vault.session import Session
    from daypass.ledger.allowed_signers import Signers
    from daypass.lifecycle.ports import Forge
    from daypass.model.catalogue import Catalogue
    from daypass.model.pullrequest import PullRequest
    from daypass.model.settings import Settings
    from daypass.model.tree import TreeEntry


@dataclass(frozen=True, slots=True)
class Checkout:
    """What is checked out: its documents, and where it is."""

    root: Path
    catalogue: Catalogue
    entries: tuple[TreeEntry, ...]

    @classmethod
    def read(cls, directory: str) -> Checkout:
        """Reads the work tree. Raises GitError, DocumentError."""
        from daypass.adapters.worktree import WorkTree

        tree = WorkTree.open(directory)
        entries = entries_at_root(tree)
        return cls(tree.root, load_catalogue(entries, tree.contents(entries)), entries)


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents that a command acts by, and how far they are proven."""

    catalogue: Catalogue  # of main's head; of the checkout where Vault is not set up yet
    grants: frozenset[str]  # ids
    commit: str | None = None  # main's head; None: the checkout
    trusted: str | None = None
    unproven: str = ""  # why the head's are not proven; empty when they are, or Vault is new
    proven: Catalogue | None = None  # the newest that are, where that can be told
    differing: tuple[str, ...] = ()  # paths of documents that differ in the checkout

    @property
    def sentence(self) -> str:
        """Says for people what is acted by; empty for the checkout of a first set-up."""
        if self.commit is None:
            return ""
        name = self.catalogue.settings.github.full_name
        text = f"settings: main of {name} at {self.commit[:12]}"
        text += ", not proven" if self.unproven else ", proven"
        if self.differing:
            more = f" and {len(self.differing) - 1} more" if len(self.differing) > 1 else ""
            text += f"; not what is checked out, which differs in {self.differing[0]}{more}"
        return text


@dataclass(frozen=True, slots=True)
class _Notes:
    """The trusted commit as the only note."""

    trusted: str
    odd: OddNotes = field(default_factory=OddNotes)

    def read_note(self, name: str) -> Mapping[str, Any] | None:
        return {"commit": self.trusted} if name == TRUST_NOTE else None


@dataclass(frozen=True, slots=True)
class _Proving:
    """What main is proven with, by an operator's token for Vault and a person's for GitHub."""

    repository: GitRepository
    signers: Signers
    registry: _Notes


class _NoForge:
    """GitHub without a token: what must be asked there is not known."""

    def __init__(self, settings: Settings) -> None:
        from daypass.adapters.github.refused import log_in_command, log_in_first

        server = settings.github.server_url
        log_in = log_in_command(server)
        self._error = ForgeRefusedError(
            f"there is no GitHub token to ask with who approved it (`{log_in}`, or set GH_TOKEN)",
            remedy=log_in_first(server),
        )

    def pull_requests_of(self, _commit: str) -> tuple[PullRequest, ...]:
        raise self._error

    def team_members(self, _slug: str, _team_id: int | None = None) -> frozenset[int]:
        raise self._error


def documents_in_force(
    session: Session, checkout: Checkout, revision: str | None = None
) -> Documents:
    """Reads the documents to act by, and proves them where Vault is set up already.

    Args:
        session: logged in as an operator, to the Vault that the checkout names.
        checkout: where the clone is; its own documents rule only while Vault is not set up.
        revision: the commit to trust from now on; None: the one that Vault holds.

    Raises:
        GitError, DocumentError: main cannot be read, or its documents do not load.
        UsageError: the revision is not part of main, or main names another Vault.
        VaultUnavailableError, VaultRefusedError.
    """
    settings = checkout.catalogue.settings
    try:
        trusted = _noted(session, settings) or _noted_before(session, checkout)
    except OddNoteError:
        if revision is None:
            raise
        trusted = revision  # what the operator looked at takes the place of the odd note
    if trusted is None:
        return Documents(checkout.catalogue, _grants(checkout.entries))
    with wiring.person_repository(checkout.root, settings) as repository:
        head, fault = _fetched(repository, settings)
        if revision is not None:
            trusted = _part_of_main(repository, revision, head)
        catalogue = catalogue_of(repository, head)
        found = _prove(session, repository, head, trusted, catalogue)
        entries = repository.entries(head, "access")
    chosen = Documents(
        catalogue,
        _grants(entries),
        head,
        trusted,
        "; ".join(filter(None, (fault, *found.unproven))),
        found.rulings[0] if found.rulings else None,
        _differing(checkout.entries, entries),
    )
    _demand_one_vault(settings, chosen)
    return chosen


def _noted(session: Session, settings: Settings) -> str | None:
    from daypass.adapters.vault.registry import VaultRegistry

    return TRUST.read_strictly(VaultRegistry(session, settings.vault.kv_mount))


def _noted_before(session: Session, checkout: Checkout) -> str | None:
    """The trusted commit at another mount or namespace of this Vault, as older settings name it.

    Two people who move the notes do not make it a first set-up. Raises GitError where the clone is
    shallow, and older settings cannot be read.
    """
    from daypass.adapters.vault.session import login_token

    here = checkout.catalogue.settings.vault
    asked = {(here.namespace, here.kv_mount)}
    with wiring.person_repository(checkout.root, checkout.catalogue.settings) as repository:
        older = tuple(versions(repository, checkout.root))
    for settings in older:
        vault = settings.vault
        if vault.address != here.address or (vault.namespace, vault.kv_mount) in asked:
            continue
        asked.add((vault.namespace, vault.kv_mount))
        if vault.namespace == here.namespace:
            trusted = _noted(session, settings)
        else:
            folder = wiring.authorities(checkout.root, settings)
            try:
                with login_token(vault, wiring.operator_token(), folder) as other:
                    trusted = _noted(other, settings)
            except VaultRefusedError:  # a token of the one namespace knows nothing of the other
                continue
        if trusted is not None:
            return trusted
    return None


def _fetched(repository: GitRepository, settings: Settings) -> tuple[str, str]:
    """The head of main; and why main could not be fetched, empty where it could."""
    try:
        return repository.fetch(), ""
    except DaypassError as error:
        why = f"main could not be fetched, so it is not known where it is: {error.message}"
    try:
        return repository.head(), why
    except GitError:
        return repository.resolve(f"refs/heads/{settings.github.default_branch}"), why


def _part_of_main(repository: GitRepository, revision: str, head: str) -> str:
    commit = repository.resolve(revision)
    if not repository.is_ancestor(commit, head):
        raise UsageError(
            f"{revision} is not an ancestor of main, which is at {head}",
            remedy=f"Look at what main holds, and use `--trust {head}`.",
        )
    return commit


def _prove(
    session: Session,
    repository: GitRepository,
    head: str,
    trusted: str,
    catalogue: Catalogue,
) -> Foundation:
    """How far main is proven, asked of GitHub at the address of the trusted settings."""
    from daypass.adapters.github.forge import GitHubForge
    from daypass.adapters.github.person import person_token
    from daypass.adapters.vault.evidence_key import EvidenceKey
    from daypass.ledger.key_versions import KeyVersions
    from daypass.lifecycle.context import Answers

    if trusted == head:
        return Foundation((), (catalogue,))
    try:
        settings = settings_at(repository, trusted, repository.directory)
        key = EvidenceKey.read(session, settings)
        email = settings.evidence.email
        signers = KeyVersions(email, key.versions.values(), repository, key.signing)
        proving = _Proving(repository, signers, _Notes(trusted))
        token = person_token(settings.github.server_url)
        with ExitStack() as stack:
            forge = cast("Forge", _NoForge(settings))
            if token is not None:
                forge = stack.enter_context(GitHubForge.as_user(settings.github, token))
            answers, now = Answers(forge), session.now()
            return prove_to_head(proving, answers, head, catalogue, now)
    except DaypassError as error:
        return Foundation((f"it is not known who brought it: {error.message}",))


def _grants(entries: Iterable[TreeEntry]) -> frozenset[str]:
    paths = (PurePosixPath(entry.path) for entry in entries)
    return frozenset(path.stem for path in paths if str(path) == grant_path(path.stem))


def _differing(mine: Iterable[TreeEntry], main: Iterable[TreeEntry]) -> tuple[str, ...]:
    """Paths of documents that are not the same, in the order of a catalogue's folders."""
    one, other = ({item for item in items if is_part(item.path)} for items in (mine, main))
    paths = {item.path for item in one ^ other}
    return tuple(sorted(paths, key=lambda path: (not path.startswith(CATALOGUE_PATHS[0]), path)))


def _demand_one_vault(here: Settings, chosen: Documents) -> None:
    """Raise UsageError where main, or what is proven of it, is about another Vault."""
    for catalogue in (chosen.proven, chosen.catalogue):
        if catalogue is None:
            continue
        there = catalogue.settings.vault
        if (there.address, there.namespace) != (here.vault.address, here.vault.namespace):
            raise UsageError(
                f"what is checked out is about the Vault at {here.vault.address}, and main's "
                f"{'proven ' if catalogue is chosen.proven else ''}settings about the one at "
                f"{there.address}" + (f", namespace {there.namespace}" if there.namespace else ""),
                remedy="Check out main (`git switch main && git pull`), see who approved "
                "`spec.vault` there, and run it again.",
            )
