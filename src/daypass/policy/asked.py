"""What is put to the decision point: the request in hand, and what a run knows around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from daypass.model.grant import Lane
from daypass.policy.groups import GroupDirectory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.model.catalogue import Catalogue
    from daypass.model.exception import PolicyException
    from daypass.model.grant import Grant
    from daypass.model.instant import Instant
    from daypass.model.obligation import Obligation
    from daypass.model.pullrequest import Account
    from daypass.model.request import AccessRequest
    from daypass.policy.facts import ContextFacts


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for what, by which way. `requester` is the account that opened the pull request."""

    request: AccessRequest
    lane: Lane
    requester: Account | None
    drill: bool = False

    def exceptions(self, catalogue: Catalogue) -> tuple[PolicyException, ...]:
        """Those about what is asked; the emergency lane knows none."""
        if self.lane is not Lane.ROUTINE:
            return ()
        request = self.request
        return catalogue.exceptions_about(request.subject, request.resource, request.access)


@dataclass(frozen=True, slots=True)
class PastGrant:
    """A grant of the same subject, live or over. `not_after` is when it ended, if it has.

    `resource_then`: the facts of its resource in the input that it was decided by; None where its
    record was not read.
    """

    id: str
    lane: Lane
    resource: str
    access: str
    not_before: Instant
    not_after: Instant
    live: bool
    resource_then: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, grant: Grant) -> Self:
        """A live grant, from its record."""
        return cls(
            grant.id,
            grant.lane,
            grant.resource,
            grant.access,
            grant.not_before,
            grant.not_after,
            live=True,
            resource_then=grant.decision_input.get("resource"),
        )


@dataclass(frozen=True, slots=True)
class Held:
    """A live grant of anybody."""

    grant: str
    subject: str
    resource: str


@dataclass(frozen=True, slots=True)
class Renewed:
    """The grant that a request continues; all None: none of that id was ever issued."""

    subject: str | None = None
    resource: str | None = None
    access: str | None = None
    ended: str | None = None  # the reason of its end; None while it lives

    @classmethod
    def of(cls, grant: Grant, ending: str | None = None) -> Self:
        """A live grant, and why it is being ended, if it is."""
        return cls(grant.subject, grant.resource, grant.access, ending)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run knows at the moment of the decision.

    `history` holds the subject's other grants, those that ended within the longest rolling window
    included; None when they are not known. A context source that was not asked has no entry.
    `overdue` holds every review of an emergency that is overdue, whoever took it. `held` holds
    every live grant of the repository; None when they are not known. `renewed` is the grant that
    the request continues; None when it continues none, or that grant is not known.
    """

    now: Instant
    groups: GroupDirectory = field(default_factory=GroupDirectory)
    history: tuple[PastGrant, ...] | None = None
    context: Mapping[str, ContextFacts] = field(default_factory=dict)
    overdue: tuple[Obligation, ...] = ()
    held: tuple[Held, ...] | None = None
    renewed: Renewed | None = None
