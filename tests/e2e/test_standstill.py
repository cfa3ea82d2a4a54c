"""What is approved on a main that was put back still ends access, in Vault alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.town import Asked, Town

if TYPE_CHECKING:
    from daypass.sandbox.box import Box

ALICE = "access/identities/alice.yaml"


def test_an_approved_offboarding_ends_access_on_a_main_that_was_put_back(fresh_box: Box) -> None:
    """Who was taken in on the lost part of main is not known there, and keeps what they hold."""
    town = Town(fresh_box)
    town.grant("leaver", duration="1h")
    assert town.apply().code == 0
    old = town.head()
    town.grant("other", duration="1h", by="bob", approvers=("carol",))
    assert town.apply().code == 0
    lost = town.head()
    town.store.git("update-ref", "refs/heads/main", old)
    text = town.store.git("show", f"main:{ALICE}")
    leaves = text.replace("status: active", "status: offboarded").encode()
    carol = fresh_box.person("carol")
    number = carol.propose("bye", {ALICE: leaves}, "alice leaves")
    assert town.apply().code == 5
    assert len(town.live_tokens("leaver")) == 1, "nothing is approved yet"
    town.merge(Asked("bye", number, carol), approvers=("dave",))
    head = town.head()
    done = town.apply()
    assert done.code == 5, done.said
    assert town.live_tokens("leaver") == []
    assert len(town.live_tokens("other")) == 1
    assert town.head() == head, "nothing is written on such a main"
    town.store.git("update-ref", "refs/heads/main", lost)
    assert town.apply().code == 0
    assert town.events("leaver") == ["issued", "revoked"]
