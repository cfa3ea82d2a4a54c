"""An evidence key that hands over to the next one: what holds by which fingerprint, and attacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daypass.ledger.anchor import PREFIX, tag_payload
from daypass.ledger.counting_signers import counting_signers
from daypass.ledger.fault import FaultCode
from daypass.ledger.history import read_events
from daypass.ledger.sshsig import armoured_signature, bytes_to_sign
from daypass.ledger.verify import Verdict, verify
from daypass.model.event import Event, EventKind
from daypass.model.names import ALLOWED_SIGNERS_PATH
from support import auditor
from support.doc_pages import blocks
from support.local_signer import LocalSigner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from daypass.ledger.allowed_signers import Signers
    from daypass.ledger.verify import Report
    from support.evidence_bot import Bot

FIRST, SECOND, THIRD = LocalSigner(1), LocalSigner(2), LocalSigner(3)
MALLORY = LocalSigner(66)


def shown(signer: LocalSigner) -> str:
    return signer.allowed().fingerprint


def judge(bot: Bot, *named: LocalSigner, head: str | None = None, memory: Any = None) -> Report:
    with bot.open() as repository:
        newest = repository.fetch()
        return verify(
            repository,
            head or newest,
            fingerprints=[shown(signer) for signer in named],
            tags=repository.tags(PREFIX),
            memory=memory,
        )


def codes(report: Report) -> set[FaultCode]:
    return {fault.code for fault in report.open_faults}


def word(kind: EventKind, before: LocalSigner, after: LocalSigner) -> Event:
    keys = (("Daypass-Key-Before", shown(before)), ("Daypass-Key", shown(after)))
    return Event(kind, None, keys)


def list_key(bot: Bot, *signers: LocalSigner) -> str:
    text = "".join(f"{signer.allowed().to_line()}\n" for signer in signers)
    return bot.person_commits("List a key", {ALLOWED_SIGNERS_PATH: text})


def endorse(bot: Bot, before: LocalSigner, after: LocalSigner) -> str:
    bot.signer = before
    return bot.record(word(EventKind.KEY_ENDORSED, before, after), {})


def answer(bot: Bot, before: LocalSigner, after: LocalSigner) -> str:
    bot.signer = after
    return bot.record(word(EventKind.KEY_ROTATED, before, after), {})


def hand_over(bot: Bot, before: LocalSigner, after: LocalSigner) -> str:
    endorsed = endorse(bot, before, after)
    answer(bot, before, after)
    return endorsed


@pytest.fixture
def rotated(bot: Bot) -> Bot:
    """Two handovers, an event by each key, and a grant that lives on through both."""
    issued = bot.issue("one")
    list_key(bot, FIRST, SECOND)
    bot.issue("two")  # merged, and no run has handed over yet
    hand_over(bot, FIRST, SECOND)
    bot.issue("three")
    list_key(bot, FIRST, SECOND, THIRD)
    hand_over(bot, SECOND, THIRD)
    bot.end("one", issued)
    return bot


@pytest.mark.parametrize(
    "named",
    [(FIRST,), (SECOND,), (THIRD,), (FIRST, THIRD), (SECOND, THIRD), (FIRST, SECOND, THIRD)],
    ids=["old", "middle", "new", "old and new", "middle and new", "all"],
)
def test_any_key_of_the_line_holds_all_of_main(
    rotated: Bot, named: tuple[LocalSigner, ...]
) -> None:
    report = judge(rotated, *named)
    assert report.faults == ()
    assert report.verdict is Verdict.HOLDS
    assert report.events == 8
    assert report.signers == (shown(FIRST), shown(SECOND), shown(THIRD))


def test_without_one_it_is_self_attested(rotated: Bot) -> None:
    report = judge(rotated)
    assert (report.faults, report.verdict) == ((), Verdict.SELF_ATTESTED)


def test_until_the_handover_the_old_key_holds_and_the_new_one_vouches_for_nothing(bot: Bot) -> None:
    bot.issue("one")
    list_key(bot, FIRST, SECOND)
    bot.issue("two")
    assert judge(bot, FIRST).verdict is Verdict.HOLDS
    assert codes(judge(bot, SECOND)) >= {FaultCode.UNENDORSED_SIGNER}
    endorse(bot, FIRST, SECOND)  # a run that was cut off right after it
    assert judge(bot, FIRST).verdict is Verdict.HOLDS
    assert judge(bot, SECOND).verdict is Verdict.BROKEN


class TestAttacks:
    def test_the_old_key_signs_nothing_after_its_endorsement(self, rotated: Bot) -> None:
        rotated.signer = FIRST
        late = rotated.issue("late")
        for named in ((FIRST,), (SECOND,), (THIRD,), (FIRST, THIRD), ()):
            report = judge(rotated, *named)
            assert (FaultCode.SIGNER_NOT_VALID, late) in at(report)

    def test_not_even_dated_back(self, rotated: Bot) -> None:
        rotated.signer = FIRST
        rotated.seconds -= 3600
        late = rotated.issue("late")
        assert (FaultCode.SIGNER_NOT_VALID, late) in at(judge(rotated, FIRST))

    def test_nor_between_the_endorsement_and_its_answer(self, bot: Bot) -> None:
        bot.issue("one")
        list_key(bot, FIRST, SECOND)
        endorse(bot, FIRST, SECOND)
        late = bot.issue("late")
        assert (FaultCode.SIGNER_NOT_VALID, late) in at(judge(bot, FIRST))

    @pytest.mark.parametrize("named", [(FIRST,), (SECOND,), (FIRST, SECOND)])
    def test_the_old_key_endorses_no_second_one(
        self, bot: Bot, named: tuple[LocalSigner, ...]
    ) -> None:
        bot.issue("one")
        list_key(bot, FIRST, SECOND, MALLORY)
        hand_over(bot, FIRST, SECOND)
        again = endorse(bot, FIRST, MALLORY)
        answered = answer(bot, FIRST, MALLORY)
        forged = bot.issue("forged")
        found = at(judge(bot, *named))
        assert (FaultCode.SIGNER_NOT_VALID, again) in found
        assert (FaultCode.UNENDORSED_SIGNER, answered) in found
        assert (FaultCode.UNENDORSED_SIGNER, forged) in found

    @pytest.mark.parametrize("named", [(FIRST,), (SECOND,), (FIRST, SECOND)])
    def test_a_key_that_nobody_knows_endorses_nothing(
        self, bot: Bot, named: tuple[LocalSigner, ...]
    ) -> None:
        bot.issue("one")
        list_key(bot, FIRST, SECOND)
        endorsed = endorse(bot, MALLORY, SECOND)
        bot.signer = SECOND
        bot.record(word(EventKind.KEY_ROTATED, FIRST, SECOND), {}, previous=endorsed)
        report = judge(bot, *named)
        assert (FaultCode.UNKNOWN_SIGNER, endorsed) in noted(report)

    def test_nor_does_it_in_the_old_keys_name(self, bot: Bot) -> None:
        bot.issue("one")
        list_key(bot, FIRST, SECOND, MALLORY)
        bot.signer = MALLORY
        bot.record(word(EventKind.KEY_ENDORSED, FIRST, MALLORY), {})
        answer(bot, FIRST, MALLORY)
        forged = bot.issue("forged")
        assert (FaultCode.UNENDORSED_SIGNER, forged) in at(judge(bot, FIRST))
        assert FaultCode.UNENDORSED_SIGNER in codes(judge(bot, MALLORY))

    def test_nor_does_a_key_in_force_in_the_name_of_another(self, rotated: Bot) -> None:
        list_key(rotated, FIRST, SECOND, THIRD, MALLORY)
        wrong = rotated.record(word(EventKind.KEY_ENDORSED, FIRST, MALLORY), {})
        rotated.signer = MALLORY
        forged = rotated.issue("forged")
        found = at(judge(rotated, FIRST))
        assert {(FaultCode.ENDORSEMENT, wrong), (FaultCode.UNENDORSED_SIGNER, forged)} <= found

    def test_a_retired_key_takes_in_no_other(self, rotated: Bot) -> None:
        """Though both it and its successor are named: its line ended with its own endorsement."""
        list_key(rotated, FIRST, SECOND, THIRD, MALLORY)
        endorse(rotated, MALLORY, SECOND)
        answer(rotated, MALLORY, SECOND)
        rotated.signer = MALLORY
        forged = rotated.issue("forged")
        for named in ((SECOND, THIRD), (THIRD,), (SECOND,)):
            assert (FaultCode.UNENDORSED_SIGNER, forged) in at(judge(rotated, *named))

    def test_a_key_that_handed_over_never_comes_back(self, rotated: Bot) -> None:
        back = endorse(rotated, THIRD, FIRST)
        answer(rotated, THIRD, FIRST)
        found = at(judge(rotated, FIRST))
        assert (FaultCode.ENDORSEMENT, back) in found
        assert FaultCode.SIGNER_NOT_VALID in {code for code, _commit in found}

    def test_an_endorsement_that_was_taken_out_is_missed(self, bot: Bot) -> None:
        bot.issue("one")
        list_key(bot, FIRST, SECOND)
        before, previous = bot.sequence, bot.previous
        bot.sequence += 1
        answer(bot, FIRST, SECOND)
        bot.issue("two")
        assert (before, previous) != (bot.sequence, bot.previous)
        assert FaultCode.UNENDORSED_SIGNER in codes(judge(bot, FIRST))
        assert FaultCode.UNENDORSED_SIGNER in codes(judge(bot, SECOND))
        assert {FaultCode.SEQUENCE_GAP, FaultCode.ENDORSEMENT} <= codes(judge(bot, FIRST, SECOND))

    def test_a_listed_key_that_was_never_endorsed_counts_for_nothing(self, rotated: Bot) -> None:
        list_key(rotated, FIRST, SECOND, THIRD, MALLORY)
        rotated.signer = MALLORY
        forged = rotated.issue("forged")
        for named in ((FIRST,), (SECOND,), (THIRD,), ()):
            assert (FaultCode.UNENDORSED_SIGNER, forged) in at(judge(rotated, *named))

    def test_an_endorsed_key_must_be_listed(self, bot: Bot) -> None:
        bot.issue("one")
        endorsed = endorse(bot, FIRST, SECOND)
        answered = answer(bot, FIRST, SECOND)
        report = judge(bot, FIRST)
        assert (FaultCode.ENDORSEMENT, endorsed) in at(report)
        assert (FaultCode.UNKNOWN_SIGNER, answered) in noted(report)

    def test_an_endorsement_is_answered_at_once(self, bot: Bot) -> None:
        bot.issue("one")
        list_key(bot, FIRST, SECOND)
        endorse(bot, FIRST, SECOND)
        bot.signer = SECOND
        other = bot.issue("two")
        assert (FaultCode.ENDORSEMENT, other) in at(judge(bot, FIRST))

    def test_an_answer_vouches_for_the_endorsement_that_it_names_alone(self, bot: Bot) -> None:
        begin = bot.issue("one")
        list_key(bot, FIRST, SECOND)
        endorse(bot, FIRST, SECOND)
        bot.signer = SECOND
        answered = bot.record(word(EventKind.KEY_ROTATED, FIRST, SECOND), {}, previous=begin)
        assert (FaultCode.PREVIOUS, answered) in at(judge(bot, FIRST))
        assert (FaultCode.UNENDORSED_SIGNER, begin) in at(judge(bot, SECOND))

    def test_a_history_made_from_scratch_needs_the_new_key(self, bot: Bot) -> None:
        """Who brings a first key of their own, and an answer that the new key did not sign."""
        list_key(bot, MALLORY, SECOND)
        bot.signer = MALLORY
        bot.issue("forged")
        endorse(bot, MALLORY, SECOND)
        bot.signer = MALLORY
        bot.record(word(EventKind.KEY_ROTATED, MALLORY, SECOND), {})
        report = judge(bot, SECOND)
        assert report.verdict is Verdict.BROKEN
        assert FaultCode.UNENDORSED_SIGNER in codes(report)


class TestAnchors:
    def test_those_of_the_old_key_hold_main_to_what_it_was(self, bot: Bot) -> None:
        bot.issue("one")
        tag(bot, FIRST, bot.head)
        list_key(bot, FIRST, SECOND)
        hand_over(bot, FIRST, SECOND)
        bot.issue("two")
        tag(bot, SECOND, bot.head)
        for named in (FIRST, SECOND):
            assert judge(bot, named).faults == ()

    def test_an_older_head_is_not_held_to_the_anchor_of_a_key_that_came_later(
        self, bot: Bot
    ) -> None:
        older = bot.issue("one")
        list_key(bot, FIRST, SECOND)
        hand_over(bot, FIRST, SECOND)
        tag(bot, SECOND, bot.head)
        assert judge(bot, FIRST, head=older).faults == ()

    def test_the_old_key_anchors_nothing_that_came_after_it(self, rotated: Bot) -> None:
        tag(rotated, FIRST, rotated.head)
        for named in (FIRST, THIRD):
            assert at(judge(rotated, named)) == {(FaultCode.BAD_ANCHOR, rotated.head)}

    def test_an_anchor_of_the_old_key_still_tells_that_main_was_rewritten(self, bot: Bot) -> None:
        begin = bot.issue("one")
        lost = bot.issue("two")
        tag(bot, FIRST, lost)
        bot.git("push", "-q", "--force", "origin", f"{begin}:main")
        bot.git("fetch", "-q", "origin")
        bot.resume()
        list_key(bot, FIRST, SECOND)
        hand_over(bot, FIRST, SECOND)
        assert at(judge(bot, SECOND)) == {(FaultCode.ANCHOR_LOST, lost)}


def test_an_event_of_the_old_key_on_a_side_line_is_still_named(bot: Bot) -> None:
    begin = bot.issue("one")
    lost = bot.issue("two")
    bot.git("checkout", "-q", "-B", "main", begin)
    bot.git("merge", "-q", "--no-ff", "-s", "ours", "-m", "The wrong way round", lost)
    bot.git("push", "-q", "--force", "origin", "main")
    bot.git("fetch", "-q", "origin")
    bot.resume()
    list_key(bot, FIRST, SECOND)
    hand_over(bot, FIRST, SECOND)
    assert (FaultCode.OFF_MAIN, lost) in at(judge(bot, FIRST))


def test_what_was_verified_before_says_the_same_as_reading_it_anew(bot: Bot) -> None:
    """After each step, by each key: also by one that nothing was signed with at first."""
    memories = {signer.public_key(): Kept() for signer in (FIRST, SECOND, THIRD)}
    steps: list[Callable[[], object]] = [
        lambda: bot.issue("one"),
        lambda: list_key(bot, FIRST, SECOND, THIRD),
        lambda: bot.issue("two"),
        lambda: endorse(bot, FIRST, SECOND),
        lambda: answer(bot, FIRST, SECOND),
        lambda: bot.issue("three"),
        lambda: hand_over(bot, SECOND, THIRD),
        lambda: bot.issue("four"),
        lambda: endorse(bot, SECOND, MALLORY),
    ]
    for step in steps:
        step()
        for signer in (FIRST, SECOND, THIRD):
            again = judge(bot, signer, memory=memories[signer.public_key()])
            assert again == judge(bot, signer)


def test_a_claim_believes_the_line_of_the_key_that_is_named(rotated: Bot) -> None:
    list_key(rotated, FIRST, SECOND, THIRD, MALLORY)
    with rotated.open() as repository:
        head = repository.fetch()
        for named in (FIRST, SECOND, THIRD):
            found = counting_signers(repository, head, [shown(named)])
            assert found is not None
            assert keys(found) == {shown(FIRST), shown(SECOND), shown(THIRD)}
            assert not found.allows(FIRST.public_key(), rotated.seconds)  # it has handed over
            assert found.allows(THIRD.public_key(), rotated.seconds)
        for named, counts in ((shown(MALLORY), {shown(MALLORY)}), ("SHA256:" + "A" * 43, set())):
            alone = counting_signers(repository, head, [named])
            assert alone is not None
            assert keys(alone) == counts


def at(report: Report) -> set[tuple[FaultCode, str]]:
    return {(fault.code, fault.commit) for fault in report.open_faults}


def noted(report: Report) -> set[tuple[FaultCode, str]]:
    return {(fault.code, fault.commit) for fault in report.faults if fault.noted}


def keys(signers: Signers) -> set[str]:
    return {signer.fingerprint for signer in signers.all()}


def tag(bot: Bot, signer: LocalSigner, commit: str) -> None:
    payload = tag_payload(commit, bot.sequence, ("daypass", "bot@daypass.example"), bot.seconds)
    signature = signer.sign(bytes_to_sign(payload))
    with bot.open() as repository:
        name = f"{PREFIX}{bot.sequence:09d}"
        repository.write_tag(name, payload + armoured_signature(signer.public_key(), signature))


class Kept:
    """A memory that lasts as long as the test."""

    def __init__(self) -> None:
        self._state: Mapping[str, Any] | None = None

    def recall(self, leads: Callable[[str], bool]) -> Mapping[str, Any] | None:
        known = self._state
        return known if known is not None and leads(known["head"]) else None

    def remember(self, state: Mapping[str, Any]) -> None:
        self._state = state


def test_the_documented_line_shows_what_the_keys_themselves_signed(rotated: Bot) -> None:
    list_key(rotated, FIRST, SECOND, THIRD, MALLORY)
    for kind, before, after in (
        (EventKind.KEY_ENDORSED, FIRST, MALLORY),
        (EventKind.KEY_ROTATED, MALLORY, THIRD),
    ):
        rotated.signer = MALLORY
        rotated.record(word(kind, before, after), {})
    endorsement = f"Daypass-Key-Before: {FIRST.allowed().fingerprint}\n Daypass-Key: x"
    rotated.person_commits(f"Fold\n\nDaypass-Event: key-endorsed\n{endorsement}", {})
    auditor.typed(rotated.work, auditor.selection(FIRST.allowed().fingerprint))
    (line,) = [block.text for block in blocks("sh") if block.words == ("handovers",)]
    shown = [text.split()[1:] for text in auditor.typed(rotated.work, line)]
    one, two, three = (key.allowed().fingerprint for key in (FIRST, SECOND, THIRD))
    assert [(row[0], row[1], row[3], row[5], row[7]) for row in shown] == [
        ("G", one, "key-endorsed", one, two),
        ("G", two, "key-rotated", one, two),
        ("G", two, "key-endorsed", two, three),
        ("G", three, "key-rotated", two, three),
    ]


def counted(bot: Bot, *named: LocalSigner) -> int:
    """How many events the verbs see that read from the head back."""
    with bot.open() as repository:
        head = repository.fetch()
        found = counting_signers(repository, head, [shown(key) for key in named])
        assert found is not None
        return len(list(read_events(repository.walk(head), found)))


@pytest.mark.parametrize("left", ["", "# none\n", "x\n", None])
def test_a_push_that_empties_the_list_takes_nothing_from_a_named_key(
    bot: Bot, left: str | None
) -> None:
    """Nor from the one to which it handed over. A list that is no list is noted."""
    bot.issue("one")
    for before, after in ((FIRST, SECOND), (SECOND, THIRD)):
        list_key(bot, FIRST, SECOND, THIRD)
        emptied = bot.person_commits("Empty it", {ALLOWED_SIGNERS_PATH: left})
        bot.issue("meanwhile" if before is FIRST else "later")
        unreadable = {(FaultCode.SIGNERS_UNREADABLE, emptied)} if left == "x\n" else set()
        report = judge(bot, FIRST)
        assert report.verdict is Verdict.HOLDS
        assert counted(bot) == counted(bot, FIRST) == report.events
        assert {item for item in noted(report) if item[1] == emptied} == unreadable
        list_key(bot, FIRST, SECOND, THIRD)
        report = judge(bot, FIRST)
        assert report.verdict is Verdict.HOLDS
        hand_over(bot, before, after)
        assert judge(bot, FIRST).verdict is Verdict.HOLDS
