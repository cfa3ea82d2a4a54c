"""What guards a branch: rulesets of every level and the older branch protection, in one form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from daypass.adapters.github import wire
from daypass.adapters.github.doctor.reading import NotVisibleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daypass.adapters.github.doctor.reading import Reader

APP: Final = "Integration"
_OWNERS: Final = {"Repository": "repos", "Organization": "orgs"}
_ROLES: Final = {1: "read", 2: "maintain", 3: "triage", 4: "write", 5: "admin"}


@dataclass(frozen=True, slots=True)
class Bypass:
    """An actor that may pass by a guard, as GitHub names it."""

    kind: str
    id: int | None = None
    mode: str = "always"  # always, pull_request or exempt

    def __str__(self) -> str:
        if self.kind == "RepositoryRole" and self.id in _ROLES:
            return f"everyone with the role `{_ROLES[self.id]}`"
        name = {APP: "the App", "OrganizationAdmin": "owners of the organisation"}
        told = name.get(self.kind, self.kind)
        return told if self.id is None or self.kind == "OrganizationAdmin" else f"{told} {self.id}"


@dataclass(frozen=True, slots=True)
class Guard:
    """One ruleset, or one half of the branch protection: what it demands, and of which actors."""

    name: str
    ruleset: str | None = None  # the API path that changes it; None for branch protection
    approvals: int = 0
    code_owners: bool = False
    dismiss_stale: bool = False
    last_push: bool = False
    no_deletion: bool = False
    no_force: bool = False
    bypass: tuple[Bypass, ...] | None = ()  # None: not visible


@dataclass(frozen=True, slots=True)
class Guards:
    """All that guards a branch, and what this token could not see of it."""

    seen: tuple[Guard, ...]
    hidden: str = ""


def read_guards(reader: Reader, branch: str, *, administers: bool) -> Guards:
    """The active rules of a branch, whatever level they come from, and its protection.

    Args:
        reader: of the repository.
        branch: its name.
        administers: whether the token's account administers the repository: to others GitHub
            says that there is no protection.

    Raises NotVisibleError, ForgeUnavailableError.
    """
    rules = reader.pages(_rule, f"/rules/branches/{quote(branch, safe='')}")
    by_ruleset: dict[tuple[int, str, str], list[Mapping[str, Any]]] = {}
    for key, rule in rules:
        by_ruleset.setdefault(key, []).append(rule)
    seen = [_ruleset(reader, key, found) for key, found in by_ruleset.items()]
    path = f"/branches/{quote(branch, safe='')}"
    hidden = ""
    if reader.get(_is_protected, path):
        try:
            protection = reader.find(_protection, f"{path}/protection")
        except NotVisibleError as error:
            hidden = str(error)
        else:
            if protection is not None:
                seen += protection
            elif not administers:
                hidden = "branch protection is shown to administrators only"
    return Guards(tuple(seen), hidden)


def _ruleset(
    reader: Reader, key: tuple[int, str, str], rules: Iterable[Mapping[str, Any]]
) -> Guard:
    number, source, owner = key
    try:
        name, bypass = reader.get(_bypass, f"/rulesets/{number}")
    except NotVisibleError:
        name, bypass = str(number), None
    by_type = {wire.text(rule["type"]): rule.get("parameters") or {} for rule in rules}
    wanted = wire.read(_reviews, by_type.get("pull_request", {}))
    return Guard(
        name=f"ruleset `{name}` of {source}",
        ruleset=f"{owner}/{source}/rulesets/{number}",
        approvals=wanted[0],
        code_owners=wanted[1],
        dismiss_stale=wanted[2],
        last_push=wanted[3],
        no_deletion="deletion" in by_type,
        no_force="non_fast_forward" in by_type,
        bypass=bypass,
    )


def _rule(value: Any) -> tuple[tuple[int, str, str], Mapping[str, Any]]:
    source, level = wire.text(value["ruleset_source"]), wire.text(value["ruleset_source_type"])
    wire.text(value["type"])
    return (wire.number(value["ruleset_id"]), source, _OWNERS.get(level, "enterprises")), value


def _reviews(value: Any) -> tuple[int, bool, bool, bool]:
    if not value:
        return 0, False, False, False
    return (
        wire.number(value["required_approving_review_count"]),
        value["require_code_owner_review"] is True,
        value["dismiss_stale_reviews_on_push"] is True,
        value["require_last_push_approval"] is True,
    )


def _bypass(value: Any) -> tuple[str, tuple[Bypass, ...] | None]:
    """Name and bypass of a ruleset. That this account may pass by is told even if the list is not.

    GitHub shows the list to those who may change the ruleset.
    """
    name = wire.text(value["name"])
    shown = value.get("bypass_actors")
    if shown is not None:
        return name, tuple(_actor(item) for item in shown)
    if value.get("current_user_can_bypass", "never") != "never":
        return name, (Bypass("the account of this token"),)
    return name, None


def _actor(value: Any) -> Bypass:
    number = wire.optional(wire.number, value.get("actor_id"))
    return Bypass(wire.text(value["actor_type"]), number, value.get("bypass_mode") or "always")


def _is_protected(value: Any) -> bool:
    return value["protected"] is not False


def _protection(value: Any) -> tuple[Guard, ...]:
    """The two halves: reviews, which some may pass by, and history."""
    admins = () if value["enforce_admins"]["enabled"] is True else (Bypass("administrators"),)
    found = value.get("required_pull_request_reviews")
    history = Guard(
        "branch protection",
        no_deletion=(value.get("allow_deletions") or {}).get("enabled") is False,
        no_force=(value.get("allow_force_pushes") or {}).get("enabled") is False,
        bypass=admins,
    )
    if found is None:
        return (history,)
    allowed = found.get("bypass_pull_request_allowances") or {}
    kinds = (("users", "User"), ("teams", "Team"), ("apps", APP))
    passing = [
        Bypass(kind, wire.number(item["id"]))
        for key, kind in kinds
        for item in allowed.get(key, ())
    ]
    reviews = Guard(
        "branch protection",
        approvals=found.get("required_approving_review_count") or 0,
        code_owners=found["require_code_owner_reviews"] is True,
        dismiss_stale=found["dismiss_stale_reviews"] is True,
        last_push=found.get("require_last_push_approval") is True,
        bypass=(*admins, *passing),
    )
    return reviews, history
