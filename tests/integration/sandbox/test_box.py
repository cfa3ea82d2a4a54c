"""The box as a whole: governed by valid documents, bootstrapped, and gone when it is stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from daypass.sandbox.box import Box
from daypass.sandbox.organisation import request

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


def daypass(box: Box, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run daypass as somebody, in their clone of today's main."""
    person = box.person(name)
    person.git("pull", "-q", "--ff-only")
    verb, *rest = words
    return subprocess.run(
        [sys.executable, "-m", "daypass", verb, "-C", str(person.clone), *rest],
        check=False,
        capture_output=True,
        text=True,
        env=person.environment(),
    )


def test_what_it_governs_is_valid(box: Box) -> None:
    result = daypass(box, "alice", "validate")
    assert (result.returncode, result.stderr) == (0, "")


def test_a_request_goes_through_the_doors_that_people_use(box: Box) -> None:
    number = box.person("alice").propose("sandbox-ask", request("alice-sandbox-1"), "Ask")
    box.person("bob").approve(number)
    sha = box.person("bob").merge(number)
    assert box.repository.store.branch("main") == sha


def test_the_bootstrap_is_idempotent_and_leaves_no_key_file(box: Box) -> None:
    said = box.vault_bootstrap()
    assert "created" not in said
    assert list(box.person("carol").home.glob("*.pem")) == []
    assert box.evidence_fingerprint in said


def test_a_job_has_a_checkout_with_its_whole_history(box: Box, tmp_path: Path) -> None:
    run = box.begin_apply_run("schedule")
    clone = box.checkout(tmp_path / "work", run)
    shallow = subprocess.run(
        ["git", "rev-parse", "--is-shallow-repository"],
        cwd=clone,
        check=True,
        capture_output=True,
        text=True,
    )
    assert shallow.stdout.strip() == "false"
    assert "extraheader" not in (clone / ".git" / "config").read_text()


def test_private_keys_are_private(box: Box) -> None:
    for person in box.people.values():
        assert person.ssh_key.stat().st_mode & 0o077 == 0
        fingerprint = subprocess.run(
            ["ssh-keygen", "-l", "-f", str(person.ssh_key)],
            check=True,
            capture_output=True,
            text=True,
        )
        assert "ED25519" in fingerprint.stdout


def test_nothing_is_left_when_it_is_stopped(tmp_path: Path) -> None:
    box = Box.create(tmp_path / "box")
    pids = [box.bao.pid, box.postgres.pid]
    addresses = [
        (part.hostname, part.port)
        for part in (urlsplit(box.bao.address), urlsplit(box.github.server_url))
    ] + [(box.postgres.host, box.postgres.port)]
    data = box.postgres._data
    box.stop()
    box.stop()
    for address in addresses:
        with socket.socket() as probe:
            assert probe.connect_ex(address) != 0
    for pid in pids:
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert not data.exists()
