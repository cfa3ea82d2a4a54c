"""Our verdicts beside those of stock git and OpenSSH, on the same commits."""

from __future__ import annotations

import base64
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from daypass.ledger import sshsig
from daypass.ledger.allowed_signers import Signers, parse_allowed_signers
from daypass.ledger.commitobject import CommitDraft, parse_commit, with_signature
from daypass.ledger.compose import compose
from daypass.ledger.history import is_signed
from daypass.ledger.trailers import parse_message, trailer_lines
from daypass.model.event import Event, EventKind
from support.evidence_bot import START, a_grant
from support.local_signer import LocalSigner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.evidence_bot import Bot

SIGNER: Final = LocalSigner()
KEY: Final = base64.b64encode(sshsig.public_key_blob(SIGNER.public_key())).decode()
NOON: Final = START.plus(10800).seconds  # 2026-11-23T12:00:00Z


def string(data: bytes) -> bytes:
    return len(data).to_bytes(4) + data


def armour(blob: bytes) -> bytes:
    return sshsig.BEGIN + b"\n" + base64.encodebytes(blob) + sshsig.END + b"\n"


def signature_blob(
    payload: bytes,
    *,
    version: int = 1,
    namespace: bytes = b"git",
    reserved: bytes = b"",
    hash_name: bytes = b"sha512",
    key: LocalSigner = SIGNER,
    shown: LocalSigner = SIGNER,
    kind: bytes = b"ssh-ed25519",
) -> bytes:
    to_sign = sshsig.bytes_to_sign(payload, hash_name)
    to_sign = to_sign.replace(string(b"git"), string(namespace), 1)
    return (
        b"SSHSIG"
        + version.to_bytes(4)
        + string(string(kind) + string(shown.public_key()))
        + string(namespace)
        + string(reserved)
        + string(hash_name)
        + string(string(kind) + string(key.sign(to_sign)))
    )


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """The good commit, with something changed after it was signed."""

    def change(payload: bytes) -> bytes:
        raw = with_signature(payload, armour(signature_blob(payload)))
        assert old in raw
        return raw.replace(old, new, 1)

    return change


def by(**words: object) -> Callable[[bytes], bytes]:
    """A commit signed in another way."""
    return lambda payload: with_signature(
        payload,
        armour(signature_blob(payload, **words)),  # type: ignore[arg-type]  # the words of a case
    )


def with_blob(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda payload: with_signature(payload, armour(change(signature_blob(payload))))


COMMITS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "good": by(),
    "good, over sha256": by(hash_name=b"sha256"),
    "reserved field filled": by(reserved=b"x"),
    "unsigned": lambda payload: payload,
    "of another commit": lambda payload: with_signature(
        payload, armour(signature_blob(payload + b"x"))
    ),
    "message changed": replaced(b"The message", b"The messagf"),
    "time changed": replaced(str(NOON).encode(), str(NOON + 1).encode()),
    "parent changed": replaced(b"parent ", b"parenT "),
    "header added": replaced(b"\ncommitter", b"\nencoding utf-8\ncommitter"),
    "another namespace": by(namespace=b"file"),
    "version 2": by(version=2),
    "by another key": by(key=LocalSigner(2)),
    "by another key that says so": by(key=LocalSigner(2), shown=LocalSigner(2)),
    "key type that is none": by(kind=b"ssh-dss"),
    "more bytes at the end": with_blob(lambda blob: blob + b"x"),
    "fewer bytes": with_blob(lambda blob: blob[:-1]),
    "empty": with_blob(lambda _blob: b""),
    "signature of zeroes": with_blob(lambda blob: blob[:-64] + bytes(64)),
    "not base64": replaced(b"\n U1NIU0lH", b"\n !!!!!!!!"),
    "no end": replaced(b"\n -----END SSH SIGNATURE-----", b""),
    "no beginning": replaced(b"-----BEGIN SSH SIGNATURE-----", b"-----BEGIN SSH SIGNATUR-----"),
    "carriage return after the beginning": replaced(
        b"SSH SIGNATURE-----\n U1", b"SSH SIGNATURE-----\r\n U1"
    ),
    "white space in the base64": replaced(b"\n U1NIU0lH", b"\n U1N\r\n  \tIU0lH"),
    "white space after the end": replaced(
        b"END SSH SIGNATURE-----\n", b"END SSH SIGNATURE-----\n  more\n"
    ),
    "one long line": lambda payload: with_signature(
        payload,
        sshsig.BEGIN + b"\n" + base64.b64encode(signature_blob(payload)) + b"\n" + sshsig.END,
    ),
    "header of another algorithm": replaced(b"\ngpgsig ", b"\ngpgsig-sha256 "),
}
GOOD: Final = {
    "good",
    "good, over sha256",
    "reserved field filled",
    "one long line",
    "white space in the base64",
    "white space after the end",
}
LISTS: Final = {
    "every namespace": f"a@b ssh-ed25519 {KEY}",
    "wildcard": f'a@b namespaces="g*" ssh-ed25519 {KEY}',
    "another namespace": f'a@b namespaces="file" ssh-ed25519 {KEY}',
    "not git": f'a@b namespaces="!git,*" ssh-ed25519 {KEY}',
    "another key": LocalSigner(2).allowed().to_line(),
    "empty": "",
    "not yet": f'a@b namespaces="git",valid-after="202611231201Z" ssh-ed25519 {KEY}',
    "not any more": f'a@b namespaces="git",valid-before="202611231159Z" ssh-ed25519 {KEY}',
    "just begun": f'a@b namespaces="git",valid-after="202611231200Z" ssh-ed25519 {KEY}',
    "about to end": f'a@b namespaces="git",valid-before="202611231200Z" ssh-ed25519 {KEY}',
    "within": f'a@b valid-after="20261123Z",valid-before="20261124Z" ssh-ed25519 {KEY}',
    "second line": f"# a comment\n\n{LocalSigner(2).allowed().to_line()}\na@b ssh-ed25519 {KEY}",
}


def payload_of(bot: Bot) -> bytes:
    tree = bot.git("rev-parse", "HEAD^{tree}")
    return CommitDraft(tree, bot.head, "daypass", "bot@x", NOON, "The message\n").payload()


def store(bot: Bot, raw: bytes) -> str:
    path = bot.work / "raw"
    path.write_bytes(raw)
    return bot.git("hash-object", "-t", "commit", "-w", "--literally", str(path))


def git_says_good(bot: Bot, commit: str, signers: str) -> bool:
    path = bot.work / "signers"
    path.write_text(signers + "\n")
    done = subprocess.run(
        ["git", "-c", f"gpg.ssh.allowedSignersFile={path}", "verify-commit", commit],
        cwd=bot.work,
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


@pytest.mark.parametrize("case", COMMITS)
def test_signatures_are_judged_as_git_judges_them(bot: Bot, case: str) -> None:
    raw = COMMITS[case](payload_of(bot))
    signers = SIGNER.allowed().to_line()
    ours = is_signed(parse_commit(raw), Signers.parse(signers.encode()), "c" * 40)
    assert ours == git_says_good(bot, store(bot, raw), signers)
    assert ours == (case in GOOD)


@pytest.mark.parametrize("case", LISTS)
def test_lists_of_signers_are_read_as_openssh_reads_them(bot: Bot, case: str) -> None:
    raw = COMMITS["good"](payload_of(bot))
    ours = is_signed(parse_commit(raw), Signers.parse(LISTS[case].encode()), "c" * 40)
    assert ours == git_says_good(bot, store(bot, raw), LISTS[case])


def test_a_commit_that_git_signed_is_verified_by_us(bot: Bot, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    settings = ("gpg.format=ssh", f"user.signingKey={key}", "commit.gpgSign=true")
    words = [word for setting in settings for word in ("-c", setting)]
    bot.git(*words, "commit", "-q", "--allow-empty", "-m", "by git")
    raw = subprocess.run(
        ["git", "cat-file", "commit", "HEAD"], cwd=bot.work, capture_output=True, check=True
    ).stdout
    public = key.with_suffix(".pub").read_text()
    signers = f'a@b namespaces="git" {public}'
    assert is_signed(parse_commit(raw), Signers.parse(signers.encode()), "c" * 40)
    (signer,) = parse_allowed_signers(signers.encode())
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(key)], capture_output=True, check=True, text=True
    ).stdout
    assert signer.fingerprint in shown.split()


EVENTS: Final = {
    "plain": ("Revoke", "Its holder was done."),
    "no body": ("Revoke", ""),
    "a trailer in the body": ("Revoke", "Daypass-Event: issued\nDaypass-Grant: mine"),
    "a trailer as the last paragraph": ("Revoke", "text\n\nDaypass-Event: issued"),
    "a --- line": ("Revoke", "text\n---\nDaypass-Event: issued\n"),
    "a --- title": ("---", "text"),
    "scissors": ("Revoke", "# ------------------------ >8 ------------------------\nx"),
    "a carriage return": ("Revoke\rDaypass-Event: issued", "text\rDaypass-Event: issued\r\n"),
    "other trailers": ("Revoke", "text\n\nSigned-off-by: a <a@b>\nCo-authored-by: c <c@d>"),
    "a patch": ("Revoke", "diff --git a/x b/x\nIndex: x\n--- a/x\n+++ b/x\nFrom 123 Mon Sep"),
    "cherry-picked": ("Revoke", "(cherry picked from commit " + "a" * 40 + ")"),
    "colons": ("Revoke: this", "Subject: alice\nfolded:\n value\n\nKey: value"),
    "long": ("word " * 60, "x" * 5000),
}


@pytest.mark.parametrize("case", EVENTS)
def test_git_reads_our_trailers_as_we_do(bot: Bot, case: str) -> None:
    event = Event(
        EventKind.REVOKED,
        "one",
        (("Daypass-Approver", "1 2 3"), ("Daypass-Approver", "4 5 6"), ("Daypass-Reason", "done")),
    )
    message = compose(*EVENTS[case], event, 2, "a" * 40)
    wanted = list(trailer_lines(event, 2, "a" * 40))
    commit = bot.write(message, {"x": b"x"}, 2)

    shown = bot.git("log", "-1", "--format=%(trailers)", commit).splitlines()
    keyed = bot.git(
        "log", "-1", "--format=%(trailers:key=Daypass-Approver,valueonly)", commit
    ).split("\n")
    parsed = subprocess.run(
        ["git", "interpret-trailers", "--parse"],
        input=message,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert shown == wanted
    assert parsed == wanted
    assert keyed[:2] == ["1 2 3", "4 5 6"]


def test_a_message_outlives_the_tools_that_carry_commits_about(bot: Bot, tmp_path: Path) -> None:
    """format-patch and am: nothing in a body ends the message early."""
    body = "a\n---\nb\n# c\n-- >8 --\ndiff --git a/x b/x\nFrom me\nDaypass-Event: issued"
    event = Event(EventKind.ISSUED, "one", (("Daypass-Subject", a_grant("one").subject),))
    message = compose("Title", body, event, 1, None)
    begin = bot.head
    commit = bot.write(message, {"x": b"x"}, 1)
    patch = tmp_path / "patch"
    patch.write_text(bot.git("format-patch", "-1", "--stdout", commit) + "\n")
    bot.git("checkout", "-q", "-B", "carried", begin)
    bot.git("am", "-q", "--scissors", str(patch))
    carried = bot.git("log", "-1", "--format=%B", "carried").strip() + "\n"
    assert parse_message(carried.encode()) == parse_message(message.encode())
    assert carried == message
