"""The box in which claims are tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from claim_box import Box, build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from daypass.sandbox.github import GitHub
    from daypass.sandbox.openbao import OpenBao
    from daypass.sandbox.postgres import Postgres


@pytest.fixture
def box(
    github: GitHub, bao: OpenBao, postgres: Postgres, database_engine: str, tmp_path: Path
) -> Iterator[Box]:
    assert database_engine == "database"
    yield from build(github, bao, postgres, tmp_path)
