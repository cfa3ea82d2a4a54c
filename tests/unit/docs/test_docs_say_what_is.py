"""README, docs and CHANGELOG are held against the code: what they name exists, and is the same."""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from daypass import __version__
from daypass.cli.main import VERBS, build_parser, main
from daypass.documents.document import read_document
from daypass.errors import ExitCode
from daypass.model.event import TRAILERS
from support.doc_pages import ROOT, Block, anchors, blocks, code, links, marked, pages
from support.doc_tables import EXIT_CODES, _resolved, schema, tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = pages()
TABLES = tables()
DOCUMENTS = [block for block in blocks("yaml") if any("document=" in word for word in block.words)]
PARTS = [block for block in blocks("yaml") if any("part=" in word for word in block.words)]
# Read by daypass, git, pip, bao or vault; each must be named by the code, or be another program's.
OTHER_PROGRAMS = {"BAO_ADDR", "BAO_NAMESPACE", "VAULT_ADDR", "VAULT_NAMESPACE", "PIP_FIND_LINKS"}
OTHER_PROGRAMS |= {"PGTZ", "OPENSSL_CONF"}  # what a claim leaves to libpq and OpenSSL


@pytest.mark.parametrize("place", sorted(TABLES), ids=lambda place: f"{place[0]}:{place[1]}")
def test_a_table_says_what_the_code_says(place: tuple[str, str]) -> None:
    """If this fails: `PYTHONPATH=tests python -m support.doc_tables` writes the tables anew."""
    assert marked(*place) == TABLES[place]


def test_every_exit_code_is_told() -> None:
    assert set(EXIT_CODES) == set(ExitCode)
    words = build_parser(None).epilog or ""
    for code_, meaning in EXIT_CODES.items():
        short = meaning.partition(",")[0].partition(":")[0]
        if code_ not in (ExitCode.USAGE, ExitCode.INDETERMINATE):
            assert f"{int(code_)} {short}" in words


def flags_of(parser: argparse.ArgumentParser) -> set[str]:
    return {flag for action in parser._actions for flag in action.option_strings}


def subparsers_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found |= action.choices
    return found


def choices_of(parser: argparse.ArgumentParser) -> set[str]:
    """Words that the first positional takes, where it takes only some."""
    positional = [action for action in parser._actions if not action.option_strings]
    return {str(word) for action in positional for word in action.choices or ()}


def commands() -> Iterator[tuple[str, str]]:
    """Every `daypass …` that a page mentions, in its prose or in a block."""
    for page, text in PAGES.items():
        for span in code(text):
            if span.startswith("daypass "):
                yield page, span
    for block in blocks("sh"):
        for line in block.text.replace("\\\n", " ").splitlines():
            if line.strip().startswith("daypass "):
                yield block.page, line.partition(" #")[0].strip()


@pytest.mark.parametrize(("page", "command"), sorted(set(commands())))
def test_a_command_that_is_mentioned_exists(page: str, command: str) -> None:
    words = [word for word in shlex.split(command.partition(" -- ")[0])[1:] if word != "--"]
    names = [word for word in words if not word.startswith("-")]
    if not names or names[0].isupper():
        parser = build_parser(None)
    else:
        assert names[0] in VERBS, f"{page}: there is no `daypass {names[0]}`"
        parser = subparsers_of(build_parser(names[0]))[names[0]]
        below = subparsers_of(parser) or dict.fromkeys(choices_of(parser), parser)
        if below and len(names) > 1 and names[1].islower() and "=" not in names[1]:
            assert names[1] in below, f"{page}: there is no `daypass {names[0]} {names[1]}`"
            parser = below[names[1]]
    for word in words:
        if word.startswith("-"):
            assert word.partition("=")[0] in flags_of(parser), f"{page}: {command}: no {word}"


def test_flags_that_stand_alone_exist() -> None:
    known = {flag for parser in every_parser() for flag in flags_of(parser)}
    git = {"--filter=blob:none"}
    for page, text in PAGES.items():
        for span in code(text):
            if span.startswith("--") and span not in git:
                assert span.split(maxsplit=1)[0].partition("=")[0] in known, f"{page}: {span}"


def every_parser() -> Iterator[argparse.ArgumentParser]:
    for name in VERBS:
        parser = subparsers_of(build_parser(name))[name]
        yield parser
        yield from subparsers_of(parser).values()


@pytest.mark.parametrize("page", sorted(PAGES))
def test_links_and_anchors_resolve(page: str) -> None:
    here = (ROOT / page).parent
    for link in links(PAGES[page]):
        if re.match(r"[a-z]+:", link):
            assert link.startswith("https://"), f"{page}: {link}"
            continue
        name, _, anchor = link.partition("#")
        target = (here / name).resolve() if name else ROOT / page
        assert target.exists(), f"{page}: {link}"
        if anchor:
            known = anchors(target.read_text(encoding="utf-8"))
            assert anchor in known, f"{page}: {link} (known: {', '.join(sorted(known))})"


def path_of(block: Block) -> str:
    return next(word.removeprefix("document=") for word in block.words if "document=" in word)


@pytest.mark.parametrize("block", DOCUMENTS, ids=path_of)
def test_a_document_that_is_shown_loads(block: Block) -> None:
    assert read_document(path_of(block), block.text.encode()).model is not None


def governed(folder: Path, *without: str) -> Path:
    """A repository that holds this one's own documents, and all that are shown."""
    for name in ("access", "schemas"):
        shutil.copytree(ROOT / name, folder / name)
    for block in DOCUMENTS:
        if path_of(block) not in without:
            (folder / path_of(block)).parent.mkdir(parents=True, exist_ok=True)
            (folder / path_of(block)).write_text(block.text, encoding="utf-8")
    for words in (["init", "-q", "-b", "main"], ["add", "-A"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    return folder


def test_the_documents_that_are_shown_are_sound_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code_ = main(["-C", str(governed(tmp_path)), "validate", "--no-cache", "--format", "text"])
    assert code_ == ExitCode.DONE, capsys.readouterr().out


def test_the_policies_that_are_shown_answer_as_the_cases_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By this repository's own settings, whose groups need no GitHub."""
    folder = governed(tmp_path, "access/daypass.yaml")
    for path in (folder / "access" / "policy-tests").glob("*.yaml"):
        if path.name != "example.yaml":
            path.unlink()
    code_ = main(["-C", str(folder), "policy", "test", "--format", "text"])
    assert code_ == ExitCode.DONE, capsys.readouterr().out


@pytest.mark.parametrize("block", PARTS, ids=lambda block: block.words[0])
def test_a_part_that_is_shown_is_valid(block: Block) -> None:
    kind, *path = next(word.removeprefix("part=") for word in block.words if "part=" in word).split(
        "."
    )
    whole = schema(kind)
    part: dict[str, Any] = whole["properties"]["spec"]
    for name in path:
        part = _resolved(whole, part["properties"][name])
    jsonschema.validate(yaml.safe_load(block.text), {**part, "$defs": whole["$defs"]})


def test_every_yaml_block_is_held_against_something() -> None:
    unmarked = [
        block
        for block in blocks("yaml")
        if block not in DOCUMENTS and block not in PARTS and not block.text.startswith("# yaml-")
    ]
    assert not unmarked


def test_the_changelog_names_this_version() -> None:
    versions = re.findall(r"^## \[([^\]]+)\]", PAGES["CHANGELOG.md"], re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert __version__ in versions


def test_every_decision_is_in_the_index_under_its_own_title() -> None:
    folder = ROOT / "docs" / "adr"
    index = PAGES["docs/adr/README.md"]
    for path in sorted(folder.glob("[0-9]*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        assert title[:4] == path.name[:4]
        assert f"[{title}]({path.name})" in index


def test_make_targets_that_are_mentioned_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    mentioned = {
        match[1]
        for text in PAGES.values()
        for match in re.finditer(r"(?:^|`)make ([a-z]+)\b", text, re.MULTILINE)
    }
    assert {"demo", "test", "check", "pin"} <= mentioned
    for target in mentioned:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"there is no `make {target}`"


def test_environment_variables_that_are_mentioned_are_read() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    workflows = "\n".join(path.read_text() for path in (ROOT / ".github/workflows").iterdir())
    for page, text in PAGES.items():
        for span in code(text):
            if re.fullmatch(r"[A-Z]{2,}(_[A-Z]+)+|CI|PG[A-Z]+", span):
                known = span in OTHER_PROGRAMS or f'"{span}"' in source
                known = known or f"vars.{span} " in workflows
                made = span in {"DAYPASS_GRANT", "DAYPASS_NOT_AFTER"}
                assert known or made, f"{page}: nothing reads {span}"


def test_every_trailer_is_told() -> None:
    told = set(re.findall(r"`(Daypass-[A-Za-z-]+)`", PAGES["docs/auditing.md"]))
    assert told == set(TRAILERS)


def test_what_a_run_says_when_it_is_frozen_is_what_the_code_says() -> None:
    lifecycle = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "src" / "daypass" / "lifecycle").glob("*.py")
    )
    frozen = PAGES["docs/operations.md"].partition("## Frozen")[2].partition("\n## ")[0]
    said = re.findall(r"^\| `([^`]+)` \|", frozen, re.MULTILINE)
    assert len(said) == 10
    for words in said:
        assert words in lifecycle, words


def test_every_attack_has_a_test_that_is_there() -> None:
    sources = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")
    )
    rows = [line for line in marked("docs/security-model.md", "threats").splitlines()[2:] if line]
    assert len(rows) > 30
    for row in rows:
        number, attack, defence, test = (cell.strip() for cell in row.strip("|").split("|"))
        assert number.isdigit()
        assert attack
        assert defence
        assert f"def {test.strip('`')}(" in sources, row


def test_paths_that_are_mentioned_exist() -> None:
    """Files of this repository that a page names between backticks."""
    heads = ("src/", "tests/", "schemas/", "docs/", "scripts/", ".ci/", ".github/", "requirements/")
    for page, text in PAGES.items():
        for span in code(text):
            if span.startswith(heads) and re.fullmatch(r"[\w./-]+", span):
                assert (ROOT / span).exists(), f"{page}: {span}"


def test_each_command_by_hand_is_what_is_tried_against_the_servers() -> None:
    """The README's words and those of the test that claims by hand differ in names only."""
    tried = (ROOT / "tests/integration/claim/test_claiming.py").read_text(encoding="utf-8")
    scripts = re.findall(r'script = """\n(.*?)"""', tried, re.DOTALL)
    for name in ("by-hand", "by-hand-on-claim"):
        (block,) = [item for item in blocks("sh") if item.words == (name,)]
        words = _plain(block.text)
        assert any(_plain(script)[-len(words) :] == words for script in scripts), name


def _plain(script: str) -> list[str]:
    """Without what the test needs to run it elsewhere: its shell settings, home and clone."""
    text = script.replace("\\\\\n", "\n").replace("\\\n", "\n").replace("set -eu\n", "")
    text = text.replace('"$HOME/.ssh/id_ed25519"', "~/.ssh/id_ed25519").replace(' -C "$CLONE"', "")
    return text.replace("alice-orders-7f3k", "alice-hand").split()
