"""The grant token that a holder keeps, to end the grant with: a file that only its owner can read.

It lies in `$XDG_STATE_HOME/daypass/<id>.token` (default `~/.local/state`), alone, so that
`VAULT_TOKEN=$(cat …) bao token revoke -self` ends it by hand. Its one use left is to end itself:
any use ends it. The file `<id>.accessor` beside it holds the name under which it says so in Vault.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from daypass.adapters.home import home_folder, no_home
from daypass.adapters.new_file import NewFile
from daypass.model.secret import Secret

_LIMIT: Final = 4096  # bytes; a token has about 100


def token_path(grant_id: str) -> Path:
    """Return where the token of that grant is, if its holder has claimed it on this machine.

    Raises OSError for a user without a home folder.
    """
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    # The XDG specification: a path that is not absolute is to be ignored.
    if not state.is_absolute():
        home = home_folder()
        if home is None:
            raise no_home()
        state = home / ".local" / "state"
    return state / "daypass" / f"{grant_id}.token"


def has_place() -> bool:
    """Return whether a token could have been kept: a user without a home folder keeps none."""
    return Path(os.environ.get("XDG_STATE_HOME", "")).is_absolute() or home_folder() is not None


def keep(grant_id: str, token: Secret, accessor: Secret | None = None) -> None:
    """Write both, in place of older ones. Raises OSError."""
    path = token_path(grant_id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A token beside another's accessor would say nothing: the old pair goes first.
    forget(grant_id)
    if accessor is not None:
        _write(_accessor_path(grant_id), accessor)
    _write(path, token)


def kept(grant_id: str) -> Secret | None:
    """The token that was kept; None if there is none. Raises OSError."""
    return _read(token_path(grant_id)) if has_place() else None


def kept_accessor(grant_id: str) -> Secret | None:
    """The accessor of that token; None where an older daypass kept it. Raises OSError."""
    return _read(_accessor_path(grant_id)) if has_place() else None


def forget(grant_id: str) -> None:
    """Remove it: the grant has ended."""
    if not has_place():
        return
    token_path(grant_id).unlink(missing_ok=True)
    _accessor_path(grant_id).unlink(missing_ok=True)


def _accessor_path(grant_id: str) -> Path:
    return token_path(grant_id).with_name(f"{grant_id}.accessor")


def _write(path: Path, content: Secret) -> None:
    new = NewFile.create(path)
    try:
        new.write(content.reveal().encode("ascii"))
        new.take_place()
    finally:
        new.discard()


def _read(path: Path) -> Secret | None:
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            value = file.read(_LIMIT).strip()
    except FileNotFoundError:
        return None
    return Secret(value) if value else None
