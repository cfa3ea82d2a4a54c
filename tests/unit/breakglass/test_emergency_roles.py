"""The emergency lane's token roles and policies: its own, and never longer than an hour."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any

import pytest

from daypass.adapters.vault.setup import desired
from daypass.adapters.vault.steps import Document, Policy
from daypass.errors import DocumentError
from daypass.model.identity import Identity, IdentityStatus, IdentityType
from daypass.model.instant import Duration
from daypass.model.policy import AccessPolicy
from daypass.model.resource import (
    Approvers,
    IssueMode,
    Level,
    Recording,
    Resource,
    Sensitivity,
    Tier,
)
from daypass.model.settings import (
    BreakGlassSettings,
    OfflineSettings,
    Settings,
)
from support import settings

LANE = {"lanes": ["break-glass"]}
SETTINGS = replace(
    settings.SETTINGS, break_glass=BreakGlassSettings(("dba",), ("security",), "INC-[0-9]+")
)


def resource(name: str, *tiers: str, level: str = "read") -> Resource:
    made = Level(
        name=level,
        engine="database",
        mount="database",
        tiers=tuple(Tier(Duration.parse(tier), f"role-{tier}") for tier in tiers),
        issue=IssueMode.ON_MERGE,
    )
    return Resource(
        name=name,
        type="database",
        environment="production",
        sensitivity=Sensitivity.LOW,
        business_owner="a",
        lifecycle_owner="b",
        levels={level: made},
        max_duration=Duration.parse("8h"),
        recording=Recording.NONE,
        approvers=Approvers((), 1, owner=True),
    )


def permit(**changes: Any) -> AccessPolicy:
    """A policy that opens all to the emergency lane, changed."""
    spec = {
        "description": "In an emergency, databases open.",
        "effect": "permit",
        "enforcement": "enforce",
        "match": {"lanes": ["break-glass"]},
        "approvals": {"notRequired": "an emergency"},
    }
    return AccessPolicy.from_document({"metadata": {"name": "p"}, "spec": {**spec, **changes}})


OPEN = permit()


def caps(
    *resources: Resource,
    settings: Settings = SETTINGS,
    policies: tuple[AccessPolicy, ...] = (OPEN,),
) -> dict[str, int]:
    """Each token role, and the seconds that its tokens live at the most."""
    setup = desired(settings, resources, policies=policies)
    prefix = "auth/token/roles/"
    bodies = {step.path: step.body for step in setup.steps if isinstance(step, Document)}
    return {
        path.removeprefix(prefix): body["token_explicit_max_ttl"]
        for path, body in bodies.items()
        if path.startswith(prefix)
    }


@pytest.mark.parametrize(
    ("tiers", "emergency"),
    [
        (("1h", "8h"), {"1h": 3600}),
        (("8h",), {"8h": 3600}),
        (("30m", "2h", "8h"), {"30m": 1800, "2h": 3600}),
        (("5m",), {"5m": 300}),
    ],
)
def test_emergency_roles_are_capped_at_an_hour(
    tiers: tuple[str, ...], emergency: dict[str, int]
) -> None:
    found = caps(resource("orders", *tiers))
    lane = {name: cap for name, cap in found.items() if name.startswith("daypass-bg-")}
    assert lane == {f"daypass-bg-orders-read-{tier}": cap for tier, cap in emergency.items()}
    assert all(
        cap == Duration.parse(name.rpartition("-")[2]).seconds
        for name, cap in found.items()
        if name not in lane
    )


def test_without_the_lane_there_are_no_roles_for_it() -> None:
    found = caps(resource("orders", "1h"), settings=dataclasses.replace(SETTINGS, break_glass=None))
    assert set(found) == {"daypass-orders-read-1h"}


@pytest.mark.parametrize(
    ("policies", "is_open"),
    [
        pytest.param((), False, id="no policy"),
        pytest.param((permit(match={}),), False, id="routine only"),
        pytest.param((permit(enforcement="audit"),), False, id="not enforced"),
        pytest.param((permit(effect="guard"),), False, id="a guard"),
        pytest.param((permit(match=LANE | {"levels": ["admin"]}),), False, id="another level"),
        pytest.param(
            (permit(match=LANE | {"resources": {"names": ["other"]}}),),
            False,
            id="another resource",
        ),
        pytest.param(
            (permit(match=LANE | {"resources": {"sensitivities": ["high"]}}),), False, id="not low"
        ),
        pytest.param(
            (permit(match=LANE | {"resources": {"labels": {"tier": ["gold"]}}}),), False, id="label"
        ),
        pytest.param(
            (permit(match=LANE | {"subjects": {"types": ["agent"]}}),), False, id="no humans"
        ),
        pytest.param(
            (permit(match=LANE | {"subjects": {"types": ["human"], "names": ["alice"]}}),),
            True,
            id="somebody",
        ),
        pytest.param((permit(match={}), OPEN), True, id="one of two"),
    ],
)
def test_only_what_a_permitting_policy_opens_has_roles_of_the_lane(
    policies: tuple[AccessPolicy, ...], is_open: bool
) -> None:
    found = caps(resource("orders", "1h"), policies=policies)
    assert ("daypass-bg-orders-read-1h" in found) is is_open
    assert "daypass-orders-read-1h" in found


def test_the_bot_may_mint_through_no_role_that_is_not_laid_in() -> None:
    setup = desired(SETTINGS, [resource("orders", "1h")], policies=[permit(match={})])
    texts = {step.name: step.text for step in setup.steps if isinstance(step, Policy)}
    assert "daypass-bg-" not in texts["daypass-apply"]


def test_each_role_hands_out_its_own_policy_and_that_reads_one_credential() -> None:
    setup = desired(SETTINGS, [resource("orders", "1h")], policies=[OPEN])
    bodies = {step.path: step.body for step in setup.steps if isinstance(step, Document)}
    name = "daypass-bg-orders-read-1h"
    assert bodies[f"auth/token/roles/{name}"]["allowed_policies"] == [name]
    texts = {step.name: step.text for step in setup.steps if isinstance(step, Policy)}
    assert texts[name].count("path ") == 1
    assert 'path "database/creds/role-1h"' in texts[name]
    assert f'path "auth/token/create/{name}"' in texts["daypass-apply"]


def test_a_resource_cannot_take_the_lanes_names() -> None:
    both = [resource("orders", "1h"), resource("bg-orders", "1h")]
    with pytest.raises(DocumentError, match="daypass-bg-orders-read-1h"):
        desired(SETTINGS, both, policies=[OPEN])


OFFLINE = dataclasses.replace(
    SETTINGS,
    break_glass=BreakGlassSettings(
        ("dba",),
        ("security",),
        "INC-[0-9]+",
        OfflineSettings(("alice", "bob", "gone"), (("orders", "read"),)),
    ),
)


def person(name: str, number: int, *, status: str = "active") -> Identity:
    return Identity(
        name,
        IdentityType.HUMAN,
        IdentityStatus(status),
        github_id=number,
        vault_entity=f"{number}dc75420-5186-dace-c92e-6a56b3933686",
    )


def test_what_can_be_taken_offline_is_what_the_settings_name_and_for_an_hour() -> None:
    both = (resource("orders", "1h", "8h"), resource("ledger", "8h"))
    found = caps(*both, settings=OFFLINE, policies=())  # Vault gives it before a policy is asked
    lane = {name: cap for name, cap in found.items() if "-offline-" in name}
    assert lane == {"daypass-offline-orders-read-1h": 3600}
    assert not [name for name in caps(*both) if "-offline-" in name]


def test_only_the_entities_of_active_named_invokers_are_in_the_group() -> None:
    people = [person("alice", 1), person("bob", 2, status="suspended"), person("mallory", 3)]
    setup = desired(OFFLINE, [resource("orders", "1h")], people)
    bodies = {step.path: step.body for step in setup.steps if isinstance(step, Document)}
    group = bodies["identity/group/name/daypass-offline"]
    assert group["member_entity_ids"] == ["1dc75420-5186-dace-c92e-6a56b3933686"]
    assert group["policies"] == ["daypass-offline"]
    role = bodies["auth/token/roles/daypass-offline-orders-read-1h"]
    assert role["orphan"] is False  # only a child of a log-in has its entity
    texts = {step.name: step.text for step in setup.steps if isinstance(step, Policy)}
    assert texts["daypass-offline"].count("path ") == 2
    assert "offline/{{identity.entity.id}}/*" in texts["daypass-offline"]
    assert "auth/token/create/daypass-offline-orders-read-1h" not in texts["daypass-apply"]
