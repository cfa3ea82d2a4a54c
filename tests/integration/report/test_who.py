"""`daypass audit who`, as an auditor types it, against the slow way of telling the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from daypass.cli.main import main
from daypass.ledger.record import grant_trailers
from daypass.lifecycle.happening import Begun, ended, revoke_failed
from daypass.model.event import Event, EventKind, Reason
from daypass.model.instant import Instant
from daypass.model.names import ALLOWED_SIGNERS_PATH, grant_path
from support.evidence_bot import START, a_grant
from support.evidence_year import RUN
from support.local_signer import LocalSigner

if TYPE_CHECKING:
    from pathlib import Path

    from daypass.lifecycle.happening import Happening
    from support.evidence_bot import Bot

NOON = "2026-11-23T12:00:00Z"


def audit(folder: Path, *words: str) -> int:
    return main(["-C", str(folder), "audit", *words])


def holders(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> list[dict[str, Any]]:
    assert audit(folder, "who", "--format", "json", *words) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["holders"]
    return found


def record(bot: Bot, happening: Happening) -> str:
    gone = [path for path in happening.removes if "break-glass" not in path]
    changes = dict(happening.writes) | dict.fromkeys(gone)
    return bot.record(happening.event, changes, title=happening.title, body=happening.body)


def end(bot: Bot, grant_id: str, issued: str, kind: EventKind, at: Instant) -> str:
    reason = Reason.TIME if kind is EventKind.EXPIRED else Reason.DONE
    grant = a_grant(grant_id)
    return record(bot, ended(grant, Begun(issued), kind, reason, at, record_blob=None, run=RUN))


@pytest.mark.parametrize(
    "at",
    [
        "2026-01-05T00:00:00Z",
        "2026-03-11T10:00:00Z",
        "2026-06-01T12:00:00+02:00",
        "2026-09-17T15:30:00Z",
        "2027-06-01T00:00:00Z",
    ],
)
def test_it_says_what_the_whole_log_says(
    year: Path, capsys: pytest.CaptureFixture[str], at: str
) -> None:
    assert audit(year, "log", "--format", "json") == 0
    log = json.loads(capsys.readouterr().out)
    when = Instant.parse(at)
    begun = {
        item["grant"]: item["trailers"]
        for item in log
        if item["event"] == "issued"
        and Instant.parse(item["trailers"]["Daypass-Not-Before"]) <= when
    }
    over = {
        item["grant"]
        for item in log
        if item["event"] in ("expired", "revoked")
        and Instant.parse(item["trailers"]["Daypass-Ended-At"]) <= when
    }
    expected = {grant: said for grant, said in begun.items() if grant not in over}
    assert {item["grant"] for item in holders(capsys, year, "--at", at)} == set(expected)
    for flag, trailer in (("--resource", "Daypass-Resource"), ("--subject", "Daypass-Subject")):
        for name in sorted({said[trailer] for said in begun.values()}):
            found = {item["grant"] for item in holders(capsys, year, flag, name, "--at", at)}
            assert found == {grant for grant in expected if expected[grant][trailer] == name}


def test_vaults_time_of_ending_counts_and_not_that_of_the_commit(
    bot: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    issued = bot.issue("one")
    bot.seconds += 7200  # the run that writes it down is late
    over = end(bot, "one", issued, EventKind.EXPIRED, START.plus(3600))
    words = ("--resource", "orders-db", "--revision", "origin/main", "--at")
    assert holders(capsys, bot.work, *words, str(START.plus(-1))) == []
    (then,) = holders(capsys, bot.work, *words, str(START.plus(3599)))
    assert (then["state"], then["endedAt"]) == ("active", str(START.plus(3600)))
    assert (then["issuedIn"], then["endedIn"]) == (issued, over)
    assert [item["accountId"] for item in then["approvals"]] == [1, 2]
    assert holders(capsys, bot.work, *words, str(START.plus(3600))) == []


def test_what_vault_did_not_confirm_counts_as_access(
    bot: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    issued = bot.issue("one")
    bot.issue("two")
    why = "a lease of its role is overdue"
    failed_at = Instant.from_seconds(bot.seconds)
    failed = revoke_failed(a_grant("one"), Reason.DONE, why, failed_at, record_blob=None, run=RUN)
    record(bot, failed)
    words = ("--resource", "orders-db", "--revision", "origin/main")
    late = holders(capsys, bot.work, *words, "--at", NOON)
    assert {item["grant"]: item["state"] for item in late} == {
        "one": "revoke-failed: it may still work",
        "two": "time is up, end not confirmed",
    }
    end(bot, "one", issued, EventKind.REVOKED, Instant.parse("2026-11-23T11:00:00Z"))
    assert [item["grant"] for item in holders(capsys, bot.work, *words, "--at", NOON)] == ["two"]
    earlier = holders(capsys, bot.work, *words, "--at", "2026-11-23T10:59:00Z")
    assert [item["grant"] for item in earlier] == ["one", "two"]
    assert audit(bot.work, "who", *words, "--at", NOON, "--format", "text") == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"who could use orders-db at {NOON}:\nSUBJECT")
    assert "time is up, end not confirmed" in said.out
    assert "the evidence at hand ends at" in said.err


def test_no_forged_event_gives_or_takes(bot: Bot, capsys: pytest.CaptureFixture[str]) -> None:
    issued = bot.issue("one")
    end(bot, "one", issued, EventKind.EXPIRED, START.plus(3600))
    bot.issue("two")

    def forge(event: str, grant: str, *more: str) -> None:
        lines = [f"Daypass-Event: {event}", f"Daypass-Grant: {grant}", "Daypass-Sequence: 9"]
        lines += ["Daypass-Resource: orders-db", *more]
        bot.person_commits("Squash\n\n" + "\n".join(lines) + "\n", {})

    forge("expired", "two", f"Daypass-Ended-At: {START}")
    forge("issued", "one", f"Daypass-Not-Before: {START}")
    forge("issued", "mine", f"Daypass-Not-Before: {START}")
    forge("issued", "two", "Daypass-Not-Before: 2027-01-01T00:00:00Z")
    words = ("--resource", "orders-db", "--revision", "origin/main", "--at", NOON)
    assert [item["grant"] for item in holders(capsys, bot.work, *words)] == ["two"]


def test_without_a_time_it_asks_about_the_last_that_is_known(
    bot: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither a commit that somebody dated makes it nobody, nor the fraction of a second."""
    bot.request("one")
    began = bot.seconds + 60.7  # the event is of the same second
    said = [
        (name, str(Instant.from_seconds(began)) if name == "Daypass-Not-Before" else value)
        for name, value in grant_trailers(a_grant("one"))
    ]
    record = {grant_path("one"): a_grant("one").to_bytes()}
    bot.record(Event(EventKind.ISSUED, "one", tuple(said)), record)
    words = ("--resource", "orders-db", "--revision", "origin/main")
    assert [item["grant"] for item in holders(capsys, bot.work, *words)] == ["one"]
    bot.seconds = 10**9
    bot.person_commits("Unrelated", {"README": "x"})
    assert [item["grant"] for item in holders(capsys, bot.work, *words)] == ["one"]
    # A date that no calendar has: git stores it.
    file = bot.work / "commit"
    file.write_text(bot.git("cat-file", "commit", "HEAD").replace(" 1000000000 ", f" {10**14} "))
    impossible = bot.git("hash-object", "-w", "-t", "commit", str(file))
    assert [item["grant"] for item in holders(capsys, bot.work, *words[:-1], impossible)] == ["one"]


def test_what_no_signer_of_the_list_signed_is_not_passed_over_in_silence(
    bot: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a list that a push has emptied, broken, or exchanged takes away no key that counted."""
    bot.issue("one")
    bot.signer = LocalSigner(9)
    bot.issue("two")
    words = ("--resource", "orders-db", "--revision", "origin/main")
    for lines in ("", "x y z\n", LocalSigner(8).allowed().to_line() + "\n"):
        bot.person_commits("Another key", {ALLOWED_SIGNERS_PATH: lines})
        assert audit(bot.work, "who", *words) == 0
        said = capsys.readouterr()
        assert "one" in said.out
        assert "two" not in said.out
        assert "not counted: 1 of the commits that say that access began" in said.err


def test_an_end_that_names_no_resource_is_an_end(
    bot: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    bot.end("one", bot.issue("one"))
    words = ("--resource", "orders-db", "--subject", "alice", "--revision", "origin/main")
    assert holders(capsys, bot.work, *words, "--at", NOON) == []
    assert len(holders(capsys, bot.work, *words, "--at", "2026-11-23T09:01:30Z")) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--resource", "orders-dbb"), "no event names the resource orders-dbb"),
        (("--subject", "ALICE"), "--subject ALICE is no name"),
        (("--at", "yesterday"), "--at yesterday is no time"),
    ],
)
def test_a_slip_of_the_keyboard_is_not_nobody(
    year: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    assert audit(year, "who", *words) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.out == ""
