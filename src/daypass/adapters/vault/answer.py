"""Vault's answers, read strictly and in one place: what says nothing is never taken for "nothing".

A proxy's page, an empty body or `null` would otherwise read as a slot that was never used, a list
without tokens, a trust that was never set. Vault itself answers 204, or an object with `data`; it
answers 404 where there is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

from daypass.adapters.vault import failures
from daypass.errors import VaultRefusedError
from daypass.model.json_text import MAX_DEPTH, deeper_than

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
BAD_REQUEST: Final = frozenset({int(HTTPStatus.BAD_REQUEST)})
NOT_FOUND: Final = frozenset({int(HTTPStatus.NOT_FOUND)})
_NO_CONTENT: Final = int(HTTPStatus.NO_CONTENT)
_READING: Final = frozenset({"GET", "LIST"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What Vault answered. `repr` shows the status only: the rest can hold a secret."""

    status: int
    data: Mapping[str, Any] = field(repr=False)
    auth: Mapping[str, Any] = field(repr=False)
    wrap_info: Mapping[str, Any] = field(repr=False)
    warnings: tuple[str, ...] = field(repr=False)
    errors: tuple[str, ...] = field(repr=False)
    lease_id: str = field(default="", repr=False)
    lease_seconds: int = 0  # how long the lease lasts; 0 without one
    address: str = ""  # of the Vault that answered
    doing: str = ""  # method and path

    @property
    def keys(self) -> tuple[str, ...]:
        """The names that a LIST gave; none when there was nothing to list."""
        return tuple(self.data.get("keys") or ())

    @property
    def is_absent(self) -> bool:
        """Whether Vault says that there is nothing (404)."""
        return self.status in NOT_FOUND

    def read(self, reader: Callable[[Answer], T]) -> T:
        """What a reader makes of this answer.

        Raises:
            VaultUnavailableError: a field is missing, or is of another kind than Vault sends.
        """
        try:
            return reader(self)
        except (KeyError, TypeError, ValueError, AttributeError):
            # Not chained: these errors quote the value that they stumbled over.
            raise failures.not_vault(self.address, self.doing, "a field is missing") from None

    def refuse_warnings(self, doing: str) -> None:
        """Raise VaultRefusedError if Vault warned: it ignored, or cut, something it was told."""
        if self.warnings:
            raise VaultRefusedError(
                f"Vault did not do all it was asked, {doing}: {failures.quoted(self.warnings)}",
                remedy="Run `daypass vault doctor`: the set-up in Vault differs from access/.",
            )


def read_success(response: Any, address: str, method: str, path: str) -> Answer:
    """The answer in a response below 300.

    Raises VaultUnavailableError if Vault would not answer that.
    """
    doing = f"{method} {path}"
    status = int(response.status_code)
    if status == _NO_CONTENT and method not in _READING:
        return Answer(status, {}, {}, {}, (), (), address=address, doing=doing)
    body = _object(response)
    if body is None or "data" not in body:
        said = "its body is empty" if not response.content else "its body is not Vault's"
        raise failures.not_vault(address, doing, said)
    try:
        answer = _answer(status, body, address, doing)
    except (TypeError, ValueError):
        raise failures.not_vault(address, doing, "a field is of another kind") from None
    if method in _READING and body["data"] is None and not answer.wrap_info:
        raise failures.not_vault(address, doing, "it holds no data")
    if method == "LIST":
        answer.read(_names)
    return answer


def read_failure(response: Any, address: str, method: str, path: str) -> Answer | None:
    """The answer in a response that failed; None if Vault would not answer that."""
    status = int(response.status_code)
    body = _object(response)
    if body is None or not ("errors" in body or ("data" in body and status in NOT_FOUND)):
        return None
    try:
        return _answer(status, body, address, f"{method} {path}")
    except (TypeError, ValueError):
        return None


def _object(response: Any) -> Mapping[str, Any] | None:
    """The JSON object in a response; None if it holds none."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) and not deeper_than(MAX_DEPTH, body) else None


def _answer(status: int, body: Mapping[str, Any], address: str, doing: str) -> Answer:
    """The answer in an object. Raises TypeError, ValueError."""
    return Answer(
        status=status,
        data=_mapping(body.get("data")),
        auth=_mapping(body.get("auth")),
        wrap_info=_mapping(body.get("wrap_info")),
        warnings=_texts(body.get("warnings")),
        errors=_texts(body.get("errors")),
        lease_id=str(body.get("lease_id") or ""),
        lease_seconds=int(body.get("lease_duration") or 0),
        address=address,
        doing=doing,
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise TypeError("not a list")
    return tuple(str(item) for item in value)


def _names(answer: Answer) -> None:
    """Raise TypeError, KeyError unless a LIST gave names."""
    names = answer.data["keys"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError("not a list of names")
