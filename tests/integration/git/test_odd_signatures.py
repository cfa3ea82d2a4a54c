"""Odd commits, tags and lists of signers: what stock git refuses, daypass refuses too.

The other way round there are differences, and each has its reason beside it.
"""

from __future__ import annotations

import base64
import re
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from daypass.errors import EvidenceError
from daypass.ledger import sshsig
from daypass.ledger.allowed_signers import Signers
from daypass.ledger.anchor import counting_anchor, tag_name, tag_payload
from daypass.ledger.commitobject import parse_commit
from daypass.ledger.history import is_signed
from support.evidence_bot import START, Bot, make_bot
from support.local_signer import LocalSigner

if TYPE_CHECKING:
    from collections.abc import Callable

    Build = Callable[[bytes, bytes], bytes]

SIGNER: Final = LocalSigner()
OTHER: Final = LocalSigner(2)
KEY: Final = base64.b64encode(sshsig.public_key_blob(SIGNER.public_key())).decode()
RSA: Final = "ssh-rsa AAAAB3NzaC1yc2E="  # cut short
NOON: Final = START.plus(10800).seconds  # 2026-11-23T12:00:00Z
WHO: Final = b"daypass <bot@x> %d +0000" % NOON

# Reasons for which a signature counts for nothing here, though stock git takes it.
ONLY_OURS: Final = "the bot writes five headers in one order, and never another one"
TWICE: Final = "anyone could add a second signature, and the first one would not notice"
NUL: Final = "git ends a message at a NUL, and a signature does not"
TIMES: Final = "without a Z the time depends on the reader's time zone"
QUOTES: Final = "the bot's principal is an e-mail address"
STRICT: Final = "one spelling is enough"
SLIPS: Final = "a line with a slip is named, and not passed over"


def signature(payload: bytes, signer: LocalSigner = SIGNER) -> bytes:
    signed = signer.sign(sshsig.bytes_to_sign(payload))
    return sshsig.armoured_signature(signer.public_key(), signed).rstrip(b"\n")


def header(payload: bytes, name: bytes = b"gpgsig") -> bytes:
    return name + b" " + signature(payload).replace(b"\n", b"\n ") + b"\n"


def lines(
    *, before: bytes = b"", middle: bytes = b"", end: bytes = b"", message: bytes = b"m\n"
) -> Build:
    """A commit that is signed as it is but for its signature, which stands last."""

    def build(tree: bytes, parent: bytes) -> bytes:
        head = before + b"tree " + tree + b"\n" + middle + b"parent " + parent
        head += b"\nauthor " + WHO + b"\ncommitter " + WHO + b"\n" + end
        payload = head + b"\n" + message
        return head + header(payload) + b"\n" + message

    return build


def moved(place: str) -> Build:
    """The signature in another place: git signs what is left without it."""

    def build(tree: bytes, parent: bytes) -> bytes:
        payload = lines()(tree, parent)
        head, _, rest = payload.partition(b"gpgsig ")
        plain = head + rest.partition(b"-----END SSH SIGNATURE-----\n")[2]
        signed = header(plain)
        at = plain.index(place.encode())
        return plain[:at] + signed + plain[at:]

    return build


def changed(change: Callable[[bytes], bytes]) -> Build:
    return lambda tree, parent: change(lines()(tree, parent))


def twice(raw: bytes) -> bytes:
    start = raw.index(b"gpgsig ")
    end = raw.index(b"\n\n", start) + 1
    return raw[:end] + raw[start:end] + raw[end:]


def people(author: bytes, committer: bytes) -> Build:
    def build(tree: bytes, parent: bytes) -> bytes:
        head = b"tree " + tree + b"\nparent " + parent + b"\n" + author + committer
        return head + header(head + b"\nm\n") + b"\nm\n"

    return build


AUTHOR: Final = b"author " + WHO + b"\n"
COMMITTER: Final = b"committer " + WHO + b"\n"
TAG: Final = b"mergetag object %s\n type commit\n tag x\n tagger %s\n \n x\n" % (b"a" * 40, WHO)
# name → how it is made, and why it counts for nothing here where stock git takes it
COMMITS: Final[dict[str, tuple[Build, str]]] = {
    "good": (lines(), ""),
    "an empty message": (lines(message=b""), ""),
    "a message of carriage returns": (lines(message=b"a\r\n\r\nb\r\n"), ""),
    "the signature before the tree": (moved("tree "), ""),
    "the signature before the parent": (moved("parent "), ONLY_OURS),
    "the signature before the author": (moved("author "), ONLY_OURS),
    "the signature before the committer": (moved("committer "), ONLY_OURS),
    "the signature twice": (changed(twice), TWICE),
    "a header before the tree": (lines(before=b"x y\n"), ""),
    "an empty line before the tree": (lines(before=b"\n"), ""),
    "two trees": (lines(before=b"tree " + b"a" * 40 + b"\n"), ONLY_OURS),
    "a header before the parent": (lines(middle=b"x y\n"), ONLY_OURS),
    "an encoding": (lines(end=b"encoding UTF-7\n"), ONLY_OURS),
    "a merged tag": (lines(end=TAG), ONLY_OURS),
    "a header of its own": (lines(end=b"x y\n"), ONLY_OURS),
    "a continued header": (lines(end=b"x y\n z\n"), ONLY_OURS),
    "a second committer": (lines(end=COMMITTER), ONLY_OURS),
    "a second parent last": (lines(end=b"parent " + b"a" * 40 + b"\n"), ONLY_OURS),
    "a signature of the other hash, signed over": (lines(end=b"gpgsig-sha256 x\n y\n"), ""),
    "a signature of the other hash, added": (
        changed(lambda raw: raw.replace(b"gpgsig ", b"gpgsig-sha256 x\n y\ngpgsig ", 1)),
        TWICE,
    ),
    "its name in capitals": (changed(lambda raw: raw.replace(b"gpgsig ", b"GPGSIG ", 1)), ""),
    "two spaces after its name": (changed(lambda raw: raw.replace(b"gpgsig ", b"gpgsig  ", 1)), ""),
    "no space after its name": (changed(lambda raw: raw.replace(b"gpgsig ", b"gpgsig", 1)), ""),
    "a NUL in the message": (lines(message=b"m\0\n\nDaypass-Event: issued\n"), NUL),
    "a NUL in a name": (people(AUTHOR.replace(b"day", b"d\0y"), COMMITTER), ""),
    "carriage returns in the headers": (changed(lambda raw: raw.replace(b"\n", b"\r\n", 3)), ""),
    "a line after the signature": (
        changed(lambda raw: raw.replace(b"SIGNATURE-----\n\n", b"SIGNATURE-----\n x\n\n")),
        "",
    ),
    "a blank folded line after it": (
        changed(lambda raw: raw.replace(b"SIGNATURE-----\n\n", b"SIGNATURE-----\n \n\n")),
        "",
    ),
    "junk before the signature": (
        changed(lambda raw: raw.replace(b"gpgsig -----BEGIN", b"gpgsig x\n -----BEGIN", 1)),
        "",
    ),
    "no author": (people(b"", COMMITTER), ONLY_OURS),
    "no committer": (people(AUTHOR, b""), ""),
    "committer before author": (people(COMMITTER, AUTHOR), ONLY_OURS),
    "no time": (people(AUTHOR, b"committer daypass <bot@x>\n"), ONLY_OURS),
    "time 0": (people(AUTHOR, b"committer daypass <bot@x> 0 +0000\n"), ONLY_OURS),
    "a negative time": (people(AUTHOR, b"committer daypass <bot@x> -5 +0000\n"), ONLY_OURS),
    "a time beyond all days": (people(AUTHOR, b"committer a <b> 999999999999999 +0000\n"), ""),
    "a time twice": (people(AUTHOR, b"committer a <b> 1 +0000 <c> %d +0000\n" % NOON), ""),
    "a zone of minutes": (people(AUTHOR, b"committer a <b> %d +0545\n" % NOON), ""),
    "no zone": (people(AUTHOR, b"committer a <b> %d\n" % NOON), STRICT),
}
# The same of lists; the commit is of noon, UTC.
LISTS: Final[dict[str, tuple[str | bytes, str]]] = {
    "good": (f'bot@x namespaces="git" ssh-ed25519 {KEY}', ""),
    "one star": (f"* ssh-ed25519 {KEY}", ""),
    "a question mark": (f"?ot@x ssh-ed25519 {KEY}", ""),
    "a bracket": (f"[ab]ot@x ssh-ed25519 {KEY}", ""),
    "excluded": (f"!bot@x ssh-ed25519 {KEY}", ""),
    "excluded, and all": (f"!bot@x,* ssh-ed25519 {KEY}", ""),
    "named and excluded": (f"bot@x,!bot@x ssh-ed25519 {KEY}", ""),
    "one of two excluded": (f"bot@x,eve@x,!eve@x ssh-ed25519 {KEY}", ""),
    "excluded by a pattern": (f"bot@x,!b* ssh-ed25519 {KEY}", ""),
    "only exclamation mark": (f"! ssh-ed25519 {KEY}", ""),
    "an empty principal first": (f",bot@x ssh-ed25519 {KEY}", ""),
    "an empty principal last": (f"bot@x, ssh-ed25519 {KEY}", ""),
    "a quoted principal": (f'"bot@x" ssh-ed25519 {KEY}', QUOTES),
    "a quote within": (f'bo"t@x" ssh-ed25519 {KEY}', QUOTES),
    "a very long principal": (f"{'b' * 1100}@x ssh-ed25519 {KEY}", ""),
    "two lines, files first": (
        f'eve@x namespaces="file" ssh-ed25519 {KEY}\nbot@x namespaces="git" ssh-ed25519 {KEY}',
        STRICT,  # of an OpenSSH that asks for the namespace first
    ),
    "two lines, files first, one principal": (
        f'bot@x namespaces="file" ssh-ed25519 {KEY}\nbot@x namespaces="git" ssh-ed25519 {KEY}',
        "",
    ),
    "two lines, over first": (
        f'bot@x valid-before="20261122Z" ssh-ed25519 {KEY}\nbot@x ssh-ed25519 {KEY}',
        "",
    ),
    "two lines, over first, another principal": (
        f'eve@x valid-before="20261122Z" ssh-ed25519 {KEY}\nbot@x ssh-ed25519 {KEY}',
        "",
    ),
    "two lines, over first, not quite": (
        f'eve@x valid-before="202611231200Z" ssh-ed25519 {KEY}\nbot@x ssh-ed25519 {KEY}',
        "",
    ),
    "two lines, not yet first, another principal": (
        f'eve@x valid-after="20261124Z" ssh-ed25519 {KEY}\nbot@x ssh-ed25519 {KEY}',
        STRICT,
    ),
    "two lines, one excludes the other": (
        f'!bot@x valid-before="20261122Z" ssh-ed25519 {KEY}\nbot@x ssh-ed25519 {KEY}',
        "",
    ),
    "an authority": (f"bot@x cert-authority ssh-ed25519 {KEY}", ""),
    "an authority first": (f"e cert-authority ssh-ed25519 {KEY}\nbot@x ssh-ed25519 {KEY}", ""),
    "capitals in options": (f'bot@x NameSpaces="git" ssh-ed25519 {KEY}', ""),
    "an empty namespace": (f'bot@x namespaces="" ssh-ed25519 {KEY}', ""),
    "namespaces with a space": (f'bot@x namespaces="file, git" ssh-ed25519 {KEY}', ""),
    "namespaces by pattern": (f'bot@x namespaces="g?t,!file" ssh-ed25519 {KEY}', ""),
    "namespaces twice": (f'bot@x namespaces="git",namespaces="git" ssh-ed25519 {KEY}', ""),
    "an escaped quote": (f'bot@x namespaces="git,\\"x" ssh-ed25519 {KEY}', STRICT),
    "an unknown option": (f'bot@x until="20991231Z" ssh-ed25519 {KEY}', ""),
    "no-touch-required": (f"bot@x no-touch-required ssh-ed25519 {KEY}", ""),
    "an open quote": (f'bot@x namespaces="git ssh-ed25519 {KEY}', ""),
    "a comma last": (f'bot@x namespaces="git", ssh-ed25519 {KEY}', ""),
    "unquoted": (f"bot@x namespaces=git ssh-ed25519 {KEY}", ""),
    "valid by the day": (f'bot@x valid-after="20261123Z" ssh-ed25519 {KEY}', ""),
    "a small z": (f'bot@x valid-after="20261123z" ssh-ed25519 {KEY}', STRICT),
    "in words": (f'bot@x valid-after="20261123UTC" ssh-ed25519 {KEY}', STRICT),
    "no zone": (f'bot@x valid-after="20261101" ssh-ed25519 {KEY}', TIMES),
    "an offset": (f'bot@x valid-after="20261123+0100" ssh-ed25519 {KEY}', ""),
    "ten digits": (f'bot@x valid-after="2026112300Z" ssh-ed25519 {KEY}', ""),
    "from 1970": (f'bot@x valid-after="19700101Z" ssh-ed25519 {KEY}', ""),
    "from 1960": (f'bot@x valid-after="19600101Z" ssh-ed25519 {KEY}', ""),
    "the 31st": (f'bot@x valid-after="20260231Z" ssh-ed25519 {KEY}', STRICT),
    "second 60": (f'bot@x valid-after="20261122235960Z" ssh-ed25519 {KEY}', ""),
    "at noon only": (
        f'bot@x valid-after="202611231200Z",valid-before="202611231200Z" ssh-ed25519 {KEY}',
        "",
    ),
    "the wrong way round": (
        f'bot@x valid-after="20261124Z",valid-before="20261123Z" ssh-ed25519 {KEY}',
        "",
    ),
    "to the second": (f'bot@x valid-before="20261123120000Z" ssh-ed25519 {KEY}', ""),
    "a second before": (f'bot@x valid-before="20261123115959Z" ssh-ed25519 {KEY}', ""),
    "tabs": (f"bot@x\t\tssh-ed25519\t{KEY}\tcomment", ""),
    "white space first": (f" \tbot@x ssh-ed25519 {KEY}", ""),
    "a carriage return last": (f"bot@x ssh-ed25519 {KEY}\r", ""),
    "a carriage return between": (f"bot@x\rssh-ed25519 {KEY}", STRICT),
    "a no-break space between": (f"bot@x\u00a0ssh-ed25519 {KEY}", ""),
    "a line separator in a comment": (f"# x\u2028bot@x ssh-ed25519 {KEY}", ""),
    "a form feed in a comment": (f"# x\fbot@x ssh-ed25519 {KEY}", ""),
    "a NUL in a comment": (f"# x\0\nbot@x ssh-ed25519 {KEY}", ""),
    "a NUL before the key": (f"bot@x\0 ssh-ed25519 {KEY}", ""),
    "a NUL after the key": (f"bot@x ssh-ed25519 {KEY} \0", STRICT),
    "no UTF-8": (b"b\xfft@x ssh-ed25519 " + KEY.encode(), ""),
    "a mark at the beginning": (f"\ufeffbot@x ssh-ed25519 {KEY}", ""),
    "a short name of the kind": (f"bot@x ED25519 {KEY}", ""),
    "the kind of another key": (f"bot@x ssh-rsa {KEY}", ""),
    "white space in the key": (f"bot@x ssh-ed25519 {KEY[:9]} {KEY[9:]}", ""),
    "padding after the key": (f"bot@x ssh-ed25519 {KEY}=", ""),
    "quotes around the key": (f'bot@x ssh-ed25519 "{KEY}"', ""),
    "rubbish before": (f"rubbish\nbot@x ssh-ed25519 {KEY}", SLIPS),
    "rubbish after": (f"bot@x ssh-ed25519 {KEY}\nrubbish", SLIPS),
    "a broken key of another kind before": (f"a {RSA}\nbot@x ssh-ed25519 {KEY}", ""),
    "a kind of the future before": (f"a ssh-future AAAA\nbot@x ssh-ed25519 {KEY}", ""),
    "another key before": (f"{OTHER.allowed().to_line()}\nbot@x ssh-ed25519 {KEY}", ""),
}
ANCHOR: Final = tag_payload("%s", 7, ("daypass", "bot@x"), NOON)
JUNK: Final = b"-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n"
TAGS: Final[dict[str, tuple[Callable[[bytes], bytes], str]]] = {
    "good": (lambda raw: raw + signature(raw) + b"\n", ""),
    "no line feed last": (lambda raw: raw + signature(raw), ""),
    "signed twice": (lambda raw: raw + signature(raw) + b"\n" + signature(raw) + b"\n", ""),
    "two signatures, both of what precedes": (
        lambda raw: (one := raw + signature(raw) + b"\n") + signature(one) + b"\n",
        TWICE,
    ),
    "another kind of signature after": (lambda raw: raw + signature(raw) + b"\n" + JUNK, ""),
    "another kind of signature before": (
        lambda raw: raw + JUNK + signature(raw + JUNK) + b"\n",
        TWICE,
    ),
    "text after": (lambda raw: raw + signature(raw) + b"\nmore\n", ""),
    "a NUL in the message": (
        lambda raw: (raw + b"\0\n") + signature(raw + b"\0\n") + b"\n",
        NUL,
    ),
    "the signature in the headers": (
        lambda raw: raw.replace(b"\n\n", b"\n" + header(raw) + b"\n", 1),
        "",
    ),
    "no message": (
        lambda raw: (head := raw.partition(b"\n\n")[0] + b"\n\n") + signature(head) + b"\n",
        "",
    ),
}


@pytest.fixture(scope="module")
def bot(tmp_path_factory: pytest.TempPathFactory) -> Bot:
    return make_bot(tmp_path_factory.mktemp("odd"))


def stock(bot: Bot, command: str, content: bytes, signers: str | bytes) -> bool:
    """Whether stock git finds that object well signed."""
    kind = command.removeprefix("verify-")
    words = ["git", "hash-object", "-t", kind, "-w", "--literally", "--stdin"]
    made = subprocess.run(words, cwd=bot.work, input=content, capture_output=True, check=True)
    listed = bot.work / "signers"
    listed.write_bytes(signers if isinstance(signers, bytes) else signers.encode() + b"\n")
    said = subprocess.run(
        ["git", "-c", f"gpg.ssh.allowedSignersFile={listed}", command, made.stdout.strip()],
        cwd=bot.work,
        capture_output=True,
        check=False,
    )
    return said.returncode == 0


def ours(raw: bytes, signers: str | bytes) -> bool:
    listed = signers if isinstance(signers, bytes) else signers.encode() + b"\n"
    try:
        return is_signed(parse_commit(raw), Signers.parse(listed), "c" * 40)
    except EvidenceError:
        return False


def agree(here: bool, there: bool, reason: str) -> None:
    assert not here or there, "daypass takes what stock git refuses"
    assert here or not there or reason, "daypass refuses what stock git takes, for no reason"


@pytest.mark.parametrize("case", COMMITS)
def test_no_commit_counts_that_stock_git_refuses(bot: Bot, case: str) -> None:
    build, reason = COMMITS[case]
    tree = bot.git("rev-parse", "HEAD^{tree}").encode()
    raw = build(tree, bot.head.encode())
    signers = SIGNER.allowed().to_line()
    agree(ours(raw, signers), stock(bot, "verify-commit", raw, signers), reason)


@pytest.mark.parametrize("case", LISTS)
def test_no_signer_counts_that_stock_git_refuses(bot: Bot, case: str) -> None:
    signers, reason = LISTS[case]
    tree = bot.git("rev-parse", "HEAD^{tree}").encode()
    raw = lines()(tree, bot.head.encode())
    agree(ours(raw, signers), stock(bot, "verify-commit", raw, signers), reason)


@pytest.mark.parametrize("case", TAGS)
def test_no_anchor_counts_that_stock_git_refuses(bot: Bot, case: str) -> None:
    build, reason = TAGS[case]
    raw = build(re.sub(b"%s", bot.head.encode(), ANCHOR))
    line = SIGNER.allowed().to_line()
    here = counting_anchor(tag_name(7), raw, Signers.parse(line.encode())) is not None
    agree(here, stock(bot, "verify-tag", raw, line), reason)
