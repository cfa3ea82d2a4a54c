"""The fuzz target of the loader: any bytes, as any kind of document, end in a document or an error.

What counts as found: an exception that is no DocumentError, an error without place or remedy, more
than a second, or the death of the process.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from daypass.documents.document import read_document
from daypass.documents.finding import Finding
from daypass.documents.records import load_grant
from daypass.errors import DocumentError
from daypass.model.visible import is_visible

if TYPE_CHECKING:
    from types import FrameType

CORPUS: Final = Path(__file__).parent / "corpus"
SECONDS: Final = 1.0
PATHS: Final = (
    "access/requests/alice-1.yaml",
    "access/resources/payments-db.yaml",
    "access/identities/alice.yaml",
    "access/policies/replicas-read.yaml",
    "access/policy-tests/replicas-read.yaml",
    "access/daypass.yaml",
)
RECORD: Final = "access/grants/alice-1.json"


class HangError(Exception):
    """An input took longer than a second."""


def attempt(data: bytes) -> bool:
    """Read the bytes as every kind; whether one of them took it for sound.

    Raises whatever is found.
    """
    sound = False
    for path in PATHS:
        try:
            read_document(path, data)
            sound = True
        except DocumentError as error:
            _check(error, path)
    try:
        load_grant(RECORD, data)
        sound = True
    except DocumentError as error:
        _check(error, RECORD)
    return sound


def attempt_in_time(data: bytes) -> bool:
    """The same, with an alarm clock. Raises HangError, too."""
    signal.signal(signal.SIGALRM, _hang)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        return attempt(data)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _check(error: DocumentError, path: str) -> None:
    assert error.message
    assert error.remedy
    assert error.findings
    for finding in error.findings:
        assert isinstance(finding, Finding)
        assert finding.path == path
        assert finding.message
        assert finding.remedy
        assert all(map(is_visible, finding.message)), (
            "an error carries a character that nobody can see"
        )


def _hang(_: int, __: FrameType | None) -> NoReturn:
    raise HangError
