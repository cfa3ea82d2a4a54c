"""Records against trailers: what a commit says is what it does to the bot's folders.

The record serves the next run, the trailers serve the auditor; held against each other, they cannot
disagree unseen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeVar

from daypass.ledger.chain import ENDED
from daypass.ledger.fault import Fault, FaultCode
from daypass.ledger.record import grant_trailers
from daypass.model.event import EventKind
from daypass.model.grant import Grant, is_offline_word
from daypass.model.names import BOT_FOLDERS, break_glass_path, grant_path, request_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from daypass.model.event import Event, RecordedEvent

_T = TypeVar("_T")
# After these the request does not lie on main any more.
_REQUEST_GONE: Final = ENDED | {EventKind.DENIED, EventKind.LAPSED}
# These say which request they are about, as it lay on main.
_ASKED: Final = frozenset({EventKind.ISSUED, EventKind.DENIED, EventKind.LAPSED})
_RECORDED: Final = frozenset({EventKind.ISSUED, EventKind.DELIVERED_AGAIN})
# Compared even if the record has none: trailers must not add an approver, a pull request, a
# delivery, an exception, or another lane.
_ALWAYS: Final = (
    "Daypass-Approver",
    "Daypass-Exception",
    "Daypass-Lane",
    "Daypass-Pull-Request",
    "Daypass-Renews",
    "Daypass-Wrapping",
)
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
    _claims: list[tuple[RecordedEvent, str]] = field(default_factory=list)  # event, record's blob
    _lying: dict[str, str] = field(default_factory=dict)  # what is there
    _brought: dict[str, tuple[str, int]] = field(default_factory=dict)  # request → commit, number
    _written: dict[str, str] = field(default_factory=dict)  # what the bot last wrote
    _edited: dict[str, list[int]] = field(default_factory=dict)  # path → its open faults

    def apply(
        self,
        commit: str,
        place: int,
        changes: Sequence[PathChange],
        recorded: RecordedEvent | None,
        *,
        by_bot: bool,
    ) -> None:
        """Take the changes of commit number `place`.

        `by_bot`: it carries a signature that counts.
        """
        own = recorded is not None and _brings_its_request(recorded.event)
        if recorded is not None and not own:
            self._ask(recorded)
        for change in changes:
            _put(self._lying, change.path, change.after)
            if is_bots(change.path):
                self._touch(commit, change, recorded, by_bot)
            else:
                _put(self._brought, change.path, (commit, place) if change.after else None)
        if recorded is not None:
            if own:
                self._ask(recorded)
            self._hold(recorded, changes)
            self._mend(commit)

    def taken_claims(self) -> list[tuple[RecordedEvent, str]]:
        """Records that were brought since the last time: the event, and the record's blob."""
        claims, self._claims = self._claims, []
        return claims

    def to_json(self) -> dict[str, Any]:
        """All of it but the claims, to go on from later."""
        return {
            "faults": [fault.to_json() for fault in self.faults],
            "lying": self._lying,
            "brought": self._brought,
            "written": self._written,
            "edited": self._edited,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(
            faults=[Fault.from_json(item) for item in value["faults"]],
            _lying=dict(value["lying"]),
            _brought={path: (commit, at) for path, (commit, at) in value["brought"].items()},
            _written=dict(value["written"]),
            _edited={path: list(numbers) for path, numbers in value["edited"].items()},
        )

    def brought_at(self, event: Event) -> int | None:
        """The number of the commit that brought the request which that event is about."""
        found = self._brought.get(_asked_at(event))
        return found[1] if found is not None else None

    def _ask(self, recorded: RecordedEvent) -> None:
        """Hold the request that an event names against the one that lay on main until then.

        What was approved is a commit and a blob: the file on main must be that, to the byte. What
        was taken offline nobody asked for on main: its request comes with it, in place of whatever
        somebody laid there before.
        """
        event = recorded.event
        said = event.first("Daypass-Request")
        if said is None or event.grant is None or event.kind not in _ASKED:
            return
        path = _asked_at(event)
        lies = self._lying.get(path)
        if lies is None and event.kind is not EventKind.ISSUED:
            return  # an emergency that was never merged
        came = "-" if _brings_its_request(event) else self._brought.get(path, ("-", 0))[0]
        found = f"{came} {lies or '-'}"
        if said != found:
            message = f"it says that {path} came as {said}, and on main it lies as {found}"
            self.faults.append(Fault(FaultCode.REQUEST_BLOB, recorded.commit, message))

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
            self._claims.append((recorded, brought.after))
        elif kind is EventKind.ISSUED:
            message = f"it says that {grant} was issued, and brings no record"
            self.faults.append(Fault(FaultCode.RECORD_MISMATCH, recorded.commit, message))
        gone = [request_path(grant), break_glass_path(grant)]
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
    return compare_document(recorded, read_document(content))


def read_document(content: bytes) -> Any:
    """A record as JSON; None when it is none, which no record can be."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def compare_document(recorded: RecordedEvent, document: Any) -> Iterator[Fault]:
    """Hold a record, as JSON, against the trailers of the commit that brought it."""
    event = recorded.event
    try:
        grant = Grant.from_document(document)
        implied = grant_trailers(grant)
    except (ValueError, KeyError, TypeError, AttributeError):
        yield Fault(
            FaultCode.RECORD_MISMATCH, recorded.commit, f"the record of {event.grant} is no record"
        )
        return
    if grant.id == event.grant and event.trailers[: len(implied)] == implied:
        beyond = {name for name, _value in event.trailers[len(implied) :]}
        if beyond.isdisjoint(_ALWAYS):
            return
    if grant.id != event.grant:
        yield Fault(FaultCode.RECORD_MISMATCH, recorded.commit, f"the record is that of {grant.id}")
    for name in dict.fromkeys((*(name for name, _value in implied), *_ALWAYS)):
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


def _brings_its_request(event: Event) -> bool:
    return event.kind is EventKind.ISSUED and is_offline_word(event.first("Daypass-Lane"))


def _asked_at(event: Event) -> str:
    grant = event.grant or ""
    return request_path(grant) if event.first("Daypass-Lane") is None else break_glass_path(grant)


def _own_paths(grant: str) -> Iterable[str]:
    return (grant_path(grant), f"access/obligations/{grant}.json")


def _put(paths: dict[str, _T], path: str, what: _T | None) -> None:
    if what is None:
        paths.pop(path, None)
    else:
        paths[path] = what


def _shown(values: tuple[str, ...]) -> str:
    return ", ".join(values) if values else "not there"
