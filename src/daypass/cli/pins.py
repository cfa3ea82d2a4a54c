"""Pins: what main says of a repository against what this person's commands believe of it.

Every pin that the settings of main name, and every one that the clone's remote names, must agree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from daypass.adapters.known_repositories import (
    Pin,
    Pins,
    change_pins,
    key_of,
    normal_url,
    of_remote,
    of_settings,
    pins,
    pins_path,
    with_fingerprint,
)
from daypass.adapters.ssh_hosts import host_meant_by
from daypass.cli import output
from daypass.errors import ChangedPinError, DaypassError
from daypass.ledger.allowed_signers import Signers
from daypass.ledger.counting_signers import counting_signers
from daypass.ledger.history import read_tip

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from daypass.adapters.git import GitRepository
    from daypass.cli.remote_url import Place
    from daypass.cli.remotes import ChosenRemote
    from daypass.model.settings import GitHubSettings, Settings, VaultSettings

_KEY: Final = "evidence key"
_VAULT: Final = ("Vault address", "Vault namespace")
BY_KEY: Final = frozenset({_KEY})
BEYOND_GITHUB: Final = frozenset({_KEY, *_VAULT})  # an end that GitHub is asked for needs none
_NONE: Final = "none"
_SSH_PORT: Final = ("ssh.github.com", "github.com")  # where GitHub takes SSH on HTTPS's port
_COMPARE: Final = "Compare it with what your platform team published."


@dataclass(frozen=True, slots=True)
class Standing:
    """What is believed of a repository once main was compared with its pins."""

    is_first: bool  # nothing was pinned of it
    pins: tuple[Pin, ...] = ()  # those that main agrees with

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The evidence keys that are pinned."""
        return tuple({pin.fingerprint: None for pin in self.pins if pin.fingerprint})


@dataclass(frozen=True, slots=True)
class Governed:
    """Main of the governed repository, as its server or this clone has it."""

    settings: Settings  # of `commit`; their default branch is the server's
    commit: str
    remote: ChosenRemote
    standing: Standing  # against what is pinned
    is_sure: bool  # whether its key is pinned, or the way to it is its server's own

    @property
    def is_first(self) -> bool:
        """Whether nothing was known of it before this command."""
        return self.standing.is_first


def agrees(pin: Pin, settings: Settings) -> bool:
    """Tell whether settings say what is pinned of their repository."""
    return not tuple(differences(pin, settings))


def believed(github: GitHubSettings, places: Sequence[Place]) -> Mapping[str, Pin]:
    """Read all pins that count for a clone, by key. Raises what `pins` raises.

    Args:
        github: as the settings say.
        places: what the remotes name that the settings were read from.
    """
    return _counting(pins(), github, places)


def known_at(place: Place) -> Mapping[str, Pin]:
    """Read the pins of what the address of a remote names. Raises what `pins` raises."""
    return of_remote(pins(), place.address, lambda: hosts_of(place))


def hosts_of(place: Place) -> frozenset[str]:
    """List what the host of an SSH remote may be: as it is written, and as the person means it."""
    names = {place.host, host_meant_by(place.host)} - {""}
    there, here = _SSH_PORT
    return frozenset(here if name == there else name for name in names)


def _counting(known: Pins, github: GitHubSettings, places: Sequence[Place]) -> dict[str, Pin]:
    found = of_settings(known, github)
    for place in places:
        found |= of_remote(known, place.address, lambda: hosts_of(place))  # noqa: B023  -- called
    return found


def differences(pin: Pin, settings: Settings) -> Iterator[tuple[str, str, str]]:
    """List what differs: its name, what is pinned, what the settings say.

    A pinned key stays where settings name none; where none was pinned, the first one is taken.
    """
    now = Pin.of(settings)
    rows = (
        ("server", pin.server_url, now.server_url),
        ("repository id", str(pin.repository_id), str(now.repository_id)),
        ("GitHub API", pin.api_url, now.api_url),
        (_KEY, pin.fingerprint or now.fingerprint, now.fingerprint or pin.fingerprint),
        (_VAULT[0], pin.vault_address, now.vault_address),
        (_VAULT[1], pin.vault_namespace or _NONE, now.vault_namespace or _NONE),
    )
    return ((name, old or _NONE, new or _NONE) for name, old, new in rows if old != new)


def compare_and_pin(
    settings: Settings,
    commit: str,
    repository: GitRepository,
    fingerprints: Sequence[str],
    *,
    places: Sequence[Place] = (),
    may_pin: bool,
) -> Standing:
    """Compare main with all that is pinned of it; pin it at first use.

    Args:
        settings: those of `commit`.
        commit: main, as its server has it.
        repository: the clone, with main's history.
        fingerprints: keys that a person names: a changed one of these is taken.
        places: what the remotes name that main was read from.
        may_pin: whether the remote's address names the repository.

    Raises:
        ChangedPinError: something differs.
        IndeterminateError: the pins cannot be read.
    """
    github = settings.github
    known = believed(github, places)
    remotes = tuple(place.address for place in places[-1:] if place.is_ssh)

    def decide(found: Mapping[str, Pin]) -> dict[str, Pin]:
        new = {
            key: _with(remotes, _decided(pin, settings, commit, repository, fingerprints))
            for key, pin in found.items()
        }
        own = new.get(key_of(github)) or next(iter(new.values()), None)
        return {**new, key_of(github): own or _with(remotes, Pin.of(settings))}

    if not may_pin:
        return Standing(not known, tuple(decide(known).values()) if known else ())
    stands = key_of(github) in known
    if stands and all(pin == _with(remotes, _merged(pin, settings)) for pin in known.values()):
        return Standing(False, tuple(known.values()))
    try:
        decided = change_pins(lambda standing: decide(_counting(standing, github, places)))
    except (OSError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else "this user has no home"
        output.note(f"warning: what is believed of {github.full_name} is not remembered: {why}")
        decided = decide(known) if known else {}
    if not known:
        for line in first_use_lines(settings):
            output.note(line)
    return Standing(not known, tuple(decided.values()))


def accept(settings: Settings, places: Sequence[Place] = ()) -> None:
    """Pin what settings say, in place of all that counts. Raises what `change_pins` raises."""
    github = settings.github

    def change(standing: Pins) -> dict[str, Pin | None]:
        found = _counting(standing, github, places)
        remotes = {text: None for pin in found.values() for text in pin.remotes}
        remotes |= {place.address: None for place in places[-1:] if place.is_ssh}
        new = replace(Pin.of(settings), remotes=tuple(remotes), is_confirmed=True)
        return {**dict.fromkeys(found), key_of(github): new}

    change_pins(change)


def _merged(pin: Pin, settings: Settings) -> Pin:
    now = replace(Pin.of(settings), remotes=pin.remotes, is_confirmed=pin.is_confirmed)
    return now if now.fingerprint else with_fingerprint(now, pin.fingerprint)


def _with(remotes: Sequence[str], pin: Pin) -> Pin:
    new = [text for text in remotes if text not in pin.remotes]
    return replace(pin, remotes=(*pin.remotes, *new)) if new else pin


def _decided(
    standing: Pin,
    settings: Settings,
    commit: str,
    repository: GitRepository,
    fingerprints: Sequence[str],
) -> Pin:
    """The pin that is to stand. Raises ChangedPinError."""
    now = _merged(standing, settings)
    changed = tuple(differences(standing, settings))
    if [name for name, *_ in changed] == [_KEY]:
        if now.fingerprint in fingerprints:
            return now
        if _was_handed_over(standing, now, commit, repository):
            output.note(
                f"{settings.github.full_name}: the pinned evidence key has handed over to "
                f"{now.fingerprint}, which is pinned now"
            )
            return now
        if _is_to_follow(standing, now, commit, repository):
            output.note(
                f"{settings.github.full_name}: main names the evidence key {now.fingerprint}, and "
                "the pinned one has not handed over to it yet: the pinned one counts"
            )
            return with_fingerprint(now, standing.fingerprint)
    if changed:
        raise changed_pin(settings.github, changed)
    return now


def _is_to_follow(old: Pin, new: Pin, commit: str, repository: GitRepository) -> bool:
    """Tell whether main lists the other key, and the pinned one has signed its newest evidence.

    So it is between the pull request of a rotation and the run that hands over.
    """
    try:
        ours, theirs = (
            (counting_signers(repository, commit, [pin.fingerprint or ""]) or Signers(())).all()
            for pin in (old, new)
        )
        if not all(
            pin.fingerprint in {signer.fingerprint for signer in signers}
            for pin, signers in ((old, ours), (new, theirs))
        ):
            return False
        mine, newest = (
            read_tip(repository.walk(commit), Signers(signers))
            for signers in (ours, [*ours, *theirs])
        )
    except DaypassError:
        return False
    return mine is not None and newest is not None and mine.commit == newest.commit


def _was_handed_over(old: Pin, new: Pin, commit: str, repository: GitRepository) -> bool:
    """Tell whether the pinned key itself signed, on main, that the other follows it."""
    if old.fingerprint is None:
        return False
    try:
        signers = counting_signers(repository, commit, [old.fingerprint])
    except DaypassError:
        return False
    found = {signer.fingerprint for signer in signers.all()} if signers is not None else set()
    return {old.fingerprint, new.fingerprint} <= found


def changed_pin(github: GitHubSettings, changed: Sequence[tuple[str, str, str]]) -> ChangedPinError:
    """Make the error of what differs from what is pinned."""
    said = "; ".join(f"the {name} is {new!a}, and {old!a} is pinned" for name, old, new in changed)
    key = " or, for the key alone, name it: `--fingerprint SHA256:…`" * any(
        name == _KEY for name, *_ in changed
    )
    return ChangedPinError(
        f"main of {github.full_name} is not what your commands believe: {said}. No token and no "
        "secret was sent",
        remedy=f"{_COMPARE} If the change is right, accept it: `daypass trust`{key}.",
    )


def first_use_lines(settings: Settings) -> Iterator[str]:
    """Say what is believed of a repository from now on."""
    yield f"first use of {settings.github.full_name} here; your commands believe from now on:"
    yield from _compared_lines(settings)


def shown_lines(settings: Settings) -> Iterator[str]:
    """Say what main says of itself, where nothing vouches for it."""
    yield f"main of this clone calls itself {settings.github.full_name}, and nothing else does:"
    yield from _compared_lines(settings)


def _compared_lines(settings: Settings) -> Iterator[str]:
    yield from pin_lines(settings.github, Pin.of(settings))
    yield f"  {_COMPARE}"


def pin_lines(github: GitHubSettings, pin: Pin) -> Iterator[str]:
    """Show a pin, a line for each of what it holds."""
    yield f"  repository  {github.server_url}/{github.full_name}, id {pin.repository_id}"
    yield f"  GitHub API  {pin.api_url}"
    yield f"  evidence    {pin.fingerprint or 'no key is named yet'}"
    namespace = f", namespace {pin.vault_namespace}" if pin.vault_namespace else ""
    yield f"  Vault       {pin.vault_address}{namespace}"


def vault_differs(pin: Pin, vault: VaultSettings) -> bool:
    """Tell whether settings name another Vault, or another namespace, than what is pinned."""
    return (normal_url(vault.address), vault.namespace) != (pin.vault_address, pin.vault_namespace)


def where_pins_are() -> str:
    """Say where the pins are, for a sentence."""
    try:
        return str(pins_path())
    except RuntimeError:
        return "nowhere: this user has no home"
