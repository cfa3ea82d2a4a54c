"""What a schema cannot see in one document: names, times that exist, numbers that fit.

A model's class is imported when the first document of its kind is met: the classes of all kinds
take longer to make than ten requests take to check.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from daypass.documents.problem import Problem
from daypass.model.names import Kind
from daypass.model.vault_names import clashes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from daypass.model.breakglass import BreakGlassRequest
    from daypass.model.exception import PolicyException
    from daypass.model.grant import Grant
    from daypass.model.identity import Identity
    from daypass.model.obligation import Obligation
    from daypass.model.policy import AccessPolicy
    from daypass.model.policytest import PolicyTest
    from daypass.model.request import AccessRequest
    from daypass.model.resource import Resource
    from daypass.model.settings import Settings

    Model: TypeAlias = (
        AccessRequest
        | BreakGlassRequest
        | Resource
        | Identity
        | AccessPolicy
        | PolicyException
        | PolicyTest
        | Settings
        | Grant
        | Obligation
    )
_CLASSES: Final = {
    Kind.ACCESS_REQUEST: ("daypass.model.request", "AccessRequest"),
    Kind.BREAK_GLASS_REQUEST: ("daypass.model.breakglass", "BreakGlassRequest"),
    Kind.RESOURCE: ("daypass.model.resource", "Resource"),
    Kind.IDENTITY: ("daypass.model.identity", "Identity"),
    Kind.ACCESS_POLICY: ("daypass.model.policy", "AccessPolicy"),
    Kind.POLICY_EXCEPTION: ("daypass.model.exception", "PolicyException"),
    Kind.POLICY_TEST: ("daypass.model.policytest", "PolicyTest"),
    Kind.SETTINGS: ("daypass.model.settings", "Settings"),
    Kind.GRANT: ("daypass.model.grant", "Grant"),
    Kind.OBLIGATION: ("daypass.model.obligation", "Obligation"),
}


@cache
def _builder(kind: Kind) -> Callable[[Mapping[str, Any]], Model]:
    module, name = _CLASSES[kind]
    found: Callable[[Mapping[str, Any]], Model] = getattr(import_module(module), name).from_document
    return found


def build(kind: Kind, value: Mapping[str, Any]) -> Model:
    """The model of a value that its schema has accepted.

    Raises:
        ValueError: what a schema cannot see, such as a day that does not exist.
    """
    return _builder(kind)(value)


def check(model: Model, kind: Kind, metadata: Mapping[str, Any], stem: str) -> Sequence[Problem]:
    """What is wrong with one document by itself, beyond its schema."""
    own = _CHECKS.get(kind)
    return [*_check_name(metadata, stem), *(own(model) if own is not None else ())]


def _check_name(metadata: Mapping[str, Any], stem: str) -> Iterator[Problem]:
    field = "id" if "id" in metadata else "name"
    name = metadata[field]
    if name != stem:
        yield Problem(
            ("metadata", field),
            "document-name",
            f"the {field} is `{name}`, and the file is called `{stem}`",
            f"Write `{field}: {stem}`, or rename the file.",
        )


def _check_request(model: Model) -> Iterator[Problem]:
    request = cast("AccessRequest", model)
    if request.renews == request.id:
        yield Problem(
            ("spec", "renews"),
            "request-renews-itself",
            "a request cannot continue itself",
            "Give this request a new id, and name the grant that it continues in `renews`.",
        )


def _check_drill(model: Model) -> Iterator[Problem]:
    from daypass.model.breakglass import DRILL_DURATION  # noqa: PLC0415  -- as its class

    emergency = cast("BreakGlassRequest", model)
    if emergency.drill and emergency.asked.duration != DRILL_DURATION:
        yield Problem(
            ("spec", "duration"),
            "break-glass-drill",
            f"a drill lasts {DRILL_DURATION}, and this is to last {emergency.asked.duration}",
            f"Write `duration: {DRILL_DURATION}`; an emergency has no `drill`.",
        )


def _check_times(model: Model) -> Iterator[Problem]:
    grant = cast("Grant", model)
    if grant.not_after <= grant.not_before:
        yield Problem(
            ("spec", "notAfter"),
            "grant-ends-before-it-begins",
            "the grant ends before it begins",
            "Records are the bot's: restore the one that it wrote.",
        )


def _check_tiers(model: Model) -> Iterator[Problem]:
    resource = cast("Resource", model)
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


def _check_dates(model: Model) -> Iterator[Problem]:
    from daypass.model.exception import LONGEST  # noqa: PLC0415  -- as its class

    exception = cast("PolicyException", model)
    lasts = exception.not_after.since(exception.not_before)
    if lasts <= 0:
        yield Problem(
            ("spec", "notAfter"),
            "exception-dates",
            "the exception ends before it begins",
            f"Write an instant after {exception.not_before}, by {LONGEST} at the most.",
        )
    elif lasts > LONGEST.seconds:
        latest = exception.not_before.plus(LONGEST.seconds)
        yield Problem(
            ("spec", "notAfter"),
            "exception-dates",
            f"an exception lasts {LONGEST} at the most, and this one lasts longer",
            f"Write {latest} or earlier. Who needs it longer brings a new one by then, which is "
            "approved anew.",
        )


def _check_settings(model: Model) -> Iterator[Problem]:
    settings = cast("Settings", model)
    for clash in clashes(settings):
        yield Problem(("spec", *clash.at), "settings-vault-name", clash.message, clash.remedy)
    if settings.machine_co_authors:
        from daypass.documents.commit_authors import (  # noqa: PLC0415  -- few settings list any
            check_machine_co_authors,
        )

        yield from check_machine_co_authors(settings)


_CHECKS: Final[Mapping[Kind, Callable[[Model], Iterator[Problem]]]] = {
    Kind.RESOURCE: _check_tiers,
    Kind.ACCESS_REQUEST: _check_request,
    Kind.BREAK_GLASS_REQUEST: _check_drill,
    Kind.GRANT: _check_times,
    Kind.POLICY_EXCEPTION: _check_dates,
    Kind.SETTINGS: _check_settings,
}
