"""What has to be mended in a Vault before daypass can be relied on. Nothing in it is changed."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from daypass.adapters.vault.compare import Found, State, compare, superfluous
from daypass.adapters.vault.engines import Engines
from daypass.adapters.vault.engines import examine as examine_engines
from daypass.adapters.vault.evidence_key import examine_versions
from daypass.adapters.vault.issuer import irrevocable_leases
from daypass.adapters.vault.look import look
from daypass.adapters.vault.target_findings import judge
from daypass.adapters.vault.transit import public_keys
from daypass.errors import DaypassError, VaultRefusedError
from daypass.ledger.sshsig import fingerprint
from daypass.model.resource import BREAK_GLASS_PREFIX

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from daypass.adapters.vault.session import Session
    from daypass.adapters.vault.steps import Setup

    Ids = Collection[str] | None

_NOT_THERE: Final = frozenset({int(HTTPStatus.NOT_FOUND), int(HTTPStatus.BAD_REQUEST)})
_FORBIDDEN: Final = frozenset({int(HTTPStatus.FORBIDDEN)})


def examine(session: Session, setup: Setup, grants: Ids = None) -> Iterator[Found]:
    """Everything that daypass relies on, sound or not.

    Databases are looked at where access/ names a role for it: that ends what should be gone.

    Args:
        session: logged in as an operator who may read the set-up.
        setup: what access/ asks for.
        grants: ids of the grants that may have a log-in; None when they are not known.

    Raises:
        VaultUnavailableError, VaultRefusedError: the operator's token may not look.
    """
    yield from map(_with_mending, compare(session, setup))
    pinned = _evidence_key(session, setup)
    yield pinned
    if pinned.state is State.SAME:
        yield examine_versions(session, setup.settings)
    for item in superfluous(session, setup):
        verb = "daypass vault apply" + ("" if item.goes_unasked else " --prune")
        kept = item.kept_by(session)
        detail = f"{item.why}: {kept or f'`{verb}` removes it'}"
        yield Found(item.title, State.DIFFERENT, detail)
    engines = Engines(session)
    yield from examine_engines(engines, setup.roles)
    yield from _targets(session, engines, setup, grants)
    yield _irrevocable(session)
    yield from _audit(session)


def _with_mending(found: Found) -> Found:
    """The same with the command that mends it, where one does.

    A role of the emergency lane that is missing says what fails until it is there.
    """
    if found.state not in (State.MISSING, State.DIFFERENT):
        return found
    mended = replace(found, mend=("daypass vault apply",))
    if found.state is not State.MISSING or BREAK_GLASS_PREFIX not in found.title:
        return mended
    detail = (
        "a policy opens its level to the emergency lane, and emergencies there fail until it is "
        "laid in"
    )
    return replace(mended, detail=detail)


def _evidence_key(session: Session, setup: Setup) -> Found:
    evidence, mount = setup.settings.evidence, setup.settings.vault.transit_mount
    title = "evidence key's fingerprint"
    if evidence.fingerprint is None:
        detail = "access/daypass.yaml names none: set spec.evidence.fingerprint"
        return Found(title, State.MISSING, detail)
    try:
        versions = public_keys(session, mount, evidence.key)
    except VaultRefusedError as error:
        return Found(title, State.WRONG, error.message)
    if evidence.fingerprint not in {fingerprint(raw) for raw in versions.values()}:
        return Found(title, State.WRONG, "no version of the key has the one in access/daypass.yaml")
    return Found(title, State.SAME)


def _targets(session: Session, engines: Engines, setup: Setup, grants: Ids) -> Iterator[Found]:
    """Looks at each database through the roles that access/ names for it."""
    seen: set[str] = set()
    for role in setup.roles:
        path = role.look_path
        if path is None or role.confirm is None or path in seen:
            continue
        seen.add(path)
        if not engines.role(role.mount, role.confirm):
            continue  # found missing already
        try:
            report = look(session, role.mount, role.confirm)
        except DaypassError as error:
            yield Found(f"target of {path}", State.WRONG, f"{error.message}. {error.remedy}")
        else:
            user = engines.vault_user(role.mount, role.confirm)
            yield from judge(report, path, user, grants, session.now())


def _irrevocable(session: Session) -> Found:
    """Vault gives up on a revocation after six tries: the credential then lives on unwatched."""
    title = "leases that Vault gave up revoking"
    count = irrevocable_leases(session)
    if not count:
        return Found(title, State.SAME)
    return Found(
        title,
        State.WRONG,
        f"{count}: whoever holds them can still log in. Mend the database, then "
        "`bao lease revoke -sync LEASE` each of `bao read sys/leases?type=irrevocable`",
    )


def _audit(session: Session) -> Iterator[Found]:
    """From inside a namespace it cannot be seen: then nothing is said."""
    title = "audit device"
    answer = session.call("GET", "sys/audit", accept=_NOT_THERE | _FORBIDDEN)
    if answer.errors:
        return
    if answer.data:
        yield Found(title, State.SAME)
    else:
        detail = "nothing records what is read and opened in this Vault"
        yield Found(title, State.MISSING, detail)
