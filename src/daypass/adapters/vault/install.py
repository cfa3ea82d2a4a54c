"""Lay into a Vault what access/ asks of it.

Idempotent: a second run changes nothing. Only token roles and policies with daypass's own prefix
are removed, and parts of the bot's policy: those of the emergency lane once no policy opens their
level and parts that are no longer needed unasked, others when asked.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Final

from daypass.adapters.vault import app_key
from daypass.adapters.vault.answer import BAD_REQUEST
from daypass.adapters.vault.compare import State, compare, listed, look, removable
from daypass.adapters.vault.in_flight import in_flight
from daypass.adapters.vault.parts import given_policies, safe_stages
from daypass.adapters.vault.steps import Document, Mount, Policy, Step, TransitKey
from daypass.errors import VaultRefusedError, VaultUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    from daypass.adapters.vault.app_key import AppKey
    from daypass.adapters.vault.compare import Found, Superfluous
    from daypass.adapters.vault.session import Session
    from daypass.adapters.vault.steps import Setup

_MOUNT_SECONDS: Final = 15.0  # HashiCorp Vault upgrades a new KV v2 mount in the background
_POLL: Final = 0.1  # seconds


class Outcome(StrEnum):
    """What was done about it."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REMOVED = "removed"
    LEFT = "left"  # it still has to be mended, by hand
    KEPT = "kept"  # it is removed later: live tokens need it
    # What would be done:
    CREATE = "create"
    UPDATE = "update"
    REMOVE = "remove"
    KEEP = "keep"


_PLANNED: Final = {
    State.MISSING: Outcome.CREATE,
    State.DIFFERENT: Outcome.UPDATE,
    State.WRONG: Outcome.LEFT,
}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing, and what was done about it."""

    outcome: Outcome
    title: str
    detail: str = ""


def install(
    session: Session, setup: Setup, key: AppKey | None = None, stop: Event | None = None
) -> Iterator[Change]:
    """Lay in what is missing or differs, one stage after the other, telling what was done.

    A stage is looked at, what a change of it replaces is told, and then it is laid in: policies
    before the roles that give them, and last of all what lets runs log in (`parts.safe_stages`
    says when it comes earlier). When a request fails, or when it is to stop, what was done is told,
    and no other is sent.

    Args:
        session: logged in as an operator who may do so.
        setup: what is wanted.
        key: the GitHub App's private key, if it is to be imported.
        stop: set by whoever wants it to stop.

    Raises:
        VaultUnavailableError, VaultRefusedError: run it again, it goes on where it stopped.
        KeyboardInterrupt: it was stopped; likewise.
    """
    there = listed(session)
    for stage in safe_stages(setup, given_policies(session, setup)):
        seen = tuple(in_flight(partial(look, session, there=there), stage, stop))
        for found in seen:
            if found.state is State.DIFFERENT:
                yield Change(Outcome.UPDATE, found.title, found.detail)
        pairs = tuple(zip(stage, seen, strict=True))
        yield from in_flight(partial(_bring_about, session, key), pairs, stop)


def _bring_about(session: Session, key: AppKey | None, pair: tuple[Step, Found]) -> Change:
    """Lays one step in, where it has to be."""
    step, found = pair
    if isinstance(step, TransitKey) and step.imported:
        return _install_imported(session, step, found, key)
    if found.state is State.SAME:
        return Change(Outcome.UNCHANGED, found.title)
    if found.state is State.WRONG:
        return Change(Outcome.LEFT, found.title, found.detail)
    _lay(session, step)
    if found.state is State.MISSING:
        return Change(Outcome.CREATED, found.title, found.detail)
    return Change(Outcome.UPDATED, found.title)


def plan(session: Session, setup: Setup, *, pruning: bool = False) -> Iterator[Change]:
    """What `install` and `prune` would do now, in words of the present; nothing is changed.

    Args:
        session: logged in as an operator who may read the set-up.
        setup: what is wanted.
        pruning: whether `prune` is to remove what the emergency lane has not left, too.

    Raises VaultUnavailableError, VaultRefusedError.
    """
    for found in compare(session, setup):
        if found.state is not State.SAME:
            yield Change(_PLANNED[found.state], found.title, found.detail)
    yield from removals(session, setup, pruning=pruning)


def removals(session: Session, setup: Setup, *, pruning: bool = False) -> Iterator[Change]:
    """What `prune` would remove now. As `plan`."""

    def look_at(item: Superfluous) -> Change:
        kept = item.kept_by(session)
        return Change(Outcome.KEEP if kept else Outcome.REMOVE, item.title, kept or item.why)

    yield from in_flight(look_at, removable(session, setup, pruning=pruning))


def prune(
    session: Session, setup: Setup, *, everything: bool = True, stop: Event | None = None
) -> Iterator[Change]:
    """Remove what access/ asks for no longer: roles first, then their policies.

    A policy stays while tokens live that were minted through the role of its name: their holders
    keep what they were given until it ends, and the next call removes it.

    Args:
        session: logged in as an operator who may do so.
        setup: what is wanted.
        everything: else only what no policy opens to the emergency lane any more, and parts that
            the bot's own policy no longer has.
        stop: set by whoever wants it to stop.

    Raises what `install` does.
    """

    def remove(item: Superfluous) -> Change:
        kept = item.kept_by(session)
        if not kept:
            session.call("DELETE", item.path)
        return Change(Outcome.KEPT if kept else Outcome.REMOVED, item.title, kept or item.why)

    found = removable(session, setup, pruning=everything)
    for _, items in groupby(found, key=lambda item: item.kind):
        yield from in_flight(remove, tuple(items), stop)


def _lay(session: Session, step: Step) -> None:
    match step:
        case Mount():
            session.call("POST", f"{step.table}/{step.path}", step.body)
            if step.type == "kv":
                _await_kv(session, step.path)
        case TransitKey():
            session.call("POST", step.path, step.body).refuse_warnings(step.title)
        case Policy():
            session.call("POST", step.path, {"policy": step.text})
        case Document():
            # Its reasons name settings and the issuer: no secret is near.
            session.call("POST", step.path, step.body, quote=True).refuse_warnings(step.title)


def _await_kv(session: Session, mount: str) -> None:
    deadline = time.monotonic() + _MOUNT_SECONDS
    while session.call("GET", f"{mount}/config", accept=BAD_REQUEST).errors:
        if time.monotonic() > deadline:
            raise VaultUnavailableError(
                f"the new KV mount {mount}/ is not ready yet",
                remedy="Run `daypass vault apply` again: it goes on where it stopped.",
            )
        time.sleep(_POLL)


def _install_imported(
    session: Session, step: TransitKey, found: Found, key: AppKey | None
) -> Change:
    """The App's key comes from GitHub, so it is imported, or left to be."""
    if found.state is State.WRONG:
        return Change(Outcome.LEFT, found.title, found.detail)
    missing = found.state is State.MISSING
    if key is None:
        if missing:
            return Change(Outcome.LEFT, found.title, "missing: import it with --app-key-file")
        return Change(Outcome.UNCHANGED, found.title)
    if key.type not in step.types:
        raise VaultRefusedError(
            f"the App's key is of type {key.type}",
            remedy=f"GitHub makes RSA keys; Vault takes {', '.join(step.types)}.",
        )
    if not missing and app_key.is_newest(session, step, key):
        return Change(Outcome.UNCHANGED, found.title)
    app_key.import_key(session, step, key, first=missing)
    return Change(Outcome.CREATED if missing else Outcome.UPDATED, found.title, "imported")
