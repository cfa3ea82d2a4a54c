"""Neighbours: other governed repositories that use this Vault namespace.

A run ends every token that came through its repository's token roles and that its main does not
know. So two repositories that mint through token roles of one name end each other's grants. What
another repository mints through shows in the JWT roles that are bound to its numeric id, and in
the policies that these give: Vault holds that already, so nothing new has to be laid in for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.adapters.vault.answer import NOT_FOUND
from daypass.adapters.vault.compare import Found, State, mounts_of, removable
from daypass.adapters.vault.offline_notes import FOLDER
from daypass.adapters.vault.parts import is_part, policy_text, refuse_foreign_parts
from daypass.adapters.vault.steps import Policy, jwt_role_path
from daypass.documents.wording import first_of
from daypass.errors import VaultRefusedError
from daypass.model.resource import role_names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from daypass.adapters.vault.session import Session
    from daypass.adapters.vault.steps import Setup

_TYPES: Final = ("jwt", "oidc")
_ID: Final = re.compile(r"[0-9]+")  # a glob names no repository: that is drift, and is mended
_PATH: Final = re.compile(r'^\s*path\s+"([^"]+)"', re.MULTILINE)
_CREATE: Final = "auth/token/create/"
_TOLD: Final = 5  # names in one finding
_TITLE: Final = "other repositories"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A JWT role of another repository, and what its policies reach of daypass's."""

    repository_id: str
    path: str  # of its JWT role
    policies: frozenset[str]  # that it gives
    token_roles: frozenset[str]  # that it mints through
    kv_mounts: frozenset[str]  # where it keeps its memory


def refuse_neighbours(session: Session, setup: Setup, *, pruning: bool) -> None:
    """Refuses to lay in, or to remove, what another repository has in this Vault.

    Args:
        session: logged in as an operator who may read the set-up.
        setup: what is wanted.
        pruning: whether what access/ no longer names is removed, too.

    Raises:
        VaultRefusedError: another repository has it; or the operator's token may not look.
        VaultUnavailableError.
    """
    neighbours = _find(session, setup)
    _refuse(session, setup, neighbours, pruning=pruning)
    refuse_foreign_parts(session, setup)


def _refuse(
    session: Session, setup: Setup, neighbours: Iterable[Neighbour], *, pruning: bool
) -> None:
    if not neighbours:
        return
    removed = {item.name for item in removable(session, setup, pruning=pruning)}
    for item in neighbours:
        what = _shared(item, setup, removed)
        if what:
            raise VaultRefusedError(
                f"repository {item.repository_id} ({item.path}) {what}: nothing was changed",
                remedy=_remedy(item),
            )


def examine_neighbours(session: Session, setup: Setup) -> Iterator[Found]:
    """Says which other repositories have what is this one's, as the doctor does.

    Raises VaultUnavailableError, VaultRefusedError.
    """
    try:
        neighbours = _find(session, setup)
    except VaultRefusedError as error:
        yield Found(_TITLE, State.NOT_TRIED, f"{error.message}. {error.remedy}")
        return
    found = False
    for item in neighbours:
        what = _shared(item, setup)
        if what:
            found = True
            detail = f"it {what}: runs of the two end each other's grants. {_remedy(item)}"
            yield Found(f"repository {item.repository_id} ({item.path})", State.WRONG, detail)
    if not found:
        yield Found(_TITLE, State.SAME)


def _remedy(item: Neighbour) -> str:
    return (
        "Give each governed repository a namespace of its own (spec.vault.namespace), or other "
        "names of resources, roles and mounts. If that repository is gone: `bao delete "
        f"{item.path}`, and run it again."
    )


def _shared(item: Neighbour, setup: Setup, removed: Collection[str] = ()) -> str:
    """What the two would share, in words; empty if they share nothing."""
    vault = setup.settings.vault
    own = {jwt_role_path(vault, name) for name in (vault.apply_role, vault.commands_role)}
    if item.path in own:
        return "has the JWT role of this name"
    laid_in = {step.name for step in setup.steps if isinstance(step, Policy)}
    policies = sorted(name for name in item.policies if name in laid_in or is_part(setup, name))
    if policies:
        return f"logs in with the policy of the same name: {first_of(policies, _TOLD)}"
    roles = sorted(item.token_roles & _names(setup))
    if roles:
        return f"mints through token roles of the same names: {first_of(roles, _TOLD)}"
    if vault.kv_mount in item.kv_mounts:
        return f"keeps its memory in the same KV mount, {vault.kv_mount}/"
    lost = sorted((item.token_roles | item.policies) & set(removed))
    return f"needs what this would remove: {first_of(lost, _TOLD)}" if lost else ""


def _names(setup: Setup) -> set[str]:
    """Every token role by which a run of this repository takes a token for its own."""
    return {
        name for role in setup.roles for name in role_names(role.resource, role.level, role.length)
    }


def _find(session: Session, setup: Setup) -> list[Neighbour]:
    own = str(setup.settings.github.repository_id)
    paths: dict[str, frozenset[str]] = {}  # of each policy that was read
    found: list[Neighbour] = []
    for path, role in _jwt_roles(session):
        claims = role.get("bound_claims")
        bound = claims.get("repository_id") if isinstance(claims, dict) else None
        ids = [str(item) for item in (bound if isinstance(bound, list) else [bound])]
        others = [item for item in ids if item != own and _ID.fullmatch(item)]
        if not others or own in ids:
            continue
        named = role.get("token_policies")
        names = frozenset(map(str, named if isinstance(named, list) else ()))
        for name in names - paths.keys():
            paths[name] = _paths(session, name)
        reached = frozenset[str]().union(*(paths[name] for name in names))
        created = {item.removeprefix(_CREATE) for item in reached if item.startswith(_CREATE)}
        kv_mounts = frozenset(_kv_mounts(reached))
        found.append(Neighbour(others[0], path, names, frozenset(created), kv_mounts))
    return found


def _jwt_roles(session: Session) -> Iterator[tuple[str, Mapping[str, object]]]:
    mounts = session.call("GET", "sys/auth").read(mounts_of)
    for mount, about in sorted(mounts.items()):
        if about.get("type") not in _TYPES:
            continue
        folder = f"auth/{mount}role"
        for name in session.call("LIST", folder, accept=NOT_FOUND).keys:
            path = f"{folder}/{name}"
            yield path, session.call("GET", path, accept=NOT_FOUND).data


def _paths(session: Session, policy: str) -> frozenset[str]:
    """The paths that a policy names."""
    return frozenset(_PATH.findall(policy_text(session, policy) or ""))


def _kv_mounts(paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        mount, found, _ = path.partition(f"/data/{FOLDER}/")
        if found:
            yield mount
