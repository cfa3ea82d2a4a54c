"""Who set a run off, by GitHub's signed word; and the token that a holder keeps."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from daypass.adapters import claim_turn, holder_token
from daypass.adapters.oidc import RunFacts, facts_of
from daypass.errors import ClaimError, ForgeRefusedError
from daypass.model.canonical import digest_bytes
from daypass.model.delivery import Origin
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

CLAIMS = {"event_name": "workflow_dispatch", "actor_id": "583231", "run_attempt": "2"}


def token(claims: Any) -> Secret:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return Secret(f"e30.{payload}.c2ln")


def test_the_token_says_who_set_the_run_off() -> None:
    assert facts_of(token(CLAIMS)) == RunFacts("workflow_dispatch", 583231, 2)


@pytest.mark.parametrize("missing", sorted(CLAIMS))
def test_a_token_that_does_not_say_so_is_refused(missing: str) -> None:
    claims = {key: value for key, value in CLAIMS.items() if key != missing}
    with pytest.raises(ForgeRefusedError, match="who set the run off"):
        facts_of(token(claims))


@pytest.mark.parametrize("claims", [[], "x", None, {**CLAIMS, "actor_id": "alice"}])
def test_a_token_that_says_something_else_is_refused_and_not_quoted(claims: Any) -> None:
    with pytest.raises(ForgeRefusedError) as error:
        facts_of(token(claims))
    assert token(claims).reveal() not in f"{error.value} {error.value.remedy}"
    assert error.value.__cause__ is None


ORIGIN = Origin("https://vault.example.com:8200", "team/daypass", 7)


def test_a_kept_token_is_its_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert holder_token.kept("a1") is None
    holder_token.keep("a1", Secret("s.first"), Secret("one"), ORIGIN)
    holder_token.mark_opened("a1", "sha256:first")
    # A token never stands beside another's accessor: it would say that another is done.
    holder_token.keep("a1", Secret("s.second"), Secret("accessor"), ORIGIN)
    path = tmp_path / "daypass" / "a1.token"
    assert holder_token.token_path("a1") == path
    assert path.parent.stat().st_mode & 0o777 == 0o700
    names = {item.name: item.stat().st_mode & 0o777 for item in path.parent.iterdir()}
    assert names == dict.fromkeys(("a1.token", "a1.accessor", "a1.vault"), 0o600)
    found, known = holder_token.kept("a1"), holder_token.kept_accessor("a1")
    assert found is not None
    assert found.reveal() == "s.second"
    assert known is not None
    assert known.reveal() == "accessor"
    holder_token.forget("a1")
    holder_token.forget("a1")
    assert holder_token.kept("a1") is None
    assert list(path.parent.iterdir()) == []


def test_what_was_opened_here_is_known_by_that_very_delivery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert holder_token.opened_at("a1", "sha256:first") is None
    holder_token.mark_opened("a1", "sha256:first")
    assert holder_token.opened_at("a1", "sha256:first") is not None
    assert holder_token.opened_at("a1", "sha256:second") is None


def test_a_kept_token_says_where_it_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert holder_token.find("a1") is None
    holder_token.keep("a1", Secret("s.first"), Secret("accessor"), ORIGIN)
    found = holder_token.find("a1")
    assert found is not None
    assert (found.token.reveal(), found.origin) == ("s.first", ORIGIN)
    assert found.accessor_digest == digest_bytes(b"accessor")
    (tmp_path / "daypass" / "a1.vault").unlink()  # as older releases keep it
    with pytest.raises(ClaimError, match="an older release kept it"):
        holder_token.find("a1")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a1.token", "s.fir", "it was cut, or replaced"),
        ("a1.token", "", "it is empty"),
        ("a1.token", "s.first\nsecond", "characters that no token has"),
        ("a1.token", "s.f\udce9", "characters that no token has"),
        ("a1.accessor", "acc essor", "characters that no token has"),
        ("a1.vault", "vault: https://evil", "no wrapping token"),
        ("a1.accessor", "accessos", "it was cut, or replaced"),
        ("a1.accessor", "", "it was cut, or replaced"),
        ("a1.vault", "", "is empty"),
        ("a1.vault", None, "it was kept for grant b2"),
    ],
)
def test_a_kept_token_that_is_odd_is_refused_and_left(
    name: str,
    content: str | None,
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    holder_token.keep("b2", Secret("s.first"), Secret("accessor"), ORIGIN)
    others = (tmp_path / "daypass" / "b2.vault").read_text()
    holder_token.keep("a1", Secret("s.first"), Secret("accessor"), ORIGIN)
    path = tmp_path / "daypass" / name
    path.write_bytes((others if content is None else content).encode(errors="surrogateescape"))
    with pytest.raises(ClaimError, match=why) as refused:
        holder_token.find("a1")
    assert "It was sent nowhere, and is kept" in refused.value.remedy
    assert "s.fir" not in f"{refused.value} {refused.value.remedy}"
    assert path.exists()


def test_a_pipe_in_place_of_a_kept_token_keeps_no_command_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = holder_token.token_path("a1")
    path.parent.mkdir()
    os.mkfifo(path)
    with pytest.raises(OSError, match="it is no file"):
        holder_token.find("a1")
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match="it is no file") as refused:
        holder_token.find("a1")
    assert refused.value.filename == str(path)


WAITING = """
from daypass.adapters import claim_turn
wait = claim_turn.time.sleep
claim_turn.time.sleep = lambda seconds: print("waiting", flush=True) or wait(seconds)
with claim_turn.turn("b2"):
    print("another grant's", flush=True)
with claim_turn.turn("a1"):
    print("its turn", flush=True)
"""


def test_one_claim_of_a_grant_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    command = [sys.executable, "-c", WAITING]
    with claim_turn.turn("a1"):
        other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        assert other.stdout.readline() == "another grant's\n"
        assert other.stdout.readline() == "waiting\n"
    with other:
        assert other.stdout.read().splitlines()[-1] == "its turn"
    assert other.returncode == 0


def test_a_home_that_cannot_be_written_to_keeps_nothing_from_being_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with claim_turn.turn("a1"):
        pass


def test_a_state_home_that_is_not_absolute_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", "here")
    assert holder_token.token_path("a1") == tmp_path / ".local/state/daypass/a1.token"
