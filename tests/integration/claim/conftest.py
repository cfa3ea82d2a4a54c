"""The box in which claims are tried."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from claim_box import Box, build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from daypass.sandbox.github import GitHub
    from daypass.sandbox.openbao import OpenBao
    from daypass.sandbox.postgres import Postgres


def keygen(path: Path, passphrase: str = "") -> Path:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "", "-f", str(path)],
        check=True,
    )
    return path


@pytest.fixture
def box(
    github: GitHub, bao: OpenBao, postgres: Postgres, database_engine: str, tmp_path: Path
) -> Iterator[Box]:
    assert database_engine == "database"
    yield from build(github, bao, postgres, tmp_path, keygen)
