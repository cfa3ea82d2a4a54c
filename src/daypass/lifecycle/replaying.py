"""Replaying: recorded decisions, made again by the one decision point.

Policies are those of the commit that is asked for, read once each; an input is what a record or a
message holds, whoever wrote it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from daypass.documents.repository import catalogue_of
from daypass.errors import DocumentError
from daypass.ledger.decisions import Replayed
from daypass.model.grant import Lane
from daypass.policy.approvers import asked_for
from daypass.policy.compiled import compile_rules
from daypass.policy.decide import decide, describe_requirements
from daypass.policy.facts import PersonFacts
from daypass.policy.gather import exceptions_facts
from daypass.policy.input import DecisionInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daypass.model.catalogue import Catalogue
    from daypass.model.tree import TreeEntry
    from daypass.policy.compiled import CompiledPolicies
    from daypass.policy.facts import ExceptionFacts


class Library(Protocol):
    """Where documents lie."""

    def entries(self, commit: str, folder: str) -> Sequence[TreeEntry]:
        """All entries below a folder of that commit's tree."""

    def blobs(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        """The contents of blobs."""


class Replayer:
    """Implements `daypass.ledger.decisions.Replay`."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._ruling: dict[str, tuple[CompiledPolicies, Catalogue] | None] = {}

    def policies(self, commit: str) -> str | None:
        """The digest of the policies of that commit; None when its documents are wrong."""
        ruling = self._at(commit)
        return ruling[0].digest if ruling is not None else None

    def decide(self, recorded: dict[str, Any], commit: str) -> Replayed:
        """Decide again, by the policies of that commit.

        Raises:
            ValueError: the input cannot be read, or those policies cannot; or the exceptions in it
                are not what that commit excepts.
        """
        ruling = self._at(commit)
        if ruling is None:
            raise ValueError(f"the documents of {commit} are wrong")
        compiled, catalogue = ruling
        facts = DecisionInput.from_json(recorded)
        if _excepted(facts) != _held(facts, catalogue):
            raise ValueError("the exceptions that it was decided on are not those that main held")
        decision = decide(facts, compiled, recorded=recorded)
        needs = describe_requirements(facts, compiled) if facts.approvals.counted else ()
        return Replayed(
            str(decision.effect),
            decision.input_digest,
            decision.seconds,
            frozenset(
                f"{item.account_id} {item.review_id} {item.commit} {item.at}"
                for item in asked_for(facts, needs)
            ),
            decision.exceptions,
        )

    def _at(self, commit: str) -> tuple[CompiledPolicies, Catalogue] | None:
        if commit not in self._ruling:
            try:
                catalogue = catalogue_of(self._library, commit)
                self._ruling[commit] = (compile_rules(catalogue), catalogue)
            except DocumentError:
                self._ruling[commit] = None
        return self._ruling[commit]


def _excepted(facts: DecisionInput) -> list[ExceptionFacts]:
    """The exceptions of an input, as their documents say them.

    What is known of the person beside the name is of an identity, which may have changed since.
    """
    return [
        replace(item, attributed_to=PersonFacts(item.attributed_to.name, None, None, ""))
        for item in facts.exceptions
    ]


def _held(facts: DecisionInput, catalogue: Catalogue) -> list[ExceptionFacts]:
    """What the commit's own documents except for what is asked, in the same form."""
    request = facts.request
    if request.lane != Lane.ROUTINE:
        return []
    about = catalogue.exceptions_about(request.subject, request.resource, request.access)
    return _excepted(replace(facts, exceptions=exceptions_facts(about, catalogue)))
