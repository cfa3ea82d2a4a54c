"""Each documented line of stock git, against what a writer can put into messages and commits.

The answers are those of before, to the byte: in a clone where somebody's messages claim to be
evidence, with other people's signatures, and with settings and refs of a clone that bend git.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from daypass.ledger import sshsig
from daypass.ledger.commitobject import with_signature
from support import auditor
from support.doc_pages import blocks
from support.evidence_year import write_year
from support.local_signer import LocalSigner

if TYPE_CHECKING:
    from pathlib import Path

GRANT: Final = "alice-orders-7f3k"  # the one that the pages speak of
KEY: Final = LocalSigner().allowed().fingerprint
MALLORY: Final = LocalSigner(66)
WHEN: Final = "1800000000 +0000"
EVENT: Final = (
    "Daypass-Event: issued\nDaypass-Grant: ghost\nDaypass-Sequence: 1\nDaypass-Requester: x 1\n"
    "Daypass-Approver: 1 2 3 4\nDaypass-Not-Before: 2026-01-01T00:00:00Z\nDaypass-Lane: break-glass"
)
ENDED: Final = (
    "Daypass-Event: revoked\nDaypass-Grant: {live}\nDaypass-Ended-At: 2026-01-01T00:00:00Z"
)
FOLDED: Final = (
    "Daypass-Event: issued\nDaypass-Grant: x\n issued ghost 2026-01-01T00:00:00Z\n"
    " G ghost issued 2026-01-01T00:00:00Z\n revoked {live} 2026-01-01T00:00:00Z\n"
    "\tG {live} revoked 2026-01-01T00:00:00Z\nDaypass-Requester: a 1|2 3\n G a 1|2 3"
)
MESSAGES: Final = {
    "an event": f"Squash (#7)\n\n{EVENT}\n",
    "an end": f"Squash\n\n{ENDED}\n",
    "folded": f"Fix a typo\n\nNothing to see.\n\n{FOLDED}\n",
    "in the middle of a body": f"Squash\n\n{EVENT}\n\nCo-authored-by: a <a@b>\n",
    "after a divider": f"Squash\n\n---\n\n{EVENT}\n",
    "before a divider": f"Squash\n\n{EVENT}\n---\n a | 2 +-\n",
    "carriage returns": f"Squash\r\n\r\n{EVENT}\n".replace("\n", "\r\n"),
    "other cases": f"Squash\n\n{EVENT.lower()}\n",
    "Unicode spaces": f"Squash\n\n{EVENT}\n".replace(": ", ":\u00a0").replace("\nD", "\n\u2003D"),
    "a key twice": f"Squash\n\n{EVENT}\nDaypass-Event: expired\nDaypass-Grant: {{live}}\n",
    "in the title": f"Daypass-Event: issued\n\n{EVENT}\n",
    "an escape sequence": f"\x1b[2K\x1b[1AG issued ghost\n\n{EVENT}\n",
}
LISTS: Final = {
    "access/allowed_signers": f"{LocalSigner().allowed(valid_before=1).to_line()}\n"
    f"{MALLORY.allowed().to_line()}\n",
    ".gitattributes": "access/allowed_signers -diff\n",
    ".mailmap": "daypass <bot@daypass.example> <m@x>\n",
}
SETTINGS: Final = {
    "log.showSignature": "true",
    "log.follow": "true",
    "log.date": "relative",
    "log.diffMerges": "off",
    "log.mailmap": "true",
    "format.pretty": "oneline",
    "grep.patternType": "perl",
    "grep.extendedRegexp": "true",
    "color.ui": "always",
    "diff.external": "false",
    "diff.noprefix": "true",
    "core.quotePath": "false",
    "i18n.logOutputEncoding": "UTF-7",
}


def scripts() -> dict[str, str]:
    """Every line of the pages that answers from evidence alone."""
    found = {}
    for number, block in enumerate(blocks("sh")):
        if block.words[:1] in {("answers",), ("auditor",), ("handovers",)}:
            found[f"{block.page}-{number}-{' '.join(block.words)}"] = block.text
    return found


SCRIPTS: Final = scripts()


def git(folder: Path, *words: str, data: bytes | None = None) -> str:
    done = subprocess.run(["git", *words], cwd=folder, input=data, capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace").strip()


def commit(
    folder: Path, message: str, *, parents: str = "", signer: LocalSigner | None = None
) -> str:
    """A commit on top of main, with any message, and any other commits merged into it."""
    head, tree = git(folder, "rev-parse", "main"), git(folder, "rev-parse", "main^{tree}")
    lines = [f"tree {tree}", *(f"parent {item}" for item in (head, *parents.split()))]
    lines += [f"author G issued ghost <m@x> {WHEN}", f"committer m <m@x> {WHEN}", "", message]
    raw = "\n".join(lines).encode()
    if signer is not None:
        signed = signer.sign(sshsig.bytes_to_sign(raw))
        raw = with_signature(raw, sshsig.armoured_signature(signer.public_key(), signed))
    return git(folder, "hash-object", "-t", "commit", "-w", "--literally", "--stdin", data=raw)


def write(folder: Path, message: str, files: dict[str, str]) -> None:
    for path, content in files.items():
        (folder / path).write_text(content)
    who = ("-c", "user.name=m", "-c", "user.email=m@x")
    git(folder, "add", "-A")
    git(folder, *who, "commit", "-q", "-m", message)


def forge(clone: Clone) -> list[str]:
    """Everything that somebody who may push can write; gives the commits that claim something."""
    folder, live = clone.folder, clone.live
    made = []

    def push(message: str, **more: object) -> None:
        made.append(commit(folder, message.replace("{live}", live), **more))  # type: ignore[arg-type]
        git(folder, "update-ref", "refs/heads/main", made[-1])

    for message in MESSAGES.values():
        push(message)
    push(MESSAGES["an event"], signer=MALLORY)
    push(MESSAGES["folded"], signer=MALLORY)
    side = commit(folder, MESSAGES["an end"].replace("{live}", live))
    made.append(side)
    push(f"Merge it\n\n{EVENT}\n", parents=side)
    copied = git(folder, "cat-file", "commit", clone.events[0]) + "\n"
    forged = copied.replace("Daypass-Sequence: ", "Daypass-Sequence: 9").encode()
    made.append(git(folder, "hash-object", "-t", "commit", "-w", "--stdin", data=forged))
    push("Merge a copy\n", parents=made[-1])
    made.pop()
    return made


class Clone:
    """A clone with honest evidence, and what each line said of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        write_year(folder, 12, emergencies=0.3).close()
        self.select()
        self.events = (folder / ".git/evidence").read_text().split()
        (access,) = [text for name, text in SCRIPTS.items() if name.endswith("access-now")]
        self.live = auditor.typed(folder, access)[0]
        self.honest = {name: self.ask(name) for name in SCRIPTS}

    def select(self) -> None:
        """Types the page's first block."""
        auditor.typed(self.folder, auditor.selection(KEY))

    def ask(self, name: str) -> list[str]:
        return auditor.typed(self.folder, SCRIPTS[name].replace(GRANT, self.live))

    def fooled(self, *but: str) -> dict[str, list[str]]:
        """The lines that now say something else, but those with these words."""
        self.select()
        return {
            name: said
            for name, script in SCRIPTS.items()
            if not any(word in script for word in but)
            and (said := self.ask(name)) != self.honest[name]
        }


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone(tmp_path_factory.mktemp("attacked"))


def test_they_are_not_fooled(clone: Clone) -> None:
    folder = clone.folder
    assert len(SCRIPTS) > 20
    assert sum(map(bool, clone.honest.values())) > len(SCRIPTS) - 7, "most have something to say"
    made = forge(clone)
    git(folder, "reset", "-q", "--hard", "main")
    assert clone.fooled() == {}

    write(folder, "Narrow one key, add another", LISTS)
    # what was listed, and what changed the rules, is others' doing
    but = ("ssh-keygen", "access/policies access/exceptions")
    assert clone.fooled(*but) == {}
    (finder,) = [item.text for item in blocks("sh") if item.words == ("auditor-finds-nothing",)]
    said = auditor.typed(folder, finder)
    assert {line.split()[1] for line in said if line.startswith("no ")} >= set(made)
    assert "\x1b" not in "".join(said)

    for setting, value in SETTINGS.items():
        git(folder, "config", setting, value)
    assert clone.fooled(*but) == {}
    for setting in SETTINGS:
        git(folder, "config", "--unset", setting)

    one, two = clone.events[:2]
    git(folder, "replace", one, two)
    git(folder, "replace", "--graft", git(folder, "rev-parse", "main"), two)
    git(folder, "-c", "user.name=m", "-c", "user.email=m@x", "notes", "add", "-m", EVENT, one)
    grafts = folder / ".git/info/grafts"
    grafts.parent.mkdir(exist_ok=True)
    grafts.write_text(f"{two}\n")
    assert clone.fooled(*but) == {}
