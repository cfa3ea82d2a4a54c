"""Targets: what a look at each database shows of grants that end, and of log-ins without one.

An end is asked for in Vault, and looked for at the target: whether the log-in of this very grant
still works, and whether a session outlived it. A resource level names in `confirm` the Vault role
that looks. Where it names none, an end confirms the credential only.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from daypass.documents.wording import first_of
from daypass.errors import DaypassError
from daypass.model.canonical import digest_bytes
from daypass.model.instant import Instant
from daypass.model.resource import IssueMode
from daypass.model.target import Confirmed, Login, login_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from daypass.lifecycle.offline import OfflineUse
    from daypass.lifecycle.outcome import Outcome
    from daypass.lifecycle.ports import Issuer
    from daypass.lifecycle.world import World
    from daypass.model.catalogue import Catalogue
    from daypass.model.grant import Grant
    from daypass.model.target import TargetReport

_WORKERS: Final = 8
_PLAIN: Final = re.compile(r"[a-z0-9][a-z0-9.-]*")
_NAME_LENGTH: Final = 80
_RESOURCES: Final = 3  # that a text names for one target
_ASKED: Final = 200  # log-ins without a live grant that one run asks Vault about, at each target
_NAMED: Final = 10  # log-ins that one alarm names
# A log-in this young may be of a run that works beside this one: the next run looks again.
_YOUNG_SECONDS: Final = 600
_BLIND: Final = "run `GRANT pg_read_all_stats TO` Vault's user at the database"
_POWERLESS: Final = "run `GRANT pg_signal_backend TO` Vault's user at the database"
_BEFORE_SECONDS: Final = 60  # a log-in is made after its grant's token, by the same clock


@dataclass(frozen=True, slots=True)
class Target:
    """One database server, as one Vault role looks at it."""

    mount: str
    look: str  # the role that looks
    resources: tuple[str, ...]  # that are reached there, sorted

    @property
    def name(self) -> str:
        """The name of its alarms: no two targets share one."""
        path = f"{self.mount}/{self.look}"
        plain = path.replace("/", ".")
        if _PLAIN.fullmatch(plain) and len(plain) <= _NAME_LENGTH:
            return plain
        return digest_bytes(path.encode())[7:23]

    def __str__(self) -> str:
        named = ", ".join(self.resources[:_RESOURCES])
        return f"{named}, …" if len(self.resources) > _RESOURCES else named


@dataclass(frozen=True, slots=True)
class Targets:
    """The targets of a catalogue, and what one look at each of them showed."""

    by_role: Mapping[tuple[str, str], Target]  # mount and engine role → where it opens a door
    reports: Mapping[Target, TargetReport] = field(default_factory=dict)
    faults: Mapping[Target, str] = field(default_factory=dict)  # why one could not be looked at

    @classmethod
    def of(cls, catalogue: Catalogue | None) -> Self:
        """Returns the targets that levels name a looking role for; nothing is looked at yet."""
        reached: dict[tuple[str, str], set[str]] = {}
        opens: dict[tuple[str, str], tuple[str, str]] = {}
        for name, resource in catalogue.resources.items() if catalogue else ():
            for level in resource.levels.values():
                if level.confirm is not None:
                    at = (level.mount, level.confirm)
                    reached.setdefault(at, set()).add(name)
                    opens |= {(level.mount, tier.role): at for tier in level.tiers}
        targets = {at: Target(*at, tuple(sorted(names))) for at, names in reached.items()}
        return cls({role: targets[at] for role, at in opens.items()})

    def look(self, issuer: Issuer, roles: Iterable[tuple[str, str]] | None = None) -> Targets:
        """Looks at targets once, side by side. What fails is kept, and raised nowhere.

        Args:
            issuer: of this run.
            roles: mounts and engine roles whose targets are looked at; None: every target that
                was not looked at yet.
        """
        wanted = self.by_role.keys() if roles is None else self.by_role.keys() & set(roles)
        reports, faults = dict(self.reports), dict(self.faults)
        targets = {self.by_role[role] for role in wanted}
        if roles is None:
            targets -= reports.keys() | faults.keys()

        def one(target: Target) -> None:
            try:
                reports[target] = issuer.look(target.mount, target.look)
            except DaypassError as error:
                faults[target] = f"{error.message}. {error.remedy}"

        with ThreadPoolExecutor(_WORKERS) as pool:
            list(pool.map(one, targets))
        return Targets(self.by_role, reports, faults)

    def confirms(self, grant: Grant) -> Confirmed:
        """What an end of that grant can confirm."""
        report = self._report(grant)
        tells = report is not None and not report.strange
        return Confirmed.SESSIONS if tells else Confirmed.CREDENTIAL

    def tells_log_ins(self, grant: Grant, live: Mapping[str, int]) -> bool:
        """Whether the look tells for certain which log-ins are of that grant.

        Names hold a part of an id: where another live grant shares it, the lease has to tell.
        """
        report = self._report(grant)
        if report is None or report.is_cut or report.strange:
            return False
        return not _shares(grant.id, live)

    def why_unconfirmed(self, grant: Grant, live: Mapping[str, int]) -> str | None:
        """Why the look does not show that nothing of that grant works; None where it does.

        Args:
            grant: the grant that ends.
            live: how many grants that live, that one included, share each log-in prefix.
        """
        target = self.by_role.get((grant.mount, grant.role))
        if target is None:
            return None
        if target in self.faults:
            return f"the target could not be looked at: {self.faults[target]}"
        report = self.reports[target]
        if not report.sees:
            return f"{_role(target)} cannot see sessions: {_BLIND}"
        if not _shares(grant.id, live):
            works = [login.name for login in report.logins if login.is_of(grant.id)]
            if works:
                return (
                    f"its log-in {works[0]} still works. If it stays so, run "
                    f'`ALTER ROLE "{works[0]}" NOLOGIN` at the database'
                )
        # A session whose log-in was dropped could be of any grant that ends now.
        left = [name for name in report.sessions if not name or _may_be(name, grant.id)]
        return f"{len(left)} session(s) of ended log-ins are still open" if left else None

    def _report(self, grant: Grant) -> TargetReport | None:
        target = self.by_role.get((grant.mount, grant.role))
        return self.reports.get(target) if target is not None else None


def _role(target: Target) -> str:
    return f"the role {target.mount}/{target.look}"


def _may_be(name: str, grant_id: str) -> bool:
    return Login(name).is_of(grant_id)


def _shares(grant_id: str, live: Mapping[str, int]) -> bool:
    return live.get(login_prefix(grant_id), 0) > 1


def tell(
    targets: Targets,
    outcome: Outcome,
    known: Mapping[str, Instant | None],
    now: Instant,
    was_used: Callable[[str], bool],
) -> None:
    """Raises alarms for what looks found, and names what ended log-ins left behind.

    Args:
        targets: looked at.
        outcome: of this run.
        known: ids that may have log-ins, and since when; None: not told.
        now: Vault's time when the looks began.
        was_used: whether an id, of which a name may hold a part only, was ever used here. Another
            repository may open the same server: its log-ins are none of this one's.
    """
    for target, why in targets.faults.items():
        outcome.alarm(f"target.{target.name}", f"{target} was not looked at: {why}")
    for target, report in targets.reports.items():
        _tell_rights(target, report, outcome)
        strangers = _strangers(report.logins, known, now)
        ours = [login for login in strangers[:_ASKED] if was_used(login.grant_prefix)]
        _tell_strangers(target, ours, outcome)
        if report.is_cut:
            text = f"{target} has more log-ins than one look lists: some were not compared"
            outcome.alarm(f"log-ins-cut.{target.name}", text)
        for leftover in report.leftovers[:_NAMED]:
            places = ", ".join(name or "the cluster" for name in leftover.databases)
            text = f"cannot log in, and stays at {target} for what it left in: {places}"
            outcome.add("left over", leftover.login, text)


def _tell_rights(target: Target, report: TargetReport, outcome: Outcome) -> None:
    lacks = [text for held, text in ((report.sees, _BLIND), (report.ends, _POWERLESS)) if not held]
    if lacks:
        text = f"Vault's user at {target} cannot see or end sessions: {'; '.join(lacks)}"
        outcome.alarm(f"target.{target.name}", text)
    if report.strange:
        outcome.alarm(
            f"strange-log-ins.{target.name}",
            f"{report.strange} log-in(s) at {target} bear names that tell no grant: their ends are "
            "confirmed by leases only. Give the connection the `username_template` of "
            "docs/database.md",
        )
    if report.sessions:
        text = f"{len(report.sessions)} session(s) of ended log-ins are open at {target}"
        outcome.alarm(f"sessions.{target.name}", f"{text}: end them at the database")


def _tell_strangers(target: Target, strangers: list[Login], outcome: Outcome) -> None:
    if not strangers:
        return
    names = first_of([login.name for login in strangers], _NAMED)
    outcome.alarm(
        f"log-ins-without-a-grant.{target.name}",
        f"{len(strangers)} log-in(s) at {target} belong to no live grant: {names}. "
        "A database that was restored from a backup brings ended log-ins back. Run "
        '`ALTER ROLE "NAME" NOLOGIN` for each at the database: the next run ends their sessions '
        "and drops them",
    )


def explained(world: World, offline: Iterable[OfflineUse]) -> dict[str, Instant | None]:
    """Returns the ids that may have log-ins, and since when; None where that is not known.

    Args:
        world: as this pass found it; what it ends is in it still.
        offline: what was taken of Vault itself, and is not in the evidence yet.
    """
    found: dict[str, Instant | None] = {
        grant.id: _begin_of_log_in(grant) for grant in world.grants.values()
    }
    found |= {use.grant_id: use.not_before for use in offline}
    return found | dict.fromkeys(world.slots)  # work under way


def _begin_of_log_in(grant: Grant) -> Instant:
    """The time, by Vault, from which on the log-in of that grant was made."""
    if grant.issue is IssueMode.ON_MERGE and grant.wrapping is not None:
        return Instant.parse(grant.wrapping.time)  # of a second delivery, where there was one
    return grant.not_before


def _strangers(
    logins: Iterable[Login], known: Mapping[str, Instant | None], now: Instant
) -> list[Login]:
    """Returns log-ins that no grant explains, or that are older than the grant they name."""
    begins: dict[str, list[Instant | None]] = {}
    for grant_id, since in known.items():
        begins.setdefault(login_prefix(grant_id), []).append(since)
    strangers = []
    for login in logins:
        if login.made_at > now.seconds - _YOUNG_SECONDS:
            continue
        times = begins.get(login.grant_prefix, [])
        if not any(at is None or at.seconds - _BEFORE_SECONDS <= login.made_at for at in times):
            strangers.append(login)
    return strangers
