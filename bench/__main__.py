"""All measures, or those that are named: `python -m bench [NAME…] [--json FILE]`.

Prints each figure beside its peer or floor of the same run, then one table in Markdown. Exits with
1 when a goal was missed or a measure could not be made.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.apart import measured_apart
from bench.figures import show, table

if TYPE_CHECKING:
    from bench.figures import Figure

MEASURES = (
    *("expiry", "ends", "target", "done", "delivery", "batch", "live", "reverts", "foreign"),
    "vault_apply",
    *("validate", "decide", "hostile", "history", "verify", "report", "faults"),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", help=", ".join(MEASURES))
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all figures there")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(MEASURES)
    if unknown:
        parser.error(f"no such measure: {', '.join(sorted(unknown))}")
    found: list[tuple[str, Figure]] = []
    broken = False
    machine = busy()
    for name in arguments.names or MEASURES:
        began = time.perf_counter()
        figures = measured_apart(name)
        if isinstance(figures, str):  # the other measures are worth having
            print(f"# {command(name)} could not be made: {figures}")
            broken = True
            continue
        print(f"# {command(name)} ({time.perf_counter() - began:.0f} s)")
        show(figures)
        found += [(name, figure) for figure in figures]
    print(f"\n{machine}\n")
    print(table([(command(name), figure) for name, figure in found]))
    if arguments.json is not None:
        rows: list[dict[str, Any]] = [
            figure.to_json(command(name)) | {"name": name} for name, figure in found
        ]
        document = {"machine": machine, "figures": rows}
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")
    return 1 if broken or any(figure.met is False for _, figure in found) else 0


def busy() -> str:
    """Who else is at work: on a busy machine a ratio of wall-clock times says little."""
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, load average {os.getloadavg()[0]:.1f} at the start"


def command(name: str) -> str:
    return f"python -m bench {name}"


if __name__ == "__main__":
    sys.exit(main())
