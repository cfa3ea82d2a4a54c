"""Intents in Vault's KV: one entry each, under the grant's id; or one for many that end at once.

A halt of a thousand grants must not write a thousand entries before the last of them ends, nor have
the next run read and remove as many. An entry for many has a name that no two runs choose, and goes
away with the last of its grants.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.vault.answer import NOT_FOUND
from daypass.adapters.vault.kv import content_of, version_written
from daypass.model.intent import Intent, IntentKind
from daypass.model.names import is_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daypass.adapters.vault.session import Session

_GRANTS: Final = "grants"  # of an entry for many: their ids, in one string
_MANY: Final = 1000  # ids in one entry: at most 64 KiB


class IntentList:
    """The intents that wait, as one run sees them. For several threads. Ids are checked before."""

    def __init__(self, session: Session, *, data: str, metadata: str) -> None:
        """Use the folder of a KV v2 mount: the paths of its data and of its metadata."""
        self._session = session
        self._data = data
        self._metadata = metadata
        self._guard = threading.Lock()
        self._single: set[str] | None = None  # grants with an entry of their own; None: not read
        self._left: dict[str, set[str]] = {}  # entry for many → those that are still to be removed

    def read(self) -> tuple[Intent, ...]:
        """All of them, one a grant."""
        listed = self._session.call("LIST", self._metadata, accept=NOT_FOUND)
        contents = {name: self._content(name) for name in listed.keys if is_name(name)}
        many: dict[str, Intent] = {}
        single: dict[str, Intent] = {}
        left: dict[str, set[str]] = {}
        for name, content in contents.items():
            if content is None:
                continue
            intent = _read(name, content)
            if intent is None:
                continue
            if _GRANTS not in content:
                single[name] = intent
                continue
            left[name] = {item for item in str(content[_GRANTS]).split() if is_name(item)}
            many |= {grant_id: replace(intent, grant_id=grant_id) for grant_id in left[name]}
        with self._guard:
            self._single, self._left = set(single), left
        # An entry of its own is newer than one for many, or says the same; but an end stands.
        redelivered = {name for name, item in single.items() if item.kind is IntentKind.REDELIVER}
        found = single | {name: many[name] for name in many if name in redelivered}
        return tuple(item for _, item in sorted((many | found).items()))

    def write(self, intent: Intent) -> None:
        """Note one. What ends a grant is never replaced by what is to deliver it again."""
        if intent.kind is IntentKind.REDELIVER:
            standing = self._content(intent.grant_id)
            before = _read(intent.grant_id, standing) if standing is not None else None
            if before is not None and before.ends:
                return
        with self._guard:
            if self._single is not None:
                self._single.add(intent.grant_id)
        body = {"data": intent.to_json()}
        self._session.call("POST", f"{self._data}/{intent.grant_id}", body).read(version_written)

    def write_many(self, intents: Sequence[Intent]) -> None:
        """Note many of one word, by one person, at one time: each ends its grant."""
        for start in range(0, len(intents), _MANY):
            some = intents[start : start + _MANY]
            ids = " ".join(intent.grant_id for intent in some)
            path = f"{self._data}/many-{secrets.token_hex(8)}"
            body = {"data": some[0].to_json() | {_GRANTS: ids}}
            self._session.call("POST", path, body).read(version_written)

    def remove(self, grant_id: str) -> None:
        """It was carried out, or came too late. Idempotent.

        What came since this run has read them is left to the next one.
        """
        with self._guard:
            known = self._single is None or grant_id in self._single
            for ids in self._left.values():
                ids.discard(grant_id)
            done = [name for name, ids in self._left.items() if not ids]
            for name in done:
                del self._left[name]
        for name in (*([grant_id] if known else []), *done):
            self._session.call("DELETE", f"{self._metadata}/{name}")

    def _content(self, name: str) -> Mapping[str, Any] | None:
        return content_of(self._session.call("GET", f"{self._data}/{name}", accept=NOT_FOUND))


def _read(name: str, content: Mapping[str, Any]) -> Intent | None:
    """The intent; None for what is none: it must not keep a run from ending, or from telling.

    Whoever may write here could have written a better one, so nothing is lost with it.
    """
    try:
        return Intent.from_json(name, content)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None
