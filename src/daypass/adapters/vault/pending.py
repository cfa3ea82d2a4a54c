"""The list of work under way: short, whatever the history, and cheap to keep for a whole batch.

Ids that are added at about the same time, by threads of one run, are written as one entry, and so
are those that the run has announced by then; an entry goes away with the last of its ids. Each
entry has a name of its own, so that two runs never replace or delete what the other one has yet to
do.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from daypass.adapters.vault.answer import NOT_FOUND
from daypass.adapters.vault.kv import content_of, version_written
from daypass.model.names import is_name

if TYPE_CHECKING:
    from daypass.adapters.vault.session import Session

_IDS: Final = "ids"
_MOST: Final = 20_000  # ids of one entry that a run looks at


def _ids(value: object) -> set[str]:
    """The ids in an entry; what can be none is passed over, as if it had been removed."""
    return {item for item in str(value).split()[:_MOST] if is_name(item)}


@dataclass(eq=False, slots=True)
class _Entry:
    """Ids that are written together."""

    name: str = field(default_factory=lambda: f"run-{secrets.token_hex(8)}")
    ids: set[str] = field(default_factory=set)
    written: bool = False


class PendingList:
    """The list, as one run sees it. May be used by several threads. Names are checked before."""

    def __init__(self, session: Session, *, data: str, metadata: str) -> None:
        """Use the folder of a KV v2 mount: the paths of its data and of its metadata."""
        self._session = session
        self._data = data
        self._metadata = metadata
        self._guard = threading.Lock()
        self._writing = threading.Lock()
        self._open = _Entry()
        self._expected: dict[str, _Entry] = {}  # announced ids → the entry that names them
        self._left: dict[str, set[str]] = {}  # entry → those of its ids that are still under way

    def read(self) -> tuple[str, ...]:
        """All ids, sorted. One request, and one for each entry."""
        listed = self._session.call("LIST", self._metadata, accept=NOT_FOUND)
        left = {}
        for name in filter(is_name, listed.keys):
            answer = self._session.call("GET", f"{self._data}/{name}", accept=NOT_FOUND)
            content = content_of(answer)
            if content is not None:
                left[name] = _ids(content.get(_IDS, name))
        with self._guard:
            self._left = left
        return tuple(sorted(set().union(*left.values())))

    def expect(self, grant_id: str) -> None:
        """Announce that an id will be added: the next entry that is written names it too."""
        with self._guard:
            self._open.ids.add(grant_id)
            self._expected[grant_id] = self._open

    def add(self, grant_id: str) -> None:
        """Returns when the id is on the list. Raises what the session raises."""
        with self._guard:
            entry = self._expected.pop(grant_id, self._open)
            entry.ids.add(grant_id)
        with self._writing:  # whoever waits here is written by the next one who does not
            if not entry.written:
                self._write(entry)

    def remove(self, grant_id: str) -> None:
        """Take an id off every entry that this run knows of. Idempotent."""
        with self._guard:
            self._expected.pop(grant_id, None)
            self._open.ids.discard(grant_id)
            for ids in self._left.values():
                ids.discard(grant_id)
            done = [name for name, ids in self._left.items() if not ids]
            for name in done:
                del self._left[name]
        for name in done:
            self._session.call("DELETE", f"{self._metadata}/{name}")

    def _write(self, entry: _Entry) -> None:
        with self._guard:
            if self._open is entry:
                self._open = _Entry()
            ids = set(entry.ids)
            self._left[entry.name] = ids
        body = {"data": {_IDS: " ".join(sorted(ids))}}
        self._session.call("POST", f"{self._data}/{entry.name}", body).read(version_written)
        entry.written = True
