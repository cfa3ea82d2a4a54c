"""`daypass teams` and `validate --online`: teams by their ids, asked of the box's GitHub."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from support import acting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from daypass.sandbox.box import Box
    from support.acting import Done

pytestmark = pytest.mark.integration
SETTINGS = "access/daypass.yaml"


@pytest.fixture
def clone(tmp_path: Path, box: Box) -> Path:
    """Main as it is, in a work tree of its own."""
    for path in box.repository.store.git("ls-tree", "-r", "--name-only", "main").splitlines():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(box.repository.store.git("show", f"main:{path}"))
    for words in (("init", "-q", "-b", "main"), ("add", ".")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return tmp_path


@pytest.fixture
def taken(box: Box) -> Iterator[int]:
    """The team dba is renamed, and mallory has made one of its slug; the id of the old one."""
    github = box.github
    dba = github.teams["dba"]
    github.rename_team(dba, "dba-emea")
    github.add_team("dba", [box.accounts["mallory"]])
    yield dba.id
    github.rename_team(dba, "dba")


def daypass(box: Box, clone: Path, *words: str) -> Done:
    environment = acting.person_environment(box.person("alice"))
    return acting.run((*acting.DAYPASS, *words), environment, directory=clone)


def test_ids_are_shown_as_a_diff_and_written_when_asked(box: Box, clone: Path) -> None:
    settings = clone / SETTINGS
    pinned = settings.read_text()
    begin, end = pinned.index("  teams:"), pinned.index("  foundation:")
    settings.write_text(pinned[:begin] + pinned[end:])
    bare = settings.read_text()
    valid = daypass(box, clone, "validate")
    assert valid.code == 0, valid.said
    assert "notice: team-by-slug" in valid.stdout
    shown = daypass(box, clone, "teams")
    assert shown.code == 3, shown.said
    assert f"+    dba: {box.github.teams['dba'].id}" in shown.stdout
    assert settings.read_text() == bare
    assert daypass(box, clone, "teams", "--write").code == 0
    assert settings.read_text() == pinned
    assert daypass(box, clone, "teams").code == 0
    assert "notice: team" not in daypass(box, clone, "validate", "--online").stdout


@pytest.mark.usefixtures("taken")
def test_a_slug_that_a_colleague_took_is_named(box: Box, clone: Path) -> None:
    for words in (("teams",), ("validate", "--online")):
        done = daypass(box, clone, *words)
        assert done.code == 3, done.said
        assert "is called `dba-emea` now, and `dba` is another team today" in done.stdout
        assert "git grep -n 'team:dba' access" in done.stdout
    assert daypass(box, clone, "validate").code == 0
