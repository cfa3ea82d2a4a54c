"""Settings in force: which version of `access/daypass.yaml` says where Vault and GitHub are.

A run reads settings before it can prove who approved them. What it acts by are the newest that are
proven: those of the trusted commit, with every approved change since. Settings that nothing proves
serve at most to reach the note in Vault that names that commit, at the address that is pinned.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, TypeAlias

from daypass.documents.document import read_document
from daypass.errors import DaypassError, DocumentError, GitError
from daypass.lifecycle.foundation import TRUST
from daypass.lifecycle.proven import ProvenLine
from daypass.model.names import SETTINGS_PATH
from daypass.model.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from daypass.adapters.git.repository import GitRepository
    from daypass.adapters.vault.session import Session
    from daypass.lifecycle.context import Answers
    from daypass.lifecycle.notes import NoteBook
    from daypass.lifecycle.standing import Desk
    from daypass.model.secret import Secret

    Reached: TypeAlias = tuple[Desk, Callable[[], Secret]]  # with GitHub's token for git

# A person can push thousands of versions. Of those that differ in where they lead, the newest and
# the oldest are tried: the ones that were approved came before such a flood.
_READ: Final = 200  # commits, from each end of main's line
_TRIED: Final = 25  # versions, from each end


class Ways:
    """How to reach Vault and GitHub by some settings; each raises what the adapters raise."""

    def __init__(
        self,
        log_in: Callable[[Settings], Session],
        notes: Callable[[Session, Settings], NoteBook] | None,
        desk: Callable[[Session, Settings], AbstractContextManager[Reached]],
        answers: Callable[[Desk], Answers],
    ) -> None:
        """Take them as functions: a verb's role differs. `notes` is None where it reads none."""
        self.log_in = log_in
        self.notes = notes
        self.desk = desk
        self.answers = answers


def settings_at(
    repository: GitRepository, commit: str, directory: Path, where: str = "HEAD"
) -> Settings:
    """Read the settings of a commit, which `where` names for people.

    Raises GitError where there are none, DocumentError.
    """
    entries = repository.entries(commit, SETTINGS_PATH)
    if not entries or entries[0].path != SETTINGS_PATH or not entries[0].is_file:
        raise GitError(
            f"there is no {SETTINGS_PATH} at {where} of {directory}",
            remedy="Run daypass in the work tree of a governed repository, or name one with "
            "-C DIR.",
        )
    return settings_of(repository.blobs([entries[0].blob])[entries[0].blob])


def settings_of(content: bytes) -> Settings:
    """The settings that such a file says. Raises DocumentError."""
    model = read_document(SETTINGS_PATH, content).model
    if not isinstance(model, Settings):
        raise DocumentError(
            f"{SETTINGS_PATH} is of another kind", remedy="Its kind must be Settings."
        )
    return model


def versions(
    repository: GitRepository, directory: Path, revision: str = "HEAD"
) -> Iterator[Settings]:
    """Settings of main's line that load and lead somewhere else: the head's, then newer ones first.

    Raises what the head's settings raise when none load.
    """
    head = repository.resolve(revision)
    fault: DaypassError | None = None
    known: list[object] = []
    try:
        first = settings_at(repository, head, directory)
        known.append(_leads(first))
        yield first
    except (DocumentError, GitError) as error:
        fault = error
    commits = repository.touching(None, head, [SETTINGS_PATH])
    newest = _loading(repository, reversed(_ends(commits, _READ)), directory)
    found = []
    for settings in newest:
        if _leads(settings) not in known:
            known.append(_leads(settings))
            if len(known) <= _TRIED:
                yield settings
            else:
                found.append(settings)
    yield from found[-_TRIED:]
    if not known and fault is not None:
        raise fault


def in_force(
    repository: GitRepository, directory: Path, ways: Ways, stack: ExitStack
) -> tuple[Session, Settings]:
    """Log in by the settings that are proven; `stack` ends the session.

    Where no trusted commit can be read, or nothing of it is here, the newest settings by which
    Vault and GitHub answer serve. Raises what HEAD's settings raise when none do.
    """
    fault: Exception | None = None
    for settings in versions(repository, directory):
        if ways.notes is None:
            break
        with ExitStack() as own:
            try:
                session = own.enter_context(ways.log_in(settings))
                trusted = TRUST.read_strictly(ways.notes(session, settings))
            except (DaypassError, OSError) as error:
                fault = fault or error
                continue
            proven: Settings | None = settings  # nothing is trusted yet, and nothing granted
            if trusted is not None:
                proven = _proven(repository, directory, ways, session, settings, trusted)
            if proven == settings:
                stack.push(own.pop_all())
                return session, settings
            if proven is not None:
                return stack.enter_context(ways.log_in(proven)), proven
        break
    for settings in versions(repository, directory):
        with ExitStack() as own:
            try:
                session = own.enter_context(ways.log_in(settings))
                with ExitStack() as trial:
                    _answering(ways, session, settings, trial)
            except (DaypassError, OSError) as error:
                fault = fault or error
                continue
            stack.push(own.pop_all())
            return session, settings
    raise fault or GitError(f"no {SETTINGS_PATH} loads", remedy="Run `daypass validate`.")


def _proven(
    repository: GitRepository,
    directory: Path,
    ways: Ways,
    session: Session,
    settings: Settings,
    trusted: str,
) -> Settings | None:
    """The newest settings that are proven; None where it cannot be told."""
    try:
        base = settings_at(repository, trusted, directory)
    except (DocumentError, GitError):
        return None
    head = repository.resolve("HEAD")
    if base == settings or not repository.is_ancestor(trusted, head):
        return base
    # GitHub itself is pinned: by whichever settings it answers, it tells who approved what.
    for other in (base, settings):
        with ExitStack() as own:
            try:
                own_session = session if other is settings else own.enter_context(ways.log_in(base))
                desk = _answering(ways, own_session, other, own)
                line = ProvenLine(desk, ways.answers(desk), trusted, desk.issuer.now())
            except (DaypassError, OSError):
                continue
            line.follow(head)
            catalogue = line.documents.catalogue()
            return catalogue.settings if catalogue is not None else None
    return None


def _answering(ways: Ways, session: Session, settings: Settings, stack: ExitStack) -> Desk:
    """What settings lead to, after Vault and GitHub have both answered. Raises what they raise."""
    desk, token = stack.enter_context(ways.desk(session, settings))
    token()
    return desk


def _leads(settings: Settings) -> object:
    return settings.vault, settings.evidence, settings.github


def _loading(
    repository: GitRepository, commits: Iterator[str], directory: Path
) -> Iterator[Settings]:
    for commit in commits:
        try:
            yield settings_at(repository, commit, directory)
        except (DocumentError, GitError):
            continue


def _ends(items: tuple[str, ...], count: int) -> tuple[str, ...]:
    """The first and the last of them, so many of each."""
    return items if len(items) <= 2 * count else (*items[:count], *items[-count:])
