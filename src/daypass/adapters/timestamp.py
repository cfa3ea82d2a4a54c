"""RFC 3161 time stamps, by stock `openssl ts`: the request, and what an answer proves."""

from __future__ import annotations

import hashlib
import re
import subprocess
from typing import TYPE_CHECKING, Final

from daypass.adapters.new_file import write_new
from daypass.errors import EvidenceError, PermanentError

if TYPE_CHECKING:
    from pathlib import Path

_TIME: Final = re.compile(r"^Time stamp: (.{1,60})$", re.MULTILINE)
_TIMEOUT_SECONDS: Final = 60


def write_query(content: bytes, target: Path) -> None:
    """Write a request about that content, for a time-stamping authority (SHA-256, with a nonce).

    Raises:
        PermanentError: there is no openssl, or it fails.
        OSError: the file cannot be written, or is there already.
    """
    digest = hashlib.sha256(content).hexdigest()
    done = _openssl("-query", "-digest", digest, "-sha256", "-cert")
    if done.returncode:
        raise PermanentError(
            "`openssl ts -query` failed", remedy="Run `openssl version`: 1.1.1 or later is needed."
        )
    write_new(target, done.stdout)


def verified_time(file: Path, answer: Path, authority: Path) -> str:
    """When the authority saw that file, as it says itself.

    Raises:
        EvidenceError: the answer is not about that file, or not by that authority.
        PermanentError: there is no openssl.
    """
    words = ("-in", str(answer), "-CAfile", str(authority))
    done = _openssl("-verify", "-data", str(file), *words)
    told = _openssl("-reply", "-in", str(answer), "-text")
    found = _TIME.search(told.stdout.decode("utf-8", "replace"))
    if done.returncode or told.returncode or found is None:
        raise EvidenceError(
            f"{str(answer)!a} is no time stamp of {str(file)!a} by that authority",
            remedy="Look at it with `openssl ts -reply -text -in FILE`. The authority's "
            "certificates, its own among them, belong into --authority.",
        )
    return found[1]


def _openssl(*words: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(  # noqa: S603  -- a list of words, no shell
            ["openssl", "ts", *words],  # noqa: S607  -- the machine's openssl
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise PermanentError(
            "openssl cannot be run, and time stamps are read by it",
            remedy="Install OpenSSL, or leave --timestamp out.",
        ) from error
