"""Write `.github/daypass.txt`: the release that the workflows of a governed repository install.

It holds the locked run-time dependencies and daypass itself, each with its hashes, so that the job
that mints runs exactly what was reviewed. The wheel is built reproducibly (times from
SOURCE_DATE_EPOCH, modes normalised by hatchling): the same commit gives the same hash anywhere.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PIN: Final = ROOT / ".github" / "daypass.txt"
REQUIREMENTS: Final = ROOT / "requirements" / "run.txt"
# 2020-02-02, hatchling's own default: said here, so that an environment cannot change the hash.
EPOCH: Final = "1580601600"


def build_wheel(folder: Path) -> Path:
    """Build this checkout's wheel into `folder`, without an isolated build environment."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("daypass-*.whl"):
        old.unlink()
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH},
    )
    (wheel,) = folder.glob("daypass-*.whl")
    return wheel


def pin(wheel: Path) -> str:
    """The text of the file: the dependencies as they are locked, then the wheel by its hash."""
    version = wheel.name.split("-")[1]
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return REQUIREMENTS.read_text() + f"daypass=={version} \\\n    --hash=sha256:{digest}\n"


def main() -> None:
    """Build and write; prints where both lie."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheels", metavar="DIR", type=Path, default=ROOT / "dist")
    parser.add_argument("--output", metavar="FILE", type=Path, default=PIN)
    arguments = parser.parse_args()
    wheel = build_wheel(arguments.wheels)
    arguments.output.write_text(pin(wheel))
    print(f"{arguments.output}: {wheel.name}")


if __name__ == "__main__":
    main()
