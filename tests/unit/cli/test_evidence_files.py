"""The files that name the evidence key are edited in place, and nothing else in them changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daypass.cli.evidence_files import pin, write_signers
from daypass.errors import DocumentError
from daypass.model.names import ALLOWED_SIGNERS_PATH, SETTINGS_PATH
from support.local_signer import LocalSigner

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = (LocalSigner(seed).allowed() for seed in (1, 2))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "access").mkdir()
    return tmp_path


def test_the_pin_changes_and_comments_stay(root: Path) -> None:
    path = root / SETTINGS_PATH
    path.write_text(f"# ours\nspec:\n  evidence: {{fingerprint: '{OLD.fingerprint}'}}  # the key\n")
    assert pin(root, OLD.fingerprint, NEW.fingerprint)
    assert path.read_text() == (
        f"# ours\nspec:\n  evidence: {{fingerprint: '{NEW.fingerprint}'}}  # the key\n"
    )
    assert not pin(root, NEW.fingerprint, NEW.fingerprint)


@pytest.mark.parametrize("times", [0, 2])
def test_a_pin_that_is_not_there_once_is_left_to_a_person(root: Path, times: int) -> None:
    path = root / SETTINGS_PATH
    path.write_text(f"{OLD.fingerprint}\n" * times)
    with pytest.raises(DocumentError, match=f"{times} times") as caught:
        pin(root, OLD.fingerprint, NEW.fingerprint)
    assert NEW.fingerprint in caught.value.remedy
    assert path.read_text() == f"{OLD.fingerprint}\n" * times


def test_a_line_is_added_once_and_older_ones_stay(root: Path) -> None:
    path = root / ALLOWED_SIGNERS_PATH
    path.write_text(f"# kept\n{OLD.to_line()}")  # without its line feed
    assert write_signers(root, [OLD.to_line(), NEW.to_line()])
    assert path.read_text() == f"# kept\n{OLD.to_line()}\n{NEW.to_line()}\n"
    assert not write_signers(root, [NEW.to_line()])
