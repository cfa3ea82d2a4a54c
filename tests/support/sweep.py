"""A run killed at every call in turn, and what the next run makes of it."""

from __future__ import annotations

import difflib
import json
import os
import time
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from support.end_state import end_state
from support.warm import Fate

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.town import Asked, Town
    from support.warm import Ran

# Every call, those that only look included: `make crash`. Killed before a look is what being killed
# before the next change is, so that without it nothing is left out but repetitions.
EVERY = os.environ.get("DAYPASS_CRASH_EVERY") == "1"
# A run of any kind begins so, and nothing that it is about has been touched yet.
_LOGGING_IN = ("/login", "/sign/github-app/", "/access_tokens", "/notes/trust")
_SETTLES_SECONDS = 60.0  # Vault ends what was revoked in the background


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep saw."""

    calls: tuple[str, ...]  # of the undisturbed run
    killed: tuple[Asked, ...]


def sweep(
    town: Town,
    begin: Callable[[str], Asked],
    run: Callable[[Asked, Fate], Ran],
    mend: Callable[[Asked], Ran],
    *,
    whole: bool = False,
    step: int = 1,
    state: Callable[[Asked], Any] | None = None,
) -> Swept:
    """Kill `run` before each of its calls, and after its last one; the next run mends it all.

    Args:
        town: where it happens.
        begin: brings a fresh id, ending in the word given, to where the run begins.
        run: the run that is killed.
        mend: what comes after, as often as it would come anyway.
        whole: whether it is killed while it logs in, too; in a sweep of every call it is.
        step: how many calls further it is killed each time, where each of them would take too long
            for every push; a sweep of every call leaves none out.
        state: what is compared; all that the world holds of the grant, unless told.
    """
    look = state or (lambda asked: end_state(town, asked))
    first = begin("whole")
    undisturbed = run(first, Fate(reads=EVERY))
    mended = mend(first)
    wanted, codes = look(first), {undisturbed.code, mended.code}
    killed = []
    start = 0 if whole or EVERY else _logged_in(undisturbed.calls)
    for number in count(start + 1, 1 if EVERY else step):
        asked = begin(f"{number}")
        met = run(asked, Fate(kill=number, reads=EVERY))
        _forget_log_ins(town)
        mended = mend(asked)
        at = met.calls[-1] if met.calls else "?"
        where = f"{asked.id}: killed before call {number}, {at}: {mended.said}"
        assert mended.code in codes, where
        _settle(lambda asked=asked: look(asked), wanted, where)  # type: ignore[misc]
        if not met.was_killed:  # so it ran to its end: there is no call of that number
            assert met.code in codes, met.said
            return Swept(undisturbed.calls, tuple(killed))
        killed.append(asked)
    raise AssertionError


def _forget_log_ins(town: Town) -> None:
    """A killed run's own token ends by itself, after minutes that no test has."""
    town.box.bao.client.write("sys/leases/revoke-prefix/auth/daypass-github/login")


def _logged_in(calls: tuple[str, ...]) -> int:
    """How many calls a run makes before it touches anything that it is about."""
    return next(
        number for number, call in enumerate(calls) if not any(part in call for part in _LOGGING_IN)
    )


def _settle(look: Callable[[], Any], wanted: Any, where: str) -> None:
    deadline = time.monotonic() + _SETTLES_SECONDS
    while (found := look()) != wanted:
        if time.monotonic() > deadline:
            raise AssertionError(f"{where}\n{_difference(wanted, found)}")
        time.sleep(0.1)


def _difference(wanted: Any, found: Any) -> str:
    """What an undisturbed run leaves, and what this one left: the lines that differ."""
    texts = [json.dumps(item, indent=1, default=str).splitlines() for item in (wanted, found)]
    return "\n".join(difflib.unified_diff(*texts, "undisturbed", "killed", n=0, lineterm=""))
