"""What is laid into a repository lands there: no link leads it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daypass.cli import init_files, request
from daypass.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("link", ["access", "access/requests", "access/requests/a.yaml"])
def test_a_link_on_the_way_leads_away(tmp_path: Path, link: str) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (root / link).parent.mkdir(parents=True)
    assert not init_files.leads_away(root, "access/requests/a.yaml")
    (root / link).symlink_to(elsewhere)
    assert init_files.leads_away(root, "access/requests/a.yaml")
    assert init_files.differing(root, {"access/requests/a.yaml": b""})


@pytest.mark.parametrize("link", ["access", "access/requests"])
def test_a_request_is_not_written_through_one(tmp_path: Path, link: str) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    (elsewhere / "requests").mkdir(parents=True)
    (root / link).parent.mkdir(parents=True)
    (root / link).symlink_to(elsewhere)
    with pytest.raises(UsageError):
        request._write(root, "a", b"")
    assert not list(elsewhere.rglob("*.yaml"))
