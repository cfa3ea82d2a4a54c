"""`daypass init`: what it lays into a repository, and what it leaves alone."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from daypass.documents.document import read_document
from daypass.model.settings import Settings
from support import acting

if TYPE_CHECKING:
    from daypass.sandbox.box import Box
    from support.acting import Done

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[3]


@pytest.fixture
def clone(tmp_path: Path, box: Box) -> Path:
    """A repository that nothing was laid into, with GitHub as its origin."""
    url = f"{box.github.server_url}/{box.repository.full_name}.git"
    for words in (("init", "-q", "-b", "main"), ("remote", "add", "origin", url)):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return tmp_path


def init(box: Box, clone: Path, *words: str, **more: str) -> Done:
    environment = acting.person_environment(box.person("alice")) | more
    return acting.run((*acting.DAYPASS, "init", *words), environment, directory=clone)


def flags(box: Box) -> list[str]:
    app = box.github.app
    slug = app.bot.login.removesuffix("[bot]")
    return [
        *("--app", slug, "--app-id", str(app.id)),
        *("--installation-id", str(app.installation_id)),
        *("--vault", "https://vault.example.com:8200", "--owners", "security"),
    ]


def test_what_it_lays_is_sound_and_names_this_repository(box: Box, clone: Path) -> None:
    done = init(box, clone, *flags(box))
    assert done.code == 0, done.said
    path = clone / "access/daypass.yaml"
    settings = read_document("access/daypass.yaml", path.read_bytes()).model
    assert isinstance(settings, Settings)
    assert settings.github.repository_id == box.repository_id
    assert settings.github.owner_id == box.github.organisation.id
    assert settings.github.app_user_id == box.github.app.bot.id
    assert settings.github.server_url == box.github.server_url
    assert settings.foundation_owners == ("security",)
    assert settings.teams == {"security": box.github.teams["security"].id}
    assert (clone / "access/identities/alice.yaml").exists()
    owned = (clone / ".github/CODEOWNERS").read_text()
    for pattern in ("/.github/", "/access/policies/", "/access/daypass.yaml"):
        assert f"\n{pattern} @acme/security\n" in owned
    for folder in ("schemas", ".github/workflows"):
        for file in (clone / folder).iterdir():
            assert file.read_bytes() == (ROOT / folder / file.name).read_bytes()
    for own in ("ci.yml", "nightly.yml"):
        assert (ROOT / ".github/workflows" / own).exists()
        assert not (clone / ".github/workflows" / own).exists()
    valid = acting.run((*acting.DAYPASS, "validate"), {"PATH": "/usr/bin:/bin"}, directory=clone)
    assert valid.code == 0, valid.said
    again = init(box, clone, *flags(box))
    assert again.code == 0, again.said


def test_what_is_left_to_do_is_said_in_an_order_that_works(box: Box, clone: Path) -> None:
    done = init(box, clone, *flags(box))
    assert done.code == 0, done.said
    said = " ".join(done.stdout.split())
    order = (
        *("make pin", "make the environment `daypass`", "two rulesets", "on this repository alone"),
        *("`validate and plan` fails this once", "daypass vault apply", "access/allowed_signers"),
        *(
            "A member of security who is not its author",
            "daypass vault doctor --try",
            "daypass doctor github",
        ),
    )
    places = [said.index(words) for words in order]
    assert places == sorted(places)
    assert not [line for line in done.stdout.replace(str(clone), "").splitlines() if len(line) > 80]


def test_what_lies_there_is_left_alone(box: Box, clone: Path) -> None:
    mine = clone / "access/daypass.yaml"
    mine.parent.mkdir()
    mine.write_text("mine\n")
    done = init(box, clone, *flags(box))
    assert done.code == 2
    assert "access/daypass.yaml: there already" in done.stderr
    assert mine.read_text() == "mine\n"
    assert not (clone / "schemas").exists()


def test_an_upgrade_touches_schemas_and_workflows_only(box: Box, clone: Path) -> None:
    assert init(box, clone, *flags(box)).code == 0
    old = clone / "schemas/grant.schema.json"
    old.write_text("{}\n")
    mine = clone / "access/daypass.yaml"
    mine.write_bytes(mine.read_bytes() + b"# mine\n")
    before = mine.read_bytes()
    done = init(box, clone, "--upgrade", GH_TOKEN="")
    assert done.code == 0, done.said
    assert old.read_bytes() == (ROOT / "schemas/grant.schema.json").read_bytes()
    assert mine.read_bytes() == before
    old.unlink()
    old.symlink_to(mine)
    assert init(box, clone, "--upgrade").code == 2
    assert mine.read_bytes() == before
    mine.write_text("mine\n")  # which set-up it is cannot be told
    assert init(box, clone, "--upgrade").code == 3


@pytest.mark.parametrize(
    ("change", "code", "why"),
    [
        (["--vault", "vault.example.com"], 3, "access/daypass.yaml"),
        (["--owners", "The Security Team"], 2, "no slug of a team"),
        (["--owners", "sekurity"], 1, "GitHub shows no team sekurity in acme"),
        (["--repository", "acme"], 2, "Write OWNER/NAME"),
        (["--repository", "acme/elsewhere"], 1, "Create acme/elsewhere, or correct --repository"),
        (["--app", "nobody-knows-it"], 1, "Create the App, or correct --app"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(
    box: Box, clone: Path, change: list[str], code: int, why: str
) -> None:
    done = init(box, clone, *flags(box), *change)
    assert done.code == code, done.said
    assert why in done.stderr
    assert "in access/daypass.yaml (GitHub" not in done.stderr  # it is not there yet
    assert not (clone / "access").exists()


def test_what_only_its_user_can_know_is_asked_for(box: Box, clone: Path) -> None:
    done = init(box, clone, "--app", "daypass")
    assert done.code == 2
    assert "--app-id, --installation-id, --vault, --owners" in done.stderr


def test_where_there_is_no_repository(box: Box, tmp_path: Path) -> None:
    done = init(box, tmp_path, *flags(box))
    assert done.code == 1
    assert "no git repository" in done.stderr or "not a git repository" in done.stderr
