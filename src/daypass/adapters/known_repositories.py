"""Known repositories: what this person's commands have believed of each, as `known_hosts` does.

A command believes what main of a governed repository says: where Vault and GitHub's API are, which
key signs, which number GitHub gave the repository. The first use writes that down, in
`$XDG_STATE_HOME/daypass/known_repositories.json` (default `~/.local/state`); every later use is
compared with it before a token or a secret goes anywhere. A pin is found by what main names (the
server and the name, or the number), and by what the clone's own remote names: so a main that names
another server is a change, and never a first use.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.git.lending import read_address
from daypass.adapters.home import find_state_folder
from daypass.adapters.new_file import NewFile
from daypass.errors import IndeterminateError, OddPinsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from daypass.model.settings import GitHubSettings, Settings

    Change = Callable[["Pins"], Mapping[str, "Pin | None"]]

_NAME: Final = "known_repositories.json"
_VERSION: Final = 1
_OTHERS_WRITE: Final = 0o022
_LIMIT: Final = 1 << 20  # bytes
_KEY: Final = re.compile(r"https?://[^\s/]+/[^\s/]+/[^\s/]+")
_SSH: Final = re.compile(r"ssh://[^\s/]+/[^\s/]+/[^\s/]+")


@dataclass(frozen=True, slots=True)
class Pin:
    """What is believed of one repository."""

    server_url: str  # the first part of its key
    repository_id: int
    api_url: str
    fingerprint: str | None  # of the evidence key; None: the settings named none
    vault_address: str
    vault_namespace: str | None
    branch: str  # the default branch when the server was last asked; never compared
    remotes: tuple[str, ...] = ()  # over SSH, as clones write them: ssh://HOST/OWNER/NAME
    is_confirmed: bool = False  # whether a person named that Vault, or said yes to it

    @classmethod
    def of(cls, settings: Settings) -> Pin:
        """Build the pin of settings that main holds."""
        github, vault = settings.github, settings.vault
        return cls(
            normal_url(github.server_url),
            github.repository_id,
            normal_url(github.api_url),
            settings.evidence.fingerprint,
            normal_url(vault.address),
            vault.namespace,
            github.default_branch,
        )


class Pins(dict[str, Pin]):
    """All pins by key, and the odd entries: one stops the commands for its name alone."""

    def __init__(self, known: Mapping[str, Pin], odd: Mapping[str, Any]) -> None:
        """Take the pins, and the odd entries as they are."""
        super().__init__(known)
        self.odd = dict(odd)

    def demand_whole(self, name: str) -> None:
        """Raise OddPinsError where an entry of that owner/name is odd, on whatever server."""
        for key in self.odd:
            if key.lower().endswith(f"/{name}"):
                raise _odd(pins_path(), f"its entry {key!a} is not what daypass writes")


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
    folder = find_state_folder()
    if folder is None:
        raise RuntimeError("this user has no home folder")
    return folder / _NAME


def pins() -> Pins:
    """Read all pins, by key; none where nothing was written yet, or there is no home.

    Raises OddPinsError where the file cannot be read, or is odd.
    """
    try:
        path = pins_path()
    except RuntimeError:
        return Pins({}, {})
    try:
        with path.open("rb") as file:
            why = _not_own(os.fstat(file.fileno()))
            content = file.read(_LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        return Pins({}, {})
    except OSError as error:
        raise _odd(path, str(error.strerror)) from None
    if why:
        raise _odd(path, why)
    try:
        return _read(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _odd(path, f"it is not what daypass writes ({type(error).__name__})") from None


def find_pin(github: GitHubSettings) -> Pin | None:
    """Read the pin of a repository by the name that settings give it. Raises what `pins` raises."""
    return pins().get(key_of(github))


def of_settings(known: Pins, github: GitHubSettings) -> dict[str, Pin]:
    """Choose the pins of the repository that settings name, by its name and by its number.

    Servers count by themselves, so a number tells on its own server, or with the same name. Raises
    OddPinsError where an entry of that name is odd.
    """
    known.demand_whole(github.full_name.lower())
    key, server = key_of(github), normal_url(github.server_url)
    name = f"/{github.full_name.lower()}"
    return {
        other: pin
        for other, pin in known.items()
        if other == key
        or (
            pin.repository_id == github.repository_id
            and (pin.server_url == server or other.endswith(name))
        )
    }


def of_remote(known: Pins, address: str, hosts: Callable[[], frozenset[str]]) -> dict[str, Pin]:
    """Choose the pins of the repository that the address of a clone's remote names.

    Args:
        known: all pins.
        address: `https://HOST/OWNER/NAME`, or `ssh://HOST/OWNER/NAME` with the host as written.
        hosts: what that SSH host may be; asked only where a pin has that name.

    Raises OddPinsError where an entry of that name is odd.
    """
    known.demand_whole("/".join(address.rsplit("/", 2)[1:]))
    if not address.startswith("ssh://"):
        return {key: pin for key, pin in known.items() if key == address}
    name = "/" + "/".join(address.rsplit("/", 2)[1:])
    named = {key: pin for key, pin in known.items() if key.endswith(name)}
    meant = hosts() if named else frozenset()
    return {
        key: pin
        for key, pin in known.items()
        if address in pin.remotes or (key in named and _host(pin.server_url) in meant)
    }


def is_known_server(server_url: str) -> bool:
    """Tell whether a repository of that server is pinned. Raises what `pins` raises."""
    start = f"{normal_url(server_url)}/"
    return any(key.startswith(start) for key in pins())


def change_pins(change: Change) -> Mapping[str, Pin]:
    """Write the pins that `change` makes of those that stand, while no other command does.

    What it does not return stays; None removes a pin.

    Returns:
        the pins that it has made.

    Raises:
        OSError, RuntimeError: nothing can be remembered here.
        IndeterminateError: the file is odd, or a pin could not be read back.
        What `change` raises: nothing is written then.
    """
    path = pins_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(path):
        known = pins()
        made = change(known)
        new = {key: pin for key, pin in {**known, **made}.items() if pin is not None}
        if new != known:
            _write(path, Pins(new, known.odd))
        return {key: pin for key, pin in made.items() if pin is not None}


def with_fingerprint(pin: Pin, fingerprint: str | None) -> Pin:
    """Change nothing of a pin but the evidence key."""
    return replace(pin, fingerprint=fingerprint)


def _host(url: str) -> str:
    address = read_address(url)
    return "" if address is None else address.host.strip("[]")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path.with_name(f".{_NAME}.lock"), flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, known: Pins) -> None:
    written = {key: _fields(pin) for key, pin in known.items()}
    value = {
        "version": _VERSION,
        "repositories": dict(sorted((known.odd | written).items())),
    }
    content = (json.dumps(value, indent=2) + "\n").encode()
    try:
        again = _read(content)
        is_readable = (again, again.odd) == (known, known.odd)
    except (ValueError, KeyError, TypeError):
        is_readable = False
    if not is_readable:
        raise IndeterminateError(
            "what main says of its repository cannot be pinned: its addresses are odd. Nothing was "
            "sent anywhere",
            remedy="Compare `spec.github` and `spec.vault` of access/daypass.yaml on main with "
            "what your platform team published.",
        )
    new = NewFile.create(path)
    try:
        new.write(content)
        new.take_place()
    finally:
        new.discard()


def _fields(pin: Pin) -> dict[str, Any]:
    fields = asdict(pin)
    del fields["server_url"]  # its key says it
    return fields


def _not_own(found: os.stat_result) -> str:
    """Say why a file may be another user's word; empty where it is this user's own."""
    if found.st_uid != os.geteuid():
        return "it belongs to another user"
    if found.st_mode & _OTHERS_WRITE:
        return "other users can write to it"
    return ""


def _read(content: bytes) -> Pins:
    if len(content) > _LIMIT:
        raise ValueError("too long")
    value: Any = json.loads(content)
    if value["version"] != _VERSION:
        raise ValueError("another version")
    known: dict[str, Pin] = {}
    odd: dict[str, Any] = {}
    for key, item in value["repositories"].items():
        try:
            known[key] = _pin(_key(key), item)
        except (ValueError, KeyError, TypeError, AttributeError):
            odd[key] = item
    return Pins(known, odd)


def _key(text: str) -> str:
    if _KEY.fullmatch(text) is None or text != text.lower():
        raise ValueError("no repository")
    return text


def _pin(key: str, item: Mapping[str, Any]) -> Pin:
    remotes = item.get("remotes", [])
    pin = Pin(**{**item, "server_url": key.rsplit("/", 2)[0], "remotes": tuple(remotes)})
    texts: tuple[object, ...] = (pin.api_url, pin.vault_address, pin.branch)
    maybe: tuple[object, ...] = (pin.fingerprint, pin.vault_namespace)
    if (
        (type(pin.repository_id), type(pin.is_confirmed)) != (int, bool)
        or not all(isinstance(text, str) and text for text in texts)
        or not all(text is None or isinstance(text, str) for text in maybe)
        or not isinstance(remotes, list)
        or not all(isinstance(text, str) and _SSH.fullmatch(text) for text in remotes)
    ):
        raise TypeError("a field is of another type")
    return pin


def _odd(path: Path, why: str) -> OddPinsError:
    return OddPinsError(
        f"{path} cannot be used: {why}. It says which repositories your commands believe, so "
        "nothing was sent anywhere",
        remedy=f"Look at it. To begin anew, move it away (`mv {path} {path}.old`): the next "
        "command shows what it then believes, as at first use.",
    )
