"""One grant issued by `daypass apply`, before and after a merge of much that it is not about.

One merge brings 20,000 files and 50,000 commits, as a subtree merge does, or a person who wants
runs to take long. Each run is a whole process in a clone of its own and issues one grant. The
first run after the merge meets all of it as new; the next one has it behind it.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.figures import Figure, show
from bench.footprint import Footprint, run
from bench.governed import PACKAGE, merge_each, organisation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daypass.sandbox.box import Box

FILES: Final = 20_000
COMMITS: Final = 50_000
ROUNDS: Final = 3
GOAL: Final = 1.5
_A_FOLDER: Final = 200  # files
_REF: Final = "refs/box/all-of-it"


def issue(box: Box, name: str) -> Footprint:
    """The run that issues one grant, merged just before."""
    merge_each(box, [name], duration="1h")
    credentials = box.begin_apply_run()
    with tempfile.TemporaryDirectory(prefix="daypass-job-") as folder:
        home = Path(folder)
        clone = box.checkout(home / "clone", credentials)
        environment = box.job_environment(credentials, home) | {"PYTHONPATH": str(PACKAGE.parent)}
        words = [sys.executable, "-m", "daypass", "apply", "--format", "json"]
        found = run(words, clone, environment)
    box.github.end_run(credentials)
    issued = [line["grant"] for line in json.loads(found.output)["done"]]
    if issued != [name]:
        raise SystemExit(f"{issued} were issued and not {name}: the bench is broken")
    return found


def bring(box: Box) -> None:
    """Merge all that is foreign, by one pull request."""
    alice, bob, repository = box.person("alice"), box.person("bob"), box.repository
    number = alice.propose("shop", {"docs/shop.md": b"The shop.\n"}, "Take in the shop")
    head = alice.git("rev-parse", "refs/box/shop").strip()
    alice.git("fast-import", "--quiet", data=b"".join(_stream(head)))
    # Not to the pull request's branch: the box's GitHub would read each of its commits at once.
    alice.git("push", "-q", "origin", f"{_REF}:refs/heads/all-of-it")
    tip = repository.store.git("rev-parse", "refs/heads/all-of-it").strip()
    repository.pulls[number].head_sha = tip
    repository.store.git("update-ref", f"refs/pull/{number}/head", tip)
    bob.approve(number)
    bob.merge(number, method="merge")


def _stream(head: str) -> Iterator[bytes]:
    """Commits one on top of the other; the first ones bring a file each, the others change one."""
    for number in range(COMMITS):
        yield f"commit {_REF}\nmark :{number + 1}\n".encode()
        yield f"committer Alice <alice@acme.example> {1_700_000_000 + number} +0000\n".encode()
        yield b"data 2\nx\n"
        parent = head if number == 0 else f":{number}"
        file = number % FILES
        content = f"{number}\n"
        path = f"shop/{file // _A_FOLDER:03d}/{file:05d}.txt"
        yield f"from {parent}\nM 100644 inline {path}\n".encode()
        yield f"data {len(content)}\n{content}\n".encode()


def figure(what: str, runs: Sequence[Footprint], before: Sequence[Footprint]) -> Figure:
    """Processor time is compared: what others do on the machine makes no run need more of it."""
    taken, least = (min(item.processor for item in these) for these in (runs, before))
    most, usual = (max(item.mebibytes for item in these) for these in (runs, before))
    return Figure(
        f"one issue, {FILES:,} foreign files and {COMMITS:,} foreign commits {what}",
        f"{taken:.2f} s of processor, {most:.0f} MiB",
        f"without them: {least:.2f} s, {usual:.0f} MiB",
        f"{taken / least:.2f} x, {most / usual:.2f} x",
        f"at most {GOAL} x",
        taken <= GOAL * least and most <= GOAL * usual,
    )


def measure() -> list[Figure]:
    """The least of a few rounds, each in a box of its own."""
    before, first, after = [], [], []
    for _ in range(ROUNDS):
        with organisation() as box:
            issue(box, "warming-up")  # the notes of a first run
            before.append(issue(box, "before"))
            bring(box)
            first.append(issue(box, "first"))
            after.append(issue(box, "after"))
    return [figure("just merged", first, before), figure("behind it", after, before)]


if __name__ == "__main__":
    show(measure())
