"""One document: bytes → a value that its schema accepts and that bears its file's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from daypass.documents import strict_yaml
from daypass.documents.finding import Finding, document_error
from daypass.documents.problem import Problem
from daypass.documents.schema import judge
from daypass.documents.semantics import build, check
from daypass.documents.tree import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daypass.documents.semantics import Model
    from daypass.documents.strict_yaml import Parsed
    from daypass.model.names import Kind


class Document(NamedTuple):
    """A document that is sound by itself. What it names may still not exist."""

    path: str
    kind: Kind
    value: Mapping[str, Any]

    @property
    def model(self) -> Model:
        """What it means. Built anew each time: of 10,000 requests, few are asked."""
        return build(self.kind, self.value)

    @property
    def name(self) -> str:
        """Its id or name, which is its file's stem."""
        return stem(self.path)


def read_document(path: str, data: bytes) -> Document:
    """Read and check one YAML document by itself.

    Args:
        path: where it lies, relative to the repository's root; its folder says its kind.
        data: the bytes of the file.

    Raises:
        DocumentError: with findings that say line, column and remedy.
    """
    kind = kind_of(path)
    if kind is None:
        raise document_error(
            [
                Finding.of_file(
                    path,
                    "tree-place",
                    "the path does not say which kind of document this is",
                    "Move it to the folder of its kind in access/.",
                )
            ]
        )
    parsed = strict_yaml.load(data, path)
    problems: Iterable[Problem] = judge(parsed.value, kind)
    if problems:
        raise document_error(located(problems, path, parsed))
    return checked(path, parsed, kind)


def checked(path: str, parsed: Parsed, kind: Kind) -> Document:
    """The document of a value that its schema has accepted.

    Raises:
        DocumentError: with findings that say line, column and remedy.
    """
    value = parsed.value
    try:
        model = build(kind, value)
    except ValueError as error:
        problem = Problem(
            ("spec",),
            "document-value",
            f"a value is not possible: {error}",
            "Correct the value that this names.",
        )
        raise document_error(located([problem], path, parsed)) from error
    problems = check(model, kind, value["metadata"], stem(path))
    if problems:
        raise document_error(located(problems, path, parsed))
    return Document(path, kind, value)


def stem(path: str) -> str:
    """The file's name without its ending."""
    return path.rpartition("/")[2].rpartition(".")[0]


def located(problems: Iterable[Problem], path: str, parsed: Parsed) -> list[Finding]:
    """Problems as findings in a file."""
    return [
        Finding(
            path,
            *parsed.position(problem.at, key=problem.of_key),
            problem.rule,
            problem.message,
            problem.remedy,
        )
        for problem in problems
    ]
