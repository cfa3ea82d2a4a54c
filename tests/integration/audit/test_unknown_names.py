"""Names in a command's words: a slip of the keyboard is named, with the nearest that is known."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from daypass.cli.main import main
from daypass.ledger.compose import compose
from daypass.lifecycle.happening import Refusal, Run, refused
from daypass.model.canonical import canonical_json
from daypass.model.event import Event, EventKind, Reason
from daypass.model.grant import Lane
from daypass.model.instant import Instant
from daypass.policy.decide import decide
from support.desk import DESK
from support.evidence_bot import a_grant, make_bot

if TYPE_CHECKING:
    from daypass.lifecycle.happening import Happening
    from support.evidence_bot import Bot

LATE = Instant.parse("2099-01-01T00:00:00Z")  # by the machine's clock it lives
RUN = Run("local", "local")
GONE = ("access/identities/zacharias.yaml", "access/resources/old-warehouse.yaml")


@pytest.fixture(autouse=True)
def _logged_in_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GH_TOKEN", "GITHUB_TOKEN", "GITHUB_ACTIONS", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # no `gh`


def lived_in(bot: Bot) -> Bot:
    """A grant that ended, one that lives, and names that came and went."""
    bot.end("first-one", bot.issue("first-one"))
    bot.issue("second-one", replace(a_grant("second-one"), not_after=LATE))
    bot.person_commits("Add", dict.fromkeys(GONE, "kind: x\n"))
    bot.person_commits("Remove", dict.fromkeys(GONE))
    return bot


@pytest.fixture
def living(bot: Bot) -> Bot:
    """One whose main a test changes."""
    return lived_in(bot)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Bot:
    """One that is only asked."""
    bot = lived_in(make_bot(tmp_path_factory.mktemp("told")))
    rejected = (("Daypass-Ended-At", "2026-11-23T09:05:00Z"), ("Daypass-Reason", "closed"))
    bot.record(Event(EventKind.REJECTED, "closed-unmerged", rejected), {})
    bot.request("waits-for-a-run")
    return bot


def note(bot: Bot, happening: Happening) -> str:
    """An event that changes nothing on main."""
    return bot.record(happening.event, {}, title=happening.title, body=happening.body)


def say(bot: Bot, *words: str) -> int:
    bot.git("checkout", "-q", "-B", "main", "origin/main")
    return main(["-C", str(bot.work), *words])


@pytest.mark.parametrize(
    ("words", "unknown", "nearest"),
    [
        ("status --subject alise", "alise", "alice"),
        ("status --resource orders-bd", "orders-bd", "orders-db"),
        ("status --resource typo --format json", "typo", "orders-db"),
        ("status --subject nobody --format openmetrics", "nobody", "bob"),
        ("audit log --grant frist-one", "frist-one", "first-one"),
        ("audit log --grant nope", "nope", "The nearest that is known is `"),
        ("audit show secnd-one", "secnd-one", "second-one"),
        ("audit activity first-on --vault-log /dev/null", "first-on", "first-one"),
        ("audit who --subject alise", "alise", "alice"),
        ("audit report --question acess-now", "acess-now", "access-now"),
        ("explain first-oen", "first-oen", "first-one"),
        ("explain two-aprovers", "two-aprovers", "two-approvers"),
        ("explain everything/macth", "everything/macth", "everything/match"),
        ("halt --dry-run --subject alise", "alise", "alice"),
        ("halt --dry-run --resource orders-bd", "orders-bd", "orders-db"),
        ("halt --dry-run --subject nobody", "nobody", "bob"),
        ("halt --yes --subject nobody", "gh auth login", "GH_TOKEN"),  # nothing is asked as nobody
        ("review first-one", "first-one", "daypass status"),
    ],
)
def test_it_is_refused_and_the_nearest_is_named(
    told: Bot, capsys: pytest.CaptureFixture[str], words: str, unknown: str, nearest: str
) -> None:
    code = say(told, *words.split())
    shown = capsys.readouterr()
    assert code == (1 if "gh auth" in unknown else 2), shown
    assert unknown in shown.err
    assert nearest in shown.err
    assert shown.out == ""


@pytest.mark.parametrize(
    "words", ["revoke secnd-one --dry-run", "done secnd-one", "redeliver secnd-one"]
)
def test_a_live_grant_that_is_meant_is_named(
    told: Bot, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    assert say(told, *words.split()) == 2
    assert "no request secnd-one; did you mean `second-one`?" in capsys.readouterr().err


def test_a_claim_opens_nothing_by_a_main_that_may_be_another(
    told: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever it is asked for: the remote is a folder."""
    assert say(told, "claim", "secnd-one", "--format", "json") == 7
    shown = capsys.readouterr()
    assert "Nothing was opened" in shown.err
    assert shown.out == ""


def test_an_id_that_is_like_no_other_is_told_the_nearest(
    told: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    assert say(told, "done", "nope") == 2
    assert "The nearest that is known is `" in capsys.readouterr().err


def test_an_end_is_not_refused_by_a_main_that_may_be_another(
    told: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    """The remote is a folder, which is not known to be the governed repository."""
    assert say(told, "revoke", "secnd-one") == 1
    shown = capsys.readouterr().err
    assert "did you mean `second-one`?" in shown
    assert "asked for all the same" in shown
    assert "gh auth login" in shown  # it was about to ask


@pytest.mark.parametrize("words", ["status --subject", "audit log --grant"])
def test_a_name_with_a_line_feed_is_shown_on_one_line(
    told: Bot, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    assert say(told, *words.split(), "x\ny") == 2
    assert "x\\u000ay" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        "status --subject zacharias",
        "status --resource old-warehouse",
        "status --subject bob",
        "audit log --grant first-one",
        "audit log --grant waits-for-a-run",
        "audit log --grant closed-unmerged",
        "audit log --grant first-one --since HEAD",
        "halt --dry-run --subject zacharias",
        "halt --dry-run --resource old-warehouse",
    ],
)
def test_what_was_once_is_known(told: Bot, capsys: pytest.CaptureFixture[str], words: str) -> None:
    """An empty answer is the answer: it is gone from the catalogue, ended, or has only begun."""
    assert say(told, *words.split()) == 0, capsys.readouterr().err


def halted(
    told: Bot, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[list[str], dict[str, Any]]:
    assert say(told, "halt", "--dry-run", "--format", "json", *words) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return [item["grant"] for item in found["ends"]], found


def test_a_halt_shows_what_it_would_end(told: Bot, capsys: pytest.CaptureFixture[str]) -> None:
    ends, found = halted(told, capsys, "--subject", "alice")
    assert ends == ["second-one"]
    assert found["ends"][0]["notAfter"] == str(LATE)
    assert (found["command"], found["unknown"]) == ("halt --subject alice", [])
    assert halted(told, capsys, "--type", "human")[0] == ["second-one"]
    assert halted(told, capsys, "--type", "agent")[0] == []
    assert say(told, "halt", "--dry-run", "--resource", "orders-db") == 0
    text = capsys.readouterr().out
    assert "second-one" in text
    assert "alice: read on orders-db, until 2099-01-01 00:00Z" in text
    assert "dry run: nothing was asked for" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_halt_reaches_who_is_gone_from_the_catalogue(
    living: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    living.person_commits("Offboard", {"access/identities/alice.yaml": None})
    ends, found = halted(living, capsys, "--subject", "alice")
    assert ends == ["second-one"]
    assert found["unknown"] == []


def test_while_main_cannot_be_read_a_halt_says_so_and_refuses_no_name(
    living: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    living.person_commits("Break it", {"access/identities/bob.yaml": "nonsense: ["})
    ends, found = halted(living, capsys, "--subject", "alice")
    assert ends == ["second-one"]
    (why,) = found["unknown"]
    assert "access/identities/bob.yaml" in why
    assert halted(living, capsys, "--subject", "nobody")[1]["unknown"] == [why]
    # The record that a person spoilt is the bot's: its last signed word counts.
    living.person_commits("Spoil it", {"access/grants/second-one.json": "{"})
    assert halted(living, capsys, "--subject", "alice")[0] == ["second-one"]
    living.person_commits("And settings", {"access/daypass.yaml": "nonsense: ["})
    assert halted(living, capsys, "--subject", "alice")[0] == ["second-one"]
    living.git("remote", "set-url", "origin", str(living.work / "nowhere"))
    ends, found = halted(living, capsys, "--subject", "alice")
    assert ends == ["second-one"]
    assert any("main was not fetched" in item for item in found["unknown"])


def test_a_shallow_clone_says_that_it_cannot_tell(
    told: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    told.git("clone", "-q", "--depth", "1", f"file://{told.work.parent}/remote.git", "shallow")
    words = ["halt", "--dry-run", "--format", "json", "--subject", "nobody"]
    assert main(["-C", str(told.work / "shallow"), *words]) == 0
    assert "shallow" in " ".join(json.loads(capsys.readouterr().out)["unknown"])


def test_without_main_and_without_all_of_it_a_dry_run_has_seen_nothing(
    told: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    told.git("clone", "-q", "--depth", "1", f"file://{told.work.parent}/remote.git", "away")
    told.git("-C", "away", "remote", "set-url", "origin", str(told.work / "nowhere"))
    words = ("halt", "--dry-run", "--format", "json", "--subject", "nobody")
    assert main(["-C", str(told.work / "away"), *words]) == 7
    assert "cannot be seen" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["removed", "moved", "a symlink", "a folder"])
def test_without_settings_the_newest_before_them_serve(
    living: Bot, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    path = living.work / "access/daypass.yaml"
    living.git("checkout", "-q", "-B", "main", "origin/main")
    if how == "moved":
        (living.work / "infra").mkdir()
        (living.work / "access").rename(living.work / "infra/access")
    else:
        path.unlink()
    if how == "a symlink":
        path.symlink_to("/etc/passwd")
    if how == "a folder":
        path.mkdir()
        (path / "x").write_text("x")
    living.git("add", "-A")
    living.git("commit", "-q", "-m", "Spoil it")
    living.git("push", "-q", "origin", "main")
    assert halted(living, capsys, "--subject", "alice")[0] == ["second-one"]
    assert say(living, "revoke", "second-one", "--dry-run") == 0, capsys.readouterr().err
    for words in ("halt --subject alice", "revoke second-one", "revoke unknown-one"):
        assert say(living, *words.split()) == 1
        assert "gh auth login" in capsys.readouterr().err  # it was about to ask


def explained(bot: Bot, capsys: pytest.CaptureFixture[str], name: str) -> str:
    assert say(bot, "explain", name) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_an_emergency_that_was_denied_while_it_was_open_is_explained(
    bot: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its request never came to main: the event alone tells of it."""
    decision = decide(DESK.facts, DESK.policies)
    assert not decision.permitted
    refusal = Refusal(
        grant_id="denied-open",
        blob="b" * 40,
        kind=EventKind.DENIED,
        reason=Reason.POLICY,
        why=("no",),
        effect=str(decision.effect),
        input_digest=decision.input_digest,
        policy_digest=decision.policy_digest,
        decision_input=canonical_json(DESK.facts.to_json()).decode(),
        lane=Lane.BREAK_GLASS,
        merged=False,
    )
    commit = note(bot, refused(refusal, RUN))
    text = explained(bot, capsys, "denied-open")
    assert f"deny at {DESK.facts.now}; recorded in {commit[:12]}" in text
    assert "built-in/resource-approvers" in text
    assert "differs" not in text
    # A closed pull request that names the id again takes nothing of that away.
    bot.record(Event(EventKind.WITHDRAWN, "denied-open", (("Daypass-Reason", "closed"),)), {})
    assert "deny at" in explained(bot, capsys, "denied-open")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (EventKind.DENIED, Reason.UNPROVEN),
        (EventKind.LAPSED, Reason.LAPSED),
        (EventKind.REJECTED, Reason.CLOSED),
        (EventKind.WITHDRAWN, Reason.CLOSED),
    ],
)
def test_what_was_refused_without_a_decision_is_explained(
    bot: Bot, capsys: pytest.CaptureFixture[str], kind: EventKind, reason: Reason
) -> None:
    refusal = Refusal(
        "over",
        "b" * 40,
        kind,
        reason,
        why=("#5 was merged by account 3: only daypass merges an emergency",),
        subject="alice",
        resource="orders-db",
        access="read",
        merged=False,
    )
    commit = note(bot, refused(refusal, RUN))
    text = explained(bot, capsys, "over")
    assert "over: read on orders-db for alice" in text
    assert f"{kind} ({reason}), before any decision; recorded in {commit[:12]}" in text
    assert "#5 was merged by account 3" in text
    assert say(bot, "explain", "over", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["event"], found["decision"], found["differences"]) == (str(kind), None, [])


@pytest.mark.parametrize(
    "line",
    [
        "{nonsense",
        '{"a":' + "[" * 100_000,
        '{"a":' + "9" * 10_000 + "}",
        "{}",
        "{" + " " * (1 << 21),
    ],
    ids=["broken", "deep", "digits", "empty", "long"],
)
def test_a_forged_denial_that_cannot_be_read_is_told_as_that(
    told: Bot, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    """Anybody who can push can write one: it is unsigned, and breaks nothing."""
    trailers = (
        ("Daypass-Decision", f"deny sha256:{'0' * 64}"),
        ("Daypass-Policy", f"sha256:{'0' * 64}"),
        ("Daypass-Reason", "policy"),
    )
    event = Event(EventKind.DENIED, f"forged-{len(line)}", trailers)
    message = compose("deny", f"no\n\n    {line}", event, told.sequence + 1, told.previous)
    told.git("checkout", "-q", "-B", "main", "origin/main")
    path = told.work / f"access/requests/{event.grant}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x: 1\n")
    told.git("add", "-A")
    (told.work.parent / "message").write_text(message)
    told.git("commit", "-q", "--cleanup=verbatim", "-F", str(told.work.parent / "message"))
    told.git("push", "-q", "origin", "main")
    assert say(told, "explain", str(event.grant)) == 6
    shown = capsys.readouterr()
    assert "cannot be read" in shown.out
    assert "anybody can have written" in shown.out
    assert shown.err.startswith("warning: no remote of this clone is example/daypass")  # a folder
    assert shown.err.count("\n") == 1
    assert say(told, "explain", str(event.grant), "--format", "json") == 6


def test_what_became_of_a_grant_is_told(told: Bot, capsys: pytest.CaptureFixture[str]) -> None:
    say(told, "explain", "first-one")
    assert "then      expired at " in capsys.readouterr().out
    say(told, "explain", "second-one")
    assert "then " not in capsys.readouterr().out


def test_a_request_that_waits_has_no_decision_yet(
    told: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    assert say(told, "explain", "waits-for-a-run") == 2
    assert "no decision on waits-for-a-run is recorded" in capsys.readouterr().err
