"""Settings that load, and that nothing proves, stop no end: a run acts by the proven ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from daypass.sandbox.box import Box
from support.town import Asked, Town

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = "access/daypass.yaml"
ALICE = "access/identities/alice.yaml"
ELSEWHERE: tuple[tuple[str, object], ...] = (
    ("vault.mounts.kv", "nope"),
    ("vault.mounts.transit", "nope"),
    ("vault.applyRole", "nope"),
    ("vault.caFile", "access/nope.pem"),
    ("evidence.email", "nope@example.com"),
    ("github.installationId", 1),
    ("github.defaultBranch", "trunk"),
)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with Box.create(tmp_path_factory.mktemp("box")) as box:
        box.vault_bootstrap()
        yield Town(box)


def changed(content: str, path: str, value: object) -> bytes:
    document: dict[str, Any] = yaml.safe_load(content)
    at = document["spec"]
    *folders, last = path.split(".")
    for name in folders:
        at = at.setdefault(name, {})
    at[last] = value
    return yaml.safe_dump(document, sort_keys=False).encode()


def approve(town: Town, name: str, changes: dict[str, bytes | None]) -> None:
    carol = town.box.person("carol")
    number = carol.propose(name, changes, name)
    town.merge(Asked(name, number, carol), approvers=("dave",))


def test_unproven_settings_lead_no_run_away(town: Town) -> None:
    """Each way to lead it elsewhere, one after the other, and what was approved meanwhile."""
    asked = town.grant("led-away", duration="1h")
    assert town.apply().code == 0
    good = town.store.git("show", f"main:{SETTINGS}")
    identity = town.store.git("show", f"main:{ALICE}")
    approve(town, "bye", {ALICE: identity.replace("status: active", "status: offboarded").encode()})
    for path, value in ELSEWHERE:
        town.push_straight({SETTINGS: changed(good, path, value)})
        done = town.apply()
        assert done.code == 5, (path, done.said)
        assert "changes what decisions rest on" in done.said, path
        assert town.live_tokens("led-away") == [], path
        town.push_straight({SETTINGS: good.encode()})
        note = "daypass/data/daypass/notes/trust"
        town.box.bao.client.write(note, {"data": {"commit": town.head()}})
    assert town.events(asked.id) == ["issued", "revoked"]
