"""The evidence key is rotated twice, as docs/operations.md says, and no check breaks meanwhile.

An operator, the owners of the foundation and the workflows act; an auditor looks after each step,
by the old fingerprint and by the new one, with daypass, with the words of access-report and with
stock git.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from daypass.errors import SandboxError
from daypass.sandbox.box import Box
from support import acting
from support.doc_pages import ROOT, blocks
from support.town import Town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETTINGS, SIGNERS = "access/daypass.yaml", "access/allowed_signers"
ROTATE = ("vault", "rotate-evidence", "--format", "json")


@dataclass
class Story:
    """The town, and the fingerprints of the evidence keys so far, oldest first."""

    town: Town
    folder: Path
    keys: list[str] = field(default_factory=list)
    looks: int = 0

    def operator(self, *words: str) -> acting.Done:
        """An operator types `daypass …` in a clone of main, with Vault's token."""
        root = self.town.box.bao.root_token.reveal()
        return acting.daypass(self.town.box.person("carol"), *words, VAULT_TOKEN=root)

    def pull(self, name: str = "carol") -> None:
        self.town.box.person(name).git("pull", "-q", "--ff-only")

    def auditor(self, *words: str, **more: str) -> acting.Done:
        return acting.daypass(self.town.box.person("dave"), "audit", *words, **more)

    def holds_by(self, *named: str) -> None:
        """Everything that an auditor does with that fingerprint, and the daily report."""
        self.looks += 1
        self.pull("dave")
        words = [f"--fingerprint={key}" for key in named]
        done = self.auditor("verify", "--format", "json", *words)
        assert done.code == 0, done.said
        assert done.json()["verdict"] == ("holds" if named else "self-attested")
        report = self.report(" ".join(named))
        assert report.returncode == 0, report.stdout + report.stderr

    def report(self, variable: str) -> subprocess.CompletedProcess[str]:
        """The script of access-report itself, with that value of DAYPASS_FINGERPRINT."""
        text = (ROOT / ".github" / "workflows" / "access-report.yml").read_text()
        steps = yaml.safe_load(text)["jobs"]["report"]["steps"]
        (script,) = [item["run"] for item in steps if item["name"] == "Make the report"]
        temp = self.folder / f"report-{self.looks}-{len(variable)}"
        program = temp / "daypass" / "bin" / "daypass"
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m daypass "$@"\n')
        program.chmod(0o755)
        (temp / "clone").symlink_to(self.town.box.person("dave").clone)
        return subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script],
            check=False,
            capture_output=True,
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(temp),
                "RUNNER_TEMP": str(temp),
                "FINGERPRINT": variable,
            },
        )

    def propose(self) -> int:
        """The pull request of the two files that the command wrote."""
        carol = self.town.box.person("carol")
        changed = carol.git("status", "--porcelain").split()[1::2]
        assert sorted(changed) == [SIGNERS, SETTINGS]
        assert self.operator("validate").code == 0
        files: dict[str, Any] = {path: (carol.clone / path).read_bytes() for path in changed}
        carol.git("checkout", "-q", "--", ".")
        return carol.propose(f"rotate-{len(self.keys)}", files, "Rotate the evidence key")

    def rotate(self) -> None:
        """From one key to the next; looked at after each step."""
        box, old = self.town.box, self.keys[-1]
        self.pull()
        assert self.operator(*ROTATE, "--dry-run").json()["rotates"]
        assert box.person("carol").git("status", "--porcelain") == ""
        begun = self.operator(*ROTATE).json()
        assert (begun["stage"], begun["rotates"]) == ("begin", True)
        assert begun["inForce"]["fingerprint"] == old
        new = begun["to"]["fingerprint"]
        again = self.operator(*ROTATE).json()
        assert (again["stage"], again["rotates"], again["written"]) == ("hand-over", False, [])
        assert again["to"] == begun["to"]
        number = self.propose()
        waits = self.operator("vault", "doctor")
        assert waits.code == 1
        assert f"({new}) waits" in waits.stdout
        assert "daypass vault rotate-evidence" in waits.stdout
        self.lives_on("before")
        self.holds_by(old)
        box.person("dave").approve(number)
        box.person("alice").merge(number)
        self.holds_by(old)
        self.signs_an_archive(old)  # nothing has handed over yet
        assert self.town.apply().code == 0
        self.keys.append(new)
        self.lives_on("after")
        self.pull()
        assert "may still sign" in self.operator("vault", "doctor").stdout
        ended = self.operator(*ROTATE).json()
        assert (ended["stage"], ended["to"]["fingerprint"]) == ("retire", new)
        done = self.operator("vault", "doctor")
        assert done.code == 0, done.said

    def lives_on(self, name: str) -> None:
        """A grant comes and goes, whichever key signs."""
        name = f"{name}-{len(self.keys)}"
        self.town.grant(name, duration="1h")
        assert self.town.apply().code == 0
        self.town.delete(name)
        assert self.town.apply().code == 0
        assert self.town.events(name) == ["issued", "revoked"]

    def signs_an_archive(self, key: str) -> None:
        """`audit bundle --sign`, checked with stock tools as docs/auditing.md says."""
        self.pull("dave")
        folder = self.folder / f"archive-{self.looks}"
        folder.mkdir()
        root = self.town.box.bao.root_token.reveal()
        bundle = str(folder / "evidence.bundle")
        done = self.auditor(
            "bundle", bundle, "--sign", f"--fingerprint={key}", "--format", "json", VAULT_TOKEN=root
        )
        assert done.code == 0, done.said
        assert done.json()["signedBy"] == key
        (check,) = [item.text for item in blocks("sh") if item.words == ("archive-check",)]
        checked = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", check],
            check=False,
            cwd=folder,
            capture_output=True,
            text=True,
        )
        assert checked.returncode == 0, checked.stderr
        assert key in checked.stdout


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Two rotations, one right after the other; a grant was issued before the first one."""
    with Box.create(tmp_path_factory.mktemp("box") / "box") as box:
        box.vault_bootstrap()
        story = Story(Town(box), tmp_path_factory.mktemp("story"), [box.evidence_fingerprint])
        story.town.grant("long-lived", duration="8h")
        assert story.town.apply().code == 0
        anchor = str(story.folder / "anchor")
        story.pull("dave")
        root = box.bao.root_token.reveal()
        made = story.auditor("anchor", "--output", anchor, VAULT_TOKEN=root)
        assert made.code == 0, made.said
        story.rotate()
        story.rotate()
        yield story


def test_all_of_main_holds_by_each_key_and_by_none(story: Story) -> None:
    first, second, third = story.keys
    for named in ((first,), (second,), (third, first), ()):
        story.holds_by(*named)


def test_each_event_is_good_to_stock_git_by_the_key_of_its_time(story: Story) -> None:
    story.pull("dave")
    dave = story.town.box.person("dave")
    dave.git("config", "gpg.ssh.allowedSignersFile", SIGNERS)
    (written,) = [item.text for item in blocks("sh") if item.words == ("handovers",)]
    said = acting.run(
        ["bash", "-c", written], acting.person_environment(dave), directory=dave.clone
    )
    assert said.stdout.count(" G ") == 4, said.said
    assert said.stdout.count(f"Daypass-Key: {story.keys[-1]}") == 2
    log = dave.git(
        *("log", "--reverse", "--grep=^Daypass-Event: "),
        "--format=%G? %GF %(trailers:key=Daypass-Event,valueonly)",
    )
    rows = [line.split() for line in log.splitlines() if line]
    assert {row[0] for row in rows} == {"G"}
    signed = [(row[1], row[2]) for row in rows]
    handed = [item for item in signed if item[1].startswith("key-")]
    first, second, third = story.keys
    assert handed == [
        *((first, "key-endorsed"), (second, "key-rotated")),
        *((second, "key-endorsed"), (third, "key-rotated")),
    ]
    order = [story.keys.index(key) for key, _kind in signed]
    assert order == sorted(order)


def test_the_anchor_of_the_first_key_holds_still(story: Story) -> None:
    story.pull("dave")
    anchor = str(story.folder / "anchor")
    done = story.auditor("verify", "--anchor", anchor, "--format", "json")
    assert (done.code, done.json()["verdict"]) == (0, "holds"), done.said
    story.signs_an_archive(story.keys[-1])


def test_a_grant_of_the_first_key_is_claimed_by_any_fingerprint_of_the_line(story: Story) -> None:
    alice = story.town.box.person("alice")
    unknown = acting.daypass(
        alice, "claim", "long-lived", f"--fingerprint=SHA256:{'A' * 43}", "--format", "json"
    )
    assert unknown.code == 6, unknown.said
    done = acting.daypass(
        alice, "claim", "long-lived", f"--fingerprint={story.keys[-1]}", "--format", "json"
    )
    assert done.code == 0, done.said


def test_what_is_exported_is_signed_by_the_newest_key_alone(story: Story) -> None:
    story.pull("dave")
    root = story.town.box.bao.root_token.reveal()
    done = story.auditor("export", "--format", "in-toto", "--sign", VAULT_TOKEN=root)
    assert done.code == 0, done.said
    assert done.stdout.count(story.keys[-1]) == done.stdout.count('"keyid"') > 0


def test_vault_lets_no_older_version_sign(story: Story) -> None:
    bao = story.town.box.bao.client
    body = {"input": base64.b64encode(b"x").decode()}
    for version in (1, 2):
        with pytest.raises(SandboxError, match="refused POST"):
            bao.write("daypass-transit/sign/evidence", {**body, "key_version": version})
    newest = bao.write("daypass-transit/sign/evidence", {**body, "key_version": 3})
    assert newest["data"]["signature"].startswith("vault:v3:")


def test_a_clone_of_before_the_handover_is_told_to_pull(story: Story) -> None:
    root = story.town.box.bao.root_token.reveal()
    alice = story.town.box.person("alice")
    story.pull("alice")
    issues = alice.git("log", "--reverse", "--format=%H", "--grep=^Daypass-Event: issued$")
    alice.git("checkout", "-q", "--detach", issues.split()[0])
    export = ("audit", "export", "--format", "in-toto", "--sign")
    done = acting.daypass(alice, *export, VAULT_TOKEN=root)
    alice.git("checkout", "-q", "main")
    assert (done.code, "git pull" in done.stderr) == (6, True), done.said


def test_a_pin_that_goes_back_is_refused_and_changes_no_key(story: Story) -> None:
    """By the command, and by a run when it was merged all the same."""
    story.pull()
    carol, town = story.town.box.person("carol"), story.town
    path = carol.clone / SETTINGS
    text = path.read_text()
    back = text.replace(story.keys[-1], story.keys[0])
    path.write_text(back)
    refused = story.operator("vault", "rotate-evidence")
    carol.git("checkout", "-q", "--", ".")
    assert refused.code == 3, refused.said
    assert "never comes back" in refused.stderr
    number = carol.propose("back", {SETTINGS: back.encode()}, "Back to the first key")
    town.box.person("dave").approve(number)
    town.box.person("alice").merge(number)
    done = town.apply()
    assert done.code == 5
    assert "never comes back" in done.stdout
    town.grant("went-on", duration="1h")
    assert town.apply().code == 5  # the alarm stands until the pin is mended
    assert town.events("went-on") == ["issued"]
    story.holds_by(story.keys[-1])
