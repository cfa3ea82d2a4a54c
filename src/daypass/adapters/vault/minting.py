"""One orphan token a grant: ordered exactly, wrapped, and compared with Vault's record of it.

Either the credential is read at once with the new token, inside a wrapping token (on-merge), or
the new token is itself created inside one (on-claim), and daypass never holds it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.vault.kv import number
from daypass.errors import VaultRefusedError
from daypass.lifecycle.ports import Minted
from daypass.model.instant import Instant
from daypass.model.resource import IssueMode
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.adapters.vault.answer import Answer
    from daypass.adapters.vault.session import Session
    from daypass.lifecycle.ports import MintOrder

# Engines whose credentials are read at `<mount>/creds/<role>`, and leased to the reading token.
READABLE_ENGINES: Final = frozenset({"database"})
# Uses of a grant token: 1 fails and 2 allows exactly one read (tried); a further one ends token
# and credential.
USES: Final = 2
# The warning that says that all is well: the role's cap is not below what was asked for.
_LESSER: Final = (
    "Explicit max TTL specified both during creation call and in role; "
    "using the lesser value of {ttl} seconds"
)
# Vault counts a token's end from its creation in whole seconds: where the second ends before it
# compares, it cuts what has passed since (seen: "29m59s" of "30m").
_CUT: Final = re.compile(
    r'TTL of "[0-9hms]+" exceeded the effective max_ttl of "(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?"; '
    r"TTL value is capped accordingly"
)
_SHORTER: Final = 5  # seconds by which that may shorten a token: it only takes time away
_CREATE: Final = "auth/token/create/"
_WRAPPING: Final = ["response-wrapping"]  # of a wrapping token; no token role can give it
# A token without an end is somebody else's (a root token): shown as ending with the calendar.
_NEVER: Final = Instant.parse("9999-12-31T23:59:59Z")


def check(order: MintOrder) -> None:
    """Refuse what Vault would silently turn into something else."""
    if order.engine not in READABLE_ENGINES:
        raise VaultRefusedError(
            f"daypass cannot mint from a secrets engine {order.engine!r}",
            remedy=f"Engines that it can mint from: {', '.join(sorted(READABLE_ENGINES))}.",
        )
    if order.ttl <= 0 or order.wrap_ttl <= 0:
        # A ttl of 0 becomes the role's cap, and a wrap ttl of 0 gives the answer in clear.
        raise VaultRefusedError(
            f"grant {order.grant_id} was ordered for no time at all",
            remedy="This is a bug in daypass: please report it. Nothing was minted.",
        )


def create(session: Session, order: MintOrder) -> Answer:
    """Create the grant token, inside a wrapping token if it is to be claimed."""
    body = wanted(order.grant_id, order.token_role, order.ttl, order.meta)
    wrap_ttl = order.wrap_ttl if _is_on_claim(order) else None
    return session.call("POST", _creation_path(order), body, wrap_ttl=wrap_ttl)


def wanted(
    grant_id: str, token_role: str, seconds: int, meta: Mapping[str, str]
) -> dict[str, object]:
    """What is asked of Vault for a grant's token, all of it."""
    ttl = f"{seconds}s"
    return {
        "policies": [token_role],
        "ttl": ttl,
        "explicit_max_ttl": ttl,
        "renewable": False,
        "no_default_policy": True,
        "num_uses": str(USES),  # as text: a policy can compare texts, and never meets numbers
        "display_name": f"grant-{grant_id}",
        "meta": dict(meta),
    }


def refuse_odd(created: Answer, grant_id: str, seconds: int) -> None:
    """Refuse every warning but those that say that all is well.

    Raises VaultRefusedError.
    """
    first, *others = created.warnings or ("",)
    well = first == _LESSER.format(ttl=seconds)
    if not well or not all(_is_cut_of_seconds(said, seconds) for said in others):
        created.refuse_warnings(f"minting grant {grant_id}")


def _is_cut_of_seconds(warning: str, seconds: int) -> bool:
    """Tell whether Vault cut no more than the seconds that its own work took."""
    found = _CUT.fullmatch(warning)
    if found is None:
        return False
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    return 0 <= seconds - (hours * 3600 + minutes * 60 + rest) <= _SHORTER


def accessor_of(order: MintOrder, created: Answer) -> str:
    """The accessor of the grant token (never that of a wrapping token: see the design)."""
    on_claim = _is_on_claim(order)
    about = created.wrap_info if on_claim else created.auth
    accessor = about.get("wrapped_accessor" if on_claim else "accessor")
    if not isinstance(accessor, str) or not accessor:
        raise _odd("its answer names no accessor")
    return accessor


def wrapping_of(session: Session, order: MintOrder, created: Answer) -> Mapping[str, Any]:
    """The wrapping token that is delivered, and where and when it was made."""
    refuse_odd(created, order.grant_id, order.ttl)
    if _is_on_claim(order):
        return created.wrap_info
    token = created.auth.get("client_token")
    if not isinstance(token, str) or not token:
        raise _odd("its answer holds no token")
    path = f"{order.mount}/creds/{order.role}"
    answer = session.call("GET", path, token=Secret(token), wrap_ttl=order.wrap_ttl)
    answer.refuse_warnings(f"GET {path}")
    return answer.wrap_info


def verified(
    order: MintOrder, accessor: str, wrapping: Mapping[str, Any], record: Mapping[str, Any]
) -> Minted:
    """What was minted, once Vault's own record of it says exactly what was ordered.

    For a token created inside a wrapping token this is the only look at it: the warnings of its
    creation lie in the wrapping token too. Raises VaultRefusedError, and KeyError, TypeError or
    ValueError for what is no record.
    """
    expected: dict[str, Any] = {
        "explicit_max_ttl": order.ttl,
        "policies": [order.token_role],
        "orphan": True,
        "renewable": False,
        "type": "service",
    }
    for name, value in expected.items():
        if record.get(name) != value:
            raise _odd(f"the token's {name} is not what was ordered")
    if not 0 <= order.ttl - number(record["creation_ttl"]) <= _SHORTER:
        raise _odd("the token's creation_ttl is not what was ordered")
    path = _creation_path(order) if _is_on_claim(order) else f"{order.mount}/creds/{order.role}"
    token = wrapping.get("token")
    if wrapping.get("creation_path") != path or not isinstance(token, str) or not token:
        raise _odd("the wrapping token was not made where it should have been")
    return Minted(
        accessor=accessor,
        token=Secret(token),
        not_before=Instant.parse(str(record["issue_time"])),
        not_after=expiry(record),
        wrapping_path=path,
        wrapping_time=str(wrapping["creation_time"]),
        wrapping_ttl=int(wrapping["ttl"]),
        wrapping_accessor=str(wrapping["accessor"]),
    )


def expiry(record: Mapping[str, Any]) -> Instant:
    """When Vault ends that token; the year 9999 for one that has no end. Raises KeyError."""
    text = record["expire_time"]
    if text is None:
        return _NEVER
    try:
        return Instant.parse(str(text))
    except ValueError:
        raise _odd("its expire_time cannot be read") from None


def began(record: Mapping[str, Any]) -> Instant | None:
    """When that token was made; None if Vault does not tell."""
    try:
        return Instant.parse(str(record.get("issue_time")))
    except ValueError:
        return None


def role_of(record: Mapping[str, Any]) -> str | None:
    """The token role that the token was made through, by what Vault keeps with it.

    The wrapping token of an on-claim grant has the path of what it wraps (tried), and no role.
    """
    if record.get("policies") == _WRAPPING:
        return None
    path = str(record.get("path") or "")
    return path.removeprefix(_CREATE) if path.startswith(_CREATE) else None


def gone() -> VaultRefusedError:
    """The error for a token that is gone before it was looked at."""
    return _odd("the token is gone already")


def _creation_path(order: MintOrder) -> str:
    return f"{_CREATE}{order.token_role}"


def _is_on_claim(order: MintOrder) -> bool:
    return order.issue is IssueMode.ON_CLAIM


def _odd(because: str) -> VaultRefusedError:
    return VaultRefusedError(
        f"Vault did not mint what was ordered: {because}",
        remedy="Run `daypass vault doctor`: a token role or a policy differs from access/. What "
        "was half made has been revoked.",
    )
