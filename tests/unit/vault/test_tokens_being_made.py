"""A token that is being made: Vault revokes one that is looked up before its lease is stored."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from daypass.adapters.vault import issuer as module
from daypass.adapters.vault.issuer import VaultIssuer
from support.vault_answers import answer, listed

MAKING = 0.2  # seconds that Vault is given to store a token and its lease


class Vault:
    """A Vault that lists tokens, and a clock that only `sleep` and requests move."""

    def __init__(self, request: float) -> None:
        self.clock = 100.0
        self.listed_at = 0.0
        self.looked_at: list[float] = []
        self._request = request

    def call(self, method: str, path: str, body: Any = None, **_: Any) -> Any:
        if method == "LIST":
            self.clock += self._request
            self.listed_at = self.clock
            return listed("a1", "a2")
        assert path == "auth/token/lookup-accessor"
        self.looked_at.append(self.clock)
        is_gone = body["accessor"] == "a2"
        end = "2026-12-01T00:00:00Z"
        data = {"accessor": body["accessor"], "meta": None, "num_uses": 0, "expire_time": end}
        errors = ("invalid accessor",) if is_gone else ()
        return answer(403 if is_gone else 200, data, errors)

    def monotonic(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.clock += seconds


@pytest.mark.parametrize("meanwhile", [0.0, 0.15, 5.0])
def test_what_was_listed_is_looked_up_only_after_it_must_be_complete(
    meanwhile: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault(request=0.01)
    clock = SimpleNamespace(monotonic=vault.monotonic, sleep=vault.sleep)
    monkeypatch.setattr(module, "time", clock)
    issuer = VaultIssuer(cast("Any", vault))
    accessors = issuer.live_accessors()
    vault.clock += meanwhile
    states = issuer.states(sorted(accessors))
    assert set(states) == {"a1"}  # what is gone is left out
    assert min(vault.looked_at) >= vault.listed_at + MAKING - 1e-9


def test_without_a_token_to_look_up_there_is_nothing_to_wait_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vault = Vault(request=0.01)
    clock = SimpleNamespace(monotonic=vault.monotonic, sleep=vault.sleep)
    monkeypatch.setattr(module, "time", clock)
    issuer = VaultIssuer(cast("Any", vault))
    issuer.live_accessors()
    assert issuer.states(()) == {}
    assert vault.clock == vault.listed_at
