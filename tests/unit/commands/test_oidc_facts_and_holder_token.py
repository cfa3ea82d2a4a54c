"""Who set a run off, by GitHub's signed word; and the token that a holder keeps."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from daypass.adapters import holder_token
from daypass.adapters.oidc import RunFacts, facts_of
from daypass.errors import ForgeRefusedError
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


def test_a_kept_token_is_its_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert holder_token.kept("a1") is None
    holder_token.keep("a1", Secret("s.first"))
    holder_token.keep("a1", Secret("s.second"))
    path = tmp_path / "daypass" / "a1.token"
    assert holder_token.token_path("a1") == path
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [item.name for item in path.parent.iterdir()] == ["a1.token"]
    assert holder_token.kept_accessor("a1") is None
    found = holder_token.kept("a1")
    assert found is not None
    assert found.reveal() == "s.second"
    holder_token.keep("a1", Secret("s.third"), Secret("accessor"))
    assert path.with_suffix(".accessor").stat().st_mode & 0o777 == 0o600
    known = holder_token.kept_accessor("a1")
    assert known is not None
    assert known.reveal() == "accessor"
    # A token never stands beside another's accessor: it would say that another is done.
    holder_token.keep("a1", Secret("s.fourth"))
    assert holder_token.kept_accessor("a1") is None
    holder_token.keep("a1", Secret("s.third"), Secret("accessor"))
    holder_token.forget("a1")
    holder_token.forget("a1")
    assert holder_token.kept("a1") is None
    assert list(path.parent.iterdir()) == []


def test_a_state_home_that_is_not_absolute_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", "here")
    assert holder_token.token_path("a1") == tmp_path / ".local/state/daypass/a1.token"
