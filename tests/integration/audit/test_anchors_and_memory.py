"""What holds main to its past: signed tags, their files, time stamps; and what was verified before.

Judged offline, on a clone and on a bundle.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from daypass.adapters.verified import Verified
from daypass.ledger.anchor import PREFIX
from daypass.ledger.fault import FaultCode
from daypass.ledger.verify import verify
from daypass.lifecycle.anchoring import make_anchor
from daypass.lifecycle.replaying import Replayer
from daypass.model.instant import Instant
from daypass.model.names import ALLOWED_SIGNERS_PATH, grant_path
from daypass.model.settings import EvidenceSettings
from support.local_signer import LocalSigner

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from daypass.adapters.git import GitRepository
    from daypass.ledger.verify import Report
    from support.evidence_bot import Bot

FORGED = "Squash (#7)\n\nDaypass-Event: issued\nDaypass-Grant: mine\nDaypass-Sequence: 2"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def judge(bot: Bot, *, remembers: bool = False, reads: list[int] | None = None) -> Report:
    key = [bot.signer.allowed().fingerprint]
    with bot.open() as repository:
        head = repository.fetch()
        if reads is not None:
            watch(repository, reads)
        return verify(
            repository,
            head,
            fingerprints=key,
            replay=Replayer(repository),
            memory=Verified(key, None) if remembers else None,
            tags=repository.tags(PREFIX),
        )


def watch(repository: GitRepository, reads: list[int]) -> None:
    real = repository.commits

    def counted(since: str | None, ids: list[str]) -> Iterable[object]:
        reads.append(len(ids))
        return real(since, ids)

    repository.commits = counted  # type: ignore[method-assign,assignment]  # to count what is read


def daypass(bot: Bot, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: os.environ[name] for name in ("PATH", "XDG_CACHE_HOME")}
    return subprocess.run(
        [sys.executable, "-m", "daypass", "-C", str(bot.work), "audit", *words],
        env=environment | {"HOME": str(bot.work.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_was_verified_is_not_read_again_and_nothing_is_missed(bot: Bot) -> None:
    """After each step: the same answer as by reading all of it anew."""
    first = bot.issue("one")
    steps = [
        lambda: bot.issue("two"),
        lambda: bot.person_commits(FORGED, {"README": "x"}),
        lambda: bot.person_commits("Tidy", {grant_path("two"): "{}"}),
        lambda: bot.end("one", first),
        lambda: bot.issue("three", sequence=bot.sequence + 3),
        lambda: bot.issue("one"),
        lambda: bot.person_commits(
            "A key", {ALLOWED_SIGNERS_PATH: LocalSigner(9).allowed().to_line() + "\n"}
        ),
        lambda: replace(bot, signer=LocalSigner(8)).issue("four"),
    ]
    judge(bot, remembers=True)
    for step in steps:
        before = judge(bot, remembers=True).commits
        step()
        reads: list[int] = []
        remembered = judge(bot, remembers=True, reads=reads)
        assert remembered == judge(bot)
        assert reads == [remembered.commits - before]
    codes = {fault.code for fault in remembered.faults}
    assert {FaultCode.UNSIGNED_TRAILERS, FaultCode.RECORD_EDIT, FaultCode.SEQUENCE_GAP} < codes
    assert {FaultCode.TRANSITION, FaultCode.UNKNOWN_SIGNER} < codes


def test_a_rewritten_main_is_read_from_its_beginning(bot: Bot) -> None:
    bot.issue("one")
    begin = bot.head
    bot.issue("two")
    judge(bot, remembers=True)
    bot.git("checkout", "-q", "-B", "main", begin)
    bot.git("commit", "-q", "--allow-empty", "-m", FORGED)
    bot.git("push", "-q", "--force", "origin", "main")
    reads: list[int] = []
    report = judge(bot, remembers=True, reads=reads)
    assert reads == [report.commits]
    assert report == judge(bot)


@pytest.mark.parametrize("how", ["others may write it", "a link", "another content"])
def test_a_memory_that_others_could_have_written_is_not_believed(
    bot: Bot, tmp_path: Path, how: str
) -> None:
    bot.issue("one")
    bot.person_commits(FORGED, {"README": "x"})
    assert len(judge(bot, remembers=True).faults) == 1
    (kept,) = (tmp_path / "cache/daypass/verified").iterdir()
    if how == "others may write it":
        kept.chmod(0o666)
    elif how == "a link":
        kept.rename(tmp_path / "elsewhere")
        kept.symlink_to(tmp_path / "elsewhere")
    else:
        head, _, payload = kept.read_text().partition("\n")
        state = json.loads(payload)
        state["judge"]["faults"] = []
        kept.write_text(f"{head}\n{json.dumps(state)}")
    reads: list[int] = []
    report = judge(bot, remembers=True, reads=reads)
    assert reads == [report.commits]
    assert len(report.faults) == 1


# Anchors.


def anchor(bot: Bot, signer: LocalSigner | None = None) -> str:
    with bot.open() as repository:
        head = repository.fetch()
        made = make_anchor(
            repository,
            signer or bot.signer,
            bot.signers(),
            EvidenceSettings("evidence", None, name="daypass", email="bot@daypass.example"),
            head=head,
            when=Instant.from_seconds(bot.seconds),
        )
        assert made is not None
        repository.write_tag(*made)
        return made[0]


def codes(report: Report) -> list[tuple[FaultCode, str]]:
    return [(fault.code, fault.commit) for fault in report.open_faults]


def test_stock_git_verifies_an_anchor(bot: Bot) -> None:
    bot.issue("one")
    name = anchor(bot)
    done = subprocess.run(
        ["git", "-c", f"gpg.ssh.allowedSignersFile={ALLOWED_SIGNERS_PATH}", "tag", "-v", name],
        cwd=bot.work,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert 'Good "git" signature for bot@daypass.example' in done.stdout + done.stderr
    assert bot.git("rev-parse", f"{name}^{{commit}}") == bot.head
    assert judge(bot).faults == ()


def test_a_main_that_was_cut_off_or_rewritten_does_not_lead_to_its_anchor(bot: Bot) -> None:
    first = bot.issue("one")
    bot.issue("two")
    anchored = bot.head
    anchor(bot)
    bot.git("push", "-q", "--force", "origin", f"{first}:main")
    bot.git("checkout", "-q", "-B", "main", first)
    bot.git("commit", "-q", "--allow-empty", "-m", "As if nothing had been")
    bot.git("push", "-q", "--force", "origin", "main")
    assert codes(judge(bot)) == [(FaultCode.ANCHOR_LOST, anchored)]


def test_an_older_head_may_be_judged_beside_a_younger_anchor(bot: Bot) -> None:
    first = bot.issue("one")
    bot.issue("two")
    anchor(bot)
    bot.git("push", "-q", "--force", "origin", f"{first}:main")
    assert judge(bot).faults == ()


def test_a_tag_that_the_evidence_key_did_not_sign_is_no_anchor_and_no_fault(bot: Bot) -> None:
    """Anybody who may push tags can push one: light, of another key, a good one's bytes changed."""
    bot.issue("one")
    theirs = anchor(bot, LocalSigner(66))
    bot.git("update-ref", f"refs/tags/{PREFIX}000000500", f"refs/tags/{theirs}")
    bot.git("tag", "-d", theirs)
    content = bot.git("cat-file", "tag", anchor(bot)) + "\n"
    with bot.open() as repository:
        changed = content.replace("event 1", "event 2").encode()
        repository.write_tag(f"{PREFIX}000000002", changed)
    bot.git("tag", f"{PREFIX}light", bot.head)
    bot.git("tag", f"{PREFIX}blob", f"{bot.head}:{ALLOWED_SIGNERS_PATH}")
    report = judge(bot)
    assert report.faults == ()
    assert [notice.split(" is no anchor: ")[0] for notice in report.notices] == [
        f"the tag {PREFIX}{name}" for name in ("000000002", "000000500", "blob", "light")
    ]
    bot.git("checkout", "-q", "-B", "main", "origin/main")
    for words in (("verify",), ("export", "--format", "cloudevents")):
        done = daypass(bot, *words, "--fingerprint", bot.signer.allowed().fingerprint)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("note: ") == 4
        assert f"note: the tag {PREFIX}000000002 is no anchor" in done.stderr


def test_an_anchor_under_another_name_holds_main_to_the_same(bot: Bot) -> None:
    first = bot.issue("one")
    bot.issue("two")
    name, anchored = anchor(bot), bot.head
    bot.git("update-ref", f"refs/tags/{PREFIX}000000009", f"refs/tags/{name}")
    bot.git("tag", "-d", name)
    assert judge(bot).faults == ()
    assert judge(bot).notices == (f"the tag {PREFIX}000000009 is no anchor: it is the tag {name}",)
    bot.git("checkout", "-q", "-B", "main", first)
    bot.git("commit", "-q", "--allow-empty", "-m", "As if nothing had been")
    bot.git("push", "-q", "--force", "origin", "main")
    assert codes(judge(bot)) == [(FaultCode.ANCHOR_LOST, anchored)]


def test_a_tags_file_is_an_anchor_from_outside(bot: Bot, tmp_path: Path) -> None:
    first = bot.issue("one")
    bot.issue("two")
    name, anchored = anchor(bot), bot.head
    file = tmp_path / "anchor"
    file.write_bytes(
        subprocess.run(
            ["git", "cat-file", "tag", name], cwd=bot.work, capture_output=True, check=True
        ).stdout
    )
    bot.git("tag", "-d", name)
    words = ("verify", "--revision", "origin/main", "--format", "json", "--anchor", str(file))
    done = daypass(bot, *words)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "holds"
    bot.git("push", "-q", "--force", "origin", f"{first}:main")
    bot.git("fetch", "-q", "origin")
    done = daypass(bot, *words)
    assert done.returncode == 6
    assert [item["commit"] for item in json.loads(done.stdout)["faults"]] == [anchored]
    file.write_bytes(file.read_bytes().replace(b"event 2", b"event 3"))
    assert "bad-anchor" in daypass(bot, *words).stdout
    file.write_text("nothing of the kind")
    done = daypass(bot, *words)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


def test_an_anchors_file_that_the_key_did_not_sign_is_none(bot: Bot, tmp_path: Path) -> None:
    """Its commit is on main, so whoever forged it would choose which faults are known."""
    bot.issue("one")
    forged = bot.person_commits(FORGED, {"README": "x"})
    name, file = anchor(bot, LocalSigner(66)), tmp_path / "anchor"
    file.write_text(bot.git("cat-file", "tag", name) + "\n")
    bot.git("tag", "-d", name)
    done = daypass(bot, "verify", "--revision", "origin/main", "--anchor", str(file))
    assert done.returncode == 6, done.stdout
    assert f"{forged}  bad-anchor" in done.stdout


def test_an_export_holds_main_to_its_anchors_as_verify_does(bot: Bot) -> None:
    first = bot.issue("one")
    bot.issue("two")
    anchor(bot)
    bot.git("push", "-q", "--force", "origin", f"{first}:main")
    bot.git("checkout", "-q", "-B", "main", first)
    bot.git("commit", "-q", "--allow-empty", "-m", "As if nothing had been")
    words = ("export", "--format", "cloudevents", "--revision", "main")
    done = daypass(bot, *words, "--fingerprint", bot.signer.allowed().fingerprint)
    assert (done.returncode, "does not hold" in done.stderr) == (6, True)


def test_a_file_about_commits_hides_no_edit(bot: Bot) -> None:
    """git believes the trees in `commit-graph`, and never looks whether the commits have them."""
    bot.issue("one")
    edited = bot.person_commits("Tidy", {grant_path("one"): "{}"})
    bot.git("commit-graph", "write", "--reachable")
    file = bot.work / ".git/objects/info/commit-graph"
    trees = [
        bytes.fromhex(bot.git("rev-parse", f"{commit}^{{tree}}"))
        for commit in (edited, f"{edited}^")
    ]
    file.chmod(0o600)
    file.write_bytes(file.read_bytes().replace(*trees))
    assert not bot.git(
        "log", "--format=%H", "-1", "--raw", edited, "--", grant_path("one")
    ).startswith(edited)
    assert codes(judge(bot)) == [(FaultCode.RECORD_EDIT, edited)]


def test_a_time_stamp_says_since_when_an_anchor_is_there(bot: Bot, tmp_path: Path) -> None:
    bot.issue("one")
    name, file = anchor(bot), tmp_path / "anchor"
    file.write_text(bot.git("cat-file", "tag", name) + "\n")
    authority = Authority(tmp_path / "tsa")
    from daypass.adapters.timestamp import write_query  # noqa: PLC0415  -- beside its only use

    write_query(file.read_bytes(), tmp_path / "query")
    authority.answer(tmp_path / "query", tmp_path / "answer")
    words = ("--anchor", str(file), "--timestamp", str(tmp_path / "answer"))
    trust = ("--authority", str(authority.certificate))
    done = daypass(bot, "verify", "--revision", "origin/main", *words, *trust)
    assert done.returncode == 0, done.stderr
    assert "the anchor was there at" in done.stdout
    file.write_text(file.read_text() + "x")
    done = daypass(bot, "verify", "--revision", "origin/main", *words, *trust)
    assert done.returncode == 6
    assert "is no time stamp of" in done.stderr
    assert daypass(bot, "verify", "--timestamp", str(tmp_path / "answer")).returncode == 2


class Authority:
    """A time-stamping authority, made with stock openssl."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.certificate = folder / "tsa.pem"
        (folder / "tsa.cnf").write_text(
            "[req]\ndistinguished_name = dn\nx509_extensions = ext\nprompt = no\n"
            "[dn]\nCN = A time-stamping authority\n"
            "[ext]\nextendedKeyUsage = critical,timeStamping\nbasicConstraints = CA:true\n"
            "[tsa]\ndefault_tsa = one\n"
            f"[one]\nserial = {folder}/serial\nsigner_cert = {folder}/tsa.pem\n"
            f"signer_key = {folder}/tsa.key\nsigner_digest = sha256\ndefault_policy = 1.2.3.4.1\n"
            "digests = sha256\naccuracy = secs:1\nordering = no\ness_cert_id_chain = no\n"
        )
        (folder / "serial").write_text("01\n")
        self._run(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", "tsa.key", "-out", "tsa.pem", "-config", "tsa.cnf"),
        )

    def answer(self, query: Path, target: Path) -> None:
        self._run(
            *("ts", "-reply", "-config", "tsa.cnf", "-queryfile", str(query), "-out", str(target))
        )

    def _run(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self._folder, check=True, capture_output=True)


# Bundles.


def test_a_bundle_is_judged_without_a_clone(bot: Bot, tmp_path: Path) -> None:
    bot.issue("one")
    anchor(bot)
    key = bot.signer.allowed().fingerprint
    file = tmp_path / "main.bundle"
    bot.git("checkout", "-q", "-B", "main", "origin/main")
    bot.git("bundle", "create", "-q", str(file), "main", "--tags")
    words = ("verify", "--bundle", str(file), "--fingerprint", key, "--format", "json")
    done = daypass(bot, *words)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["verdict"], found["events"], found["head"]) == ("holds", 1, bot.head)

    forged = bot.person_commits(FORGED, {"access/grants/x.json": "{}"})
    file.unlink()
    bot.git("bundle", "create", "-q", str(file), "main")
    done = daypass(bot, *words)
    assert done.returncode == 6
    assert [(item["commit"], item["noted"]) for item in json.loads(done.stdout)["faults"]] == [
        (forged, True),
        (forged, False),
    ]


@pytest.mark.parametrize("what", ["thin", "damaged", "no bundle", "not there"])
def test_a_bundle_that_is_not_whole_is_refused(bot: Bot, tmp_path: Path, what: str) -> None:
    first = bot.issue("one")
    bot.issue("two")
    file = tmp_path / "main.bundle"
    bot.git("checkout", "-q", "-B", "main", "origin/main")
    if what == "thin":
        bot.git("bundle", "create", "-q", str(file), "main", f"^{first}")
    elif what == "damaged":
        bot.git("bundle", "create", "-q", str(file), "main")
        content = bytearray(file.read_bytes())
        content[-100] ^= 1
        file.write_bytes(content)
    elif what == "no bundle":
        file.write_text("gitdir: /\n")
    done = daypass(bot, "verify", "--bundle", str(file))
    assert done.returncode == 1
    assert "cannot be opened" in done.stderr or "there is no file" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_log_tells_what_is_new_since_a_head(bot: Bot) -> None:
    bot.issue("one")
    seen = bot.head
    bot.issue("two")
    words = ("log", "--revision", "origin/main", "--format", "json", "--since")
    told = json.loads(daypass(bot, *words, seen).stdout)
    assert [item["grant"] for item in told] == ["two"]
    other = bot.git("commit-tree", "-m", "x", "HEAD^{tree}")
    done = daypass(bot, *words, other)
    assert (done.returncode, "does not lead through" in done.stderr) == (2, True)


def test_where_there_is_no_home_nothing_is_remembered(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container runs as a user that its list of users does not have."""

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("daypass.adapters.verified.Path.home", no_home)
    bot.issue("one")
    assert judge(bot, remembers=True).faults == ()
    assert judge(bot, remembers=True).faults == ()
