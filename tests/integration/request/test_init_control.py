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
def clone(tmp_path: Path, box: Box, control: Repository) -> Path:
    """A repository that nothing was laid into but a pinned release; beside it, the control one."""
    root = empty_clone(tmp_path / "governed", f"{box.github.server_url}/{box.repository.full_name}")
    (root / ".github").mkdir()
    release(root, "one")
    empty_clone(tmp_path / "control", f"{box.github.server_url}/{control.full_name}")
    return root


def empty_clone(directory: Path, url: str) -> Path:
    directory.mkdir()
    for words in (("init", "-q"), ("remote", "add", "origin", f"{url}.git")):
        subprocess.run(["git", *words], cwd=directory, check=True)
    return directory


def there(clone: Path) -> tuple[Path, tuple[str, ...]]:
    """The control repository's clone, and the flags that name it."""
    directory = clone.parent / "control"
    return directory, ("--control-directory", str(directory))


def assert_narrow(done: Done, *paths: Path) -> None:
    """No line is over 80 columns, but for a path, which cannot be broken."""
    long = [line for line in done.stdout.splitlines() if len(line) > 80]
    assert not [line for line in long if not any(str(path) in line for path in paths)]


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
    directory, where = there(clone)
    asked = ("--control", control.full_name, *where)
    done = init(box, clone, *flags(box, *asked))
    assert done.code == 0, done.said
    assert_narrow(done, clone, directory)
    assert f"  {hashlib.sha256(b'one').hexdigest()}  new\n" in done.stdout
    assert settings_of(clone).control == ControlSettings(control.full_name, control.id, "main")
    assert not (clone / RECONCILE).exists()
    assert not (clone / COMMANDS).exists()
    assert not (clone / ".github/CODEOWNERS").exists()  # nothing here is trusted by Vault
    for caller, called in ((APPLY, RECONCILE), (APPLY.replace("apply", "commands"), COMMANDS)):
        (job,) = load(clone / caller)["jobs"].values()
        assert job["uses"] == f"{control.full_name}/{called}@main"
        text = (directory / called).read_text()
        assert "vars." not in text
        assert "environment:" not in text
        assert literals(directory, called) == {
            "DAYPASS_PIN": hashlib.sha256(b"one").hexdigest(),
            "DAYPASS_VAULT_ADDRESS": VAULT,
            "DAYPASS_VAULT_AUDIENCE": VAULT,
            "DAYPASS_VAULT_CA": "",
        }
    assert {path.name for path in (directory / ".github/workflows").iterdir()} == {
        Path(RECONCILE).name,
        Path(COMMANDS).name,
    }
    lint(clone, directory)
    assert init(box, clone, *flags(box, *asked)).code == 0  # says the same again


def test_two_releases_are_valid_while_an_upgrade_rolls(
    box: Box, clone: Path, control: Repository
) -> None:
    directory, where = there(clone)
    asked = ("--control", control.full_name, "--control-id", str(control.id), *where)
    assert init(box, clone, *flags(box, *asked)).code == 0
    old = literals(directory)["DAYPASS_PIN"]
    new = release(clone, "two")
    done = init(box, clone, "--upgrade", *where)
    assert done.code == 0, done.said
    assert f"  {old}\n  {new}  new\n" in done.stdout
    assert literals(directory)["DAYPASS_PIN"] == literals(directory, COMMANDS)["DAYPASS_PIN"]
    assert literals(directory)["DAYPASS_PIN"] == f"{old} {new}"
    report = (clone / ".github/workflows/access-report.yml").read_text()
    assert f'DAYPASS_PIN: "{new}"' in report
    third = release(clone, "three")
    done = init(box, clone, "--upgrade", *where)
    assert done.code == 2
    assert "Finish that upgrade first" in done.stderr
    for path in (RECONCILE, COMMANDS):
        file = directory / path
        file.write_text(file.read_text().replace(f"{old} {new}", new))
        if path == RECONCILE:  # half taken out: the other half must not bring it back
            assert "do not name the same releases" in init(box, clone, "--upgrade", *where).stderr
    assert init(box, clone, "--upgrade", *where).code == 0
    assert literals(directory)["DAYPASS_PIN"] == f"{new} {third}"


def test_the_authorities_of_vault_are_a_literal_too(
    box: Box, clone: Path, control: Repository
) -> None:
    directory, where = there(clone)
    assert init(box, clone, *flags(box, "--control", control.full_name)).code == 0
    path = clone / "access/daypass.yaml"
    path.write_text(path.read_text().replace("vault:\n", "vault:\n    caFile: access/ca.pem\n"))
    assert "there is no access/ca.pem" in init(box, clone, "--upgrade", *where).stderr
    (clone / "access/ca.pem").write_bytes(b"authorities")
    assert init(box, clone, "--upgrade", *where).code == 0
    assert literals(directory)["DAYPASS_VAULT_CA"] == hashlib.sha256(b"authorities").hexdigest()


def test_what_its_jobs_believe_is_not_carried_over_from_the_governed_main(
    box: Box, clone: Path, control: Repository
) -> None:
    """Two people who merge could name a Vault of theirs, and wait for the next upgrade."""
    directory, where = there(clone)
    asked = flags(box, "--control", control.full_name, *where)
    assert init(box, clone, *asked).code == 0
    before = {path: (directory / path).read_bytes() for path in (RECONCILE, COMMANDS)}
    settings, evil = clone / "access/daypass.yaml", "https://vault.evil.example"
    settings.write_text(
        settings.read_text()
        .replace(f"address: {VAULT}", f"address: {evil}")
        .replace(f"audience: {VAULT}", "audience: evil\n    caFile: access/ca.pem")
    )
    (clone / "access/ca.pem").write_bytes(b"evil")
    done = init(box, clone, "--upgrade", *where)
    assert done.code == 2, done.said
    for line in (
        f"DAYPASS_VAULT_ADDRESS: '{VAULT}' → '{evil}'\n",
        f"DAYPASS_VAULT_AUDIENCE: '{VAULT}' → 'evil'\n",
        f"DAYPASS_VAULT_CA: '' → '{hashlib.sha256(b'evil').hexdigest()}'\n",
        "needs another control repository",
    ):
        assert line in done.stderr
    assert {path: (directory / path).read_bytes() for path in before} == before
    assert init(box, clone, "--replace-values", "--upgrade").code == 2  # of what, is not said
    done = init(box, clone, "--upgrade", *where, "--replace-values")
    assert done.code == 0, done.said
    assert f"DAYPASS_VAULT_ADDRESS: '{VAULT}' → '{evil}'\n" in done.stdout
    assert literals(directory, COMMANDS)["DAYPASS_VAULT_ADDRESS"] == evil


def test_a_second_governed_repository_has_the_same_vault_or_is_refused(
    box: Box, clone: Path, control: Repository
) -> None:
    directory, where = there(clone)
    asked = flags(box, "--control", control.full_name, *where)
    assert init(box, clone, *asked).code == 0
    before = (directory / RECONCILE).read_bytes()
    server = f"{box.github.server_url}/{box.repository.full_name}"
    second = empty_clone(clone.parent / "second", server)
    (second / ".github").mkdir()
    pin = release(second, "one")
    done = init(box, second, *asked, "--vault", "https://other.example:8200")
    assert done.code == 2, done.said
    assert f"DAYPASS_VAULT_ADDRESS: '{VAULT}' → 'https://other.example:8200'" in done.stderr
    assert not (second / "access").exists()
    release(second, "two")
    assert "are of another release" in init(box, second, *asked).stderr
    assert (directory / RECONCILE).read_bytes() == before
    release(second, "one")
    done = init(box, second, *asked)
    assert done.code == 0, done.said
    assert f"  {pin}\n" in done.stdout
    assert (directory / RECONCILE).read_bytes() == before


@pytest.mark.parametrize("kind", ["folder", "plain", "other", "host", "none"])
def test_only_a_checkout_of_the_control_repository_is_written_to(
    box: Box, clone: Path, control: Repository, kind: str
) -> None:
    directory, _ = there(clone)
    server = box.github.server_url
    why = {
        "folder": "it is a folder inside of",
        "plain": "it is no git repository",
        "other": f"its `origin` is 127.0.0.1/{box.repository.full_name}",
        "host": f"its `origin` is github.com/{control.full_name}",
        "none": "it has no remote `origin`",
    }[kind]
    if kind == "folder":
        directory /= "sub"
    elif kind in ("other", "host"):
        origin = f"{server}/{box.repository.full_name}"
        if kind == "host":
            origin = f"ssh://git@ssh.github.com:443/{control.full_name}.git"
        subprocess.run(["git", "remote", "set-url", "origin", origin], cwd=directory, check=True)
    elif kind == "none":
        subprocess.run(["git", "remote", "remove", "origin"], cwd=directory, check=True)
    else:
        directory = clone.parent / "plain"
    directory.mkdir(exist_ok=True)
    asked = ("--control", control.full_name, "--control-directory", str(directory))
    done = init(box, clone, *flags(box, *asked))
    assert done.code == 2, done.said
    assert why in done.stderr
    assert f"git clone {server}/{control.full_name}" in done.stderr
    assert not (directory / ".github").exists()
    assert not (clone / "access").exists()


def test_an_id_is_compared_where_github_shows_the_repository(
    box: Box, clone: Path, control: Repository
) -> None:
    done = init(box, clone, *flags(box, "--control", control.full_name, "--control-id", "42"))
    assert done.code == 2, done.said
    assert f"is repository {control.id} at GitHub, and --control-id says 42" in done.stderr
    assert not (clone / "access").exists()
    done = init(box, clone, *flags(box, "--control", "acme/unseen", "--control-id", "42"))
    assert done.code == 0, done.said
    assert "That acme/unseen is repository 42 is not proven: GitHub answered 404" in done.stderr
    assert settings_of(clone).control == ControlSettings("acme/unseen", 42, "main")
    assert "--upgrade\n     --control-directory ../unseen" in done.stdout
    assert_narrow(done, clone)


def test_a_set_up_that_moves_out_says_what_is_left(
    box: Box, clone: Path, control: Repository
) -> None:
    assert init(box, clone, *flags(box)).code == 0
    path = clone / "access/daypass.yaml"
    named = f"control: {{repository: {control.full_name}, id: {control.id}}}\n  vault:\n"
    path.write_text(path.read_text().replace("vault:\n", named))
    done = init(box, clone, "--upgrade")
    assert done.code == 0, done.said
    assert f"  git rm {RECONCILE}\n  git rm {COMMANDS}\n" in done.stdout
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
        (["--control", "acme/elsewhere"], 1, "Create acme/elsewhere, or correct --control"),
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
