"""Cases: the decision point tried on requests whose answer somebody wrote down. Pure.

Approvals go through the same counting as on GitHub, on a pull request that is made up for the case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.model.decision import Effect
from daypass.model.grant import Lane
from daypass.model.pullrequest import (
    Account,
    AccountType,
    PullRequest,
    PullRequestCommit,
    Push,
    Review,
    ReviewState,
)
from daypass.policy.approvals import count_approvals
from daypass.policy.asked import Asked, PastGrant, Renewed, Surroundings
from daypass.policy.decide import decide
from daypass.policy.facts import ContextFacts, Status
from daypass.policy.groups import resolve_groups
from daypass.policy.input import build_input
from daypass.policy.rules import BUILT_IN
from daypass.policy.verdict import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from daypass.model.catalogue import Catalogue
    from daypass.model.decision import Decision
    from daypass.model.policytest import Case
    from daypass.policy.compiled import CompiledPolicies
    from daypass.policy.input import DecisionInput

_HEAD: Final = "c" * 40
_SOURCE: Final = "the case"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What one case gave. `wrong` says in words what is not as expected; empty: it passed."""

    case: str
    decision: Decision
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How the cases have tried one rule of one policy."""

    rule: str  # `policy/rule`
    held: bool
    failed: bool

    @property
    def missing(self) -> str | None:
        """What no case has shown; None when it was seen both to hold and to fail."""
        if self.held and self.failed:
            return None
        if not self.held and not self.failed:
            return "no case reaches it"
        return "no case fails it" if self.held else "no case meets it"


def run_case(case: Case, catalogue: Catalogue, policies: CompiledPolicies) -> CaseResult:
    """Decide one case, and compare.

    Raises:
        KeyError: the case names an identity that does not exist.
    """
    decision = decide(_input(case, catalogue), policies)
    return CaseResult(case.name, decision, tuple(_differences(case, decision)))


def coverage(results: Iterable[CaseResult], policies: CompiledPolicies) -> tuple[Coverage, ...]:
    """How all cases together have tried each rule of each policy.

    A rule was tried by its own answer alone: what is not known, and an error in an expression, are
    no answer of it. What cannot fail (`match` of known groups, approvals that are not required)
    need only be met.
    """
    held: set[str] = set()
    failed: set[str] = set()
    plain = {
        (compiled.policy.name, rule.holds.rule): rule.rule.message
        for compiled in policies.policies
        for rule in compiled.rules
    }
    for result in results:
        for outcome in result.decision.outcomes:
            if outcome.policy == BUILT_IN or outcome.effect is Effect.INDETERMINATE:
                continue
            name = f"{outcome.policy}/{outcome.rule}"
            if outcome.effect is Effect.PERMIT:
                held.add(name)
            elif outcome.message == plain.get((outcome.policy, outcome.rule), outcome.message):
                failed.add(name)  # any other message of a free rule says why it gave no answer
    return tuple(
        Coverage(name, name in held, name in failed or (name in held and unfailing))
        for compiled in policies.policies
        for name, unfailing in compiled.rule_names()
    )


def _input(case: Case, catalogue: Catalogue) -> DecisionInput:
    teams = {
        slug: frozenset(_account(name, catalogue).id for name in members)
        for slug, members in case.teams.items()
    }
    groups = resolve_groups(catalogue, teams)
    pull_request = _pull_request(case, catalogue)
    subject = catalogue.identities.get(case.request.subject)
    asked = Asked(case.request, case.lane, pull_request.author)
    exceptions = asked.exceptions(catalogue)
    count = (
        count_approvals(pull_request, subject, catalogue, groups, case.at, exceptions)
        if subject
        else None
    )
    surroundings = Surroundings(
        now=case.at,
        groups=groups,
        history=tuple(
            PastGrant(
                f"past-{number}",
                Lane.ROUTINE,
                past.resource,
                past.access,
                past.start,
                past.end,
                past.live,
            )
            for number, past in enumerate(case.history, 1)
        ),
        context={
            name: ContextFacts(Status.KNOWN, value, _SOURCE, 0)
            for name, value in case.context.items()
        },
        held=(),
        renewed=_renewed(case),
    )
    return build_input(asked, catalogue, count, surroundings)


def _renewed(case: Case) -> Renewed | None:
    """What a case renews: `past-1` is the first of its history; another name, what it asks for."""
    request = case.request
    if request.renews is None:
        return None
    for number, past in enumerate(case.history, 1):
        if request.renews == f"past-{number}":
            return Renewed(request.subject, past.resource, past.access)
    return Renewed(request.subject, request.resource, request.access)


def _account(name: str, catalogue: Catalogue) -> Account:
    identity = catalogue.identities.get(name)
    if identity is None or identity.github_id is None:
        raise KeyError(name)
    return Account(identity.github_id, name, AccountType.USER)


def _pull_request(case: Case, catalogue: Catalogue) -> PullRequest:
    """What GitHub would tell of a pull request of one commit that those people approved."""
    github = catalogue.settings.github
    author = _account(case.requester, catalogue)
    given = case.at.plus(-60)
    return PullRequest(
        number=1,
        url="",
        author=author,
        base_repository_id=github.repository_id,
        base_ref=github.default_branch,
        base_sha="",
        head_repository_id=github.repository_id,
        head_ref=case.name,
        head_sha=_HEAD,
        open=False,
        merged_at=case.at,
        merge_commit_sha=_HEAD,
        merged_by=author,
        files=(),
        commits=(PullRequestCommit(_HEAD, author, author),),
        pushes=(Push(author, "", _HEAD, given.plus(-60)),),
        reviews=tuple(
            Review(number, _account(name, catalogue), ReviewState.APPROVED, _HEAD, given)
            for number, name in enumerate(case.approvals, 1)
        ),
        complete=True,
    )


def _differences(case: Case, decision: Decision) -> Iterator[str]:
    expected = case.expected
    if decision.effect is not expected.effect:
        yield f"expected {expected.effect}, got {decision.effect}"
        for item in decision.reasons:
            yield f"{item.policy}/{item.rule}: {item.message}"
    if expected.rules is not None:
        found = sorted({f"{item.policy}/{item.rule}" for item in decision.reasons})
        if found != list(expected.rules):
            wanted = ", ".join(expected.rules) or "none"
            yield f"expected to fail by {wanted}; failed by {', '.join(found) or 'none'}"
    if expected.lasts is not None and decision.seconds != expected.lasts.seconds:
        yield (
            f"expected to last {expected.lasts}; it lasts {words(decision.seconds)}, "
            f"by {decision.bounded_by}"
        )
    if expected.exceptions is not None and decision.exceptions != expected.exceptions:
        wanted = ", ".join(expected.exceptions) or "none"
        found_names = ", ".join(decision.exceptions) or "none"
        yield f"expected to rest on the exceptions {wanted}; it rests on {found_names}"
    found_issue, found_recording = decision.obligations.issue, decision.obligations.recording
    if expected.issue is not None and expected.issue is not found_issue:
        yield f"expected to be issued {expected.issue}; it is {found_issue}"
    if expected.recording is not None and expected.recording != found_recording:
        yield f"expected recording {expected.recording}; it is {found_recording}"
