"""Fuzz the loader: `make fuzz`, at least 100,000 inputs, in processes of bounded memory.

Each process keeps the input under way in a file, so that its death tells what killed it. What is
found lands in `tests/fuzz/corpus`, which `make test` replays.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from loader_target import CORPUS, attempt_in_time

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).parents[2]
PER_PROCESS: Final = 10_000
MEMORY: Final = 512 * 1024 * 1024  # bytes of address space
_REQUEST: Final = b"""\
# yaml-language-server: $schema=../../schemas/access-request.schema.json
apiVersion: daypass.dev/v1
kind: AccessRequest
metadata:
  id: alice-1
spec:
  subject: alice
  resource: payments-db
  access: read
  duration: 2h
  reason: Orders stuck in `paid` since the 14:00 deploy
  ticket: OPS-1234
  notBefore: "2026-11-23T09:00:00Z"
  device: alice-laptop
  renews: alice-0
"""
_GRANT: Final = b'{"apiVersion": "daypass.dev/v1", "kind": "Grant", "metadata": {"id": "alice-1"}, '
_SEEDS: Final = [
    _REQUEST,
    _REQUEST,
    _GRANT + b'"spec": {}, "status": {"state": "active", "reason": null, "since": null}}',
    *(path.read_bytes() for path in sorted((ROOT / "access").rglob("*.yaml"))),
    *(path.read_bytes() for path in sorted((ROOT / "access").rglob("*.json"))),
    *(path.read_bytes() for path in sorted(CORPUS.iterdir()) if path.name != "README"),
]
_FRAGMENTS: Final = [
    text.encode("utf-8", "surrogatepass")
    for text in (
        *(
            "&a ",
            "*a",
            "<<: *a",
            "!!str ",
            "!!python/object:os.system ",
            "!",
            "? ",
            ": ",
            "- ",
            "|",
        ),
        *(
            "|",
            ">",
            "|+9\n",
            ">-\n",
            "\n",
            "\n\n",
            "  ",
            "            ",
            "\t",
            "\r\n",
            "---\n",
            "...\n",
        ),
        *("%YAML 1.2\n", "#", "'", '"', "\\", "\\x00", "\\u202e", "\\U0010ffff", "\\U00110000"),
        *("[", "]", "{", "}", ",", "[[[[[[[[[[[[[", "{a: " * 13, "]" * 13, "0" * 20, "9" * 5000),
        *("1:30:00", "0o17", "0x1f", "1_000", ".inf", "-.nan", "1e999", "yes", "null", "~", "="),
        *("\u202e", "\u200b", "\ufeff", "\u2028", "\x85", "\x00", "\x1b[31m", "\u0430", "é"),
        *("\ud800", "\U000e0041", "kind: ", "spec: ", "metadata: ", "id: alice-1", "name: x"),
        *("duration: 9999d", "duration: 0h", "notBefore: 9999-12-31T23:59:60Z", "apiVersion: "),
        *("2026-02-30", "../../etc/passwd", "AKIA" + "A" * 16, "expression: '" + "(" * 60 + "'"),
        *('{"apiVersion": "daypass.dev/v1", "kind": "Grant"}', "NaN", '"\\ud800"', "-0", "1E400"),
    )
]
_piece = st.one_of(
    st.sampled_from(_FRAGMENTS),
    st.binary(max_size=12),
    st.text(max_size=8).map(lambda text: text.encode("utf-8", "surrogatepass")),
)
_edit = st.tuples(
    st.sampled_from(["insert", "replace", "delete", "double", "swap", "repeat"]),
    st.floats(0, 1),
    st.integers(0, 60),
    _piece,
)


def mutated(seed: bytes, edits: list[tuple[str, float, int, bytes]]) -> bytes:
    """A document with edits, each at a share of its length and over so many bytes."""
    for how, share, length, piece in edits:
        at = int(share * len(seed))
        before, middle, after = seed[:at], seed[at : at + length], seed[at + length :]
        seed = {
            "insert": before + piece + middle + after,
            "replace": before + piece + after,
            "delete": before + after,
            "double": before + middle * 2 + after,
            "swap": after + before + middle,
            "repeat": before + piece * (1 + length) + middle + after,
        }[how]
    return seed[:20_000]


inputs = st.one_of(
    st.builds(mutated, st.sampled_from(_SEEDS), st.lists(_edit, min_size=1, max_size=6)),
    st.builds(b"".join, st.lists(_piece, max_size=40)),
    st.binary(max_size=600),
)


def work(count: int, seed: int, under_way: Path) -> int:
    """Try that many inputs in this process; returns how many were taken for sound."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    tried = sound = 0
    with under_way.open("wb", buffering=0) as stream:

        def attempt(data: bytes) -> None:
            nonlocal tried, sound
            stream.seek(0)
            stream.truncate()
            stream.write(data)
            tried += 1
            sound += attempt_in_time(data)

        _examples(attempt, count, seed)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    sys.stdout.write(f"{tried} {sound} {peak}\n")
    return 0


def _examples(attempt: Callable[[bytes], None], count: int, seed: int) -> None:
    from hypothesis import seed as seeded  # noqa: PLC0415  -- the name is taken here

    run = settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(given(inputs)(attempt))
    seeded(seed)(run)()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work is not None:
        return work(arguments.inputs, arguments.seed, arguments.work)
    began, tried, sound, peak, found, seed = time.monotonic(), 0, 0, 0, 0, arguments.seed
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory() as directory:
        under_way = Path(directory) / "input"
        while tried < arguments.inputs and found < 10:
            seed += 1
            command = [sys.executable, __file__, "--inputs", str(PER_PROCESS), "--seed", str(seed)]
            done = subprocess.run(
                [*command, "--work", str(under_way)], check=False, capture_output=True, text=True
            )
            if done.returncode == 0:
                numbers = [int(word) for word in done.stdout.split()]
                tried, sound, peak = tried + numbers[0], sound + numbers[1], max(peak, numbers[2])
                print(f"{tried} inputs, {sound} sound, at most {peak} MiB", flush=True)
                continue
            found += 1
            data = under_way.read_bytes()
            name = hashlib.sha256(data).hexdigest()[:16]
            (CORPUS / name).write_bytes(data)
            print(
                f"FOUND (exit {done.returncode}), kept as {name}:\n{done.stderr[-600:]}", flush=True
            )
    rate = tried / (time.monotonic() - began)
    print(f"{tried} inputs in {time.monotonic() - began:.0f} s ({rate:.0f}/s), {found} found")
    return 1 if found or tried < arguments.inputs else 0


if __name__ == "__main__":
    raise SystemExit(main())
