"""PostgreSQL's log: the sessions of the users that Vault made for one grant.

Three forms are read: jsonlog and csvlog, whose fields say who the user was, and the plain log,
where the user stands in `log_line_prefix`. A file is of one form, by its first line. A name in the
text of a message ties nothing, because anybody can write anybody's name into a statement; nor can
a statement look like a line of its own: continued lines of the plain log begin with a tab, csvlog
quotes, and jsonlog escapes.
"""

from __future__ import annotations

import csv
import itertools
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from daypass.model.instant import Instant
from daypass.report.activity.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from daypass.report.activity.grant import Wanted

_SEVERITY: Final = (
    r"LOG|ERROR|FATAL|PANIC|WARNING|NOTICE|INFO|DEBUG[1-5]?|STATEMENT|DETAIL|HINT|CONTEXT|QUERY"
)
_PLAIN: Final = re.compile(rf"(.{{0,400}}?)\b({_SEVERITY}):  (.*)", re.DOTALL)
_ANY_USER: Final = re.compile(r"(?<![\w-])g-[a-z0-9-]{1,36}-[a-z0-9]{6}-[0-9]{10,11}(?![\w-])")
_STAMP: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9:]{8})(?:\.([0-9]{1,6}))? (UTC|GMT)")
_LASTED: Final = re.compile(r"disconnection: session time: ([0-9]+):([0-9]{2}):([0-9]{2}\.[0-9]+)")
_HOST: Final = re.compile(r"disconnection: .* host=(\S+)")
_STATEMENT: Final = re.compile(r"(duration: [0-9.]+ ms  )?(statement|execute [^:]{0,80}): ")
_NAMED: Final = 38  # `g-` and what a user's name has of the id
_LONGEST: Final = 1 << 20
_CSV_FIELDS: Final = 14  # log_time … message; later versions add more behind


class _Line(NamedTuple):
    user: str
    at: Instant | None
    severity: str
    message: str
    host: str | None
    code: str | None  # SQLSTATE


@dataclass(slots=True)
class PostgresActivity:
    """What the log says of one grant's database users."""

    tally: Tally = field(default_factory=Tally)
    users: set[str] = field(default_factory=set)
    seconds: float = 0.0  # of all sessions that have ended

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            **self.tally.to_json(),
            "users": sorted(self.users),
            "sessionSeconds": round(self.seconds, 3),
        }


def read_postgres_log(files: Iterable[Iterable[bytes | int]], wanted: Wanted) -> PostgresActivity:
    """Count what these files hold of the grant's users, file after file."""
    found = PostgresActivity()
    users = wanted.users()
    prefix = f"g-{wanted.grant_id}"[:_NAMED].encode()
    for lines in files:
        for entry, read in _entries(lines, found.tally):
            if prefix not in entry:
                continue
            said = read(entry.decode("utf-8", "replace"))
            if said is None:
                found.tally.unreadable += not entry.startswith(b"\t")
            elif wanted.is_user(said.user, users):
                _count(found, said, entry)
    return found


def _entries(
    lines: Iterable[bytes | int], tally: Tally
) -> Iterator[tuple[bytes, Callable[[str], _Line | None]]]:
    """Each entry of one file, with what reads it."""
    source = iter(lines)
    first = next(source, None)
    if first is None:
        return
    whole = itertools.chain([first], source)
    sample = first if isinstance(first, bytes) else b""
    if sample.startswith(b"{"):
        yield from ((line, _from_json) for line in _whole_lines(whole, tally))
    elif b'",' in sample and _PLAIN.match(sample.decode("utf-8", "replace")) is None:
        yield from ((entry, _from_csv) for entry in _csv_entries(whole, tally))
    else:
        yield from ((line, _from_plain) for line in _whole_lines(whole, tally))


def _whole_lines(lines: Iterable[bytes | int], tally: Tally) -> Iterator[bytes]:
    for line in lines:
        tally.lines += 1
        if isinstance(line, bytes):
            yield line
        else:
            tally.unreadable += 1


def _csv_entries(lines: Iterable[bytes | int], tally: Tally) -> Iterator[bytes]:
    """Records: a line, and those after it, until each quotation mark has its fellow.

    What is too long is dropped and its marks are counted all the same: else a statement that is
    long enough could make its next line look like a record.
    """
    parts: list[bytes] = []
    held, is_open, is_whole = 0, False, True
    for line in lines:
        tally.lines += 1
        quotes = line if isinstance(line, int) else line.count(b'"')
        if isinstance(line, bytes) and held + len(line) <= _LONGEST:
            parts.append(line)
            held += len(line)
        else:
            is_whole = False
        is_open ^= quotes % 2 == 1
        if is_open:
            continue
        if is_whole:
            yield b"\n".join(parts)
        else:
            tally.unreadable += 1
        parts, held, is_whole = [], 0, True
    tally.unreadable += is_open


def _count(found: PostgresActivity, said: _Line, line: bytes) -> None:
    tally = found.tally
    tally.tie(line, said.at)
    found.users.add(said.user)
    if said.host is not None:
        tally.came_from(said.host)
    if said.severity in ("ERROR", "PANIC"):
        tally.count(f"error {said.code}" if said.code else "error")
    elif said.severity == "FATAL":
        tally.count("fatal")
    elif said.message.startswith("connection authorized: "):
        tally.count("log-in")
    elif said.message.startswith("disconnection: "):
        tally.count("session ended")
        lasted = _LASTED.match(said.message)
        if lasted is not None:
            hours, minutes, seconds = lasted.groups()
            found.seconds += int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        host = _HOST.match(said.message)
        if host is not None:
            tally.came_from(host[1])
    elif _STATEMENT.match(said.message):
        tally.count("statement")


def _from_json(line: str) -> _Line | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict):
        return None
    words = {
        key: str(entry[name])
        for key, name in (("user", "user"), ("severity", "error_severity"), ("at", "timestamp"))
        if isinstance(entry.get(name), str)
    }
    if "user" not in words or "severity" not in words:
        return None
    code, host = entry.get("state_code"), entry.get("remote_host")
    return _Line(
        words["user"],
        _time(words.get("at", "")),
        words["severity"],
        str(entry.get("message", "")),
        host if isinstance(host, str) else None,
        _code(code),
    )


def _from_csv(line: str) -> _Line | None:
    try:
        row = next(csv.reader([line], strict=True), [])
    except csv.Error:
        return None
    if len(row) < _CSV_FIELDS:
        return None
    host = row[4].rpartition(":")[0] or None
    return _Line(row[1], _time(row[0]), row[11], row[13], host, _code(row[12]))


def _from_plain(line: str) -> _Line | None:
    match = _PLAIN.match(line)
    if match is None or line.startswith("\t"):
        return None  # a continued line is what somebody wrote
    users = set(_ANY_USER.findall(match[1]))
    if len(users) != 1:
        return None  # nobody's, or not to be told whose
    return _Line(users.pop(), _time(match[1]), match[2], match[3], None, None)


def _time(text: str) -> Instant | None:
    """A time in UTC, as log_timezone should be: another zone's name does not say when it was."""
    match = _STAMP.search(text)
    if match is None:
        return None
    try:
        whole = datetime.fromisoformat(f"{match[1]}T{match[2]}").replace(tzinfo=UTC)
    except ValueError:
        return None
    return Instant.parse(whole.strftime("%Y-%m-%dT%H:%M:%S") + f".{match[3] or '0'}Z")


def _code(value: Any) -> str | None:
    return value if isinstance(value, str) and re.fullmatch("[0-9A-Z]{5}", value) else None
