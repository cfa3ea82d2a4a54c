"""The governed repository that these tests write into."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.evidence_bot import make_bot

if TYPE_CHECKING:
    from pathlib import Path

    from support.evidence_bot import Bot


@pytest.fixture
def bot(tmp_path: Path) -> Bot:
    return make_bot(tmp_path)
