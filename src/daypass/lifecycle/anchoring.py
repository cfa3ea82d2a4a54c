"""Anchoring: once a day the newest evidence gets a signed tag on the remote.

A tag that others have fetched holds main to what it was. It comes last in a run; one that cannot
be made or pushed fails the run, which shows red, and the next run tries again. Anybody who may push
tags can take the name beforehand: then the anchor gets another one, and a person must look.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError, GitError
from daypass.ledger import sshsig
from daypass.ledger.anchor import counting_anchor, number_of, tag_name, tag_payload
from daypass.ledger.history import read_tip
from daypass.lifecycle.key_handover import SignerInForce
from daypass.model.epoch import Epoch
from daypass.model.instant import Instant

if TYPE_CHECKING:
    from daypass.ledger.allowed_signers import Signers
    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.outcome import Outcome
    from daypass.lifecycle.ports import Repository, Signer
    from daypass.model.settings import EvidenceSettings

ANCHOR_NOTE: Final = "anchor"
_EVERY_SECONDS: Final = 24 * 3600
_SUFFIX_BYTES: Final = 4


def anchor_daily(ports: Ports, evidence: EvidenceSettings, outcome: Outcome, head: str) -> None:
    """Tag main's head when the last tag is a day old and events came since; failures are noted."""
    try:
        now = ports.issuer.now()
        note = ports.registry.read_note(ANCHOR_NOTE)
        if note is None:  # the first day begins
            ports.registry.write_note(ANCHOR_NOTE, {"at": str(now), "tag": ""})
            return
        if now.since(Instant.parse(note["at"])) < _EVERY_SECONDS:
            return
        repository, signers = ports.repository, ports.signers
        tip = read_tip(repository.walk(head), signers)
        signer = SignerInForce(repository, ports.signer, signers, tip)
        made = make_anchor(repository, signer, signers, evidence, head=head, when=now)
        name = note["tag"]
        if made is None:
            name = ""
        elif number_of(made[0]) != number_of(name):
            name = made[0]
            if not repository.push_tag(*made) and not _is_anchored(ports, name, head):
                suffix = secrets.token_hex(_SUFFIX_BYTES)
                other = make_anchor(
                    repository, signer, signers, evidence, head=head, when=now, suffix=suffix
                )
                name = _publish_beside(repository, name, other, outcome)
            outcome.add("anchored", "", name, head)
        ports.registry.write_note(ANCHOR_NOTE, {"at": str(now), "tag": name})
    except DaypassError as error:
        outcome.fail("anchor", error)


def _is_anchored(ports: Ports, name: str, head: str) -> bool:
    """Whether the remote's tag of that name is an anchor of this main: a run died in between."""
    ports.repository.fetch()
    found = dict(ports.repository.anchors(number_of(name) - 1))
    tag = counting_anchor(name, found.get(name, b""), ports.signers)
    return tag is not None and ports.repository.is_ancestor(tag.commit, head)


def _publish_beside(
    repository: Repository, taken: str, other: tuple[str, bytes] | None, outcome: Outcome
) -> str:
    """Publish the anchor under its other name, and alarm. Raises GitError if that is taken, too."""
    if other is None or not repository.push_tag(*other):
        raise GitError(
            f"the names of the day's anchor, {taken} and one beside it, are taken on the remote",
            remedy="Delete the tags of that name, and let only the App push `daypass-evidence-*`, "
            "by a ruleset; the next run anchors main.",
        )
    text = (
        f"the remote's tag {taken} is not of daypass: somebody took the name of the day's anchor. "
        f"Main is anchored by {other[0]} instead. Find out who pushed it, delete it by `git push "
        f"origin :refs/tags/{taken}`, and let only the App push `daypass-evidence-*`, by a ruleset"
    )
    outcome.alarm(f"anchor-taken.{taken}", text, standing=False)
    return other[0]


def make_anchor(
    repository: Repository,
    signer: Signer,
    signers: Signers,
    evidence: EvidenceSettings,
    *,
    head: str,
    when: Instant,
    suffix: str = "",
) -> tuple[str, bytes] | None:
    """A signed tag of `head`: its name (with that suffix) and content; None before any event.

    Raises what the ports raise.
    """
    tip = read_tip(repository.walk(head), signers)
    if tip is None:
        return None
    epoch = Epoch.parse(tip.event.first("Daypass-Epoch"))
    tagger = (evidence.name, evidence.email)
    payload = tag_payload(head, tip.sequence, tagger, when.seconds, epoch, suffix)
    signature = signer.sign(sshsig.bytes_to_sign(payload))
    return tag_name(tip.sequence, suffix), payload + sshsig.armoured_signature(
        signer.public_key(), signature
    )
