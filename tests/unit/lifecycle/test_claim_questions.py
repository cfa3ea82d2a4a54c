"""Of a delivery that was opened its holder says whether it was them; else it alarms, once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from test_lifecycle_plan import NOW, a_file, a_grant, a_world

from daypass.errors import ForgeUnavailableError
from daypass.lifecycle.answers import Answer, Result, answer_body, command_marker
from daypass.lifecycle.claim_questions import ask_holders, note_before_again
from daypass.lifecycle.observe import Observation
from daypass.lifecycle.openings import Opening, Word
from daypass.lifecycle.outcome import Outcome
from daypass.lifecycle.plan import Action, Plan, Step
from daypass.lifecycle.ports import Slot, SlotState, TokenState
from daypass.lifecycle.world import accessor_digest
from daypass.model.instant import Duration
from daypass.model.intent import Intent, IntentKind
from daypass.model.pullrequest import Account, AccountType, Comment
from daypass.model.resource import IssueMode
from daypass.policy.groups import GroupDirectory

if TYPE_CHECKING:
    from daypass.model.grant import Grant
    from daypass.model.instant import Instant

ALICE, MALLORY, APP = 1, 66, 99
GRACE = Duration.parse("15m")
DELIVERED_AT = NOW.plus(-60)
GRANT = replace(
    a_grant("a1"),
    accessor=accessor_digest("acc"),
    issue=IssueMode.ON_CLAIM,
    # To the nanosecond, as Vault tells it; a note keeps milliseconds.
    wrapping=replace(
        a_grant().delivery, time=str(DELIVERED_AT).replace("Z", ".123456789Z"), ttl=3600
    ),
)
PEOPLE = SimpleNamespace(
    settings=SimpleNamespace(
        github=SimpleNamespace(app_user_id=APP), foundation_owners=("security",)
    ),
    identity_of=lambda _: None,
    resources={},
    identities={
        "alice": SimpleNamespace(
            type=SimpleNamespace(is_person=True), github_id=ALICE, owners=(), sponsor=None
        )
    },
)


@dataclass
class Town:
    """Vault, the notes and the pull request, over several runs."""

    grant: Grant = GRANT
    live: set[str] = field(default_factory=lambda: {"acc"})  # accessors; "wrap" is the delivery's
    comments: list[Comment] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    note: dict[str, Any] = field(default_factory=dict)
    intents: list[Intent] = field(default_factory=list)  # that runs have noted
    passes_on: bool = False  # whether the last run asked for another pass
    teams: GroupDirectory | SimpleNamespace = field(default_factory=GroupDirectory)
    github_is_down: bool = False
    reads: int = 0

    def say(self, body: str, by: int = ALICE, at: Instant = NOW, *, edited: bool = False) -> None:
        self.comments.append(Comment(len(self.comments), "url", by, body, at, edited))

    def answer(self, result: Result) -> None:
        """What the job of access-commands says to the comment before."""
        answer = Answer("a1", IntentKind.DONE, result, "why")
        self.say(f"{command_marker(len(self.comments) - 1)}\n{answer_body(answer)}", APP)

    def run(
        self,
        after: float = 0,
        intent: Intent | None = None,
        *,
        ends: bool = False,
        over: bool = False,
        again: bool = False,
        slot: SlotState = SlotState.DELIVERED,
    ) -> Outcome:
        """One run, so many seconds after NOW; its alarms are in what it returns."""
        now, grants = NOW.plus(after), {} if over else {self.grant.id: self.grant}
        world = replace(
            a_world(requests={} if over else {"a1": a_file(name="a1")}, grants=grants),
            now=now,
            live=frozenset(accessor_digest(item) for item in self.live),
            intents={self.grant.id: intent} if intent else {},
            ruling=cast("Any", PEOPLE),
        )
        seen = Observation(world, {accessor_digest(item): item for item in self.live}, {}, {})
        step = Step.AGAIN if again else Step.END
        plan = Plan((Action(step, self.grant.id, grant=self.grant),) if ends or again else ())
        kept = Slot(self.grant.id, 3, slot, {"accessor": "acc", "wrapping": "wrap"})

        def read(_grant_id: str) -> Slot:
            self.reads += 1
            return kept

        def comments_since(*_: Any) -> tuple[Comment, ...]:
            if self.github_is_down:
                raise ForgeUnavailableError("it is down", remedy="Wait.")
            return tuple(self.comments)

        def post_comment(_number: int, marker: str, body: str) -> None:
            if marker not in [text.partition("\n")[0] for text in self.asked]:
                self.asked.append(f"{marker}\n{body}")

        def lookup(accessor: str) -> TokenState | None:
            return TokenState(accessor, now, {}) if accessor in self.live else None

        ports = SimpleNamespace(
            issuer=SimpleNamespace(lookup=lookup, now=lambda: now),
            registry=SimpleNamespace(
                read=read,
                read_note=self.note.get,
                write_note=self.note.__setitem__,
                write_intent=self.intents.append,
            ),
            forge=SimpleNamespace(
                comments_since=comments_since,
                post_comment=post_comment,
                account=lambda number: Account(number, f"login{number}", AccountType.USER),
            ),
        )
        outcome = Outcome()
        if again:
            note_before_again(cast("Any", ports), seen, plan)
            return outcome
        groups = cast("Any", SimpleNamespace(groups=lambda _: self.teams))
        self.passes_on = ask_holders(cast("Any", ports), groups, seen, plan, outcome, GRACE)
        return outcome


def test_the_holder_is_asked_once_and_it_alarms_once_after_the_grace() -> None:
    town = Town()
    assert town.run().alarms == []
    assert town.run(899).alarms == []
    (question,) = town.asked
    assert "@login1: the delivery of `a1` was opened" in question.replace("\n", " ")
    assert "daypass claim a1 --not-me" in question
    (alarm,) = town.run(900).causes.values()
    assert alarm.cause == "opened.a1"
    assert not alarm.standing, "it is over when somebody has looked"
    assert "opened.a1" in str(town.note["seen-once"]), "a run that is killed leaves it"
    assert town.run(1000).alarms == []
    assert len(town.asked) == 1


def test_what_nobody_opened_asks_nobody() -> None:
    town = Town(live={"acc", "wrap"})
    town.run()
    assert (town.asked, town.note) == ([], {})


@pytest.mark.parametrize("body", ["/claimed a1", "Claimed a1", "/claimed a1\n\nx"])
@pytest.mark.parametrize("first", [True, False])
def test_a_holder_who_has_spoken_is_not_asked_and_does_not_alarm(body: str, *, first: bool) -> None:
    """Before a run saw it opened, or after it has asked."""
    town = Town()
    if not first:
        town.run()
    town.say(body)
    town.run(1)
    assert len(town.asked) == (0 if first else 1)
    assert town.run(900).alarms == []
    before = town.reads
    town.run(1000)
    assert town.reads == before, "it costs the runs that follow nothing"


@pytest.mark.parametrize(
    "word",
    [
        {"body": "/claimed a1", "by": MALLORY},
        {"body": "/claimed a1", "edited": True},
        {"body": "/claimed a1", "at": DELIVERED_AT.plus(-1)},
        {"body": "/claimed a2"},
        {"body": "I think I /claimed a1"},
        {"body": "Claimed a1, didn't I?"},
        {"body": "/redeliver a1"},  # it is what a holder does who finds it spent
        {"body": "/not-me a1", "edited": True},
        {"body": "/not-me a1", "at": DELIVERED_AT.plus(-1)},
        {"body": "/not-me a1", "by": MALLORY},
        {"body": "/not-me a2"},
    ],
)
def test_nothing_else_is_the_holders_word(word: dict[str, Any]) -> None:
    town = Town()
    town.say(**word)
    town.run()
    assert len(town.asked) == 1
    assert len(town.run(900).alarms) == 1


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("kind", [IntentKind.NOT_ME, IntentKind.DONE, IntentKind.REVOKE])
def test_what_no_job_has_obeyed_is_obeyed_in_that_very_run(
    kind: IntentKind, *, first: bool
) -> None:
    """The job of access-commands was dropped, or somebody with write access has cancelled it."""
    town = Town()
    if not first:
        town.run()
    town.say(f"/{kind} a1", at=NOW.plus(1))
    town.run(2)
    assert town.intents == [Intent("a1", kind, ALICE, NOW.plus(1))]
    assert town.passes_on, "the next pass ends it"
    assert Word.SAID not in str(town.note), "a run that is killed here leaves the question open"
    assert town.run(3, town.intents[0], ends=True).alarms == [], "its end alarms, not the question"
    assert not town.passes_on
    quiet = kind is not IntentKind.REVOKE  # that the holder ends it is no word on who opened it
    assert len(town.run(900, over=True).alarms) == (0 if quiet or first else 1)


def test_not_me_outranks_every_other_word() -> None:
    town = Town()
    for body in ("/claimed a1", "/done a1", "/not-me a1"):
        town.say(body)
    town.run()
    assert [item.kind for item in town.intents] == [IntentKind.NOT_ME]


def test_not_me_after_the_alarm_still_ends_it() -> None:
    town = Town()
    town.run()
    assert len(town.run(900).alarms) == 1
    town.say("/not-me a1", at=NOW.plus(950))
    town.run(1000)
    assert [item.kind for item in town.intents] == [IntentKind.NOT_ME]
    assert town.passes_on


@pytest.mark.parametrize("answer", [None, Result.ENDED])
def test_not_me_of_what_is_over_alarms_at_once(answer: Result | None) -> None:
    """A thief who ends the grant leaves nothing to end: no job alarms."""
    town = Town()
    town.run()
    town.say("/not-me a1", at=NOW.plus(30))
    if answer is not None:
        town.answer(answer)
    assert list(town.run(60, over=True).causes) == ["stolen.a1"]
    assert town.run(900, over=True).alarms == []
    assert town.intents == []


def test_a_strangers_word_that_may_count_keeps_nobody_from_being_heard() -> None:
    town = Town(teams=SimpleNamespace(group=lambda _: SimpleNamespace(known=False, accounts=())))
    town.say("/revoke a1", MALLORY)
    town.say("/not-me a1", at=NOW.plus(1))
    town.run(2)
    assert [item.kind for item in town.intents] == [IntentKind.NOT_ME]


def test_a_refused_word_is_not_obeyed() -> None:
    town = Town()
    town.say("/not-me a1")
    town.answer(Result.REFUSED)
    town.run()
    assert town.intents == []
    assert len(town.run(900).alarms) == 1


@pytest.mark.parametrize("answer", [None, Result.REFUSED, Result.ENDED, Result.ENDING])
def test_done_is_a_word_on_the_opening_only_where_it_took_effect(answer: Result | None) -> None:
    town = Town()
    town.run()
    town.say("/done a1", at=NOW.plus(30))
    if answer is not None:
        town.answer(answer)
    alarms = town.run(900, over=True).alarms
    assert len(alarms) == (0 if answer is Result.ENDING else 1)


@pytest.mark.parametrize("body", ["Claimed a1", "/claimed a1", "/not-me a1"])
def test_a_second_delivery_does_not_silence_the_question_about_the_first(body: str) -> None:
    """What `daypass claim` leaves is about the second; the answer to the question is not."""
    town = Town()
    redeliver = Intent("a1", IntentKind.REDELIVER, ALICE, NOW)
    town.run(10, redeliver, again=True)
    town.grant = replace(GRANT, wrapping=replace(GRANT.delivery, time=str(NOW.plus(10))))
    town.live = {"acc", "wrap"}  # the second, unopened
    town.run(11)
    assert len(town.asked) == 1
    town.say(body, at=NOW.plus(20))
    town.run(30)
    assert [item.kind for item in town.intents] == ([IntentKind.NOT_ME] if "not" in body else [])
    if body != "/not-me a1":
        town.run(40, over=True)
        assert len(town.run(950, over=True).alarms) == (1 if body == "Claimed a1" else 0)


@pytest.mark.parametrize("kind", [IntentKind.REDELIVER, IntentKind.REVOKE])
def test_an_intent_that_says_nothing_of_the_opening_ends_no_question(kind: IntentKind) -> None:
    town = Town()
    town.run()
    town.run(60, Intent("a1", kind, ALICE, NOW))
    assert len(town.run(900, over=True).alarms) == 1


def test_an_end_hides_no_opening() -> None:
    """A thief who ends the grant with its own token is asked about all the same."""
    town = Town(live=set())
    own = Intent("a1", IntentKind.DONE, 0, NOW)
    town.run(intent=own, ends=True)
    assert len(town.asked) == 1
    assert town.run(60, over=True).alarms == []
    assert len(town.run(900, over=True).alarms) == 1
    assert town.run(1000, over=True).alarms == []
    assert town.note["opened"] == {"openings": "[]"}


def test_an_honest_end_with_the_grants_own_token_says_nothing() -> None:
    town = Town(live=set())
    town.say("Claimed a1")
    town.run(intent=Intent("a1", IntentKind.DONE, 0, NOW), ends=True)
    assert town.run(900, over=True).alarms == []
    assert town.asked == []


@pytest.mark.parametrize("kind", [IntentKind.DONE, IntentKind.NOT_ME])
def test_a_holder_who_ends_it_meanwhile_has_spoken(kind: IntentKind) -> None:
    town = Town()
    town.run()
    town.run(60, Intent("a1", kind, ALICE, NOW), ends=True)
    assert town.run(900, over=True).alarms == []


def test_somebody_elses_end_is_not_the_holders_word() -> None:
    town = Town()
    town.run()
    town.run(60, Intent("a1", IntentKind.REVOKE, MALLORY, NOW), ends=True)
    assert len(town.run(900, over=True).alarms) == 1


def test_while_github_tells_nothing_it_waits_and_then_alarms_all_the_same() -> None:
    """Who floods the pull request with comments must not keep it quiet."""
    town = Town(github_is_down=True)
    assert town.run().failures
    assert town.run(60).alarms == []
    assert len(town.run(900).alarms) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"ttl": 60},  # it lapsed, or was opened in its last second: nobody knows
        {"slot": SlotState.MINTED},
        {"slot": SlotState.RESERVED},
        {"ends": True},
    ],
)
def test_what_is_no_opening_for_sure_asks_nobody(changes: dict[str, Any]) -> None:
    town = Town()
    if "ttl" in changes:
        town.grant = replace(GRANT, wrapping=replace(GRANT.delivery, ttl=changes.pop("ttl")))
    town.run(**changes)
    assert town.asked == []


def test_a_second_delivery_is_asked_about_for_itself() -> None:
    town = Town()
    town.say("/claimed a1")
    town.run()
    again = replace(GRANT.delivery, time=str(NOW.plus(60)))
    town.grant = replace(GRANT, wrapping=again)
    town.run(90)
    assert len(town.asked) == 1, "the word on the first delivery is none on the second"


def test_a_note_of_before_reads_back() -> None:
    row = ["a1", str(DELIVERED_AT), str(NOW), 7, [ALICE], "awaited"]
    opening = Opening.from_json(row)
    assert opening.to_json() == row
    again = replace(opening, replaced_at=NOW)
    assert Opening.from_json(again.to_json()) == again
