"""Target findings: what one look at a database means, and the SQL that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.adapters.vault.compare import Found, State
from daypass.documents.wording import first_of
from daypass.model.postgresql import MOST_LOGINS
from daypass.model.target import TRIAL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from daypass.model.instant import Instant
    from daypass.model.target import TargetReport

_LIST_DEFINERS: Final = (
    "SELECT oid::regprocedure FROM pg_proc WHERE prosecdef AND proowner = '{user}'::regrole;"
)
_NAMED: Final = 5  # of many, as an example


def judge(
    report: TargetReport, path: str, user: str, grants: Collection[str] | None, now: Instant
) -> Iterator[Found]:
    """Says what has to be mended at a target.

    Args:
        report: of the look.
        path: where the look was read.
        user: Vault's own log-in there.
        grants: ids of the grants that may have a log-in; None when they are not known.
        now: Vault's time.
    """
    title = f"target of {path}"
    rights = list(_rights(report, title, user))
    yield from rights
    if not rights:
        yield Found(title, State.SAME)
    yield from _left_behind(report, title, user)
    yield from _openings(report, title)
    if grants is not None:
        yield from _strangers(report, title, grants, now)


def _rights(report: TargetReport, title: str, user: str) -> Iterator[Found]:
    """What Vault's user needs for an end to be confirmed."""
    if not report.is_supported:
        text = f"the server is version {report.server}: daypass's SQL is tried on PostgreSQL 13 on"
        yield Found(title, State.WRONG, text)
    if not report.sees:
        text = f"{user} may not see the sessions of others, so that no end of a session is seen"
        yield Found(title, State.WRONG, text, (f"GRANT pg_read_all_stats TO {_quoted(user)};",))
    if not report.ends:
        text = f"{user} may not end the sessions of others, so that they outlive their grants"
        yield Found(title, State.WRONG, text, (f"GRANT pg_signal_backend TO {_quoted(user)};",))


def _left_behind(report: TargetReport, title: str, user: str) -> Iterator[Found]:
    """What ended grants have left there."""
    if report.sessions:
        names = _listed([name or "a dropped log-in" for name in report.sessions])
        yield Found(title, State.WRONG, f"sessions of what has ended are still open: {names}")
    if report.definers:
        yield Found(
            title,
            State.WRONG,
            f"{report.definers} SECURITY DEFINER functions of {report.database} belong to "
            f"{user}: whoever may call one has Vault's rights. Older revocation SQL "
            "gave Vault what holders had made. List them, and drop those that are not yours",
            (_LIST_DEFINERS.format(user=_quoted(user)), "DROP ROUTINE NAME_AND_ARGUMENTS CASCADE;"),
        )
    for left in report.leftovers:
        places = ", ".join(name or "the whole cluster" for name in left.databases) or "nothing"
        text = (
            f"{left.login} is locked out, and could not be dropped: something depends on it in "
            f"{places}. Look at what it owns there, then drop that and the role"
        )
        login = _quoted(left.login)
        mend = (f"DROP OWNED BY {login};", f"DROP ROLE {login};")
        yield Found(title, State.ADVICE, text, mend)


def _openings(report: TargetReport, title: str) -> Iterator[Found]:
    """Where a holder can leave what outlasts the grant."""
    if report.open:
        text = (
            f"everybody may connect to {_listed(report.open)}: what a holder leaves there is out "
            "of reach of the clean-up"
        )
        mend = tuple(
            f"REVOKE CONNECT ON DATABASE {_quoted(name)} FROM PUBLIC;" for name in report.open
        )
        yield Found(title, State.ADVICE, text, mend)
    if report.prepared:
        text = (
            f"max_prepared_transactions is {report.prepared}: a holder can leave a prepared "
            "transaction, whose locks stay until it is rolled back. If no application needs them, "
            "set it to 0 and restart"
        )
        yield Found(title, State.ADVICE, text, ("ALTER SYSTEM SET max_prepared_transactions = 0;",))


def _strangers(
    report: TargetReport, title: str, grants: Collection[str], now: Instant
) -> Iterator[Found]:
    """Log-ins that work and that no grant in this checkout can have.

    A young one may be of a trial, or of a grant that has not come to main yet.
    """
    old = [login for login in report.logins if login.made_at <= now.seconds - TRIAL_SECONDS]
    strange = [login.name for login in old if not any(login.is_of(name) for name in grants)]
    if strange:
        text = (
            f"{len(strange)} log-ins work, and no grant in this checkout names them: "
            f"{_listed(strange)}. Update the checkout first. What is left was taken past daypass, "
            "or came back with a backup: lock it out"
        )
        mend = tuple(f"ALTER ROLE {_quoted(name)} NOLOGIN;" for name in strange[:_NAMED])
        yield Found(title, State.WRONG, text, mend)
    if report.is_cut:
        text = f"there are more than {MOST_LOGINS} log-ins of grants: the others were not seen"
        yield Found(title, State.WRONG, text)


def _listed(names: Collection[str]) -> str:
    """The first few of them, and how many more there are."""
    return first_of(list(names), _NAMED)


def _quoted(name: str) -> str:
    """A name as SQL takes it: in quotation marks where it needs them."""
    plain = name.isascii() and name.isidentifier() and name == name.lower()
    return name if plain else '"' + name.replace('"', '""') + '"'
