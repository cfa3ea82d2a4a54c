"""Built-in rules about the subject, the requester, and those who answer for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.model.identity import IdentityStatus, IdentityType
from daypass.model.instant import Instant
from daypass.policy.rules.rule import BuiltInRule
from daypass.policy.verdict import Verdict, failed, passed

if TYPE_CHECKING:
    from daypass.policy.facts import PersonFacts, SubjectFacts
    from daypass.policy.input import DecisionInput

_OWNERS: Final = 2


def is_person(subject: SubjectFacts) -> bool:
    """Whether a person sits behind the subject."""
    return IdentityType(subject.type).is_person


def _living_human(person: PersonFacts | None) -> bool:
    return (
        person is not None
        and person.type == IdentityType.HUMAN
        and person.status == IdentityStatus.ACTIVE
    )


def _subject_active(facts: DecisionInput) -> Verdict:
    subject = facts.subject
    if subject is None:
        return failed(
            f"{facts.request.subject} is no identity of this repository: "
            f"add access/identities/{facts.request.subject}.yaml first"
        )
    if subject.status != IdentityStatus.ACTIVE:
        return failed(f"{subject.name} is {subject.status}; only active identities receive access")
    return passed(f"{subject.name} is active")


def _requester_may_ask(facts: DecisionInput) -> Verdict:
    subject, requester = facts.subject, facts.requester
    if subject is None or requester.account_id is None:
        return failed("who opened the pull request is not known: the account is gone")
    who = requester.identity or f"account {requester.account_id}"
    if requester.status is not None and requester.status != IdentityStatus.ACTIVE:
        return failed(f"{who}, who asks, is {requester.status}")
    if requester.account_id == subject.account_id:
        return passed(f"{who} asks for itself")
    speakers = [subject.sponsor] if subject.sponsor else []
    if not is_person(subject):
        speakers.extend(subject.owners)
    for person in speakers:
        if person.account_id == requester.account_id and _living_human(person):
            return passed(f"{who} answers for {subject.name}")
    names = ", ".join(sorted({subject.name, *(person.name for person in speakers)}))
    return failed(f"{who} may not ask for {subject.name}: {names} may")


def _two_owners(facts: DecisionInput) -> Verdict:
    subject = facts.subject
    if subject is None or is_person(subject):
        return passed("a person answers for themselves")
    living = [person.name for person in subject.owners if _living_human(person)]
    if len(living) < _OWNERS:
        return failed(
            f"{subject.name} has {len(living)} living human owner(s) "
            f"({', '.join(living) or 'nobody'}), and needs {_OWNERS}"
        )
    return passed(f"{', '.join(living)} answer for {subject.name}")


def _vendor(facts: DecisionInput) -> Verdict:
    subject = facts.subject
    if subject is None or subject.type != IdentityType.VENDOR:
        return passed("no vendor")
    if not _living_human(subject.sponsor):
        return failed(f"{subject.name} is a vendor's, and has no active human sponsor here")
    if subject.contract_end is None:
        return failed(f"{subject.name} is a vendor's, and the end of the contract is not given")
    if Instant.parse(subject.contract_end) <= Instant.parse(facts.now):
        return failed(f"the contract of {subject.name} ended at {subject.contract_end}")
    return passed(f"under contract until {subject.contract_end}, sponsored")


def _agent(facts: DecisionInput) -> Verdict:
    subject = facts.subject
    if subject is None or subject.type != IdentityType.AGENT:
        return passed("no agent")
    if not _living_human(subject.sponsor):
        return failed(f"{subject.name} is an agent, and has no active human sponsor")
    if not subject.tools:
        return failed(f"{subject.name} is an agent, and its tools are not declared")
    if subject.autonomy is None:
        return failed(f"{subject.name} is an agent, and its autonomy is not declared")
    if not facts.request.workload_declared:
        return failed(f"{subject.name} is an agent: say in `workload` what it will run, from where")
    return passed(f"an agent with {len(subject.tools)} tool(s), autonomy {subject.autonomy}")


RULES: Final = (
    BuiltInRule(
        name="subject-active",
        purpose="Only an identity that is declared here and active receives access, "
        "and keeps it only while it is.",
        passes="alice, whose status is active",
        fails="mallory, who has no document in access/identities, or bob, who is suspended",
        requirements=("R2", "R30"),
        check=_subject_active,
    ),
    BuiltInRule(
        name="requester-may-ask",
        purpose="A pull request asks for its own author, or for a machine, agent or vendor that "
        "its author owns or sponsors. Accounts are compared by number, never by login.",
        passes="alice opens a pull request for alice, or for payments-deployer, which she owns",
        fails="bob opens a pull request that gives access to alice",
        requirements=("R12", "threat 21"),
        check=_requester_may_ask,
        at_issue_only=True,
    ),
    BuiltInRule(
        name="two-living-owners",
        purpose="Whatever is not a person has two humans who answer for it.",
        passes="payments-deployer, owned by alice and bob, both active",
        fails="payments-deployer after bob has left",
        requirements=("R2", "R29"),
        check=_two_owners,
        at_issue_only=True,
    ),
    BuiltInRule(
        name="vendor-under-contract",
        purpose="A vendor has a sponsor here, and a contract that has not ended. Whatever else "
        "asks for no recording: what a vendor does is recorded.",
        passes="eve of Example Ltd, sponsored by alice, contract until January",
        fails="eve in February",
        requirements=("R18",),
        check=_vendor,
    ),
    BuiltInRule(
        name="agent-accounted-for",
        purpose="An agent has a human sponsor, declared tools and a declared autonomy, and each "
        "request says what it will run.",
        passes="triage-agent, sponsored by alice, tools [psql], autonomy propose, with `workload`",
        fails="an agent whose sponsor was offboarded",
        requirements=("R16", "threat 24"),
        check=_agent,
    ),
)
