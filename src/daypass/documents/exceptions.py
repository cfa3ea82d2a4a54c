"""Exceptions: what one names must exist, and be something that it can except."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.documents.nearby import suggestion
from daypass.documents.problem import Problem
from daypass.documents.references import answers_for, unknown
from daypass.model.exception import (
    AUTHENTICATES_ITSELF,
    BUILT_IN,
    EXCEPTABLE,
    NO_STATIC_SECRET,
    OWN_KEYS,
)
from daypass.model.resource import LEGACY_STATIC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.model.catalogue import Catalogue
    from daypass.model.exception import PolicyException
    from daypass.model.identity import Identity
    from daypass.model.resource import Resource

_EXCEPTS: Final = ("spec", "excepts")


def exception_problems(exception: PolicyException, catalogue: Catalogue) -> Iterator[Problem]:
    """What an exception names in vain, or cannot except.

    None of it can give access: what decides passes over whatever an exception names in vain.
    """
    subject = catalogue.identities.get(exception.subject)
    resource = catalogue.resources.get(exception.resource)
    if subject is None:
        at = ("spec", "subject")
        yield unknown(at, "identity", exception.subject, catalogue.identities)
    if resource is None:
        at = ("spec", "resource")
        yield unknown(at, "resource", exception.resource, catalogue.resources)
    elif exception.access not in resource.levels:
        yield Problem(
            ("spec", "access"),
            "reference-level",
            f"`{resource.name}` has no level `{exception.access}`"
            f"{suggestion(exception.access, resource.levels)}",
            f"Its levels are {', '.join(resource.levels)}.",
        )
    yield from answers_for(
        ("spec", "attributedTo"),
        "attributed person",
        exception.attributed_to,
        catalogue.identities,
    )
    for index, name in enumerate(exception.document["spec"]["excepts"]):
        yield from _rule_problems((*_EXCEPTS, index), name, catalogue)
        yield from _in_vain((*_EXCEPTS, index), name, subject, resource)


def _rule_problems(at: tuple[str | int, ...], name: str, catalogue: Catalogue) -> Iterator[Problem]:
    """That there is no such rule, or that it cannot be excepted."""
    policy_name, _, rule_name = name.partition("/")
    known = _exceptable(catalogue)
    if name in known:
        return
    policy = catalogue.policies.get(policy_name)
    its_own = [rule.name for rule in policy.rules] if policy is not None else []
    remedy = f"Name one of {', '.join(known)}."
    if policy_name == BUILT_IN:
        message = f"no built-in rule that can be excepted is called `{rule_name}`"
        yield Problem(at, "exception-rule", message + suggestion(name, known), remedy)
    elif policy is None:
        message = f"there is no policy `{policy_name}`"
        yield Problem(at, "reference-rule", message + suggestion(name, known), remedy)
    elif rule_name in its_own:
        yield Problem(
            at,
            "exception-rule",
            f"the rule `{rule_name}` of `{policy_name}` does not let itself be excepted",
            "Who answers for the policy adds `mayBeExcepted: true` to the rule, in a pull request "
            "that its owners approve; else take it out.",
        )
    else:
        message = f"the policy `{policy_name}` has no rule `{rule_name}` of its own"
        yield Problem(
            at,
            "reference-rule",
            message + suggestion(name, [*known, *(f"{policy_name}/{rule}" for rule in its_own)]),
            f"{remedy} What a policy limits, requires or wants approved cannot be excepted.",
        )


def _exceptable(catalogue: Catalogue) -> tuple[str, ...]:
    """Every rule that can be excepted, as `policy/rule`."""
    return (
        *(f"{BUILT_IN}/{rule}" for rule in EXCEPTABLE),
        *(
            f"{policy.name}/{rule.name}"
            for policy in catalogue.policies.values()
            for rule in policy.rules
            if rule.may_be_excepted
        ),
    )


def _in_vain(
    at: tuple[str | int, ...], name: str, subject: Identity | None, resource: Resource | None
) -> Iterator[Problem]:
    """That the rule is never asked of that subject or resource."""
    message = ""
    if subject is not None and name == f"{BUILT_IN}/{OWN_KEYS}" and subject.type.is_person:
        message = f"`{subject.name}` is a {subject.type}: whose keys a person has is not asked"
    elif (
        subject is not None
        and name == f"{BUILT_IN}/{AUTHENTICATES_ITSELF}"
        and not subject.type.is_machine
    ):
        message = f"`{subject.name}` is a {subject.type}: only of machines it is asked how they"
        message += " authenticate"
    elif (
        resource is not None
        and name == f"{BUILT_IN}/{NO_STATIC_SECRET}"
        and resource.type != LEGACY_STATIC
    ):
        message = f"`{resource.name}` is of type {resource.type}, and no static secret"
    if message:
        yield Problem(at, "exception-in-vain", message, "Take it out.")
