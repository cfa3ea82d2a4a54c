"""A governed repository's documents, and the real decision point over them, for made-up grants."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from daypass.documents.repository import load_catalogue
from daypass.model.grant import Lane
from daypass.model.instant import Duration, Instant
from daypass.model.pullrequest import Account, AccountType
from daypass.model.request import AccessRequest
from daypass.model.tree import TreeEntry
from daypass.policy.approvals import ApprovalCount
from daypass.policy.asked import Asked, Surroundings
from daypass.policy.compiled import compile_rules
from daypass.policy.decide import decide
from daypass.policy.facts import ApprovalFacts
from daypass.policy.groups import resolve_groups
from daypass.policy.input import build_input

if TYPE_CHECKING:
    from daypass.model.grant import Grant

POLICY = "access/policies/everything.yaml"
RULES = """\
apiVersion: daypass.dev/v1
kind: AccessPolicy
metadata: {name: everything}
spec:
  description: What the resource itself asks for is enough.
  effect: permit
  enforcement: enforce
  match: {lanes: [routine, break-glass]}
  limits: {maxDuration: 8h}
  approvals: {notRequired: Its approvers are those whom the resource names.}
"""


def lay_documents(folder: Path) -> None:
    """The example documents in `access/`, under one policy that leaves all to the resources."""
    # The bot's folders are the bot's: what a person puts there is a fault.
    ignore = shutil.ignore_patterns(".gitkeep", "policies", "policy-tests")
    source = Path(__file__).parents[2] / "access"
    shutil.copytree(source, folder / "access", ignore=ignore, dirs_exist_ok=True)
    (folder / POLICY).parent.mkdir()
    (folder / POLICY).write_text(RULES)


class Desk:
    """The real decision point, asked about people and resources that no document names."""

    def __init__(self) -> None:
        root = Path(__file__).parents[2]
        contents = {
            str(path.relative_to(root)): path.read_bytes()
            for path in (root / "access").rglob("*.yaml")
            if path.parent.name not in ("policies", "policy-tests")
        } | {POLICY: RULES.encode()}
        entries = [TreeEntry("100644", path, path) for path in contents]
        catalogue = load_catalogue(entries, lambda _ids: contents)
        self.policies = compile_rules(catalogue)
        alice = catalogue.identities["alice"]
        asked = AccessRequest(
            "x", "alice", "orders-db-replica", "read", Duration(3600), "A good reason", "INC-1"
        )
        requester = Account(alice.github_id or 0, "alice", AccountType.USER)
        surroundings = Surroundings(
            Instant.parse("2026-01-05T08:00:00Z"), resolve_groups(catalogue, {}), ()
        )
        asks = Asked(asked, Lane.ROUTINE, requester)
        self.facts = build_input(asks, catalogue, ApprovalCount(()), surroundings)

    def decided(self, grant: Grant, sensitivity: str) -> Grant:
        """The grant, with the decision that it was issued on."""
        facts, resource = self.facts, self.facts.resource
        assert resource is not None
        assert facts.subject is not None
        groups = ("dba", "orders-team")
        counted = tuple(
            ApprovalFacts(
                item.account_id, item.identity, item.review_id, item.commit, str(item.at), groups
            )
            for item in sorted(grant.approvals, key=lambda item: item.account_id)
        )
        facts = replace(
            facts,
            now=str(grant.not_before),
            request=replace(
                facts.request,
                id=grant.id,
                lane=str(grant.lane),
                subject=grant.subject,
                resource=grant.resource,
                access=grant.access,
                duration_seconds=grant.tier.seconds,
            ),
            requester=replace(
                facts.requester,
                account_id=grant.requester_id,
                identity=grant.requester,
                invoker=True,
            ),
            subject=replace(
                facts.subject,
                name=grant.subject,
                account_id=grant.requester_id,
                pinned_recipients=1,
            ),
            resource=replace(resource, name=grant.resource, sensitivity=sensitivity),
            approvals=replace(facts.approvals, counted=counted),
        )
        decision = decide(facts, self.policies)
        assert decision.permitted, decision.reasons
        return replace(
            grant,
            decision_input=facts.to_json(),
            decision_digest=decision.input_digest,
            policy_digest=decision.policy_digest,
        )


DESK = Desk()
