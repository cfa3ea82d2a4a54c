"""Nothing looked at is not green: settings elsewhere, empty histories, paths that name nothing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from daypass.cli.main import main
from daypass.errors import ExitCode

EXAMPLE = Path(__file__).parents[3]
AUDIT = ("verify", "log", "report", "anchor", "who --resource orders-db", "show x")
VERBS = (
    *("validate", "validate --base HEAD", "policy test", "teams", "vault render", "vault apply"),
    *("vault doctor", "status", "plan --base HEAD", "plan --pr 1", "explain x", "claim x -- true"),
    *("done x", "revoke x", "redeliver x", "review x", "halt --subject x", "apply", "plan"),
    *("request orders-db read", "doctor", "doctor github", "audit export --format ocsf"),
    *(f"audit {verb}" for verb in AUDIT),
)


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    git(tmp_path, "init", "-q", "-b", "main", ".")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    return tmp_path


def lay_in(repository: Path, folder: str) -> None:
    for name in ("access", "schemas"):
        shutil.copytree(EXAMPLE / name, repository / folder / name)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "x")


@pytest.mark.parametrize("verb", VERBS)
def test_access_below_another_folder_is_refused_in_words_by_every_verb(
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    verb: str,
) -> None:
    lay_in(repository, "infra")
    for folder in (repository, repository / "infra"):
        monkeypatch.chdir(folder)
        assert main(verb.split()) == ExitCode.USAGE
        shown = capsys.readouterr().err
        assert "access/ is in infra/" in shown
        assert "git mv infra/access access" in shown


@pytest.mark.parametrize("verb", AUDIT)
def test_a_history_without_evidence_is_not_audited(
    repository: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    lay_in(repository, "")
    assert main(["audit", *verb.split()]) == ExitCode.EVIDENCE
    assert "no access/allowed_signers" in capsys.readouterr().err


def test_a_history_without_events_is_said_to_have_none(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_in(repository, "")
    key = repository / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    line = key.with_suffix(".pub").read_text(encoding="ascii").rsplit(" ", 1)[0]
    signers = f'bot@example.org namespaces="git" {line}\n'
    (repository / "access" / "allowed_signers").write_text(signers, encoding="ascii")
    git(repository, "add", "access")
    git(repository, "commit", "-q", "-m", "signers")
    assert main(["audit", "verify"]) == ExitCode.DONE
    shown = capsys.readouterr()
    assert "0 events" in shown.out
    assert "note: no event of daypass is in this history" in shown.err


@pytest.mark.parametrize(
    "paths",
    [
        ("access/resources", "access/nope.yaml"),
        ("access/nope", "access"),
        ("README.md", "access"),
        ("access/resources/", "acces"),
    ],
)
def test_each_path_that_is_named_must_be_there(
    repository: Path, capsys: pytest.CaptureFixture[str], paths: tuple[str, ...]
) -> None:
    lay_in(repository, "")
    (repository / "README.md").write_text("x", encoding="ascii")
    assert main(["validate", *paths]) == ExitCode.USAGE
    assert "no document lies at" in capsys.readouterr().err
    for path in (".", "access", "access/resources/", "./access/daypass.yaml"):
        assert main(["validate", path]) == ExitCode.DONE


def test_a_branch_that_changes_nothing_is_said_to_change_nothing(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_in(repository, "")
    assert main(["validate", "--base", "HEAD"]) == ExitCode.DONE
    assert "nothing that is judged has changed since HEAD" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["link", "submodule", "ignored", "empty"])
def test_a_folder_that_holds_no_documents_is_no_sound_one(
    repository: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    lay_in(repository, "")
    git(repository, "rm", "-rq", "--cached", "access")
    (repository / "access").rename(repository / "elsewhere")
    if kind == "link":
        (repository / "access").symlink_to("elsewhere")
    elif kind == "submodule":
        git(repository, "init", "-q", "access")
        git(repository / "access", "commit", "-q", "--allow-empty", "-m", "x")
    elif kind == "ignored":
        (repository / ".gitignore").write_text("access/\n", encoding="ascii")
        shutil.copytree(repository / "elsewhere", repository / "access")
    else:
        (repository / "access").mkdir()
    shutil.rmtree(repository / "elsewhere") if kind != "link" else None
    assert main(["validate"]) == ExitCode.DOCUMENT
    assert "settings-missing" in capsys.readouterr().out
