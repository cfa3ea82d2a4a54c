"""What the judge refuses after the merge, the plan of the open pull request said before."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from daypass import lifecycle
from daypass.adapters.clock import machine_now
from daypass.sandbox.github.accounts import PublicKey
from daypass.sandbox.organisation import request
from support import acting
from support.town import Asked, Town
from support.village import emergency

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.sandbox.box import Box

pytestmark = pytest.mark.e2e
# The reasons of the judge that these pull requests meet …
MET = {"INVALID", "UNPROVEN", "ID_REUSED", "POLICY"}
# … and the others: where their preview is tested, or why none can be.
ELSEWHERE = {
    "TOO_MANY": "test_bounded_work.py",
    "UNKNOWN_CONTEXT": "test_context_sources.py: told as not known",
}


def rsa(bits: int) -> str:
    """A line that looks like a public key of so many bits; nobody has its private one."""
    parts = (b"ssh-rsa", b"\x01\x00\x01", b"\x00" + b"\xff" * (bits // 8))
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return f"ssh-rsa {base64.b64encode(blob).decode()}"


@pytest.fixture(scope="module")
def town(box: Box) -> Town:
    return Town(box)


@pytest.fixture
def mallorys_keys(town: Town) -> Iterator[list[PublicKey]]:
    keys = town.box.accounts["mallory"].keys
    before = list(keys)
    yield keys
    keys[:] = before


def plan(asked: Asked) -> str:
    done = acting.daypass(asked.who, "plan", "--pr", str(asked.number))
    assert "Traceback" not in done.said
    return done.said


def test_every_reason_of_the_judge_is_accounted_for() -> None:
    code = "".join(file.read_text() for file in Path(lifecycle.__file__).parent.glob("*.py"))
    given = set(re.findall(r"\brefuse\(\s*Reason\.([A-Z_]+)", code))
    given |= set(re.findall(r"Late\(EventKind\.DENIED, Reason\.([A-Z_]+)", code))
    given |= {"UNKNOWN_CONTEXT", "POLICY", "ID_REUSED"}  # chosen by what the decision says
    assert given == MET | set(ELSEWHERE)


def test_what_is_denied_after_the_merge_was_said_before(
    town: Town, mallorys_keys: list[PublicKey]
) -> None:
    now = machine_now()
    mallorys_keys[:] = [PublicKey(1, rsa(8192), str(now))]
    gone = {"notBefore": str(now.plus(-7200)), "duration": "1h"}
    cases = {
        "agree-mixed": ("changes more than requests (README.md)", "unproven"),
        "agree-over": ("was over", "invalid"),
        "agree-keys": ("8192 bits; daypass encrypts to 4096 at the most", "invalid"),
    }
    changes = {
        "agree-mixed": request("agree-mixed") | {"README.md": b"# By the way\n"},
        "agree-over": request("agree-over", **gone),
        "agree-keys": request("agree-keys", subject="mallory"),
    }
    asked = {}
    for name, files in changes.items():
        who = town.box.person("mallory" if name == "agree-keys" else "alice")
        asked[name] = Asked(name, who.propose(name, files, name), who)
        said = plan(asked[name])
        assert cases[name][0] in said, said
        town.merge(asked[name])
    done = town.apply()
    assert done.json()["failed"] == [], done.said
    for name, (_, reason) in cases.items():
        assert town.events(name) == ["denied"]
        assert f"Daypass-Reason: {reason}\n" in town.message(name, "denied")

    alice = town.box.person("alice")
    again = Asked("agree-over", alice.propose("agree-again", request("agree-over"), "x"), alice)
    assert "the id agree-over was used before" in plan(again)
    words = ("request", "orders-db", "read", "--duration", "1h", "--reason", "Once more")
    typed = acting.daypass(alice, *words, "--id", "agree-over")
    assert (typed.code, "was used before" in typed.stderr) == (4, True), typed.said
    town.merge(again)
    assert town.apply().code == 0
    assert "Daypass-Reason: id-reused\n" in town.message("agree-over", "denied")


def test_who_has_no_key_is_told_when_asking(town: Town, mallorys_keys: list[PublicKey]) -> None:
    mallory = town.box.person("mallory")
    words = ("request", "orders-db", "read", "--duration", "1h", "--reason", "Orders are stuck")
    pulls = len(town.box.repository.pulls)
    ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAAADBAAA"
    for lines, why in (([], "there is no key"), ([ecdsa], "ssh-ed25519 and ssh-rsa keys only")):
        mallorys_keys[:] = [PublicKey(1, line, "") for line in lines]
        done = acting.daypass(mallory, *words)
        assert (done.code, why in done.stderr) == (4, True), done.said
    assert len(town.box.repository.pulls) == pulls


def test_a_team_that_github_does_not_have_is_named(town: Town) -> None:
    github = town.box.github
    dba = github.teams.pop("dba")
    try:
        asked = town.ask("agree-team")
        said = plan(asked)
        typed = acting.daypass(
            asked.who,
            *("request", "orders-db", "read", "--duration", "1h", "--reason", "Orders are stuck"),
        )
        with acting.job(town.box, "schedule") as here:
            opened = here.daypass("plan", "--open", "--comment")
    finally:
        github.teams["dba"] = dba
    comments = "".join(item["body"] for item in asked.who.comments(asked.number))
    for text in (said, typed.stdout, opened.stdout, comments.replace("\\", "")):
        assert "team `dba`, of the group `dba`: there is no such team with the id" in text, text
    asked.who.close(asked.number)


def test_an_emergency_that_no_policy_permits_is_told_before_it_is_asked(town: Town) -> None:
    bob = town.box.person("bob")
    pulls = len(town.box.repository.pulls)
    words = ("ledger-db", "read", "--incident", "INC-7", "--reason", "Checkout is down")
    typed = acting.daypass(bob, "break-glass", *words)
    assert (typed.code, "no permit policy" in typed.stderr) == (4, True), typed.said
    assert len(town.box.repository.pulls) == pulls
    files = emergency("agree-glass", subject="bob", resource="ledger-db")
    number = bob.propose("break-glass/agree-glass", files, "Help")
    said = plan(Asked("agree-glass", number, bob))
    assert "no permit policy" in said
    bob.git("checkout", "-q", "refs/box/break-glass/agree-glass")
    try:
        based = acting.daypass(bob, "validate", "--base", "origin/main")
    finally:
        bob.git("checkout", "-q", "main")
    assert "notice: break-glass-no-policy" in based.stdout, based.said
    bob.close(number)
