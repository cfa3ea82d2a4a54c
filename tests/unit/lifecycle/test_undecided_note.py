"""Since when requests wait for an answer: noted by the run that meets it first, in Vault."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from daypass.documents.repository import load_request
from daypass.errors import ForgeUnavailableError, VaultUnavailableError
from daypass.lifecycle import undecided_rows
from daypass.lifecycle.happening import Refusal
from daypass.lifecycle.notes import OddNotes
from daypass.lifecycle.outcome import Outcome
from daypass.lifecycle.undecided import Undecided
from daypass.lifecycle.undecided_note import UNDECIDED_NOTE, UndecidedRequests
from daypass.lifecycle.undecided_rows import read_undecided
from daypass.model.event import EventKind, Reason
from daypass.model.instant import Duration, Instant
from daypass.sandbox.organisation import request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T0 = Instant.parse("2026-11-23T09:00:00Z")
GRACE = Duration.parse("15m")
AN_HOUR = T0.plus(3600)
BLOB, OTHER_BLOB = "a" * 40, "b" * 40


class Vault:
    """The notes; `race` is another run that writes between the read and the write of one."""

    def __init__(self) -> None:
        self.notes: dict[str, Mapping[str, Any]] = {}
        self.odd = OddNotes()
        self.calls: list[str] = []
        self.is_down = False
        self.race: Callable[[], None] | None = None

    def read_note(self, name: str) -> Mapping[str, Any] | None:
        self.calls.append("read")
        if self.is_down:
            raise VaultUnavailableError("Vault is sealed", remedy="Unseal it.")
        return self.notes.get(name)

    def update_note(
        self, name: str, change: Callable[[Mapping[str, Any] | None], Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        self.calls.append("update")
        change(self.notes.get(name))  # lost, and asked again
        if self.race is not None:
            self.race()
        self.notes[name] = change(self.notes.get(name))
        return self.notes[name]

    @property
    def rows(self) -> Mapping[str, Any]:
        return read_undecided(self.notes.get(UNDECIDED_NOTE) or {})


class PullRequests:
    """What stands on each, by number and marker."""

    def __init__(self) -> None:
        self.said: dict[tuple[int, str], str] = {}
        self.puts = 0
        self.is_down = False

    def put_comment(self, number: int, marker: str, body: str) -> None:
        self.puts += 1
        if self.is_down:
            raise ForgeUnavailableError("GitHub answered 502", remedy="Run it again.")
        self.said[number, marker] = body


class Bot:
    """One Vault and one GitHub, and the runs that use them."""

    def __init__(self) -> None:
        self.vault, self.github = Vault(), PullRequests()

    def run(self) -> UndecidedRequests:
        vault, github = cast("Any", self.vault), cast("Any", self.github)
        return UndecidedRequests(vault, github, Outcome(), GRACE)

    def look(self, at: Instant, *found: Undecided) -> list[str]:
        """One run that meets these; which of them it refuses."""
        run = self.run()
        run.recall()
        settled = [run.settle(item, at) for item in found]
        run.write({item.refusal.grant_id for item in found}, at)
        return [item.grant_id for item in settled if isinstance(item, Refusal)]


@pytest.fixture
def bot() -> Bot:
    return Bot()


def waits(
    name: str = "one", code: str = "approvals", blob: str = BLOB, number: int = 7
) -> Undecided:
    why = f"the {code} cannot be had"
    refusal = Refusal(
        name, blob, EventKind.DENIED, Reason.POLICY, (why,), pull_request=number or None
    )
    return Undecided(code, (why,), refusal)


@pytest.mark.parametrize("minutes", [5, 60])
def test_a_first_look_only_notes_whatever_the_cadence(bot: Bot, minutes: int) -> None:
    refused = [bot.look(T0.plus(60 * minutes * number), waits()) for number in range(4)]
    assert refused == [[], [], [], ["one"]] if minutes == 5 else [[], ["one"], ["one"], ["one"]]


def test_a_run_never_refuses_what_it_met_itself(bot: Bot) -> None:
    """However long it takes: a pass of the same run is no second look."""
    run = bot.run()
    for at in (T0, AN_HOUR):
        assert isinstance(run.settle(waits(), at), Undecided)
        run.write({"one"}, at)
    assert bot.look(AN_HOUR, waits()) == ["one"]


def test_the_refusal_says_what_was_missing_and_how_long(bot: Bot) -> None:
    bot.look(T0, waits())
    run = bot.run()
    refusal = run.settle(replace(waits(), missing=("no review of #7",)), AN_HOUR)
    assert isinstance(refusal, Refusal)
    assert refusal.why[0] == "the approvals cannot be had"
    assert refusal.why[1] == "no review of #7"
    assert f"from {T0}" in refusal.why[2]
    assert f"until {AN_HOUR}" in refusal.why[2]


def test_answers_that_take_turns_to_be_missing_do_not_wait_for_ever(bot: Bot) -> None:
    for number, code in enumerate(("approvals", "keys", "context")):
        assert bot.look(T0.plus(300 * number), waits(code=code)) == []
    assert bot.look(T0.plus(900), waits(code="approvals")) == ["one"]


def test_two_doubts_an_hour_apart_are_two_first_looks(bot: Bot) -> None:
    assert bot.look(T0, waits(code="context")) == []
    assert bot.look(AN_HOUR, waits(code="approvals")) == []
    run = bot.run()
    refusal = run.settle(waits(code="approvals"), AN_HOUR.plus(900))
    assert isinstance(refusal, Refusal)
    assert f"from {T0} until {AN_HOUR.plus(900)} no run could decide it" in refusal.why[-1]
    assert f"first met this at {AN_HOUR}" in refusal.why[-1]
    assert not any("did not change" in line for line in refusal.why)


def test_doubts_that_take_turns_for_four_graces_are_refused_by_a_second_look(bot: Bot) -> None:
    for minute, code in ((0, "context"), (58, "keys"), (59, "approvals")):
        assert bot.look(T0.plus(60 * minute), waits(code=code)) == []
    assert bot.look(T0.plus(3660), waits(code="keys")) == ["one"]


def test_an_outage_is_waited_for_and_starts_the_time_anew(bot: Bot) -> None:
    bot.look(T0, waits())
    for hour in range(1, 5):
        assert bot.look(T0.plus(3600 * hour), waits(code="outage")) == []
    assert "No run refuses" in bot.github.said[7, "<!-- daypass:undecided:one -->"]
    assert bot.look(T0.plus(5 * 3600), waits()) == []
    assert bot.look(T0.plus(5 * 3600 + 900), waits()) == ["one"]


def lapses(kind: str) -> Undecided:
    document = load_request("access/requests/one.yaml", request("one")["access/requests/one.yaml"])
    return replace(waits(code=kind), request=document)


def test_what_an_outage_hides_lapses_a_day_after_it_was_seen_on_main(bot: Bot) -> None:
    day = 24 * 3600
    bot.look(T0, lapses("outage"))
    assert bot.look(T0.plus(day), lapses("outage")) == []
    run = bot.run()
    refusal = run.settle(lapses("outage"), T0.plus(day + 1))
    assert isinstance(refusal, Refusal)
    assert (refusal.kind, refusal.reason) == (EventKind.LAPSED, Reason.LAPSED)
    assert "within 24 hours" in refusal.why[0]


def straight(code: str = "no-pull-request", blob: str = BLOB) -> Undecided:
    found = waits(code=code, blob=blob, number=0)
    return replace(found, refusal=replace(found.refusal, reason=Reason.UNPROVEN))


def test_other_bytes_of_what_nothing_brought_do_not_start_the_time_anew(bot: Bot) -> None:
    bot.look(T0, straight())
    bot.look(T0.plus(300), straight(blob=OTHER_BLOB))
    assert bot.look(T0.plus(900), straight(blob="c" * 40)) == ["one"]


def test_what_nothing_brought_is_kept_when_main_holds_it_no_more(bot: Bot) -> None:
    bot.look(T0, straight())
    bot.look(AN_HOUR)
    run = bot.run()
    run.recall()
    assert set(run.unproven_gone(())) == {"one"}
    assert run.unproven_gone({"one"}) == {}
    run.clear("one")
    run.write((), AN_HOUR)
    assert bot.vault.rows == {}
    assert run.outcome.settled == set()


@pytest.mark.parametrize(("blob", "over"), [(BLOB, 1), (OTHER_BLOB, 0)])
def test_its_alarm_is_over_only_when_these_bytes_turn_out_proven(
    bot: Bot, blob: str, over: int
) -> None:
    bot.look(T0, straight())
    run = bot.run()
    run.settle(straight(), T0)
    run.clear("one", proven=blob)
    assert len(run.outcome.settled) == over
    assert len(run.outcome.causes) == 1 - over


def test_a_comment_is_edited_at_the_decision_whatever_was_missing_last(bot: Bot) -> None:
    """Where the last comment could not be edited, an older one stands."""
    bot.look(T0, waits())
    bot.github.is_down = True
    bot.look(T0.plus(30), waits(code="keys"))
    bot.github.is_down = False
    run = bot.run()
    run.recall()
    run.clear("one")
    run.write({"one"}, T0.plus(60))
    assert "No longer" in bot.github.said[7, "<!-- daypass:undecided:one -->"]


def test_another_file_under_that_id_starts_anew(bot: Bot) -> None:
    bot.look(T0, waits())
    assert bot.look(AN_HOUR, waits(blob=OTHER_BLOB)) == []
    assert bot.vault.rows["one"].since == AN_HOUR.seconds


def test_what_was_clear_once_starts_anew(bot: Bot) -> None:
    """A request that waits for its window, say, and meets the same doubt when that begins."""
    bot.look(T0, waits())
    run = bot.run()
    run.recall()
    run.clear("one")
    run.write({"one"}, T0.plus(300))
    assert bot.vault.rows == {}
    assert bot.look(AN_HOUR, waits()) == []


def test_what_was_clear_and_is_met_again_in_the_same_run_starts_anew(bot: Bot) -> None:
    bot.look(T0, waits())
    run = bot.run()
    run.recall()
    run.clear("one")
    assert isinstance(run.settle(waits(), AN_HOUR), Undecided)
    run.write({"one"}, AN_HOUR)
    assert "one" in bot.vault.rows


BROKEN = (
    *("{}", "[", "7", '{"one": 7}', '{"one": []}', '{"one": ["x", "y", "z", 1]}', "[" * 100_000),
    *(
        f'{{"one": [{since}, "{BLOB[:12]}", "approvals", {rest}]}}'
        for since, rest in (
            *(
                (time, "7, 1")
                for time in ("Infinity", "NaN", "1e300", "-1", "1.5", "true", "9" * 30)
            ),
            *(
                (5, rest)
                for rest in ('"seven", 1', "-3, 1", "7, 9", '7, "a"', "true, 1", "7, 1, {}")
            ),
            *((5, f'7, 1, {{"approvals": {at}}}') for at in ("-1", "1e9", "null", "[]")),
        )
    ),
    '{"one": [5, ["x"], "approvals", 7, 1]}',
    '{"one": [5, "aaaaaaaaaaaa", "Approvals -->", 7, 1]}',
)


@pytest.mark.parametrize("lost", [None, {}, *({"requests": text} for text in BROKEN)])
def test_a_note_that_was_deleted_starts_the_time_anew(bot: Bot, lost: Any) -> None:
    bot.look(T0, waits())
    bot.vault.notes = {} if lost is None else {UNDECIDED_NOTE: lost}
    assert bot.look(AN_HOUR, waits()) == []
    assert bot.look(AN_HOUR.plus(900), waits()) == ["one"]


def test_one_odd_row_costs_no_other_its_time(bot: Bot) -> None:
    bot.look(T0, waits())
    rows = json.loads(bot.vault.notes[UNDECIDED_NOTE]["requests"])
    odd = {"bad\nname -->": [5, "a", "x", 3, 1], "#0": [5, "a", "x", 3, 1], "two": [0, 1e9]}
    bot.vault.notes[UNDECIDED_NOTE] = {"requests": json.dumps({**odd, **rows})}
    assert set(bot.vault.rows) == {"one"}
    assert bot.look(AN_HOUR, waits()) == ["one"]


def test_a_time_to_come_is_not_believed(bot: Bot) -> None:
    bot.vault.notes[UNDECIDED_NOTE] = {
        "requests": json.dumps({"one": [AN_HOUR.seconds, BLOB[:12], "approvals", 7, 1]})
    }
    assert bot.look(T0, waits()) == []
    assert bot.vault.rows["one"].since == T0.seconds


def test_while_the_note_cannot_be_read_everything_waits(bot: Bot) -> None:
    bot.look(T0, waits())
    bot.vault.is_down = True
    run = bot.run()
    assert isinstance(run.settle(waits(), AN_HOUR), Undecided)
    run.write({"one"}, AN_HOUR)
    assert [name for name, _ in run.outcome.failures] == [UNDECIDED_NOTE]
    bot.vault.is_down = False
    assert bot.look(AN_HOUR, waits()) == ["one"]


def test_a_run_beside_it_loses_nothing_and_the_earlier_time_counts(bot: Bot) -> None:
    def other_run() -> None:
        bot.vault.race = None
        bot.look(T0, waits(), waits("two"))

    bot.vault.race = other_run
    bot.look(T0.plus(60), waits())
    assert {name: row.since for name, row in bot.vault.rows.items()} == {
        "one": T0.seconds,
        "two": T0.seconds,
    }


def test_without_a_doubt_it_is_read_once_and_never_written(bot: Bot) -> None:
    run = bot.run()
    for _ in range(3):
        run.recall()
        run.clear("fine")
        run.write({"fine"}, T0)
    assert bot.vault.calls == ["read"]
    assert bot.github.puts == 0


def test_nothing_is_written_while_nothing_changes(bot: Bot) -> None:
    for number in range(3):
        bot.look(T0.plus(number), waits())
    assert bot.vault.calls.count("update") == 1
    assert bot.github.puts == 1


def test_ids_that_main_no_longer_has_are_dropped_and_their_comments_closed(bot: Bot) -> None:
    bot.look(T0, waits(), waits("kept", number=8))
    bot.look(T0.plus(60), waits("kept", number=8))
    assert set(bot.vault.rows) == {"kept"}
    closed = [number for (number, _), body in bot.github.said.items() if "No longer" in body]
    assert closed == [7]


def test_of_very_many_the_oldest_are_kept_and_the_others_wait(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undecided_rows, "_MOST", 3)
    crowd = [waits(f"w{number}", number=0) for number in range(5)]
    bot.look(T0, *crowd)
    assert set(bot.vault.rows) == {"w0", "w1", "w2"}
    assert bot.look(AN_HOUR, *crowd) == ["w0", "w1", "w2"]


def test_the_whole_note_fits_in_what_vault_takes(bot: Bot) -> None:
    crowd = [
        waits("x" * 58 + f"{number:05d}", "no-pull-request", number=0) for number in range(5000)
    ]
    bot.look(T0, *crowd)
    assert len(bot.vault.rows) == 4000
    assert len(json.dumps(bot.vault.notes[UNDECIDED_NOTE])) < 600_000


def test_one_comment_says_what_is_missing_and_is_kept_current(bot: Bot) -> None:
    bot.look(T0, waits(code="approvals"))
    ((key, body),) = bot.github.said.items()
    assert key == (7, "<!-- daypass:undecided:one -->")
    assert "approvals cannot be had" in body
    assert str(T0.plus(900)) in body
    bot.look(T0.plus(60), waits(code="keys"))
    assert "keys cannot be had" in bot.github.said[key]
    bot.look(AN_HOUR, waits(code="keys"))
    assert "stayed missing" in bot.github.said[key]
    assert len(bot.github.said) == 1


def test_a_flood_posts_a_few_comments_a_pass_and_the_next_goes_on(bot: Bot) -> None:
    crowd = [waits(f"w{number}", number=number + 1) for number in range(30)]
    bot.look(T0, *crowd)
    assert bot.github.puts == 25
    bot.look(T0.plus(60), *crowd)
    assert len(bot.github.said) == 30


def test_an_open_emergency_is_noted_apart_from_the_request_that_it_becomes(bot: Bot) -> None:
    """What main asks for after the merge is met for the first time then."""
    run = bot.run()
    run.settle(waits(), T0, head="c" * 40)
    run.write((), T0)
    assert set(bot.vault.rows) == {"#7"}
    assert bot.look(AN_HOUR, waits()) == []
    run = bot.run()
    assert isinstance(run.settle(waits(), AN_HOUR, head="c" * 40), Refusal)
    run = bot.run()
    assert isinstance(run.settle(waits(), AN_HOUR, head="d" * 40), Undecided)
    run.clear_open(7)
    run.write((), AN_HOUR)
    assert "#7" not in bot.vault.rows


def test_an_unproven_file_alarms_at_the_first_look(bot: Bot) -> None:
    for code, alarms in (("no-pull-request", 1), ("other-bytes", 1), ("incomplete", 0)):
        run = bot.run()
        found = waits(code=code)
        run.settle(replace(found, refusal=replace(found.refusal, reason=Reason.UNPROVEN)), T0)
        assert len(run.outcome.causes) == alarms
        assert not any(item.standing for item in run.outcome.causes.values())
