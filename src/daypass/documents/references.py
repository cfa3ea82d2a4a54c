"""References: what documents name must exist, and must mean one thing only.

Two kinds of findings: those that make a catalogue ambiguous, so that no decision may rest on it
(`conflicts`), and those that a person must mend but that cannot give anybody access
(`dangling`): a group that does not exist has no member who could approve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.documents.nearby import suggestion
from daypass.documents.problem import Problem
from daypass.model.expression_context import sources_named
from daypass.model.expression_names import names_in
from daypass.model.identity import IdentityType
from daypass.model.resource import break_glass_role_name, offline_role_name, token_role_name

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

    from daypass.model.catalogue import Catalogue
    from daypass.model.identity import Identity
    from daypass.model.policy import AccessPolicy, Match
    from daypass.model.resource import Resource
    from daypass.model.settings import OfflineSettings, Settings

TEAM_PREFIX: Final = "team:"


def account_conflicts(identities: Mapping[str, Identity]) -> Iterator[tuple[str, Problem]]:
    """Identities that claim another's GitHub account, each with what is wrong."""
    for name, other in _claimed_twice((item.name, item.github_id) for item in identities.values()):
        yield (
            name,
            Problem(
                ("spec", "github", "id"),
                "identity-account-twice",
                f"`{other}` has this GitHub account already: one person, one identity",
                f"Correct the id, or delete one of `{other}` and `{name}`.",
            ),
        )


def entity_conflicts(identities: Mapping[str, Identity]) -> Iterator[tuple[str, Problem]]:
    """Identities that claim another's entity in Vault, each with what is wrong."""
    claims = ((item.name, item.vault_entity) for item in identities.values())
    for name, other in _claimed_twice(claims):
        yield (
            name,
            Problem(
                ("spec", "vault", "entity"),
                "identity-entity-twice",
                f"`{other}` has this entity already: what one takes would be the other's",
                f"Correct the id, or delete one of `{other}` and `{name}`.",
            ),
        )


def _claimed_twice(claims: Iterable[tuple[str, Hashable | None]]) -> Iterator[tuple[str, str]]:
    """Each name whose claim another made before it, and that other."""
    holder: dict[Hashable, str] = {}
    for name, claim in claims:
        if claim is not None and (other := holder.setdefault(claim, name)) != name:
            yield name, other


def role_conflicts(resources: Mapping[str, Resource]) -> Iterator[tuple[str, Problem]]:
    """Resources whose levels would share a Vault token role, each with what is wrong."""
    holder: dict[str, str] = {}
    for resource in resources.values():
        for level in resource.levels.values():
            for tier in level.tiers:
                names = [token_role_name(resource.name, level.name, tier.length)]
                if tier in level.emergency_tiers:
                    names.append(break_glass_role_name(resource.name, level.name, tier.length))
                    names.append(offline_role_name(resource.name, level.name, tier.length))
                mine = f"{resource.name}, level {level.name}"
                twice = [name for name in names if holder.setdefault(name, mine) != mine]
                if twice:
                    yield (
                        resource.name,
                        Problem(
                            ("spec", "levels", level.name),
                            "resource-role-twice",
                            f"its token role `{twice[0]}` is that of {holder[twice[0]]} too: a "
                            "grant of one would open the other",
                            "Rename the resource or the level.",
                        ),
                    )
                    break


def settings_problems(catalogue: Catalogue) -> Iterator[Problem]:
    """What the settings name in vain."""
    settings = catalogue.settings
    for name, members in settings.groups.items():
        for index, member in enumerate(members):
            if not member.startswith(TEAM_PREFIX) and member not in catalogue.identities:
                yield unknown(
                    ("spec", "groups", name, index), "identity", member, catalogue.identities
                )
    yield from _groups(("spec", "foundation", "owners"), settings.foundation_owners, settings)
    if settings.break_glass is not None:
        at = ("spec", "breakGlass")
        yield from _groups((*at, "reviewers"), settings.break_glass.reviewers, settings)
        for index, name in enumerate(settings.break_glass.invokers):
            if name not in catalogue.identities:
                yield from _group((*at, "invokers", index), name, settings)
        if settings.break_glass.offline is not None:
            yield from _offline_problems(settings.break_glass.offline, catalogue)


def _offline_problems(offline: OfflineSettings, catalogue: Catalogue) -> Iterator[Problem]:
    """Invokers whom Vault could not know, and levels that are not there."""
    at = ("spec", "breakGlass", "offline")
    for index, name in enumerate(offline.invokers):
        identity = catalogue.identities.get(name)
        if identity is None:
            yield unknown((*at, "invokers", index), "identity", name, catalogue.identities)
        elif identity.vault_entity is None or identity.type is not IdentityType.HUMAN:
            yield Problem(
                (*at, "invokers", index),
                "break-glass-offline-invoker",
                f"`{name}` is no human with an entity in Vault: nothing could be taken as them",
                f"Add `vault: {{entity: …}}` to access/identities/{name}.yaml.",
            )
    for index, (resource, level) in enumerate(offline.levels):
        found = catalogue.resources.get(resource)
        if found is None:
            yield unknown((*at, "levels", index), "resource", resource, catalogue.resources)
        elif level not in found.levels:
            yield Problem(
                (*at, "levels", index),
                "reference-level",
                f"`{resource}` has no level `{level}`{suggestion(level, found.levels)}",
                f"Its levels are {', '.join(found.levels)}.",
            )


def resource_problems(resource: Resource, settings: Settings) -> Iterator[Problem]:
    """Groups that a resource names and that nobody defined."""
    owners = {"business": resource.business_owner, "lifecycle": resource.lifecycle_owner}
    for field, group in owners.items():
        yield from _group(("spec", "owners", field), group, settings)
    yield from _groups(("spec", "approvers", "groups"), resource.approvers.groups, settings)


def policy_problems(policy: AccessPolicy, catalogue: Catalogue) -> Iterator[Problem]:
    """What a policy names in vain: what it is about would match nothing, and a guard be silent."""
    for group in sorted(policy.groups):
        yield from _group(("spec",), group, catalogue.settings)
    yield from _rules_problems(policy, catalogue)
    for index, name in enumerate(policy.match.resource_names):
        if name not in catalogue.resources:
            at = ("spec", "match", "resources", "names", index)
            yield unknown(at, "resource", name, catalogue.resources)
    for index, name in enumerate(policy.match.subject_names):
        if name not in catalogue.identities:
            at = ("spec", "match", "subjects", "names", index)
            yield unknown(at, "identity", name, catalogue.identities)
    yield from _unmatched(policy.match, catalogue)


def _rules_problems(policy: AccessPolicy, catalogue: Catalogue) -> Iterator[Problem]:
    """Groups, identities and context sources that expressions name, and that do not exist."""
    for index, rule in enumerate(policy.rules):
        at, names = ("spec", "rules", index, "expression"), names_in(rule.expression)
        for group in sorted(names.groups):
            yield from _group(at, group, catalogue.settings)
        for name in sorted(names.identities):
            if name not in catalogue.identities:
                yield unknown(at, "identity", name, catalogue.identities)
        declared = catalogue.settings.context
        for name in sorted(set(sources_named(rule.expression)) - declared.keys()):
            yield Problem(
                at,
                "reference-context",
                f"there is no context source `{name}`{suggestion(name, declared)}: the rule would "
                "never be known to hold",
                f"Name one of {', '.join(declared)}, or declare it under `context.sources` in "
                "access/daypass.yaml."
                if declared
                else "Declare it under `context.sources` in access/daypass.yaml.",
            )


def _unmatched(match: Match, catalogue: Catalogue) -> Iterator[Problem]:
    """Words that no resource and no identity has, where there are any to have them."""
    resources, identities = catalogue.resources.values(), catalogue.identities.values()
    if not resources:
        return
    at = ("spec", "match")
    for place, wanted, known in (
        ((*at, "resources", "types"), match.resource_types, {item.type for item in resources}),
        (
            (*at, "resources", "environments"),
            match.environments,
            {item.environment for item in resources},
        ),
        ((*at, "levels"), match.levels, {level for item in resources for level in item.levels}),
    ):
        for index, word in enumerate(wanted):
            if word not in known:
                yield _in_vain((*place, index), "resource", word, known)
    for what, labels, all_labels in (
        ("resource", match.resource_labels, [item.labels for item in resources]),
        ("identity", match.subject_labels, [item.labels for item in identities]),
    ):
        section = {"resource": "resources", "identity": "subjects"}[what]
        for key, values in labels.items():
            known = {item[key] for item in all_labels if key in item}
            if not known:
                keys = {name for item in all_labels for name in item}
                yield _in_vain((*at, section, "labels", key), what, key, keys)
                continue
            for index, word in enumerate(values):
                if word not in known:
                    yield _in_vain((*at, section, "labels", key, index), what, word, known)


def _in_vain(at: tuple[str | int, ...], what: str, word: str, known: Iterable[str]) -> Problem:
    known = sorted(known)
    return Problem(
        at,
        "policy-matches-nothing",
        f"no {what} has `{word}`{suggestion(word, known)}",
        f"Write one of {', '.join(known)}, or bring the {what} first."
        if known
        else f"Take it out, or bring the {what} first.",
    )


def identity_problems(identity: Identity, identities: Mapping[str, Identity]) -> Iterator[Problem]:
    """Owners and sponsors who are not active humans."""
    for index, owner in enumerate(identity.owners):
        yield from answers_for(("spec", "owners", index), "owner", owner, identities)
    if identity.sponsor is not None:
        section = "vendor" if identity.type is IdentityType.VENDOR else "agent"
        at = ("spec", section, "sponsor")
        yield from answers_for(at, "sponsor", identity.sponsor, identities)


def answers_for(
    at: tuple[str | int, ...], role: str, name: str, identities: Mapping[str, Identity]
) -> Iterator[Problem]:
    """That a person who is to answer for something is no active human."""
    person = identities.get(name)
    if person is None:
        yield unknown(at, "identity", name, identities)
    elif person.type is not IdentityType.HUMAN or not person.is_active:
        yield Problem(
            at,
            "identity-not-answerable",
            f"the {role} `{name}` is {_described(person)}; only an active human can answer "
            "for others",
            f"Name an active human as {role}.",
        )


def _described(person: Identity) -> str:
    return f"a {person.type}" if person.is_active else str(person.status)


def _groups(
    at: tuple[str | int, ...], groups: Iterable[str], settings: Settings
) -> Iterator[Problem]:
    for index, group in enumerate(groups):
        yield from _group((*at, index), group, settings)


def _group(at: tuple[str | int, ...], group: str, settings: Settings) -> Iterator[Problem]:
    if not group.startswith(TEAM_PREFIX) and group not in settings.groups:
        yield Problem(
            at,
            "reference-group",
            f"there is no group `{group}`{suggestion(group, settings.groups)}",
            f"Define it under `groups` in access/daypass.yaml, or write `team:{group}` for a "
            "GitHub team.",
        )


def unknown(at: tuple[str | int, ...], what: str, name: str, known: Iterable[str]) -> Problem:
    """An identity or a resource that is named in vain."""
    folder = {"identity": "identities", "resource": "resources"}[what]
    return Problem(
        at,
        f"reference-{what}",
        f"there is no {what} `{name}`{suggestion(name, known)}",
        f"Name one of access/{folder}, or add access/{folder}/{name}.yaml in a pull request of "
        "its own first.",
    )
