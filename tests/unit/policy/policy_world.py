"""A small organisation for the tests of the decision point: people, a resource, a pull request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from daypass.model.catalogue import Catalogue, rules_digest
from daypass.model.exception import PolicyException
from daypass.model.grant import Lane
from daypass.model.identity import Identity
from daypass.model.instant import Instant
from daypass.model.policy import AccessPolicy
from daypass.model.pullrequest import (
    Account,
    AccountType,
    ChangedFile,
    PullRequest,
    PullRequestCommit,
    Push,
    Review,
    ReviewState,
)
from daypass.model.request import AccessRequest
from daypass.model.resource import Resource
from daypass.model.settings import Settings
from daypass.policy.approvals import count_approvals
from daypass.policy.asked import Asked, Surroundings
from daypass.policy.compiled import CompiledPolicies, compile_rules
from daypass.policy.decide import decide
from daypass.policy.groups import resolve_groups
from daypass.policy.input import DecisionInput, build_input

NOW = Instant.parse("2026-11-23T10:00:00Z")  # a Monday
OPENED = NOW.plus(-3600)
REVIEWED = NOW.plus(-600)
MERGED = NOW.plus(-60)
HEAD = "a" * 40
BLOB = "b" * 40
PATH = "access/requests/alice-orders-1.yaml"
IDS = {"alice": 1, "bob": 2, "carol": 3, "dave": 4, "erin": 5, "frank": 6, "mallory": 66}
ACCOUNTS = {name: Account(number, name, AccountType.USER) for name, number in IDS.items()}
WEB_FLOW = Account(19864447, "web-flow", AccountType.USER)
BOT = Account(900, "ci[bot]", AccountType.BOT)


def settings(**spec: Any) -> Settings:
    return Settings.from_document(
        {
            "spec": {
                "github": {
                    "owner": "example",
                    "ownerId": 10,
                    "repository": "access",
                    "repositoryId": 20,
                    "appId": 30,
                    "appUserId": 31,
                    "installationId": 32,
                },
                "vault": {"address": "https://vault.example.com", "audience": "vault"},
                "evidence": {"email": "bot@example.com"},
                "foundation": {"owners": ["security"], "atLeast": 1},
                "groups": {
                    "dba": ["bob", "carol"],
                    "orders-team": ["dave", "erin"],
                    "security": ["frank", "erin"],
                    "contractors": ["team:contractors"],
                },
                "breakGlass": {
                    "invokers": ["alice"],
                    "reviewers": ["security"],
                    "incident": "INC-[0-9]+",
                },
                **spec,
            }
        }
    )


def identity(name: str, **spec: Any) -> Identity:
    body = {"type": "human", "status": "active", "recipients": [f"age1{name}"], **spec}
    if body["type"] in ("service", "ci", "workload"):
        body.setdefault("authn", {"method": "spiffe", "spiffe": f"spiffe://example.org/{name}"})
    if name in IDS and "github" not in spec:
        body["github"] = {"id": IDS[name], "login": name}
    return Identity.from_document({"metadata": {"name": name}, "spec": body})


def resource(name: str = "orders-db", **spec: Any) -> Resource:
    body = {
        "type": "database",
        "environment": "production",
        "sensitivity": "moderate",
        "owners": {"business": "orders-team", "lifecycle": "dba"},
        "levels": {
            "read": {
                "engine": "database",
                "mount": "database",
                "tiers": {"1h": "orders-ro-1h", "8h": "orders-ro-8h"},
            }
        },
        "maxDuration": "8h",
        "recording": "none",
        "approvers": {"groups": ["dba"], "atLeast": 1},
        **spec,
    }
    return Resource.from_document({"metadata": {"name": name}, "spec": body})


def policy(name: str = "orders-read", **spec: Any) -> AccessPolicy:
    body = {
        "description": "Reading orders needs the people who run the database.",
        "effect": "permit",
        "enforcement": "enforce",
        "match": {},
        **spec,
    }
    if body["effect"] == "permit" and "approvals" not in body:
        body["approvals"] = {"notRequired": "The resource's own approvers suffice."}
    return AccessPolicy.from_document(
        {
            "apiVersion": "daypass.dev/v1",
            "kind": "AccessPolicy",
            "metadata": {"name": name},
            "spec": body,
        }
    )


def exception(name: str = "orders-static", *excepts: str, **spec: Any) -> PolicyException:
    body = {
        "excepts": list(excepts) or ["built-in/authenticates-itself"],
        "subject": "deployer",
        "resource": "orders-db",
        "access": "read",
        "attributedTo": "frank",
        "reason": "It moves to the cluster next month",
        "ticket": "OPS-1",
        "notBefore": str(NOW.plus(-3600)),
        "notAfter": str(NOW.plus(30 * 86400)),
        "maxDuration": "1h",
        **spec,
    }
    return PolicyException.from_document(
        {
            "apiVersion": "daypass.dev/v1",
            "kind": "PolicyException",
            "metadata": {"name": name},
            "spec": body,
        }
    )


def catalogue(
    *policies: AccessPolicy,
    resources: tuple[Resource, ...] = (),
    identities: tuple[Identity, ...] = (),
    groups: dict[str, list[str]] | None = None,
    exceptions: tuple[PolicyException, ...] = (),
) -> Catalogue:
    people = {name: identity(name) for name in IDS if name != "mallory"}
    people.update({item.name: item for item in identities})
    chosen = policies or (policy(),)
    return Catalogue(
        settings=settings(**({"groups": groups} if groups else {})),
        resources={item.name: item for item in resources or (resource(),)},
        identities=people,
        policies={item.name: item for item in chosen},
        policy_digest=rules_digest(chosen, exceptions),
        exceptions={item.name: item for item in exceptions},
    )


def request(**spec: Any) -> AccessRequest:
    body = {
        "subject": "alice",
        "resource": "orders-db",
        "access": "read",
        "duration": "2h",
        "reason": "Orders stuck since the deploy",
        **spec,
    }
    return AccessRequest.from_document({"metadata": {"id": "alice-orders-1"}, "spec": body})


def review(
    who: Account | str | None,
    state: ReviewState = ReviewState.APPROVED,
    *,
    commit: str | None = HEAD,
    at: Instant | None = REVIEWED,
    number: int | None = None,
) -> Review:
    account = ACCOUNTS[who] if isinstance(who, str) else who
    number = number if number is not None else 1000 + (account.id if account else 0)
    return Review(number, account, state, commit, at)


def pull_request(*reviews: Review, **changes: Any) -> PullRequest:
    alice = ACCOUNTS["alice"]
    base = PullRequest(
        number=7,
        url="https://github.com/example/access/pull/7",
        author=alice,
        base_repository_id=20,
        base_ref="main",
        base_sha="0" * 40,
        head_repository_id=20,
        head_ref="alice-orders-1",
        head_sha=HEAD,
        open=False,
        merged_at=MERGED,
        merge_commit_sha="c" * 40,
        merged_by=ACCOUNTS["bob"],
        files=(ChangedFile(PATH, "added", BLOB),),
        commits=(PullRequestCommit(HEAD, alice, alice),),
        pushes=(Push(alice, "0" * 40, HEAD, OPENED),),
        reviews=reviews,
        complete=True,
    )
    return replace(base, **changes)


def facts(
    world: Catalogue,
    *approvers: str,
    asked: AccessRequest | None = None,
    pull: PullRequest | None = None,
    lane: Lane = Lane.ROUTINE,
    teams: dict[str, frozenset[int] | None] | None = None,
    **around: Any,
) -> DecisionInput:
    """The input of a request that those people approved."""
    asked = asked or request()
    pull = pull or pull_request(*(review(name) for name in approvers))
    groups = resolve_groups(world, {"contractors": frozenset()} if teams is None else teams)
    now = around.pop("now", NOW)
    subject = world.identities.get(asked.subject)
    question = Asked(asked, lane, pull.author)
    excepted = question.exceptions(world)
    wanted = world.resources.get(asked.resource)
    count = (
        count_approvals(pull, subject, world, groups, now, excepted, wanted) if subject else None
    )
    surroundings = Surroundings(now, groups, **{"history": (), "held": (), **around})
    return build_input(question, world, count, surroundings)


def rules_of(world: Catalogue) -> CompiledPolicies:
    return compile_rules(world)


def outcome(world: Catalogue, *approvers: str, **options: Any) -> Any:
    """The decision on a request that those people approved."""
    return decide(facts(world, *approvers, **options), rules_of(world))


def failing(decision: Any) -> set[str]:
    return {f"{item.policy}/{item.rule}" for item in decision.reasons}
