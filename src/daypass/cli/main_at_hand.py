"""Main, for verbs that end access: what of it can be read, and what cannot, in words.

An end must not wait until main is mended, so nothing here keeps a verb from asking for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from daypass.adapters.clock import machine_now
from daypass.cli import output, wiring
from daypass.documents.readable import ReadableDocuments
from daypass.documents.records import load_grant
from daypass.documents.repository import catalogue_of
from daypass.errors import DaypassError, DocumentError
from daypass.ledger.counting_signers import counting_signers
from daypass.ledger.history import read_tip
from daypass.lifecycle.standing import waiting_requests
from daypass.model.identity import Identity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from daypass.adapters.git import GitRepository
    from daypass.lifecycle.commands import Halt
    from daypass.model.grant import Grant
    from daypass.model.request import AccessRequest
    from daypass.model.settings import Settings


@dataclass(slots=True)
class MainAtHand:
    """Main as this clone has it. Where `faults` says why, it may not be all, or not the newest."""

    head: str | None = None
    grants: Mapping[str, Grant] = field(default_factory=dict)  # by the bot's last signed commit
    waiting: Mapping[str, AccessRequest] = field(default_factory=dict)  # merged, and not issued
    identities: Mapping[str, Identity] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def aimed_at(self, halt: Halt) -> tuple[list[Grant], list[AccessRequest]]:
        """The live grants that a halt ends, the next to end first; and the requests it refuses."""
        now = machine_now()
        grants = [
            grant
            for grant in self.grants.values()
            if grant.not_after > now and halt.is_aimed_at(grant, self.identities)
        ]
        waiting = [
            asked for asked in self.waiting.values() if halt.is_aimed_at(asked, self.identities)
        ]
        return (
            sorted(grants, key=lambda grant: (grant.not_after, grant.id)),
            sorted(waiting, key=lambda asked: asked.id),
        )


def settings_to_end_by(directory: Path, *, warn: bool = True) -> Settings:
    """The settings of HEAD or, where those do not load, the newest before them that do.

    Raises what `wiring.read_settings` raises, when none load.
    """
    try:
        return wiring.read_settings(directory)
    except DocumentError as error:
        settings = wiring.newest_settings(directory)
        if warn:
            output.note(f"warning: {error.message}: going by the newest settings that can be read")
        return settings


def fault_of_documents(repository: GitRepository, head: str) -> str | None:
    """Why the documents of that commit do not load; None when they do."""
    try:
        catalogue_of(repository, head)
    except DocumentError as error:
        return f"the documents of main do not load: {error.message}"
    return None


def look_at_main(repository: GitRepository) -> MainAtHand:
    """Fetch main and read what can be read of it. Raises nothing that main is the cause of."""
    main = MainAtHand()
    try:
        repository.fetch()
    except DaypassError as error:
        main.faults.append(f"main was not fetched: {error.message}")
    try:
        main.head = head = repository.head()
        _read_grants(main, repository, head)
        main.waiting = waiting_requests(repository, head, main.grants)
        _read_identities(main, repository, head)
    except DaypassError as error:
        main.faults.append(error.message)
    return main


def _read_grants(main: MainAtHand, repository: GitRepository, head: str) -> None:
    """By the bot's last signed commit, as the run that ends them reads it; else by main's head."""
    commit: str | None = head
    try:
        repository.assert_complete()
        signers = counting_signers(repository, head)
        tip = read_tip(repository.walk(head), signers) if signers is not None else None
        commit = tip.commit if tip is not None else None
    except DaypassError as error:
        main.faults.append(error.message)
    if commit is None:  # nothing was ever granted
        return
    entries = [
        entry
        for entry in repository.entries(commit, "access/grants")
        if entry.path.endswith(".json") and entry.is_file
    ]
    contents = repository.blobs(sorted({entry.blob for entry in entries}))
    found = {}
    for entry in entries:
        try:
            grant = load_grant(entry.path, contents[entry.blob])
        except DocumentError as error:
            main.faults.append(error.message)
        else:
            found[grant.id] = grant
    main.grants = found


def _read_identities(main: MainAtHand, repository: GitRepository, head: str) -> None:
    documents = ReadableDocuments.of(repository, head).documents.values()
    models = (document.model for document in documents)
    main.identities = {model.name: model for model in models if isinstance(model, Identity)}
    fault = fault_of_documents(repository, head)
    if fault is not None:
        main.faults.append(fault)
