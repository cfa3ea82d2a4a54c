"""What a schema cannot see in one document: names, times that exist, numbers that fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from daypass.documents.problem import Problem
from daypass.model.breakglass import DRILL_DURATION, BreakGlassRequest
from daypass.model.grant import Grant
from daypass.model.identity import Identity
from daypass.model.names import Kind
from daypass.model.obligation import Obligation
from daypass.model.policy import AccessPolicy
from daypass.model.policytest import PolicyTest
from daypass.model.request import AccessRequest
from daypass.model.resource import Resource
from daypass.model.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Model = (
    AccessRequest
    | BreakGlassRequest
    | Resource
    | Identity
    | AccessPolicy
    | PolicyTest
    | Settings
    | Grant
    | Obligation
)
_BUILDERS: Final[Mapping[Kind, Callable[[Mapping[str, Any]], Model]]] = {
    Kind.ACCESS_REQUEST: AccessRequest.from_document,
    Kind.BREAK_GLASS_REQUEST: BreakGlassRequest.from_document,
    Kind.RESOURCE: Resource.from_document,
    Kind.IDENTITY: Identity.from_document,
    Kind.ACCESS_POLICY: AccessPolicy.from_document,
    Kind.POLICY_TEST: PolicyTest.from_document,
    Kind.SETTINGS: Settings.from_document,
    Kind.GRANT: Grant.from_document,
    Kind.OBLIGATION: Obligation.from_document,
}

_WITH_ID: Final = (AccessRequest, BreakGlassRequest, Grant, Obligation)


def build(kind: Kind, value: Mapping[str, Any]) -> Model:
    """The model of a value that its schema has accepted.

    Raises:
        ValueError: what a schema cannot see, such as a day that does not exist.
    """
    return _BUILDERS[kind](value)


def check(model: Model, name: str, stem: str) -> Sequence[Problem]:
    """What is wrong with one document by itself, beyond its schema."""
    return [*_check_name(model, name, stem), *_check_model(model)]


def _check_name(model: Model, name: str, stem: str) -> Iterator[Problem]:
    if name != stem:
        field = "id" if isinstance(model, _WITH_ID) else "name"
        yield Problem(
            ("metadata", field),
            "document-name",
            f"the {field} is `{name}`, and the file is called `{stem}`",
            f"Write `{field}: {stem}`, or rename the file.",
        )


def _check_model(model: Model) -> Iterator[Problem]:
    if isinstance(model, Resource):
        yield from _check_tiers(model)
    elif isinstance(model, AccessRequest) and model.renews == model.id:
        yield Problem(
            ("spec", "renews"),
            "request-renews-itself",
            "a request cannot continue itself",
            "Give this request a new id, and name the grant that it continues in `renews`.",
        )
    elif isinstance(model, BreakGlassRequest) and model.drill:
        if model.asked.duration != DRILL_DURATION:
            yield Problem(
                ("spec", "duration"),
                "break-glass-drill",
                f"a drill lasts {DRILL_DURATION}, and this is to last {model.asked.duration}",
                f"Write `duration: {DRILL_DURATION}`; an emergency has no `drill`.",
            )
    elif isinstance(model, Grant) and model.not_after <= model.not_before:
        yield Problem(
            ("spec", "notAfter"),
            "grant-ends-before-it-begins",
            "the grant ends before it begins",
            "Records are the bot's: restore the one that it wrote.",
        )


def _check_tiers(resource: Resource) -> Iterator[Problem]:
    for level in resource.levels.values():
        at = ("spec", "levels", level.name, "tiers")
        lengths = [tier.length for tier in level.tiers]
        if len(set(lengths)) < len(lengths):
            yield Problem(
                at,
                "resource-tier-twice",
                f"the level `{level.name}` has two tiers of the same length",
                "Keep one of them: 60m and 1h are the same.",
            )
        if level.longest > resource.max_duration:
            yield Problem(
                at,
                "resource-tier-too-long",
                f"the tier {level.longest} of `{level.name}` is longer than the resource's "
                f"maxDuration {resource.max_duration}",
                "Make a Vault role that lasts no longer than maxDuration, or raise maxDuration.",
            )
