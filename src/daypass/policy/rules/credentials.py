"""Built-in rules about what a credential would rest on, or be shared with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.model.exception import AUTHENTICATES_ITSELF, NO_STATIC_SECRET, OWN_KEYS
from daypass.model.identity import IdentityType
from daypass.model.resource import LEGACY_STATIC
from daypass.policy.facts import SHARED_ACCOUNT, Status
from daypass.policy.rules.parties import is_person
from daypass.policy.rules.rule import BuiltInRule
from daypass.policy.verdict import Verdict, failed, passed, unknown

if TYPE_CHECKING:
    from daypass.policy.input import DecisionInput


def _authenticates_itself(facts: DecisionInput) -> Verdict:
    subject = facts.subject
    if subject is None or not IdentityType(subject.type).is_machine:
        return passed("no machine")
    if subject.authn_method is None:
        return failed(
            f"{subject.name} has no identity of its own: nothing says how it authenticates, so it "
            f"is taken for a static secret. Declare `authn` (OIDC or SPIFFE) in "
            f"access/identities/{subject.name}.yaml"
        )
    return passed(f"{subject.name} authenticates by {subject.authn_method}")


def _own_keys(facts: DecisionInput) -> Verdict:
    subject = facts.subject
    if subject is None or is_person(subject) or not subject.keys_shared_with:
        return passed("nobody else can open what is delivered")
    names = ", ".join(subject.keys_shared_with)
    return failed(
        f"{subject.name} is no person, and its deliveries would open with a key of {names}: "
        "whoever needs the access asks for it in their own name"
    )


def _no_static_secret(facts: DecisionInput) -> Verdict:
    resource = facts.resource
    if resource is None or resource.type != LEGACY_STATIC:
        return passed("it does not rest on a static secret")
    return failed(
        f"{resource.name} rests on a static secret, which outlives every grant of it: give it an "
        "engine that mints, or bring a dated exception"
    )


def _one_holder(facts: DecisionInput) -> Verdict:
    resource, history = facts.resource, facts.history
    if resource is None or resource.type != SHARED_ACCOUNT:
        return passed("no shared account")
    if history.status != Status.KNOWN:
        return unknown(f"who holds {resource.name} is not known here")
    request = facts.request
    others = [
        item
        for item in history.holders
        if item.subject != request.subject or item.grant != request.renews
    ]
    if others:
        names = ", ".join(f"{item.subject} ({item.grant})" for item in others)
        return failed(f"{resource.name} is a shared account, and {names} holds it: one at a time")
    return passed(f"nobody holds {resource.name}")


RULES: Final = (
    BuiltInRule(
        name=AUTHENTICATES_ITSELF,
        purpose="A service, CI job or workload has an identity that it can prove: a static secret "
        "is what short-lived access is to replace, not what it is to rest on. An exception may "
        "name it.",
        passes="payments-deployer, with `authn: {method: oidc, …}`",
        fails="nightly-export, whose document says nothing of how it authenticates",
        requirements=("R15",),
        check=_authenticates_itself,
    ),
    BuiltInRule(
        name=OWN_KEYS,
        purpose="Whatever is not a person opens its deliveries with keys that no person has "
        "pinned: nobody acts as a machine, unattributed. An exception may name it, which holds "
        "while the only person with such a key is the one to whom it is attributed.",
        passes="payments-deployer, whose `recipients` are its own",
        fails="payments-deployer, among whose `recipients` is the key of alice, who asks for it",
        requirements=("R17",),
        check=_own_keys,
    ),
    BuiltInRule(
        name=NO_STATIC_SECRET,
        purpose="A resource of type `legacy-static` is given to nobody, in neither lane. An "
        "exception may name it: then it is dated, attributed and in every report.",
        passes="orders-db, a database, whose engine makes a user for each grant",
        fails="old-ledger, of type `legacy-static`, without an exception",
        requirements=("R27",),
        check=_no_static_secret,
    ),
    BuiltInRule(
        name="one-holder",
        purpose="A shared account has one holder at a time, so that what it did is somebody's. "
        "Its holder may renew.",
        passes="nobody holds break-the-bank, or alice does and renews her grant",
        fails="bob asks for break-the-bank, which alice holds until 16:00",
        requirements=("R19",),
        check=_one_holder,
        at_issue_only=True,
    ),
)
