"""What the bot may do in Vault: exactly what each of its two runs does, and nothing else.

Each line here is proven from both sides by tests on a real server: what a run does works with it,
and some thirty things that it must not do are refused.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Final

from daypass.adapters.vault import parts
from daypass.adapters.vault.caps import TUNE_OF_TOKENS, role_path, tune_path
from daypass.adapters.vault.done_notes import leaving_rule, reading_rule
from daypass.adapters.vault.hcl import PathRule, policy
from daypass.adapters.vault.minting import USES
from daypass.adapters.vault.offline_notes import FOLDER
from daypass.model.grant import WATCH_SECONDS
from daypass.model.resource import IssueMode
from daypass.model.vault_names import part_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from daypass.adapters.vault.steps import TieredRole
    from daypass.model.settings import Settings

# Vault keeps each policy in one entry of its storage: of raft it takes 1 MiB.
_LONGEST: Final = 700_000  # characters of one policy
_VALUES: Final = 1000  # of a parameter in one rule


def grant_policy(role: TieredRole, settings: Settings) -> str:
    """The one policy of a grant token: read one credential, and end it early if it is claimed.

    Where the bot holds that token for a moment (on-merge), the credential can be read only inside
    a wrapping token, so that opening it leaves a trace that its holder meets.
    """
    on_merge = role.issue is IssueMode.ON_MERGE
    rules = [
        PathRule(
            role.credential_path,
            ("read",),
            least_wrapping=1 if on_merge else None,
            most_wrapping=settings.claim_window.seconds if on_merge else None,
        )
    ]
    if not on_merge:  # only a claimed grant token is in its holder's hands
        rules += [
            PathRule("auth/token/revoke-self", ("update",), why="`daypass done`: end it early"),
            leaving_rule(settings.vault.kv_mount),
        ]
    return policy(f"{role.name}: made by daypass from access/resources/{role.resource}.yaml", rules)


def bot_policies(settings: Settings, roles: Sequence[TieredRole]) -> dict[str, str]:
    """The policies of `daypass apply`, by name: one, or several where one would be too long.

    The first has the name of its role, and holds all that no resource brings: the rest are rights
    over tiers. Vault joins what the policies of a token say of one path.
    """
    fixed = _rules((), settings, first=True)
    alone = sum(len(policy("", _rules((role,), settings))) for role in roles[:2])
    shared = alone - len(policy("", _rules(roles[:2], settings)))  # by the tiers of one part
    tiers = parts.spread(
        roles,
        lambda role: role.name,
        lambda role: len(policy("", _rules((role,), settings))) - shared,
        max(1, _LONGEST - len(policy("", fixed))),
    )
    name = settings.vault.apply_role
    return {
        (part := part_name(name, number)): policy(
            parts.head(part), _rules(some, settings, first=number == 1, any_roles=bool(roles))
        )
        for number, some in enumerate(tiers, start=1)
    }


def _rules(
    roles: Sequence[TieredRole], settings: Settings, *, first: bool = False, any_roles: bool = False
) -> list[PathRule]:
    """What those tiers ask for; in the first part, also what every run needs."""
    return [
        *(_mint(role, settings) for role in roles),
        *(_tokens() if first else ()),
        *_leases(roles),
        *_looks(roles),
        *_caps(roles),
        *((PathRule(TUNE_OF_TOKENS, ("read",)),) if first and any_roles else ()),
        *(_memory(settings.vault.kv_mount) if first else ()),
        *(_keys(settings) if first else ()),
    ]


def commands_policy(settings: Settings) -> str:
    """The policy of `daypass command`, which obeys people's comments: it can only take away.

    It mints nothing, signs no evidence, and writes no slot. Where a grant stands it only reads.
    """
    vault = settings.vault
    data = f"{vault.kv_mount}/data/{FOLDER}"
    rules = [
        PathRule(f"{data}/grants/*", ("read",), why="find the accessor of a grant"),
        PathRule(f"{data}/intents/*", ("create", "read", "update"), why="note what a person wants"),
        PathRule("auth/token/lookup-accessor", ("update",), why="see whether a grant lives"),
        PathRule(
            "auth/token/revoke-accessor",
            ("update",),
            why="end a grant; it reaches every token of the namespace: give daypass its own",
        ),
        PathRule("auth/token/revoke-self", ("update",), why="end this very login with the job"),
        PathRule(
            f"{vault.transit_mount}/keys/{settings.evidence.key}",
            ("read",),
            why="know whose signature makes a commit evidence: the public half",
        ),
        _sign_app_jwt(settings),
    ]
    return policy(f"{vault.commands_role}: what `daypass command` may do. Made by daypass.", rules)


def monitor_policy(settings: Settings) -> str:
    """The policy of `daypass doctor`, for a monitor outside."""
    notes = f"{settings.vault.kv_mount}/data/{FOLDER}/notes/heartbeat"
    rules = (
        PathRule(notes, ("read",), why="when the last good run was"),
        PathRule("sys/leases/count", ("read",), why="whether Vault has given up ending something"),
    )
    return policy("daypass-monitor: what `daypass doctor` may do. Made by daypass.", rules)


def _mint(role: TieredRole, settings: Settings) -> PathRule:
    on_claim = role.issue is IssueMode.ON_CLAIM
    return replace(
        mint_rule(
            role, f"mint grants of {role.resource}, {role.level}, up to {role.cap}: {role.issue}"
        ),
        least_wrapping=1 if on_claim else None,
        most_wrapping=settings.claim_window.seconds + WATCH_SECONDS if on_claim else None,
    )


def mint_rule(role: TieredRole, why: str) -> PathRule:
    """What whoever mints through a token role may ask for, the bot and a person alike."""
    return PathRule(
        f"auth/token/create/{role.name}",
        ("update",),
        why=why,
        required=("policies", "ttl", "explicit_max_ttl", "num_uses", "meta"),
        allowed={
            "policies": [[role.name]],
            "ttl": [],
            "explicit_max_ttl": [],
            "num_uses": [str(USES)],
            "renewable": [False],
            "no_default_policy": [True],
            "display_name": [],
            "meta": [],
        },
    )


def _tokens() -> Iterable[PathRule]:
    return (
        PathRule("auth/token/lookup-accessor", ("update",), why="see how long a grant lives"),
        PathRule(
            "auth/token/revoke-accessor",
            ("update",),
            why="end a grant; it reaches every token of the namespace: give daypass its own",
        ),
        PathRule("auth/token/accessors", ("list", "sudo"), why="see which tokens live, at once"),
        PathRule("auth/token/accessors/", ("list", "sudo")),
        PathRule("auth/token/revoke-self", ("update",), why="end this very login with the job"),
    )


def _leases(roles: Sequence[TieredRole]) -> Iterable[PathRule]:
    """Confirm that what was revoked is gone: leases of daypass's own roles, and no others."""
    paths = [path for path, _ in groupby(sorted(role.credential_path for role in roles))]
    if not paths:
        return
    leases = [f"{path}/*" for path in paths]
    looks = sorted({f"{role.look_path}/*" for role in roles if role.look_path is not None})
    for some in _in_rules(leases):
        yield PathRule(
            "sys/leases/lookup",
            ("update",),
            why="confirm that a credential is gone",
            required=("lease_id",),
            allowed={"lease_id": some},
        )
    for some in _in_rules([*leases, *looks]):
        yield PathRule(
            "sys/leases/revoke",
            ("update",),
            why="repair a revocation that failed, and wait until it is done",
            required=("lease_id", "sync"),
            allowed={"lease_id": some, "sync": [True]},
        )
    for path in paths:
        yield PathRule(f"sys/leases/lookup/{path}", ("list", "sudo"))
        yield PathRule(f"sys/leases/lookup/{path}/", ("list", "sudo"))


def _in_rules(values: list[str]) -> Iterable[list[str]]:
    """The values of a parameter, in rules that are not too long."""
    return (values[start : start + _VALUES] for start in range(0, len(values), _VALUES))


def _looks(roles: Sequence[TieredRole]) -> Iterable[PathRule]:
    """Roles that make no credential: they answer by an error, and say what still works."""
    for path in sorted({role.look_path for role in roles if role.look_path is not None}):
        yield PathRule(path, ("read",), why="look whether an end is an end at the target, too")


def _caps(roles: Sequence[TieredRole]) -> Iterable[PathRule]:
    """What limits a lease or a token: read before a grant is promised."""
    paths = {role_path(role.mount, role.role) for role in roles}
    for path in sorted(paths | {tune_path(role.mount) for role in roles}):
        yield PathRule(path, ("read",), why="promise no more time than Vault gives")


def _memory(mount: str) -> Iterable[PathRule]:
    """Slots and notes are written and never deleted: an id is used once."""
    return (
        PathRule(
            f"{mount}/data/{FOLDER}/grants/*",
            ("create", "read", "update"),
            why="remember how far each grant has come",
        ),
        PathRule(f"{mount}/data/{FOLDER}/notes/*", ("create", "read", "update")),
        PathRule(f"{mount}/data/{FOLDER}/pending/*", ("create", "read", "update")),
        *_intents(mount),
        *_offline(mount),
        reading_rule(mount),
        PathRule(f"{mount}/metadata/{FOLDER}/pending", ("list",)),
        PathRule(f"{mount}/metadata/{FOLDER}/pending/", ("list",)),
        PathRule(f"{mount}/metadata/{FOLDER}/pending/*", ("delete",)),
    )


def _intents(mount: str) -> Iterable[PathRule]:
    """Intents wait there until they are carried out."""
    return (
        PathRule(f"{mount}/data/{FOLDER}/intents/*", ("create", "read", "update")),
        PathRule(f"{mount}/metadata/{FOLDER}/intents", ("list",)),
        PathRule(f"{mount}/metadata/{FOLDER}/intents/", ("list",)),
        PathRule(f"{mount}/metadata/{FOLDER}/intents/*", ("delete",)),
    )


def _offline(mount: str) -> Iterable[PathRule]:
    """What people left who took access while GitHub was down: read, and cleared when known."""
    folder = f"{FOLDER}/offline"
    return (
        PathRule(f"{mount}/data/{folder}/*", ("read",), why="what was taken while GitHub was down"),
        PathRule(f"{mount}/metadata/{folder}", ("list",)),
        PathRule(f"{mount}/metadata/{folder}/*", ("list", "read", "delete")),
    )


def _keys(settings: Settings) -> Iterable[PathRule]:
    mount = settings.vault.transit_mount
    return (
        PathRule(f"{mount}/keys/{settings.evidence.key}", ("read",), why="sign the evidence"),
        PathRule(f"{mount}/sign/{settings.evidence.key}", ("update",)),
        _sign_app_jwt(settings),
    )


def _sign_app_jwt(settings: Settings) -> PathRule:
    return PathRule(
        f"{settings.vault.transit_mount}/sign/{settings.vault.app_key}/sha2-256",
        ("update",),
        why="sign the GitHub App's JWT",
        required=("input", "signature_algorithm"),
        allowed={"input": [], "signature_algorithm": ["pkcs1v15"]},
    )
