"""Anchoring: once a day the newest evidence gets a signed tag on the remote.

A tag that others have fetched holds main to what it was. It comes last in a run; one that cannot
be made or pushed fails the run, which shows red, and the next run tries again. Anybody who may push
tags can take the name beforehand: then the anchor gets another one, and a person must look. The
same people can delete an anchor: the next day's run misses it, and says so.
"""

from __future__ import annotations

import hashlib
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from daypass.errors import DaypassError, GitError
from daypass.ledger import sshsig
from daypass.ledger.anchor import counting_anchor, number_of, tag_name, tag_payload
from daypass.ledger.history import read_tip
from daypass.lifecycle.key_handover import SignerInForce
from daypass.lifecycle.notes import NoteKind, text_in
from daypass.model.epoch import Epoch
from daypass.model.instant import Instant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from daypass.ledger.allowed_signers import Signers
    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.outcome import Outcome
    from daypass.lifecycle.ports import Repository, Signer
    from daypass.model.settings import EvidenceSettings

ANCHOR_NOTE: Final = "anchor"
_EVERY_SECONDS: Final = 24 * 3600
_SUFFIX_BYTES: Final = 4


def _whole(note: Mapping[str, Any]) -> Mapping[str, Any]:
    """The note itself, if all of it can be read."""
    Instant.parse(note["at"])
    name = text_in(note, "tag")
    if name:
        number_of(name)
    text_in(note, "digest", "")
    return note


ANCHOR: Final = NoteKind(
    ANCHOR_NOTE,
    _whole,
    "Main is anchored a day from now, and whether the last anchor is still on the remote is not "
    "looked at: see `git ls-remote origin 'refs/tags/daypass-evidence-*'`",
)


def anchor_daily(ports: Ports, evidence: EvidenceSettings, outcome: Outcome, head: str) -> None:
    """Tag main's head when the last tag is a day old and events came since; failures are noted."""
    try:
        now = ports.issuer.now()
        note = ANCHOR.recall(ports.registry)
        if note is None:  # the first day begins
            ports.registry.write_note(ANCHOR_NOTE, {"at": str(now), "tag": ""})
            return
        if now.since(Instant.parse(note["at"])) < _EVERY_SECONDS:
            return
        repository, signers = ports.repository, ports.signers
        tip = read_tip(repository.walk(head), signers)
        signer = SignerInForce(repository, ports.signer, signers, tip)
        make = partial(make_anchor, repository, signer, signers, evidence, head=head, when=now)
        made = make()
        name, digest = _last_anchor(ports, note, outcome)
        if made is None:
            name = digest = ""
        elif number_of(made[0]) != number_of(name):
            name, content = _publish(ports, made, make, head, outcome)
            digest = _digest(content)
            outcome.add("anchored", "", name, head)
        ports.registry.write_note(ANCHOR_NOTE, {"at": str(now), "tag": name, "digest": digest})
    except DaypassError as error:
        outcome.fail("anchor", error)


def _last_anchor(ports: Ports, note: Mapping[str, Any], outcome: Outcome) -> tuple[str, str]:
    """Name and digest of the last anchor; empty, with an alarm, when the remote has it no more.

    It is compared by its digest; notes of older releases have none: then by its name.
    """
    name, digest = note["tag"], note.get("digest", "")
    if not name:
        return "", ""
    content = _on_the_remote(ports, name)
    if content and digest in ("", _digest(content)):
        return name, digest
    text = (
        f"the remote lacks the anchor {name}, which an earlier run pushed there: the tag was "
        "deleted, or replaced by another. Main is anchored anew. Push the tag from a clone that "
        f"has it, `git push origin {name}`, hold main to it with `daypass audit verify`, find out "
        "who deleted it, and let only the App push and delete `daypass-evidence-*`, by a ruleset"
    )
    outcome.alarm(f"anchor-missing.{name}", text, standing=False)
    return "", ""


def _publish(
    ports: Ports,
    made: tuple[str, bytes],
    make: Callable[..., tuple[str, bytes] | None],
    head: str,
    outcome: Outcome,
) -> tuple[str, bytes]:
    """Publish an anchor, beside its name if another tag has that; its name and content.

    Args:
        ports: the world.
        made: the anchor with its plain name, and its content.
        make: makes it with a `suffix` in its name.
        head: what it anchors.
        outcome: takes the alarm.

    Raises what the ports raise, and GitError if both names are taken.
    """
    name, _content = made
    if ports.repository.push_tag(*made):
        return made
    there = _on_the_remote(ports, name)
    if _is_anchor_of(ports, name, there, head):
        return name, there  # an earlier run died after its push
    other = make(suffix=secrets.token_hex(_SUFFIX_BYTES))
    return _publish_beside(ports.repository, name, other, outcome)


def _is_anchor_of(ports: Ports, name: str, content: bytes, head: str) -> bool:
    """Whether that content is an anchor of that name, and of this main."""
    tag = counting_anchor(name, content, ports.signers)
    return tag is not None and ports.repository.is_ancestor(tag.commit, head)


def _on_the_remote(ports: Ports, name: str) -> bytes:
    """The content of the remote's tag of that name as it is now; empty when it is none."""
    ports.repository.fetch()
    return dict(ports.repository.anchors(number_of(name) - 1)).get(name, b"")


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _publish_beside(
    repository: Repository, taken: str, other: tuple[str, bytes] | None, outcome: Outcome
) -> tuple[str, bytes]:
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
    return other


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
