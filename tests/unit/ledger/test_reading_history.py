"""Commits of anybody are read; events are the signed ones; a walk goes no further than needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daypass.errors import EvidenceError
from daypass.ledger import sshsig
from daypass.ledger.allowed_signers import Signers
from daypass.ledger.commitobject import CommitDraft, parse_commit, with_signature
from daypass.ledger.compose import compose
from daypass.ledger.history import find_events, is_signed, read_event, read_tip
from daypass.lifecycle.ports import CommitObject
from daypass.model.event import Event, EventKind
from support.local_signer import LocalSigner

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNER = LocalSigner()
SIGNERS = Signers([SIGNER.allowed()])
TREE, PARENT = "a" * 40, "b" * 40


def commit(message: str, sha: str = "c" * 40, signer: LocalSigner | None = SIGNER) -> CommitObject:
    payload = CommitDraft(TREE, PARENT, "daypass", "bot@example.com", 100, message).payload()
    if signer is None:
        return CommitObject(sha, payload)
    signature = signer.sign(sshsig.bytes_to_sign(payload))
    armoured = sshsig.armoured_signature(signer.public_key(), signature)
    return CommitObject(sha, with_signature(payload, armoured))


def event(kind: EventKind, grant: str, number: int, reason: str = "policy") -> CommitObject:
    recorded = Event(kind, grant, (("Daypass-Reason", reason),))
    return commit(compose("t", "", recorded, number, PARENT), sha=f"{number:040x}")


@given(st.binary(max_size=300))
def test_no_commit_stops_a_walk(raw: bytes) -> None:
    for content in (raw, b"tree " + raw, b"gpgsig " + raw + b"\n\nDaypass-Event: x"):
        parsed = parse_commit(content)
        assert parsed.committed_at is None or parsed.committed_at >= 0
        assert (parsed.tree, parsed.parents, parsed.title) is not None
        assert not is_signed(parsed, SIGNERS, "c" * 40)
        assert read_event(CommitObject("c" * 40, content), SIGNERS) is None


def test_what_was_signed_is_what_is_verified() -> None:
    made = commit("message\n")
    parsed = parse_commit(made.raw)
    assert parsed.signed_payload == commit("message\n", signer=None).raw
    assert is_signed(parsed, SIGNERS, "c" * 40)
    assert (parsed.tree, parsed.parents, parsed.committed_at) == (TREE, (PARENT,), 100)


@pytest.mark.parametrize("extra", [b"gpgsig x\n y\n", b"gpgsig-sha256 x\n", b"gpgsigx y\n"])
def test_a_second_signature_header_makes_it_unsigned(extra: bytes) -> None:
    raw = commit("message\n").raw
    assert not is_signed(
        parse_commit(raw.replace(b"\n\n", b"\n" + extra + b"\n", 1)), SIGNERS, "c" * 40
    )


def test_a_name_that_breaks_the_header_is_refused() -> None:
    for name, email in (("a\nparent x", "a@b"), ("a", "a@b>"), ("", "a@b")):
        with pytest.raises(ValueError, match="cannot be written"):
            CommitDraft(TREE, PARENT, name, email, 1, "m").payload()
    with pytest.raises(ValueError, match="NUL"):
        CommitDraft(TREE, PARENT, "a", "a@b", 1, "m\0").payload()


def test_only_an_allowed_signer_makes_an_event() -> None:
    message = compose("t", "", Event(EventKind.DENIED, "one", ()), 1, None)
    assert read_event(commit(message), SIGNERS) is not None
    assert read_event(commit(message, signer=None), SIGNERS) is None
    assert read_event(commit(message, signer=LocalSigner(2)), SIGNERS) is None
    too_late = Signers([SIGNER.allowed(valid_before=99)])
    assert read_event(commit(message), too_late) is None


def test_a_signed_and_unreadable_event_is_no_silence() -> None:
    made = commit("t\n\nDaypass-Event: issued\nDaypass-Sequence: 1\nSigned-off-by: x\n")
    with pytest.raises(EvidenceError, match="cannot be read"):
        read_event(made, SIGNERS)


def test_the_tip_is_the_newest_event() -> None:
    walk = [commit("not one\n"), event(EventKind.DENIED, "two", 2), event(EventKind.DENIED, "x", 1)]
    tip = read_tip(iter(walk), SIGNERS)
    assert tip is not None
    assert (tip.sequence, tip.recorded_at, tip.previous) == (2, 100, PARENT)
    assert read_tip(iter([]), SIGNERS) is None


def test_a_search_reads_no_further_than_the_oldest_beginning() -> None:
    history = [
        event(EventKind.DENIED, "two", 5, "id-reused"),
        event(EventKind.SESSION, "one", 4),
        event(EventKind.ISSUED, "two", 3),
        event(EventKind.ISSUED, "one", 2),
        event(EventKind.ISSUED, "old", 1),
    ]
    read = 0

    def walk() -> Iterator[CommitObject]:
        nonlocal read
        for item in history:
            read += 1
            yield item

    found = find_events(walk(), SIGNERS, ["one", "two"])
    assert {name: [item.sequence for item in events] for name, events in found.items()} == {
        "one": [4, 2],
        "two": [5, 3],
    }
    assert read == 4
    assert find_events(walk(), SIGNERS, []) == {}
    assert find_events(walk(), SIGNERS, ["none"]) == {"none": []}
