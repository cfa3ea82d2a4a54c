"""KV slots and transit keys, with the bot's own rights."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from github import Auth

from daypass.adapters.clock import machine_now
from daypass.adapters.vault.registry import VaultRegistry
from daypass.adapters.vault.transit import TransitSigner, app_jwt_signer
from daypass.errors import ConflictError, VaultRefusedError
from daypass.ledger.sshsig import fingerprint
from daypass.lifecycle.ports import SlotState
from daypass.model.intent import Intent, IntentKind

if TYPE_CHECKING:
    from vault_house import House

    from daypass.adapters.vault.session import Session

pytestmark = pytest.mark.integration


@pytest.fixture
def registry(bot: Session) -> VaultRegistry:
    return VaultRegistry(bot, "vt-kv")


def test_a_slot_is_written_once_per_version(registry: VaultRegistry) -> None:
    assert registry.read("slot-a") is None
    slot = registry.write("slot-a", SlotState.RESERVED, {"n": 1}, 0)
    assert registry.read("slot-a") == slot
    with pytest.raises(ConflictError):
        registry.write("slot-a", SlotState.RESERVED, {"n": 2}, 0)
    newer = registry.write("slot-a", SlotState.CLOSED, {"n": 3}, slot.version)
    with pytest.raises(ConflictError):
        registry.write("slot-a", SlotState.CLOSED, {}, slot.version)
    assert registry.read("slot-a") == newer


def test_a_slot_holds_what_openbao_would_refuse_as_too_complex(registry: VaultRegistry) -> None:
    held = [{"id": f"grant-{number}", "live": True} for number in range(2000)]
    slot = registry.write("complex", SlotState.RESERVED, {"held": held}, 0)
    assert registry.read("complex") == slot
    assert slot.data["held"] == held


def test_of_many_runs_at_once_one_reserves(registry: VaultRegistry) -> None:
    def reserve(number: int) -> bool:
        try:
            registry.write("contested", SlotState.RESERVED, {"run": number}, 0)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(reserve, range(16))) == 1


def test_a_slot_that_somebody_deleted_is_not_an_unused_id(
    registry: VaultRegistry, house: House
) -> None:
    registry.write("deleted", SlotState.DELIVERED, {}, 0)
    house.root.call("DELETE", "vt-kv/data/daypass/grants/deleted")
    with pytest.raises(VaultRefusedError, match="deleted"):
        registry.read("deleted")
    with pytest.raises(ConflictError):
        registry.write("deleted", SlotState.RESERVED, {}, 0)


def test_what_a_slot_no_longer_holds_lives_on_in_no_older_version(
    registry: VaultRegistry, house: House
) -> None:
    first = registry.write("dropped", SlotState.MINTED, {"ciphertext": "age"}, 0)
    registry.write("dropped", SlotState.DELIVERED, {}, first.version)
    path = "vt-kv/data/daypass/grants/dropped?version=1"
    assert house.root.call("GET", path, accept={404}).status == 404


def test_the_pending_list_stays_short(registry: VaultRegistry, house: House) -> None:
    for name in ("p-2", "p-1", "p-1"):
        registry.add_pending(name)
    assert registry.pending() == ("p-1", "p-2")
    for name in ("p-1", "p-2", "p-2"):
        registry.remove_pending(name)
    assert registry.pending() == ()
    assert house.root.call("LIST", "vt-kv/metadata/daypass/pending", accept={404}).keys == ()


def test_a_batch_is_put_on_the_pending_list_in_few_writes(
    registry: VaultRegistry, house: House
) -> None:
    ids = tuple(f"batch-{number:02d}" for number in range(40))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(registry.add_pending, ids))
    entries = house.root.call("LIST", "vt-kv/metadata/daypass/pending").keys
    assert len(entries) < len(ids)
    assert registry.pending() == ids
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(registry.remove_pending, ids[1:]))
    left = registry.pending()
    assert ids[0] in left  # whoever is killed here leaves what was not done …
    assert set(left) <= set(ids)
    registry.remove_pending(ids[0])
    for name in left:  # … and the next run takes the rest off
        registry.remove_pending(name)
    assert registry.pending() == ()


def test_what_was_announced_is_written_with_the_first_that_is_added(
    bot: Session, registry: VaultRegistry, house: House
) -> None:
    ids = tuple(f"said-{number:02d}" for number in range(40))
    for name in (*ids, "said-in-vain"):
        registry.expect_pending(name)
    assert registry.pending() == ()  # what is only announced is not yet under way
    registry.remove_pending("said-in-vain")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(registry.add_pending, ids))
    assert len(house.root.call("LIST", "vt-kv/metadata/daypass/pending").keys) == 1
    assert VaultRegistry(bot, "vt-kv").pending() == ids
    for name in ids:
        registry.remove_pending(name)
    assert registry.pending() == ()


def test_a_run_never_takes_what_another_one_has_yet_to_do_off_the_list(
    bot: Session, registry: VaultRegistry
) -> None:
    other = VaultRegistry(bot, "vt-kv")
    registry.add_pending("p-shared")
    assert registry.pending() == ("p-shared",)
    other.add_pending("p-shared")  # after the first one looked: a second delivery, for example
    registry.remove_pending("p-shared")
    assert other.pending() == ("p-shared",)
    other.remove_pending("p-shared")
    assert registry.pending() == ()


def test_many_intents_are_one_entry_that_goes_with_the_last_of_them(
    bot: Session, registry: VaultRegistry, house: House
) -> None:
    folder, when = "vt-kv/metadata/daypass/intents", machine_now()
    ids = tuple(f"halted-{number:04d}" for number in range(1500))
    before = len(house.root.call("LIST", folder, accept={404}).keys)
    registry.write_intents([Intent(name, IntentKind.HALT, 7, when) for name in ids])
    assert len(house.root.call("LIST", folder).keys) == before + 2
    registry.write_intent(Intent(ids[0], IntentKind.REDELIVER, 8, when))  # an end outranks it
    found = {intent.grant_id: intent for intent in registry.intents()}
    assert {found[name].kind for name in ids} == {IntentKind.HALT}
    for name in ids[1:]:
        registry.remove_intent(name)
    other = VaultRegistry(bot, "vt-kv")  # a run that was killed before the last: the next goes on
    assert ids[0] in {intent.grant_id for intent in other.intents()}
    for name in ids:
        other.remove_intent(name)
    assert not set(ids) & {intent.grant_id for intent in registry.intents()}
    assert len(house.root.call("LIST", folder, accept={404}).keys) == before


def test_an_intent_that_came_since_a_run_looked_is_left_to_the_next_one(
    bot: Session, registry: VaultRegistry
) -> None:
    assert "i-late" not in {intent.grant_id for intent in registry.intents()}
    other = VaultRegistry(bot, "vt-kv")
    other.write_intent(Intent("i-late", IntentKind.DONE, 7, machine_now()))
    registry.remove_intent("i-late")
    assert "i-late" in {intent.grant_id for intent in other.intents()}
    other.remove_intent("i-late")


def test_notes_are_replaced(registry: VaultRegistry) -> None:
    assert registry.read_note("heartbeat") is None
    registry.write_note("heartbeat", {"at": "1"})
    registry.write_note("heartbeat", {"at": "2"})
    assert registry.read_note("heartbeat") == {"at": "2"}


def test_a_note_is_changed_by_one_run_after_the_other(registry: VaultRegistry) -> None:
    def count(_number: int) -> None:
        registry.update_note("counted", lambda note: {"n": int((note or {"n": 0})["n"]) + 1})

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(count, range(12)))
    assert registry.read_note("counted") == {"n": 12}
    assert registry.update_note("counted", lambda note: note or {}) == {"n": 12}


@pytest.mark.parametrize("name", ["../config", "a/b", "", "UPPER", "a?version=1", "a%2Fb"])
def test_a_name_cannot_lead_elsewhere(name: str, registry: VaultRegistry) -> None:
    with pytest.raises(VaultRefusedError, match="can be no name"):
        registry.read(name)


def test_a_signature_is_the_keys(bot: Session) -> None:
    signer = TransitSigner(bot, "vt-transit", "evidence")
    Ed25519PublicKey.from_public_bytes(signer.public_key()).verify(signer.sign(b"x\0y"), b"x\0y")


def test_the_settings_fingerprint_chooses_the_version(house: House) -> None:
    root = house.root
    root.call("POST", "vt-transit/keys/rotating", {"type": "ed25519"})
    first = TransitSigner(root, "vt-transit", "rotating").public_key()
    root.call("POST", "vt-transit/keys/rotating/rotate")
    assert TransitSigner(root, "vt-transit", "rotating").public_key() != first
    pinned = TransitSigner(root, "vt-transit", "rotating", fingerprint(first))
    Ed25519PublicKey.from_public_bytes(first).verify(pinned.sign(b"m"), b"m")
    other = TransitSigner(root, "vt-transit", "rotating", "SHA256:" + "A" * 43)
    with pytest.raises(VaultRefusedError, match="fingerprint"):
        other.sign(b"m")


def test_an_rsa_key_is_no_evidence_key(house: House) -> None:
    with pytest.raises(VaultRefusedError, match="ed25519"):
        TransitSigner(house.root, "vt-transit", "github-app").public_key()


def test_pygithub_gets_a_jwt_by_the_imported_key_and_vaults_clock(
    bot: Session, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("github.Auth.time.time", lambda: 1_000_000)  # a clock that is years off
    auth = Auth.AppAuth(7, sign_func=app_jwt_signer(bot, "vt-transit", "github-app"))
    header, payload, signature = auth.token.split(".")
    key = serialization.load_pem_private_key(house.app_pem.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    key.public_key().verify(
        base64.urlsafe_b64decode(signature + "=="),
        f"{header}.{payload}".encode(),
        padding.PKCS1v15(),
        hashes.SHA256(),
    )
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    now = bot.now().seconds
    assert claims["iss"] == "7"
    assert now - 70 <= claims["iat"] <= now - 50
    assert now < claims["exp"] <= now + 600
