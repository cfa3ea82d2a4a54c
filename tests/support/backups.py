"""Backups of a box's Vault: a raft snapshot is taken, and put back by force."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from daypass.sandbox.box import Box

_PATIENCE_SECONDS = 60.0


def vault_snapshot(box: Box) -> bytes:
    """All that the Vault holds now."""
    return _call(box, "snapshot", "GET", None)


def restore_vault(box: Box, snapshot: bytes) -> None:
    """Put it back, and wait until the Vault holds it."""
    marker = "secret-free-marker"
    path = f"daypass/data/daypass/notes/{marker}"
    box.bao.client.write(path, {"data": {"written": "after the snapshot"}})
    _call(box, "snapshot-force", "POST", snapshot)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        box.bao.restart()
        if box.bao.client.read(path) is None:
            return
        assert time.monotonic() < deadline, "the snapshot was not restored"


def note(box: Box, name: str) -> dict[str, Any]:
    """A note of daypass's in Vault; empty if it was never written."""
    answer = box.bao.client.read(f"daypass/data/daypass/notes/{name}")
    return answer["data"]["data"] if answer else {}


def _call(box: Box, what: str, method: str, data: bytes | None) -> bytes:
    answer = requests.request(
        method,
        f"{box.bao.address}/v1/sys/storage/raft/{what}",
        data=data,
        headers={"X-Vault-Token": box.bao.root_token.reveal()},
        timeout=60,
    )
    answer.raise_for_status()
    return answer.content
