"""How fast `daypass validate` is: beside what it cannot do without, and beside check-jsonschema.

Prints ratios of processor time (user and system, git included), because others may be at work on
the machine; figures drift, ratios hold. `python -m bench.validate [REQUESTS…]`.
"""

from __future__ import annotations

import compileall
import importlib.util
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Figure, show

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZES = (1_000, 10_000)
IMPORTS_GOAL = 3
FIRST_GOAL = 5
SECOND_GOAL = 50
ROUNDS = 4
GOAL_PEER = "with the C parser"
SOURCE = Path(__file__).resolve().parents[1]
DAYPASS = Path(sys.executable).with_name("daypass")
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in ("PYTHONDONTWRITEBYTECODE", "GITHUB_ACTIONS", "PYTHONUNBUFFERED")
} | {"GIT_CONFIG_GLOBAL": os.devnull}
REQUEST = """\
# yaml-language-server: $schema=../../schemas/access-request.schema.json
apiVersion: daypass.dev/v1
kind: AccessRequest
metadata:
  id: {name}
spec:
  # The replica is enough: nothing is to be changed.
  # Ask in #orders if anything is unclear.
  subject: alice
  resource: orders-db-replica
  access: read
  duration: 2h
  reason: >-
    Orders have been stuck in `paid` since the deploy of 14:00, and the queue says nothing about
    them. We want to know which ones they are, since when, and whether the payment provider was
    told, before we run the job again by hand. The incident channel has the time line, and the
    dashboards that made us look at the orders in the first place; the suspicion is that the
    consumer stopped at a message that it cannot read.
  ticket: OPS-{number}
  notBefore: "2026-11-23T09:00:00Z"
  device: alice-laptop
  workload:
    runs: orders-report, the job that lists what is stuck
    from: the repository acme/orders
  renews: null
"""
# check-jsonschema reads YAML with ruamel.yaml, in Python, unless ruamel's own C extra is there too,
# as it is here: its libyaml is the parser that daypass uses through PyYAML. That is the peer of the
# goals. Without the extra it is what people get who just install it.
INSTALLED = """
import sys
sys.modules["_ruamel_yaml"] = None
from check_jsonschema import main
main()
"""
# Faster than it can be had: ruamel taken out, and PyYAML's loader put in its place.
PATCHED = """
import sys, yaml, check_jsonschema.parsers as parsers
class Loader(yaml.CSafeLoader):
    pass
Loader.add_constructor(
    "tag:yaml.org,2002:timestamp", yaml.constructor.SafeConstructor.construct_yaml_str
)
parsers.yaml.construct_yaml_implementation = lambda **_: None
parsers.yaml.impl2loader = lambda *_: lambda stream: yaml.load(stream.read(), Loader)
from check_jsonschema import main
main()
"""


def measure() -> list[Figure]:
    """All measures of `daypass validate`; sizes from the command line when it is run alone."""
    return of_sizes(SIZES)


def of_sizes(sizes: Sequence[int]) -> list[Figure]:
    compileall.compile_dir(SOURCE / "src", quiet=1)
    with tempfile.TemporaryDirectory() as folder:
        figures = one_changed_file(Path(folder) / "one")
        for size in sizes:
            figures += many_requests(Path(folder) / str(size), size)
    return figures


def one_changed_file(root: Path) -> list[Figure]:
    """One new request in a pull request, whole process, beside two imports."""
    _house(root, 0)
    _git(root, "switch", "-q", "-c", "ask")
    _write(root, 1)
    imports = _median([sys.executable, "-c", "import yaml, jsonschema"], root)
    return [
        _beside_imports(
            what, _median([str(DAYPASS), "validate", "--format", "text", *words], root), imports
        )
        for what, words in (
            ("the whole tree", []),
            ("the file", ["access/requests/r-1.yaml"]),
            ("the pull request (`--base main`)", ["--base", "main"]),
            ("the pull request, nothing cached", ["--base", "main", "--no-cache"]),
        )
    ]


def _beside_imports(what: str, took: float, imports: float) -> Figure:
    return Figure(
        f"`daypass validate` with one changed file, {what}, whole process",
        f"{took * 1000:.0f} ms",
        f"`python -c 'import yaml, jsonschema'`, {imports * 1000:.0f} ms",
        f"{took / imports:.2f} x",
        f"< {IMPORTS_GOAL} x",
        took < IMPORTS_GOAL * imports,
    )


def many_requests(root: Path, size: int) -> list[Figure]:
    """A first run, and a second with ten changed files, beside check-jsonschema."""
    _house(root, size)
    validate = [str(DAYPASS), "validate", "--format", "text"]
    first, second = [], []
    for number in range(ROUNDS):
        first.append(_first_run(root, validate))
        for index in range(10):
            path = root / "access" / "requests" / f"r-{index}.yaml"
            path.write_text(path.read_text() + f"# changed {number}\n")
        second.append(_run(validate, root))
    peers = _peers(root)
    return [
        Figure(
            f"`daypass validate`, {size:,} requests, {run}",
            f"{took:.3f} s",
            f"check-jsonschema {peer}, {theirs:.2f} s",
            f"{theirs / took:.1f} x as fast",
            f">= {goal} x" if peer == GOAL_PEER else "",
            theirs >= goal * took if peer == GOAL_PEER else None,
        )
        for run, took, goal in (
            ("first run", min(first), FIRST_GOAL),
            ("second run with 10 changed files", min(second), SECOND_GOAL),
        )
        for peer, theirs in peers.items()
    ]


def _peers(root: Path) -> dict[str, float]:
    """What check-jsonschema takes for the same files, by how it reads YAML."""
    files = sorted(str(path) for path in (root / "access" / "requests").glob("*.yaml"))
    schema = root / "schemas" / "access-request.schema.json"
    words = ["--schemafile", str(schema), *files]
    c_parser = importlib.util.find_spec("_ruamel_yaml")
    if c_parser is None:
        raise SystemExit("ruamel.yaml.clib is missing: run `make .venv/.dev`")
    python = [sys.executable, "-c"]
    return {
        GOAL_PEER: min(
            _run([str(DAYPASS.with_name("check-jsonschema")), *words], root) for _ in range(2)
        ),
        "with PyYAML's patched in": min(_run([*python, PATCHED, *words], root) for _ in range(2)),
        "as it is installed": _run([*python, INSTALLED, *words], root),
    }


def _first_run(root: Path, command: list[str]) -> float:
    shutil.rmtree(root / ".git" / "daypass", ignore_errors=True)
    return _run(command, root)


def _house(root: Path, requests: int) -> None:
    root.mkdir()
    shutil.copytree(SOURCE / "access", root / "access")
    shutil.copytree(SOURCE / "schemas", root / "schemas")
    for number in range(requests):
        _write(root, number)
    _git(root, "init", "-q", "-b", "main")
    _git(root, "add", "-A")
    _git(
        root, "-c", "user.name=bench", "-c", "user.email=bench@example.com",
        "commit", "-q", "-m", "Begin",
    )  # fmt: skip


def _write(root: Path, number: int) -> None:
    path = root / "access" / "requests" / f"r-{number}.yaml"
    path.write_text(REQUEST.format(name=path.stem, number=number))


def _median(command: list[str], root: Path) -> float:
    _run(command, root)
    return statistics.median(_run(command, root) for _ in range(15))


def _run(command: list[str], root: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command, cwd=root, env=ENVIRONMENT, check=False, capture_output=True, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(f"{command[:3]} failed: {done.stdout[-500:]}{done.stderr[-500:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _git(root: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(root), *words], check=True, env=ENVIRONMENT)


if __name__ == "__main__":
    show(of_sizes([int(word) for word in sys.argv[1:]] or SIZES))
