"""Chronicle: the one door through which happenings become commits on main, and are numbered.

The number and commit of the newest event are noted in Vault too, so that a run sees when somebody
took events back. Vault counts each run that writes before it pushes, and the events carry that
count (the epoch), so that a run sees when Vault was restored from a backup.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from daypass.ledger import compose, history
from daypass.lifecycle import recorder
from daypass.lifecycle.key_handover import SignerInForce
from daypass.lifecycle.vault_memory import count_writing_run, note_written
from daypass.model.event import TRAILERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.ports import Repository, Signer
    from daypass.lifecycle.recorder import Coming, Recording
    from daypass.model.epoch import Epoch
    from daypass.model.event import Event, RecordedEvent


class LedgerChain:
    """The ledger, as the recorder needs it."""

    def __init__(self, ports: Ports, epoch: Epoch | None = None, floor: int = 0) -> None:
        """Read by these ports' signers; events that are written carry `epoch`."""
        self.floor = floor
        self._signers = ports.signers
        self._epoch = epoch

    def tip(self, repository: Repository, head: str) -> RecordedEvent | None:
        """The newest event on the way back from `head`."""
        return history.read_tip(repository.walk(head), self._signers)

    def since(self, repository: Repository, head: str, base: str) -> Iterator[RecordedEvent]:
        """The events on the way back from `head` to `base`, newest first; `base` is left out."""
        for commit in repository.walk(head):
            if commit.sha == base:
                return
            event = history.read_event(commit, self._signers)
            if event is not None:
                yield event

    def message(
        self, title: str, body: str, event: Event, *, sequence: int, previous: str | None
    ) -> str:
        """The commit message, trailers included."""
        if self._epoch is not None:
            trailers = (*event.trailers, ("Daypass-Epoch", str(self._epoch)))
            ordered = sorted(trailers, key=lambda item: TRAILERS.index(item[0]))
            event = replace(event, trailers=tuple(ordered))
        return compose.compose(title, body, event, sequence, previous)

    def signing(
        self, repository: Repository, signer: Signer, tip: RecordedEvent | None
    ) -> SignerInForce:
        """Signs what follows `tip`, by the key that is in force there."""
        return SignerInForce(repository, signer, self._signers, tip)


def write(
    ports: Ports,
    happenings: Iterable[Coming],
    *,
    head: str,
    before_push: Callable[[], None] = lambda: None,
) -> Recording | None:
    """Write and push all of these, as they come, on top of `head`; note the newest event in Vault.

    None where none comes: a run that writes nothing is not counted as one that writes.
    They are pushed in lots, each after `before_push` was called. Raises what the ports raise, and
    PushRaceError when every try for a lot lost: the lots before it are on main then.
    """
    coming = iter(happenings)
    first = next((item for item in coming if not isinstance(item, recorder.PushNow)), None)
    if first is None:
        return None
    memory = count_writing_run(ports.registry)
    recording = recorder.record(
        ports.repository,
        ports.signer,
        LedgerChain(ports, memory.epoch, memory.floor),
        chain((first,), coming),
        ports.issuer.now(),
        head=head,
        before_push=before_push,
    )
    if recording.recorded:
        last = recording.recorded[-1]
        note_written(ports.registry, last.sequence, last.commit)
    return recording
