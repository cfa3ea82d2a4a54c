"""Anchoring: once a day the newest evidence gets a signed tag on the remote.

A tag that others have fetched holds main to what it was. It comes last in a run; one that cannot
be made or pushed fails the run, which shows red, and the next run tries again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError
from daypass.ledger import sshsig
from daypass.ledger.anchor import tag_name, tag_payload
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
        name = made[0] if made is not None else ""
        if made is not None and name != note["tag"]:
            ports.repository.push_tag(name, made[1])
            outcome.add("anchored", "", name, head)
        ports.registry.write_note(ANCHOR_NOTE, {"at": str(now), "tag": name})
    except DaypassError as error:
        outcome.fail("anchor", error)


def make_anchor(
    repository: Repository,
    signer: Signer,
    signers: Signers,
    evidence: EvidenceSettings,
    *,
    head: str,
    when: Instant,
) -> tuple[str, bytes] | None:
    """A signed tag of `head`: its name and its content; None before the first event.

    Raises what the ports raise.
    """
    tip = read_tip(repository.walk(head), signers)
    if tip is None:
        return None
    epoch = Epoch.parse(tip.event.first("Daypass-Epoch"))
    tagger = (evidence.name, evidence.email)
    payload = tag_payload(head, tip.sequence, tagger, when.seconds, epoch)
    signature = signer.sign(sshsig.bytes_to_sign(payload))
    return tag_name(tip.sequence), payload + sshsig.armoured_signature(
        signer.public_key(), signature
    )
