"""The note in KV that a grant's own token leaves with its last use: its holder needs it no more.

`<mount>/metadata/daypass/done/<accessor>`, without content. A holder knows the accessor of their
own token and of no other, and main has only its digest: so no holder can leave it for another's
grant. A grant token may create it and do nothing else there, and has one use left for it, which
ends the token: the note and the end are one request.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from daypass.adapters.vault.answer import NOT_FOUND
from daypass.adapters.vault.hcl import PathRule
from daypass.adapters.vault.kv import text
from daypass.adapters.vault.offline_notes import FOLDER
from daypass.model.instant import Instant

if TYPE_CHECKING:
    from daypass.adapters.vault.session import Session

# Parameters of KV's metadata. Without one KV writes nothing; as text, which a policy can compare.
NOTE_BODY: Final = {"max_versions": "1"}
_ACCESSOR: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,127}")


def done_note_path(mount: str, accessor: str) -> str:
    """Where the token of that accessor leaves its note. Raises ValueError: it can be none."""
    if _ACCESSOR.fullmatch(accessor) is None:
        raise ValueError("that is no accessor of a token")
    return f"{mount}/metadata/{FOLDER}/done/{accessor}"


def leaving_rule(mount: str) -> PathRule:
    """What a grant token may do there: create a note without content, once."""
    return PathRule(
        f"{mount}/metadata/{FOLDER}/done/+",
        ("create",),
        why="`daypass done`: say so with the last use, which ends it",
        required=tuple(NOTE_BODY),
        allowed={name: [value] for name, value in NOTE_BODY.items()},
    )


def reading_rule(mount: str) -> PathRule:
    """What a run may do there: look at the note of a token that is gone, and remove it."""
    return PathRule(
        f"{mount}/metadata/{FOLDER}/done/+",
        ("read", "delete"),
        why="see whether a token that is gone was ended by its holder",
    )


def read_done_note(session: Session, mount: str, accessor: str) -> Instant | None:
    """When the token of that accessor left its note; None when it left none.

    Raises VaultUnavailableError, VaultRefusedError.
    """
    if _ACCESSOR.fullmatch(accessor) is None:
        return None
    path = done_note_path(mount, accessor)
    answer = session.call("GET", path, accept=NOT_FOUND)
    if answer.is_absent:
        return None
    return answer.read(lambda found: Instant.parse(text(found.data["created_time"])))


def remove_done_note(session: Session, mount: str, accessor: str) -> None:
    """Remove it. Idempotent. Raises VaultUnavailableError, VaultRefusedError."""
    if _ACCESSOR.fullmatch(accessor) is not None:
        session.call("DELETE", done_note_path(mount, accessor))
