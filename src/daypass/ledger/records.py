"""Records against trailers: what a commit says is what it does to the bot's folders.

The record serves the next run, the trailers serve the auditor; held against each other, they cannot
disagree unseen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

from daypass.ledger.chain import ENDED
from daypass.ledger.fault import Fault, FaultCode
from daypass.ledger.record import grant_trailers
from daypass.model.event import EventKind
from daypass.model.grant import Grant
from daypass.model.names import BOT_FOLDERS, grant_path, request_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from daypass.model.event import RecordedEvent

# After these the request does not lie on main any more.
_REQUEST_GONE: Final = ENDED | {EventKind.DENIED, EventKind.LAPSED}
_RECORDED: Final = frozenset({EventKind.ISSUED, EventKind.DELIVERED_AGAIN})
REQUEST_FOLDERS: Final = ("access/requests", "access/break-glass")
_KEEPERS: Final = frozenset(f"{folder}/.gitkeep" for folder in BOT_FOLDERS)


class PathChange(Protocol):
    """What a commit did to one path, compared with its first parent. None: absent."""

    @property
    def path(self) -> str:
        """Relative to the repository's root."""

    @property
    def before(self) -> str | None:
        """The blob before."""

    @property
    def after(self) -> str | None:
        """The blob after."""


@dataclass(slots=True)
class Records:
    """The bot's folders, and the requests, as they were at the commit that was read last."""

    faults: list[Fault] = field(default_factory=list)
    claims: list[tuple[RecordedEvent, str]] = field(default_factory=list)  # event, record's blob
    _lying: dict[str, str] = field(default_factory=dict)  # what is there
    _written: dict[str, str] = field(default_factory=dict)  # what the bot last wrote
    _edited: dict[str, list[int]] = field(default_factory=dict)  # path → its open faults

    def apply(
        self,
        commit: str,
        changes: Sequence[PathChange],
        recorded: RecordedEvent | None,
        by_bot: bool,
    ) -> None:
        """Take the changes of the next commit. `by_bot`: it carries a signature that counts."""
        for change in changes:
            _put(self._lying, change.path, change.after)
            if is_bots(change.path):
                self._touch(commit, change, recorded, by_bot)
        if recorded is not None:
            self._hold(recorded, changes)
            self._mend(commit)

    def _touch(
        self, commit: str, change: PathChange, recorded: RecordedEvent | None, by_bot: bool
    ) -> None:
        if not by_bot:
            did = "removed" if change.after is None else "changed" if change.before else "added"
            message = f"{change.path} was {did} without the bot's signature"
            self._edited.setdefault(change.path, []).append(len(self.faults))
            self.faults.append(Fault(FaultCode.RECORD_EDIT, commit, message))
            return
        _put(self._written, change.path, change.after)
        grant = recorded.event.grant if recorded else None
        if recorded is None:
            message = f"{change.path} was changed by the bot without an event"
        elif grant is None or change.path in _own_paths(grant):
            return
        else:
            message = f"the event is of {grant}, and {change.path} was changed"
        self.faults.append(Fault(FaultCode.RECORD_MISMATCH, commit, message))

    def _hold(self, recorded: RecordedEvent, changes: Sequence[PathChange]) -> None:
        kind, grant = recorded.event.kind, recorded.event.grant
        if grant is None:
            return
        brought = next((item for item in changes if item.path == grant_path(grant)), None)
        if kind in _RECORDED and brought is not None and brought.after is not None:
            self.claims.append((recorded, brought.after))
        elif kind is EventKind.ISSUED:
            message = f"it says that {grant} was issued, and brings no record"
            self.faults.append(Fault(FaultCode.RECORD_MISMATCH, recorded.commit, message))
        gone = [request_path(grant), f"access/break-glass/{grant}.yaml"]
        if kind in ENDED:
            gone.append(grant_path(grant))
            self._written.pop(grant_path(grant), None)
        if kind in _REQUEST_GONE:
            for path in gone:
                if path in self._lying:
                    message = f"{grant} is {kind}, and {path} still lies on main"
                    self.faults.append(Fault(FaultCode.NOT_REMOVED, recorded.commit, message))

    def _mend(self, commit: str) -> None:
        """A record that is again as the bot has it: its signed commit answered the edit."""
        for path in [
            path for path in self._edited if self._lying.get(path) == self._written.get(path)
        ]:
            for number in self._edited.pop(path):
                self.faults[number] = replace(self.faults[number], mended_by=commit)


def compare(recorded: RecordedEvent, content: bytes) -> Iterator[Fault]:
    """Hold a record against the trailers of the commit that brought it."""
    event = recorded.event
    try:
        grant = Grant.from_document(json.loads(content))
        implied = grant_trailers(grant)
    except (ValueError, KeyError, TypeError, AttributeError):
        yield Fault(
            FaultCode.RECORD_MISMATCH, recorded.commit, f"the record of {event.grant} is no record"
        )
        return
    if grant.id != event.grant:
        yield Fault(FaultCode.RECORD_MISMATCH, recorded.commit, f"the record is that of {grant.id}")
    # Named even if the record has none: trailers must not add an approver, or another lane.
    always = ("Daypass-Approver", "Daypass-Lane", "Daypass-Renews")
    for name in dict.fromkeys((*(name for name, _value in implied), *always)):
        values = tuple(value for key, value in implied if key == name)
        said = event.values(name)
        if said != values and (said or event.kind is EventKind.ISSUED):
            yield Fault(
                FaultCode.RECORD_MISMATCH,
                recorded.commit,
                f"{name} is {_shown(said)}, and the record says {_shown(values)}",
            )


def is_bots(path: str) -> bool:
    """Whether only the bot may write there. A `.gitkeep` keeps the folder, and says nothing."""
    if path in _KEEPERS:
        return False
    return path.startswith(tuple(f"{folder}/" for folder in BOT_FOLDERS)) or path in BOT_FOLDERS


def _own_paths(grant: str) -> Iterable[str]:
    return (grant_path(grant), f"access/obligations/{grant}.json")


def _put(paths: dict[str, str], path: str, blob: str | None) -> None:
    if blob is None:
        paths.pop(path, None)
    else:
        paths[path] = blob


def _shown(values: tuple[str, ...]) -> str:
    return ", ".join(values) if values else "not there"
