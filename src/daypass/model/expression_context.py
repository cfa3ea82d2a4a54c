"""Context in expressions: which sources a rule reads, and of which it reads the status."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from daypass.model.cel_syntax import MACROS, Node, UnreadableError, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONTEXT: Final = "context"
_FIELD: Final = re.compile(r"\bcontext\s*\.\s*([A-Za-z_]\w*)", re.ASCII)


def sources_named(text: str) -> tuple[str, ...]:
    """Returns every source that an expression names, once a mention; in a string or remark, too."""
    return tuple(_FIELD.findall(text))


@lru_cache(maxsize=1024)
def statuses_read(text: str) -> frozenset[str]:
    """Returns the sources of which an expression reads `context.NAME.status`.

    A remark, a string and `has(…)` read nothing; nor does what cannot be read here, or calls
    something else `context`.
    """
    if _FIELD.search(text) is None:
        return frozenset()
    try:
        nodes = list(_parts(parse(text)))
    except UnreadableError:
        return frozenset()
    if any(_binds_context(node) for node in nodes):
        return frozenset()
    return frozenset(
        source.value
        for node in nodes
        if node.kind == "field" and node.value == "status"
        for source in node.parts
        if source.kind == "field" and source.value is not None
        if (source.parts[0].kind, source.parts[0].value) == ("name", _CONTEXT)
    )


def _parts(whole: Node) -> Iterator[Node]:
    waiting = [whole]
    while waiting:
        node = waiting.pop()
        if node.kind == "call" and node.value == "has" and not node.is_method:
            continue  # a status is always there
        yield node
        waiting.extend(node.parts)


def _binds_context(node: Node) -> bool:
    return (
        node.kind == "call"
        and node.value in MACROS
        and any((part.kind, part.value) == ("name", _CONTEXT) for part in node.parts[1:])
    )
