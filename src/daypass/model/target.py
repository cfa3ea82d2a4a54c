"""Target report: what a look at a database found, as the role that looks answers it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from daypass.model.postgresql import LOGIN_ID_LENGTH, LOOK_WORD, MOST_LOGINS

_TAIL: Final = re.compile(r"-[a-z0-9]{6}-([0-9]{10})$")
_LEAST_SERVER: Final = 130000
# In the name of what `daypass vault doctor --try` makes. No grant's id begins with a hyphen.
TRIAL_ID: Final = "-try"
TRIAL_SECONDS: Final = 600  # after which Vault ends it, whatever became of the doctor


class Confirmed(StrEnum):
    """What an end was looked for to be, as evidence names it."""

    CREDENTIAL = "credential"  # no log-in of the grant works
    SESSIONS = "credential,sessions"  # and none of its sessions is left

    @property
    def with_sessions(self) -> bool:
        """Whether the target itself was looked at."""
        return self is Confirmed.SESSIONS


@dataclass(frozen=True, slots=True)
class Leftover:
    """A log-in that can no longer log in, and could not be dropped.

    `databases` hold what it owns or was granted; an empty name stands for the whole cluster.
    """

    login: str
    databases: tuple[str, ...]


def login_prefix(grant_id: str) -> str:
    """Returns what a log-in's name holds of a grant's id, as the username template makes it."""
    return f"token-grant-{grant_id}".replace("token-grant-", "")[:LOGIN_ID_LENGTH]


@dataclass(frozen=True, slots=True)
class Login:
    """A log-in that works, by its name: whose grant it was made for, and when."""

    name: str

    @property
    def grant_prefix(self) -> str:
        """The grant's id as the name holds it: its first 36 characters."""
        return _TAIL.sub("", self.name).removeprefix("g-")

    @property
    def made_at(self) -> int:
        """Vault's time of the mint, in seconds since 1970."""
        found = _TAIL.search(self.name)
        return int(found[1]) if found else 0

    def is_of(self, grant_id: str) -> bool:
        """Whether it may have been made for that grant. A name holds only a part of a long id."""
        return self.grant_prefix == login_prefix(grant_id)


@dataclass(frozen=True, slots=True)
class TargetReport:
    """One look at one database server."""

    server: int  # server_version_num, such as 180006
    database: str
    sees: bool  # whether Vault's user may see the sessions of others
    ends: bool  # whether Vault's user may end them
    prepared: int  # max_prepared_transactions: 0, or holders can leave locks behind
    sessions: tuple[str, ...]  # log-ins of open sessions that should be gone; "" where dropped
    logins: tuple[Login, ...]
    leftovers: tuple[Leftover, ...]
    strange: int  # log-ins with an end that another username template made, or may have made
    definers: int  # functions and views with the rights of Vault's user or of a group it lends
    open: tuple[str, ...]  # other databases that PUBLIC may connect to

    @property
    def is_cut(self) -> bool:
        """Whether there are more log-ins than one look lists."""
        return len(self.logins) > MOST_LOGINS

    @property
    def is_supported(self) -> bool:
        """Whether the server is one of those that the SQL was tried on, or newer."""
        return self.server >= _LEAST_SERVER

    @classmethod
    def find(cls, text: str) -> Self | None:
        """The report in an error's text; None when there is none, or none that can be read."""
        _, word, rest = text.partition(f"{LOOK_WORD} ")
        if not word:
            return None
        try:
            found, _ = json.JSONDecoder().raw_decode(rest)
            return cls(
                server=_number(found["server"]),
                database=str(found["database"]),
                sees=found["sees"] is True,
                ends=found["ends"] is True,
                prepared=_number(found["prepared"]),
                sessions=_texts(found["sessions"]),
                logins=tuple(Login(name) for name in _texts(found["logins"])),
                leftovers=tuple(
                    Leftover(str(login), _texts(databases))
                    for login, databases in found["leftovers"]
                ),
                strange=_number(found.get("strange", 0)),
                definers=_number(found["definers"]),
                open=_texts(found["open"]),
            )
        except (ValueError, KeyError, TypeError, RecursionError):
            return None


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(str(item) for item in value)
