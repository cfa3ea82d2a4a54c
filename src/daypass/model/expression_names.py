"""Names in expressions: which groups and identities a rule asks about, read from its text.

A group is asked about by its written name: `'NAME' in subject.groups`, or what comes to the same.
Whatever else an expression makes of groups (their number, names that it puts together) depends on
which groups other documents happen to name, and is not decided by.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Final

from daypass.model.cel_syntax import MACROS, Node, UnreadableError, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PEOPLE: Final = ("subject", "requester", "approvals")
_MENTIONS: Final = re.compile(rf"\b(?:{'|'.join(_PEOPLE)})\b", re.ASCII)
_NAME_OF: Final = {"subject": "name", "requester": "identity", "approval": "identity"}
# Fields of the resource that hold a group, or several, which are asked for in any case.
_OWN_GROUP: Final = frozenset({"businessOwner", "lifecycleOwner"})
_OWN_GROUPS: Final = "approverGroups"
_WRITE: Final = "write `'NAME' in subject.groups`, with the name of each group"


@dataclass(frozen=True, slots=True)
class ExpressionNames:
    """What an expression asks about by name."""

    subject_groups: frozenset[str] = frozenset()  # whether the subject belongs to them
    asker_groups: frozenset[str] = frozenset()  # whether the requester or an approver does
    own_groups: frozenset[str] = (
        frozenset()
    )  # fields of the resource that hold groups it asks about
    identities: frozenset[str] = frozenset()  # with which it compares a person
    reads_invoker: bool = False  # `requester.invoker`
    unclear: str = ""  # why it cannot be told which groups it asks about; empty: it can

    @property
    def groups(self) -> frozenset[str]:
        """Every group that it asks about."""
        return self.subject_groups | self.asker_groups


NOTHING: Final = ExpressionNames()


@lru_cache(maxsize=16384)  # every expression of a tree, of which each decision asks
def names_in(text: str) -> ExpressionNames:
    """Reads what an expression asks about by name."""
    if _MENTIONS.search(text) is None:
        return NOTHING
    reader = _Reader()
    try:
        reader.use(parse(text), {})
    except UnreadableError as error:
        return ExpressionNames(unclear=f"{error}: {_WRITE}", reads_invoker=True)
    return ExpressionNames(
        frozenset(reader.of_subject),
        frozenset(reader.of_askers),
        frozenset(reader.fields),
        frozenset(reader.identities),
        reader.reads_invoker,
        f"{reader.unclear[0]}: {_WRITE}" if reader.unclear else "",
    )


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a part of an expression is, as far as groups go.

    `person` (`of` says which), `approvals`, `groups` (the list of a person's), `name` and `names`
    (written out, or of the resource's document), `identity` (of a person), `resource`, or `other`.
    """

    what: str
    of: frozenset[str] = frozenset()  # whose groups; of names: which
    own: frozenset[str] = frozenset()  # of names: fields of the resource that hold more of them

    def joined(self, other: _Kind) -> _Kind:
        """Either of two of a kind."""
        return _Kind(self.what, self.of | other.of, self.own | other.own)


_OTHER: Final = _Kind("other")
_TELLING: Final = frozenset({"person", "approvals", "groups"})
_TELLS: Final = {True: ("==", "in"), False: ("!=",)}  # comparisons that so come out of names alone
_Env = dict[str, _Kind]


@dataclass(slots=True)
class _Reader:
    of_subject: set[str] = field(default_factory=set)
    of_askers: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)
    identities: set[str] = field(default_factory=set)
    unclear: list[str] = field(default_factory=list)
    reads_invoker: bool = False

    def use(self, node: Node, env: _Env) -> None:
        """Reads a part whose whole value counts: of groups, that is more than a name tells."""
        self._settle(self.kind(node, env))

    def _settle(self, kind: _Kind) -> _Kind:
        if kind.what in _TELLING:
            self.unclear.append("it reads groups other than by their names")
        return _OTHER

    def _asks(self, whose: frozenset[str], names: _Kind) -> None:
        self.fields |= names.own
        if "subject" in whose:
            self.of_subject |= names.of
        if whose - {"subject"}:
            self.of_askers |= names.of

    def kind(self, node: Node, env: _Env) -> _Kind:
        """Reads a part, and tells what it is."""
        read = _READERS.get(node.kind)
        if read is not None:
            return read(self, node, env)
        for part in node.parts:
            self.use(part, env)
        return _OTHER

    def text(self, node: Node, _env: _Env) -> _Kind:
        """Reads a string."""
        return _OTHER if node.value is None else _Kind("name", frozenset({node.value}))

    def variable(self, node: Node, env: _Env) -> _Kind:
        """Reads a variable."""
        name = node.value or ""
        if name in env:
            return env[name]
        if name in ("subject", "requester"):
            return _Kind("person", frozenset({name}))
        return _Kind(name) if name in ("approvals", "resource") else _OTHER

    def select(self, node: Node, env: _Env) -> _Kind:
        """Reads a field by its name."""
        return self._field(self.kind(node.parts[0], env), node.value)

    def _field(self, of: _Kind, name: str | None) -> _Kind:
        if of.what == "resource":
            if name in _OWN_GROUP:
                return _Kind("name", own=frozenset({name}))
            return _Kind("names", own=frozenset({name})) if name == _OWN_GROUPS else _OTHER
        if of.what != "person":
            return self._settle(of)
        if name == "groups":
            return _Kind("groups", of.of)
        self.reads_invoker = self.reads_invoker or name == "invoker"
        return _Kind("identity") if name in {_NAME_OF[item] for item in of.of} else _OTHER

    def index(self, node: Node, env: _Env) -> _Kind:
        """Reads an item by its key."""
        of, key = (self.kind(part, env) for part in node.parts)
        if of.what in ("person", "resource") and len(key.of) == 1 and key == _Kind("name", key.of):
            return self._field(of, next(iter(key.of)))
        self._settle(key)
        if of.what == "approvals":
            return _Kind("person", frozenset({"approval"}))
        return _Kind("name", of.of, of.own) if of.what == "names" else self._settle(of)

    def items(self, node: Node, env: _Env) -> _Kind:
        """Reads a list."""
        found = [self.kind(part, env) for part in node.parts]
        if all(item.what == "name" for item in found):
            return replace(reduce(_Kind.joined, found, _Kind("names")), what="names")
        for item in found:
            self._settle(item)
        return _OTHER

    def choice(self, node: Node, env: _Env) -> _Kind:
        """Reads `a ? b : c`."""
        self.use(node.parts[0], env)
        yes, no = (self.kind(part, env) for part in node.parts[1:])
        if yes.what == no.what and yes.what in ("name", "names", "groups"):
            return yes.joined(no)
        self._settle(yes)
        return self._settle(no)

    def membership(self, node: Node, env: _Env) -> _Kind:
        """Reads whether a list holds an item."""
        item, many = (self.kind(part, env) for part in node.parts)
        if many.what == "groups":
            if item.what == "name":
                self._asks(many.of, item)
            else:
                self.unclear.append("it looks for a group whose name it does not write out")
            return _OTHER
        self._compared(item, many)
        self._settle(item)
        return self._settle(many)

    def comparison(self, node: Node, env: _Env) -> _Kind:
        """Reads whether two are equal."""
        left, right = (self.kind(part, env) for part in node.parts)
        self._compared(left, right)
        self._compared(right, left)
        self._settle(left)
        return self._settle(right)

    def _compared(self, who: _Kind, names: _Kind) -> None:
        if who.what == "identity" and names.what in ("name", "names"):
            self.identities |= names.of

    def call(self, node: Node, env: _Env) -> _Kind:
        """Reads a function, a method or a macro."""
        parts = node.parts
        if node.is_method and node.value in MACROS and len(parts) in (3, 4):
            return self._macro(node, env)
        if node.value == "has" and not node.is_method and len(parts) == 1:
            self.kind(parts[0], env)  # whether it is there, which it always is, tells no group
            return _OTHER
        for part in parts:
            found = self.kind(part, env)
            if node.value != "size" or found.what != "approvals":
                self._settle(found)
        return _OTHER

    def _macro(self, node: Node, env: _Env) -> _Kind:
        """Reads what is done with each item of a list."""
        over, item, *bodies = node.parts
        many = self.kind(over, env)
        if item.kind != "name" or item.value is None:
            raise UnreadableError("a macro binds no name")
        if many.what == "groups":
            return self._of_groups(many.of, node.value or "", item.value, bodies, env)
        bound = {
            "approvals": _Kind("person", frozenset({"approval"})),
            "names": _Kind("name", many.of, many.own),
        }.get(many.what, _OTHER)
        if many.what not in ("approvals", "names", "person"):  # the keys of a person tell nothing
            self._settle(many)
        for body in bodies:
            self.use(body, {**env, item.value: bound})
        return many if node.value == "filter" and bound is not _OTHER else _OTHER

    def _of_groups(
        self, whose: frozenset[str], macro: str, item: str, bodies: list[Node], env: _Env
    ) -> _Kind:
        """Reads what is said of each group of a person: only certain ones may make a difference."""
        names = None
        if len(bodies) == 1 and macro != "map":
            names = self._only(bodies[0], item, env, holds=macro != "all")
        if names is None:
            self.unclear.append("it goes through groups, and not by their names")
        else:
            self._asks(whose, names)
        return _OTHER

    def _only(self, node: Node, item: str, env: _Env, *, holds: bool) -> _Kind | None:
        """The names of all groups of which it can hold (or fail to hold); None: any other may."""
        free = {**env, item: _OTHER}
        if node.kind == "!":
            return self._only(node.parts[0], item, env, holds=not holds)
        if node.kind == "constant":
            return _Kind("name") if (node.value == "true") is not holds else None
        if node.kind in ("&&", "||", "choice"):
            parts = node.parts
            if node.kind == "choice":
                self.use(parts[0], free)
                parts = parts[1:]
            found = [self._only(part, item, env, holds=holds) for part in parts]
            told = [names for names in found if names is not None]
            # Whether one part alone can make it so: then each must tell.
            alone = node.kind == "choice" or (node.kind == "||") is holds
            if len(told) < (len(found) if alone else 1):
                return None
            for part, names in zip(parts, found, strict=True):
                if names is None:
                    self.use(part, free)
            return reduce(_Kind.joined, told)
        # Whether a comparison holds of what it names, or of all but that.
        return self._compares(node, item, env) if node.kind in _TELLS[holds] else None

    def _compares(self, node: Node, item: str, env: _Env) -> _Kind | None:
        """The names that the item is compared with; None: it is not, or not with names."""
        left, right = node.parts
        if node.kind != "in" and _is(right, item):
            left, right = right, left
        if not _is(left, item) or _is(right, item):
            return None
        with_what = self.kind(right, env)
        if with_what.what == ("names" if node.kind == "in" else "name"):
            return with_what
        self._settle(with_what)
        return _Kind("name") if right.kind == "constant" else None


def _is(node: Node, name: str) -> bool:
    return node.kind == "name" and node.value == name


_READERS: Final[Mapping[str, Callable[[_Reader, Node, _Env], _Kind]]] = {
    "text": _Reader.text,
    "name": _Reader.variable,
    "field": _Reader.select,
    "index": _Reader.index,
    "list": _Reader.items,
    "choice": _Reader.choice,
    "in": _Reader.membership,
    "==": _Reader.comparison,
    "!=": _Reader.comparison,
    "call": _Reader.call,
}
