"""`daypass audit bundle`: what is archived is whole and comes back, or is not written."""

from __future__ import annotations

import hashlib
import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from daypass.cli.main import main
from support.evidence_year import write_year

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("year")
    write_year(folder, 20).close()
    git(folder, "tag", "-a", "-m", "Noted", "noted")
    return folder


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=Alice", "-c", "user.email=alice@example.com"]
    done = subprocess.run(
        ["git", "-C", folder, *who, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def bundle(clone: Path, *words: str | Path) -> int:
    return main(["-C", str(clone), "audit", "bundle", *map(str, words)])


def test_a_clone_of_the_bundle_tells_the_same_events(
    year: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "evidence.bundle"
    assert bundle(year, archive, "--format", "json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["head"] == git(year, "rev-parse", "HEAD")
    assert said["signedBy"] is None
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert said["sha256"] == digest
    assert archive.with_name("evidence.bundle.sha256").read_text() == (
        f"{digest}  evidence.bundle\n"
    )
    assert "complete history" in git(year, "bundle", "verify", str(archive))
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", archive, clone], check=True)
    assert git(clone, "tag") == "noted"
    assert main(["-C", str(clone), "audit", "verify", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["head"], found["events"]) == (said["head"], said["events"])
    assert found["events"] > 30


def test_what_an_archive_would_lack_is_told_and_nothing_is_written(
    year: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(year, "config", "uploadpack.allowFilter", "true")
    for option, says in (
        ("--depth=1", "is a shallow clone"),
        ("--filter=blob:none", "would be incomplete"),
    ):
        clone = tmp_path / option
        subprocess.run(
            ["git", "clone", "-q", option, "--no-local", year.as_uri(), clone], check=True
        )
        assert bundle(clone, tmp_path / "lacking.bundle") == 1
        assert says in capsys.readouterr().err
        assert not list(tmp_path.glob("lacking*"))


def test_evidence_that_does_not_hold_is_not_archived_as_if_it_did(
    year: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", year, clone], check=True)
    (clone / "access/grants/mine.json").write_text("{}\n")
    git(clone, "add", "access/grants/mine.json")
    git(clone, "commit", "-q", "-m", "Mine\n\nDaypass-Event: issued\n")
    assert bundle(clone, tmp_path / "broken.bundle") == 6
    assert "1 open fault(s)" in capsys.readouterr().err
    assert not list(tmp_path.glob("broken*"))
    known = git(clone, "rev-parse", "HEAD")
    assert bundle(clone, tmp_path / "known.bundle", "--anchor", known) == 0


def test_an_archive_is_never_written_over_nor_left_half_done(
    year: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old.bundle.sig").write_text("precious")
    assert bundle(year, tmp_path / "old.bundle") == 2
    assert "is there already" in capsys.readouterr().err
    (tmp_path / "link.bundle").symlink_to(tmp_path / "elsewhere")
    assert bundle(year, tmp_path / "link.bundle") == 2
    assert not (tmp_path / "elsewhere").exists()
    (tmp_path / "link.bundle").unlink()
    capsys.readouterr()
    assert bundle(year, tmp_path / "nowhere" / "new.bundle") == 2
    assert "there is no folder" in capsys.readouterr().err
    for name in ("VAULT_TOKEN", "BAO_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert bundle(year, tmp_path / "new.bundle", "--sign") == 2
    assert "no Vault token" in capsys.readouterr().err
    assert [path.name for path in tmp_path.glob("*.bundle*")] == ["old.bundle.sig"]
