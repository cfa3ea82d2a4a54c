"""Entries of a KV v2 engine, as Vault answers them: what they hold, and in which version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.adapters.vault.answer import Answer


def content_of(answer: Answer) -> Mapping[str, Any] | None:
    """What an entry holds; None where it was never written, or its newest version is deleted.

    Args:
        answer: to a GET of the entry's data, with 404 accepted.

    Raises VaultUnavailableError if Vault's answer is no entry.
    """
    return None if answer.is_absent else answer.read(_content)


def version_of(answer: Answer) -> int:
    """The newest version of an entry; 0 where it was never written.

    `answer` and the errors are as for `content_of`.
    """
    if answer.is_absent and not answer.data:
        return 0
    return answer.read(lambda found: number(found.data["metadata"]["version"]))


def version_written(answer: Answer) -> int:
    """The version that a write has made, for `Answer.read`. Raises KeyError, TypeError."""
    return number(answer.data["version"])


def number(value: object) -> int:
    """An integer of an answer. Raises TypeError."""
    if type(value) is not int:
        raise TypeError("not an integer")
    return value


def text(value: object) -> str:
    """A string of an answer that is not empty. Raises TypeError."""
    if not isinstance(value, str) or not value:
        raise TypeError("not a text")
    return value


def _content(answer: Answer) -> Mapping[str, Any]:
    content = answer.data["data"]
    if not isinstance(content, dict) or not isinstance(answer.data["metadata"], dict):
        raise TypeError("not an entry")
    return content
