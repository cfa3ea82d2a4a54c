"""Anchors: signed tags that say where main's evidence was, so that a rewriter cannot take it back.

A tag is an annotated one of git's, signed like a commit of evidence, so `git tag -v` verifies it.
Whoever has fetched it, or keeps its content elsewhere, holds main to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.ledger import sshsig
from daypass.model.epoch import Epoch

if TYPE_CHECKING:
    from daypass.ledger.allowed_signers import Signers

PREFIX: Final = "daypass-evidence-"
_NUMBER: Final = re.compile(r"([0-9]{9,18})(?:-[0-9a-f]{8})?")
_EPOCH: Final = re.compile(rb"^Epoch ([0-9a-f]{16} [0-9]{1,18})$", re.MULTILINE)
_TAG: Final = re.compile(
    rb"object ([0-9a-f]{40})\ntype commit\ntag ([!-~]{1,200})\n"
    rb"tagger [^\n]*> ([1-9][0-9]{0,14}) [+-][0-9]{4}\n\n"
)
# What git takes for the beginning of a signature; it takes the last one in a tag.
_BEGINNING: Final = re.compile(
    rb"^-----BEGIN (?:SSH SIGNATURE|PGP SIGNATURE|PGP MESSAGE|SIGNED MESSAGE)-----", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class AnchorTag:
    """A tag object: which commit it holds, since when (seconds), and what its signature is of."""

    name: str
    commit: str
    tagged_at: int
    payload: bytes
    signature: bytes
    epoch: Epoch | None = None  # of the newest event; None: anchors of older releases name none

    @property
    def number(self) -> int:
        """The number of the newest event that it holds; 0 when its name tells none."""
        return number_of(self.name)

    @classmethod
    def parse(cls, raw: bytes) -> AnchorTag:
        """Read a tag object's content.

        Raises:
            ValueError: it is no annotated tag of a commit, or carries no signature.
        """
        head = _TAG.match(raw)
        if head is None:
            raise ValueError("it is no annotated tag of a commit")
        beginnings = [found.start() for found in _BEGINNING.finditer(raw)]
        begin = beginnings[0] if len(beginnings) == 1 else 0
        if b"\0" in raw or begin < head.end() or not raw.startswith(sshsig.BEGIN, begin):
            raise ValueError("it carries no SSH signature, or more than one")
        return cls(
            name=head[2].decode("ascii"),
            commit=head[1].decode("ascii"),
            tagged_at=int(head[3]),
            payload=raw[:begin],
            signature=raw[begin:],
            epoch=_epoch(raw[head.end() : begin]),
        )


def _epoch(message: bytes) -> Epoch | None:
    found = _EPOCH.search(message)
    return Epoch.parse(found[1].decode("ascii")) if found else None


def number_of(name: str) -> int:
    """The number of an event in the name of an anchor; 0 when it has none."""
    found = _NUMBER.fullmatch(name.removeprefix(PREFIX))
    return int(found[1]) if found else 0


def claims_key_of(signers: Signers, raw: bytes) -> bool:
    """Whether a tag's content names one of these keys as its signer: cheap, and proves nothing."""
    try:
        return signers.knows(sshsig.claimed_key(AnchorTag.parse(raw).signature))
    except ValueError:
        return False


def counting_anchor(name: str, raw: bytes, signers: Signers) -> AnchorTag | None:
    """The anchor of that name, if one of these keys signed it; else None."""
    try:
        tag = AnchorTag.parse(raw)
        key = sshsig.verified_key(tag.signature, tag.payload)
    except ValueError:
        return None
    # What a key tagged before it handed over is on main with that handover. Stolen, it tags more.
    good = tag.name == name and signers.allows(key, tag.tagged_at) and not signers.handed_over(key)
    return tag if good else None


def tag_name(sequence: int, suffix: str = "") -> str:
    """The tag that anchors main up to the event of that number.

    `suffix`: 8 hexadecimal digits, where another tag has the plain name.
    """
    return f"{PREFIX}{sequence:09d}" + (f"-{suffix}" if suffix else "")


def tag_payload(
    commit: str,
    sequence: int,
    tagger: tuple[str, str],
    seconds: int,
    epoch: Epoch | None = None,
    suffix: str = "",
) -> bytes:
    """The content of such a tag, without its signature: the bytes that are signed."""
    name, email = tagger
    counted = f"Epoch {epoch}\n" if epoch else ""
    text = (
        f"object {commit}\ntype commit\ntag {tag_name(sequence, suffix)}\n"
        f"tagger {name} <{email}> {seconds} +0000\n\n"
        f"Evidence up to event {sequence}\n\n{counted}"
        "Main, up to this commit, is what daypass has recorded. A main that does not lead here\n"
        "was rewritten.\n"
    )
    return text.encode()
