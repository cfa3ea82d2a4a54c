"""Widening: `make widening`, 100,000 made-up policies, guards and facts, on all cores.

No guard, whatever it says, and no approval or answer less, and no time more may give more than
before. Prints the numbers, and each case that gives more by its number: `--case N` shows that one.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from collections import Counter
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "policy"))

from policy_cases import QUESTIONS, verdict

CHUNK = 250


def main() -> int:
    parser = argparse.ArgumentParser(prog="make widening", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, metavar="N")
    parser.add_argument("--case", type=int, metavar="N", help="show one case again")
    arguments = parser.parse_args()
    if arguments.case is not None:
        return show(arguments.case)
    first = secrets.randbelow(1 << 40)  # other cases each time
    began = time.perf_counter()
    chunks = [
        range(first + start, first + min(start + CHUNK, arguments.cases))
        for start in range(0, arguments.cases, CHUNK)
    ]
    tallies: Counter[tuple[str, str, str]] = Counter()
    widened: dict[int, str] = {}
    with get_context("spawn").Pool(os.cpu_count()) as pool:
        for tally, found in pool.imap_unordered(look, chunks):
            tallies += tally
            widened |= found
    for question in dict.fromkeys(QUESTIONS):
        mine = {key: count for key, count in tallies.items() if key[0] == question}
        permits = sum(count for (_, before, _), count in mine.items() if before == "permit")
        less = sum(count for (_, before, after), count in mine.items() if before != after)
        print(f"{question}: {sum(mine.values())} cases, {permits} permitted, {less} then less")
    seconds = time.perf_counter() - began
    print(f"{sum(tallies.values())} cases in {seconds:.0f} s, {len(widened)} of them widened")
    for number, how in sorted(widened.items())[:20]:
        print(f"case {number}: {how}; see it again with --case {number}")
    return 1 if widened or sum(tallies.values()) != arguments.cases else 0


def look(numbers: range) -> tuple[Counter[tuple[str, str, str]], dict[int, str]]:
    """What cases give: how often what became what, and which were widened."""
    tally: Counter[tuple[str, str, str]] = Counter()
    widened: dict[int, str] = {}
    for number in numbers:
        found = verdict(number)
        tally[found.question, str(found.first.effect), str(found.second.effect)] += 1
        if found.widened:
            widened[number] = f"{found.question}, {found.widened}"
    return tally, widened


def show(number: int) -> int:
    """One case, for a person."""
    found = verdict(number)
    print(f"case {number}: {found.question}; widened: {found.widened or 'no'}")
    for decision in (found.first, found.second):
        print(f"{decision.effect}, {decision.seconds} s by {decision.bounded_by}")
        print(f"  {decision.obligations.to_json()}")
        for item in decision.reasons:
            print(f"  {item.policy}/{item.rule}: {item.effect}: {item.message}")
    return 1 if found.widened else 0


if __name__ == "__main__":
    sys.exit(main())
