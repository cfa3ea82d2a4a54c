"""Which delivery is the one that the evidence names: threats 10, 11, 15, 33, 35 and 36."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest
from claim_world import APP, ARMORED, World, a_grant
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from daypass.errors import ClaimError, EvidenceError, UnknownGrantError, UsageError
from daypass.ledger.compose import compose
from daypass.ledger.record import grant_trailers
from daypass.lifecycle.claim import (
    Claimable,
    find_ciphertext,
    look_up,
    record_as_issued,
    record_on_main,
)
from daypass.lifecycle.messages import delivery, delivery_marker
from daypass.model.event import Event, EventKind
from daypass.model.instant import Instant
from daypass.model.names import ALLOWED_SIGNERS_PATH, SETTINGS_PATH, grant_path, request_path
from daypass.model.pullrequest import Comment

if TYPE_CHECKING:
    from daypass.lifecycle.ports import Repository

GRANT = a_grant()


@pytest.fixture
def world() -> World:
    made = World()
    made.commit("Begin")
    return made


def claim(world: World, *fingerprints: str, grant_id: str = GRANT.id) -> Claimable:
    return look_up(grant_id, cast("Repository", world), fingerprints)


def test_a_live_grant_is_found_with_where_to_go(world: World) -> None:
    world.issue(GRANT)
    world.commit("Unrelated")
    found = claim(world, world.fingerprint)
    assert found.grant == GRANT
    assert found.resource.connection["host"] == "orders-db.example.com"
    assert found.settings.vault.address == "https://vault.example.com:8200"
    assert world.complete_asked


def test_an_id_that_is_none_is_a_matter_of_usage(world: World) -> None:
    with pytest.raises(UsageError):
        claim(world, grant_id="../../etc/passwd")


def test_an_unknown_an_unissued_and_an_ended_one_are_told_apart(world: World) -> None:
    with pytest.raises(ClaimError, match="knows no grant and no request"):
        claim(world)
    world.files[request_path(GRANT.id)] = b"asked"
    world.commit("Ask")
    with pytest.raises(ClaimError, match="merged, and not yet issued"):
        claim(world)
    world.issue(GRANT)
    world.end(GRANT)
    with pytest.raises(ClaimError, match="has ended: expired"):
        claim(world)


def test_a_slip_of_the_keyboard_is_told_with_what_is_nearest(world: World) -> None:
    world.issue(GRANT)
    with pytest.raises(UnknownGrantError, match=f"did you mean `{GRANT.id}`"):
        claim(world, grant_id=GRANT.id[:-1])


def test_a_review_after_the_end_is_not_the_end(world: World) -> None:
    world.issue(GRANT)
    world.end(GRANT)
    world.record(EventKind.REVIEWED, GRANT)
    with pytest.raises(ClaimError, match="has ended: expired"):
        claim(world)


def test_a_pull_request_that_was_closed_is_not_the_one_that_was_merged(world: World) -> None:
    world.record(EventKind.REJECTED, GRANT)
    with pytest.raises(ClaimError, match="has ended: rejected"):
        claim(world)
    world.files[request_path(GRANT.id)] = b"asked"
    world.commit("Ask")
    with pytest.raises(ClaimError, match="merged, and not yet issued"):
        claim(world)


def test_a_record_that_is_gone_is_no_end(world: World) -> None:
    """It is found where the bot put it, so that its end can be asked for."""
    world.issue(GRANT)
    del world.files[grant_path(GRANT.id)]
    world.commit("Innocent change")
    with pytest.raises(EvidenceError, match="no event says that the grant has ended"):
        claim(world)
    repository = cast("Repository", world)
    assert record_on_main(GRANT.id, repository) is None
    assert record_as_issued(GRANT.id, repository) == GRANT
    assert record_as_issued("another", repository) is None


def test_a_grant_that_is_being_ended_is_not_handed_out(world: World) -> None:
    world.issue(GRANT)
    failed = GRANT.failed("unconfirmed", Instant.parse("2026-11-22T10:30:00Z"))
    world.files[grant_path(GRANT.id)] = failed.to_bytes()
    world.record(EventKind.REVOKE_FAILED, GRANT)
    with pytest.raises(ClaimError, match="being ended"):
        claim(world)


def test_a_record_that_somebody_pushed_is_refused(world: World) -> None:
    world.files[grant_path(GRANT.id)] = GRANT.to_bytes()
    message = compose("x", "", Event(EventKind.ISSUED, GRANT.id, grant_trailers(GRANT)), 1, None)
    world.commit(message)  # trailers in a squash message: nobody signed them
    with pytest.raises(EvidenceError, match="no event that the evidence key signed"):
        claim(world)
    world.commit(message, Ed25519PrivateKey.generate())  # somebody signed them
    with pytest.raises(EvidenceError, match="no event that the evidence key signed"):
        claim(world)


def test_a_record_changed_after_it_was_issued_is_refused(world: World) -> None:
    world.issue(GRANT)
    world.tamper(GRANT, wrapping=replace(GRANT.wrapping, ciphertext="sha256:" + "f" * 64))
    with pytest.raises(EvidenceError, match="somebody else has changed it"):
        claim(world)


def test_a_record_that_differs_from_its_trailers_is_refused(world: World) -> None:
    world.files[grant_path(GRANT.id)] = replace(GRANT, pull_request=4).to_bytes()
    world.record(EventKind.ISSUED, GRANT)
    with pytest.raises(EvidenceError, match="Daypass-Pull-Request is 3, and the record says 4"):
        claim(world)


def test_a_delivery_that_was_made_anew_is_the_one_that_counts(world: World) -> None:
    world.issue(GRANT)
    anew = replace(GRANT, wrapping=replace(GRANT.wrapping, time="2026-11-22T10:20:00Z"))
    world.files[grant_path(GRANT.id)] = anew.to_bytes()
    world.record(EventKind.DELIVERED_AGAIN, anew)
    assert claim(world).grant == anew


def test_a_delivery_of_which_the_evidence_tells_nothing_is_refused(world: World) -> None:
    world.issue(GRANT)
    world.events += 1
    message = compose("x", "", Event(EventKind.DELIVERED_AGAIN, GRANT.id, ()), world.events, None)
    world.commit(message, world.key)
    with pytest.raises(EvidenceError, match="it has no Daypass-Wrapping"):
        claim(world)


def test_an_unreadable_record_is_refused(world: World) -> None:
    world.files[grant_path(GRANT.id)] = b"{}"
    world.record(EventKind.ISSUED, GRANT)
    with pytest.raises(EvidenceError, match="is no record"):
        claim(world)


def test_settings_and_resources_pushed_later_send_nobody_elsewhere(world: World) -> None:
    world.issue(GRANT)
    for path in (SETTINGS_PATH, "access/resources/orders-db.yaml"):
        world.files[path] = world.files[path].replace(b"example.com", b"evil.example")
    world.commit("Innocent change")
    found = claim(world)
    assert found.settings.vault.address == "https://vault.example.com:8200"
    assert found.resource.connection["host"] == "orders-db.example.com"


def test_a_rewriter_with_a_key_of_his_own_is_caught_by_the_fingerprint(world: World) -> None:
    true = world.fingerprint
    world.key = Ed25519PrivateKey.generate()
    world.files[ALLOWED_SIGNERS_PATH] = world.signer_line(world.key).encode()
    world.commit("Innocent change")
    world.issue(GRANT)
    assert claim(world).grant == GRANT  # believing the repository itself: self-attested
    with pytest.raises(EvidenceError, match="no event that the evidence key signed"):
        claim(world, true)
    with pytest.raises(EvidenceError, match="has no key"):
        claim(world, "SHA256:" + "A" * 43)


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("", b"x y z\n"),
        ("", b""),
        ("", None),
        ("/a", b"x y z\n"),
        ("", b"{line}x y z\n"),
        ("", b"!{line}"),
        ("", b"{other}"),
    ],
    ids=["broken", "emptied", "removed", "a folder", "one bad line", "excluded", "exchanged"],
)
@pytest.mark.parametrize("named", [True, False])
def test_a_pushed_list_takes_no_key_away(
    world: World, path: str, data: bytes | None, *, named: bool
) -> None:
    world.issue(GRANT)
    line = world.files.pop(ALLOWED_SIGNERS_PATH)
    other = world.signer_line(Ed25519PrivateKey.generate()).encode()
    if data is not None:
        pushed = data.replace(b"{line}", line).replace(b"{other}", other)
        world.files[ALLOWED_SIGNERS_PATH + path] = pushed
    world.commit("Innocent change")
    assert claim(world, *([world.fingerprint] if named else [])).grant == GRANT


def test_a_change_that_the_key_signed_ends_a_key(world: World) -> None:
    world.issue(GRANT)
    other = Ed25519PrivateKey.generate()
    world.files[ALLOWED_SIGNERS_PATH] = world.signer_line(other).encode()
    world.commit("Exchange the key", world.key)
    world.files[ALLOWED_SIGNERS_PATH] += world.signer_line(world.key).encode()
    world.commit("And back")
    with pytest.raises(EvidenceError, match="no event that the evidence key signed"):
        claim(world)


def test_a_first_list_that_cannot_be_read_is_named(world: World) -> None:
    world.commits.clear()
    world.files[ALLOWED_SIGNERS_PATH] = b"x y z\n"
    world.issue(GRANT)
    with pytest.raises(EvidenceError, match=f"{ALLOWED_SIGNERS_PATH}:1: "):
        claim(world)


def test_the_record_alone_is_enough_to_ask_for_an_end(world: World) -> None:
    world.issue(GRANT)
    repository = cast("Repository", world)
    assert record_on_main(GRANT.id, repository) == GRANT
    assert record_on_main("other", repository) is None
    world.files[grant_path("other")] = GRANT.to_bytes()
    world.files[grant_path("broken")] = b"{}"
    world.commit("Innocent change")
    assert record_on_main("other", repository) is None
    assert record_on_main("broken", repository) is None


def test_without_signers_nothing_is_believed(world: World) -> None:
    world.files[ALLOWED_SIGNERS_PATH] = b"# nobody\n"
    world.issue(GRANT)
    with pytest.raises(EvidenceError, match="no key at all"):
        claim(world)
    del world.files[ALLOWED_SIGNERS_PATH]
    world.commit("Remove")
    with pytest.raises(EvidenceError, match=f"no {ALLOWED_SIGNERS_PATH}"):
        claim(world)


def comment(body: str, author: int | None = APP) -> Comment:
    at = Instant.parse("2026-11-22T10:00:00Z")
    return Comment(5, "https://github.test/c/5", author, body, at, edited=False)


def posted(ciphertext: str = ARMORED) -> str:
    return f"{delivery_marker(GRANT.id)}\n{delivery(GRANT, ciphertext)}"


def test_the_delivery_is_found_among_others() -> None:
    others = [comment("hello"), comment(posted(ARMORED.replace("Y2Fu", "ZZZZ")), 13)]
    assert find_ciphertext(GRANT, [*others, comment(posted())], APP) == ARMORED


def test_line_ends_that_a_browser_changed_do_not_matter() -> None:
    assert find_ciphertext(GRANT, [comment(posted().replace("\n", "\r\n"))], APP) == ARMORED


@pytest.mark.parametrize(
    ("comments", "why"),
    [
        ([], "is not on pull request #3"),
        ([comment("no marker\n" + ARMORED)], "is not on pull request"),
        ([comment(posted(), 13)], "is not the App's"),
        ([comment(posted(), None)], "is not the App's"),
        ([comment(posted(ARMORED.replace("Y2Fu", "ZZZZ")))], "was changed after it was posted"),
        ([comment(delivery_marker(GRANT.id))], "was changed after it was posted"),
    ],
)
def test_what_is_not_the_delivery_is_refused(comments: list[Comment], why: str) -> None:
    with pytest.raises(ClaimError, match=why):
        find_ciphertext(GRANT, comments, APP)
