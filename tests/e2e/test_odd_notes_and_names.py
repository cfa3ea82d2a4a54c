"""Odd words: in Vault's notes and slots, in the names of files and branches, in messages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from daypass.sandbox.box import Box
from daypass.sandbox.organisation import request
from support import acting
from support.town import Town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.acting import Done

NOTES = "daypass/data/daypass/notes"
SLOTS = "daypass/data/daypass/grants"
WRITTEN = ("anchor", "closed", "heartbeat", "policies", "presence", "tip", "trust")
ODD = {"commit": 7, "sequence": "x", "at": {}, "until": [], "head": None}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with Box.create(tmp_path_factory.mktemp("box")) as box:
        box.vault_bootstrap()
        yield Town(box)


def test_odd_notes_and_slots_keep_no_end_from_coming(town: Town) -> None:
    client = town.box.bao.client

    def put(path: str, data: dict[str, Any]) -> None:
        client.write(path, {"data": data})

    def causes() -> set[str]:
        issues = town.box.repository.issues.values()
        return {item.title.removeprefix("daypass: look at ") for item in issues}

    for name in ("ends-1", "ends-2", "ends-3"):
        town.grant(name, duration="1h")
    assert town.apply().code == 0
    sound = {name: client.read(f"{NOTES}/{name}")["data"]["data"] for name in WRITTEN}

    # A slot of one id: the grant of it ends as ever, and what asks for such an id waits alone.
    put(f"{SLOTS}/ends-1", {"state": "minted", "data": json.dumps({"record": {}, "accessor": 7})})
    put(f"{SLOTS}/taken", {"state": ["x"]})
    put("daypass/data/daypass/pending/odd", {"ids": "ends-1 ../x \n taken"})
    put("daypass/data/daypass/intents/ends-2", {"kind": {}, "accountId": [], "at": 7})
    put(f"{NOTES}/webhook", {"url": "https://[", "key": 7})
    town.delete("ends-1")
    town.grant("taken", duration="1h")
    town.grant("fine", duration="1h")
    done = town.apply("schedule")
    assert done.code == 5, done.said
    assert not town.live_tokens("ends-1")
    assert town.events("ends-1")[-1] == "revoked"
    assert town.live_tokens("fine"), done.said
    assert town.events("fine") == ["issued"]
    assert not town.live_tokens("taken")
    assert town.events("taken") == []
    assert {"slot ends-1", "slot taken", "note webhook"} <= causes(), causes()

    # All notes at once: nothing is proven, and nothing is granted; what must end has ended.
    for name in WRITTEN:
        put(f"{NOTES}/{name}", ODD)
    town.delete("ends-2")
    town.grant("too-late", duration="1h")
    done = town.apply("schedule")
    assert done.code == 5, done.said
    assert not town.live_tokens("ends-2")
    assert town.events("ends-2")[-1] == "revoked"
    assert not town.live_tokens("too-late")
    assert {f"note {name}" for name in ("tip", "policies", "presence", "heartbeat")} <= causes()
    assert any("daypass vault apply --trust REV" in text for text in done.json()["alarms"])

    # The run has written the rest anew; an operator writes what is trusted.
    assert client.read(f"{NOTES}/trust")["data"]["data"] == ODD
    for name in ("trust", "tip"):
        put(f"{NOTES}/{name}", sound[name])
    town.delete("ends-3")
    done = town.apply("schedule")
    assert not town.live_tokens("ends-3")
    assert town.events("ends-3")[-1] == "revoked"
    for name in ("closed", "heartbeat", "presence"):
        assert client.read(f"{NOTES}/{name}")["data"]["data"] != ODD, name


EVIL = (
    b"access/requests/x\n::error title=forged::FORGED BY A FILE NAME\n::stop-commands::zz\n"
    b"##[add-mask]x\n@acme-dba <b>x.yaml"
)
BEGINS = b"access/policies/::error::y\x1b[31m\xe2\x80\xae.yaml"


def propose_raw(town: Town, branch: str, title: str, files: dict[bytes, bytes]) -> int:
    """A pull request of Carol's whose names no work tree would take."""
    carol = town.box.person("carol")
    carol.git("fetch", "-q", "origin")
    who = carol.git("var", "GIT_COMMITTER_IDENT").strip()
    base = carol.git("rev-parse", "origin/main").strip()
    head = f"commit refs/box/{branch}\ncommitter {who}\ndata {len(title.encode())}\n{title}\n"
    stream = f"{head}from {base}\n".encode()
    for path, content in files.items():
        quoted = b'"' + b"".join(b"\\%03o" % byte for byte in path) + b'"'
        stream += b"M 100644 inline %s\ndata %d\n%s\n" % (quoted, len(content), content)
    carol.git("fast-import", "--quiet", "--force", data=stream)
    carol.git("push", "-q", "origin", f"refs/box/{branch}:refs/heads/{branch}")
    return carol.open_pull_request(branch, title)


def assert_no_command_of_others(done: Done) -> None:
    """No line begins a workflow command but ours, and none steers a terminal."""
    for line in done.said.splitlines():
        bare = line.lstrip()
        if bare.startswith("::"):
            assert line.startswith(("::error ", "::error::", "::warning ", "::notice ")), line
            assert not line.startswith(("::error title=forged", "::error::y")), line
        assert "##[" not in line, line
        assert "\x1b" not in line, ascii(line)
        assert "\u202e" not in line, ascii(line)


def test_names_and_messages_begin_no_command_in_a_job_a_comment_or_a_summary(town: Town) -> None:
    asked = next(iter(request("z-1", subject="carol", duration="1h").values()))
    policy = "spec: {rules: [{name: short, expression: 'true', message: \"a\\n::error::z\"}]}\n"
    number = propose_raw(
        town,
        "evil\u202ebranch`$(id)`;--error",
        "::error::T\u2028::error::second @acme/dba",
        {EVIL: asked, BEGINS: policy.encode(), b"access/requests/z-1.yaml": asked},
    )
    with acting.job(town.box, "schedule") as job:
        in_a_job = {**job.environment, "GITHUB_ACTIONS": "true"}
        words = (*acting.DAYPASS, "plan", "--open", "--comment", "--format", "github")
        assert_no_command_of_others(acting.run(words, in_a_job, directory=job.clone))
        summary = Path(in_a_job["GITHUB_STEP_SUMMARY"])
        summaries = summary.read_text(encoding="utf-8") if summary.exists() else ""
    bob = town.box.person("bob")
    comments = "\n".join(item["body"] for item in bob.comments(number))
    for text in (comments, summaries):
        assert "@acme" not in text
        assert "<b>" not in text.replace("\\<b\\>", "")
        assert "\n::" not in text
        assert "\u202e" not in text
    bob.git("fetch", "-q", "origin")
    bob.git("update-ref", "--no-deref", "HEAD", town.box.repository.pulls[number].head_sha)
    for words in (
        ("plan", "--pr", str(number)),
        ("plan", "--base", "origin/main"),
        ("validate", "--base", "origin/main"),
        ("plan", "--policy-diff", "origin/main"),
        ("status",),
    ):
        done = acting.daypass(bob, *words, "--format", "github", GITHUB_ACTIONS="true")
        if words == ("status",):
            done = acting.daypass(bob, *words, GITHUB_ACTIONS="true")
        assert done.said, words
        assert_no_command_of_others(done)
