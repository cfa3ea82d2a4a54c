"""Built-in rules about the resource, the level asked for, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.model.instant import Instant
from daypass.model.resource import Sensitivity
from daypass.policy.rules.parties import is_person
from daypass.policy.rules.rule import BuiltInRule
from daypass.policy.verdict import Verdict, failed, passed, unknown

if TYPE_CHECKING:
    from daypass.policy.input import DecisionInput

NOT_FAR_AHEAD: Final = "not-far-ahead"
_AHEAD_DAYS: Final = 30


def pins_recipients(facts: DecisionInput) -> bool:
    """Whether the resource is of high or critical sensitivity."""
    return facts.resource is not None and Sensitivity(facts.resource.sensitivity).pins_recipients


def _level_exists(facts: DecisionInput) -> Verdict:
    resource, request = facts.resource, facts.request
    if resource is None:
        return failed(f"{request.resource} is no resource of this repository")
    if resource.level is None:
        levels = ", ".join(resource.levels)
        return failed(f"{resource.name} has no level {request.access}; it has {levels}")
    return passed(f"{resource.name} has the level {request.access}")


def _same_environment(facts: DecisionInput) -> Verdict:
    subject, resource = facts.subject, facts.resource
    if subject is None or resource is None or is_person(subject):
        return passed("people may work in every environment that their policies allow")
    if subject.environment != resource.environment:
        return failed(
            f"{subject.name} belongs to the environment {subject.environment or '(none given)'}, "
            f"and {resource.name} to {resource.environment}: use an identity of that environment"
        )
    return passed(f"both belong to {resource.environment}")


def _recipients_pinned(facts: DecisionInput) -> Verdict:
    subject, resource = facts.subject, facts.resource
    if subject is None or resource is None or not pins_recipients(facts):
        return passed("the keys that GitHub holds suffice at this sensitivity")
    if subject.pinned_recipients == 0:
        return failed(
            f"{resource.name} is of {resource.sensitivity} sensitivity: pin the keys that may "
            f"open its secrets as `recipients` in access/identities/{subject.name}.yaml"
        )
    return passed(f"{subject.pinned_recipients} recipient(s) are pinned for {subject.name}")


def _context_known(facts: DecisionInput) -> Verdict:
    wanted = {name: item for name, item in facts.context.items() if item.required}
    if not wanted or not pins_recipients(facts):
        return passed("no context has to be known at this sensitivity")
    gaps = [f"{name} is {item.status}" for name, item in wanted.items() if item.status != "known"]
    if gaps:
        return unknown(f"required context: {', '.join(gaps)}. Ask again when its source answers")
    return passed(f"{', '.join(wanted)} known")


def too_far_ahead(not_before: Instant | None, now: Instant) -> str | None:
    """Why that begin lies too far ahead at that time; None when it does not. For people."""
    if not_before is None or not_before.since(now) <= _AHEAD_DAYS * 86400:
        return None
    return (
        f"notBefore {not_before} lies more than {_AHEAD_DAYS} days ahead: "
        "who approves today cannot know what holds then"
    )


def _not_far_ahead(facts: DecisionInput) -> Verdict:
    if facts.request.not_before is None:
        return passed("it begins when it is issued")
    far = too_far_ahead(Instant.parse(facts.request.not_before), Instant.parse(facts.now))
    if far is not None:
        return failed(far)
    return passed(f"it begins at {facts.request.not_before}")


RULES: Final = (
    BuiltInRule(
        name="level-exists",
        purpose="What is asked for is a level of a resource that its owners have described.",
        passes="read on orders-db, which has the levels read and admin",
        fails="superuser on orders-db, or anything on a resource that nobody described",
        requirements=("R1", "R7"),
        check=_level_exists,
    ),
    BuiltInRule(
        name="same-environment",
        purpose="A machine's identity works in one environment only.",
        passes="payments-deployer of production asks for a production database",
        fails="payments-deployer of production asks for a staging database",
        requirements=("R20",),
        check=_same_environment,
    ),
    BuiltInRule(
        name="recipients-pinned",
        purpose="Secrets of high and critical resources go only to keys that an approved change "
        "has pinned in the identity: a key added to a stolen account opens nothing.",
        passes="alice, with one age key in `recipients`, asks for payments-db",
        fails="bob, whose keys only GitHub knows, asks for payments-db",
        requirements=("threat 34",),
        check=_recipients_pinned,
        at_issue_only=True,
    ),
    BuiltInRule(
        name="context-known",
        purpose="While a context source that the settings call `required` is unknown or stale, "
        "nothing of high or critical sensitivity is given. What is live has a grace.",
        passes="the posture of alice-laptop was told two minutes ago",
        fails="the server of device postures answers 503, or its last answer is a day old",
        requirements=("R6", "threat 37"),
        check=_context_known,
    ),
    BuiltInRule(
        name=NOT_FAR_AHEAD,
        purpose="Access is asked for at most 30 days ahead.",
        passes="notBefore next Monday",
        fails="notBefore next year",
        requirements=("threat 31",),
        check=_not_far_ahead,
        at_issue_only=True,
    ),
)
