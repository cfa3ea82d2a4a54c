"""Evidence is pushed a lot at a time: what a killed run has pushed stays, and races are won."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from daypass.ledger import sshsig
from daypass.ledger.history import read_events, read_tip
from daypass.ledger.key_versions import KeyVersions
from daypass.ledger.verify import verify
from daypass.lifecycle import recorder
from daypass.lifecycle.chronicle import LedgerChain
from daypass.lifecycle.happening import Happening, Run, make_event
from daypass.lifecycle.key_handover import find_handover
from daypass.lifecycle.outcome import Outcome
from daypass.lifecycle.recorder import PushNow, note_unfit, record
from daypass.model.event import EventKind
from daypass.model.instant import Instant
from daypass.model.names import ALLOWED_SIGNERS_PATH
from support.local_signer import LocalSigner

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.observe import Observation
    from daypass.lifecycle.recorder import Coming, Recording
    from support.evidence_bot import Bot

FIRST, SECOND = LocalSigner(1), LocalSigner(2)
RUN = Run("7/1", "local")


class KilledError(Exception):
    """The end of a run, between any two steps."""


@pytest.fixture(autouse=True)
def _small_lots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "LOT", 2)


def note(digit: str) -> Happening:
    event = make_event(EventKind.DRIFT, None, ("Daypass-Accessor", f"sha256:{digit * 64}"), run=RUN)
    return Happening(event, "A stranger", "It was revoked.", is_note=True)


def write(bot: Bot, happenings: Iterable[Coming], pushes: list[str] | None = None) -> Recording:
    """A run writes; `pushes` takes main's head at each of its pushes."""
    with bot.open() as repository:
        head = repository.fetch()
        keys = [signer.public_key() for signer in (FIRST, SECOND)]
        signers = KeyVersions("bot@daypass.example", keys, repository)
        chain = LedgerChain(cast("Ports", SimpleNamespace(repository=repository, signers=signers)))
        bot.seconds += 60
        when = Instant.from_seconds(bot.seconds)
        seen = pushes if pushes is not None else []
        return record(
            repository,
            FIRST,
            chain,
            happenings,
            when,
            head=head,
            before_push=lambda: seen.append(on_main(bot)),
        )


def on_main(bot: Bot) -> str:
    return bot.git("ls-remote", "origin", "refs/heads/main").split()[0]


def told(bot: Bot) -> list[str]:
    """The first digit of each stranger that main tells of, oldest first; all of it verifies."""
    with bot.open() as repository:
        head = repository.fetch()
        fingerprint = sshsig.fingerprint(FIRST.public_key())
        assert verify(repository, head, fingerprints=[fingerprint]).faults == ()
        signers = KeyVersions("bot@daypass.example", [FIRST.public_key()], repository)
        events = read_events(repository.walk(head), signers)
        found = [item.event.first("Daypass-Accessor") or "" for item in events]
    return [digest[7] for digest in reversed(found) if digest]


def test_a_killed_run_keeps_the_lots_that_it_pushed(bot: Bot) -> None:
    def killed() -> Iterator[Happening]:
        yield from map(note, "12345")
        raise KilledError

    with pytest.raises(KilledError):
        write(bot, killed())
    assert told(bot) == ["1", "2", "3", "4"]
    write(bot, [note("5"), note("6")])
    assert told(bot) == ["1", "2", "3", "4", "5", "6"]


def test_what_comes_after_a_mark_is_asked_for_when_the_rest_is_on_main(bot: Bot) -> None:
    before = on_main(bot)
    heads = []

    def coming() -> Iterator[Coming]:
        yield note("1")
        yield PushNow.PUSH_NOW
        heads.append(on_main(bot))
        yield note("2")

    pushes: list[str] = []
    written = write(bot, coming(), pushes)
    first, second = (item.commit for item in written.recorded)
    assert heads == [first]
    assert pushes == [before, first]
    assert (written.head, written.base) == (second, before)


def test_what_main_does_not_admit_fails_the_run_unless_another_one_wrote(bot: Bot) -> None:
    wrong = replace(note("2"), requires={"access/grants/a.json": "4" * 40}, is_note=False)
    written = write(bot, [note("1"), wrong])
    assert (written.dropped, written.unfit) == ((wrong,), (wrong,))
    outcome = Outcome()
    note_unfit(written, outcome)
    ((about, error),) = outcome.failures
    assert about == "evidence"
    assert "access/grants/a.json" in error.message

    def coming() -> Iterator[Happening]:
        yield note("3")
        bot.git("fetch", "-q", "origin")
        bot.person_commits("Meanwhile", {"README.md": "hello\n"})
        yield wrong

    assert write(bot, coming()).unfit == ()


def test_one_push_where_all_fits_and_none_for_nothing(bot: Bot) -> None:
    pushes: list[str] = []
    write(bot, [note("1"), note("2")], pushes)
    assert len(pushes) == 1
    assert write(bot, [PushNow.PUSH_NOW, PushNow.PUSH_NOW], pushes).recorded == ()
    assert len(pushes) == 1


def test_a_race_between_two_lots_is_lost_by_the_second_alone(bot: Bot) -> None:
    def coming() -> Iterator[Happening]:
        yield from map(note, "12")
        yield note("3")
        bot.git("fetch", "-q", "origin")
        bot.person_commits("Meanwhile", {"README.md": "hello\n"})
        other = write(bot, [note("4")])  # another run tells of one of ours, too
        assert other.recorded
        yield note("4")
        yield note("5")

    written = write(bot, coming())
    assert told(bot) == ["1", "2", "4", "3", "5"]
    assert len(written.recorded) == 4
    assert written.base != written.head
    assert not written.is_stopped


def test_after_a_change_by_hand_the_rest_is_not_even_asked_for(bot: Bot) -> None:
    asked = []

    def coming() -> Iterator[Happening]:
        for digit in "123456":
            if digit == "4":
                bot.git("fetch", "-q", "origin")
                bot.person_commits("By hand", {"access/grants/forged.json": "{}\n"})
            asked.append(digit)
            yield note(digit)

    written = write(bot, coming())
    assert written.is_stopped
    assert [item.happening.event for item in written.recorded] == [note("1").event, note("2").event]
    assert written.dropped == (note("3"), note("4"))
    assert asked == list("1234")
    assert on_main(bot) == written.head == written.base


def test_no_push_ends_between_the_two_events_of_a_handover(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "LOT", 1)
    bot.issue("one")
    lines = "".join(f"{signer.allowed().to_line()}\n" for signer in (FIRST, SECOND))
    before = bot.person_commits("List a key", {ALLOWED_SIGNERS_PATH: lines})
    handover = find(bot)
    assert [item.event.kind for item in handover] == [
        EventKind.KEY_ENDORSED,
        EventKind.KEY_ROTATED,
    ]

    pushes: list[str] = []
    written = write(bot, [*handover, note("1")], pushes)
    assert pushes == [before, written.recorded[1].commit]


def find(bot: Bot) -> list[Happening]:
    """The handover to the second key, as a run finds it."""
    with bot.open() as repository:
        head = repository.fetch()
        keys = [signer.public_key() for signer in (FIRST, SECOND)]
        signers = KeyVersions("bot@daypass.example", keys, repository)
        ports = SimpleNamespace(repository=repository, signers=signers, run=RUN)
        pinned = sshsig.fingerprint(SECOND.public_key())
        settings = SimpleNamespace(evidence=SimpleNamespace(fingerprint=pinned))
        world = SimpleNamespace(
            head=head,
            frozen=(),
            catalogue=SimpleNamespace(settings=settings),
            tip=read_tip(repository.walk(head), signers),
        )
        seen = cast("Observation", SimpleNamespace(world=world))
        return find_handover(cast("Ports", ports), seen, Outcome())
