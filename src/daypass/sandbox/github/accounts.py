"""Accounts, teams and tokens: who is who on the box's GitHub, and who may act as whom."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from daypass.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WEB_FLOW: Final = "web-flow"  # GitHub's own account, the committer of merges made on the web
# At github.com, and at this server, which calls itself by its address.
_NOREPLY: Final = re.compile(
    r"(?:([0-9]+)\+)?([^@+]*)@users\.noreply\.(?:github\.com|127\.0\.0\.1)", re.IGNORECASE
)
# Accounts of before have a noreply address without their number.
_NUMBERED_SINCE: Final = "2017-07-18"
LONG_AGO: Final = "2015-03-02T09:00:00Z"


class Clock:
    """GitHub's time, in whole seconds as its API tells it. Tests may put it forward or back."""

    def __init__(self) -> None:
        self.shift = 0.0

    def stamp(self) -> str:
        """Now, as `2026-11-22T06:46:05Z`."""
        return datetime.fromtimestamp(time.time() + self.shift, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An SSH public key that an account has registered."""

    id: int
    line: str
    created_at: str


@dataclass(eq=False, slots=True)
class Account:
    """A user, a bot or an organisation. Its id never changes; its login can."""

    id: int
    login: str
    type: str  # User | Bot | Organization
    name: str | None
    created_at: str
    emails: set[str] = field(default_factory=set)
    keys: list[PublicKey] = field(default_factory=list)
    deleted: bool = False

    @property
    def email(self) -> str:
        """The address that commits made through GitHub carry."""
        return f"{self.id}+{self.login}@users.noreply.github.com"


@dataclass(eq=False, slots=True)
class Team:
    """A team of the organisation, and who is an active or an invited (pending) member."""

    id: int
    slug: str
    name: str
    created_at: str
    members: set[int] = field(default_factory=set)
    pending: set[int] = field(default_factory=set)
    maintainers: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Credential:
    """What a token stands for. `permissions` is None for a person, who acts by their role."""

    account: Account
    permissions: Mapping[str, str] | None = None
    repository_ids: frozenset[int] | None = None
    expires_at: float | None = None  # seconds since the epoch

    def allows(self, permission: str, level: str) -> bool:
        """Whether an App's token carries that permission; always so for a person's."""
        if self.permissions is None:
            return True
        ranks = ("none", "read", "write", "admin")
        held = self.permissions.get(permission, "none")
        return ranks.index(held) >= ranks.index(level)


class Directory:
    """All accounts of the box's GitHub, and the digests of the tokens that it gave out."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._accounts: dict[int, Account] = {}
        self._tokens: dict[bytes, Credential] = {}
        self._next_id = 583231
        self.web_flow = self.add(WEB_FLOW, "User", name="GitHub", emails=["noreply@github.com"])

    def new_id(self) -> int:
        """A number that this GitHub has not given out before."""
        with self._lock:
            self._next_id += secrets.randbelow(400) + 1
            return self._next_id

    def add(
        self,
        login: str,
        type_: str = "User",
        *,
        name: str | None = None,
        emails: Iterable[str] = (),
        keys: Iterable[str] = (),
        created_at: str | None = None,
    ) -> Account:
        """Open an account, now unless said otherwise; `keys` are OpenSSH public key lines."""
        opened = created_at or self._clock.stamp()
        account = Account(self.new_id(), login, type_, name, opened, emails=set(emails))
        self._accounts[account.id] = account
        for line in keys:
            self.add_key(account, line)
        return account

    def add_key(self, account: Account, line: str) -> PublicKey:
        """Register an SSH public key; GitHub keeps the type and the key, not the comment."""
        key = PublicKey(self.new_id(), " ".join(line.split()[:2]), self._clock.stamp())
        account.keys.append(key)
        return key

    def rename(self, account: Account, login: str) -> None:
        """Give an account another login; the old one is free for anybody from then on."""
        account.login = login

    def delete(self, account: Account) -> None:
        """Close an account: its tokens end, and what it wrote has no author any more."""
        account.deleted = True
        account.keys.clear()
        with self._lock:
            self._tokens = {
                digest: credential
                for digest, credential in self._tokens.items()
                if credential.account is not account
            }

    def by_id(self, account_id: int) -> Account | None:
        """The account with that id, unless it is gone."""
        account = self._accounts.get(account_id)
        return None if account is None or account.deleted else account

    def by_login(self, login: str) -> Account | None:
        """The account that has that login today; logins are compared without case."""
        wanted = login.lower()
        return next(
            (item for item in self._living() if item.login.lower() == wanted),
            None,
        )

    def by_email(self, email: str) -> Account | None:
        """The account that a commit's e-mail address belongs to; None if to nobody."""
        wanted = email.lower()
        for item in self._living():
            if wanted in {address.lower() for address in item.emails}:
                return item
        noreply = _NOREPLY.fullmatch(email)
        if noreply is None:
            return None
        if noreply[1] is not None:
            return self.by_id(int(noreply[1]))
        account = self.by_login(noreply[2])
        is_old = account is not None and account.created_at < _NUMBERED_SINCE
        return account if is_old else None

    def issue(self, credential: Credential, prefix: str) -> Secret:
        """A new token for that credential; only its digest is kept."""
        token = f"{prefix}_{secrets.token_hex(18)}"
        with self._lock:
            self._tokens[_digest(token)] = credential
        return Secret(token)

    def resolve(self, token: str) -> Credential | None:
        """What a token stands for; None if it is unknown, revoked or expired."""
        credential = self._tokens.get(_digest(token))
        if credential is None or credential.account.deleted:
            return None
        expired = credential.expires_at is not None and credential.expires_at <= time.time()
        return None if expired else credential

    def revoke(self, token: str) -> None:
        """Forget a token. Idempotent."""
        with self._lock:
            self._tokens.pop(_digest(token), None)

    def _living(self) -> list[Account]:
        return [item for item in list(self._accounts.values()) if not item.deleted]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
