"""A run killed at every call in turn, and what the next run makes of it."""

from __future__ import annotations

import difflib
import json
import os
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from support.end_state import end_state
from support.warm import Fate
from support.warm_server import is_look

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from support.town import Asked, Town
    from support.warm import Ran

# `make crash`: all that may change anything, whatever it takes, and each kind of look once.
EVERY = os.environ.get("DAYPASS_CRASH_EVERY") == "1"
# A run of any kind begins so, and nothing that it is about has been touched yet.
_LOGGING_IN = ("/login", "/sign/github-app/", "/access_tokens", "/notes/trust")
_SETTLES_SECONDS = 60.0  # Vault ends what was revoked in the background
# What differs between two calls of one kind: the grant or commit that they are about.
_OWN = (
    (re.compile(r"\?.*", re.DOTALL), ""),
    (re.compile(r"^git (\S+).*", re.DOTALL), r"git \1"),
    (re.compile(r"/(grants|pending|intents|offline|done|keys|tags)/[^/ ]+"), r"/\1/*"),
    (re.compile(r"\b[0-9a-f]{40}\b|(?<=/)\d+(?=/|$)"), "*"),
)
_looked: set[str] = set()  # kinds of looks that a sweep of this process has killed before
told: list[str] = []  # what the sweeps of the test that runs have to say


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
    step: int = 8,
    state: Callable[[Asked], Any] | None = None,
) -> Swept:
    """Kill `run` before each of its calls that change something, and after; the next run mends it.

    A call that only looks leaves the world as it is, and a killed run's memory and clone go with
    it: killed before a look is what being killed before the next change is. So of each kind of look
    one is enough, to see that it is none; `make crash` kills before these, too.

    Args:
        town: where it happens.
        begin: brings a fresh id, ending in the word given, to where the run begins.
        run: the run that is killed.
        mend: what comes after, as often as it would come anyway.
        whole: whether it is killed while it logs in, too: that is the same for all sweeps of a run.
        step: how many calls further it is killed each time: before each of them would take too long
            for every push, but where a grant begins and ends. `make crash` leaves none out.
        state: what is compared; all that the world holds of the grant, unless told.
    """
    one = _Sweep(town, begin, run, mend, state or (lambda asked: end_state(town, asked)))
    calls = one.undisturbed()
    changes = _numbered(calls)
    start = 0 if whole else _logged_in(changes)
    points = changes[start :: 1 if EVERY else step]
    for number, (kind, nth) in enumerate(points, start + 1):
        one.kill_before(f"{number}", Fate(kill_at=_pattern(kind), kill_nth=nth))
    one.kill("after", Fate())
    looks = _new_looks(calls) if EVERY else []
    for number, kind in enumerate(looks):
        one.kill_before(f"look-{number}", Fate(kill_at=_pattern(kind), reads=True))
    told.append(
        f"killed before {len(points)} of {len(changes)} changes and after, and before {len(looks)} "
        f"kinds of looks that no sweep before it had met, of {len(calls) - len(changes)} looks"
    )
    return Swept(tuple(calls), tuple(one.killed))


@dataclass(slots=True)
class _Sweep:
    """One run, killed again and again, and what the undisturbed one left."""

    town: Town
    begin: Callable[[str], Asked]
    run: Callable[[Asked, Fate], Ran]
    mend: Callable[[Asked], Ran]
    look: Callable[[Asked], Any]
    killed: list[Asked] = field(default_factory=list)
    wanted: Any = None
    codes: set[int] = field(default_factory=set)

    def undisturbed(self) -> Sequence[str]:
        """Run it once to its end; its calls."""
        first = self.begin("whole")
        ran = self.run(first, Fate(reads=EVERY))
        mended = self.mend(first)
        self.wanted, self.codes = self.look(first), {ran.code, mended.code}
        return ran.calls

    def kill_before(self, word: str, fate: Fate) -> None:
        """Kill it before a call that the undisturbed run made.

        Some calls a run makes only where main has moved since the last one: then main moves.
        """
        if not self.kill(word, fate):
            who = self.town.box.person("carol")
            path = f"docs/{self.town.head()[:12]}.md"
            who.merge(who.propose(f"stir-{self.town.head()[:12]}", {path: b"Stirred.\n"}, "Stir"))
            assert self.kill(f"{word}-stirred", fate), f"no run came to {fate.kill_at}"

    def kill(self, word: str, fate: Fate) -> bool:
        """Run it, killed, and mend it: the world must be as ever. Whether it was killed at all."""
        asked = self.begin(word)
        met = self.run(asked, fate)
        _forget_log_ins(self.town)
        mended = self.mend(asked)
        at = met.calls[-1] if met.calls else "?"
        where = f"{asked.id}: killed before {at}: {mended.said}"
        assert mended.code in self.codes, where
        _settle(lambda: self.look(asked), self.wanted, where)
        if met.was_killed:
            self.killed.append(asked)
        else:  # so it ran to its end
            assert met.code in self.codes, met.said
        return met.was_killed


def kind_of(call: str) -> str:
    """What a call does, without the grant or commit that it is about."""
    for pattern, word in _OWN:
        call = pattern.sub(word, call)
    return call


def _pattern(kind: str) -> str:
    """What finds a call of that kind."""
    return "^" + re.escape(kind).replace(r"\*", "[^/? ]+") + r"(?=$|\?| )"


def _new_looks(calls: Sequence[str]) -> list[str]:
    """The kinds of looks among these calls that no sweep of this process has killed before."""
    kinds = dict.fromkeys(kind_of(call) for call in calls if is_look(call))
    new = [kind for kind in kinds if kind not in _looked]
    _looked.update(new)
    return new


def _forget_log_ins(town: Town) -> None:
    """A killed run's own token ends by itself, after minutes that no test has."""
    town.box.bao.client.write("sys/leases/revoke-prefix/auth/daypass-github/login")


def _numbered(calls: Sequence[str]) -> list[tuple[str, int]]:
    """The kinds of the calls that change something, in order, each with how often it was met."""
    met: Counter[str] = Counter()
    found = []
    for call in calls:
        if not is_look(call):
            kind = kind_of(call)
            met[kind] += 1
            found.append((kind, met[kind]))
    return found


def _logged_in(changes: Sequence[tuple[str, int]]) -> int:
    """How many calls a run makes before it touches anything that it is about."""
    return next(
        number
        for number, (kind, _) in enumerate(changes)
        if not any(part in kind for part in _LOGGING_IN)
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
