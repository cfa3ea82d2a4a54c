"""What has to be mended in a Vault before daypass can be relied on. Nothing is changed."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.vault.compare import Found, State, compare, superfluous
from daypass.adapters.vault.transit import public_keys
from daypass.errors import VaultRefusedError
from daypass.ledger.sshsig import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.adapters.vault.session import Session
    from daypass.adapters.vault.setup import Setup, TieredRole

_NOT_THERE: Final = frozenset({int(HTTPStatus.NOT_FOUND), int(HTTPStatus.BAD_REQUEST)})
_FORBIDDEN: Final = frozenset({int(HTTPStatus.FORBIDDEN)})


def examine(session: Session, setup: Setup) -> Iterator[Found]:
    """Everything that daypass relies on, sound or not.

    Args:
        session: logged in as an operator who may read the set-up.
        setup: what access/ asks for.

    Raises:
        VaultUnavailableError, VaultRefusedError: the operator's token may not look.
    """
    yield from compare(session, setup)
    yield _evidence_key(session, setup)
    for title, _ in superfluous(session, setup):
        yield Found(title, State.DIFFERENT, "access/ no longer names it: `vault apply --prune`")
    seen: set[tuple[str, str, int]] = set()
    for role in setup.roles:
        key = (role.mount, role.role, role.length.seconds)
        if key not in seen:
            seen.add(key)
            yield _engine_role(session, role)
    yield _irrevocable(session)
    yield from _audit(session)


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


def _engine_role(session: Session, role: TieredRole) -> Found:
    """The lease, and PostgreSQL's VALID UNTIL with it, must end with the tier: no sooner, no later.

    A token's end does not cap its lease, and a shorter lease ends the grant early.
    """
    path = f"{role.mount}/roles/{role.role}"
    title = f"role {path}"
    answer = session.call("GET", path, accept=_NOT_THERE | _FORBIDDEN)
    if answer.status in _FORBIDDEN:
        return Found(title, State.MISSING, f"there is no engine at {role.mount}/, or it is hidden")
    if answer.errors or not answer.data:
        return Found(title, State.MISSING, f"make it, with default_ttl = max_ttl = {role.length}")
    wrong = [
        f"{name} is {_seconds(answer.data.get(name))} s, and not {role.length.seconds} s"
        for name in ("default_ttl", "max_ttl")
        if _seconds(answer.data.get(name)) != role.length.seconds
    ]
    return Found(title, State.DIFFERENT if wrong else State.SAME, "; ".join(wrong))


def _irrevocable(session: Session) -> Found:
    """Vault gives up on a revocation after six tries: the credential then lives on unwatched."""
    title = "leases that Vault gave up revoking"
    count = session.call("GET", "sys/leases/count?type=irrevocable").data.get("lease_count")
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


def _seconds(value: Any) -> int:
    return value if isinstance(value, int) else 0
