"""The release that workflows install: this checkout's wheel, and the wheels that it depends on."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "pin_release.py"
REQUIREMENTS = ROOT / "requirements" / "run.txt"


@dataclass(frozen=True, slots=True)
class Release:
    """Where the wheels lie, and the text of `.github/daypass.txt` that names them by hash."""

    wheels: Path
    pin: str

    def environment(self) -> dict[str, str]:
        """What makes pip take them, and ask nobody else."""
        return {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": f"{self.wheels} {self.dependencies}",
            "PIP_NO_COMPILE": "1",
            "PIP_NO_CACHE_DIR": "1",
        }

    @property
    def dependencies(self) -> Path:
        return wheelhouse()


def make_release(folder: Path) -> Release:
    """Build the wheel as `make pin` does, into a folder of its own."""
    output = folder / "daypass.txt"
    command = [sys.executable, str(SCRIPT), "--wheels", str(folder), "--output", str(output)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return Release(folder, output.read_text())


def wheelhouse() -> Path:
    """The locked dependencies' wheels, fetched once for each state of the lock file."""
    state = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = ROOT / ".daypass" / "wheelhouse" / state
    if not folder.is_dir():
        # As the sandbox's own servers are installed: from wherever this machine's pip gets them.
        fetched = folder.with_name(f"{state}.{os.getpid()}")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes"]
        only = ["--only-binary", ":all:", "--dest", str(fetched), "-r", str(REQUIREMENTS)]
        done = subprocess.run([*command, *only], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        fetched.replace(folder)
    return folder
