"""Settings that load, and that nothing proves, stop no end: a run acts by the proven ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from daypass.sandbox.box import Box
from support import acting
from support.town import Asked, Town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.acting import Done

SETTINGS = "access/daypass.yaml"
NOTE = "daypass/data/daypass/notes/trust"
ALICE = "access/identities/alice.yaml"
ELSEWHERE: tuple[tuple[str, object], ...] = (
    ("vault.mounts.kv", "nope"),
    ("vault.mounts.transit", "nope"),
    ("vault.applyRole", "nope"),
    ("vault.caFile", "access/nope.pem"),
    ("evidence.email", "nope@example.com"),
    ("github.installationId", 1),
    ("github.defaultBranch", "trunk"),
)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with Box.create(tmp_path_factory.mktemp("box")) as box:
        box.vault_bootstrap()
        yield Town(box)


def changed(content: str, path: str, value: object) -> bytes:
    document: dict[str, Any] = yaml.safe_load(content)
    at = document["spec"]
    *folders, last = path.split(".")
    for name in folders:
        at = at.setdefault(name, {})
    at[last] = value
    return yaml.safe_dump(document, sort_keys=False).encode()


def approve(town: Town, name: str, changes: dict[str, bytes | None]) -> None:
    carol = town.box.person("carol")
    number = carol.propose(name, changes, name)
    town.merge(Asked(name, number, carol), approvers=("dave",))


def put_right(town: Town, good: str) -> str:
    """Brings the settings back, and trusts main as it is then: its head."""
    town.push_straight({SETTINGS: good.encode()})
    head = town.head()
    town.box.bao.client.write(NOTE, {"data": {"commit": head}})
    return head


def test_unproven_settings_lead_no_run_away(town: Town) -> None:
    """Each way to lead it elsewhere, one after the other, and what was approved meanwhile."""
    asked = town.grant("led-away", duration="1h")
    assert town.apply().code == 0
    good = town.store.git("show", f"main:{SETTINGS}")
    identity = town.store.git("show", f"main:{ALICE}")
    approve(town, "bye", {ALICE: identity.replace("status: active", "status: offboarded").encode()})
    for path, value in ELSEWHERE:
        town.push_straight({SETTINGS: changed(good, path, value)})
        done = town.apply()
        assert done.code == 5, (path, done.said)
        assert "changes what decisions rest on" in done.said, path
        assert town.live_tokens("led-away") == [], path
        put_right(town, good)
    assert town.events(asked.id) == ["issued", "revoked"]


ROLE = "auth/daypass-github/role/daypass-apply"


def merge_by_writers(town: Town, name: str, content: bytes) -> str:
    """alice proposes, bob approves and merges: no owner of the foundation. main's head."""
    alice, bob = town.box.person("alice"), town.box.person("bob")
    number = alice.propose(name, {SETTINGS: content}, name)
    bob.approve(number)
    bob.merge(number)
    return town.head()


def operator(town: Town, *words: str, **more: str) -> Done:
    token = town.box.bao.root_token.reveal()
    done = acting.daypass(town.box.person("carol"), *words, VAULT_TOKEN=token, **more)
    return acting.Done(done.code, " ".join(done.stdout.split()), " ".join(done.stderr.split()))


def bound(town: Town) -> str:
    role = town.box.bao.client.read(ROLE)
    assert role is not None
    return str(role["data"]["bound_claims"]["job_workflow_ref"])


def test_no_operator_binds_vault_by_what_no_owner_approved(town: Town) -> None:
    """Two writers name a control repository of their own, and hide where Vault keeps its notes."""
    good, before = town.store.git("show", f"main:{SETTINGS}"), bound(town)
    evil = changed(good, "control", {"repository": "acme/evil", "id": 4711})
    head = merge_by_writers(town, "evil-control", evil)
    carol = town.box.person("carol")
    carol.git("pull", "-q", "--ff-only")

    refused = operator(town, "vault", "apply")
    assert refused.code == 7
    assert f"main at {head[:12]} is not proven" in refused.stderr
    assert "it needs 1 approval(s) of security, and has 0" in refused.stderr
    assert f"--accept-unproven {head}" in refused.stderr
    unasked = operator(town, "vault", "apply", GH_TOKEN="")
    assert unasked.code == 7
    assert "there is no GitHub token" in unasked.stderr
    planned = operator(town, "vault", "apply", "--plan")
    assert planned.code == 7
    assert f'job_workflow_ref: "{before}" → "acme/evil/' in planned.stdout
    doctor = operator(town, "vault", "doctor")
    assert doctor.code == 1
    assert f"unproven main at {head[:12]}" in doctor.stdout
    assert "JWT role" not in doctor.stdout  # it is as what was proven asks
    github = operator(town, "doctor", "github")
    assert github.code == 1
    assert f"unproven the settings of main at {head[:12]}" in github.stdout
    assert "acme/evil" not in github.stdout
    assert operator(town, "vault", "apply", "--accept-unproven", "f" * 40).code == 2

    merge_by_writers(town, "evil-notes", changed(evil.decode(), "vault.mounts.kv", "nope"))
    carol.git("pull", "-q", "--ff-only")
    refused = operator(town, "vault", "apply")
    assert refused.code == 7
    assert "it needs 1 approval(s) of security, and has 0" in refused.stderr
    assert bound(town) == before

    head = put_right(town, good)
    other = operator(town, "vault", "apply")  # the checkout is behind
    assert other.code == 0, other.stderr
    assert f"at {head[:12]}, proven; not what is checked out" in other.stderr
    assert SETTINGS in other.stderr
    assert bound(town) == before

    evil_head = merge_by_writers(town, "evil-again", evil)
    accepted = operator(town, "vault", "apply", "--accept-unproven", evil_head)
    assert accepted.code == 0, accepted.stderr
    shown = accepted.stdout
    assert shown.index(f'"{before}" → "acme/evil/') < shown.index("updated JWT role daypass-apply")
    assert bound(town).startswith("acme/evil/")
    trusted = town.box.bao.client.read(NOTE)
    assert trusted is not None
    assert trusted["data"]["data"] == {"commit": head}
    put_right(town, good)
    assert operator(town, "vault", "apply").code == 0
    assert bound(town) == before
