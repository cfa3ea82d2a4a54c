"""Cases made up by a number: policies, a guard, people, answers; and what must not widen them.

A case asks one question twice: with a guard more, an approval or an answer less, or more time. What
is given the second time must not be more than the first. The same number makes the same case.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from policy_world import (
    IDS,
    NOW,
    catalogue,
    exception,
    facts,
    identity,
    policy,
    pull_request,
    request,
    resource,
    review,
    rules_of,
    settings,
)
from test_live import grant

from daypass.model.decision import Decision, Effect
from daypass.model.grant import Lane
from daypass.model.obligation import Obligation
from daypass.model.pullrequest import ReviewState
from daypass.model.resource import IssueMode, Recording
from daypass.policy.asked import PastGrant
from daypass.policy.decide import decide
from daypass.policy.facts import ContextFacts
from daypass.policy.groups import resolve_groups
from daypass.policy.live import LiveInputs

if TYPE_CHECKING:
    from daypass.model.catalogue import Catalogue
    from daypass.model.grant import Grant

QUESTIONS = ("guard", "guard", "approval", "answer", "time")
PEOPLE = ("bob", "carol", "dave", "erin", "frank", "mallory")
GROUPS = (
    "dba",
    "orders-team",
    "security",
    "contractors",
    "mixed",
    "team:externals",
    "team:juniors",
)
SLUGS = ("contractors", "externals", "juniors", "oncall")
RANK = {Effect.DENY: 0, Effect.INDETERMINATE: 1, Effect.PERMIT: 2}
ISSUE = (IssueMode.ON_MERGE, IssueMode.ON_CLAIM)
STRICTER = (Recording.NONE, Recording.API_LOG, Recording.REQUIRED)

# Rules whose answer more approvals can only turn for the better, and more time for the worse.
PLAIN = (
    "true",
    "true",
    "true",
    "subject.name != 'mallory'",
    "resource.environment == 'production'",
    "size(approvals) >= 1",
    "false",
    "request.durationSeconds <= 7200",
    "request.access == 'read' || resource.environment == 'staging'",
    "subject.type == 'human'",
    "size(approvals) >= 2",
    "approvals.exists(a, 'security' in a.groups)",
    "approvals.exists(a, 'team:externals' in a.groups || 'mixed' in a.groups)",
    "!('contractors' in subject.groups)",
    "!('team:externals' in subject.groups)",
    "'team:externals' in subject.groups",
    "subject.groups.all(g, g != 'mixed' && g != 'team:juniors')",
    "['dba', 'mixed'].exists(g, g in requester.groups)",
    "!(resource.businessOwner in requester.groups)",
    "!('externalz' in subject.groups)",
    "size(subject.groups) > 0",
    "subject.groups.exists(g, g.startsWith('team:'))",
    "!requester.groups.exists(g, g in subject.groups)",
    "requester.invoker != true",
    "requester.invoker == true || request.lane == 'routine'",
    "size(subject.overdue) == 0",
    "context.posture.value == 'healthy'",
    "context.posture.value != 'broken'",
    "!has(context.oncall) || context.oncall.value == true",
    "!(context.oncall.value == false && context.posture.value == 'broken')",
    "request.nothing == 1",
    "1 +",
)
# Rules that say themselves what fewer approvals, a lost answer or another hour do.
OTHERS = (
    "approvals.all(a, !('team:juniors' in a.groups))",
    "size(approvals) < 3",
    "!approvals.exists(a, a.groups.exists(g, g == 'contractors'))",
    "context.posture.status != 'known' || context.posture.value == 'healthy'",
    "now.getHours('Europe/Zurich') < 12",
    "request.durationSeconds >= 3600",
)
MATCHES: tuple[dict[str, Any], ...] = (
    {},
    {},
    {},
    {"resources": {"sensitivities": ["high", "critical"]}},
    {"resources": {"labels": {"data": ["personal"]}}},
    {"subjects": {"groups": ["contractors"]}},
    {"subjects": {"groups": ["mixed", "team:juniors"]}},
    {"subjects": {"types": ["human", "ci"]}},
    {"levels": ["read"]},
    {"lanes": ["routine", "break-glass"]},
)
LIMITS: tuple[dict[str, Any], ...] = (
    {"maxDuration": "1h"},
    {"maxDuration": "3h"},
    {"window": {"hours": 6, "per": "1d"}},
    {"window": {"hours": 30, "per": "7d"}},
    {"concurrent": 1},
    {"concurrent": 3},
    {"times": {"timeZone": "Europe/Zurich", "from": "07:00", "to": "19:00"}},
    {"times": {"timeZone": "Asia/Tokyo", "from": "22:00", "to": "06:00", "days": ["mon"]}},
    {
        "freezes": [
            {"from": "2026-11-20T00:00:00Z", "to": "2026-11-25T00:00:00Z", "reason": "Freeze"}
        ]
    },
)
REQUIRES: tuple[dict[str, Any], ...] = (
    {"ticket": "OPS-[0-9]+"},
    {"reasonLength": 10},
    {"reasonLength": 40},
    {"recording": "api-log"},
    {"recording": "required"},
    {"issue": "on-claim"},
    {"recording": "required", "issue": "on-claim"},
)


@dataclass(frozen=True)
class Verdict:
    """What one case gave."""

    question: str
    first: Decision
    second: Decision

    @property
    def widened(self) -> str:
        """What is more than before; empty: nothing is."""
        return more(self.first, self.second, doubts=self.question in ("guard", "approval", "time"))


def more(before: Decision, after: Decision, *, doubts: bool = True) -> str:
    """In what a decision gives more. Without an answer, a denial may become a doubt."""
    if RANK[after.effect] > RANK[before.effect] and (doubts or after.permitted):
        return f"effect: {before.effect}, then {after.effect}"
    if not after.permitted:
        return ""
    told = [(before.seconds, after.seconds, "seconds")]
    old, new = before.obligations, after.obligations
    told.append((ISSUE.index(new.issue), ISSUE.index(old.issue), "issue"))
    recordings = [STRICTER.index(Recording(item.recording)) for item in (new, old)]
    told.append((recordings[0], recordings[1], "recording"))
    reviews = [item.review_within_seconds or 1 << 40 for item in (old, new)]
    told.append((reviews[0], reviews[1], "review"))
    return next((f"{what}: {a}, then {b}" for a, b, what in told if b > a), "")


@cache
def a_grant() -> Grant:
    """A record, whose decision each case makes up."""
    return grant(catalogue(), "bob")


def verdict(number: int) -> Verdict:
    """The case of that number."""
    return _Case(number).verdict()


class _Case:
    def __init__(self, number: int) -> None:
        self.random = random.Random(number)  # noqa: S311  -- the same number makes the same case
        self.question = self.random.choice(QUESTIONS)
        self.rules = PLAIN if self.question != "guard" else PLAIN + OTHERS
        about = {"answer": ("groups", "context", "invoker"), "approval": ("approvals",)}
        wanted = about.get(self.question, ("groups", "approvals"))
        if self.odds(0.6):
            self.rules = tuple(text for text in self.rules if any(word in text for word in wanted))
        self.turnout = self.random.choice([0.35, 0.6, 0.9])  # of those who could approve
        # Where much stands in the way, one thing more or less is not seen: most have little.
        self.bare = self.odds(0.75)

    def some(self, *of: Any, most: int = 2) -> list[Any]:
        return self.random.sample(of, self.random.randint(1, min(most, len(of))))

    def odds(self, of: float) -> bool:
        return self.random.random() < of

    def hurdle(self, of: float) -> bool:
        return self.odds(of * 0.2 if self.bare else of)

    def verdict(self) -> Verdict:
        self.world = self.a_world()
        self.around = self.surroundings()
        self.asked = request(
            subject=self.random.choice(["alice"] * 8 + ["deployer", "vera"]),
            duration=self.random.choice(["30m", "2h", "2h", "8h"]),
            **({"ticket": "OPS-1"} if self.odds(0.6) else {}),
            workload={"runs": "x", "from": "y"},
        )
        self.lane = Lane.BREAK_GLASS if self.odds(0.06) else Lane.ROUTINE
        self.live = self.question == "time" or self.odds(0.3)
        self.reviews = self.some_reviews()
        first = self.decide(self.world, self.reviews, self.around)
        second = getattr(self, f"by_{self.question}")()
        return Verdict(self.question, first, second)

    # The second question

    def by_guard(self) -> Decision:
        guard = self.a_policy("aa-guard" if self.odds(0.5) else "zz-guard", effect="guard")
        there = replace(self.world, policies={**self.world.policies, guard.name: guard})
        return self.decide(there, self.reviews, self.around)

    def by_approval(self) -> Decision:
        given = [item for item in self.reviews if item.state is ReviewState.APPROVED]
        gone = self.some(*given, most=3) if given else []
        kept = [item for item in self.reviews if item not in gone]
        return self.decide(self.world, kept, self.around)

    def by_answer(self) -> Decision:
        around = {**self.around, "context": dict(self.around["context"])}
        for name in self.some("posture", "oncall", "teams", "history"):
            if name == "teams":
                gone = self.some(*SLUGS, most=4)
                around["teams"] = {
                    slug: None if slug in gone else members
                    for slug, members in self.around["teams"].items()
                }
            elif name == "history":
                around["history"] = None
            elif self.odds(0.3):
                around["context"].pop(name, None)
            else:
                status = self.random.choice(["unknown", "stale"])
                around["context"][name] = ContextFacts(status, None, "mdm", None)
        return self.decide(self.world, self.reviews, around)

    def by_time(self) -> Decision:
        later = self.random.choice([1, 600, 3600, 7199, 7200, 86400, 40 * 86400])
        return self.decide(self.world, self.reviews, self.around, later=later)

    def decide(
        self, world: Catalogue, reviews: list[Any], around: dict[str, Any], later: int = 0
    ) -> Decision:
        asked = {"asked": self.asked, "pull": pull_request(*reviews), "lane": self.lane}
        if not self.live:
            return decide(facts(world, **asked, **around), rules_of(world))
        # What it was issued by holds no guard, and every answer that there was.
        record = replace(
            a_grant(),
            decision_input=facts(self.world, **asked, **self.around).to_json(),
            lane=self.lane,
            subject=self.asked.subject,
            exceptions=tuple(self.world.exceptions),
        )
        groups = resolve_groups(world, around["teams"])
        inputs = LiveInputs(NOW.plus(later), world, groups, around["overdue"])
        return decide(inputs.of(record, around["context"]), rules_of(world))

    # What is made up

    def a_policy(self, name: str, effect: str | None = None) -> Any:
        guard = effect is not None
        spec: dict[str, Any] = {
            "effect": effect or self.random.choice(["permit", "permit", "permit", "guard"]),
            "enforcement": self.random.choice(["enforce"] * 4 + ["warn", "audit"]),
            "match": {} if self.bare and self.odds(0.5) else self.random.choice(MATCHES),
        }
        if (self.odds if guard else self.hurdle)(0.35):
            spec["approvals"] = {
                "stages": [self.a_stage(number) for number in range(self.random.randint(1, 2))]
            }
        if (self.odds if guard else self.hurdle)(0.35):
            spec["limits"] = dict(self.random.choice(LIMITS))
            spec["limits"].update(self.random.choice(LIMITS))
        if (self.odds if guard else self.hurdle)(0.35):
            spec["require"] = self.random.choice(REQUIRES)
        if self.odds(0.9 if self.bare else 0.5):
            spec["rules"] = [
                {
                    "name": f"r{number}",
                    "expression": text,
                    "message": "must hold",
                    "appliesAt": self.random.choice(["issue", "always", "always"]),
                    "mayBeExcepted": self.odds(0.3),
                }
                for number, text in enumerate(self.some(*self.rules, most=1 if self.bare else 2))
            ]
        return policy(name, **spec)

    def a_stage(self, number: int) -> dict[str, Any]:
        items = [
            {"owner": True, "atLeast": 1}
            if self.odds(0.3)
            else {"group": self.random.choice(GROUPS), "atLeast": self.random.randint(1, 2)}
            for _ in range(self.random.randint(1, 2))
        ]
        return {"name": f"stage-{number}", self.random.choice(["allOf", "anyOf"]): items}

    def a_world(self) -> Catalogue:
        policies = [
            self.a_policy(f"p{number}")
            for number in range(1 if self.bare else self.random.randint(1, 3))
        ]
        if self.odds(0.85):
            policies.append(policy("plain", match={"lanes": ["routine", "break-glass"]}))
        place = resource(
            type=self.random.choice(["database"] * 12 + ["legacy-static", "shared-account"]),
            sensitivity=self.random.choice(
                ["low", "moderate", "moderate", "moderate", "high", "critical"]
            ),
            recording=self.random.choice(["none", "api-log", "required"]),
            maxDuration=self.random.choice(["1h", "8h"]),
            labels={"data": "personal"} if self.odds(0.3) else {},
            owners={
                "business": self.random.choice(["orders-team", "orders-team", "mixed"]),
                "lifecycle": "dba",
            },
            approvers={
                "groups": self.some("dba", "dba", "security", "team:juniors"),
                "atLeast": 2 if self.hurdle(0.3) else 1,
                "owner": self.odds(0.3),
            },
        )
        people = (
            identity(
                "deployer",
                type="ci",
                environment="production",
                owners=["alice", "bob"],
                **({"authn": None} if self.odds(0.4) else {}),
            ),
            identity(
                "vera",
                type="vendor",
                github={"id": 70, "login": "vera"},
                vendor={
                    "company": "Example",
                    "sponsor": "alice",
                    "contractEnd": self.random.choice(["2026-11-23", "2026-12-31"]),
                },
            ),
            identity("alice", status="suspended" if self.hurdle(0.05) else "active"),
        )
        excepted = (
            [
                exception(
                    "x0",
                    *self.some(
                        "built-in/authenticates-itself",
                        "built-in/no-static-secret",
                        "p0/r0",
                        "p1/r0",
                        most=4,
                    ),
                    subject=self.random.choice(["alice", "deployer", "deployer"]),
                    attributedTo=self.random.choice(["frank", "erin"]),
                    notAfter=str(NOW.plus(self.random.choice([900, 86400]))),
                    maxDuration=self.random.choice(["20m", "4h"]),
                )
            ]
            if self.odds(0.3)
            else []
        )
        found = catalogue(
            *policies, resources=(place,), identities=people, exceptions=tuple(excepted)
        )
        return replace(
            found,
            settings=settings(
                groups={
                    "dba": ["bob", "carol"],
                    "orders-team": ["dave", "erin"],
                    "security": ["frank", "erin"],
                    "contractors": ["team:contractors"],
                    "mixed": ["frank", "team:contractors"],
                },
                breakGlass={
                    "invokers": ["team:oncall", *(["alice"] if self.odds(0.5) else [])],
                    "reviewers": ["security"],
                    "incident": "INC-[0-9]+",
                },
                context={
                    "sources": {
                        name: {
                            "url": "https://x.example.com/a",
                            "pointer": "/v",
                            "maxAge": "15m",
                            "required": self.hurdle(0.3),
                        }
                        for name in ("posture", "oncall")
                    }
                },
            ),
        )

    def some_reviews(self) -> list[Any]:
        found = []
        for name in PEOPLE:
            if self.odds(self.turnout):
                state = self.random.choice(
                    [ReviewState.APPROVED] * (200 if self.bare else 30)
                    + [ReviewState.CHANGES_REQUESTED, ReviewState.DISMISSED]
                )
                found.append(review(name, state))
        return found

    def surroundings(self) -> dict[str, Any]:
        owed = Obligation(
            "bg-1", "alice", IDS["alice"], "orders-db", "read", "INC-1", False, 7, NOW, NOW
        )
        return {
            "teams": {
                slug: None
                if self.hurdle(0.15)
                else frozenset(IDS[name] for name in IDS if self.odds(0.35))
                for slug in SLUGS
            },
            "history": tuple(
                PastGrant(
                    f"past-{number}",
                    Lane.ROUTINE,
                    "orders-db",
                    "read",
                    NOW.plus(-7200 * (number + 1)),
                    NOW.plus(-7200 * number + 600),
                    live=number == 0,
                )
                for number in range(self.random.choice([0, 0, 1, 2, 4]))
            ),
            "overdue": (owed,) if self.hurdle(0.1) else (),
            "context": {
                "posture": self.an_answer("healthy", "healthy", "healthy", "broken"),
                "oncall": self.an_answer(True, True, False),
            },
        }

    def an_answer(self, *values: Any) -> ContextFacts:
        status = self.random.choice(["known"] * 10 + ["unknown", "stale"])
        if self.bare and self.odds(0.7):
            status = "known"
        value = self.random.choice(values) if status == "known" else None
        return ContextFacts(status, value, "mdm", 5)
