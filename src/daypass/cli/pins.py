"""Pins: what main says of a repository against what this person's commands believe of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.adapters.known_repositories import (
    Pin,
    find_pin,
    normal_url,
    pins_path,
    with_fingerprint,
    write_pin,
)
from daypass.cli import output
from daypass.errors import ChangedPinError, DaypassError
from daypass.ledger.allowed_signers import Signers
from daypass.ledger.counting_signers import counting_signers
from daypass.ledger.history import read_tip

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daypass.adapters.git import GitRepository
    from daypass.model.settings import GitHubSettings, Settings, VaultSettings

_KEY: Final = "evidence key"
_NONE: Final = "none"
_COMPARE: Final = "Compare it with what your platform team published."


def agrees(pin: Pin, settings: Settings) -> bool:
    """Tell whether settings say what is pinned of their repository."""
    return not tuple(differences(pin, settings))


def differences(pin: Pin, settings: Settings) -> Iterator[tuple[str, str, str]]:
    """List what differs: its name, what is pinned, what the settings say.

    A pinned key stays where settings name none; where none was pinned, the first one is taken.
    """
    now = Pin.of(settings)
    rows = (
        ("repository id", str(pin.repository_id), str(now.repository_id)),
        ("GitHub API", pin.api_url, now.api_url),
        (_KEY, pin.fingerprint or now.fingerprint, now.fingerprint or pin.fingerprint),
        ("Vault address", pin.vault_address, now.vault_address),
        ("Vault namespace", pin.vault_namespace or _NONE, now.vault_namespace or _NONE),
    )
    return ((name, old or _NONE, new or _NONE) for name, old, new in rows if old != new)


def compare_and_pin(
    settings: Settings,
    commit: str,
    repository: GitRepository,
    fingerprints: Sequence[str],
    *,
    may_pin: bool,
) -> bool:
    """Compare main with what is pinned; pin it at first use; whether this is the first use.

    Args:
        settings: those of `commit`.
        commit: main, as its server has it.
        repository: the clone, with main's history.
        fingerprints: keys that a person names: a changed one of these is taken.
        may_pin: whether the remote's address names the repository.

    Raises:
        ChangedPinError: something differs.
        IndeterminateError: the pins cannot be read.
    """
    github = settings.github
    known = find_pin(github)
    now = _merged(known, settings)
    if known == now:
        return False
    if known is None and not may_pin:
        return True

    def decide(standing: Pin | None) -> Pin:
        return _decided(standing, settings, commit, repository, fingerprints)

    try:
        write_pin(github, decide)
    except (OSError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else "this user has no home"
        decide(known)
        output.note(f"warning: what is believed of {github.full_name} is not remembered: {why}")
    if known is None:
        for line in first_use_lines(settings):
            output.note(line)
    return known is None


def accept(settings: Settings) -> Pin:
    """Pin what settings say, in place of what is pinned. Raises what `write_pin` raises."""
    return write_pin(settings.github, lambda standing: _merged(standing, settings, anew=True))


def _merged(pin: Pin | None, settings: Settings, *, anew: bool = False) -> Pin:
    now = Pin.of(settings)
    return now if pin is None or anew or now.fingerprint else with_fingerprint(now, pin.fingerprint)


def _decided(
    standing: Pin | None,
    settings: Settings,
    commit: str,
    repository: GitRepository,
    fingerprints: Sequence[str],
) -> Pin:
    """The pin that is to stand. Raises ChangedPinError."""
    now = _merged(standing, settings)
    if standing is None:
        return now
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
