"""What is sealed names where it belongs: another main cannot send its token elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest
from claim_world import a_grant, example

from daypass.documents.document import read_document
from daypass.errors import ClaimError
from daypass.lifecycle.claim import Claimable
from daypass.lifecycle.claim_origin import token_of
from daypass.model.delivery import Binding, Delivery, Origin, connection_digest
from daypass.model.resource import Resource
from daypass.model.secret import Secret
from daypass.model.settings import Settings

TOKEN = "hvs.CAESI-wrapping"
SETTINGS = read_document("access/daypass.yaml", example("settings")).model
RESOURCE = read_document("access/resources/orders-db.yaml", example("resource")).model
assert isinstance(SETTINGS, Settings)
assert isinstance(RESOURCE, Resource)
ORIGIN = Origin.of(SETTINGS)
GRANT = a_grant()
KEY = "SHA256:" + "k" * 43
OTHER_KEY = "SHA256:" + "o" * 43
HERE = Claimable(GRANT, RESOURCE, SETTINGS, KEY)
BINDING = Binding.of(KEY, RESOURCE.connection)


def sealed(
    vault: str = ORIGIN.vault,
    namespace: str | None = ORIGIN.namespace,
    binding: Binding | None = BINDING,
) -> Secret:
    origin = Origin(vault, namespace, ORIGIN.repository_id)
    return Delivery(Secret(TOKEN), origin, GRANT.id, binding).to_text()


def no_key(_: str) -> bool:
    """The main of this clone holds the grant by no other key."""
    return False


def test_the_token_is_the_first_line_and_the_rest_says_where_it_belongs() -> None:
    origin = Origin("https://vault.example.com:8200", "team/daypass", 7)
    binding = Binding.of(KEY, {"port": "5432", "host": "db"})
    text = Delivery(Secret(TOKEN), origin, "alice-one", binding).to_text()
    assert text.reveal() == (
        f"{TOKEN}\nvault: https://vault.example.com:8200\nnamespace: team/daypass\n"
        f"repository: 7\ngrant: alice-one\nevidence-key: {KEY}\n"
        f"connection: {connection_digest({'host': 'db', 'port': '5432'})}\n"
    )
    found = Delivery.from_text(text)
    assert (found.token.reveal(), found.origin, found.grant_id) == (TOKEN, origin, "alice-one")
    assert found.binding == binding
    assert origin.place == "vault.example.com:8200, namespace team/daypass"
    assert token_of(sealed(), HERE, no_key, pinned=False).reveal() == TOKEN


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (sealed(vault="https://evil.example.com"), "Vault https://evil.example.com, not https://"),
        (sealed(namespace="other"), "namespace other, not "),
        (
            Delivery(
                Secret(TOKEN), Origin(ORIGIN.vault, ORIGIN.namespace, 9), GRANT.id, BINDING
            ).to_text(),
            "repository id 9, not ",
        ),
        (
            Delivery(Secret(TOKEN), ORIGIN, "bob-other", BINDING).to_text(),
            "grant bob-other, not alice",
        ),
        (
            sealed(binding=Binding.of(OTHER_KEY, RESOURCE.connection)),
            f"evidence key {OTHER_KEY}, not {KEY}",
        ),
    ],
)
@pytest.mark.parametrize("pinned", [False, True])
def test_what_was_sealed_for_another_place_is_refused_and_alarmed(
    text: Secret, named: str, pinned: bool
) -> None:
    with pytest.raises(ClaimError, match=named) as refused:
        token_of(text, HERE, no_key, pinned=pinned)
    for word in ("Nothing was opened", "security team", f"/not-me {GRANT.id}"):
        assert word in refused.value.remedy
    assert TOKEN not in f"{refused.value} {refused.value.remedy}"


def test_what_an_older_release_sealed_is_opened_by_a_pinned_key_alone() -> None:
    with pytest.raises(ClaimError, match="does not name its Vault") as refused:
        token_of(Secret(TOKEN), HERE, no_key, pinned=False)
    assert "--fingerprint" in refused.value.remedy
    assert f"/redeliver {GRANT.id}" in refused.value.remedy
    assert token_of(Secret(TOKEN), HERE, no_key, pinned=True).reveal() == TOKEN


def test_a_key_that_main_handed_over_from_or_to_vouches_for_the_delivery() -> None:
    """A run may mint under one key, and the next one write the event under its successor."""
    asked: list[str] = []

    def vouches(fingerprint: str) -> bool:
        asked.append(fingerprint)
        return True

    assert token_of(sealed(), HERE, vouches, pinned=False).reveal() == TOKEN
    assert asked == [], "the same key needs no second look at main"
    text = sealed(binding=Binding.of(OTHER_KEY, RESOURCE.connection))
    assert token_of(text, HERE, vouches, pinned=False).reveal() == TOKEN
    assert asked == [OTHER_KEY]


@pytest.mark.parametrize(
    "changed",
    [
        {"host": "203.0.113.66"},
        {"port": "6432"},
        {"sslmode": "disable"},
        {"sslrootcert": "/evil.pem"},
        {"database": "other"},
    ],
)
def test_another_connection_than_the_sealed_one_is_refused(changed: dict[str, str]) -> None:
    connection = {**RESOURCE.connection, **changed}
    there = replace(HERE, resource=replace(RESOURCE, connection=connection))
    with pytest.raises(ClaimError, match="sealed for another connection than resource") as refused:
        token_of(sealed(), there, no_key, pinned=True)
    for word in ("Nothing was opened", f"/redeliver {GRANT.id}", f"/not-me {GRANT.id}"):
        assert word in refused.value.remedy


LINES = sealed().reveal()


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{TOKEN}\n",
        f" {TOKEN}",
        LINES[:-1],
        LINES + "\n",
        LINES + "grant: x1\n",
        LINES + "more: x\n",
        LINES.replace("\n", "\r\n"),
        LINES.replace("grant: ", "grant:"),
        LINES.replace("repository: ", "repository: 0"),
        LINES.replace("repository: ", "repository: ٣"),
        LINES.replace(f"grant: {GRANT.id}\n", ""),
        LINES.replace(f"vault: {ORIGIN.vault}\n", ""),
        LINES.replace(f"vault: {ORIGIN.vault}\n", "") + f"vault: {ORIGIN.vault}\n",
        LINES.replace(f"grant: {GRANT.id}", "grant: ../x"),
        LINES.replace(f"evidence-key: {KEY}\n", ""),
        LINES.replace(KEY, "SHA256:short"),
        LINES[: LINES.index("connection: ")],
        LINES.replace("connection: sha256:", "connection: sha1:"),
        sealed(binding=None).reveal(),
        "\n" + LINES,
    ],
)
def test_an_odd_text_is_refused_whole(text: str) -> None:
    with pytest.raises(ClaimError, match="is not what daypass seals"):
        token_of(Secret(text), HERE, no_key, pinned=True)


@pytest.mark.parametrize(
    "delivery",
    [
        Delivery(Secret("two words"), ORIGIN, GRANT.id),
        Delivery(Secret(TOKEN), None, GRANT.id),
        Delivery(Secret(TOKEN), ORIGIN, None),
        Delivery(Secret(TOKEN), Origin("https://x\ngrant: y", None, 1), GRANT.id),
        Delivery(Secret(TOKEN), Origin("https://x", "", 1), GRANT.id),
        Delivery(Secret(TOKEN), ORIGIN, GRANT.id, Binding("SHA256:k\ngrant: y", "sha256:0")),
        Delivery(Secret(TOKEN), ORIGIN, GRANT.id, Binding(KEY, "sha256:0")),
    ],
)
def test_nothing_ambiguous_is_sealed(delivery: Delivery) -> None:
    with pytest.raises(ValueError, match=r"deliver|token"):
        delivery.to_text()
