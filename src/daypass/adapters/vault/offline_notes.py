"""Notes that people leave in KV when they take access while GitHub is down, as the bot reads them.

`<mount>/data/daypass/offline/<entity>/<id>` says what was taken, `…/<id>/done` that it is needed no
more. Vault lets each entity write below its own id alone, once, and change nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.vault.answer import NOT_FOUND
from daypass.adapters.vault.kv import content_of, text
from daypass.lifecycle.offline import OfflineNote, OfflineNotes
from daypass.model.instant import Instant
from daypass.model.names import is_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.adapters.vault.session import Session

FOLDER: Final = "daypass"  # below the mount: everything that the bot may touch
AT_ONCE: Final = 20  # of one entity, in one look: each is judged, written down, and told
_DONE: Final = "done"
# hvac escapes nothing, and people can write any name below their own.
_SECONDS: Final = re.compile(r"[0-9]{1,6}")  # Python refuses to read a number of 5,000 digits
_ENTITY: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def note_path(mount: str, entity_id: str, grant_id: str) -> str:
    """Where the word of one taking lies."""
    return f"{mount}/data/{FOLDER}/offline/{entity_id}/{grant_id}"


def done_path(mount: str, entity_id: str, grant_id: str) -> str:
    """Where its holder says that it is needed no more."""
    return f"{note_path(mount, entity_id, grant_id)}/{_DONE}"


def note_body(
    accessor: str, token_role: str, seconds: int, meta: Mapping[str, str]
) -> dict[str, Any]:
    """What is written there: once, so that nothing that stands is replaced."""
    data = {"accessor": accessor, "role": token_role, "seconds": str(seconds), **meta}
    return {"data": data, "options": {"cas": 0}}


def offline_notes(session: Session, mount: str) -> OfflineNotes:
    """By entity and id, of each entity the first few. One request when there are none.

    Whoever may take something offline can write as many as they like. What one run does not take
    up lies there for the next ones.

    Raises VaultUnavailableError, VaultRefusedError.
    """
    found: list[OfflineNote] = []
    done: set[tuple[str, str]] = set()
    beyond = {}
    folder = f"{mount}/metadata/{FOLDER}/offline"
    for entity in sorted(_listed(session, folder)):
        entity_id = entity.removesuffix("/")
        if _ENTITY.fullmatch(entity_id) is None:
            continue
        listed = frozenset(_listed(session, f"{folder}/{entity_id}"))
        names = sorted(name for name in listed if is_name(name))
        done |= {(entity_id, name) for name in names if f"{name}/" in listed}
        for name in names[:AT_ONCE]:
            note = _read(session, mount, entity_id, name, done=(entity_id, name) in done)
            found += [] if note is None else [note]
        if len(names) > AT_ONCE:
            beyond[entity_id] = len(names) - AT_ONCE
    return OfflineNotes(tuple(found), frozenset(done), beyond)


def remove_offline_note(session: Session, mount: str, entity_id: str, grant_id: str) -> None:
    """Remove it, and the word that it is needed no more. Idempotent."""
    if _ENTITY.fullmatch(entity_id) is None or not is_name(grant_id):
        raise ValueError(f"{entity_id}/{grant_id} is the name of no note")
    path = f"{mount}/metadata/{FOLDER}/offline/{entity_id}/{grant_id}"
    session.call("DELETE", f"{path}/{_DONE}")
    session.call("DELETE", path)


def _listed(session: Session, folder: str) -> tuple[str, ...]:
    return tuple(session.call("LIST", folder, accept=NOT_FOUND).keys)


def _read(
    session: Session, mount: str, entity_id: str, name: str, *, done: bool
) -> OfflineNote | None:
    answer = session.call("GET", note_path(mount, entity_id, name), accept=NOT_FOUND)
    data = content_of(answer)
    if data is None:
        return None
    said = {str(key): str(value) for key, value in data.items()}
    seconds = said.pop("seconds", "")
    return OfflineNote(
        entity_id=entity_id,
        grant_id=name,
        written_at=answer.read(
            lambda found: Instant.parse(text(found.data["metadata"]["created_time"]))
        ),
        accessor=said.pop("accessor", ""),
        token_role=said.pop("role", ""),
        seconds=int(seconds) if _SECONDS.fullmatch(seconds) else 0,
        meta=said,
        done=done,
    )
