"""KV v2 as the memory that survives a killed run: compare-and-set, and an id is used once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.vault import done_notes, failures
from daypass.adapters.vault.answer import BAD_REQUEST, NOT_FOUND
from daypass.adapters.vault.intents import IntentList
from daypass.adapters.vault.kv import content_of, version_of, version_written
from daypass.adapters.vault.offline_notes import FOLDER, offline_notes, remove_offline_note
from daypass.adapters.vault.pending import PendingList
from daypass.errors import ConflictError, OddSlotError, VaultRefusedError
from daypass.lifecycle.notes import ODD, OddNotes
from daypass.lifecycle.ports import Slot, SlotState
from daypass.lifecycle.slot_data import checked_state
from daypass.model.names import is_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from daypass.adapters.vault.answer import Answer
    from daypass.adapters.vault.session import Session
    from daypass.lifecycle.offline import OfflineNotes
    from daypass.model.instant import Instant
    from daypass.model.intent import Intent

_STATE: Final = "state"
_DATA: Final = "data"
_TRIES: Final = 12


class VaultRegistry:
    """The Registry port on a KV v2 mount."""

    def __init__(self, session: Session, mount: str) -> None:
        """Use this session, and the KV v2 mount of that name."""
        self._session = session
        self._mount = mount
        self.odd = OddNotes()
        self._pending = PendingList(
            session,
            data=self._path("data", "pending"),
            metadata=self._path("metadata", "pending"),
        )
        self._intents = IntentList(
            session,
            data=self._path("data", "intents"),
            metadata=self._path("metadata", "intents"),
        )

    def read(self, grant_id: str) -> Slot | None:
        """The slot of that id, or None when the id was never used.

        Raises VaultUnavailableError, VaultRefusedError, and OddSlotError for a slot that was
        deleted or overwritten: its id was used, and what became of it is not known.
        """
        path = self._path("data", "grants", grant_id)
        answer = self._session.call("GET", path, accept=NOT_FOUND)
        version, content = version_of(answer), content_of(answer)
        if version == 0:
            return None
        if content is None or content.keys() != {_STATE, _DATA}:
            raise self._odd(grant_id, "was deleted, or holds what daypass does not write")
        try:
            data = _object(content[_DATA])
        except ODD:
            raise self._odd(grant_id, "holds what daypass did not write") from None
        try:
            return Slot(grant_id, version, checked_state(grant_id, content[_STATE], data), data)
        except ODD:
            accessor = data.get("accessor")
            raise self._odd(
                grant_id,
                "holds what daypass did not write",
                accessor if isinstance(accessor, str) else "",
            ) from None

    def _odd(self, grant_id: str, what: str, accessor: str = "") -> OddSlotError:
        return OddSlotError(
            f"the slot of grant {grant_id} in Vault {what}: nothing is granted by that id",
            remedy="Only daypass writes there. Vault's audit log says who did it. If it was "
            f"deleted, undelete it (`bao kv undelete -mount={self._mount} {FOLDER}/grants/"
            f"{grant_id}`); else delete its request by a pull request, and ask with another id.",
            accessor=accessor,
        )

    def write(self, grant_id: str, state: SlotState, data: Mapping[str, Any], version: int) -> Slot:
        """Compare-and-set: `version` is the one read before, 0 for "never written".

        Raises ConflictError when another run was faster, VaultUnavailableError, VaultRefusedError.
        """
        path = self._path("data", "grants", grant_id)
        # As one string: OpenBao refuses JSON that holds a thousand of them, and the record of a
        # decision about somebody who holds forty grants does.
        content = {_STATE: str(state), _DATA: json.dumps(dict(data))}
        body = {"data": content, "options": {"cas": version}}
        answer = self._session.call("POST", path, body, accept=BAD_REQUEST)
        if answer.errors:
            raise self._not_written(grant_id, answer, path)
        return Slot(grant_id, answer.read(version_written), state, dict(data))

    def pending(self) -> tuple[str, ...]:
        """Ids with work under way, sorted: a few, whatever the history."""
        return self._pending.read()

    def expect_pending(self, grant_id: str) -> None:
        """Announce an id that is about to be added: a batch then takes few writes."""
        self._pending.expect(_checked(grant_id))

    def add_pending(self, grant_id: str) -> None:
        """Put an id on the list of work under way. Idempotent; comes before its slot is written."""
        self._pending.add(_checked(grant_id))

    def remove_pending(self, grant_id: str) -> None:
        """Take an id off that list, as far as this run has read or written it. Idempotent."""
        self._pending.remove(grant_id)

    def read_note(self, name: str) -> Mapping[str, Any] | None:
        """A small note outside the slots: `heartbeat`, `tip`, `trust`. None: never written."""
        path = self._path("data", "notes", name)
        return content_of(self._session.call("GET", path, accept=NOT_FOUND))

    def write_note(self, name: str, data: Mapping[str, Any]) -> None:
        """Replace that note. The last writer wins: notes are hints, and git confirms them."""
        path = self._path("data", "notes", name)
        self._session.call("POST", path, {"data": dict(data)}).read(version_written)

    def update_note(
        self, name: str, change: Callable[[Mapping[str, Any] | None], Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        """Change that note by compare-and-set; returns what it says then.

        Raises ConflictError when every try lost, VaultUnavailableError, VaultRefusedError.
        """
        path = self._path("data", "notes", name)
        for _ in range(_TRIES):
            found = self._session.call("GET", path, accept=NOT_FOUND)
            before = content_of(found)
            after = dict(change(before))
            if after == before:
                return after
            body = {"data": after, "options": {"cas": version_of(found)}}
            answer = self._session.call("POST", path, body, accept=BAD_REQUEST)
            if not answer.errors:
                answer.read(version_written)
                return after
            if "check-and-set" not in " ".join(answer.errors):
                raise failures.refused(
                    self._session.client.address, f"POST {path}", answer.status, ()
                )
        raise ConflictError(
            f"other runs wrote the note {name} in Vault {_TRIES} times while this run tried to",
            remedy="Nothing to mend: the next run tries again.",
        )

    def intents(self) -> tuple[Intent, ...]:
        """All intents that wait: a few, whatever the history."""
        return self._intents.read()

    def write_intent(self, intent: Intent) -> None:
        """Note an intent. One that ends a grant is never replaced by one to deliver it again."""
        _checked(intent.grant_id)
        self._intents.write(intent)

    def write_intents(self, intents: Sequence[Intent]) -> None:
        """Note many intents of one word, each of which ends a grant, in few writes."""
        for intent in intents:
            _checked(intent.grant_id)
        self._intents.write_many(intents)

    def remove_intent(self, grant_id: str) -> None:
        """It was carried out, or came too late. Idempotent."""
        self._intents.remove(_checked(grant_id))

    def offline_notes(self) -> OfflineNotes:
        """What people left word of while GitHub was down: none, but for a day like that."""
        return offline_notes(self._session, self._mount)

    def remove_offline_note(self, entity_id: str, grant_id: str) -> None:
        """It is in the evidence. Idempotent."""
        remove_offline_note(self._session, self._mount, entity_id, grant_id)

    def done_note(self, accessor: str) -> Instant | None:
        """When a grant's own token said, with its last use, that it is needed no more."""
        return done_notes.read_done_note(self._session, self._mount, accessor)

    def remove_done_note(self, accessor: str) -> None:
        """It is noted as an intent. Idempotent."""
        done_notes.remove_done_note(self._session, self._mount, accessor)

    def _path(self, branch: str, folder: str, name: str | None = None) -> str:
        """`<mount>/<branch>/daypass/<folder>[/<name>]`; hvac escapes nothing, so names are checked.

        `branch` is `data` or `metadata`, the two halves of a KV v2 mount.
        """
        below = f"{self._mount}/{branch}/{FOLDER}/{folder}"
        if name is None:
            return below
        return f"{below}/{_checked(name)}"

    def _not_written(
        self, grant_id: str, answer: Answer, path: str
    ) -> ConflictError | VaultRefusedError:
        if "check-and-set" in " ".join(answer.errors):
            return ConflictError(
                f"another run wrote the slot of grant {grant_id} first",
                remedy="Nothing to mend: the next run goes on from what that one has done.",
            )
        error = failures.refused(self._session.client.address, f"POST {path}", answer.status, ())
        return VaultRefusedError(error.message, remedy=error.remedy)


def _object(text: str) -> dict[str, Any]:
    """The object in a slot's text. Raises TypeError, ValueError, RecursionError."""
    data = json.loads(text)
    if not isinstance(data, dict):
        raise TypeError("not an object")
    return data


def _checked(name: str) -> str:
    if not is_name(name):
        raise VaultRefusedError(
            f"{name!r} can be no name in Vault",
            remedy="Ids and names are lower-case ASCII letters, digits and hyphens, 1 to 63.",
        )
    return name
