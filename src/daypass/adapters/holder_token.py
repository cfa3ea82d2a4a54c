"""The grant token that a holder keeps, to end the grant with: a file that only its owner can read.

It is in `$XDG_STATE_HOME/daypass/<id>.token` (default `~/.local/state`), alone, so that
`VAULT_TOKEN=$(cat …) bao token revoke -self` ends it by hand. Its one use left is to end itself:
any use ends it. The file `<id>.accessor` beside it holds the name under which it says so in Vault,
and `<id>.vault` the Vault that it came from, with the digest of both: what was cut, swapped or
taken from another grant is found before it is sent anywhere. Vault cannot be asked whose a token
is: a look with it is its last use.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.adapters.home import find_state_folder, no_home
from daypass.adapters.new_file import NewFile
from daypass.errors import ClaimError
from daypass.model.canonical import digest_bytes
from daypass.model.delivery import Delivery, Origin
from daypass.model.instant import Instant
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

_LIMIT: Final = 4096  # bytes; a token has about 100
_WORD: Final = re.compile(r"[!-~]+")
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe of that name keeps none waiting
_KEPT: Final = (
    "It was sent nowhere, and is kept. If it is no use to you, remove it: `rm {path}`. The grant "
    "ends by `/done {id}` on its pull request."
)


@dataclass(frozen=True, slots=True)
class KeptToken:
    """A token as its claim kept it, to the letter."""

    token: Secret
    accessor: Secret
    origin: Origin
    at: Instant  # when it was kept

    @property
    def accessor_digest(self) -> str:
        """The digest of its accessor, as the evidence writes it."""
        return _digest(self.accessor)


def state_folder() -> Path:
    """Where daypass keeps what is this person's alone. Raises OSError: there is no home."""
    folder = find_state_folder()
    if folder is None:
        raise no_home()
    return folder


def token_path(grant_id: str) -> Path:
    """Where the token of that grant is, if its holder has claimed it here. Raises OSError."""
    return state_folder() / f"{grant_id}.token"


def has_place() -> bool:
    """Return whether a token could have been kept: a user without a home folder keeps none."""
    return find_state_folder() is not None


def keep(grant_id: str, token: Secret, accessor: Secret, origin: Origin) -> None:
    """Write the token and what belongs to it, in place of older ones. Raises OSError."""
    path = token_path(grant_id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A token beside another's accessor would say nothing: the old pair goes first.
    forget(grant_id)
    _write(_accessor_path(grant_id), accessor)
    # In the lines of a delivery, with the digest of the pair where that has the token.
    told = Delivery(Secret(_digest_of_pair(token, accessor)), origin, grant_id)
    _write(_origin_path(grant_id), told.to_text())
    _write(path, token)


def kept(grant_id: str) -> Secret | None:
    """The token that was kept; None if there is none. Raises OSError."""
    return _read(token_path(grant_id)) if has_place() else None


def kept_accessor(grant_id: str) -> Secret | None:
    """The accessor of that token; None if none was kept. Raises OSError."""
    return _read(_accessor_path(grant_id)) if has_place() else None


def find(grant_id: str) -> KeptToken | None:
    """What a claim on this machine kept of that grant; None if it kept nothing.

    Raises:
        ClaimError: a file is empty, cut, odd or another grant's. It is left as it is.
        OSError: it cannot be read.
    """
    if not has_place():
        return None
    path = token_path(grant_id)
    try:
        at = Instant.from_seconds(path.stat().st_mtime)
    except FileNotFoundError:
        return None
    token, accessor = kept(grant_id), kept_accessor(grant_id)
    if token is None:
        raise _odd(path, "it is empty")
    for item in (token, accessor):
        if item is not None and _WORD.fullmatch(item.reveal()) is None:
            raise _odd(path, "it holds characters that no token has")
    told = _told(grant_id)
    if told.grant_id != grant_id:
        raise _odd(path, f"it was kept for grant {told.grant_id}")
    is_pair = accessor is not None and told.token.reveal() == _digest_of_pair(token, accessor)
    if accessor is None or told.origin is None or not is_pair:
        raise _odd(path, "it, or its accessor, is not what the claim kept: it was cut, or replaced")
    return KeptToken(token, accessor, told.origin, at)


def _told(grant_id: str) -> Delivery:
    """What a claim has written beside the token. Raises ClaimError, OSError."""
    path = _origin_path(grant_id)
    told = _read(path)
    if told is None:
        why = "is empty" if path.exists() else "is missing: an older release kept it"
        raise _odd(token_path(grant_id), f"{path.name} beside it, which shows whose it is, {why}")
    try:
        return Delivery.from_text(Secret(f"{told.reveal()}\n"))
    except ValueError as error:
        raise _odd(path, str(error)) from None


def mark_opened(grant_id: str, delivery: str) -> None:
    """Note that this delivery, by its digest in the evidence, was opened here. Raises OSError."""
    path = _opened_path(grant_id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(path, Secret(delivery))


def opened_at(grant_id: str, delivery: str) -> Instant | None:
    """When that delivery was opened on this machine; None if it was not. Raises OSError."""
    if not has_place():
        return None
    path = _opened_path(grant_id)
    found = _read(path)
    if found is None or found.reveal() != delivery:
        return None
    return Instant.from_seconds(path.stat().st_mtime)


def forget(grant_id: str) -> None:
    """Remove it: the grant has ended. Raises OSError."""
    if not has_place():
        return
    for path in (
        token_path(grant_id),
        _accessor_path(grant_id),
        _origin_path(grant_id),
        _opened_path(grant_id),
    ):
        path.unlink(missing_ok=True)


def not_ours(grant_id: str, why: str) -> ClaimError:
    """Why the kept token is not used for that grant. Raises OSError."""
    return _odd(token_path(grant_id), why)


def _odd(path: Path, why: str) -> ClaimError:
    message = f"the token kept in {path} is not used: {why}"
    return ClaimError(message, remedy=_KEPT.format(path=path, id=path.stem))


def _digest(value: Secret) -> str:
    return digest_bytes(value.reveal().encode())


def _digest_of_pair(token: Secret, accessor: Secret) -> str:
    return digest_bytes(f"{token.reveal()}\n{accessor.reveal()}".encode())


def _opened_path(grant_id: str) -> Path:
    return token_path(grant_id).with_name(f"{grant_id}.opened")


def _accessor_path(grant_id: str) -> Path:
    return token_path(grant_id).with_name(f"{grant_id}.accessor")


def _origin_path(grant_id: str) -> Path:
    return token_path(grant_id).with_name(f"{grant_id}.vault")


def _write(path: Path, content: Secret) -> None:
    new = NewFile.create(path)
    try:
        new.write(content.reveal().encode("ascii"))
        new.take_place()
    finally:
        new.discard()


def _read(path: Path) -> Secret | None:
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no file", str(path))
    with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
        value = file.read(_LIMIT).strip()
    return Secret(value) if value else None
