"""Which evidence key a run signs with: the one in force on the head that it writes on."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from daypass.adapters.vault.evidence_key import EvidenceKey
from daypass.cli.vault_loss import reopened
from daypass.cli.vault_rotate import Stage, in_force_on_main, plan_of
from daypass.documents.repository import catalogue_of
from daypass.errors import DocumentError, EvidenceError
from daypass.ledger import sshsig
from daypass.ledger.commitobject import parse_commit
from daypass.ledger.history import read_events, read_tip
from daypass.ledger.key_versions import KeyVersions
from daypass.ledger.verify import verify
from daypass.lifecycle.chronicle import LedgerChain
from daypass.lifecycle.happening import Happening, Run, make_event
from daypass.lifecycle.key_handover import SignerInForce, find_handover, find_lost, find_misuse
from daypass.lifecycle.outcome import Outcome
from daypass.lifecycle.recorder import record
from daypass.model.event import Event, EventKind
from daypass.model.instant import Instant
from daypass.model.names import ALLOWED_SIGNERS_PATH, SETTINGS_PATH
from support.local_signer import LocalSigner

if TYPE_CHECKING:
    from daypass.adapters.git import GitRepository
    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.observe import Observation
    from daypass.lifecycle.recorder import Recording
    from daypass.lifecycle.restored import MainAndMemory
    from daypass.lifecycle.world import World
    from support.evidence_bot import Bot

FIRST, SECOND, THIRD = LocalSigner(1), LocalSigner(2), LocalSigner(3)
RUN = Run("7/1", "local")


def shown(signer: LocalSigner) -> str:
    return signer.allowed().fingerprint


def list_keys(bot: Bot, *signers: LocalSigner) -> None:
    text = "".join(f"{signer.allowed().to_line()}\n" for signer in signers)
    bot.person_commits("List a key", {ALLOWED_SIGNERS_PATH: text})


def ports_of(repository: GitRepository, *versions: LocalSigner) -> Ports:
    """The ports of a run; in its Vault the key has these versions."""
    keys = [signer.public_key() for signer in versions]
    signers = KeyVersions("bot@daypass.example", keys, repository)
    return cast("Ports", SimpleNamespace(repository=repository, signers=signers, run=RUN))


def plan(
    bot: Bot, pinned: str | None, *versions: LocalSigner, frozen: tuple[str, ...] = ()
) -> tuple[list[Happening], Outcome]:
    """What a run finds to do about the key, with that one pinned in the settings."""
    outcome = Outcome()
    with bot.open() as repository:
        ports = ports_of(repository, *versions)
        head = repository.fetch()
        evidence = SimpleNamespace(evidence=SimpleNamespace(fingerprint=pinned))
        world = SimpleNamespace(
            head=head,
            frozen=frozen,
            catalogue=SimpleNamespace(settings=evidence),
            tip=read_tip(repository.walk(head), ports.signers),
        )
        seen = cast("Observation", SimpleNamespace(world=world))
        return find_handover(ports, seen, outcome), outcome


def write(bot: Bot, happenings: list[Happening], *, head: str | None = None) -> Recording:
    """A run of that head writes; its settings pin the first key."""
    with bot.open() as repository:
        newest = repository.fetch()
        ports = ports_of(repository, FIRST, SECOND, THIRD)
        bot.seconds += 60
        when = Instant.from_seconds(bot.seconds)
        chain = LedgerChain(ports)
        written = record(repository, FIRST, chain, happenings, when, head=head or newest)
    bot.git("fetch", "-q", "origin")
    return written


def note(digit: str) -> Happening:
    event = make_event(EventKind.DRIFT, None, ("Daypass-Accessor", f"sha256:{digit * 64}"), run=RUN)
    return Happening(event, "A stranger", "It was revoked.", is_note=True)


def signers_of(bot: Bot, recording: Recording) -> list[str]:
    """Which key signed each of its commits."""
    found = []
    for item in recording.recorded:
        raw = bot.git("cat-file", "commit", item.commit) + "\n"
        parsed = parse_commit(raw.encode())
        key = sshsig.verified_key(parsed.signature or b"", parsed.signed_payload)
        found.append(sshsig.fingerprint(key))
    return found


def test_the_old_key_endorses_the_new_one_answers_and_signs_from_there(bot: Bot) -> None:
    bot.issue("one")
    list_keys(bot, FIRST, SECOND)
    found, outcome = plan(bot, shown(SECOND), FIRST, SECOND)
    recording = write(bot, [*found, note("1")])
    assert signers_of(bot, recording) == [shown(FIRST), shown(SECOND), shown(SECOND)]
    assert outcome.alarms == []
    assert plan(bot, shown(SECOND), FIRST, SECOND)[0] == []
    with bot.open() as repository:
        for named in (FIRST, SECOND):
            report = verify(repository, repository.fetch(), fingerprints=[shown(named)])
            assert report.faults == ()


def test_a_newer_version_alone_changes_nothing(bot: Bot) -> None:
    bot.issue("one")
    list_keys(bot, FIRST, SECOND)
    for pinned in (shown(FIRST), None):
        assert plan(bot, pinned, FIRST, SECOND)[0] == []
    assert signers_of(bot, write(bot, [note("1")])) == [shown(FIRST)]


def test_what_is_not_proven_hands_over_nothing(bot: Bot) -> None:
    bot.issue("one")
    list_keys(bot, FIRST, SECOND)
    assert plan(bot, shown(SECOND), FIRST, SECOND, frozen=("unproven",))[0] == []


def test_an_endorsement_that_was_left_without_an_answer_is_answered(bot: Bot) -> None:
    bot.issue("one")
    list_keys(bot, FIRST, SECOND)
    found, _outcome = plan(bot, shown(SECOND), FIRST, SECOND)
    write(bot, found[:1])
    again, _outcome = plan(bot, shown(SECOND), FIRST, SECOND)
    assert [item.event.kind for item in again] == [EventKind.KEY_ROTATED]
    assert signers_of(bot, write(bot, again)) == [shown(SECOND)]
    with bot.open() as repository:
        assert verify(repository, repository.fetch(), fingerprints=[shown(SECOND)]).faults == ()


def test_a_run_that_lost_the_race_to_a_handover_signs_with_the_new_key(bot: Bot) -> None:
    """Its own settings, and its clone, are of before: what counts is the head that it writes on."""
    bot.issue("one")
    list_keys(bot, FIRST, SECOND)
    stale = bot.head
    found, _outcome = plan(bot, shown(SECOND), FIRST, SECOND)
    write(bot, found)
    late = write(bot, [*found, note("1")], head=stale)  # it found the same handover to do
    assert signers_of(bot, late) == [shown(SECOND)]
    assert [item.event.kind for item in late.dropped] == []
    with bot.open() as repository:
        report = verify(repository, repository.fetch(), fingerprints=[shown(FIRST)])
        assert (report.faults, report.events) == ((), 4)


def test_a_run_that_lost_the_race_to_another_handover_drops_its_own(bot: Bot) -> None:
    bot.issue("one")
    list_keys(bot, FIRST, SECOND, THIRD)
    stale = bot.head
    mine, _outcome = plan(bot, shown(SECOND), FIRST, SECOND, THIRD)
    other, _outcome = plan(bot, shown(THIRD), FIRST, SECOND, THIRD)
    write(bot, other)
    late = write(bot, [*mine, note("1")], head=stale)
    assert signers_of(bot, late) == [shown(THIRD)]
    assert late.dropped == tuple(mine)


@pytest.mark.parametrize(
    ("pinned", "versions", "says"),
    [
        (THIRD, (FIRST, SECOND), "no version of the key in Vault"),
        (SECOND, (SECOND, FIRST), "older than the one in force"),
        (THIRD, (FIRST, SECOND, THIRD), "has no line for it: run `daypass vault rotate-evidence`"),
    ],
    ids=["not in Vault", "older", "not listed"],
)
def test_a_key_that_cannot_take_over_alarms_and_the_old_one_goes_on(
    bot: Bot, pinned: LocalSigner, versions: tuple[LocalSigner, ...], says: str
) -> None:
    bot.issue("one")
    list_keys(bot, FIRST, SECOND)
    found, outcome = plan(bot, shown(pinned), *versions)
    assert found == []
    (alarm,) = outcome.alarms
    assert says in alarm
    assert alarm.endswith(f"{shown(FIRST)} goes on signing the evidence")


def test_without_the_endorsed_key_nothing_is_signed(bot: Bot) -> None:
    bot.issue("one")
    list_keys(bot, FIRST, SECOND)
    found, _outcome = plan(bot, shown(SECOND), FIRST, SECOND)
    write(bot, found[:1])
    again, outcome = plan(bot, shown(SECOND), FIRST)
    assert again == []
    assert "no version of the key in Vault" in outcome.alarms[0]
    with bot.open() as repository:
        ports = ports_of(repository, FIRST)
        tip = read_tip(repository.walk(repository.fetch()), ports.signers)
        with pytest.raises(EvidenceError, match="handed over to"):
            SignerInForce(cast("Any", repository), FIRST, ports.signers, tip)


class TestOfAnOldKeyThatWasStolen:
    """What it signs after it handed over is no event, wherever on main that lies."""

    @pytest.fixture
    def rotated(self, bot: Bot) -> Bot:
        bot.issue("one")
        list_keys(bot, FIRST, SECOND, THIRD)
        write(bot, plan(bot, shown(SECOND), FIRST, SECOND)[0])
        return bot

    def events(self, bot: Bot, *versions: LocalSigner) -> list[str]:
        with bot.open() as repository:
            head = repository.fetch()
            keys = [signer.public_key() for signer in versions]
            signers = KeyVersions("bot@daypass.example", keys, repository)
            return [item.commit for item in read_events(repository.walk(head), signers)]

    def test_it_is_not_read_and_the_newer_key_goes_on(self, rotated: Bot) -> None:
        before = self.events(rotated, FIRST, SECOND)
        assert len(before) == 3
        rotated.signer = FIRST
        forged = rotated.issue("forged")
        for versions in ((FIRST, SECOND), (FIRST, SECOND, THIRD)):
            assert self.events(rotated, *versions) == before
        found, _ = plan(rotated, shown(SECOND), FIRST, SECOND)
        written = write(rotated, [*found, note("1")])
        assert signers_of(rotated, written) == [shown(SECOND)]
        assert self.events(rotated, FIRST, SECOND)[1:] == before
        with rotated.open() as repository:
            report = verify(repository, repository.fetch(), fingerprints=[shown(FIRST)])
        assert [fault.commit for fault in report.faults if "handed over" in fault.message] == [
            forged
        ]

    def test_nor_when_it_plays_a_handover_of_its_own(self, rotated: Bot) -> None:
        before = self.events(rotated, FIRST, SECOND)
        keys = (("Daypass-Key-Before", shown(FIRST)), ("Daypass-Key", shown(SECOND)))
        rotated.signer = FIRST
        for kind in (EventKind.KEY_ENDORSED, EventKind.KEY_ROTATED):
            rotated.record(Event(kind, None, keys), {})
        assert self.events(rotated, FIRST, SECOND) == before

    def test_nor_with_the_one_after_it_once_both_handed_over(self, rotated: Bot) -> None:
        found, _ = plan(rotated, shown(THIRD), FIRST, SECOND, THIRD)
        write(rotated, found)
        before = self.events(rotated, FIRST, SECOND, THIRD)
        assert len(before) == 5
        keys = (("Daypass-Key-Before", shown(FIRST)), ("Daypass-Key", shown(SECOND)))
        rotated.signer = FIRST
        rotated.issue("forged")
        rotated.signer = SECOND
        rotated.record(Event(EventKind.KEY_ROTATED, None, keys), {})
        rotated.signer = FIRST
        rotated.issue("forged-again")
        assert self.events(rotated, FIRST, SECOND, THIRD) == before

    def test_a_run_says_so(self, rotated: Bot) -> None:
        tip = self.events(rotated, FIRST, SECOND)[0]
        rotated.signer = FIRST
        forged = rotated.record(Event(EventKind.REVIEWED, "one", ()), {})
        with rotated.open() as repository:
            head = repository.fetch()
            keys = [FIRST.public_key(), SECOND.public_key()]
            signers = KeyVersions("bot@daypass.example", keys, repository)
            (text,) = find_misuse(repository, signers, tip, head)
        assert text.startswith(f"{forged} is signed by {shown(FIRST)}")


class TestOfAVaultThatWasRestoredToBeforeARotation:
    """It lacks the key in force, whose events count still; another begins once it is pinned."""

    @pytest.fixture
    def rotated(self, bot: Bot) -> Bot:
        bot.issue("one")
        list_keys(bot, FIRST, SECOND)
        write(bot, plan(bot, shown(SECOND), FIRST, SECOND)[0])
        write(bot, [note("1")])
        return bot

    def lost(
        self, bot: Bot, pinned: LocalSigner, *versions: LocalSigner, restored: str | None = None
    ) -> str | None:
        with bot.open() as repository:
            ports, head = ports_of(repository, *versions), repository.fetch()
            settings = SimpleNamespace(evidence=SimpleNamespace(fingerprint=shown(pinned)))
            world = SimpleNamespace(
                head=head,
                catalogue=SimpleNamespace(settings=settings),
                tip=read_tip(repository.walk(head), ports.signers),
                restored=SimpleNamespace(commit=restored) if restored else None,
            )
            assert world.tip is not None
            assert world.tip.sequence == 4  # what the lost key signed is evidence
            return find_lost(ports, cast("World", world))

    def signs(self, bot: Bot, pinned: LocalSigner, *versions: LocalSigner) -> str:
        with bot.open() as repository:
            ports = ports_of(repository, *versions)
            tip = read_tip(repository.walk(repository.fetch()), ports.signers)
            signer = SignerInForce(repository, pinned, ports.signers, tip)
            return sshsig.fingerprint(signer.public_key())

    def test_the_old_key_signs_nothing_and_people_are_told_what_to_do(self, rotated: Bot) -> None:
        for pinned in (FIRST, SECOND):
            text = self.lost(rotated, pinned, FIRST)
            assert text is not None
            assert shown(SECOND) in text
            assert "daypass vault rotate-evidence" in text
        with pytest.raises(EvidenceError, match="no version of the key in Vault"):
            self.signs(rotated, FIRST, FIRST)

    def test_a_fresh_key_begins_once_it_is_pinned_listed_and_the_loss_accepted(
        self, rotated: Bot
    ) -> None:
        assert self.lost(rotated, THIRD, FIRST, THIRD) is not None
        list_keys(rotated, FIRST, SECOND, THIRD)
        assert self.lost(rotated, SECOND, FIRST, THIRD) is not None
        assert "accept-loss abc" in str(self.lost(rotated, THIRD, FIRST, THIRD, restored="abc"))
        assert self.lost(rotated, THIRD, FIRST, THIRD) is None
        assert self.signs(rotated, THIRD, FIRST, THIRD) == shown(THIRD)
        with pytest.raises(EvidenceError, match="no version of the key in Vault"):
            self.signs(rotated, FIRST, FIRST, THIRD)


class TestOfAMainThatWasPutBackToBeforeARotation:
    """Its key in force was kept from signing by the rotation that is lost."""

    KEY = EvidenceKey("transit/keys/evidence", {1: FIRST.public_key(), 2: SECOND.public_key()}, 2)

    def test_accepting_the_loss_lets_the_old_version_sign_again(self, bot: Bot) -> None:
        bot.issue("one")
        with bot.open() as repository:
            ports = ports_of(repository, FIRST, SECOND)
            tip = read_tip(repository.walk(repository.fetch()), ports.signers)
            looked = cast("MainAndMemory", SimpleNamespace(tip=tip))
            assert reopened(self.KEY, repository, ports.signers, looked) == 1
            both = replace(self.KEY, signs_from=1)
            assert reopened(both, repository, ports.signers, looked) is None

    def test_until_then_a_run_says_so_and_no_rotation_is_begun(self, bot: Bot) -> None:
        bot.issue("one")
        with bot.open() as repository:
            keys, head = self.KEY.versions.values(), repository.fetch()
            signers = KeyVersions("bot@daypass.example", keys, repository, self.KEY.signing)
            ports = cast("Ports", SimpleNamespace(repository=repository, signers=signers))
            tip = read_tip(repository.walk(head), signers)
            world = SimpleNamespace(head=head, catalogue=None, tip=tip, restored=None)
            assert "may not sign in Vault" in str(find_lost(ports, cast("World", world)))
        with pytest.raises(EvidenceError, match="may not sign") as refused:
            plan_of(self.KEY, shown(FIRST), shown(FIRST), fresh=True)
        assert "config min_encryption_version=1" in refused.value.remedy


def test_before_the_first_event_the_key_that_main_pins_is_in_force(bot: Bot) -> None:
    """The work tree may pin a newer one already: a rotation was begun, and nothing is merged."""
    key = EvidenceKey("transit/keys/evidence", {1: FIRST.public_key(), 2: SECOND.public_key()}, 1)
    with bot.open() as repository:
        settings = catalogue_of(repository, repository.fetch()).settings
    line = f'  evidence:\n    fingerprint: "{shown(FIRST)}"\n'
    text = (bot.work / SETTINGS_PATH).read_text().replace("  evidence:\n", line)
    bot.person_commits("Pin", {SETTINGS_PATH: text})
    evidence = replace(settings.evidence, fingerprint=shown(SECOND))
    found, fresh = in_force_on_main(key, replace(settings, evidence=evidence), bot.work)
    assert found == shown(FIRST)
    plan = plan_of(key, found, shown(SECOND), fresh=fresh)
    assert (plan.stage, plan.in_force, plan.to) == (Stage.HAND_OVER, 1, 2)


def test_a_clone_of_before_the_handover_is_told_to_pull_first() -> None:
    key = EvidenceKey("transit/keys/evidence", {1: FIRST.public_key(), 2: SECOND.public_key()}, 1)
    with pytest.raises(DocumentError, match="older than the key in force") as refused:
        plan_of(key, shown(SECOND), shown(FIRST), fresh=False)
    assert refused.value.remedy.startswith("Run `git pull`")
