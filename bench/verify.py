"""`audit verify` of 10,000 signed events, beside bare Ed25519 and beside stock git.

The peers check signatures, and no more: `verify` also reads every commit and record, follows the
chain, and makes every decision again. Verdicts are the same: the test of the corpus of good and bad
signatures (tests/integration/git/test_stock_git.py) holds them together.
"""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import daypass
from bench.figures import Figure
from bench.history import spent

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.evidence_year import write_year
from support.local_signer import LocalSigner

GRANTS: Final = 4970  # about 10,000 events
ROUNDS: Final = 3
LOOP: Final = 100  # commits that `git verify-commit` judges; it takes as long for each
BARE_GOAL: Final = 3.0
LOOP_GOAL: Final = 50.0
NEW: Final = 100
NEW_GOAL: Final = 0.3


def bare(count: int) -> tuple[float, float]:
    """So many verifications, of messages of the size that SSHSIG signs: wall and processor time."""
    signer = LocalSigner()
    messages = [bytes(100) + number.to_bytes(8) for number in range(count)]
    pairs = [(signer.sign(message), message) for message in messages]
    key = Ed25519PublicKey.from_public_bytes(signer.public_key())
    began, used = time.perf_counter(), time.process_time()
    for signature, message in pairs:
        key.verify(signature, message)
    return time.perf_counter() - began, time.process_time() - used


def measure() -> list[Figure]:
    compileall.compile_dir(Path(daypass.__file__).parent, quiet=1)
    with tempfile.TemporaryDirectory(prefix="daypass-bench-") as name:
        os.environ["XDG_CACHE_HOME"] = name
        folder = Path(name) / "clone"
        folder.mkdir()
        write_year(folder, GRANTS).close()
        git = ("git", "-C", str(folder))
        audit = (sys.executable, "-m", "daypass", "-C", str(folder), "audit", "verify")
        grep = ("rev-list", "--grep=^Daypass-Event: ")
        events = subprocess.check_output([*git, *grep, "HEAD"], text=True).split()
        walls, uses, floors, least = [], [], [], []
        environment = ("env", f"XDG_CACHE_HOME={name}")
        for _ in range(ROUNDS):
            wall, used = spent(*environment, *audit, "--no-cache")
            walls.append(wall)
            uses.append(used)
            wall, used = bare(len(events))
            floors.append(wall)
            least.append(used)
        signers = ("-c", f"gpg.ssh.allowedSignersFile={folder}/access/allowed_signers")
        loop = [spent(*git, *signers, "verify-commit", commit) for commit in events[:LOOP]]
        spent(*environment, *audit, "--revision", f"HEAD~{NEW}")
        new, new_used = spent(*environment, *audit)
    wall, floor = min(walls), min(floors)
    stock = sum(seconds for seconds, _ in loop) / LOOP * len(events)
    many = f"{len(events):,} signed events"
    return [
        Figure(
            f"`audit verify`, whole process, {many}, decisions made again",
            f"{wall:.2f} s; {min(uses):.2f} s of processor time",
            f"bare Ed25519 in a loop: {floor:.2f} s; {min(least):.2f} s",
            f"{wall / floor:.1f} x; {min(uses) / min(least):.1f} x",
            f"≤ {BARE_GOAL:.0f} x",
            wall <= BARE_GOAL * floor,
        ),
        Figure(
            "the same",
            f"{wall:.2f} s",
            f"`git verify-commit` one after the other ({LOOP} measured): {stock:.0f} s",
            f"{stock / wall:.0f} x",
            f"≥ {LOOP_GOAL:.0f} x",
            stock >= LOOP_GOAL * wall,
        ),
        Figure(
            f"the same, all but the last {NEW} commits verified before",
            f"{new:.2f} s; {new_used:.2f} s of processor time",
            goal=f"< {NEW_GOAL} s",
            met=new < NEW_GOAL,
        ),
    ]
