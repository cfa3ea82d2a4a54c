"""Strict text: UTF-8 without tricks, and no character that a reviewer cannot see."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from daypass.documents.finding import Finding, document_error
from daypass.model.visible import HIDDEN, is_visible

MAX_BYTES: Final = 16 * 1024
_BOM: Final = b"\xef\xbb\xbf"
_PLAIN_ASCII: Final = b"\n" + bytes(range(0x20, 0x7F))
# They show nothing, or nothing of their own, though Unicode counts them as letters and marks:
# fillers, blanks, joiners and variation selectors (in which whole sentences can be hidden).
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)


def decode(data: bytes, path: str, limit: int = MAX_BYTES) -> str:
    """The text of a document, with every character fit to be reviewed.

    Raises:
        DocumentError: more bytes than `limit`, not UTF-8, a byte order mark, or a character that is
            invisible, bidirectional or a control character (line feeds apart).
    """
    if len(data) > limit:
        raise document_error(
            [
                Finding.of_file(
                    path,
                    "document-size",
                    f"the document has more than {limit} bytes",
                    "Make it shorter, or split it into several documents.",
                )
            ]
        )
    if not data.translate(None, _PLAIN_ASCII):
        return data.decode("ascii")
    text = _decode_utf8(data, path)
    _refuse_unseen(text, path)
    return text


def _decode_utf8(data: bytes, path: str) -> str:
    if data.startswith(_BOM):
        raise document_error(
            [
                Finding(
                    path,
                    1,
                    1,
                    "document-encoding",
                    "the document begins with a byte order mark",
                    "Save it as UTF-8 without a byte order mark.",
                )
            ]
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        raise document_error(
            [
                Finding(
                    path,
                    before.count(b"\n") + 1,
                    len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1,
                    "document-encoding",
                    f"byte 0x{data[error.start]:02x} is not UTF-8",
                    "Save the document as UTF-8.",
                )
            ]
        ) from error


def unseen(text: str) -> tuple[int, str] | None:
    """The index of the first character that a reader cannot see, and its name; None if all show."""
    if _UNSEEN.search(text) is None and HIDDEN.search(text.replace("\n", "")) is None:
        return None
    index, char = next(
        (index, char)
        for index, char in enumerate(text)
        if char != "\n" and (not is_visible(char) or _UNSEEN.match(char))
    )
    return index, f"U+{ord(char):04X} {unicodedata.name(char, _control_name(char))}"


def _refuse_unseen(text: str, path: str) -> None:
    found = unseen(text)
    if found is None:
        return
    index, name = found
    before = text[:index]
    raise document_error(
        [
            Finding(
                path,
                before.count("\n") + 1,
                len(before.rpartition("\n")[2]) + 1,
                "document-characters",
                _what(text[index], name),
                _remedy(text[index]),
            )
        ]
    )


def _what(char: str, name: str) -> str:
    if char == "\t":
        return "a TAB stands here: YAML is indented with spaces, and a reviewer sees no difference"
    return f"the character {name} cannot be seen by a reviewer"


def _remedy(char: str) -> str:
    if char == "\r":
        return "Save the file with line feeds (LF) as line ends, not CRLF."
    if char == "\t":
        return "Write spaces instead of the tab."
    return "Delete the character, or write an ordinary one instead."


def _control_name(char: str) -> str:
    return {"\t": "TAB", "\r": "CARRIAGE RETURN", "\0": "NULL"}.get(char, "(has no name)")
