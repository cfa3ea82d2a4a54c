"""A delivery opens once: what stops a claim stops it before, finds it handed over, or is told."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support import stopped_run

if TYPE_CHECKING:
    from pathlib import Path

    from claim_box import Box

    from daypass.model.grant import Grant

pytestmark = pytest.mark.integration
OPENING = "(POST|PUT) /v1/sys/wrapping/unwrap"
BEFORE = "GET /.*/comments"
LATER = "GET /v1/database/creds"  # the delivery is open, the credential is on its way


def stopped(box: Box, signals: str, pattern: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A claim that gets the signals with that request."""
    return subprocess.run(
        [sys.executable, stopped_run.__file__, signals, pattern, *words],
        cwd=box.clone, env=box.environment, check=False, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip


def says(box: Box, grant: Grant) -> list[str]:
    return [
        item.body
        for item in box.forge.comments(grant.pull_request)
        if item.author_id == box.alice.id
    ]


def test_signals_stop_a_claim_before_its_delivery_is_opened_or_are_told(
    box: Box, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / "secret.json"
    grant = box.issue("alice-file")
    command = ("claim", grant.id, "--format", "file", "--output", str(path))

    early = stopped(box, "TERM", BEFORE, *command)
    assert early.returncode == 128 + 15, early.stderr
    assert "stopped by SIGTERM" in early.stderr
    assert (list(folder.iterdir()), says(box, grant)) == ([], [])

    late = stopped(box, "TERM,HUP", OPENING, *command)
    assert late.returncode == 128 + 15, late.stderr
    assert "it is received" in late.stderr
    assert list(folder.iterdir()) == [path]
    assert json.loads(path.read_text())["credential"]["username"].startswith("g-alice-file")
    assert says(box, grant) == ["Claimed alice-file"]

    grant = box.issue("alice-run")
    ran = tmp_path / "ran"
    lost = stopped(box, "HUP", OPENING, "claim", grant.id, "--", "touch", str(ran))
    assert lost.returncode == 1, lost.stderr
    assert "could not be handed over (stopped by SIGHUP)" in lost.stderr
    assert "Comment `/redeliver alice-run` on pull request" in lost.stderr
    assert not ran.exists()
    assert says(box, grant) == ["Claimed alice-run"], "it was alice who opened it"


def test_a_second_interrupt_or_a_shared_key_gives_up_and_says_what_may_be_spent(
    box: Box, tmp_path: Path
) -> None:
    grant = box.issue("alice-twice")
    path = tmp_path / "secret.json"
    command = ("claim", grant.id, "--format", "file", "--output", str(path))
    given_up = stopped(box, "INT,INT", OPENING, *command)
    assert given_up.returncode == 1, given_up.stderr
    assert "interrupted while the delivery of grant alice-twice was being opened" in given_up.stderr
    assert "it may be spent" in given_up.stderr
    assert not any(item.name.startswith((".daypass", "secret")) for item in tmp_path.iterdir())

    grant = box.issue("alice-open", "admin")
    lost = stopped(box, "INT,INT", LATER, "claim", grant.id, "--format", "json")
    assert lost.returncode == 1, lost.stderr
    assert lost.stdout == ""
    assert "/redeliver alice-open" in lost.stderr

    grant = box.issue("alice-shared")
    key = box.home / ".ssh" / "id_ed25519"
    key.chmod(0o640)
    refused = box.daypass("claim", grant.id, "--", "true")
    assert refused.returncode == 1
    assert f"chmod 600 {key}" in refused.stderr
    key.chmod(0o600)
    done = box.daypass("claim", grant.id, "--", "sh", "-c", 'test "$PGUSER" && yes | head -n 1')
    assert done.stdout == "y\n", done.stderr
    assert "Broken pipe" not in done.stderr
