"""Observing: one look at main and at Vault, in the order that makes a half-seen change harmless.

main is read before Vault's tokens, so that every grant on main was minted before the list of live
tokens was made; Vault's time is asked last, so that a token missing from the list because its time
came is seen as expired and not as vanished.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from daypass.documents.repository import catalogue_of
from daypass.errors import DocumentError, OddSlotError
from daypass.lifecycle.context import WORKERS
from daypass.lifecycle.forgotten import take_in
from daypass.lifecycle.foundation import Foundation, left_meanwhile, prove_to_head
from daypass.lifecycle.key_handover import find_misuse
from daypass.lifecycle.missing import look_for_words
from daypass.lifecycle.policy_changes import begin_of_changes
from daypass.lifecycle.presence import find_put_back
from daypass.lifecycle.restored import look_for_restored
from daypass.lifecycle.vault_memory import VaultMemory, note_anchored, note_older, note_seen
from daypass.lifecycle.world import RequestFile, Tampering, World, accessor_digest
from daypass.model.grant import LANES, Grant, Lane
from daypass.model.names import BOT_FOLDERS, is_name
from daypass.model.obligation import Obligation
from daypass.model.tree import DOUBLED, FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from daypass.errors import DaypassError
    from daypass.lifecycle.context import Answers, Ports
    from daypass.lifecycle.ports import Repository, Slot
    from daypass.lifecycle.restored import MainAndMemory
    from daypass.model.catalogue import Catalogue
    from daypass.model.event import Reason, RecordedEvent
    from daypass.model.instant import Instant
    from daypass.model.tree import TreeEntry

_ENDING: Final = ".yaml"
_OBLIGATIONS: Final = "access/obligations/"
_TOLD: Final = 20  # files that were changed by hand, by name


@dataclass(frozen=True, slots=True)
class Observation:
    """The world as values, and what only the steps that act on it need."""

    world: World
    accessors: Mapping[str, str]  # digest → accessor of every live token: never leaves the run
    record_blobs: Mapping[str, str]  # path → blob of the bot's files, as they lie on main
    signed_blobs: Mapping[str, str]  # the same, as the bot's last signed commit left them
    policies_from: str | None = None  # up to there, changes of policies stand in the evidence
    memory: VaultMemory = field(default_factory=VaultMemory)  # what Vault remembered of main
    restored: Mapping[str, str] = field(default_factory=dict)  # alarms about it: cause → text
    # Grants with missing tokens → why it is not known who ended them.
    waits: Mapping[str, DaypassError] = field(default_factory=dict)
    misused: frozenset[str] = frozenset()  # why it is frozen: what a key signed that handed over
    doubled: tuple[str, ...] = ()  # requests' paths that main holds several times


def observe(ports: Ports, answers: Answers, *, remember: bool = True) -> Observation:
    """Look once. Raises what the ports raise. With `remember`, proven trust is noted in Vault."""
    repository = ports.repository
    repository.assert_complete()
    looked = look_for_restored(ports.registry, repository, ports.signers)
    head, tip = looked.head, looked.tip
    if remember:
        _remember_anchor(ports, looked)
    # What was known before of a main that was put back is kept.
    remember = remember and not looked.is_rolled_back
    on_main, signed = bot_files(repository, head), _signed(repository, tip)
    grants = _grants(ports, signed)
    if remember:
        _remember(ports, looked, grants)
    requests = _requests(ports, head, grants)
    intents = {intent.grant_id: intent for intent in ports.registry.intents()}
    new, ending = requests.keys() - grants.keys(), intents.keys() & grants.keys()
    slots, odd_slots = _slots(ports, new | ending)
    accessors = {accessor_digest(item): item for item in ports.issuer.live_accessors()}
    now = ports.issuer.now()
    catalogue, broken = _catalogue(ports, head)
    branch = catalogue.settings.github.default_branch if catalogue else "main"
    causes = looked.causes(branch)
    misused = _misused(ports, looked)
    policies_from = begin_of_changes(ports, head, remember=remember)
    foundation, left = _prove(ports, answers, looked, catalogue, now, remember=remember)
    tampering = _tampering(signed, on_main, removed_since(repository, tip, head, signed))
    frozen = _reasons(causes, misused, foundation.unproven, tampering)
    world = World(
        now=now,
        head=head,
        catalogue=catalogue,
        ruling=foundation.rulings[0] if foundation.rulings else None,
        also_ruling=foundation.rulings[1:],
        tip=tip,
        requests=requests,
        grants=grants,
        slots=slots,
        odd_slots=odd_slots,
        intents=intents,
        live=frozenset(accessors),
        tampering=tampering,
        frozen=(*broken, *frozen),
        obligations=_obligations(ports, signed),
        put_back=find_put_back(ports, head, requests, grants, slots, remember=remember),
        left=left,
        restored=looked.restored,
    )
    found = look_for_words(ports, answers, world, remember=remember)
    return Observation(
        found.world,
        accessors,
        on_main,
        signed,
        policies_from,
        looked.memory,
        causes,
        found.waits,
        frozenset(misused),
        _doubled(repository, head),
    )


def why_frozen(
    ports: Ports, answers: Answers, catalogue: Catalogue, now: Instant
) -> tuple[str, ...]:
    """Why a run would grant nothing now, as `World.frozen` says it. Writes nothing.

    Args:
        ports: main, Vault's notes and GitHub. Raises what they raise.
        answers: of the same run.
        catalogue: of main, whose documents load.
        now: to count approvals at.
    """
    repository = ports.repository
    looked = look_for_restored(ports.registry, repository, ports.signers)
    causes = looked.causes(catalogue.settings.github.default_branch)
    misused = _misused(ports, looked)
    unproven: tuple[str, ...] = ()
    if not looked.is_rolled_back:
        unproven = prove_to_head(ports, answers, looked.head, catalogue, now).unproven
    signed, on_main = _signed(repository, looked.tip), bot_files(repository, looked.head)
    return _reasons(causes, misused, unproven, _tampering(signed, on_main, set()))


def _reasons(
    causes: Mapping[str, str],
    misused: Iterable[str],
    unproven: Iterable[str],
    tampering: Tampering,
) -> tuple[str, ...]:
    """Why main is frozen while its documents load, in the order that people are told."""
    return (*causes.values(), *misused, *unproven, *_by_hand(tampering.changed))


def _misused(ports: Ports, looked: MainAndMemory) -> list[str]:
    """What a key that had handed over signed since the bot's last event."""
    if looked.tip is None:
        return []
    return find_misuse(ports.repository, ports.signers, looked.tip.commit, looked.head)


def _prove(
    ports: Ports,
    answers: Answers,
    looked: MainAndMemory,
    catalogue: Catalogue | None,
    now: Instant,
    *,
    remember: bool,
) -> tuple[Foundation, Mapping[str, Reason]]:
    """How far main is proven; and, of a main that was put back, who left meanwhile, and why.

    Of such a main it is known already that it lacks what was trusted. With `remember`, what is
    proven is noted in Vault.
    """
    head, tip = looked.head, looked.tip
    if looked.is_rolled_back:
        return Foundation(), left_meanwhile(ports, answers, head, tip.commit if tip else None, now)
    foundation = prove_to_head(ports, answers, head, catalogue, now)
    for name, note in foundation.notes.items() if remember else ():
        ports.registry.write_note(name, note)
    return foundation, {}


def _remember_anchor(ports: Ports, looked: MainAndMemory) -> None:
    anchored = looked.restored.anchored if looked.restored is not None else None
    if anchored is not None and anchored != looked.memory.anchored:
        note_anchored(ports.registry, anchored)


def _remember(ports: Ports, looked: MainAndMemory, grants: Mapping[str, Grant]) -> None:
    """Note in Vault what main holds now; of a Vault that is older, first what it forgot."""
    if looked.restored is None:
        note_seen(ports.registry, looked.memory, looked.tip, looked.head)
    elif looked.tip is not None and not looked.memory.restored:
        take_in(ports, looked.head, looked.memory, grants)
        note_older(ports.registry, looked.tip, looked.head)


def bot_files(repository: Repository, commit: str) -> dict[str, str]:
    """The files in the folders where only the bot writes: path → blob (of a doubled path, all)."""
    return {
        entry.path: entry.content
        for folder in BOT_FOLDERS
        for entry in repository.entries(commit, folder)
        if entry.path != f"{folder}/.gitkeep"
    }


def _signed(repository: Repository, tip: RecordedEvent | None) -> dict[str, str]:
    """The same, as the bot's last signed commit left it; of a doubled path, the first."""
    files = bot_files(repository, tip.commit) if tip is not None else {}
    return {path: content.split(" ")[0] for path, content in files.items()}


def removed_since(
    repository: Repository, tip: RecordedEvent | None, head: str, signed: Mapping[str, str]
) -> set[str]:
    """Files of the bot that were not on main for a while since its last signed commit."""
    if tip is None or tip.commit == head:
        return set()
    by_hand = repository.touching(tip.commit, head, BOT_FOLDERS)
    return {path for sha in by_hand for path in signed.keys() - bot_files(repository, sha).keys()}


def _by_hand(changed: Sequence[str]) -> list[str]:
    """An alarm for each of the first files, and one for all others: each opens an issue."""
    told = [f"{path} was changed by hand" for path in changed[:_TOLD]]
    more = len(changed) - len(told)
    return told + ([f"{more} more of the bot's files were changed by hand"] if more > 0 else [])


def _tampering(
    signed: Mapping[str, str], on_main: Mapping[str, str], meanwhile: set[str]
) -> Tampering:
    """What to put back, and what is revoked: a debt is not paid by deleting its record.

    Nor is the deletion of a grant's record taken back by who lays it there again.
    """
    edited = {path for path, blob in on_main.items() if signed.get(path) != blob}
    gone = signed.keys() - on_main.keys()
    owed = {path for path in gone if path.startswith(_OBLIGATIONS)}
    deleted = {path for path in gone | meanwhile if not path.startswith(_OBLIGATIONS)}
    return Tampering(changed=tuple(sorted(edited | owed)), deleted=tuple(sorted(deleted)))


def _requests(ports: Ports, head: str, grants: Mapping[str, Grant]) -> dict[str, RequestFile]:
    """Requests on main. A file whose name cannot be an id is validate's to report: no grant.

    Of two of one id the one that was granted counts, or else the routine one: an id is used once.
    """
    found: dict[str, RequestFile] = {}
    for folder, lane in LANES.items():
        for entry in ports.repository.entries(head, folder):
            name = entry.path.removeprefix(f"{folder}/").removesuffix(_ENDING)
            if entry.path != f"{folder}/{name}{_ENDING}":
                continue
            grant = grants.get(name)
            other = name in found and (grant is None or grant.lane is not lane)
            if entry.mode != FOLDER and is_name(name) and not other:
                found[name] = _request(name, entry, lane, grant)
    return found


def _doubled(repository: Repository, head: str) -> tuple[str, ...]:
    entries = (entry for folder in LANES for entry in repository.entries(head, folder))
    return tuple(entry.path for entry in entries if entry.mode == DOUBLED)


def _request(name: str, entry: TreeEntry, lane: Lane, grant: Grant | None) -> RequestFile:
    """The request at a path. Where several are, what was granted is still there if one is that.

    Nothing is granted there: a reviewer saw one of them.
    """
    if entry.mode == DOUBLED and grant is not None and grant.request_blob in entry.content:
        return RequestFile(name, entry.path, grant.request_blob, lane)
    return RequestFile(name, entry.path, entry.blob, lane, entry.mode)


def _grants(ports: Ports, signed: Mapping[str, str]) -> dict[str, Grant]:
    """The bot's own records: signed by it, so one that cannot be read is a bug and not input."""
    paths = {path: blob for path, blob in signed.items() if path.startswith("access/grants/")}
    contents = ports.repository.blobs(sorted(set(paths.values())))
    records = (Grant.from_bytes(contents[blob]) for blob in paths.values())
    return {record.id: record for record in records}


def _obligations(ports: Ports, signed: Mapping[str, str]) -> dict[str, Obligation]:
    paths = {path: blob for path, blob in signed.items() if path.startswith(_OBLIGATIONS)}
    contents = ports.repository.blobs(sorted(set(paths.values()))) if paths else {}
    records = (Obligation.from_document(json.loads(contents[blob])) for blob in paths.values())
    return {record.grant_id: record for record in records}


def _slots(ports: Ports, new: Iterable[str]) -> tuple[dict[str, Slot], dict[str, OddSlotError]]:
    """The slots of these ids and of those under way; and of which ids they are odd."""
    odd: dict[str, OddSlotError] = {}

    def read(grant_id: str) -> Slot | None:
        try:
            return ports.registry.read(grant_id)
        except OddSlotError as error:
            odd[grant_id] = error
            return None

    ids = sorted({*ports.registry.pending(), *new})
    with ThreadPoolExecutor(WORKERS) as pool:
        slots = tuple(pool.map(read, ids))
    return {slot.grant_id: slot for slot in slots if slot is not None}, odd


def _catalogue(ports: Ports, head: str) -> tuple[Catalogue | None, list[str]]:
    try:
        return catalogue_of(ports.repository, head), []
    except DocumentError as error:
        return None, [f"main's own documents are wrong, see `daypass validate`: {error.message}"]
