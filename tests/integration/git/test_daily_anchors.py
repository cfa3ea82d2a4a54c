"""The day's anchor, over real git: its name may be taken by anybody who may push tags."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from daypass.ledger.anchor import counting_anchor, tag_name
from daypass.lifecycle.anchoring import anchor_daily, make_anchor
from daypass.lifecycle.outcome import Outcome
from daypass.model.event import Event, EventKind
from daypass.model.instant import Instant
from daypass.model.settings import EvidenceSettings
from support.evidence_bot import make_bot

if TYPE_CHECKING:
    from pathlib import Path

    from daypass.lifecycle.context import Ports
    from support.evidence_bot import Bot

pytestmark = pytest.mark.integration
EVIDENCE = EvidenceSettings("evidence", None, name="daypass", email="bot@daypass.example")


@pytest.fixture
def bot(tmp_path: Path) -> Bot:
    return make_bot(tmp_path)


class Days:
    """Runs of one day after the other, and the note that they leave."""

    def __init__(self, bot: Bot) -> None:
        self.bot, self.day = bot, 0
        self.notes: dict[str, dict[str, Any]] = {
            "anchor": {"at": "2026-01-01T00:00:00Z", "tag": ""}
        }
        bot.record(Event(EventKind.DRIFT, None, ()), {})

    def run(self) -> Outcome:
        self.day += 1
        outcome = Outcome()
        now = Instant.from_seconds(self.bot.seconds).plus(self.day * 90_000)
        with self.bot.open() as repository:
            ports = SimpleNamespace(
                issuer=SimpleNamespace(now=lambda: now),
                registry=SimpleNamespace(
                    read_note=self.notes.get, write_note=self.notes.__setitem__
                ),
                repository=repository,
                signer=self.bot.signer,
                signers=self.bot.signers(),
            )
            anchor_daily(cast("Ports", ports), EVIDENCE, outcome, repository.fetch())
        return outcome

    def remote(self) -> dict[str, str]:
        """The remote's tags: name → object."""
        lines = self.bot.git("ls-remote", "--refs", "--tags", "origin").splitlines()
        pairs = (line.split("\t") for line in lines)
        return {name.removeprefix("refs/tags/"): sha for sha, name in pairs}

    def counts(self, name: str) -> bool:
        """Whether the remote's tag of that name is an anchor of main."""
        self.bot.git("fetch", "-q", "--force", "origin", f"refs/tags/{name}:refs/tags/{name}")
        raw = f"{self.bot.git('cat-file', 'tag', name)}\n".encode()
        tag = counting_anchor(name, raw, self.bot.signers())
        return tag is not None and tag.commit == self.bot.head and tag.number == 1


@pytest.fixture
def days(bot: Bot) -> Days:
    return Days(bot)


def test_a_day_without_events_gets_no_anchor(days: Days) -> None:
    assert [line.verb for line in days.run().lines] == ["anchored"]
    assert days.counts(tag_name(1))
    assert days.run().lines == []
    assert list(days.remote()) == [tag_name(1)]


@pytest.mark.parametrize("taken", [tag_name(1), f"{tag_name(1)}/x"])
def test_where_the_name_is_taken_the_anchor_gets_another_and_a_person_must_look(
    bot: Bot, days: Days, taken: str
) -> None:
    bot.git("push", "-q", "origin", f"{bot.head}:refs/tags/{taken}")
    outcome = days.run()
    (name,) = days.remote().keys() - {taken}
    assert days.counts(name)
    assert days.notes["anchor"]["tag"] == name
    assert outcome.failures == []
    (alarm,) = outcome.causes.values()
    assert alarm.cause == f"anchor-taken.{tag_name(1)}"
    assert name in alarm.text
    again = days.run()
    assert (again.lines, again.alarms, len(days.remote())) == ([], [], 2)


def test_an_anchor_of_the_same_name_is_not_the_one_that_was_pushed(days: Days) -> None:
    """The very object is compared. A note of an older release holds none: then the name is."""
    days.run()
    note = dict(days.notes["anchor"])
    days.notes["anchor"]["digest"] = "sha256:" + "0" * 64
    assert f"anchor-missing.{note['tag']}" in days.run().causes
    assert days.notes["anchor"] == note | {"at": days.notes["anchor"]["at"]}
    del days.notes["anchor"]["digest"]
    assert days.run().alarms == []


@pytest.mark.parametrize("replaced", [False, True])
def test_an_anchor_that_the_remote_lost_is_missed_and_made_anew(
    bot: Bot, days: Days, replaced: bool
) -> None:
    days.run()
    lost = days.notes["anchor"]["tag"]
    bot.git("push", "-q", "origin", f":refs/tags/{lost}")
    if replaced:
        bot.git("push", "-q", "origin", f"{bot.head}:refs/tags/{lost}")
    outcome = days.run()
    assert f"anchor-missing.{lost}" in outcome.causes
    assert (f"anchor-taken.{lost}" in outcome.causes) is replaced
    assert outcome.failures == []
    assert days.counts(days.notes["anchor"]["tag"])
    again = days.run()
    assert (again.lines, again.alarms) == ([], [])


def test_an_anchor_that_a_run_pushed_before_it_died_counts(bot: Bot, days: Days) -> None:
    with bot.open() as repository:
        made = make_anchor(
            repository,
            bot.signer,
            bot.signers(),
            EVIDENCE,
            head=repository.fetch(),
            when=Instant.from_seconds(bot.seconds),
        )
        assert made is not None
        assert repository.push_tag(*made)
    outcome = days.run()
    assert (outcome.alarms, outcome.failures) == ([], [])
    assert list(days.remote()) == [days.notes["anchor"]["tag"]] == [tag_name(1)]
