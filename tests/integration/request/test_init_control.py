"""`daypass init` with a control repository, and on a default branch of another name."""

from __future__ import annotations

import hashlib
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from daypass.documents.document import read_document
from daypass.model.settings import ControlSettings, Settings
from support import acting

if TYPE_CHECKING:
    from daypass.sandbox.box import Box
    from daypass.sandbox.github.state import Repository
    from support.acting import Done

pytestmark = pytest.mark.integration
RECONCILE = ".github/workflows/access-reconcile.yml"
COMMANDS = ".github/workflows/access-commands-run.yml"
APPLY = ".github/workflows/access-apply.yml"
VAULT = "https://vault.example.com:8200"


@pytest.fixture(scope="module")
def control(box: Box) -> Repository:
    """A control repository, which alice may read and not write."""
    made = box.github.create_repository("platform", admin=box.accounts["carol"], app=False)
    made.roles[box.accounts["alice"].id] = "read"
    return made


@pytest.fixture
def clone(tmp_path: Path, box: Box) -> Path:
    """A repository that nothing was laid into but a pinned release."""
    root = tmp_path / "governed"
    (root / ".github").mkdir(parents=True)
    url = f"{box.github.server_url}/{box.repository.full_name}.git"
    for words in (("init", "-q"), ("remote", "add", "origin", url)):
        subprocess.run(["git", *words], cwd=root, check=True)
    release(root, "one")
    (tmp_path / "control").mkdir()
    return root


def release(root: Path, text: str) -> str:
    """Pin another release; its digest."""
    (root / ".github/daypass.txt").write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


def init(box: Box, clone: Path, *words: str) -> Done:
    environment = acting.person_environment(box.person("alice"))
    return acting.run((*acting.DAYPASS, "init", *words), environment, directory=clone)


def flags(box: Box, *more: str) -> list[str]:
    app = box.github.app
    slug = app.bot.login.removesuffix("[bot]")
    return [
        *("--app", slug, "--app-id", str(app.id)),
        *("--installation-id", str(app.installation_id)),
        *("--vault", VAULT, "--owners", "security", *more),
    ]


def load(path: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(path.read_text())
    return found


def literals(directory: Path, path: str = RECONCILE) -> dict[str, str]:
    (job,) = load(directory / path)["jobs"].values()
    found: dict[str, str] = job["env"]
    return found


def settings_of(clone: Path) -> Settings:
    model = read_document("access/daypass.yaml", (clone / "access/daypass.yaml").read_bytes()).model
    assert isinstance(model, Settings)
    return model


def lint(*directories: Path) -> None:
    """What people check workflows with: no finding, and no ignore but the ones with a reason."""
    programs = Path(sysconfig.get_path("scripts"))
    for directory in directories:
        workflows = directory / ".github/workflows"
        for command in (
            [programs / "actionlint", "-ignore", "cache access limit", *workflows.glob("*.yml")],
            [programs / "zizmor", "--offline", "--pedantic", "--quiet", workflows],
        ):
            done = subprocess.run(
                [str(word) for word in command], check=False, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stdout + done.stderr


def test_both_repositories_get_their_part(box: Box, clone: Path, control: Repository) -> None:
    there = clone.parent / "control"
    asked = ("--control", control.full_name, "--control-directory", str(there))
    done = init(box, clone, *flags(box, *asked))
    assert done.code == 0, done.said
    assert settings_of(clone).control == ControlSettings(control.full_name, control.id, "main")
    assert not (clone / RECONCILE).exists()
    assert not (clone / COMMANDS).exists()
    assert not (clone / ".github/CODEOWNERS").exists()  # nothing here is trusted by Vault
    for caller, called in ((APPLY, RECONCILE), (APPLY.replace("apply", "commands"), COMMANDS)):
        (job,) = load(clone / caller)["jobs"].values()
        assert job["uses"] == f"{control.full_name}/{called}@main"
        text = (there / called).read_text()
        assert "vars." not in text
        assert "environment:" not in text
        assert literals(there, called) == {
            "DAYPASS_PIN": hashlib.sha256(b"one").hexdigest(),
            "DAYPASS_VAULT_ADDRESS": VAULT,
            "DAYPASS_VAULT_AUDIENCE": VAULT,
            "DAYPASS_VAULT_CA": "",
        }
    assert {path.name for path in (there / ".github/workflows").iterdir()} == {
        Path(RECONCILE).name,
        Path(COMMANDS).name,
    }
    lint(clone, there)
    assert init(box, clone, *flags(box, *asked)).code == 0  # says the same again


def test_two_releases_are_valid_while_an_upgrade_rolls(
    box: Box, clone: Path, control: Repository
) -> None:
    there = clone.parent / "control"
    where = ("--control-directory", str(there))
    asked = ("--control", control.full_name, "--control-id", str(control.id), *where)
    assert init(box, clone, *flags(box, *asked)).code == 0
    old = literals(there)["DAYPASS_PIN"]
    new = release(clone, "two")
    done = init(box, clone, "--upgrade", *where)
    assert done.code == 0, done.said
    assert literals(there)["DAYPASS_PIN"] == literals(there, COMMANDS)["DAYPASS_PIN"]
    assert literals(there)["DAYPASS_PIN"] == f"{old} {new}"
    report = (clone / ".github/workflows/access-report.yml").read_text()
    assert f'DAYPASS_PIN: "{new}"' in report
    third = release(clone, "three")
    done = init(box, clone, "--upgrade", *where)
    assert done.code == 2
    assert "Finish that upgrade first" in done.stderr
    for path in (RECONCILE, COMMANDS):
        (there / path).write_text((there / path).read_text().replace(f"{old} {new}", new))
    assert init(box, clone, "--upgrade", *where).code == 0
    assert literals(there)["DAYPASS_PIN"] == f"{new} {third}"


def test_the_authorities_of_vault_are_a_literal_too(
    box: Box, clone: Path, control: Repository
) -> None:
    there = clone.parent / "control"
    assert init(box, clone, *flags(box, "--control", control.full_name)).code == 0
    path = clone / "access/daypass.yaml"
    path.write_text(path.read_text().replace("vault:\n", "vault:\n    caFile: access/ca.pem\n"))
    where = ("--upgrade", "--control-directory", str(there))
    assert "there is no access/ca.pem" in init(box, clone, *where).stderr
    (clone / "access/ca.pem").write_bytes(b"authorities")
    assert init(box, clone, *where).code == 0
    assert literals(there)["DAYPASS_VAULT_CA"] == hashlib.sha256(b"authorities").hexdigest()


def test_a_set_up_that_moves_out_says_what_is_left(
    box: Box, clone: Path, control: Repository
) -> None:
    assert init(box, clone, *flags(box)).code == 0
    path = clone / "access/daypass.yaml"
    named = f"control: {{repository: {control.full_name}, id: {control.id}}}\n  vault:\n"
    path.write_text(path.read_text().replace("vault:\n", named))
    done = init(box, clone, "--upgrade")
    assert done.code == 0, done.said
    assert f"git rm {RECONCILE} {COMMANDS}" in done.stdout
    assert f"{control.full_name}/{RECONCILE}@main" in (clone / APPLY).read_text()


@pytest.mark.parametrize("kind", ["small", "control"])
def test_the_workflows_start_on_the_repositorys_own_branch(
    box: Box, clone: Path, control: Repository, kind: str
) -> None:
    box.repository.default_branch = "trunk"
    try:
        more = () if kind == "small" else ("--control", control.full_name)
        done = init(box, clone, *flags(box, *more))
    finally:
        box.repository.default_branch = "main"
    assert done.code == 0, done.said
    assert load(clone / APPLY)[True]["push"] == {"branches": ["trunk"]}
    assert settings_of(clone).github.default_branch == "trunk"
    lint(clone)


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["--control-id", "7"], 2, "Name it: `--control OWNER/NAME`"),
        (["--control", "platform"], 2, "Write OWNER/NAME"),
        (["--control", "acme/elsewhere"], 1, "GitHub answered 404"),
        (["--control", "acme/x", "--control-id", "0"], 3, "access/daypass.yaml"),
        (["--control", "acme/platform", "--control-directory", "missing"], 2, "is no checkout of"),
        (["--control", "acme/platform", "--control-directory", "."], 2, "is no checkout of"),
        (["--control", "acme/access"], 3, "the governed repository itself"),
    ],
)
def test_what_is_wrong_with_it_is_said_before_anything_is_written(
    box: Box, clone: Path, control: Repository, words: list[str], code: int, why: str
) -> None:
    assert control.name == "platform"
    done = init(box, clone, *flags(box, *words))
    assert done.code == code, done.said
    assert why in done.stderr
    assert not (clone / "access").exists()


def test_without_a_pinned_release_there_is_no_control_repository(
    box: Box, clone: Path, control: Repository
) -> None:
    (clone / ".github/daypass.txt").unlink()
    done = init(box, clone, *flags(box, "--control", control.full_name))
    assert done.code == 2
    assert "make pin" in done.stderr
    assert not (clone / "access").exists()
