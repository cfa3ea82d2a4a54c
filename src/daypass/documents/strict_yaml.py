"""The one YAML loader: strict on the event stream, before anything is built.

libyaml's parser (or PyYAML's own, where there is no libyaml) only splits the text into events.
Anchors, aliases, tags, directives, duplicate keys, merge keys, second documents and depth are
refused as events, so an alias bomb never becomes a value. PyYAML's composer, which recurses in C
and crashes on deep nesting, is never called.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml
from yaml import events

from daypass.documents.finding import Finding, document_error
from daypass.documents.scalars import SUSPECT_FIRST, ScalarError, resolve
from daypass.documents.strict_text import decode, unseen
from daypass.documents.wording import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_DEPTH: Final = 12
_SCALAR: Final = events.ScalarEvent
_MAPPING_END: Final = events.MappingEndEvent
_MAX_FINDINGS: Final = 20


class _PureParser(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
    """PyYAML's own parser, without the composer: for systems that have no libyaml."""

    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)


try:
    from yaml._yaml import CParser as _Parser
except ImportError:  # this PyYAML was built without libyaml
    _Parser = _PureParser  # type: ignore[assignment,misc]  # -- the same methods, in Python


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document's value, and where each part of it stands."""

    value: Any
    _marks: Any  # scalar: its event; collection: (its event, key or index → (key event, marks))

    def position(self, path: Sequence[str | int], *, key: bool = False) -> tuple[int, int]:
        """Line and column, from 1, of the value at that path (or of its key).

        A path that leads nowhere gives the place of its nearest ancestor.
        """
        if self._marks is None:  # a record: JSON tells no positions
            return 0, 0
        marks, event = self._marks, _event_of(self._marks)
        for step in path:
            children = marks[1] if type(marks) is tuple else {}
            if step not in children:
                break
            key_event, marks = children[step]
            event = key_event if key and key_event is not None else _event_of(marks)
        return event.start_mark.line + 1, event.start_mark.column + 1


def load(data: bytes, path: str) -> Parsed:
    """Read one YAML document strictly.

    Args:
        data: the bytes of the file.
        path: its name, for findings; nothing is opened.

    Raises:
        DocumentError: anything that two readers, or two tools, could understand differently; its
            `findings` say where and what to do.
    """
    text = decode(data, path)
    return _Builder(path, text).build(_Parser(text).get_event)


def _event_of(marks: Any) -> Any:
    return marks[0] if type(marks) is tuple else marks


class _Builder:
    """Turns the events of one document into plain values, and refuses the rest of YAML."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._text = text
        self._escapes = "\\" in text
        self._findings: list[Finding] = []

    def build(self, get_event: Callable[[], Any]) -> Parsed:
        """Read all events; the value of the only document."""
        try:
            parsed = self._read(get_event)
        except yaml.MarkedYAMLError as error:
            raise self._syntax_error(error) from error
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            # The pure parser's own failures (an escape beyond Unicode) have no mark.
            self._findings.append(
                Finding(self._path, 1, 1, "yaml-syntax", "this is not YAML", "Correct the syntax.")
            )
            raise document_error(self._findings) from error
        if self._findings:
            raise document_error(self._findings)
        return parsed

    def _read(self, get_event: Callable[[], Any]) -> Parsed:
        get_event()  # the start of the stream
        start = get_event()
        if type(start) is events.StreamEndEvent:
            self._refuse(
                start, "document-empty", "the document is empty", "Write it, or delete it."
            )
            raise document_error(self._findings)
        if start.version or start.tags:
            self._refuse(
                start, "yaml-tag", "directives (%YAML, %TAG) are refused", "Delete the line."
            )
        value, marks = self._node(get_event(), get_event, 0)
        get_event()  # the end of the document
        after = get_event()
        if type(after) is not events.StreamEndEvent:
            self._refuse(
                after,
                "yaml-several-documents",
                "a second document begins here",
                "Keep one document in a file: move the others to files of their own.",
            )
        return Parsed(value, marks)

    def _node(self, event: Any, get_event: Callable[[], Any], depth: int) -> tuple[Any, Any]:
        kind = type(event)
        if kind is events.AliasEvent:
            self._refuse(
                event,
                "yaml-alias",
                f"the alias *{event.anchor} is refused: every value is written out",
                "Repeat the value that it stands for.",
            )
            return None, event
        if event.anchor is not None:
            self._refuse(
                event,
                "yaml-anchor",
                f"the anchor &{event.anchor} is refused: every value is written out",
                "Delete the anchor.",
            )
        if event.tag is not None:
            self._refuse(
                event,
                "yaml-tag",
                f"the tag {shown(event.tag)} is refused: a value's type is plain to see",
                'Delete the tag; a string that looks like a number goes in quotes, "like this".',
            )
            if kind is events.ScalarEvent:
                return None, event
        if kind is events.ScalarEvent:
            return self._scalar(event), event
        if depth >= MAX_DEPTH:
            self._refuse(
                event,
                "yaml-depth",
                f"the document nests more than {MAX_DEPTH} levels deep",
                "Nothing in daypass needs that depth; check the indentation and the brackets.",
            )
            raise document_error(self._findings)
        if kind is events.MappingStartEvent:
            return self._mapping(event, get_event, depth)
        return self._sequence(event, get_event, depth)

    def _mapping(self, start: Any, get_event: Callable[[], Any], depth: int) -> tuple[Any, Any]:
        value: dict[str, Any] = {}
        marks: dict[str, tuple[Any, Any]] = {}
        while type(event := get_event()) is not _MAPPING_END:
            refused = len(self._findings)
            # Nearly all keys and values are plain words: they take no call at all.
            if (
                type(event) is _SCALAR
                and event.anchor is event.tag is None
                and event.implicit[0]
                and event.value[:1] not in SUSPECT_FIRST
            ):
                key = event.value
            else:
                key = self._node(event, get_event, depth + 1)[0]
            key_is_sound = len(self._findings) == refused
            item_marks = get_event()
            if (
                type(item_marks) is _SCALAR
                and item_marks.anchor is item_marks.tag is None
                and item_marks.implicit[0]
                and item_marks.value[:1] not in SUSPECT_FIRST
            ):
                item = item_marks.value
            else:
                item, item_marks = self._node(item_marks, get_event, depth + 1)
            if type(key) is not str:
                if key_is_sound:
                    self._refuse(
                        event,
                        "yaml-key",
                        "a key must be a string",
                        'Put the key in quotes, "like this".',
                    )
            elif key in value:
                line = marks[key][0].start_mark.line + 1
                self._refuse(
                    event,
                    "yaml-duplicate-key",
                    f"the key {shown(key)} stands twice in this mapping, first in line {line}",
                    "Delete one of the two.",
                )
            else:
                value[key] = item
                marks[key] = (event, item_marks)
        return value, (start, marks)

    def _sequence(self, start: Any, get_event: Callable[[], Any], depth: int) -> tuple[Any, Any]:
        value: list[Any] = []
        marks: dict[int, tuple[Any, Any]] = {}
        while type(event := get_event()) is not events.SequenceEndEvent:
            item, item_marks = self._node(event, get_event, depth + 1)
            marks[len(value)] = (None, item_marks)
            value.append(item)
        return value, (start, marks)

    def _scalar(self, event: Any) -> Any:
        text = event.value
        if event.implicit[0]:  # plain: neither quotes nor a block style
            try:
                return resolve(text)
            except ScalarError as error:
                merge = text == "<<"
                remedy = error.remedy if text else self._of_missing(event) or error.remedy
                self._refuse(
                    event,
                    "yaml-merge-key" if merge else error.rule,
                    "the merge key << is refused" if merge else error.message,
                    "Write the keys out." if merge else remedy,
                )
                return None
        if self._escapes and (found := unseen(text)) is not None:
            self._refuse(
                event,
                "document-characters",
                f"an escape in this text stands for {found[1]}, which no reviewer can see",
                "Delete the escape, or write an ordinary character instead.",
            )
        return text

    def _refuse(self, event: Any, rule: str, message: str, remedy: str) -> None:
        mark = event.start_mark
        self._findings.append(
            Finding(self._path, mark.line + 1, mark.column + 1, rule, message, remedy)
        )
        if len(self._findings) >= _MAX_FINDINGS:
            raise document_error(self._findings)

    def _of_missing(self, event: Any) -> str:
        from daypass.documents.yaml_faults import comment_hint  # noqa: PLC0415  -- rarely needed

        return comment_hint(self._text, event.start_mark.line, event.start_mark.column)

    def _syntax_error(self, error: yaml.MarkedYAMLError) -> Exception:
        from daypass.documents.yaml_faults import fault_of  # noqa: PLC0415  -- rarely needed

        fault = fault_of(self._text, error)
        self._findings.append(
            Finding(
                self._path, fault.line, fault.column, "yaml-syntax", fault.message, fault.remedy
            )
        )
        return document_error(self._findings)
