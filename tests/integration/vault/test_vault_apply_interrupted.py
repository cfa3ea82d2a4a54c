"""Ctrl-C of `vault apply`: what was done is told, to people and to programs."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from test_vault_command import bring, operators, repository, write_resource

from daypass.adapters.vault.client import Client
from daypass.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    from daypass.sandbox.openbao import OpenBao

pytestmark = pytest.mark.integration
__all__ = ["operators", "repository"]  # fixtures


def of_this(operators: OpenBao) -> set[str]:
    policies = operators.client.list("sys/policies/acl") or []
    roles = operators.client.list("auth/token/roles") or []
    return {f"policy {name}" for name in policies} | {f"token role {name}" for name in roles}


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_interrupt_tells_all_that_was_done(
    repository: Path,
    operators: OpenBao,
    form: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for number in range(60):
        write_resource(repository, f"stopped-{form}-{number:02d}")
    bring(repository, operators)
    before = of_this(operators)
    call = Client.call
    written: list[str] = []

    def interrupted(self: Client, method: str, path: str, *rest: Any, **more: Any) -> Any:
        answer = call(self, method, path, *rest, **more)
        if method == "POST" and "stopped" in path:
            written.append(path)
            if len(written) == 20:
                os.kill(os.getpid(), signal.SIGINT)
        return answer

    monkeypatch.setattr(Client, "call", interrupted)
    at_first = signal.getsignal(signal.SIGINT)
    assert main(["vault", "apply", *(["--format", "json"] if form == "json" else [])]) == 130
    assert signal.getsignal(signal.SIGINT) is at_first
    shown = capsys.readouterr()
    if form == "json":
        told = {
            item["what"]
            for item in json.loads(shown.out)["changes"]
            if item["outcome"] == "created"
        }
    else:
        lines = (line.split(maxsplit=1) for line in shown.out.splitlines() if line)
        told = {line[1].partition(":")[0] for line in lines if line[0] == "created"}
    done = of_this(operators) - before
    assert 20 <= len(done) < 60
    assert {name for name in told if "stopped" in name} == {n for n in done if "stopped" in n}
    assert "interrupted" in shown.err
