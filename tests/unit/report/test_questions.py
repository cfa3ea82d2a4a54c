"""Each question, on grounds where its answer is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_world import (
    HOUR,
    NOW,
    approval,
    at,
    ended,
    failure,
    ground,
    identity,
    moment,
    note,
    record,
    refusal,
    review,
    story,
)

from daypass.ledger.fault import Fault, FaultCode
from daypass.ledger.verify import Verdict
from daypass.lifecycle.held import Held
from daypass.model.event import EventKind
from daypass.model.exception import PolicyException
from daypass.model.grant import Lane
from daypass.model.policy import AccessPolicy
from daypass.report.answer import Answer, Standing, percentile, span
from daypass.report.ground import Ground, Window
from daypass.report.questions import QUESTIONS
from daypass.report.story import Authored, GrantStory, Oddity


def ask(name: str, found: Ground) -> Answer:
    return QUESTIONS[name](found)


def column(answer: Answer, key: str) -> list[object]:
    place = [item.key for item in answer.columns].index(key)
    return [row[place] for row in answer.rows]


@pytest.mark.parametrize("name", QUESTIONS)
def test_of_nothing_no_question_says_that_all_is_well(name: str) -> None:
    answer = ask(name, ground())
    assert answer.name == name
    assert answer.standing in (Standing.NONE, Standing.UNKNOWN)
    assert answer.rows == ()
    assert "ok" not in answer.summary.lower().split()


@pytest.mark.parametrize("name", ["non-human", "vendors-agents", "exceptions"])
def test_documents_that_do_not_load_are_not_an_empty_list(name: str) -> None:
    answer = ask(name, ground(documents=False))
    assert answer.standing is Standing.UNKNOWN
    assert "Cannot be told" in answer.summary


def test_who_has_access_counts_what_is_not_confirmed() -> None:
    answer = ask(
        "access-now",
        ground(
            story("live"),
            story("over", begins=-2 * HOUR),
            story("failed", failures=(failure(-60),)),
            story("ended", begins=-3 * HOUR, end=ended(-HOUR)),
            story("later", begins=600),
        ),
    )
    assert column(answer, "grant") == ["failed", "live", "over"]
    assert answer.standing is Standing.ATTENTION


def test_an_end_that_is_still_to_come_is_no_end() -> None:
    future = story(begins=-HOUR, end=ended(600))
    assert ask("access-now", ground(future)).rows != ()


def test_the_timeline_is_the_newest_first_and_tells_why() -> None:
    old = story("old", begins=-5 * HOUR, end=ended(-4 * HOUR))
    done = story("done", begins=-HOUR, end=ended(-1800, kind=EventKind.REVOKED, reason="done"))
    answer = ask("grants", ground(old, done))
    assert column(answer, "grant") == ["done", "old"]
    assert column(answer, "outcome") == ["revoked: done", "expired"]
    assert column(answer, "endedBy") == ["its holder", "Vault, at its time"]


def test_a_window_holds_the_lives_that_reach_into_it() -> None:
    stories = (
        story("before", begins=-10 * HOUR, end=ended(-9 * HOUR)),
        story("into", begins=-5 * HOUR, lasts=2 * HOUR, end=ended(-3 * HOUR)),
        story("after", begins=-600),
    )
    found = ground(*stories, since=at(-4 * HOUR), until=at(-2 * HOUR))
    assert column(ask("grants", found), "grant") == ["into"]


def test_durations_are_measured_and_gaps_in_them_counted() -> None:
    known = story("known", begins=-2 * HOUR, end=ended(-HOUR))
    squashed = story("squashed", asked_at=None)
    answer = ask("durations", ground(known, squashed))
    by_step = {row[0]: row[2:] for row in answer.rows}
    assert by_step["asked to approved"] == (1, 1, 300.0, 300.0, 300.0)
    assert by_step["merged to issued"] == (2, 0, 30.0, 30.0, 30.0)
    assert by_step["issued to ended"] == (1, 0, 3600.0, 3600.0, 3600.0)


def test_a_clock_that_is_wrong_measures_nothing() -> None:
    answer = ask("durations", ground(story(asked_at=at(HOUR))))
    assert {row[0]: row[2:4] for row in answer.rows}["asked to approved"] == (0, 1)


def test_endings_by_trigger() -> None:
    expired = story("expired", begins=-2 * HOUR, end=ended(-HOUR))
    deleted = story(
        "deleted",
        withdrawn=moment(-900),
        end=ended(-600, kind=EventKind.REVOKED, reason="request-deleted"),
    )
    done = story("done", end=ended(-600, kind=EventKind.REVOKED, reason="done"))
    late = story(
        "late", failures=(failure(-1200),), end=ended(-600, kind=EventKind.REVOKED, reason="halt")
    )
    answer = ask("endings", ground(expired, deleted, done, late))
    rows = {row[0]: row[1:] for row in answer.rows}
    assert rows["time"] == (1, 1, 0, 60.0, 60.0, 60.0, 0)
    assert rows["request-deleted"] == (1, 1, 0, 360.0, 360.0, 360.0, 0)
    assert rows["done"] == (1, 0, 1, None, None, None, 0)  # said in Vault, not in git
    assert rows["halt"] == (1, 1, 0, 660.0, 660.0, 660.0, 1)


def test_percentiles_are_values_that_were_measured() -> None:
    assert [percentile([1.0, 2.0, 3.0, 4.0], share) for share in (0.5, 0.95, 1.0)] == [2, 4, 4]
    assert percentile([7.0], 0.5) == 7
    assert percentile([], 0.5) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.4, "59s"), (61, "1m 01s"), (3661, "1h 01m"), (90000, "1d 01h")],
)
def test_lengths_in_words(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_unconfirmed_says_since_when() -> None:
    answer = ask(
        "unconfirmed",
        ground(story("over", begins=-2 * HOUR), story("tried", failures=(failure(-90),))),
    )
    assert column(answer, "openSeconds") == [3600.0, 90.0]
    assert answer.standing is Standing.ATTENTION


def test_a_word_of_ones_own_is_not_independent() -> None:
    answer = ask(
        "independence",
        ground(
            story("self", approvals=(approval("alice"),)),
            # another name for the same account
            story("same", approvals=(approval("bob")._replace(account_id=1),)),
            story("subject", requester="carol", requester_id=3, approvals=(approval("alice"),)),
            story("none", approvals=()),
            story("glass", approvals=(), lane="break-glass"),
            story("fine"),
        ),
    )
    assert column(answer, "grant") == ["self", "same", "subject", "none", "glass"]
    assert answer.summary.startswith("5 grants of 6")


def test_rings_of_two_and_three() -> None:
    def pair(approver: str, requester: str, number: int) -> object:
        return story(
            f"g{number}", requester=requester, subject=requester, approvals=(approval(approver),)
        )

    ring = [("alice", "bob"), ("bob", "carol"), ("carol", "alice")]
    edges = [*ring, ("alice", "dave"), ("alice", "bob")]
    answer = ask("approver-pairs", ground(*(pair(*edge, at) for at, edge in enumerate(edges))))  # type: ignore[arg-type]
    assert "1 ring" in answer.summary
    assert "alice, bob, carol" in answer.summary
    rows = {row[:2]: row[2:] for row in answer.rows}
    assert rows["alice", "bob"] == (2, 2, 0, "alice, bob, carol")
    assert rows["alice", "dave"][-1] is None


def test_one_way_approvals_are_no_ring() -> None:
    answer = ask("approver-pairs", ground(story("one"), story("two")))
    assert answer.standing is Standing.NOTED
    assert "0 rings" in answer.summary


def test_emergencies_and_their_reviews() -> None:
    def glass(name: str, begins: float, **other: object) -> object:
        over = ended(begins + 600)
        return story(name, begins=begins, lane="break-glass", approvals=(), end=over, **other)

    day = 24 * HOUR
    answer = ask(
        "break-glass",
        ground(
            glass("good", -3 * day, reviews=(review("bob", -3 * day + HOUR),)),  # type: ignore[arg-type]
            glass("late", -3 * day, reviews=(review("bob", -day),)),  # type: ignore[arg-type]
            glass("own", -3 * day, reviews=(review("alice", -3 * day + HOUR),)),  # type: ignore[arg-type]
            glass("never", -3 * day),  # type: ignore[arg-type]
            glass("fresh", -HOUR),  # type: ignore[arg-type]
        ),
    )
    states = dict(zip(column(answer, "grant"), column(answer, "review"), strict=True))
    assert states == {
        "good": "reviewed",
        "late": "reviewed late",
        "own": "reviewed by its requester",
        "never": "overdue",
        "fresh": "due",
    }
    assert answer.standing is Standing.ATTENTION


def test_what_was_taken_offline_is_told_apart_and_what_was_not_permitted_asks_for_a_look() -> None:
    def taken(name: str, effect: str) -> object:
        over = ended(-600)
        lane = "break-glass-offline"
        return story(name, begins=-HOUR, lane=lane, effect=effect, approvals=(), end=over)

    fine = ask("break-glass", ground(taken("one", "permit")))  # type: ignore[arg-type]
    assert "1 taken of Vault itself" in fine.summary
    assert fine.standing is Standing.NOTED
    bad = ask("break-glass", ground(taken("one", "permit"), taken("two", "deny")))  # type: ignore[arg-type]
    assert "1 of them not permitted, and ended" in bad.summary
    assert bad.standing is Standing.ATTENTION


def test_a_lane_that_cannot_be_told_is_not_none() -> None:
    answer = ask("break-glass", ground(story(lane=None, record=None)))
    assert answer.standing is Standing.UNKNOWN


def test_identities_that_nobody_answers_for() -> None:
    robots = (
        identity("fine", "ci", owners=["alice", "bob"]),
        identity("half", "service", owners=["alice", "gone"]),
        identity("orphan", "workload", owners=["gone", "fine"]),
        identity("stale", "service", owners=["alice", "bob"], rotation={"every": "30d"}),
        identity("eve", status="offboarded"),
    )
    turned = note(EventKind.ROTATED, -40 * 86400, subject="stale")
    answer = ask(
        "non-human",
        ground(story(subject="eve"), story(subject="lost"), identities=robots, notes=(turned,)),
    )
    found = dict(zip(column(answer, "identity"), column(answer, "finding"), strict=True))
    assert found == {
        "fine": "-",
        "half": "only one living owner",
        "orphan": "orphaned: no owner is an active human",
        "stale": "rotation is overdue",
        "eve": "offboarded and has access",
        "lost": "has access and is not in access/identities",
    }


def test_vendors_past_their_contract_and_agents_without_a_sponsor() -> None:
    others = (
        identity("acme", "vendor", vendor={"sponsor": "alice", "contractEnd": "2026-11-01"}),
        identity("soon", "vendor", vendor={"sponsor": "alice", "contractEnd": "2026-11-23"}),
        identity(
            "bot", "agent", owners=["alice", "bob"], agent={"sponsor": "gone", "tools": ["x"]}
        ),
    )
    answer = ask(
        "vendors-agents",
        ground(story(subject="acme"), story(subject="soon", lasts=24 * HOUR), identities=others),
    )
    found = dict(zip(column(answer, "identity"), column(answer, "finding"), strict=True))
    assert found == {
        "acme": "has access after its contract",
        "soon": "1 grant would outlive its contract",
        "bot": "its sponsor is no active human",
    }


def test_denials_in_the_window_only() -> None:
    found = ground(
        refusals=(
            refusal(EventKind.DENIED, "policy"),
            refusal(EventKind.LAPSED, "lapsed", moment=moment(-9 * HOUR)),
        ),
        since=at(-HOUR),
    )
    assert column(ask("denials", found), "kind") == ["denied"]


def test_changes_of_the_rules_are_told_with_their_paths() -> None:
    paths = tuple(f"access/policies/{name}.yaml" for name in "abcdef")
    change = Authored(moment(-60), "Mallory <mallory@example.com>", paths, by_bot=False)
    answer = ask("policy-changes", ground(foundation=(change,)))
    assert column(answer, "author") == ["Mallory <mallory@example.com>"]
    assert column(answer, "paths") == [(*paths[:4], "and 2 more")]


def test_faults_and_unreadable_events_are_gaps() -> None:
    odd = Oddity(moment(-60), "cannot be read")
    answer = ask("gaps", ground(verdict=Verdict.BROKEN, oddities=(odd,)))
    assert column(answer, "kind") == ["unreadable", "sequence-gap"]
    assert answer.standing is Standing.ATTENTION


def test_a_path_that_is_no_utf_8_is_shown_escaped() -> None:
    fault = Fault(FaultCode.RECORD_EDIT, "9" * 40, "access/grants/\udcff.json was added")
    answer = ask("gaps", ground(faults=(fault,)))
    assert column(answer, "what") == ["access/grants/\\udcff.json was added"]


def test_a_recording_that_is_missing_is_a_gap() -> None:
    answer = ask("gaps", ground(story(gaps=(moment(-60),))))
    assert column(answer, "grant") == ["one"]


def test_tokens_that_nobody_knew_are_traces_of_what_nobody_governs() -> None:
    orphan = note(EventKind.DRIFT, -60, reason="orphan", accessor="sha256:1")
    found = ground(notes=(orphan,))
    assert ask("ungoverned", found).standing is Standing.ATTENTION
    assert "revoked" in str(column(ask("drift", found), "what")[0])


def test_now_can_be_another_time() -> None:
    found = ground(story(begins=-2 * HOUR, end=ended(-HOUR)))
    past = replace(found, window=Window(None, NOW, at(-5400)))
    assert ask("access-now", past).rows != ()
    assert ask("access-now", found).rows == ()


def test_what_the_record_alone_knows_may_be_missing() -> None:
    answer = ask("independence", ground(story(record=None, approvals=())))
    assert column(answer, "sensitivity") == [None]
    assert record().lane == "routine"


def test_an_end_that_somebody_asked_for_is_measured_from_then() -> None:
    by_hand = ended(-60, kind=EventKind.REVOKED, reason="done")  # confirmed at once
    answer = ask("endings", ground(story(end=by_hand, end_asked_at=at(-90))))
    assert (column(answer, "trigger"), column(answer, "maxSeconds")) == (["done"], [90])
    assert column(answer, "notRecorded") == [0]


@pytest.mark.parametrize(
    ("reason", "standing"), [("approved", Standing.NOTED), ("unproven", Standing.ATTENTION)]
)
def test_a_change_of_policies_says_who_asked_and_who_approved(
    reason: str, standing: Standing
) -> None:
    change = note(
        EventKind.POLICY_CHANGED,
        -60,
        reason=reason,
        requester="dave",
        approvers=(2, 99),
        policy_before="sha256:1",
        policy_digest="sha256:2",
        change="e" * 40,
    )
    answer = ask("policy-changes", ground(notes=(change,)))
    assert answer.standing is standing
    assert column(answer, "author") == ["dave"]
    assert column(answer, "approvedBy") == [("bob", "account 99")]
    assert (column(answer, "policyBefore"), column(answer, "policy")) == (
        ["sha256:1"],
        ["sha256:2"],
    )
    assert column(answer, "change") == ["e" * 40]


def test_a_ring_is_those_who_approve_most_of_what_each_other_asks_for() -> None:
    def asked(name: str, *by: str) -> list[object]:
        return [
            story(f"{name}-{number}", subject=name, requester=name, approvals=(approval(one),))
            for number, one in enumerate(by)
        ]

    close = [*asked("alice", "bob", "bob", "carol"), *asked("bob", "alice", "alice")]
    loose = [*asked("carol", "dave", "bob", "alice"), *asked("dave", "carol", "bob", "alice")]
    answer = ask("approver-pairs", ground(*close, *loose))  # type: ignore[arg-type]  # stories
    assert {ring for ring in column(answer, "ring") if ring} == {"alice, bob"}
    assert "1 ring of people" in answer.summary


def test_vault_that_was_not_asked_is_no_agreement() -> None:
    assert ask("vault-against-git", ground(story())).standing is Standing.UNKNOWN


def test_vault_and_git_are_compared_both_ways() -> None:
    lost = story("lost", accessor="sha256:lost")
    over = story("over", begins=-3 * HOUR, end=ended(-2 * HOUR))
    late = story("late", begins=-3 * HOUR)
    tokens = {"sha256:fine": "fine", "sha256:over": "over", "sha256:late": "late"}
    tokens |= {"sha256:other": "fine", "sha256:ghost": "ghost"}
    held = Held(NOW, tokens)
    answer = ask("vault-against-git", ground(story("fine"), lost, over, late, held=held))
    assert dict(zip(column(answer, "accessor"), column(answer, "what"), strict=True)) == {
        "sha256:ghost": "in Vault, unknown to git",
        "sha256:late": "time is up, end not confirmed",
        "sha256:lost": "live in git, gone in Vault",
        "sha256:other": "another token of a live grant",
        "sha256:over": "over in git, lives in Vault",
    }
    assert answer.standing is Standing.ATTENTION
    agreed = Held(NOW, {"sha256:fine": "fine"})
    assert ask("vault-against-git", ground(story("fine"), held=agreed)).standing is Standing.NONE


@pytest.mark.parametrize(
    ("told", "in_vault"),
    [
        (story("fine", begins=0.4, accessor="sha256:fine"), True),
        (story("fine", end=ended(0.4), accessor="sha256:fine"), True),
        (story("fine", end=ended(0.4), accessor="sha256:fine"), False),
        (story("fine", begins=0.2, end=ended(0.4), accessor="sha256:fine"), False),
    ],
    ids=["began", "not yet ended", "ended", "began and ended"],
)
def test_what_happened_within_the_second_that_vault_tells_is_no_difference(
    told: GrantStory, *, in_vault: bool
) -> None:
    held = Held(NOW, {"sha256:fine": "fine"} if in_vault else {})
    assert ask("vault-against-git", ground(told, held=held)).standing is Standing.NONE


def test_an_exception_says_how_many_grants_it_is_about() -> None:
    policy = AccessPolicy.from_document(
        {
            "metadata": {"name": "lax"},
            "spec": {
                "description": "x",
                "effect": "permit",
                "enforcement": "warn",
                "match": {"resources": {"sensitivities": ["low"]}},
            },
        }
    )
    high, glass = record(sensitivity="high"), record(lane=Lane.BREAK_GLASS)
    found = ground(story("one"), story("two", record=high), story("three", record=glass))
    assert found.catalogue is not None
    found = replace(found, catalogue=replace(found.catalogue, policies={"lax": policy}))
    (row,) = told(ask("exceptions", found))
    assert (row["kind"], row["name"]) == ("policy that does not enforce", "lax")
    assert (row["what"], row["grants"]) == ("warn", 1)


def excepting(name: str, begins: float, ends: float) -> PolicyException:
    return PolicyException.from_document(
        {
            "metadata": {"name": name},
            "spec": {
                "excepts": ["built-in/own-keys"],
                "subject": "ci",
                "resource": "orders-db",
                "access": "read",
                "attributedTo": "alice",
                "ticket": "OPS-1",
                "notBefore": str(NOW.plus(begins)),
                "notAfter": str(NOW.plus(ends)),
                "maxDuration": "1h",
            },
        }
    )


def told(answer: Answer) -> list[dict[str, object]]:
    keys = [item.key for item in answer.columns]
    return [dict(zip(keys, row, strict=True)) for row in answer.rows]


def test_an_exception_says_who_answers_until_when_and_what_was_issued_under_it() -> None:
    found = ground(
        story("one", exceptions=("now",)),
        story("two", exceptions=("gone", "now")),
        story("three"),
    )
    assert found.catalogue is not None
    there = {
        item.name: item
        for item in (
            excepting("now", -HOUR, HOUR),
            excepting("past", -2 * HOUR, 0),
            excepting("soon", 1, HOUR),
        )
    }
    found = replace(found, catalogue=replace(found.catalogue, exceptions=there))
    answer = ask("exceptions", found)
    now, past, soon, gone = told(answer)
    assert now == {
        "kind": "exception, in force",
        "name": "now",
        "what": "built-in/own-keys for read on orders-db by ci",
        "attributedTo": "alice",
        "until": NOW.plus(HOUR),
        "grants": 2,
        "issued": ("one", "two"),
    }
    assert (past["kind"], past["issued"]) == ("exception, over", ())
    assert soon["kind"] == "exception, not yet in force"
    assert (gone["kind"], gone["issued"]) == ("exception, its document is gone", ("two",))
    assert answer.standing is Standing.ATTENTION
