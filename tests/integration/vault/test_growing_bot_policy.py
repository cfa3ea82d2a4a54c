"""`vault apply` while the bot's policy gets more parts, and fewer: log-ins keep what they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from vault_house import READ, House, resource, settings_for

from daypass.adapters.vault import bot_policy
from daypass.adapters.vault.install import install, plan, prune
from daypass.adapters.vault.neighbours import refuse_neighbours
from daypass.adapters.vault.session import Session, login_token
from daypass.adapters.vault.setup import desired
from daypass.errors import VaultRefusedError
from daypass.sandbox.openbao import OpenBao

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.adapters.vault.steps import Setup

pytestmark = pytest.mark.integration


@pytest.fixture
def operator(house: House, tmp_path: Any) -> Iterator[Session]:
    with OpenBao.start(tmp_path / "growing") as server:
        settings = settings_for(server.address, house.oidc.url)
        with login_token(settings.vault, server.root_token) as session:
            yield session


def setup_of(house: House, operator: Session, count: int) -> Setup:
    settings = settings_for(operator.client.address, house.oidc.url)
    return desired(settings, [resource(f"grow-{number:02d}", READ) for number in range(count)])


def parts(operator: Session) -> list[str]:
    names = operator.call("LIST", "sys/policies/acl").keys
    return [name for name in names if name.startswith("daypass-apply")]


def lacks(operator: Session, token: str) -> list[str]:
    """What a run needs, and that token may not do."""
    paths = [
        "auth/token/revoke-accessor",
        "vt-kv/data/daypass/grants/x",
        "vt-transit/sign/evidence",
        "vt-transit/sign/github-app/sha2-256",
        "sys/leases/lookup",
        *(f"auth/token/create/daypass-grow-{number:02d}-read-1h" for number in range(4)),
    ]
    found = operator.call("POST", "sys/capabilities", {"token": token, "paths": paths}).data
    return [path for path in paths if found[path] == ["deny"]]


def test_a_stop_after_any_write_leaves_every_log_in_what_it_needs(
    house: House, operator: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot_policy, "_LONGEST", 16_000)
    few, many = setup_of(house, operator, 4), setup_of(house, operator, 30)
    list(install(operator, few))
    assert parts(operator) == ["daypass-apply"]

    def log_in() -> str:
        given = operator.call("GET", "auth/vt-jwt/role/daypass-apply").data["token_policies"]
        body = {"policies": given, "no_default_policy": True}
        return str(operator.call("POST", "auth/token/create", body).auth["client_token"])

    call = Session.call
    tokens = [log_in()]
    looked = []

    def watched(self: Session, method: str, path: str, *rest: Any, **more: Any) -> Any:
        answer = call(self, method, path, *rest, **more)
        if method in ("POST", "DELETE") and "apply" in path:
            with monkeypatch.context() as plain:
                plain.setattr(Session, "call", call)
                looked.append((path, [lacks(operator, token) for token in (tokens[0], log_in())]))
        return answer

    for wanted in (many, few):
        tokens[:] = [log_in()]
        assert "daypass-apply" in str([item.title for item in plan(operator, wanted)])
        with monkeypatch.context() as watching:
            watching.setattr(Session, "call", watched)
            list(install(operator, wanted))
            told = [item.title for item in prune(operator, wanted, everything=False)]
        assert looked
        assert [item for item in looked if any(item[1])] == []
    assert len([path for path, _ in looked if path.endswith("daypass-apply-2")]) == 2
    assert "policy daypass-apply-2" in told  # nobody asked for `--prune`
    assert parts(operator) == ["daypass-apply"]


def test_a_policy_of_somebody_else_with_the_name_of_a_part_is_left_alone(
    house: House, operator: Session
) -> None:
    few = setup_of(house, operator, 1)
    list(install(operator, few))
    body = {"policy": 'path "x" { capabilities = ["read"] }'}
    operator.call("POST", "sys/policies/acl/daypass-apply-5", body)
    with pytest.raises(VaultRefusedError, match="daypass did not make it: nothing was changed"):
        refuse_neighbours(operator, few, pruning=False)
