"""Vault policies as HCL: what they allow, one attribute a line, in a fixed order."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class PathRule:
    """One `path` block. Wrapping times are in seconds; a least one makes wrapping mandatory."""

    path: str
    capabilities: tuple[str, ...]
    why: str = ""
    required: tuple[str, ...] = ()
    allowed: Mapping[str, Any] = field(default_factory=dict)  # parameter → values; [] is any
    least_wrapping: int | None = None
    most_wrapping: int | None = None


def policy(title: str, rules: Iterable[PathRule]) -> str:
    """The text of a policy: byte-identical for the same rules."""
    blocks = [f"# {title}\n", *(_block(rule) for rule in rules)]
    return "\n".join(blocks)


def _block(rule: PathRule) -> str:
    lines = [f"# {rule.why}"] if rule.why else []
    lines += [
        f"path {json.dumps(rule.path)} {{",
        f"  capabilities = {json.dumps(list(rule.capabilities))}",
    ]
    if rule.required:
        lines.append(f"  required_parameters = {json.dumps(list(rule.required))}")
    if rule.allowed:
        lines.append("  allowed_parameters = {")
        lines += [
            f"    {json.dumps(name)} = {json.dumps(values)}"
            for name, values in rule.allowed.items()
        ]
        lines.append("  }")
    if rule.least_wrapping is not None:
        lines.append(f'  min_wrapping_ttl = "{rule.least_wrapping}s"')
    if rule.most_wrapping is not None:
        lines.append(f'  max_wrapping_ttl = "{rule.most_wrapping}s"')
    return "\n".join([*lines, "}", ""])
