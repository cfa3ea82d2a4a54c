"""Epochs: a counter that Vault and git both keep, so that a restored backup of either shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

_FORM: Final = re.compile(r"([0-9a-f]{16}) ([1-9][0-9]{0,17})")


@dataclass(frozen=True, slots=True)
class Epoch:
    """How many runs have written evidence with one Vault: `<id> <count>`.

    Vault counts before a run pushes, and the events of that run carry the count. So an event on
    main never has a higher count than Vault, unless Vault was restored from a backup. `id` is
    random: a Vault that was set up anew has another one, and so has one after a restore that an
    operator accepted.
    """

    id: str  # 16 hexadecimal digits
    count: int  # of the runs that wrote, from 1; it goes on when the id changes

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """Read `<id> <count>`; None for anything else."""
        match = _FORM.fullmatch(text or "")
        return cls(match[1], int(match[2])) if match else None

    def __str__(self) -> str:
        return f"{self.id} {self.count}"

    def next(self) -> Epoch:
        """The epoch of the next run that writes."""
        return Epoch(self.id, self.count + 1)
