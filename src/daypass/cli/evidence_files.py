"""The two files of a repository that name the evidence key: edited in place, for one commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.errors import DocumentError
from daypass.model.names import ALLOWED_SIGNERS_PATH, SETTINGS_PATH

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def write_signers(root: Path, lines: Iterable[str]) -> bool:
    """Add the lines that `access/allowed_signers` lacks; whether there were any.

    Lines of older keys stay, or their evidence would verify no more.
    """
    path = root / ALLOWED_SIGNERS_PATH
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    known = {line.strip().rpartition(" ")[2] for line in text.splitlines()}
    missing = [line for line in lines if line.rpartition(" ")[2] not in known]
    if missing:
        head = text if not text or text.endswith("\n") else text + "\n"
        path.write_text(head + "\n".join(missing) + "\n", encoding="utf-8")
    return bool(missing)


def pin(root: Path, before: str, after: str) -> bool:
    """Put the fingerprint `after` where `access/daypass.yaml` has `before`; whether it differed.

    Everything else in the file stays as it is, comments included. Raises DocumentError when
    `before` does not stand there exactly once.
    """
    if before == after:
        return False
    path = root / SETTINGS_PATH
    text = path.read_text(encoding="utf-8")
    if text.count(before) != 1:
        raise DocumentError(
            f"{SETTINGS_PATH} names {before} {text.count(before)} times, and not once",
            remedy=f'Write `fingerprint: "{after}"` below `spec.evidence` by hand, and run '
            "`daypass vault rotate-evidence` again: it goes on from there.",
        )
    path.write_text(text.replace(before, after), encoding="utf-8")
    return True
