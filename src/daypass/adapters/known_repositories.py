"""Known repositories: what this person's commands have believed of each, as `known_hosts` does.

A command believes what main of a governed repository says: where Vault and GitHub's API are, which
key signs, which number GitHub gave the repository. The first use writes that down, in
`$XDG_STATE_HOME/daypass/known_repositories.json` (default `~/.local/state`); every later use is
compared with it before a token or a secret goes anywhere.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.git.lending import read_address
from daypass.adapters.new_file import NewFile
from daypass.errors import IndeterminateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from daypass.model.settings import GitHubSettings, Settings

_NAME: Final = "known_repositories.json"
_VERSION: Final = 1
_LIMIT: Final = 1 << 20  # bytes
_KEY: Final = re.compile(r"https?://[^\s/]+/[^\s/]+/[^\s/]+")


@dataclass(frozen=True, slots=True)
class Pin:
    """What is believed of one repository."""

    repository_id: int
    api_url: str
    fingerprint: str | None  # of the evidence key; None: the settings named none
    vault_address: str
    vault_namespace: str | None
    branch: str  # the default branch when the server was last asked; never compared

    @classmethod
    def of(cls, settings: Settings) -> Pin:
        """Build the pin of settings that main holds."""
        github, vault = settings.github, settings.vault
        return cls(
            github.repository_id,
            normal_url(github.api_url),
            settings.evidence.fingerprint,
            normal_url(vault.address),
            vault.namespace,
            github.default_branch,
        )


def key_of(github: GitHubSettings) -> str:
    """Name a repository by its server and its name, in lower case."""
    return f"{normal_url(github.server_url)}/{github.full_name.lower()}"


def normal_url(url: str) -> str:
    """Write a URL one way: host in lower case, no default port, no slash at the end."""
    address = read_address(url)
    if address is None:
        return url.rstrip("/")
    port = "" if address.port is None else f":{address.port}"
    path = address.path.rstrip("/")
    return f"{address.scheme}://{address.host}{port}" + (f"/{path}" if path else "")


def pins_path() -> Path:
    """Say where the pins are. Raises RuntimeError where this user has no home."""
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    # The XDG specification: a path that is not absolute is to be ignored.
    home = state if state.is_absolute() else Path.home() / ".local" / "state"
    return home / "daypass" / _NAME


def pins() -> Mapping[str, Pin]:
    """Read all pins, by key; none where nothing was written yet, or there is no home.

    Raises IndeterminateError where the file cannot be read, or is odd.
    """
    try:
        path = pins_path()
    except RuntimeError:
        return {}
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise _odd(path, str(error.strerror)) from None
    try:
        return _read(content)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _odd(path, f"it is not what daypass writes ({type(error).__name__})") from None


def find_pin(github: GitHubSettings) -> Pin | None:
    """Read the pin of a repository. Raises what `pins` raises."""
    return pins().get(key_of(github))


def is_known_server(server_url: str) -> bool:
    """Tell whether a repository of that server is pinned. Raises what `pins` raises."""
    start = f"{normal_url(server_url)}/"
    return any(key.startswith(start) for key in pins())


def write_pin(github: GitHubSettings, decide: Callable[[Pin | None], Pin]) -> Pin:
    """Write the pin that `decide` makes of the one that stands, while no other command does.

    Returns:
        that pin.

    Raises:
        OSError, RuntimeError: nothing can be remembered here.
        IndeterminateError: the file is odd.
        What `decide` raises: nothing is written then.
    """
    path = pins_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(path):
        known, key = dict(pins()), key_of(github)
        pin = decide(known.get(key))
        if known.get(key) != pin:
            known[key] = pin
            _write(path, known)
        return pin


def with_fingerprint(pin: Pin, fingerprint: str | None) -> Pin:
    """Change nothing of a pin but the evidence key."""
    return replace(pin, fingerprint=fingerprint)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path.with_name(f".{_NAME}.lock"), flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, known: Mapping[str, Pin]) -> None:
    value = {
        "version": _VERSION,
        "repositories": {key: asdict(pin) for key, pin in sorted(known.items())},
    }
    new = NewFile.create(path)
    try:
        new.write((json.dumps(value, indent=2) + "\n").encode())
        new.take_place()
    finally:
        new.discard()


def _read(content: bytes) -> dict[str, Pin]:
    if len(content) > _LIMIT:
        raise ValueError("too long")
    value: Any = json.loads(content)
    if value["version"] != _VERSION:
        raise ValueError("another version")
    return {_key(key): _pin(item) for key, item in value["repositories"].items()}


def _key(text: str) -> str:
    if _KEY.fullmatch(text) is None or text != text.lower():
        raise ValueError("no repository")
    return text


def _pin(item: Mapping[str, Any]) -> Pin:
    pin = Pin(**item)
    texts: tuple[object, ...] = (pin.api_url, pin.vault_address, pin.branch)
    maybe: tuple[object, ...] = (pin.fingerprint, pin.vault_namespace)
    if (
        type(pin.repository_id) is not int
        or not all(isinstance(text, str) and text for text in texts)
        or not all(text is None or isinstance(text, str) for text in maybe)
    ):
        raise TypeError("a field is of another type")
    return pin


def _odd(path: Path, why: str) -> IndeterminateError:
    return IndeterminateError(
        f"{path} cannot be used: {why}. It says which repositories your commands believe, so "
        "nothing was sent anywhere",
        remedy=f"Look at it. To begin anew, move it away (`mv {path} {path}.old`): the next "
        "command shows what it then believes, as at first use.",
    )
