"""Notes: what Vault's KV keeps for the runs to come, outside of the slots. Part of the ports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class NoteReader(Protocol):
    """Small notes by name: `heartbeat`, `tip`, `trust`, `presence` and their like."""

    def read_note(self, name: str) -> Mapping[str, Any] | None:
        """What a note says; None when it was never written."""


class NoteBook(NoteReader, Protocol):
    """The notes, for those who also write them."""

    def write_note(self, name: str, data: Mapping[str, Any]) -> None:
        """Replace that note. The last writer wins: notes are hints, and git confirms them."""

    def update_note(
        self, name: str, change: Callable[[Mapping[str, Any] | None], Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        """Change that note by compare-and-set; returns what it says then.

        `change` gets what the note says (None: never written), and is asked again when another run
        was faster. Raises ConflictError when every try lost.
        """
