"""Faults tried, and what was lost: one organisation, every fault in turn, and nothing may be lost.

Each try has a request that was approved and merged, a grant that was given back, and a brief grant
whose time comes while the fault lasts. Then the fault goes, and the runs come that would come
anyway. What is counted afterwards: approved requests that nobody received, ends and issues that the
evidence does not tell, and users or tokens that live on after their time.

The runs are those of the tests: the command line with its real wiring, on real servers.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.figures import Figure, show
from bench.governed import organisation

# The town and its runs are those that the tests use.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.census import take_census
from support.town import Asked, Town
from support.warm import Fate, Ran, Warm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.census import Census

MINUTE: Final = 3  # seconds that a brief grant lasts
ROLE: Final = "database/roles/orders-read-1h"
RUNS: Final = 4  # after a fault, until one ends with nothing left to do
GONE_SECONDS: Final = 1.5  # for Vault, on a busy machine, after the time of a grant


@dataclass(slots=True)
class Losses:
    """What was lost over the tries of one fault."""

    tried: int = 0
    grants: int = 0
    evidence: int = 0
    outlived: int = 0
    alarmed: int = 0  # tries in which a run said that it could not do all
    notes: Counter[str] = field(default_factory=Counter)


class World:
    """The box, with the ids of one try after the other."""

    def __init__(self, town: Town, warm: Warm) -> None:
        self.town = town
        self.warm = warm
        self.began = town.head()
        self._number = 0

    def apply(self, fate: Fate | None = None) -> Ran:
        return self.warm.apply(fate or Fate(minute=MINUTE))

    def begin(self) -> tuple[str, Asked]:
        """One to be granted, one to be ended, one whose time is near."""
        self._number += 1
        prefix = f"f{self._number:04}-"
        self.began = self.town.head()
        self.town.grant(f"{prefix}ending", duration="1h")
        self.town.grant(f"{prefix}brief", duration="1m")
        done = self.apply()
        if done.code != 0:
            raise SystemExit(f"the bench is broken: {done.said}")
        self.town.delete(f"{prefix}ending")
        return prefix, self.town.grant(f"{prefix}new", duration="1h")

    def census(self, prefix: str) -> Census:
        return take_census(self.town, prefix, since=self.began)


def judge(world: World, prefix: str, new: Asked, losses: Losses, *, before: bool) -> None:
    """Hold what there is against what there should be.

    `before`: whether Vault and the database were there all the time, so that nothing may outlive
    its end even before a run comes.
    """
    if before:
        time.sleep(GONE_SECONDS)
        losses.outlived += len(alive(world.census(prefix), f"{prefix}brief"))
    for _ in range(RUNS):
        done = world.apply()
        if done.code == 0:
            break
        losses.alarmed += 1
    seen = world.census(prefix)
    kinds = {name: [event.kind for event in events] for name, events in seen.events.items()}
    delivered = len(world.town.comments(new, "delivery"))
    if kinds.get(new.id) != ["issued"] or len(seen.tokens.get(new.id, ())) != 1 or delivered != 1:
        losses.grants += 1
        losses.notes[f"{new.id}: {kinds.get(new.id)}, {delivered} deliveries"] += 1
    for name, end in ((f"{prefix}ending", "revoked"), (f"{prefix}brief", "expired")):
        losses.outlived += len(alive(seen, name))
        told = [kind for kind in kinds.get(name, ()) if kind != "revoke-failed"]
        if told != ["issued", end]:
            losses.evidence += 1
            losses.notes[f"{name}: {told}"] += 1
    losses.tried += 1
    world.town.delete(new.id)


def alive(seen: Census, name: str) -> list[str]:
    return [*seen.tokens.get(name, ()), *seen.users.get(name, ())]


@contextmanager
def changed_role(world: World) -> Iterator[None]:
    """The database refuses to drop its users."""
    client = world.town.box.bao.client
    role = (client.read(ROLE) or {})["data"]
    client.write(ROLE, role | {"revocation_statements": ["SELECT 1/0;"]})
    try:
        yield
    finally:
        client.write(ROLE, role)


@contextmanager
def down(stop: Callable[[], Any], start: Callable[[], Any]) -> Iterator[None]:
    stop()
    try:
        yield
    finally:
        start()


@contextmanager
def ailing(world: World, what: str) -> Iterator[None]:
    """GitHub fails in that way."""
    github = world.town.box.github
    if what == "rate limit":
        github.limit_rate(10_000, seconds=1800)
    elif what == "answers lost":
        github.fail_next("*", "/comments$|git-receive-pack$", 502, times=10_000, after=True)
    else:
        github.fail_next("*", "^/api/v3/", 503, times=10_000)
    try:
        yield
    finally:
        github.heal()


def raced(world: World, prefix: str) -> None:
    """Somebody merges in the moment of the push."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        second = world.town.ask(f"{prefix}racer", duration="1h")
        run = world.warm.start(Fate(hold="^git push", folder=folder, minute=MINUTE))
        while not (folder / "reached").exists() and not run.done():
            time.sleep(0.02)
        world.town.merge(second)
        (folder / "go").touch()
        run.result()


def faults(world: World) -> dict[str, tuple[Callable[[str], None], bool]]:
    """What is done while each lasts; and whether Vault and the database are there all the time."""
    box = world.town.box

    def under(fault: Callable[[], Any]) -> Callable[[str], None]:
        def meet(_: str) -> None:
            with fault():
                world.apply()
                time.sleep(MINUTE)

        return meet

    def fated(**fate: Any) -> Callable[[str], None]:
        def meet(_: str) -> None:
            world.apply(Fate(minute=MINUTE, **fate))
            time.sleep(MINUTE)

        return meet

    postgres = box.postgres
    return {
        "Vault killed": (under(lambda: down(box.bao.kill, box.bao.restart)), False),
        "Vault sealed": (under(lambda: down(box.bao.seal, box.bao.restart)), False),
        "PostgreSQL stopped": (under(lambda: down(postgres.stop, postgres.start_again)), False),
        "PostgreSQL killed": (under(lambda: down(postgres.kill, postgres.start_again)), False),
        "a DROP that fails": (under(lambda: changed_role(world)), False),
        "GitHub answers 503": (under(lambda: ailing(world, "503")), True),
        "GitHub's rate limit": (under(lambda: ailing(world, "rate limit")), True),
        "GitHub's answers lost": (under(lambda: ailing(world, "answers lost")), True),
        "a push that loses a race": (lambda prefix: raced(world, prefix), True),
        "no space on the runner's disk": (fated(no_space=True), True),
        "the runner's clock 10 minutes slow": (fated(clock=-600), True),
        "the runner's clock 10 minutes fast": (fated(clock=600), True),
        "no run comes": (lambda _: time.sleep(MINUTE), True),
    }


def killed(world: World) -> Losses:
    """A run that grants, ends and records an expiry, killed before each of its calls in turn."""
    losses = Losses()
    for number in count(1):
        prefix, new = world.begin()
        time.sleep(MINUTE)
        done = world.apply(Fate(kill=number, minute=MINUTE))
        judge(world, prefix, new, losses, before=False)
        if not done.was_killed:
            losses.tried -= 1
            return losses
    raise AssertionError


def measure(rounds: int = 2) -> list[Figure]:
    found: dict[str, Losses] = {}
    with organisation() as box, Warm(box) as warm:
        world = World(Town(box), warm)
        world.apply()
        found["kill -9 before each call to Vault, git and GitHub"] = killed(world)
        for name, (meet, before) in faults(world).items():
            losses = found[name] = Losses()
            for _ in range(rounds):
                prefix, new = world.begin()
                meet(prefix)
                judge(world, prefix, new, losses, before=before)
        audit = world.town.verify().json()
    tried = sum(losses.tried for losses in found.values())
    figures = [figure(name, losses) for name, losses in found.items()]
    faults_found = len(audit["faults"])
    whole = Figure(
        f"evidence after all {tried} faults: `audit verify`",
        f"{audit['verdict']}, {faults_found} faults in it",
        goal="holds, none",
        met=audit["verdict"] == "holds" and not faults_found,
    )
    return [*figures, whole]


def figure(name: str, losses: Losses) -> Figure:
    lost = losses.grants + losses.evidence
    for note in losses.notes:
        print(f"# {name}: {note}", flush=True)
    return Figure(
        f"fault: {name}, tried {losses.tried} times",
        f"{losses.grants} grants and {losses.evidence} events lost, "
        f"{losses.outlived} lived past their time",
        goal="0 lost, 0 lived past",
        met=lost == 0 and losses.outlived == 0,
    )


if __name__ == "__main__":
    show(measure())
