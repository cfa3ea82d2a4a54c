"""An auditor's shell: the first block of docs/auditing.md, and the lines that ask after it."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Final

from support.doc_pages import blocks

if TYPE_CHECKING:
    from pathlib import Path

(EVIDENCE,) = {block.text for block in blocks("sh") if block.words == ("evidence",)}
# What a shell keeps of it: the variables that it exports, and the function that asks.
ASK: Final = "".join(
    line + "\n" for line in EVIDENCE.splitlines() if line.startswith(("export ", "evidence() "))
)


def selection(*fingerprints: str) -> str:
    """The block that selects what these keys signed."""
    return re.sub(r"(?<=KEYS=')[^']*", " ".join(fingerprints), EVIDENCE, count=1)


def typed(folder: Path, script: str) -> list[str]:
    """The lines that a script prints, where the block was typed before."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", ASK + script],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "TZ": "Asia/Kathmandu"},
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout.splitlines()
