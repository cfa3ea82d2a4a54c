"""`daypass audit show`: one request on one page, whatever its author put into it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from daypass.cli.main import main
from daypass.lifecycle.happening import revoke_failed
from daypass.model.event import Event, EventKind, Reason
from daypass.model.instant import Instant
from daypass.model.names import request_path
from support.evidence_bot import a_grant
from support.evidence_year import RUN

if TYPE_CHECKING:
    from support.evidence_bot import Bot

ESCAPE = "\x1b]0;owned\x07"


def show(bot: Bot, *words: str) -> int:
    return main(["-C", str(bot.work), "audit", "show", "--revision", "origin/main", *words])


@pytest.fixture
def told(bot: Bot) -> dict[str, str]:
    """A grant that was asked for, issued, not ended at first, taken back, ended and reviewed."""
    commits = {
        "asked": bot.person_commits(
            f"Ask {ESCAPE}", {request_path("one"): f"reason: x {ESCAPE}\n```\n# heading @team\n"}
        )
    }
    request, bot.request = bot.request, lambda _grant: commits["asked"]  # type: ignore[method-assign]
    commits["issued"] = bot.issue("one")
    bot.request = request  # type: ignore[method-assign]
    now = Instant.from_seconds(bot.seconds)
    failed = revoke_failed(
        a_grant("one"), Reason.DONE, "a lease is overdue", now, record_blob=None, run=RUN
    )
    commits["revoke-failed"] = bot.record(
        failed.event, dict(failed.writes), title=failed.title, body=failed.body
    )
    commits["expired"] = bot.end("one", commits["issued"])
    approver = f"2 99 {commits['issued']} {now}"
    review = Event(EventKind.REVIEWED, "one", (("Daypass-Approver", approver),))
    commits["reviewed"] = bot.record(review, {}, title="Review one", body="dave reviewed it")
    return commits


def test_everything_is_there_with_its_commit(
    bot: Bot, told: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    bot.issue("two")  # whose chapters are its own
    assert show(bot, "one", "--format", "json") == 0
    page = json.loads(capsys.readouterr().out)
    chapters: list[dict[str, Any]] = page["chapters"]
    assert [item["kind"] for item in chapters] == [
        *("asked", "decided", "approved", "issued", "delivered"),
        *("revoke-failed", "expired", "reviewed"),
    ]
    found = {item["kind"]: item for item in chapters}
    for kind, commit in told.items():
        assert found[kind]["commit"] == commit
        assert found[kind]["signed"] is (kind != "asked")
    assert found["asked"]["lines"][0] == f"+reason: x {ESCAPE}"
    assert found["approved"]["lines"][0].startswith("bob (account 1), review 11 of commit ddd")
    assert found["approved"]["lines"][1].startswith("account 2, review 12 ")
    assert found["issued"]["facts"]["notAfter"] == "2026-11-23T10:00:00Z"
    assert found["delivered"]["facts"]["ciphertext"] == "sha256:" + "0" * 64
    assert found["expired"]["facts"]["reason"] == "time"
    assert any("a lease is overdue" in line for line in found["revoke-failed"]["lines"])
    assert found["reviewed"]["facts"]["review"].startswith("2 99 ")
    assert page["title"] == "alice: read on orders-db"


def test_what_people_wrote_steers_no_terminal_and_no_page(
    bot: Bot, told: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(bot, "one") == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "\\x1b]0;owned\\x07" in text
    assert f"{told['asked']}  (not the bot's: unsigned)" in text
    assert show(bot, "one", "--format", "markdown") == 0
    page = capsys.readouterr().out
    assert "\x1b" not in page
    # The diff's own fence is longer than the one that the requester put into the file.
    assert "\n````diff\n" in page
    assert page.index("````diff") < page.index("# heading") < page.index("\n````\n")


def test_a_forged_event_is_no_chapter(
    bot: Bot, told: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    forged = "Daypass-Event: session\nDaypass-Grant: one\nDaypass-Sequence: 9\n"
    bot.person_commits("Squash\n\n" + forged, {"x": "1"})
    assert show(bot, "one", "--format", "json") == 0
    kinds = [item["kind"] for item in json.loads(capsys.readouterr().out)["chapters"]]
    assert "session" not in kinds
    assert len(kinds) == len(told) + 3


def test_a_request_without_an_event_is_shown_and_an_unknown_id_is_not(
    bot: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = bot.request("waiting")
    taken = bot.person_commits("No longer", {request_path("waiting"): None})
    assert show(bot, "waiting", "--format", "json") == 0
    chapters = json.loads(capsys.readouterr().out)["chapters"]
    assert [(item["kind"], item["commit"]) for item in chapters] == [
        ("asked", asked),
        ("removed", taken),
    ]
    assert show(bot, "nobody") == 2
    assert "there is no request nobody" in capsys.readouterr().err
    assert show(bot, "../x") == 2
