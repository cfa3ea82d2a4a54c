"""Standing: what main holds now, for commands: live grants, and the documents about them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from daypass.documents.readable import ReadableDocuments
from daypass.documents.repository import catalogue_of, load_asked, load_break_glass
from daypass.errors import DaypassError, DocumentError, IndeterminateError
from daypass.ledger.history import read_tip
from daypass.lifecycle.emergency import BRANCH_PREFIX, fault_of, request_of
from daypass.lifecycle.turns import take_turns
from daypass.model.grant import LANES, Grant
from daypass.model.names import is_name

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from daypass.ledger.allowed_signers import Signers
    from daypass.lifecycle.ports import Forge, Issuer, Registry, Repository
    from daypass.model.catalogue import Catalogue
    from daypass.model.instant import Instant
    from daypass.model.request import AccessRequest

_EMERGENCIES: Final = 100  # that a halt looks at; it says of which it did not


@dataclass(frozen=True, slots=True)
class Desk:
    """What commands act through. Vault lets this end tokens and note intents, and no more."""

    issuer: Issuer
    registry: Registry
    repository: Repository
    forge: Forge
    signers: Signers  # whose signature makes a commit evidence: the keys of Vault's transit engine


@dataclass(frozen=True, slots=True)
class Main:
    """main, as a command sees it."""

    head: str
    grants: dict[str, Grant]  # by the bot's last signed commit, whatever main says
    catalogue: Catalogue
    now: Instant


def look(desk: Desk, only: str | None = None) -> Main:
    """Fetch main and read it; of the grants, all or one."""
    repository = desk.repository
    repository.assert_complete()
    head = repository.fetch()
    tip = read_tip(repository.walk(head), desk.signers)
    signed = tip.commit if tip is not None else None
    return Main(
        head=head,
        grants=_grants(repository, signed, only) if signed is not None else {},
        catalogue=_catalogue(repository, [head, *([signed] if signed is not None else [])]),
        now=desk.issuer.now(),
    )


def waiting_requests(
    repository: Repository, head: str, granted: Container[str]
) -> dict[str, AccessRequest]:
    """What is merged and has no grant yet, by id. What cannot be read is refused anyway."""
    found = {}
    for folder, lane in LANES.items():
        entries = {
            name: entry
            for entry in repository.entries(head, folder)
            if entry.path == f"{folder}/{(name := PurePosixPath(entry.path).stem)}.yaml"
            and is_name(name)
            and name not in granted
            and entry.is_file
        }
        contents = repository.blobs(sorted({entry.blob for entry in entries.values()}))
        for name, entry in entries.items():
            with suppress(DocumentError):
                found[name] = load_asked(entry.path, contents[entry.blob], lane)
    return found


def open_emergencies(
    desk: Desk, main: Main
) -> tuple[dict[str, AccessRequest], dict[int, DaypassError]]:
    """What daypass may yet merge by itself, by id; and pull requests of which that is not known.

    One that cannot be looked at does not hide the others. What is no document is refused anyway.

    Raises what the ports raise, where not even the pull requests can be listed.
    """
    found: dict[str, AccessRequest] = {}
    unknown: dict[int, DaypassError] = {}
    if main.catalogue.settings.break_glass is None:
        return found, unknown
    listed = desk.forge.open_pull_requests(BRANCH_PREFIX)
    turns = [item.number for item in take_turns(listed.found, lambda item: item.author_id)]
    over = turns[_EMERGENCIES:]
    if over or listed.is_cut:
        unknown[over[0] if over else 0] = IndeterminateError(
            f"{len(turns)} emergencies are open, and {len(over)} of them were not looked at",
            remedy="Close those that are not to be, and halt again.",
        )
    for number in turns[:_EMERGENCIES]:
        try:
            found |= _emergency(desk, main, number)
        except DocumentError:
            continue
        except DaypassError as error:
            unknown[number] = error
    return found, unknown


def _emergency(desk: Desk, main: Main, number: int) -> dict[str, AccessRequest]:
    """The request of one open pull request, by id; none where it is no emergency."""
    pull_request = desk.forge.pull_request(number)
    if pull_request.is_too_large:
        return {}  # no run merges it
    if pull_request.open and not pull_request.complete:
        raise IndeterminateError(
            f"GitHub does not tell the whole of #{number}: {pull_request.incomplete_because}",
            remedy="Look at it on GitHub, close it if it is not to be, and halt again.",
        )
    name, github = request_of(pull_request), main.catalogue.settings.github
    if name is None or not pull_request.open or fault_of(pull_request, github) is not None:
        return {}
    (changed,) = pull_request.files
    blob = changed.blob or ""
    desk.repository.fetch_pull_request(number, pull_request.head_sha)
    content = desk.repository.blobs([blob])[blob]
    return {name: load_break_glass(changed.path, content).asked}


def _grants(repository: Repository, commit: str, only: str | None) -> dict[str, Grant]:
    """The bot's own records: signed by it, so one that cannot be read is a bug and not input."""
    blobs = [
        entry.blob
        for entry in repository.entries(commit, "access/grants")
        if entry.is_file and entry.path.endswith(".json" if only is None else f"/{only}.json")
    ]
    contents = repository.blobs(sorted(set(blobs)))
    grants = (Grant.from_bytes(contents[blob]) for blob in blobs)
    return {grant.id: grant for grant in grants}


def _catalogue(repository: Repository, commits: Sequence[str]) -> Catalogue:
    """The newest documents that load: a broken main must keep no person from ending access.

    Where none of the commits has a whole catalogue, each document counts that loads by itself.
    """
    for commit in commits:
        try:
            return catalogue_of(repository, commit)
        except DocumentError:
            continue
    for commit in commits:
        found = ReadableDocuments.of(repository, commit).catalogue()
        if found is not None:
            return found
    return catalogue_of(repository, commits[-1])
