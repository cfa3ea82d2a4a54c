"""Replaying: recorded decisions, made again by the one decision point.

Policies are those of the commit that is asked for, read once each; an input is what a record or a
message holds, whoever wrote it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from daypass.documents.repository import load_catalogue
from daypass.errors import DocumentError
from daypass.ledger.decisions import Replayed
from daypass.policy.approvers import asked_for
from daypass.policy.decide import compile_policies, decide, describe_requirements
from daypass.policy.input import DecisionInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daypass.model.tree import TreeEntry
    from daypass.policy.compiled import CompiledPolicies


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
        self._compiled: dict[str, CompiledPolicies | None] = {}

    def policies(self, commit: str) -> str | None:
        """The digest of the policies of that commit; None when its documents are wrong."""
        compiled = self._at(commit)
        return compiled.digest if compiled is not None else None

    def decide(self, recorded: dict[str, Any], commit: str) -> Replayed:
        """Decide again, by the policies of that commit.

        Raises:
            ValueError: the input cannot be read, or those policies cannot.
        """
        compiled = self._at(commit)
        if compiled is None:
            raise ValueError(f"the documents of {commit} are wrong")
        facts = DecisionInput.from_json(recorded)
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
        )

    def _at(self, commit: str) -> CompiledPolicies | None:
        if commit not in self._compiled:
            entries = self._library.entries(commit, "access")
            try:
                catalogue = load_catalogue(entries, self._library.blobs)
                self._compiled[commit] = compile_policies(catalogue.policies.values())
            except DocumentError:
                self._compiled[commit] = None
        return self._compiled[commit]
