"""Vault, for a person: a token goes to the Vault that is pinned, or that its owner names.

An operator's token opens everything, a holder's delivery its grant: neither goes to an address only
because a file says so.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from daypass.adapters.known_repositories import change_pins, normal_url, of_settings, pins
from daypass.cli import confirmation, output
from daypass.cli.governed import governed
from daypass.cli.pins import changed_pin, differences, vault_differs
from daypass.cli.this_command import remembered
from daypass.errors import ForgeRefusedError, GitError, IndeterminateError, TemporaryError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from daypass.adapters.known_repositories import Pin, Pins
    from daypass.adapters.vault.client import Client
    from daypass.adapters.vault.own_token import OwnToken
    from daypass.adapters.vault.session import Session
    from daypass.model.settings import Settings, VaultSettings

_ADDRESSES: Final = ("BAO_ADDR", "VAULT_ADDR")
_NAMESPACES: Final = ("BAO_NAMESPACE", "VAULT_NAMESPACE")
_ROOT: Final = "root"


def assert_meant(vault: VaultSettings) -> bool:
    """Compare settings with the Vault that the environment names; whether it names one.

    Raises IndeterminateError where the two differ.
    """
    named = {name: os.environ.get(name, "").strip() for name in (*_ADDRESSES, *_NAMESPACES)}
    for name in _ADDRESSES:
        if named[name] and normal_url(named[name]) != normal_url(vault.address):
            raise _another(name, named[name], f"the settings say {vault.address}")
    for name in _NAMESPACES:
        if named[name] and _namespace(named[name]) != _namespace(vault.namespace or ""):
            here = f"the settings say {vault.namespace or 'none'}"
            raise _another(name, named[name], here)
    return any(named[name] for name in _ADDRESSES)


def holder_client(
    directory: Path, settings: Settings, folder: Path, *, is_known: bool = False
) -> Client:
    """Open Vault for a holder's delivery, or for the token of their grant.

    Args:
        directory: the clone.
        settings: those by which the grant was issued.
        folder: where the file of Vault's authorities is.
        is_known: whether the token is known to come from that Vault.

    Raises:
        ChangedPinError: they name another Vault than what is pinned.
        IndeterminateError: the environment names another, the pins cannot be read, or nothing but
            a clone whose remote can be anything says that it is the right one.
        VaultRefusedError: the file of authorities is missing.
    """
    from daypass.adapters.vault.client import Client

    is_named = assert_meant(settings.vault)
    told = remembered(directory)
    known = _pins_of(directory, settings)
    if known:
        _demand_pinned(known, settings)
    elif not (is_named or is_known) and (told is None or not told.is_sure):
        _demand_word(settings.vault, "What is sealed for you")
    return Client(settings.vault, directory=folder)


def operator_session(
    directory: Path, settings: Settings, token: OwnToken, folder: Path, *, is_job: bool
) -> Session:
    """Log in to Vault with an operator's own token.

    Args:
        directory: the clone.
        settings: which name the Vault.
        token: the operator's.
        folder: where the file of Vault's authorities is.
        is_job: whether this is a job, which has no terminal and no pins: its workflow names Vault.

    Raises:
        ChangedPinError: the settings name another Vault than what is pinned.
        IndeterminateError: the environment names another, or only the settings name it.
        VaultRefusedError: the token cannot be one.
    """
    from daypass.adapters.vault.session import login_token

    is_named = assert_meant(settings.vault)
    if is_job:
        _demand_named(settings.vault, is_named=is_named)
    else:
        _demand_known(directory, settings, is_named=is_named)
    return login_token(settings.vault, token, folder)


def _demand_named(vault: VaultSettings, *, is_named: bool) -> None:
    """Let a job's Vault token go where its workflow says. Raises IndeterminateError."""
    if not is_named:
        raise IndeterminateError(
            f"this job has a Vault token and names no Vault, so only access/daypass.yaml says that "
            f"it is for {vault.address}: the token was not sent",
            remedy="Set VAULT_ADDR in the workflow, to the Vault that gave the token.",
        )


def _demand_known(directory: Path, settings: Settings, *, is_named: bool) -> None:
    """Let an operator's token go where a person confirmed, or where its owner says now."""
    if not of_settings(pins(), settings.github):
        # What is checked out is not believed where main says something.
        with suppress(GitError, ForgeRefusedError, TemporaryError):
            governed(directory)
    known = _pins_of(directory, settings)
    _demand_pinned(known, settings)
    if known and all(pin.is_confirmed for pin in known):
        return
    if not is_named:
        _demand_word(settings.vault, "Your Vault token")
    _confirm(settings)


def _confirm(settings: Settings) -> None:
    """Note that a person named that Vault, or said yes to it, where that can be noted."""

    def change(standing: Pins) -> dict[str, Pin]:
        return {
            key: replace(pin, is_confirmed=True)
            for key, pin in of_settings(standing, settings.github).items()
            if not vault_differs(pin, settings.vault)
        }

    with suppress(OSError, RuntimeError):
        change_pins(change)


def _pins_of(directory: Path, settings: Settings) -> tuple[Pin, ...]:
    """The pins of a clone: those that its main agrees with, else those of the settings."""
    told = remembered(directory)
    if told is not None and told.standing.pins:
        return told.standing.pins
    return tuple(of_settings(pins(), settings.github).values())


def _demand_word(vault: VaultSettings, what: str) -> None:
    """Ask at the terminal whether a secret is to go to that Vault. Raises IndeterminateError."""
    where = vault.address + (f", namespace {vault.namespace}" if vault.namespace else "")
    if confirmation.is_watched() and confirmation.answers_yes(
        f"{what} was not sent to {output.printable(where)} before. Send it there?"
    ):
        return
    remedy = f"If that is your Vault, name it: `export VAULT_ADDR={vault.address}`."
    if output.in_job():  # which has no pins
        remedy = "Set VAULT_ADDR in the workflow, to the address of your Vault."
    else:
        remedy += " Or look at `daypass trust`, and run the command again."
    raise IndeterminateError(
        f"nothing but the settings says yet that {where} is your Vault: {what[0].lower()}"
        f"{what[1:]} was not sent",
        remedy=remedy,
    )


def _demand_pinned(known: Sequence[Pin], settings: Settings) -> None:
    for pin in known:
        if vault_differs(pin, settings.vault):
            changed = tuple(row for row in differences(pin, settings) if row[0].startswith("Vault"))
            raise changed_pin(settings.github, changed)


def _namespace(text: str) -> str:
    bare = text.strip("/")
    return "" if bare == _ROOT else bare


def _another(name: str, value: str, here: str) -> IndeterminateError:
    return IndeterminateError(
        f"{name} is {value!a}, and {here}: nothing was sent to either",
        remedy=f"See which of the two is right. If it is the settings': `unset {name}`.",
    )
