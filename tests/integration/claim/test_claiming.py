"""`daypass claim` as its user runs it, against real servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from claim_box import Box

pytestmark = pytest.mark.integration
QUERY = ("psql", "-At", "-c", "select current_user")


def test_a_holder_claims_logs_in_and_cannot_claim_twice(box: Box) -> None:
    grant = box.issue("alice-one")
    first = box.daypass("claim", grant.id, "--fingerprint", box.fingerprint, "--", *QUERY)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("g-alice-one")
    assert "read on orders-db for alice until" in first.stderr
    second = box.daypass("claim", grant.id, "--", *QUERY)
    assert second.returncode == 1
    assert "opened already" in second.stderr
    assert "/redeliver alice-one" in second.stderr
