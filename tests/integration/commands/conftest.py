"""An organisation for these tests alone: they end what others would be using."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from command_runs import Commands

from support.town import Town

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    from daypass.sandbox.box import Box  # noqa: PLC0415  -- unit tests need no server

    with Box.create(tmp_path_factory.mktemp("commands") / "box") as box:
        box.vault_bootstrap()
        yield Commands(Town(box))
