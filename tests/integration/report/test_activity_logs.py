"""`daypass audit activity` on hostile logs: what anybody could write into one ties nothing."""

from __future__ import annotations

import gzip
import json
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from daypass.cli.main import main
from daypass.model.event import Event, EventKind
from daypass.model.names import grant_path, request_path
from support.evidence_bot import START

if TYPE_CHECKING:
    from pathlib import Path

    from support.evidence_bot import Bot

ACCESSOR = "one"  # a_grant's record names the digest of its id as that of its accessor
REPOSITORY = "987654321"
MINE = f"g-one-abc123-{START.seconds + 5}"
STAMP = "2026-11-23 09:05:00.000 UTC"
ESCAPE = "\x1b]0;owned\x07"


@pytest.fixture
def granted(governed: Bot) -> Bot:
    """One grant, that has ended."""
    bot = governed
    issued = bot.issue("one")
    ended = Event(EventKind.EXPIRED, "one", (("Daypass-Ended-At", str(START.plus(3600))),))
    gone: dict[str, bytes | None] = {grant_path("one"): None, request_path("one"): None}
    bot.record(ended, gone, body=f"This reverts commit {issued}.")
    bot.git("checkout", "-q", "-B", "main", "origin/main")
    return bot


@pytest.fixture
def repository_id(granted: Bot) -> str:
    text = granted.git("show", "HEAD:access/daypass.yaml")
    (line,) = [line for line in text.splitlines() if line.strip().startswith("repositoryId:")]
    return line.partition(":")[2].strip()


def activity(bot: Bot, *words: str | Path) -> int:
    return main(["-C", str(bot.work), "audit", "activity", "one", *map(str, words)])


def found(capsys: pytest.CaptureFixture[str], bot: Bot, *words: str | Path) -> dict[str, Any]:
    assert activity(bot, "--format", "json", *words) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def entry(repository_id: str, *, accessor: str = ACCESSOR, **more: Any) -> str:
    metadata = {"daypass_grant": "one", "daypass_repository": repository_id}
    return json.dumps(
        {
            "time": "2026-11-23T09:05:00.123456789Z",
            "type": "response",
            "auth": {"accessor": accessor, "metadata": metadata},
            "request": {"operation": "read", "path": "database/creds/x", "remote_address": "::1"},
            **more,
        }
    )


def test_an_entry_is_tied_by_marks_and_by_the_accessor_that_the_evidence_knows(
    granted: Bot, repository_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "audit.log"
    other = entry("1")  # another repository's grant of the same id
    lines = [entry(repository_id), other, entry(repository_id, accessor="hmac-sha256:00")]
    log.write_text("\n".join(lines) + "\n")
    told = found(capsys, granted, "--vault-log", log)["vault"]
    assert (told["linesRead"], told["tied"]) == (3, 2)
    assert told["accessor"] == {"proven": 1, "hashed": 1, "notInTheEvidence": 0}
    assert told["operations"] == {"read database/creds/x": 2}
    assert told["addresses"] == {"::1": 2}
    forged = entry(repository_id, accessor="minted-elsewhere")
    log.write_text("\n".join([*lines, forged]) + "\n")
    assert activity(granted, "--format", "json", "--vault-log", log) == 5
    again = json.loads(capsys.readouterr().out)["vault"]
    assert (again["tied"], again["digest"]) == (told["tied"], told["digest"])
    assert activity(granted, "--vault-log", log) == 5
    said = capsys.readouterr()
    assert "somebody minted it elsewhere" in said.err
    assert "NOT THE GRANT'S" in said.out


def test_hostile_lines_are_counted_and_steer_nothing(
    granted: Bot, repository_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "audit.log"
    steering = {
        "operation": f"read{ESCAPE}",
        "path": f"x/{ESCAPE}\r\n::error::y",
        "remote_address": f"1.2.3.4{ESCAPE}",
    }
    lines = [
        entry(repository_id, request=steering, error=f"no {ESCAPE}"),
        '{"one": ',  # torn
        '["one"]',
        "[" * 100_000 + '"one"',
        '{"one": ' + "9" * 10_000 + "}",
        json.dumps({"auth": {"metadata": ["daypass_grant", "one"], "accessor": 7}, "request": 1}),
        "x" * (1 << 21),
        "\x00\xff one",
    ]
    log.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    told = found(capsys, granted, "--vault-log", log)["vault"]
    assert told["tied"] == 1
    assert told["counts"] == {"refused": 1}
    assert told["addresses"] == {}
    assert told["unreadable"] >= 4
    assert activity(granted, "--vault-log", log) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\r" not in out


def plain(user: str, message: str, severity: str = "LOG") -> str:
    return f"{STAMP} [1] {user}@orders {severity}:  {message}"


def test_a_name_in_a_statement_ties_nothing(
    granted: Bot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "postgres.log"
    thief = f"g-thief-abc123-{START.seconds + 5}"
    lines = [
        plain(MINE, f"connection authorized: user={MINE} database=orders"),
        plain(thief, f"statement: select '{MINE}@orders LOG:  connection authorized: x'"),
        f"\t{STAMP} [1] {MINE}@orders LOG:  connection authorized: x",  # of that statement
        plain("postgres", f'ERROR:  role "{MINE}" is gone', "ERROR"),
        plain(f"{MINE} {thief}", "connection authorized: x"),  # whose is it?
        plain(f"x{MINE}", "connection authorized: x"),
        plain(f"g-one-abc123-{START.seconds - 9000}", "connection authorized: x"),
        plain(MINE, 'relation "secrets" does not exist', "ERROR"),
        plain(MINE, "select * from secrets", "STATEMENT"),
        plain(MINE, "disconnection: session time: 0:00:07.250 user=x database=y host=10.0.0.9"),
    ]
    log.write_text("\n".join(lines) + "\n")
    told = found(capsys, granted, "--postgres-log", log)
    postgres = told["postgres"]
    assert postgres["counts"] == {"error": 1, "log-in": 1, "session ended": 1}
    assert postgres["users"] == [MINE]
    assert postgres["sessionSeconds"] == 7.25
    assert postgres["addresses"] == {"10.0.0.9": 1}
    assert "secrets" not in json.dumps(told)
    packed = tmp_path / "postgres.log.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    assert found(capsys, granted, "--postgres-log", packed) == told
    # However the log was cut, the digest is the same.
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("\n".join([*lines[:8], plain("x", "y")]) + "\n")
    second.write_text("\n".join(lines[8:]) + "\n")
    again = found(capsys, granted, "--postgres-log", first, "--postgres-log", second)
    assert again["digest"] == told["digest"]


def test_a_damaged_gzip_file_is_one_clear_error(
    granted: Bot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = gzip.compress(b"nothing of note\n" * 1000)
    log = tmp_path / "postgres.log.gz"
    log.write_bytes(whole[:10] + b"\xff" * 20)
    code = main(["-C", str(granted.work), "audit", "activity", "one", "--postgres-log", str(log)])
    assert (code, "it is no whole gzip file" in capsys.readouterr().err) == (2, True)


def csv_row(user: str, message: str) -> str:
    quoted = message.replace('"', '""')
    return (
        f'{STAMP},"{user}","orders",1,"10.0.0.9:55",a,1,"x",{STAMP},1/1,0,LOG,00000,"{quoted}",,,'
    )


def test_no_statement_looks_like_a_record_of_its_own(
    granted: Bot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = csv_row(MINE, "connection authorized: forged")
    thief = f"g-thief-abc123-{START.seconds + 5}"
    rows = [
        csv_row(MINE, "connection authorized: user=x"),
        csv_row(thief, f"statement: select 1\n{forged}"),
        csv_row(thief, "statement: " + "x" * (1 << 21) + f'"\n{forged}'),
        csv_row(thief, ("y" * 1000 + "\n") * 1500 + f'"\n{forged}'),
        csv_row(MINE, "statement: select 2"),
    ]
    log = tmp_path / "postgres.csv"
    log.write_text("\n".join(rows) + "\n")
    told = found(capsys, granted, "--postgres-log", log)["postgres"]
    assert told["counts"] == {"log-in": 1, "statement": 1}
    assert told["unreadable"] == 2
    jsonlog = tmp_path / "postgres.json"
    record = {"timestamp": STAMP, "error_severity": "LOG", "remote_host": "10.0.0.9"}
    lines = [
        record | {"user": MINE, "message": "connection authorized: x"},
        record | {"user": thief, "message": f"statement: {MINE}"},
        record | {"user": MINE, "error_severity": "ERROR", "state_code": "42501", "message": "x"},
    ]
    jsonlog.write_text("\n".join(map(json.dumps, lines)) + "\n" + plain(MINE, "disconnection: "))
    told = found(capsys, granted, "--postgres-log", jsonlog)["postgres"]
    assert told["counts"] == {"error 42501": 1, "log-in": 1}
    assert told["unreadable"] == 1


def test_a_log_is_never_held_whole(granted: Bot, repository_id: str, tmp_path: Path) -> None:
    """300 MiB of log, half of it one line, in the memory that a small one takes."""
    log = tmp_path / "audit.log"
    with log.open("w") as stream:
        stream.write(entry(repository_id) + "\n")
        for _ in range(150):
            stream.write("x" * (1 << 20))
        stream.write("\n")
        line = json.dumps({"auth": {"metadata": {"daypass_grant": "another"}}, "pad": "y" * 1000})
        for _ in range(1500):
            stream.write((line + "\n") * 100)
        stream.write(entry(repository_id) + "\n")
    words = ["audit", "activity", "one", "--vault-log", str(log), "--format", "json"]
    limit = 400 << 20  # address space, libraries included
    done = subprocess.run(
        [sys.executable, "-m", "daypass", "-C", granted.work, *words],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["vault"]
    assert (told["tied"], told["linesRead"]) == (2, 150_003)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "there is no log to read"),
        (("--vault-log", "nowhere.log"), "cannot be read: No such file"),
        (("--postgres-log", "/"), "cannot be read: Is a directory"),
    ],
)
def test_what_cannot_be_read_is_told(
    granted: Bot, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    assert activity(granted, *words) == 2
    assert says in capsys.readouterr().err
    assert main(["-C", str(granted.work), "audit", "activity", "two", "--vault-log", "x"]) == 2
    assert "two was never granted" in capsys.readouterr().err
