"""Time and memory to refuse each hostile document, beside PyYAML's safe loader on the same bytes.

Each is read in a process of its own, whose whole memory at its peak counts, interpreter included.
The time is that of reading the document, the worst of five, after one sound document was read. The
peer is `json.dumps(yaml.safe_load(…))`, with a gibibyte and ten seconds: who reads YAML walks it.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from bench.figures import Figure, quantile, show

MILLISECONDS: Final = 50
MEBIBYTES: Final = 64
PATH: Final = "access/requests/alice-1.yaml"
SOUND: Final = b"""\
apiVersion: daypass.dev/v1
kind: AccessRequest
metadata: {id: alice-1}
spec: {subject: alice, resource: orders-db, access: read, duration: 2h, reason: Orders stuck}
"""
_BOMB: Final = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (name, name, b",".join([b"*%c" % (name - 1)] * 9))
    for name in range(ord("b"), ord("j"))
)
DOCUMENTS: Final[dict[str, bytes]] = {
    "alias bomb, 9 levels": _BOMB,
    "alias of itself": b"a: &a [*a]\n",
    "merge keys, 12 deep": b"".join(
        b"k%d: &k%d {%s}\n" % (i, i, b"<<: *k%d" % (i - 1) if i else b"a: 1") for i in range(12)
    ),
    "16 KiB of opening brackets": b"[" * 16_000,
    "30 KiB of opening brackets": b"[" * 30_000,
    "16 KiB of block sequences": b"- " * 8_000 + b"x\n",
    "1 MiB": b"a: " + b"x" * 1024 * 1024 + b"\n",
    "an integer of 5,000 digits": b"a: " + b"9" * 5_000 + b"\n",
    "a float of 5,000 digits": b"a: 1e" + b"9" * 5_000 + b"\n",
    "2,000 keys": b"".join(b"k%d: 1\n" % number for number in range(2_000)),
    "a key twice, 2,000 times": b"k: 1\n" * 2_000,
    "a Python object": b"a: !!python/object/apply:os.system [id]\n",
    "1,000 documents": b"--- a\n" * 1_000,
    "a 16 KiB pattern of a ticket": SOUND.replace(b"Orders stuck", b"(a+)+" * 3_000),
    "bidirectional text": SOUND.replace(b"Orders", "\u202eOrders".encode()),
    "half of UTF-8": SOUND + b"# \xe2\x82\n",
    "a sexagesimal time": SOUND.replace(b"2h", b"1:30:00"),
    "unknown fields, 300": SOUND.replace(
        b"spec: {", b"spec: {" + b"".join(b"x%d: 1, " % number for number in range(300))
    ),
}


def _refuse(name: str) -> None:
    """In a child: refuse one document; print the worst time in ms and the peak in MiB."""
    from daypass.documents.document import read_document  # noqa: PLC0415  -- after it began
    from daypass.errors import DocumentError  # noqa: PLC0415

    read_document(PATH, SOUND)
    times = []
    for _ in range(6):
        began = time.perf_counter()
        try:
            read_document(PATH, DOCUMENTS[name])
        except DocumentError as error:
            if not (error.findings and error.remedy):
                raise SystemExit(f"{name} is refused without saying why") from error
        else:
            raise SystemExit(f"{name} is not refused")
        times.append(time.perf_counter() - began)
    # The first that a schema refuses imports the explainer, once a process: told apart.
    worst = max(times[1:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"ms": worst * 1e3, "first": times[0] * 1e3, "mib": peak}))


def _peer(name: str) -> None:
    import yaml  # noqa: PLC0415  -- the peer, in a child

    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    began = time.perf_counter()
    try:
        json.dumps(yaml.safe_load(DOCUMENTS[name]))
    except (yaml.YAMLError, ValueError, RecursionError, MemoryError) as error:
        print(f"{(time.perf_counter() - began) * 1e3:.0f} ms, {type(error).__name__}")
        return
    print(f"{(time.perf_counter() - began) * 1e3:.0f} ms, taken")


def _child(how: str, name: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.hostile", how, name]
    return subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=10,
        cwd=Path(__file__).parents[1],
    )


def _beside(name: str) -> str:
    try:
        done = _child("peer", name)
    except subprocess.TimeoutExpired:
        return "safe_load: more than 10 s"
    if done.returncode == 0:
        return f"safe_load: {done.stdout.strip()}"
    return f"safe_load: the process ends with {done.returncode}"


def measure() -> list[Figure]:
    """Refuse each document."""
    figures, times, peaks, firsts = [], [], [], []
    for name in DOCUMENTS:
        done = _child("refuse", name)
        if done.returncode != 0:
            raise SystemExit(f"{name}: {done.stderr.strip()}")
        found = json.loads(done.stdout)
        times.append(found["ms"])
        peaks.append(found["mib"])
        firsts.append(found["first"])
        figures.append(
            Figure(
                f"refuse {name}",
                f"{found['ms']:.2f} ms, {found['mib']:.0f} MiB",
                beside=_beside(name),
                goal=f"< {MILLISECONDS} ms, < {MEBIBYTES} MiB",
                met=found["ms"] < MILLISECONDS and found["mib"] < MEBIBYTES,
            )
        )
    figures.append(
        Figure(
            f"refuse {len(DOCUMENTS)} hostile documents",
            f"at most {max(times):.1f} ms and {max(peaks):.0f} MiB; the median "
            f"{quantile(times, 0.5):.2f} ms; the first in a process at most "
            f"{max(firsts):.0f} ms (it imports what explains)",
            goal=f"< {MILLISECONDS} ms, < {MEBIBYTES} MiB",
            met=max(times) < MILLISECONDS and max(peaks) < MEBIBYTES,
        )
    )
    return figures


def main() -> int:
    words = sys.argv[1:]
    if words and words[0] in ("refuse", "peer"):
        (_refuse if words[0] == "refuse" else _peer)(words[1])
        return 0
    figures = measure()
    show(figures)
    return 1 if any(figure.met is False for figure in figures) else 0


if __name__ == "__main__":
    raise SystemExit(main())
