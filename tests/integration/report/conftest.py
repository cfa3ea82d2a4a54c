"""Repositories to report on: a small story that is told event by event, and a year of many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daypass.model.names import SETTINGS_PATH
from support.chromium import chromium
from support.evidence_bot import make_bot
from support.evidence_year import write_year

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.chromium import Browser
    from support.evidence_bot import Bot


@pytest.fixture
def bot(tmp_path: Path) -> Bot:
    return make_bot(tmp_path)


@pytest.fixture(scope="session")
def year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone that tells of 400 grants."""
    folder = tmp_path_factory.mktemp("year")
    write_year(folder, 400).close()
    return folder


@pytest.fixture
def governed(bot: Bot, year: Path) -> Bot:
    """The bot's small repository, with the settings that name it."""
    bot.person_commits("Settings", {SETTINGS_PATH: (year / SETTINGS_PATH).read_text()})
    return bot


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("chromium")) as found:
        yield found
