"""Vault's answers as the adapters see them, for tests of what is made of them."""

from __future__ import annotations

from typing import Any

from daypass.adapters.vault.answer import Answer


def answer(status: int = 200, data: Any = None, errors: tuple[str, ...] = ()) -> Answer:
    return Answer(status, data or {}, {}, {}, (), errors, address="vault", doing="GET x")


def listed(*names: str) -> Answer:
    return answer(data={"keys": list(names)})


def entry(content: dict[str, Any], **metadata: Any) -> Answer:
    """An entry of KV v2."""
    return answer(data={"data": content, "metadata": {"version": 1, **metadata}})
