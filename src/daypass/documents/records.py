"""Records: the bot's JSON, read on every run, quickly and strictly.

JSON takes microseconds where YAML takes hundreds; only the bot writes here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from daypass.documents.document import Document, checked
from daypass.documents.finding import Finding, document_error
from daypass.documents.scalars import MAX_INTEGER
from daypass.documents.schema import judge
from daypass.documents.strict_text import decode
from daypass.documents.strict_yaml import Parsed
from daypass.model.names import Kind

if TYPE_CHECKING:
    from daypass.model.grant import Grant
    from daypass.model.obligation import Obligation

MAX_BYTES: Final = 256 * 1024  # a record holds the whole input of its decision
_REMEDY: Final = (
    "Records are the bot's: restore the one that it wrote (`git checkout` it from main)."
)


def load_grant(path: str, data: bytes) -> Grant:
    """Read a grant record.

    Raises:
        DocumentError: not strict JSON, or not what the schema of grants accepts.
    """
    return cast("Grant", load_record(path, data).model)


def load_obligation(path: str, data: bytes) -> Obligation:
    """Read the record of what is owed.

    Raises:
        DocumentError: not strict JSON, or not what the schema of obligations accepts.
    """
    return cast("Obligation", load_record(path, data, Kind.OBLIGATION).model)


def load_record(path: str, data: bytes, kind: Kind = Kind.GRANT) -> Document:
    """Read a record as a document.

    Raises:
        DocumentError: not strict JSON, or not what the schema of its kind accepts.
    """
    value = load_json(path, data)
    problems = judge(value, kind)
    if problems:
        raise document_error(
            Finding.of_file(
                path,
                problem.rule,
                f"{'.'.join(map(str, problem.at)) or 'the record'}: {problem.message}",
                _REMEDY,
            )
            for problem in problems
        )
    return checked(path, Parsed(value, None), kind)


def load_json(path: str, data: bytes) -> Any:
    """Read JSON strictly: no duplicate keys, no NaN, no integer beyond 2^53.

    Raises:
        DocumentError: it is anything else.
    """
    text = decode(data, path, limit=MAX_BYTES)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_int=_bounded,
        )
        if "\\u" in text:
            _refuse_escaped(value, path)
    except (ValueError, RecursionError) as error:
        line, column = getattr(error, "lineno", 0), getattr(error, "colno", 0)
        said = getattr(error, "msg", None) or str(error)
        raise document_error(
            [
                Finding(
                    path,
                    line,
                    column,
                    "record-syntax",
                    f"not the JSON of a record: {said}",
                    _REMEDY,
                )
            ]
        ) from error
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return value


def _refuse_escaped(value: Any, path: str) -> None:
    """What text may not hold, it may not hold by its escape either."""
    try:
        plain = json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        # `"\\ud800"` is JSON, and half a character: no text, which no schema can judge.
        raise ValueError("an escape stands for half a character (a lone surrogate)") from error
    decode(plain, path, limit=MAX_BYTES)


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


def _bounded(digits: str) -> int:
    if len(digits) > len(str(-MAX_INTEGER)) or abs(int(digits)) > MAX_INTEGER:
        raise ValueError(f"an integer is larger than {MAX_INTEGER} (2^53)")
    return int(digits)
