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


@pytest.fixture(scope="module")
def two_lines(year: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A bundle of main, and of a commit that is not on it."""
    folder = tmp_path_factory.mktemp("lines")
    clone, file = folder / "clone", folder / "two.bundle"
    git(year, "clone", "-q", str(year), str(clone))
    honest = git(clone, "rev-parse", "HEAD")
    other = git(clone, "commit-tree", "-p", honest, "-m", "Other", f"{honest}^{{tree}}")
    git(clone, "branch", "-q", "other", other)
    git(clone, "bundle", "create", "-q", str(file), "main", "other")
    return file, honest, other


@pytest.mark.parametrize(
    ("refs", "says"),
    [
        (("{other} HEAD", "{main} refs/heads/main"), "'HEAD' in it is at"),
        (("{main} HEAD", "{main} refs/heads/main", "{other} refs/heads/main"), "twice"),
        (("{other} refs/heads/main", "{main} refs/heads/main"), "twice"),
        (("{main} HEAD", "{main} HEAD", "{main} refs/heads/main"), "twice"),
        (("{main} refs/heads/main", "{other} refs/main"), "'refs/main' in it is at"),
        (("{main} refs/heads/main", "{other} refs/heads/trunk"), "'refs/heads/trunk' in it is at"),
        (("{main} refs/heads/main", "{other} refs/remotes/origin/main"), "in it is at"),
        (("{main} refs/heads/main", "{other} refs/replace/{main}"), "in it is at"),
        (("{main} refs/heads/main", "{other} refs/tags/main"), "has the name of a branch"),
        (("{main} refs/heads/main", "{other} refs/tags/origin/main"), "has the name of a branch"),
        (("{main} refs/heads/main", "{other} refs/tags/refs/heads/main"), "the name of a branch"),
        (("{main} HEAD", "{main} refs/tags/v1"), "it holds no branch"),
        (("{main} refs/heads/trunk", "{other} refs/tags/main"), "has the name of a branch"),
        (("{main} refs/heads/trunk", "{main} refs/tags/master"), "has the name of a branch"),
        (("{main} refs/heads/x", "{main} refs/tags/origin/main"), "has the name of a branch"),
        (("{main} refs/heads/main", "{other} refs/tags/{main:.8}"), "the beginning of main's id"),
        (("{main} refs/heads/main", "{main} refs/replace/{main}"), "neither a branch nor a tag"),
        (("{main} refs/heads/main", "{main} refs/notes/commits"), "neither a branch nor a tag"),
        (("-{main} ", "{main} refs/heads/main"), "only a part of a history"),
        (("{main} refs/heads/main", "{main} refs/heads/a..b"), "cannot be opened"),
        (("{main} refs/heads/main\r",), "its header is not one"),
        (("{main}  refs/heads/main",), "its header is not one"),
        (("@filter=blob:none", "{main} refs/heads/main"), "its header is not one"),
    ],
)
def test_a_bundle_that_a_clone_shows_otherwise_is_not_judged(
    two_lines: tuple[Path, str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    refs: tuple[str, ...],
    says: str,
) -> None:
    whole, main_commit, other = two_lines
    file = tmp_path / "odd.bundle"
    lines = [line.format(main=main_commit, other=other).encode() for line in refs]
    pack = whole.read_bytes().split(b"\n\n", 1)[1]
    file.write_bytes(b"\n".join([b"# v2 git bundle", *lines]) + b"\n\n" + pack)
    assert main(["audit", "verify", "--bundle", str(file)]) == 1
    said = capsys.readouterr()
    assert says in said.err
    assert not said.out


def test_a_name_in_another_encoding_is_said_to_be_one(
    two_lines: tuple[Path, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, main_commit, _ = two_lines
    pack = whole.read_bytes().split(b"\n\n", 1)[1]
    head = f"# v2 git bundle\n{main_commit} refs/heads/main\n{main_commit} refs/tags/caf"
    (tmp_path / "odd.bundle").write_bytes(head.encode() + b"\xe9\n\n" + pack)
    assert main(["audit", "verify", "--bundle", str(tmp_path / "odd.bundle")]) == 1
    assert "'refs/tags/caf\\xe9', which is not encoded in UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize("names", [("HEAD", "main"), ("main",), ("HEAD", "--branches", "--tags")])
def test_what_is_judged_is_what_a_stock_clone_shows(
    year: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, ...]
) -> None:
    clone, shown = tmp_path / "clone", tmp_path / "shown"
    git(year, "clone", "-q", str(year), str(clone))
    git(clone, "branch", "-q", "as-well")
    file = tmp_path / "whole.bundle"
    git(clone, "bundle", "create", "-q", str(file), *names)
    git(clone, "clone", "-q", "-b", "main", str(file), str(shown))
    assert main(["audit", "verify", "--bundle", str(file), "--format", "json"]) == 0
    head = json.loads(capsys.readouterr().out)["head"]
    for name in ("HEAD", "main", "origin/main"):
        assert git(shown, "rev-parse", name) == head


def test_a_tag_of_a_branchs_name_is_not_archived(
    year: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clone = tmp_path / "clone"
    git(year, "clone", "-q", str(year), str(clone))
    git(clone, "tag", "origin/main", "HEAD~1")
    assert bundle(clone, tmp_path / "new.bundle") == 1
    assert "would be refused by `audit verify`" in capsys.readouterr().err
    assert not list(tmp_path.glob("new*"))
