"""The set-up as pure data: what it asks for, what it refuses, and that it is always the same."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daypass.adapters.vault.bot_policy import bot_policies
from daypass.adapters.vault.render import render
from daypass.adapters.vault.setup import desired
from daypass.adapters.vault.steps import Document, Policy
from daypass.errors import DocumentError
from daypass.model.instant import Duration
from daypass.model.names import NAME_PATTERN
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
    ControlSettings,
)
from support.settings import SETTINGS


def level(name: str, *tiers: str, **changes: object) -> Level:
    made = Level(
        name=name,
        engine="database",
        mount="database",
        tiers=tuple(Tier(Duration.parse(tier), f"role-{tier}") for tier in tiers or ("1h",)),
        issue=IssueMode.ON_MERGE,
    )
    return dataclasses.replace(made, **changes)


def resource(name: str, *levels: Level) -> Resource:
    return Resource(
        name=name,
        type="database",
        environment="production",
        sensitivity=Sensitivity.LOW,
        business_owner="a",
        lifecycle_owner="b",
        levels={item.name: item for item in levels},
        max_duration=Duration.parse("8h"),
        recording=Recording.NONE,
        approvers=Approvers((), 1, owner=True),
    )


def test_every_tier_has_a_role_and_a_policy_of_one_path() -> None:
    setup = desired(SETTINGS, [resource("orders", level("read", "1h", "8h"))])
    policies = {step.name: step.text for step in setup.steps if isinstance(step, Policy)}
    assert set(policies) == {
        "daypass-orders-read-1h",
        "daypass-orders-read-8h",
        "daypass-apply",
        "daypass-commands",
        "daypass-monitor",
    }
    assert policies["daypass-orders-read-8h"].count("path ") == 1
    assert 'path "database/creds/role-8h"' in policies["daypass-orders-read-8h"]
    roles = [
        step.body
        for step in setup.steps
        if isinstance(step, Document) and step.path == "auth/token/roles/daypass-orders-read-8h"
    ]
    assert roles[0]["token_explicit_max_ttl"] == 8 * 3600
    assert roles[0]["allowed_policies"] == ["daypass-orders-read-8h"]
    assert roles[0]["orphan"] is True
    assert roles[0]["renewable"] is False


def test_the_login_is_bound_to_exact_strings() -> None:
    setup = desired(SETTINGS, [])
    bodies = {step.path: step.body for step in setup.steps if isinstance(step, Document)}
    role = bodies["auth/daypass-github/role/daypass-apply"]
    assert role["bound_claims_type"] == "string"
    assert role["bound_claims"] == {
        "repository_id": "456",
        "repository_owner_id": "900",
        "ref": "refs/heads/main",
        "job_workflow_ref": ("acme/access/.github/workflows/access-reconcile.yml@refs/heads/main"),
        "event_name": ["push", "schedule", "workflow_dispatch"],
        "environment": "daypass",
    }
    assert role["token_explicit_max_ttl"] == 600
    assert role["token_no_default_policy"] is True
    commands = bodies["auth/daypass-github/role/daypass-commands"]
    assert commands["bound_claims"] == {
        **role["bound_claims"],
        "job_workflow_ref": (
            "acme/access/.github/workflows/access-commands-run.yml@refs/heads/main"
        ),
        "event_name": ["issue_comment", "workflow_dispatch"],
    }
    assert commands["token_policies"] == ["daypass-commands"]
    rest = set(role) - {"bound_claims", "token_policies"}
    assert {key: commands[key] for key in rest} == {key: role[key] for key in rest}


def test_with_a_control_repository_its_workflow_is_bound_and_no_environment() -> None:
    github = dataclasses.replace(SETTINGS.github, default_branch="trunk")
    control = ControlSettings("acme/access-control", 7, "release")
    setup = desired(dataclasses.replace(SETTINGS, github=github, control=control), [])
    bodies = {step.path: step.body for step in setup.steps if isinstance(step, Document)}
    for role, file in (("apply", "access-reconcile.yml"), ("commands", "access-commands-run.yml")):
        bound = bodies[f"auth/daypass-github/role/daypass-{role}"]["bound_claims"]
        assert bound["repository_id"] == "456"
        assert bound["ref"] == "refs/heads/trunk"
        assert bound["job_workflow_ref"] == (
            f"acme/access-control/.github/workflows/{file}@refs/heads/release"
        )
        assert "environment" not in bound


def test_names_that_would_share_rights_are_refused() -> None:
    with pytest.raises(DocumentError, match="daypass-a-b-c-1h"):
        desired(SETTINGS, [resource("a-b", level("c")), resource("a", level("b-c"))])


def test_a_grants_policy_is_never_the_bots() -> None:
    vault = dataclasses.replace(SETTINGS.vault, apply_role="daypass-a-read-1h")
    with pytest.raises(DocumentError, match="itself"):
        desired(dataclasses.replace(SETTINGS, vault=vault), [resource("a", level("read"))])


@pytest.mark.parametrize("clash", ["daypass-apply", "daypass-a-read-1h"])
def test_the_commands_policy_is_nobody_elses(clash: str) -> None:
    vault = dataclasses.replace(SETTINGS.vault, commands_role=clash)
    with pytest.raises(DocumentError):
        desired(dataclasses.replace(SETTINGS, vault=vault), [resource("a", level("read"))])


def test_only_a_claimed_grant_token_may_end_itself() -> None:
    on_claim = level("admin", issue=IssueMode.ON_CLAIM)
    setup = desired(SETTINGS, [resource("orders", level("read"), on_claim)])
    texts = {step.name: step.text for step in setup.steps if isinstance(step, Policy)}
    assert "auth/token/revoke-self" in texts["daypass-orders-admin-1h"]
    assert "metadata/daypass/done/+" in texts["daypass-orders-admin-1h"]
    assert "metadata/" not in texts["daypass-orders-read-1h"]
    assert "auth/" not in texts["daypass-orders-read-1h"]


@pytest.mark.parametrize(
    "mount",
    [
        "*",
        "data*",
        "+/x",
        "a/../sys",
        "/a",
        "a/",
        'a" {}',
        "a\n",
        "",
        "sys",
        "auth/token",
        "daypass",
        "daypass-transit",
        "identity",
        "cubbyhole",
        "a//b",
        "ä",
    ],
)
def test_a_mount_that_would_widen_a_policy_is_refused(mount: str) -> None:
    with pytest.raises(DocumentError) as error:
        desired(SETTINGS, [resource("orders", level("read", mount=mount))])
    assert error.value.remedy


@pytest.mark.parametrize("role", ["*", "a/b", "x*", "+", "..", ""])
def test_a_role_that_would_widen_a_policy_is_refused(role: str) -> None:
    tiers = (Tier(Duration.parse("1h"), role),)
    with pytest.raises(DocumentError):
        desired(SETTINGS, [resource("orders", level("read", tiers=tiers))])


def test_an_engine_that_cannot_be_minted_from_is_refused() -> None:
    with pytest.raises(DocumentError, match="ssh"):
        desired(SETTINGS, [resource("orders", level("read", engine="ssh"))])


def test_wrapping_is_enforced_where_it_must_be() -> None:
    on_claim = level("admin", issue=IssueMode.ON_CLAIM)
    setup = desired(SETTINGS, [resource("orders", level("read"), on_claim)])
    texts = {step.name: step.text for step in setup.steps if isinstance(step, Policy)}
    assert 'min_wrapping_ttl = "1s"' in texts["daypass-orders-read-1h"]
    assert "wrapping" not in texts["daypass-orders-admin-1h"]
    blocks = texts["daypass-apply"].split("\n\n")
    mint = {
        name: next(block for block in blocks if f'create/daypass-orders-{name}-1h"' in block)
        for name in ("read", "admin")
    }
    assert "wrapping" not in mint["read"]
    assert 'min_wrapping_ttl = "1s"' in mint["admin"]
    assert 'max_wrapping_ttl = "7200s"' in mint["admin"]  # an hour, and the watch after the end


def test_without_resources_the_bot_can_mint_and_revoke_nothing() -> None:
    (text,) = bot_policies(SETTINGS, ()).values()
    assert "auth/token/create" not in text
    assert "sys/leases" not in text


def test_what_the_bot_may_do_is_in_policies_that_vault_can_keep() -> None:
    many = [resource(f"database-{number}", level("read", "1h", "8h")) for number in range(1000)]
    setup = desired(SETTINGS, many)
    own = {
        step.name: step.text
        for step in setup.steps
        if isinstance(step, Policy) and step.name.startswith("daypass-apply")
    }
    assert len(own) > 1
    assert max(map(len, own.values())) < 1_000_000  # raft takes 1 MiB
    (role,) = (step for step in setup.steps if step.title == "JWT role daypass-apply")
    assert isinstance(role, Document)
    assert role.body["token_policies"][: len(own)] == list(own)
    assert len(role.body["token_policies"]) == 8  # those to come are named, and give nothing
    (text,) = bot_policies(SETTINGS, ()).values()  # and with few resources it is one
    for name in ("database-0", "database-999"):
        mint = f'path "auth/token/create/daypass-{name}-read-8h"'
        assert sum(mint in text for text in own.values()) == 1
    assert "sys/leases" not in text


names = st.lists(st.from_regex(NAME_PATTERN, fullmatch=True), min_size=1, max_size=6, unique=True)


@given(names, st.randoms(use_true_random=False))
def test_the_same_access_renders_the_same_bytes_in_any_order(
    chosen: list[str], random: object
) -> None:
    resources = [resource(name, level("read", "1h")) for name in chosen]
    before = render(desired(SETTINGS, resources))
    random.shuffle(resources)  # type: ignore[attr-defined]  # hypothesis types it as object here
    assert render(desired(SETTINGS, resources)) == before


def test_the_words_that_are_rendered_fit_a_terminal() -> None:
    """Policies and bodies are what Vault gets, to the letter: they are as wide as they are."""
    kept = {
        line
        for step in desired(SETTINGS, [resource("orders-db", level("read"))]).steps
        if isinstance(step, Policy)
        for line in step.text.splitlines()
    }
    said = render(desired(SETTINGS, [resource("orders-db", level("read"))])).splitlines()
    words = [line for line in said if line.startswith("#") and line not in kept]
    assert len(words) > 8
    assert not [line for line in words if len(line) > 80]


@given(st.from_regex(NAME_PATTERN, fullmatch=True), st.text(max_size=12))
def test_no_mount_ever_brings_a_wildcard_or_a_second_block(name: str, mount: str) -> None:
    try:
        setup = desired(SETTINGS, [resource(name, level("read", mount=mount))])
    except DocumentError:
        return
    text = next(
        step.text
        for step in setup.steps
        if isinstance(step, Policy) and step.name != "daypass-apply"
    )
    assert text.count("path ") == 1
    assert not set("*+") & set(text)
