"""A request against the catalogue: does what it asks for exist, and can it be that long?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.documents.nearby import suggestion
from daypass.documents.problem import Problem
from daypass.documents.usable_identities import has_no_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.model.breakglass import BreakGlassRequest
    from daypass.model.catalogue import Catalogue
    from daypass.model.identity import Identity
    from daypass.model.request import AccessRequest
    from daypass.model.resource import Resource


def request_problems(request: AccessRequest, catalogue: Catalogue) -> Iterator[Problem]:
    """What a request names in vain. Whether it is allowed is for the policies to say."""
    subject = catalogue.identities.get(request.subject)
    resource = catalogue.resources.get(request.resource)
    if subject is None:
        yield Problem(
            ("spec", "subject"),
            "reference-identity",
            f"there is no identity `{request.subject}`"
            f"{suggestion(request.subject, catalogue.identities)}",
            "Name one of access/identities, or add it in a pull request of its own first.",
        )
    if resource is None:
        yield Problem(
            ("spec", "resource"),
            "reference-resource",
            f"there is no resource `{request.resource}`"
            f"{suggestion(request.resource, catalogue.resources)}",
            "Name one of access/resources, or add it in a pull request of its own first.",
        )
        return
    yield from _level_problems(request, resource)
    if subject is not None and resource.sensitivity.pins_recipients and not subject.recipients:
        yield Problem(
            ("spec", "subject"),
            "request-recipients",
            f"`{subject.name}` has no pinned keys, and `{resource.name}` is of "
            f"{resource.sensitivity} sensitivity: its secrets go to pinned keys only",
            f"Add `recipients` to access/identities/{subject.name}.yaml in a pull request of its "
            "own first.",
        )
    elif subject is not None and has_no_keys(subject):
        yield Problem(
            ("spec", "subject"),
            "request-recipients",
            f"`{subject.name}` has no pinned keys, and no GitHub account whose keys could serve: "
            "nothing can be delivered to it",
            f"Add `recipients` to access/identities/{subject.name}.yaml in a pull request of its "
            "own first.",
        )


def environment_problems(request: AccessRequest, catalogue: Catalogue) -> Iterator[Problem]:
    """That no decision could permit it: a machine of another environment, or of none.

    Validation alone asks. The judge leaves it to the decision, whose evidence says what it saw.
    """
    subject = catalogue.identities.get(request.subject)
    resource = catalogue.resources.get(request.resource)
    if subject is None or resource is None or subject.type.is_person:
        return
    if subject.environment != resource.environment:
        yield Problem(
            ("spec", "subject"),
            "request-environment",
            f"`{subject.name}` belongs to {_environment(subject)}, and `{resource.name}` to the "
            f"environment {resource.environment}: this is going to be refused",
            f"Ask for an identity of {resource.environment}, or mend `environment` in "
            f"access/identities/{subject.name}.yaml in a pull request of its own first.",
        )


def _environment(subject: Identity) -> str:
    return f"the environment {subject.environment}" if subject.environment else "no environment"


def break_glass_problems(request: BreakGlassRequest, catalogue: Catalogue) -> Iterator[Problem]:
    """What an emergency request names in vain. Whether it is allowed is for the policies to say."""
    lane = catalogue.settings.break_glass
    if lane is None:
        yield Problem(
            ("kind",),
            "break-glass-not-set-up",
            "this repository has no emergency lane",
            "Ask in access/requests. To have the lane, add `breakGlass` to access/daypass.yaml in "
            "a pull request of its own.",
        )
    elif not lane.is_incident(request.incident):
        yield Problem(
            ("spec", "incident"),
            "break-glass-incident",
            f"`{request.incident}` is no incident: it does not match {lane.incident}",
            "Name the incident that this belongs to; open one first.",
        )
    yield from request_problems(request.asked, catalogue)


def _level_problems(request: AccessRequest, resource: Resource) -> Iterator[Problem]:
    level = resource.levels.get(request.access)
    if level is None:
        yield Problem(
            ("spec", "access"),
            "reference-level",
            f"`{resource.name}` has no level `{request.access}`"
            f"{suggestion(request.access, resource.levels)}",
            f"Its levels are {', '.join(resource.levels)}.",
        )
        return
    longest = min(resource.max_duration, level.longest)
    if request.duration > longest:
        yield Problem(
            ("spec", "duration"),
            "request-too-long",
            f"{request.duration} is longer than {longest}, the longest that `{level.name}` of "
            f"`{resource.name}` is given for",
            f"Write {longest} or less; ask again, with `renews`, if it turns out to be short.",
        )
