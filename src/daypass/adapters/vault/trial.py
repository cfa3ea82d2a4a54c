"""A trial: what is looked at while a throw-away credential lives, and after its end."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from daypass.adapters.postgres_login import NotReached, OpenSession, Refused, log_in
from daypass.adapters.vault import caps, failures
from daypass.adapters.vault.compare import Found, State
from daypass.adapters.vault.look import look
from daypass.adapters.vault.statements import is_own_revocation
from daypass.errors import DaypassError
from daypass.model.postgresql import LOGIN_PATTERN
from daypass.model.target import Login

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import ExitStack

    from daypass.adapters.vault.engines import Engines
    from daypass.adapters.vault.session import Session
    from daypass.adapters.vault.steps import TieredRole
    from daypass.model.secret import Secret
    from daypass.model.target import TargetReport

_PATIENCE: Final = 5.0  # seconds in which what was ended must be gone
_POLL: Final = 0.1


@dataclass(frozen=True, slots=True)
class Credential:
    """What the trial read, and has to give back."""

    username: str
    password: Secret
    lease_id: str
    seconds: int
    warnings: tuple[str, ...]


@dataclass(slots=True)
class Trial:
    """One trial under way: what it has found so far."""

    session: Session
    engines: Engines
    role: TieredRole
    connection: Mapping[str, str]
    longest: int  # seconds of the longest tier of its mount
    warn: Callable[[str], None]  # says at once what must be known when this process fails
    found: list[Found] = field(default_factory=list)
    done: list[str] = field(default_factory=list)  # what came out well, for people

    @property
    def title(self) -> str:
        """What is tried."""
        return f"try {self.role.credential_path}"

    def tell(self, state: State, text: str, *mend: str) -> None:
        """Adds a finding."""
        self.found.append(Found(self.title, state, text, mend))

    @property
    def is_postgresql(self) -> bool:
        """Whether daypass knows how to log in to the target."""
        return self.engines.speaks_postgresql(self.role.mount, self.role.role)

    @property
    def mend(self) -> tuple[str, ...]:
        """The command that writes daypass's own revocation; none where that is what stands."""
        about = self.engines.role(self.role.mount, self.role.role)
        if is_own_revocation(about.get("revocation_statements") or ()):
            return ()
        path = caps.role_path(self.role.mount, self.role.role)
        return (f"daypass vault sql revocation | bao write {path} -",)

    def look(self) -> TargetReport | None:
        """Looks at the target; None where no role looks, or where it cannot."""
        if self.role.confirm is None:
            return None
        try:
            return look(self.session, self.role.mount, self.role.confirm)
        except DaypassError:
            return None  # the doctor has said why


def judge_lease(trial: Trial, credential: Credential) -> None:
    """The lease that Vault gives must be the tier."""
    role, wanted = trial.role, trial.role.length.seconds
    if credential.seconds == wanted:
        trial.done.append(f"the lease is {role.length}")
        return
    short = caps.below(trial.engines.lease_caps(role.mount, role.role), wanted)
    said = f" ({failures.quoted(credential.warnings)})" if credential.warnings else ""
    trial.tell(
        State.WRONG,
        f"the lease is {caps.length(credential.seconds)}, and the tier {role.length}{said}",
        *caps.mends((cap for cap in short if not cap.of_mount), wanted),
        *caps.mends((cap for cap in short if cap.of_mount), trial.longest),
    )


def enter(
    trial: Trial, credential: Credential, held: ExitStack
) -> OpenSession | Refused | NotReached:
    """Logs in as the holder would, and leaves the session open."""
    opened: OpenSession | Refused | NotReached
    if trial.is_postgresql:
        opened = log_in(trial.connection, credential.username, credential.password)
    else:
        opened = NotReached("daypass logs in to PostgreSQL only")
    if isinstance(opened, OpenSession):
        held.enter_context(opened)
        trial.done.append("the log-in works")
        _judge_rights(trial, opened)
    elif isinstance(opened, Refused):
        trial.tell(State.WRONG, "the target refuses the new log-in: look into its own log")
    else:
        trial.tell(
            State.NOT_TRIED, f"the log-in, its rights and the end of a session: {opened.why}"
        )
    return opened


def _judge_rights(trial: Trial, opened: OpenSession) -> None:
    """A holder must not be able to make what outlasts the grant."""
    rights = opened.rights()
    for power in rights.powers:
        trial.tell(State.WRONG, f"a holder has {power}, and can make access that has no end")
    for role in rights.lendable:
        trial.tell(State.WRONG, f"a holder can lend {role} to others, without an end")
    for schema in rights.public_creates:
        trial.tell(
            State.ADVICE,
            f"everybody may create in the schema {schema}, holders of read access too",
            f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC;",
        )


def is_listed(trial: Trial, credential: Credential) -> bool:
    """Whether the look sees the log-in while it works: otherwise its silence would say nothing."""
    report = trial.look()
    if report is None:
        if trial.role.confirm is None and trial.is_postgresql:
            trial.tell(State.NOT_TRIED, "a look at the target: its level names no `confirm`")
        return False
    if Login(credential.username) in report.logins:
        return True
    if report.is_cut:
        trial.tell(State.NOT_TRIED, "a look at the log-in: there are more than one look lists")
        return False
    if re.fullmatch(LOGIN_PATTERN, credential.username):
        text = "the look does not see the log-in that was made: it looks at another server"
        trial.tell(State.WRONG, text)
    else:
        text = "the look does not know the log-in by its name: the username_template differs, or "
        trial.tell(State.NOT_TRIED, f"{text}your own name stands in it")
    return False


def judge_end(
    trial: Trial,
    credential: Credential,
    opened: OpenSession | Refused | NotReached,
    *,
    was_listed: bool,
    is_ended: bool,
) -> None:
    """What is left after the end, at the target itself, whatever Vault says of it.

    Args:
        trial: under way.
        credential: that was given back.
        opened: the session that was opened with it.
        was_listed: whether the look knew the log-in while it worked.
        is_ended: whether Vault has taken the end; if not, nothing is waited for.
    """
    patience = _PATIENCE if is_ended else 0.0
    if isinstance(opened, OpenSession):
        if _within(patience, lambda: not opened.is_open()):
            trial.done.append("its end ends the session")
        else:
            trial.tell(State.WRONG, "the open session outlives the end", *trial.mend)
        if _within(patience, lambda: not _gets_in(trial, credential)):
            trial.done.append("the log-in is refused then")
        else:
            trial.tell(State.WRONG, "the log-in still works after the end", *trial.mend)
    if was_listed:
        _look_again(trial, credential)


def _gets_in(trial: Trial, credential: Credential) -> bool:
    again = log_in(trial.connection, credential.username, credential.password)
    if isinstance(again, OpenSession):
        again.close()
    return isinstance(again, OpenSession)


def _look_again(trial: Trial, credential: Credential) -> None:
    report = trial.look()
    name = credential.username
    if report is None:
        trial.tell(State.NOT_TRIED, "a look after the end: it failed")
    elif Login(name) in report.logins:
        trial.tell(State.WRONG, "the look still finds the log-in after the end", *trial.mend)
    elif any(left.login == name for left in report.leftovers):
        trial.tell(State.WRONG, f"{name} is locked out, and was not dropped", *trial.mend)
    else:
        trial.done.append("the look finds nothing left of it")


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether it comes true in time. A session is told to end, and ends a moment later."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True
