"""The whole set-up that access/ asks of a Vault, as pure data: computed offline, in a fixed order.

The database mount, its connection and its roles are the database administrator's: they are looked
at by `doctor`, and never written.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from daypass.adapters.vault import bot_policy, offline_policy
from daypass.adapters.vault.minting import READABLE_ENGINES
from daypass.adapters.vault.parts import named_parts
from daypass.adapters.vault.steps import (
    ROLES,
    Document,
    Mount,
    Policy,
    Setup,
    Step,
    TieredRole,
    TransitKey,
    jwt_role_path,
)
from daypass.errors import DocumentError
from daypass.model.names import COMMANDS_RUN_WORKFLOW, ENVIRONMENT, RECONCILE_WORKFLOW
from daypass.model.resource import (
    EMERGENCY_CAP,
    IssueMode,
    break_glass_role_name,
    offline_role_name,
    token_role_name,
)
from daypass.model.vault_names import (
    MONITOR_POLICY,
    OFFLINE_POLICY,
    clashes,
    is_further_part,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from daypass.model.catalogue import Catalogue
    from daypass.model.identity import Identity
    from daypass.model.policy import AccessPolicy
    from daypass.model.resource import Level, Resource, Tier
    from daypass.model.settings import Settings

PREFIX: Final = "daypass-"  # of token roles and policies that belong to daypass
_APPLY_EVENTS: Final = ("push", "schedule", "workflow_dispatch")
_COMMAND_EVENTS: Final = ("issue_comment", "workflow_dispatch")
LOGIN_SECONDS: Final = 600  # how long a job's token lives; a longer run logs in again
# Paths go into policies, where `*` and `+` are wildcards and a quotation mark ends the string.
_PATH = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?(?:/[A-Za-z0-9_.-]*[A-Za-z0-9_])*")
_RESERVED: Final = frozenset({"sys", "auth", "identity", "cubbyhole"})


def desired_by(catalogue: Catalogue) -> Setup:
    """What those documents ask of Vault. Raises DocumentError, as `desired` does."""
    return desired(
        catalogue.settings,
        catalogue.resources.values(),
        catalogue.identities.values(),
        catalogue.policies.values(),
    )


def desired(
    settings: Settings,
    resources: Iterable[Resource],
    identities: Iterable[Identity] = (),
    policies: Iterable[AccessPolicy] = (),
) -> Setup:
    """What access/ asks of Vault.

    Args:
        settings: of access/daypass.yaml.
        resources: all of access/resources.
        identities: all of access/identities; asked for who may take access offline.
        policies: all of access/policies; asked for what they open to the emergency lane.

    Raises:
        DocumentError: two levels would share a token role, or a path cannot stand in a policy.
    """
    found = _roles(settings, resources, tuple(policies))
    roles = tuple(sorted(found, key=lambda role: role.name))
    vault = settings.vault
    minted = tuple(role for role in roles if not role.offline)
    applying = bot_policy.bot_policies(settings, minted)
    named = tuple(named_parts(vault.apply_role, len(applying)))
    grant_policies = (Policy(role.name, bot_policy.grant_policy(role, settings)) for role in roles)
    steps: tuple[Step, ...] = (
        Mount("sys/mounts", vault.kv_mount, "kv", {"version": "2"}),
        # One version: what a slot no longer holds (a ciphertext, say) lives on in no older one.
        Document("KV settings", f"{vault.kv_mount}/config", {"max_versions": 1}),
        Mount("sys/mounts", vault.transit_mount, "transit"),
        TransitKey(vault.transit_mount, settings.evidence.key, ("ed25519",), imported=False),
        TransitKey(
            vault.transit_mount,
            vault.app_key,
            ("rsa-2048", "rsa-3072", "rsa-4096"),
            imported=True,
        ),
        *grant_policies,
        *(_token_role(role) for role in roles),
        *(Policy(name, text) for name, text in applying.items()),
        Policy(vault.commands_role, bot_policy.commands_policy(settings)),
        Policy(MONITOR_POLICY, bot_policy.monitor_policy(settings)),
        *_offline(settings, roles, identities),
        Mount("sys/auth", vault.jwt_mount, "jwt"),
        _jwt_config(settings),
        _jwt_role(settings, vault.apply_role, RECONCILE_WORKFLOW, _APPLY_EVENTS, named),
        _jwt_role(
            settings,
            vault.commands_role,
            COMMANDS_RUN_WORKFLOW,
            _COMMAND_EVENTS,
            (vault.commands_role,),
        ),
    )
    _refuse_twice(steps)
    return Setup(settings, roles, steps)


def _roles(
    settings: Settings, resources: Iterable[Resource], policies: Sequence[AccessPolicy]
) -> Iterable[TieredRole]:
    seen = _own_policies(settings)
    for resource in sorted(resources, key=lambda item: item.name):
        for level in sorted(resource.levels.values(), key=lambda item: item.name):
            opened = any(item.opens_in_emergency(resource, level.name) for item in policies)
            for tier in level.tiers:
                where = f"{resource.name}, level {level.name}, tier {tier.length}"
                for role in _roles_of_tier(settings, resource, level, tier, opened=opened):
                    if is_further_part(settings.vault.apply_role, role.name):
                        seen[role.name] = "a part of the policy of `daypass apply`"
                    if role.name in seen:
                        raise DocumentError(
                            f"{where} and {seen[role.name]} would both be {role.name} in Vault",
                            remedy="Rename one of the two: their rights would be one.",
                        )
                    seen[role.name] = where
                    yield role


def _roles_of_tier(
    settings: Settings, resource: Resource, level: Level, tier: Tier, *, opened: bool
) -> Iterable[TieredRole]:
    """The tier's routine role and, where a policy opens the level to emergencies, that lane's.

    What is taken offline needs no policy: the settings name it, and Vault gives it unasked.
    """
    routine = _role(settings, resource, level, tier)
    yield routine
    if settings.break_glass is not None and tier in level.emergency_tiers:
        name = break_glass_role_name(resource.name, level.name, tier.length)
        emergency = replace(routine, name=name, cap=min(tier.length, EMERGENCY_CAP))
        if opened:
            yield emergency
        offline = settings.break_glass.offline
        if offline is not None and (resource.name, level.name) in offline.levels:
            name = offline_role_name(resource.name, level.name, tier.length)
            yield replace(emergency, name=name, issue=IssueMode.ON_CLAIM, offline=True)


def _offline(
    settings: Settings, roles: Iterable[TieredRole], identities: Iterable[Identity]
) -> Iterable[Step]:
    """Who may mint for themselves, and what: a group of the named invokers' own entities."""
    lane = settings.break_glass
    if lane is None or lane.offline is None:
        return
    names = lane.offline.invokers
    members = sorted(
        item.vault_entity
        for item in identities
        if item.name in names and item.is_active and item.vault_entity is not None
    )
    offered = [role for role in roles if role.offline]
    yield Policy(OFFLINE_POLICY, offline_policy.invokers_policy(settings, offered))
    yield Document(
        f"group {OFFLINE_POLICY}: who may take access offline",
        f"identity/group/name/{OFFLINE_POLICY}",
        {
            "type": "internal",
            "policies": [OFFLINE_POLICY],
            "member_entity_ids": members,
            "member_group_ids": [],
        },
    )


def _refuse_twice(steps: Iterable[Step]) -> None:
    """Refuse two steps that write one thing: the later one would win, or now one and now the other.

    Vault keeps the names of policies in lower case.
    """
    seen: dict[tuple[str, str], str] = {}
    for step in steps:
        place = (step.table if isinstance(step, Mount) else "", step.path.lower())
        if place in seen:
            raise DocumentError(
                f"{seen[place]} and {step.title} would be one in Vault",
                remedy="Rename one of the two in access/: their rights would be one.",
            )
        seen[place] = step.title


def _own_policies(settings: Settings) -> dict[str, str]:
    """The names that no grant's policy may have: what each of them is, for people."""
    for clash in clashes(settings):
        raise DocumentError(clash.message, remedy=clash.remedy)
    vault = settings.vault
    return {
        vault.apply_role: "the policy of `daypass apply` itself",
        vault.commands_role: "the policy of `daypass command` itself",
        OFFLINE_POLICY: "the policy of who may take access offline",
        MONITOR_POLICY: "the policy of who watches daypass",
    }


def _role(settings: Settings, resource: Resource, level: Level, tier: Tier) -> TieredRole:
    where = f"access/resources/{resource.name}.yaml: level {level.name}"
    own = {settings.vault.kv_mount, settings.vault.transit_mount, *_RESERVED}
    if level.engine not in READABLE_ENGINES:
        raise DocumentError(
            f"{where}: daypass cannot mint from a secrets engine {level.engine!r}",
            remedy=f"Engines that it can mint from: {', '.join(sorted(READABLE_ENGINES))}.",
        )
    for path in (level.mount, tier.role, *([level.confirm] if level.confirm else [])):
        if _PATH.fullmatch(path) is None or ".." in path or (path != level.mount and "/" in path):
            raise DocumentError(
                f"{where}: {path!r} cannot stand in a Vault policy",
                remedy="Letters, digits, `_`, `.`, `-` and single slashes; no wildcards.",
            )
    if level.mount.split("/")[0] in own:
        raise DocumentError(
            f"{where}: the mount {level.mount!r} is Vault's or daypass's own",
            remedy="Name the mount of the secrets engine, for example `database`.",
        )
    return TieredRole(
        name=token_role_name(resource.name, level.name, tier.length),
        resource=resource.name,
        level=level.name,
        length=tier.length,
        issue=level.issue,
        mount=level.mount,
        role=tier.role,
        cap=tier.length,
        confirm=level.confirm,
    )


def _token_role(role: TieredRole) -> Document:
    """Hands out tokens with exactly one policy, that end with the tier at the latest.

    Orphans, so that they outlive the job that minted them. What a person mints offline is a child
    of their own log-in: only so does Vault itself say, by the entity, whose it is.
    """
    return Document(
        f"token role {role.name}",
        f"{ROLES}/{role.name}",
        {
            "allowed_policies": [role.name],
            "allowed_policies_glob": [],
            "disallowed_policies": [],
            "disallowed_policies_glob": [],
            "allowed_entity_aliases": [],
            "orphan": not role.offline,
            "renewable": False,
            "path_suffix": "",
            "token_explicit_max_ttl": role.cap.seconds,
            "token_no_default_policy": True,
            "token_period": 0,
            "token_type": "service",
        },
    )


def _jwt_config(settings: Settings) -> Document:
    issuer = settings.github.oidc_issuer
    return Document(
        "JWT issuer",
        f"auth/{settings.vault.jwt_mount}/config",
        {
            "oidc_discovery_url": issuer,
            "bound_issuer": issuer,
            "jwt_supported_algs": ["RS256"],  # what GitHub signs with: no `none`, no HS256
            "default_role": "",
        },
    )


def _jwt_role(
    settings: Settings,
    name: str,
    workflow: str,
    events: tuple[str, ...],
    policies: tuple[str, ...],
) -> Document:
    """Exact strings, never globs: runs of this repository's default branch, in that workflow.

    The workflow is the control repository's. Where there is none it is this repository's own, and
    its job is in the environment that only the default branch may use.
    """
    github, vault, control = settings.github, settings.vault, settings.control
    ref = f"refs/heads/{github.default_branch}"
    if control is None:
        home, own = f"{github.full_name}/{workflow}@{ref}", {"environment": ENVIRONMENT}
    else:
        home, own = f"{control.repository}/{workflow}@refs/heads/{control.branch}", {}
    return Document(
        f"JWT role {name}",
        jwt_role_path(vault, name),
        {
            "role_type": "jwt",
            "user_claim": "repository_id",
            "bound_audiences": [vault.audience],
            "bound_subject": "",
            "bound_claims_type": "string",
            "bound_claims": {
                "repository_id": str(github.repository_id),
                "repository_owner_id": str(github.owner_id),
                "ref": ref,
                "job_workflow_ref": home,
                "event_name": list(events),
                **own,
            },
            "token_policies": list(policies),
            "token_ttl": LOGIN_SECONDS,
            "token_max_ttl": LOGIN_SECONDS,
            "token_explicit_max_ttl": LOGIN_SECONDS,
            "token_no_default_policy": True,
            "token_num_uses": 0,
            "token_period": 0,
            "token_type": "service",
        },
    )
