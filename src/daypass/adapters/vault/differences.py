"""What changes in Vault, old → new: fields of documents, and what a policy allows by path."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def field_differences(actual: Mapping[str, Any], wanted: Mapping[str, Any]) -> tuple[str, ...]:
    """Describes each wanted field that Vault holds otherwise; of one with fields, which of them.

    Fields of set-up documents are names, ids and addresses. None holds a secret.
    """
    return tuple(
        _field(name, actual.get(name), value)
        for name, value in wanted.items()
        if not _same(actual.get(name), value)
    )


def policy_differences(actual: str, wanted: str) -> str:
    """Describes which paths a policy allows otherwise; comments and white space do not count."""
    before, after = _blocks(actual), _blocks(wanted)
    changed = [
        f"{path}: {before.get(path, 'nothing')} → {after.get(path, 'nothing')}"
        for path in dict.fromkeys((*before, *after))
        if before.get(path) != after.get(path)
    ]
    return "its text differs" + (f": {'; '.join(changed)}" if changed else ", in its comments")


def _field(name: str, actual: Any, wanted: Any) -> str:
    if not (isinstance(actual, dict) and isinstance(wanted, dict)):
        return f"{name}: {_shown(actual)} → {_shown(wanted)}"
    inner = (
        f"{key}: {_shown(actual.get(key))} → {_shown(wanted.get(key))}"
        for key in sorted({*actual, *wanted})
        if actual.get(key) != wanted.get(key)
    )
    return f"{name} ({', '.join(inner)})"


def _same(actual: Any, wanted: Any) -> bool:
    """Whether Vault holds that value. It writes "nothing" as null, an empty list, 0 or ""."""
    return actual == wanted or (not actual and not wanted)


def _shown(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)


def _blocks(text: str) -> dict[str, str]:
    """What each `path` block says, on one line; what stands before the first has the name ""."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("path "):
            name, _, line = line.partition("{")  # noqa: PLW2901
            name, line = name.strip(), f"{{{line}".strip()  # noqa: PLW2901
        if line and not line.startswith("#"):
            found.setdefault(name, []).append(line)
    return {name: " ".join(lines) for name, lines in found.items()}
