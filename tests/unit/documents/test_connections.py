"""A database on another machine says its TLS mode, in libpq's words and without a weak one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from documents_world import RESOURCE, RESOURCE_PATH, SOUND, Forgetful, entries

from daypass.documents.validation import validate

if TYPE_CHECKING:
    from daypass.documents.finding import Report


def judged(connection: str) -> Report:
    """The findings of a repository whose resource has that `connection`."""
    files = {**SOUND, RESOURCE_PATH: f"{RESOURCE}  connection:\n{connection}"}
    read = {path: text.encode() for path, text in files.items()}
    return validate(entries(files), read.__getitem__, Forgetful(), examine=lambda _: ())


LINES = len(RESOURCE.splitlines())


@pytest.mark.parametrize("mode", ["VERIFY-FULL", "verify_full", "none", "on"])
def test_a_mode_that_libpq_does_not_know_is_found_with_its_line(mode: str) -> None:
    [finding] = judged(f"    host: db.example.com\n    sslmode: '{mode}'\n").findings
    assert finding.place.startswith(f"{RESOURCE_PATH}:{LINES + 3}:")
    assert "verify-full" in finding.remedy + finding.message


def test_the_systems_authorities_go_with_verify_full_alone() -> None:
    text = "    host: db.example.com\n    sslmode: require\n    sslrootcert: system\n"
    [finding] = judged(text).findings
    assert (finding.rule, finding.place) == ("resource-tls", f"{RESOURCE_PATH}:{LINES + 3}:14")
    assert judged(text.replace("require", "verify-full")).findings == ()


@pytest.mark.parametrize(
    ("connection", "told"),
    [
        ("host: db.example.com", "it names no `sslmode`, so `verify-full` holds"),
        ("host: db.example.com\n    sslmode: disable", "the password can go in clear"),
        ("host: db.example.com\n    sslmode: allow", "the password can go in clear"),
        ("host: 127.0.0.1,db.example.com\n    sslmode: prefer", "the password can go in clear"),
        ("host: db.example.com\n    sslmode: require", None),
        ("host: db.example.com\n    sslmode: verify-full", None),
        ("host: LOCALHOST", None),
        ("host: /run/postgresql\n    sslmode: disable", None),
        ("port: '5433'", None),
    ],
)
def test_what_may_send_a_password_in_clear_is_noticed(connection: str, told: str | None) -> None:
    report = judged(f"    {connection}\n")
    assert report.findings == ()
    notices = [item for item in report.notices if item.rule == "resource-tls"]
    assert len(notices) == (told is not None)
    if told is not None:
        assert told in notices[0].message
        assert "sslmode: verify-full" in notices[0].remedy
