"""CEL's syntax, as far as it must be read without CEL: an expression's text as a tree.

CEL itself takes a tenth of a second to load, and tells no tree. What is not read here raises
`UnreadableError`; a caller takes that for an expression which may do anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MACROS: Final = frozenset({"all", "exists", "exists_one", "existsOne", "map", "filter"})
MAX_DEPTH: Final = 40  # of a tree: CEL takes no more than 32
MAX_TOKENS: Final = 4096  # CEL takes no text with more of them

TOKEN: Final = re.compile(
    r"""
      (?P<blank> \s+ | //[^\n]* )
    | (?P<raw>   (?:[rR][bB]?|[bB][rR]) (?:'''.*?'''|\"\"\".*?\"\"\"|'[^'\n]*'|"[^"\n]*") )
    | (?P<text>  [bB]? (?: '''(?:\\.|[^\\])*?''' | \"\"\"(?:\\.|[^\\])*?\"\"\"
                         | '(?:\\.|[^'\\\n])*' | "(?:\\.|[^"\\\n])*" ) )
    | (?P<word>  [A-Za-z_]\w* )
    | (?P<number> [0-9]\w*(?:\.[0-9]\w*)? )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
QUOTED: Final = re.compile(
    r"(?P<raw>[rR]?)(?P<quote>'''|\"\"\"|'|\")(?P<inner>.*)(?P=quote)", re.DOTALL
)
_TWO: Final = frozenset({"||", "&&", "==", "!=", "<=", ">="})
_BINDING: Final = {
    "||": 1,
    "&&": 2,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in"), 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/", "%"), 5),
}
_FLAT: Final = frozenset({"||", "&&"})  # any number of parts in one node, as CEL has them
_UNARY: Final = 6
_CONSTANTS: Final = frozenset({"true", "false", "null"})


class UnreadableError(ValueError):
    """An expression is not of the syntax that is read here, or is nested too deeply."""


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression.

    `kind` is `text` (a string; `value` is None where it is written with escapes), `constant`,
    `name`, `field` (`value` of the one part), `index`, `call` (`value` is the function; of a
    method, `is_method`, the first part is what it is called on), `list`, `map`, `choice`, or an
    operator: `&&`, `in`, `!` and so on.
    """

    kind: str
    value: str | None = None
    parts: tuple[Node, ...] = ()
    is_method: bool = False
    depth: int = 0


def parse(text: str) -> Node:
    """Reads an expression.

    Raises:
        UnreadableError: it cannot be read here. CEL may take it, or not.
    """
    return _Parser(_tokens(text)).whole()


def literal(kind: str, text: str) -> str | None:
    """The string that a token writes out; None of what must be evaluated."""
    found = QUOTED.fullmatch(text) if kind in ("raw", "text") else None
    if found is None or ("\\" in found["inner"] and not found["raw"]):
        return None
    return found["inner"]


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for match in TOKEN.finditer(text):
        kind, word = match.lastgroup or "", match[0]
        if kind == "blank":
            continue
        joined = found[-1][1] + word if found and kind == "other" else ""
        if joined in _TWO and text[match.start() - 1] == found[-1][1]:
            found[-1] = ("other", joined)
        else:
            found.append((kind, word))
        if len(found) > MAX_TOKENS:
            raise UnreadableError("it is too long")
    return found


def _node(kind: str, value: str | None, *parts: Node, is_method: bool = False) -> Node:
    depth = 1 + max((part.depth for part in parts), default=0)
    if depth > MAX_DEPTH:
        raise UnreadableError("it is nested too deeply")
    return Node(kind, value, parts, is_method, depth)


class _Parser:
    """A parser by precedence: what binds tighter is read first."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self._open = 0

    def whole(self) -> Node:
        node = self._choice()
        if self._at != len(self._tokens):
            raise UnreadableError("something follows it")
        return node

    def _peek(self) -> str:
        """The next token if it is a word, a number or a sign; empty for a string, and at the end.

        A string may be written like a sign.
        """
        if self._at == len(self._tokens) or self._tokens[self._at][0] in ("raw", "text"):
            return ""
        return self._tokens[self._at][1]

    def _take(self, wanted: str) -> bool:
        found = self._peek() == wanted
        self._at += found
        return found

    def _need(self, wanted: str) -> None:
        if not self._take(wanted):
            raise UnreadableError(f"`{wanted}` is missing")

    def _choice(self) -> Node:
        self._open += 1
        if self._open > MAX_DEPTH:
            raise UnreadableError("it is nested too deeply")
        node = self._binary(1)
        if self._take("?"):
            yes = self._choice()
            self._need(":")
            node = _node("choice", None, node, yes, self._choice())
        self._open -= 1
        return node

    def _binary(self, least: int) -> Node:
        left = self._unary()
        while (binding := _BINDING.get(self._peek(), 0)) >= least:
            sign = self._peek()
            self._at += 1
            right = self._binary(binding + 1)
            flat = sign in _FLAT and left.kind == sign
            left = _node(sign, None, *(left.parts if flat else (left,)), right)
        return left

    def _unary(self) -> Node:
        signs = []
        while self._peek() in ("!", "-"):
            signs.append(self._peek())
            self._at += 1
        node = self._postfix(self._primary())
        for sign in reversed(signs):
            node = _node(sign if sign == "!" else "negative", None, node)
        return node

    def _postfix(self, node: Node) -> Node:
        while True:
            if self._take("."):
                name = self._word()
                if self._take("("):
                    node = _node("call", name, node, *self._until(")"), is_method=True)
                else:
                    node = _node("field", name, node)
            elif self._take("["):
                key = self._choice()
                self._need("]")
                node = _node("index", None, node, key)
            else:
                return node

    def _primary(self) -> Node:
        if self._at == len(self._tokens):
            raise UnreadableError("it ends too early")
        kind, word = self._tokens[self._at]
        self._at += 1
        if kind in ("raw", "text"):
            is_bytes = "b" in word[: word.index(word[-1])].lower()
            return _node("constant" if is_bytes else "text", literal(kind, word))
        if kind == "number" or word in _CONSTANTS:
            return _node("constant", word)
        if kind == "word" and word != "in":
            if self._take("("):
                return _node("call", word, *self._until(")"))
            return _node("name", word)
        return self._bracketed(word)

    def _bracketed(self, word: str) -> Node:
        if word == "(":
            node = self._choice()
            self._need(")")
            return node
        if word == "[":
            return _node("list", None, *self._until("]"))
        if word == "{":
            return self._map()
        raise UnreadableError(f"`{word}` is not read here")

    def _map(self) -> Node:
        parts: list[Node] = []
        while not self._take("}"):
            key = self._choice()
            self._need(":")
            parts += (key, self._choice())
            if not self._take(","):
                self._need("}")
                break
        return _node("map", None, *parts)

    def _until(self, end: str) -> list[Node]:
        parts: list[Node] = []
        while not self._take(end):
            parts.append(self._choice())
            if not self._take(","):
                self._need(end)
                break
        return parts

    def _word(self) -> str:
        if self._at == len(self._tokens) or self._tokens[self._at][0] != "word":
            raise UnreadableError("a name is missing")
        self._at += 1
        return self._tokens[self._at - 1][1]
