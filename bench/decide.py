"""Decisions per second with 100 policies, beside the bare CEL library and beside OPA's Rego.

Bare CEL: the same 100 compiled expressions, over one shared activation that is built anew for each
decision, as daypass does. Rego: the same rule 100 times, through `regopy` (its interpreter compiles
nothing ahead).
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

import regopy
from cel_expr_python import cel

from bench.figures import Figure, show
from daypass.model.catalogue import Catalogue
from daypass.model.grant import Approval, Lane
from daypass.model.identity import Identity
from daypass.model.instant import Instant
from daypass.model.policy import AccessPolicy
from daypass.model.pullrequest import Account, AccountType
from daypass.model.request import AccessRequest
from daypass.model.resource import Resource
from daypass.model.settings import Settings
from daypass.policy.approvals import ApprovalCount
from daypass.policy.asked import Asked, Surroundings
from daypass.policy.compiled import compile_policies
from daypass.policy.decide import decide
from daypass.policy.groups import resolve_groups
from daypass.policy.input import DecisionInput, build_input

if TYPE_CHECKING:
    from collections.abc import Callable

POLICIES: Final = 100
ROUNDS: Final = 25
GOAL: Final = 3.0
NOW: Final = Instant.parse("2026-11-23T10:00:00Z")


def expression(number: int) -> str:
    """A rule of the usual size: a comparison, a membership, a look through the approvals."""
    return (
        f"request.durationSeconds <= {7200 + number} && "
        "resource.environment in ['production', 'staging'] && "
        "approvals.exists(a, 'dba' in a.groups)"
    )


def policy(number: int) -> AccessPolicy:
    name = f"policy-{number:03d}"
    spec = {
        "description": "One of a hundred policies of the usual size.",
        "effect": "permit",
        "enforcement": "enforce",
        "match": {"resources": {"types": ["database"]}, "levels": ["read"]},
        "approvals": {"notRequired": "The resource's own approvers suffice."},
        "rules": [{"name": "usual", "expression": expression(number), "message": "must hold"}],
    }
    return AccessPolicy.from_document({"metadata": {"name": name}, "spec": spec})


def world(policies: list[AccessPolicy]) -> Catalogue:
    github = dict.fromkeys(
        ("ownerId", "repositoryId", "appId", "appUserId", "installationId"), 1
    ) | {"owner": "example", "repository": "access"}
    settings = Settings.from_document(
        {
            "spec": {
                "github": github,
                "vault": {"address": "https://vault.example.com", "audience": "vault"},
                "evidence": {"email": "bot@example.com"},
                "foundation": {"owners": ["dba"]},
                "groups": {"dba": ["bob"], "orders": ["carol"]},
            }
        }
    )
    people = [
        Identity.from_document(
            {
                "metadata": {"name": name},
                "spec": {"type": "human", "status": "active", "github": {"id": number}},
            }
        )
        for number, name in enumerate(("alice", "bob", "carol"), 1)
    ]
    level = {"engine": "database", "mount": "database", "tiers": {"8h": "orders-ro-8h"}}
    resource = Resource.from_document(
        {
            "metadata": {"name": "orders-db"},
            "spec": {
                "type": "database",
                "environment": "production",
                "sensitivity": "moderate",
                "owners": {"business": "orders", "lifecycle": "dba"},
                "levels": {"read": level},
                "maxDuration": "8h",
                "recording": "none",
                "approvers": {"groups": ["dba"], "atLeast": 1},
            },
        }
    )
    return Catalogue(
        settings,
        {resource.name: resource},
        {person.name: person for person in people},
        {item.name: item for item in policies},
        compile_policies(policies).digest,
    )


def facts(catalogue: Catalogue) -> DecisionInput:
    request = AccessRequest.from_document(
        {
            "metadata": {"id": "alice-1"},
            "spec": {
                "subject": "alice",
                "resource": "orders-db",
                "access": "read",
                "duration": "2h",
                "reason": "Orders stuck since the deploy",
            },
        }
    )
    counted = ApprovalCount((Approval(2, "bob", 9, "a" * 40, NOW),))
    around = Surroundings(NOW, resolve_groups(catalogue, {}), ())
    asked = Asked(request, Lane.ROUTINE, Account(1, "alice", AccountType.USER))
    return build_input(asked, catalogue, counted, around)


def best(times: int, *actions: Callable[[], object]) -> list[float]:
    """Seconds for one call of each: the best of several rounds, taken in turns.

    In turns, so that whoever else uses the machine disturbs all of them alike.
    """

    def once(action: Callable[[], object]) -> float:
        began = time.perf_counter()
        for _ in range(times):
            action()
        return (time.perf_counter() - began) / times

    rounds = [[once(action) for action in actions] for _ in range(ROUNDS)]
    return [min(column) for column in zip(*rounds, strict=True)]


def bare(data: dict[str, Any]) -> Callable[[], object]:
    """The same expressions and variables with the library alone."""
    types = {
        "request": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
        "resource": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
        "approvals": cel.Type.List(cel.Type.DYN),
    }
    environment = cel.NewEnv(variables=types)
    programs = [environment.compile(expression(number)) for number in range(POLICIES)]
    variables = {
        "request": data["request"],
        "resource": data["resource"],
        "approvals": data["approvals"]["counted"],
    }

    def action() -> bool:
        activation = environment.Activation(variables)
        return all(program.eval(activation).value() is True for program in programs)

    if not action():
        raise SystemExit("the bare expressions do not all hold: the bench is broken")
    return action


def rego(data: dict[str, Any]) -> Callable[[], object]:
    """The same rule, as many times, in Rego."""
    rules = "\n".join(
        f"rule_{number} if {{ input.request.durationSeconds <= {7200 + number}; "
        'input.resource.environment in ["production", "staging"]; '
        'some a in input.approvals.counted; "dba" in a.groups }'
        for number in range(POLICIES)
    )
    every = "; ".join(f"rule_{number}" for number in range(POLICIES))
    interpreter = regopy.Interpreter()
    interpreter.add_module(
        "daypass", f"package daypass\nimport rego.v1\n{rules}\nallow if {{ {every} }}"
    )

    def action() -> str:
        interpreter.set_input(data)
        return str(interpreter.query("data.daypass.allow"))

    if json.loads(action())["expressions"] != [True]:
        raise SystemExit("the Rego rules do not all hold: the bench is broken")
    return action


def measure() -> list[Figure]:
    policies = [policy(number) for number in range(POLICIES)]
    given = facts(world(policies))
    compiled = compile_policies(policies)
    if not decide(given, compiled).permitted:
        raise SystemExit("the decision is no permit: the bench is broken")
    (compiling,) = best(1, lambda: compile_policies(policies))
    whole, floor = best(20, lambda: decide(given, compiled), bare(given.to_json()))
    found = [
        Figure(
            f"decisions with {POLICIES} policies",
            f"{1 / whole:,.0f}/s ({whole * 1e3:.2f} ms each; compiling once a run: "
            f"{compiling * 1e3:.1f} ms)",
            f"the same {POLICIES} expressions in bare CEL, {floor * 1e3:.2f} ms",
            f"{whole / floor:.2f} x bare CEL's time",
            f"at most {GOAL:.0f} x",
            whole <= GOAL * floor,
        )
    ]
    (taken,) = best(1, rego(given.to_json()))
    found.append(
        Figure(
            f"decisions with {POLICIES} policies",
            f"{whole * 1e3:.2f} ms each",
            f"an equal rule {POLICIES} times in Rego (regopy), {taken * 1e3:.1f} ms",
            f"{taken / whole:.0f} x as fast as regopy",
        )
    )
    return found


if __name__ == "__main__":
    show(measure())
