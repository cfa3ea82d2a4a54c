"""Looking at a database through Vault: what still works there, and what is left open.

Vault has no way to ask a database anything. So the role that looks answers by an error: its
creation statements end what should be gone, and raise what they found. Nothing is made, and nothing
is leased.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from daypass.adapters.vault import failures
from daypass.errors import DaypassError, VaultRefusedError, VaultUnavailableError
from daypass.model.postgresql import LOOK_WORD
from daypass.model.target import TargetReport

if TYPE_CHECKING:
    from daypass.adapters.vault.session import Session

_ANSWERS: Final = frozenset({int(HTTPStatus.BAD_REQUEST), int(HTTPStatus.INTERNAL_SERVER_ERROR)})
_SETUP: Final = "docs/database.md holds its statements; `daypass vault doctor` compares them."


def look(session: Session, mount: str, role: str) -> TargetReport:
    """Ends what should be gone at a target, and returns what was found there.

    Args:
        session: logged in as the bot, or as an operator.
        mount: of the database engine.
        role: the Vault role that looks; it must make no log-in.

    Raises:
        VaultUnavailableError: Vault or the database does not answer.
        VaultRefusedError: the role is missing, is another's, or makes a log-in.
    """
    path = f"{mount}/creds/{role}"
    answer = session.call("GET", path, accept=_ANSWERS)
    if not answer.errors:
        _give_back(session, answer.lease_id)
        raise VaultRefusedError(
            f"the role {mount}/{role} made a log-in, and did not look: it was given back",
            remedy=f"Name the role that looks in `confirm`. {_SETUP}",
        )
    text = "\n".join(answer.errors)
    report = TargetReport.find(text)
    if report is not None:
        return report
    if LOOK_WORD in text:
        raise VaultRefusedError(
            f"the role {mount}/{role} answered what this release of daypass cannot read",
            remedy=f"Write the role anew. {_SETUP}",
        )
    if "unknown role" in text or "not an allowed role" in text:
        raise VaultRefusedError(
            f"there is no role {mount}/{role} that could look: {failures.quoted(answer.errors)}",
            remedy=f"Make it, and name it in the connection's `allowed_roles`. {_SETUP}",
        )
    raise VaultUnavailableError(
        f"the target of {mount}/{role} could not be looked at: {failures.quoted(answer.errors)}",
        remedy=f"Mend what Vault names: the next run looks again. {_SETUP}",
    )


def _give_back(session: Session, lease: str) -> None:
    """Ends a log-in that should not have been made. If that fails, its lease ends it."""
    if not lease:
        return
    try:
        session.call("POST", "sys/leases/revoke", {"lease_id": lease, "sync": True})
    except DaypassError:
        return
