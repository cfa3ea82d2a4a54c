"""Look up and end: the life of a grant's token, as Vault sees it. `minting` brings it to life."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.vault import failures, minting
from daypass.adapters.vault.answer import NOT_FOUND
from daypass.adapters.vault.caps import Caps
from daypass.adapters.vault.kv import number
from daypass.adapters.vault.look import look
from daypass.errors import DaypassError, VaultRefusedError
from daypass.lifecycle.leases import OverdueLease
from daypass.lifecycle.ports import Minted, TokenState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daypass.adapters.vault.answer import Answer
    from daypass.adapters.vault.session import Session
    from daypass.lifecycle.ports import MintOrder
    from daypass.model.instant import Instant
    from daypass.model.target import TargetReport

_GONE: Final = frozenset({int(HTTPStatus.BAD_REQUEST), int(HTTPStatus.FORBIDDEN)})
_POLL: Final = 0.1  # seconds
_LOOKING: Final = 8  # threads
_CREATION: Final = 0.2  # seconds that Vault may take to store a token and its lease
# The second while a token is just ending (tried): its accessor is still there, and it is not.
_NO_TOKEN: Final = ("invalid accessor", "token not found")
# Meanwhile a look at it is "permission denied", as if the bot had no right to look: ask again.
_WHILE_IT_ENDS: Final = (0.05, 0.1, 0.2, 0.4)


def irrevocable_leases(session: Session) -> int:
    """How many leases Vault has given up ending, in the whole namespace. Needs no sudo.

    Raises VaultUnavailableError, VaultRefusedError.
    """
    answer = session.call("GET", "sys/leases/count?type=irrevocable")
    return answer.read(lambda found: number(found.data["lease_count"]))


class VaultIssuer:
    """The Issuer port on Vault or OpenBao."""

    def __init__(self, session: Session, *, patience: float = 3.0) -> None:
        """Use this session.

        Args:
            session: logged in as the bot.
            patience: seconds without any progress after which leases that are due, and are still
                there, count as overdue (200 drops at once take 2 s with the default SQL).
        """
        self._session = session
        self._patience = patience
        self._caps = Caps(session)
        self._listed_at = 0.0

    def now(self) -> Instant:
        """Vault's time, in whole seconds rounded down. Raises VaultUnavailableError."""
        return self._session.now()

    def mint(self, order: MintOrder) -> Minted:
        """Mint an orphan token for one grant, and wrap; what was half made is revoked.

        Raises VaultUnavailableError, VaultRefusedError (also on any warning, when the token is not
        exactly the one ordered, and when a cap of Vault would end the credential before it).
        """
        minting.check(order)
        self._caps.refuse_shortfall(order)
        created = minting.create(self._session, order)
        accessor = minting.accessor_of(order, created)
        try:
            wrapping = minting.wrapping_of(self._session, order, created)
            return self._verified(order, accessor, wrapping)
        except BaseException:
            self._undo(accessor)
            if created.wrap_info:  # the empty envelope too
                self._undo(str(created.wrap_info.get("accessor")))
            raise

    def _verified(self, order: MintOrder, accessor: str, wrapping: Mapping[str, Any]) -> Minted:
        found = self._look_up(accessor)
        if found is None:
            raise minting.gone()
        return found.read(lambda it: minting.verified(order, accessor, wrapping, it.data))

    def revoke(self, accessor: str) -> None:
        """Ask for the token and all that it leased to end. Confirms nothing. Idempotent.

        Raises VaultUnavailableError, VaultRefusedError.
        """
        path = "auth/token/revoke-accessor"
        answer = self._session.call("POST", path, {"accessor": accessor}, accept=_GONE)
        self._refuse_unless(answer, _NO_TOKEN, f"POST {path}")

    def lookup(self, accessor: str) -> TokenState | None:
        """The token behind an accessor; None when Vault says that there is none.

        A token without an end (a root token) shows the year 9999 as its `not_after`.

        Raises VaultUnavailableError, VaultRefusedError.
        """
        answer = self._look_up(accessor)
        return None if answer is None else answer.read(_state)

    def live_accessors(self) -> frozenset[str]:
        """The accessors of all live tokens (of the namespace), in one request."""
        answer = self._session.call("LIST", "auth/token/accessors", accept=NOT_FOUND)
        self._listed_at = time.monotonic()
        return frozenset(answer.keys)

    def states(self, accessors: Iterable[str]) -> dict[str, TokenState]:
        """The tokens behind accessors that were listed, by accessor; one that is gone is left out.

        Vault revokes a token that is looked up between its creation and that of its lease (tried):
        a delivery, or a log-in of any other user, would be dead on arrival. So none is looked up
        sooner after the list than a creation may take.

        Raises VaultUnavailableError, VaultRefusedError.
        """
        names = tuple(accessors)
        if names:
            time.sleep(max(0.0, self._listed_at + _CREATION - time.monotonic()))
        with ThreadPoolExecutor(_LOOKING) as pool:
            found = tuple(pool.map(self.lookup, names))
        return {state.accessor: state for state in found if state is not None}

    def overdue_leases(self, mount: str, role: str) -> tuple[OverdueLease, ...]:
        """Leases of that role that should be gone and are not, irrevocable ones included.

        Vault drops asynchronously, so what is due is awaited for as long as some of it goes away.
        One request for each live lease of the role, and one for each time that it looks again.
        """
        prefix = f"{mount}/creds/{role}"
        with ThreadPoolExecutor(_LOOKING) as pool:
            names = [f"{prefix}/{name}" for name in self._leases(prefix)]
            due = [lease for lease in pool.map(self._due, names) if lease is not None]
        deadline = time.monotonic() + self._patience
        while due and time.monotonic() < deadline:
            time.sleep(_POLL)
            there = self._leases(prefix)
            left = [lease for lease in due if lease.lease_id.rpartition("/")[2] in there]
            if len(left) < len(due):  # the database is at work: it was only asked for much
                deadline = time.monotonic() + self._patience
            due = left
        return tuple(due)

    def _leases(self, prefix: str) -> frozenset[str]:
        """The last parts of the ids of all leases of a role."""
        answer = self._session.call("LIST", f"sys/leases/lookup/{prefix}", accept=NOT_FOUND)
        return frozenset(answer.keys)

    def revoke_lease(self, lease_id: str) -> None:
        """End one lease, synchronously: it returns when the credential is really gone.

        Raises VaultRefusedError with Vault's reason if it lives on, VaultUnavailableError.
        """
        body = {"lease_id": lease_id, "sync": True}
        answer = self._session.call("POST", "sys/leases/revoke", body, accept=_GONE)
        if answer.errors and "invalid lease" not in " ".join(answer.errors):
            raise VaultRefusedError(
                f"a lease of {lease_id.rpartition('/')[0]} lives on: "
                f"{failures.quoted(answer.errors)}",
                remedy="Mend what Vault names (the database, or its revocation SQL): the next run "
                "tries again. Until then whoever holds the credential can still log in.",
            )

    def look(self, mount: str, role: str) -> TargetReport:
        """End what should be gone at a target, and tell what was found there.

        Raises VaultUnavailableError, VaultRefusedError.
        """
        return look(self._session, mount, role)

    def _look_up(self, accessor: str) -> Answer | None:
        """Vault's record of a token; None when there is none."""
        path = "auth/token/lookup-accessor"
        answer = self._session.call("POST", path, {"accessor": accessor}, accept=_GONE)
        for pause in _WHILE_IT_ENDS:
            if answer.status != HTTPStatus.FORBIDDEN:
                break
            time.sleep(pause)
            answer = self._session.call("POST", path, {"accessor": accessor}, accept=_GONE)
        if not answer.errors:
            answer.read(lambda found: _is_of(accessor, found))
            return answer
        self._refuse_unless(answer, _NO_TOKEN, f"POST {path}")
        return None

    def _due(self, lease_id: str) -> OverdueLease | None:
        """The lease, if it should be gone."""
        path = "sys/leases/lookup"
        answer = self._session.call("POST", path, {"lease_id": lease_id}, accept=_GONE)
        self._refuse_unless(answer, ("invalid lease",), f"POST {path}")
        # Whole seconds, rounded down: the last second of a lease counts as due, and is looked at
        # again.
        if answer.errors or answer.read(lambda found: number(found.data["ttl"])) > 0:
            return None
        return OverdueLease(lease_id, minting.began(answer.data))

    def _refuse_unless(self, answer: Answer, sentences: tuple[str, ...], doing: str) -> None:
        """Raise unless the answer is no failure, or one that means "already gone"."""
        said = " ".join(answer.errors)
        if answer.errors and not any(sentence in said for sentence in sentences):
            raise failures.refused(self._session.client.address, doing, answer.status, ())

    def _undo(self, accessor: str) -> None:
        """Take back what was half made. If that fails too, its `explicit_max_ttl` ends it."""
        try:
            self.revoke(accessor)
        except DaypassError:
            return


def _is_of(accessor: str, answer: Answer) -> None:
    """Raise KeyError, ValueError unless the record is that token's."""
    if answer.data["accessor"] != accessor:
        raise ValueError("another token's record")


def _state(answer: Answer) -> TokenState:
    """The token of a record. Raises KeyError, TypeError, ValueError."""
    data = answer.data
    return TokenState(
        accessor=data["accessor"],
        not_after=minting.expiry(data),
        meta={str(key): str(value) for key, value in (data["meta"] or {}).items()},
        uses_left=number(data["num_uses"]) or None,
        not_before=minting.began(data),
        token_role=minting.role_of(data),
        entity_id=str(data.get("entity_id") or ""),
    )
