"""Findings: what is wrong, where, by which rule, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from daypass.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Iterable

WHOLE_FILE: Final = 0


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong.

    `line` and `column` count from 1, in characters; both are 0 when it is the file as such (its
    mode, its place). `rule` is a name in `daypass.documents.rules`. `message` and `remedy` may
    quote the document: whoever shows them escapes them for the medium.
    """

    path: str  # relative to the repository's root, with `/`
    line: int
    column: int
    rule: str
    message: str
    remedy: str

    @classmethod
    def of_file(cls, path: str, rule: str, message: str, remedy: str) -> Finding:
        """A finding about a file as such."""
        return cls(path, WHOLE_FILE, WHOLE_FILE, rule, message, remedy)

    @property
    def place(self) -> str:
        """`path:line:column`, or the path alone."""
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path

    def to_json(self) -> dict[str, Any]:
        """As `--format json` shows it; line and column are null for the file as such."""
        return {
            "path": self.path,
            "line": self.line or None,
            "column": self.column or None,
            "rule": self.rule,
            "message": self.message,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What validation found."""

    documents: int  # how many were judged
    findings: tuple[Finding, ...]
    asked: frozenset[tuple[str, ...]] = frozenset()  # what sound requests ask the catalogue for
    notices: tuple[Finding, ...] = ()  # what holds, and a person should change or do


def document_error(findings: Iterable[Finding]) -> DocumentError:
    """The error that carries findings; its own sentence is the first of them."""
    ordered = sorted(findings)
    first = ordered[0]
    more = f" (and {len(ordered) - 1} more)" if len(ordered) > 1 else ""
    return DocumentError(
        f"{first.place}: {first.message}{more}", remedy=first.remedy, findings=ordered
    )
