"""Whose word counts, on what: every case of every kind."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from daypass.lifecycle.authority import Word, word_on, word_on_halt, word_on_use
from daypass.model.catalogue import Catalogue
from daypass.model.identity import Identity, IdentityStatus, IdentityType
from daypass.model.instant import Duration
from daypass.model.intent import IntentKind
from daypass.model.resource import Approvers, Recording, Resource, Sensitivity
from daypass.policy.groups import GroupDirectory, resolve_groups
from support import settings
from support.evidence_bot import a_grant

if TYPE_CHECKING:
    from daypass.model.grant import Grant

ALICE, BOB, CAROL, DAVE, ERIN, FRANK, ROBOT, MALLORY, ASKER = range(1, 10)


def person(name: str, account: int, **more: Any) -> Identity:
    known: dict[str, Any] = {"status": IdentityStatus.ACTIVE, **more}
    return Identity(name, IdentityType.HUMAN, github_id=account, **known)


SETTINGS = replace(
    settings.SETTINGS,
    groups={"dba": ("team:dba",), "orders": ("dave",), "life": ("erin",), "security": ("frank",)},
)
RESOURCE = Resource(
    name="orders-db",
    type="database",
    environment="production",
    sensitivity=Sensitivity.LOW,
    business_owner="orders",
    lifecycle_owner="life",
    levels={},
    max_duration=Duration.parse("8h"),
    recording=Recording.NONE,
    approvers=Approvers(("dba",), 1, owner=True),
)
PEOPLE = {
    "alice": person("alice", ALICE),
    "bob": person("bob", BOB),
    "carol": person("carol", CAROL),
    "dave": person("dave", DAVE),
    "erin": person("erin", ERIN),
    "frank": person("frank", FRANK),
    "robot": Identity(
        "robot",
        IdentityType.AGENT,
        IdentityStatus.ACTIVE,
        owners=("bob",),
        sponsor="carol",
        github_id=ROBOT,
    ),
}


def catalogue(**changes: Identity | None) -> Catalogue:
    people = {name: item for name, item in (PEOPLE | changes).items() if item is not None}
    return Catalogue(SETTINGS, {"orders-db": RESOURCE}, people, {}, "sha256:x")


def groups(where: Catalogue, dba: frozenset[int] | None = frozenset({ASKER})) -> GroupDirectory:
    return resolve_groups(where, {"dba": dba})


def grant(subject: str = "alice", requester: int = ALICE) -> Grant:
    return dataclasses.replace(a_grant("a1"), subject=subject, requester_id=requester)


HUMAN = {
    IntentKind.DONE: {ALICE, MALLORY},
    IntentKind.NOT_ME: {ALICE, MALLORY},
    IntentKind.REDELIVER: {ALICE},
    IntentKind.REVOKE: {ALICE, MALLORY, DAVE, ERIN, ASKER, FRANK},
}
AGENT = {
    IntentKind.DONE: {ROBOT, BOB, CAROL},
    IntentKind.NOT_ME: {ROBOT, BOB, CAROL},
    IntentKind.REDELIVER: {BOB},
    IntentKind.REVOKE: {ROBOT, BOB, CAROL, DAVE, ERIN, ASKER, FRANK},
}


@pytest.mark.parametrize("kind", sorted(HUMAN))
@pytest.mark.parametrize("account", range(1, 10))
def test_a_persons_grant(kind: IntentKind, account: int) -> None:
    """Mallory asked for it, in alice's name: who asks may take it back, and receives nothing."""
    where = catalogue()
    word = word_on(kind, account, grant(requester=MALLORY), where, groups(where))
    assert word is (Word.COUNTS if account in HUMAN[kind] else Word.COUNTS_NOT)


@pytest.mark.parametrize("kind", sorted(AGENT))
@pytest.mark.parametrize("account", range(1, 10))
def test_an_agents_grant_that_its_owner_asked_for(kind: IntentKind, account: int) -> None:
    where = catalogue()
    word = word_on(kind, account, grant("robot", BOB), where, groups(where))
    assert word is (Word.COUNTS if account in AGENT[kind] else Word.COUNTS_NOT)


@pytest.mark.parametrize("account", range(1, 10))
@pytest.mark.parametrize(("subject", "requester"), [("alice", MALLORY), ("robot", BOB)])
def test_what_a_grant_was_used_for_is_said_by_who_oversees_it_and_by_nobody_who_had_a_part_in_it(
    account: int, subject: str, requester: int
) -> None:
    where = catalogue()
    word = word_on_use(account, grant(subject, requester), where, groups(where))
    overseers = {DAVE, ERIN, ASKER, FRANK}
    assert word is (Word.COUNTS if account in overseers else Word.COUNTS_NOT)
    own = word_on_use(account, grant(subject, account), where, groups(where))
    assert own is Word.COUNTS_NOT  # its requester, whoever that is
    if account == ASKER:
        unknown = word_on_use(account, grant(subject, requester), where, groups(where, None))
        assert unknown is Word.UNKNOWN


def test_an_agent_has_nothing_delivered_again_even_when_it_asked_itself() -> None:
    where = catalogue()
    word = word_on(IntentKind.REDELIVER, ROBOT, grant("robot", ROBOT), where, groups(where))
    assert word is Word.COUNTS_NOT


@pytest.mark.parametrize("status", [IdentityStatus.SUSPENDED, IdentityStatus.OFFBOARDED])
def test_who_has_left_ends_only_what_is_their_own(status: IdentityStatus) -> None:
    gone = {
        name: dataclasses.replace(PEOPLE[name], status=status) for name in ("bob", "dave", "frank")
    }
    where = catalogue(**gone)
    directory = groups(where, frozenset({BOB, DAVE}))
    assert word_on_halt(FRANK, where, directory) is Word.COUNTS_NOT
    for account in (DAVE, BOB, FRANK):
        word = word_on(IntentKind.REVOKE, account, grant("robot", CAROL), where, directory)
        assert word is Word.COUNTS_NOT
    assert word_on(IntentKind.DONE, BOB, grant("bob", BOB), where, directory) is Word.COUNTS


def test_a_sponsor_who_has_left_answers_for_nobody() -> None:
    gone = dataclasses.replace(PEOPLE["carol"], status=IdentityStatus.OFFBOARDED)
    where = catalogue(carol=gone)
    word = word_on(IntentKind.DONE, CAROL, grant("robot", BOB), where, groups(where))
    assert word is Word.COUNTS_NOT


def test_a_team_that_cannot_be_asked_is_unknown_and_bars_nobody_it_does_not_concern() -> None:
    where = catalogue()
    directory = groups(where, None)
    assert word_on(IntentKind.REVOKE, MALLORY, grant(), where, directory) is Word.UNKNOWN
    assert word_on(IntentKind.REVOKE, DAVE, grant(), where, directory) is Word.COUNTS
    assert word_on(IntentKind.DONE, ALICE, grant(), where, GroupDirectory()) is Word.COUNTS
    assert word_on(IntentKind.DONE, MALLORY, grant(), where, directory) is Word.COUNTS_NOT


def test_a_subject_or_resource_that_is_gone_leaves_who_asked_and_the_foundation() -> None:
    where = Catalogue(SETTINGS, {}, {k: v for k, v in PEOPLE.items() if k != "alice"}, {}, "x")
    directory = groups(where)
    asked = grant(requester=BOB)
    counts = {
        account
        for account in range(1, 10)
        if word_on(IntentKind.REVOKE, account, asked, where, directory) is Word.COUNTS
    }
    assert counts == {BOB, FRANK}
    assert word_on(IntentKind.REDELIVER, BOB, asked, where, directory) is Word.COUNTS_NOT


def test_only_owners_of_the_foundation_halt() -> None:
    where = catalogue()
    counts = {a for a in range(1, 10) if word_on_halt(a, where, groups(where)) is Word.COUNTS}
    assert counts == {FRANK}
    unknown = dataclasses.replace(
        where, settings=dataclasses.replace(SETTINGS, foundation_owners=("dba",))
    )
    assert word_on_halt(MALLORY, unknown, groups(unknown, None)) is Word.UNKNOWN
