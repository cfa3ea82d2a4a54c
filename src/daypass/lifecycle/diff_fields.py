"""Fields of a policy diff: what changed documents may widen, whether or not a recorded case shows.

Every field that decides counts as wider when it changes, unless every such change only takes away:
a shorter time, one more rule, a lower status. What an expression makes of a field is not looked at.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from daypass.model.grant import Lane
from daypass.model.identity import IdentityStatus
from daypass.model.instant import Duration
from daypass.model.names import FOLDERS, SETTINGS_PATH, Kind
from daypass.model.policy import PolicyEffect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Narrows = Callable[[Any, Any], bool]  # of the value before and after; None: there is none

_KINDS: Final = {
    Kind.ACCESS_POLICY: "policy",
    Kind.RESOURCE: "resource",
    Kind.IDENTITY: "identity",
    Kind.SETTINGS: "settings",
}


def _is_new(before: Any, after: Any) -> bool:
    return before is None and after is not None


def _is_gone(_: Any, after: Any) -> bool:
    return after is None


def _fewer(before: Any, after: Any) -> bool:
    return set(after or ()) <= set(before or ())


def _some_of(before: Any, after: Any) -> bool:
    return bool(after) and _fewer(before, after)


def _all_of(before: Any, after: Any) -> bool:
    """Of what an empty list means: everything."""
    return after is None or (before is not None and _fewer(after, before))


def _higher(before: Any, after: Any) -> bool:
    return after is not None and (before is None or after >= before)


def _lower(before: Any, after: Any) -> bool:
    return after is not None and (before is None or after <= before)


def _shorter(before: Any, after: Any) -> bool:
    seconds = (None if item is None else Duration.parse(item).seconds for item in (before, after))
    return _lower(*seconds)


def _longer(before: Any, after: Any) -> bool:
    return before in (None, after) or not _shorter(before, after)


def _ranked(*ranks: str) -> Narrows:
    return lambda before, after: _higher(
        *(ranks.index(item) if item in ranks else None for item in (before, after))
    )


def _becomes(*values: Any) -> Narrows:
    return lambda _, after: after in values


# What only takes away, by the place of a field: the first that fits. What fits none is listed.
_NARROWS: Final[Mapping[Kind, tuple[tuple[str, Narrows], ...]]] = {
    Kind.ACCESS_POLICY: (
        (r"limits\.(maxDuration)", _shorter),
        (r"limits\.(window\.hours|concurrent)", _lower),
        (r"limits\.window\.per", _longer),
        (r"limits\.times\..*|require\.ticket|rules\[.*\]\.expression", _is_new),
        (r"limits\.freezes", lambda before, after: _fewer(after, before)),
        (r"approvals\.notRequired", _is_gone),
        (r"require\.reasonLength", _higher),
        (r"require\.recording", _ranked("api-log", "required")),
        (r"require\.issue", _becomes("on-claim")),
        (r"rules\[.*\]\.appliesAt", _becomes("always", None)),
        (r"rules\[.*\]\.mayBeExcepted", _becomes(False, None)),
    ),
    Kind.RESOURCE: (
        (r"maxDuration", _shorter),
        (r"recording", _ranked("none", "api-log", "required")),
        # `sensitivity` is listed both ways: policies match it, and stages of permits count for it.
        (r"approvers\.atLeast", _higher),
        (r"approvers\.owner", _becomes(True)),
        (r"approvers\.groups", _some_of),
        (r"levels\..*\.issue", _becomes("on-claim")),
        (r"levels\..*", _is_gone),
    ),
    Kind.IDENTITY: (
        (r"status", lambda _, after: after != IdentityStatus.ACTIVE),
        (r"vendor\.contractEnd", _lower),
        (r"agent\.tools", _some_of),  # of `recipients`, a shared key that goes widens, too
        (r"rotation\..*|github\.login|vendor\.organisation", lambda *_: True),
    ),
    Kind.SETTINGS: (
        (r"breakGlass\.(invokers|offline\.(invokers|levels))|machineCoAuthors", _fewer),
        (r"foundation\.atLeast", _higher),
        (r"context\.sources\..*\.required", _becomes(True)),
        # Where things are and how long one waits: no decision reads them.
        (r"(?!groups|teams|breakGlass|foundation|context|machineCoAuthors).*", lambda *_: True),
    ),
}
# A permit's stages name who may be one of two approvers: one more opens that to more people.
_GUARD: Final = (
    (r"match\..*", _all_of),
    (r"enforcement", _becomes("enforce")),
    (r"approvals\.stages\[.*\]\.(all|any)Of", _is_new),
)
_RULE: Final = re.compile(r"(rules\[.*\])\.\w+")
_LEVEL: Final = re.compile(r"(levels\.[^.]+)\..*")
_TEXT: Final = re.compile(
    r"description|reason|(.*\.)?message|(approvals\.stages|rules)\[.*\]\.name"
)


def widenings(
    path: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Iterator[str]:
    """Yields what one changed document may widen, a line each.

    Args:
        path: where it lies; exceptions have their own lines in a diff.
        before: the document; None: there was none.
        after: the same after the change.
    """
    kind = _kind_of(path)
    document = after or before
    if kind is None or document is None:
        return
    name = "settings" if kind is Kind.SETTINGS else f"{_KINDS[kind]} {document['metadata']['name']}"
    if before is None or after is None:
        line = _whole(kind, document, is_new=before is None)
        if line is not None:
            yield f"{name}: {line}"
        return
    old, new = _leaves(before), _leaves(after)
    narrows = _rules_for(kind, before, after)
    for place in sorted(old.keys() | new.keys()):
        was, will = old.get(place), new.get(place)
        if was == will or _is_new_rule(place, old) or _is_gone_level(place, new):
            continue
        if not _only_takes(place, was, will, narrows):
            yield f"{name}: {place}: {_change(was, will)}"


def _kind_of(path: str) -> Kind | None:
    if path == SETTINGS_PATH:
        return Kind.SETTINGS
    kind = FOLDERS.get(path.rpartition("/")[0])
    return kind if kind in _KINDS else None


def _whole(kind: Kind, document: Mapping[str, Any], *, is_new: bool) -> str | None:
    """What a document that comes or goes as a whole may widen; None: nothing."""
    spec = document["spec"]
    if kind is Kind.ACCESS_POLICY:
        if spec["enforcement"] != "enforce":
            return None
        if is_new:
            return "it permits anew" if spec["effect"] == PolicyEffect.PERMIT else None
        return "its conditions are gone"
    if kind is Kind.IDENTITY and not is_new:
        # A group or team may go on counting the account, without its status and its contract;
        # its keys are nobody's, and an objection is a stranger's.
        return f"it is gone, and was {spec['status']}: nothing bars its account and keys"
    return "it is new" if is_new else None


def _rules_for(
    kind: Kind, before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[tuple[str, Narrows], ...]:
    guard = kind is Kind.ACCESS_POLICY and all(
        item["spec"]["effect"] == PolicyEffect.GUARD for item in (before, after)
    )
    return (*(_GUARD if guard else ()), *_NARROWS[kind])


def _is_new_rule(place: str, old: Mapping[str, Any]) -> bool:
    """Whether the field is of a rule that comes: whatever it says, it is one more condition."""
    found = _RULE.fullmatch(place)
    return found is not None and f"{found[1]}.expression" not in old


def _is_gone_level(place: str, new: Mapping[str, Any]) -> bool:
    """Whether the field is of a level that goes as a whole."""
    found = _LEVEL.fullmatch(place)
    return found is not None and not any(key.startswith(f"{found[1]}.") for key in new)


def _only_takes(place: str, was: Any, will: Any, narrows: tuple[tuple[str, Narrows], ...]) -> bool:
    if _TEXT.fullmatch(place):
        return True
    fitting = next((test for where, test in narrows if re.fullmatch(where, place)), None)
    return fitting is not None and fitting(was, will)


def _leaves(document: Mapping[str, Any]) -> dict[str, Any]:
    """Every field of a document by its place; a list is one field, unless its entries have names.

    A permit that names no lane is about the routine one.
    """
    found = dict(_flat("", document["spec"]))
    found |= dict(_flat("labels", document["metadata"].get("labels", {})))
    if document["spec"].get("effect") == PolicyEffect.PERMIT:
        found.setdefault("match.lanes", (str(Lane.ROUTINE),))
    return found


def _flat(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(f"{place}.{key}" if place else key, item)
    elif isinstance(value, list) and all(_has_name(item) for item in value):
        for item in value:  # none: there is nothing to tell
            yield from _flat(f"{place}[{item['name']}]", item)
    elif isinstance(value, list):
        yield place, tuple(item if isinstance(item, str) else json.dumps(item) for item in value)
    else:
        yield place, value


def _has_name(item: Any) -> bool:
    return isinstance(item, dict) and "name" in item


def _change(was: Any, will: Any) -> str:
    if isinstance(was, tuple) or isinstance(will, tuple):
        before, after = was or (), will or ()
        parts = (
            ("adds", [item for item in after if item not in before]),
            ("takes out", [item for item in before if item not in after]),
        )
        said = (f"{verb} {', '.join(items)}" for verb, items in parts if items)
        return "; ".join(said) or "another order"
    return " → ".join("none" if item is None else str(item) for item in (was, will))
