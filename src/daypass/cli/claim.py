"""`daypass claim`: receive a granted secret. Neither a Vault token nor a bot's key is needed."""

from __future__ import annotations

import getpass
import os
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daypass.adapters import claim_turn, core_dumps, holder_token
from daypass.adapters.clock import machine_now
from daypass.adapters.handover import Handful, lost, told_as_loss
from daypass.adapters.handover_command import Command
from daypass.adapters.ssh_keys import open_sealed
from daypass.adapters.vault.claim import may_be_spent, open_delivery
from daypass.cli import asking, output, wiring
from daypass.cli.awaiting import add_wait
from daypass.cli.belief import demand_issued_here, demand_sure
from daypass.cli.claim_again import assert_opened, opened_before
from daypass.cli.claim_word import say_claimed, was_it_the_holder
from daypass.cli.connecting import prepare, tell_opening
from daypass.cli.interrupts import StoppedError, held_signals, name_of
from daypass.cli.receiver import choose_receiver
from daypass.cli.this_command import is_first_use
from daypass.cli.vault_access import holder_client
from daypass.errors import (
    ClaimError,
    DeliveryLostError,
    DeliverySpentError,
    EvidenceError,
    ExitCode,
    OlderDeliveryError,
    SealingError,
    UsageError,
)
from daypass.lifecycle.claim import find_ciphertext, look_up
from daypass.lifecycle.claim_origin import token_of
from daypass.lifecycle.commands import write_was_me
from daypass.model.delivery import Origin
from daypass.model.intent import IntentKind
from daypass.model.secret import Secret
from daypass.report.status import time_left

if TYPE_CHECKING:
    import argparse

    from daypass.adapters.handover import Receiver
    from daypass.adapters.vault.claim import Opened
    from daypass.adapters.vault.client import Client
    from daypass.cli.interrupts import Held
    from daypass.lifecycle.claim import Claimable
    from daypass.model.grant import Grant
    from daypass.model.instant import Instant
    from daypass.model.settings import Settings

_HELD: Final = (
    "stopping: the delivery is being opened, which can be done once, so that is waited for"
)
_NOTHING: Final = "nothing was opened; run it again to claim"
_SECONDS_APART: Final = 5.0  # between a lease's end and its token's: both are Vault's own times
_HOW: Final = (
    "Run a command with it: `daypass claim {id} -- psql`. Or: `--format env` (for `eval`), "
    "`--format json`, `--format file --output PATH`. Nothing was opened."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and positionals. The command after `--` is in `arguments.command`."""
    parser.usage = "daypass claim [options] ID [-- COMMAND ...]"
    parser.add_argument("grant", metavar="ID", help="the grant: the name of the request's file")
    parser.add_argument(
        "--format",
        choices=("env", "json", "file"),
        help="instead of running a command: `export` lines for a shell, JSON, or a new file (0600)",
    )
    parser.add_argument("--output", metavar="PATH", help="the file of --format file")
    parser.add_argument(
        "--identity",
        metavar="FILE",
        type=Path,
        help="your SSH private key, or age identity (default: ~/.ssh/id_ed25519, ~/.ssh/id_rsa)",
    )
    opened = parser.add_mutually_exclusive_group()
    opened.add_argument(
        "--not-me",
        action="store_true",
        help="the delivery was opened, and not by you: end the grant at once, and raise an alarm",
    )
    opened.add_argument(
        "--was-me",
        action="store_true",
        help="it was you who opened the delivery, with other tools: say so, and claim nothing",
    )
    add_wait(parser)
    parser.add_argument(
        "--fingerprint",
        metavar="SHA256:...",
        action="append",
        default=[],
        help="the evidence key, as you know it from elsewhere; without it the one that was pinned "
        "when this machine first used the repository",
    )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Find the delivery that the evidence names, open it with the holder's key, hand it over."""
    if arguments.not_me or arguments.was_me:
        return _speak(arguments)
    core_dumps.hide_memory()
    how = _HOW.format(id=arguments.grant)
    receiver = choose_receiver(arguments.command, arguments.format, arguments.output, how)
    directory = wiring.directory_of(arguments.directory)
    try:
        claimable, token = _find(arguments, directory)
    except StoppedError as stop:
        raise StoppedError(stop.number, f"stopped by {name_of(stop.number)}: {_NOTHING}") from None
    grant = claimable.grant
    try:
        with claim_turn.turn(grant.id), held_signals(_HELD) as held:
            try:
                handful = _receive(claimable, token, directory, receiver, held)
            except DeliveryLostError:
                say_claimed(claimable)  # it was this holder who opened it
                raise
            _hand_over(claimable, handful, receiver, held)
    except DeliverySpentError as error:
        before = opened_before(claimable)
        if before is not None:
            raise before from None
        answer = was_it_the_holder(error)
        if answer is False:
            return asking.ask(arguments, IntentKind.NOT_ME, claimable)
        if answer:
            say_claimed(claimable, write_was_me)
        raise
    held.stop(f"stopped when the credential of {grant.id} was handed over: it is received")
    return ExitCode.DONE


def _find(arguments: argparse.Namespace, directory: Path) -> tuple[Claimable, Secret]:
    """The grant by its evidence, and the wrapping token that was sealed for that place alone."""
    here = wiring.read_settings(directory, arguments.fingerprint, or_newest=True)
    demand_sure(directory, arguments.fingerprint)
    keys = wiring.pinned_keys(directory, arguments.fingerprint)
    with wiring.person_repository(directory, here) as repository:
        repository.fetch()
        claimable = look_up(arguments.grant, repository, keys)
    demand_issued_here(directory, arguments.grant, claimable.settings)
    _tell(claimable, pinned=bool(arguments.fingerprint) or not is_first_use(directory))
    grant, settings = claimable.grant, claimable.settings
    if grant.is_offline:
        raise ClaimError(
            f"{grant.id} was taken offline: whoever took it has received it already",
            remedy="If that was not you, end it: `daypass revoke` with its id.",
        )
    with wiring.person(settings) as forge:
        comments = forge.comments(grant.asked_in)
    ciphertext = find_ciphertext(grant, comments, settings.github.app_user_id)
    sealed = open_sealed(ciphertext, arguments.identity, _ask_passphrase)
    vouches = partial(_vouches, directory, here, claimable)
    try:
        token = token_of(sealed, claimable, vouches, pinned=bool(arguments.fingerprint))
    except OlderDeliveryError as error:
        raise opened_before(claimable) or error from None
    return claimable, token


def _vouches(directory: Path, here: Settings, claimable: Claimable, fingerprint: str) -> bool:
    """Whether main holds the same grant for those who know that evidence key from elsewhere."""
    try:
        with wiring.person_repository(directory, here) as repository:
            return look_up(claimable.grant.id, repository, [fingerprint]) == claimable
    except (ClaimError, EvidenceError):
        return False


def _receive(
    claimable: Claimable, token: Secret, directory: Path, receiver: Receiver, held: Held
) -> Handful:
    """Prepare all that can be, and open the delivery. Raises StoppedError before that only."""
    grant, settings = claimable.grant, claimable.settings
    try:
        prepare(receiver, claimable.resource, grant.engine)
        held.stop_before(_NOTHING)
        tell_opening("opening", Origin.of(settings), claimable.resource, grant.engine)
        with holder_client(directory, settings, wiring.authorities(directory, settings)) as client:
            held.stop_before(_NOTHING)
            opened = _open(client, token, grant, Origin.of(settings))
        with suppress(OSError):  # a second claim then asks the pull request
            holder_token.mark_opened(grant.id, grant.delivery.ciphertext)
        with told_as_loss(grant.id, grant.pull_request):
            ends = earlier_end(grant.id, grant.not_after, opened.ends)
            return Handful(replace(grant, not_after=ends), claimable.resource, opened.credential)
    except BaseException:
        receiver.abandon()
        raise


def _hand_over(claimable: Claimable, handful: Handful, receiver: Receiver, held: Held) -> None:
    """Hand over, and say on the pull request that the holder opened it."""
    grant = claimable.grant
    with told_as_loss(grant.id, grant.pull_request):
        if not isinstance(receiver, Command):
            try:
                receiver.give(handful)
            finally:
                say_claimed(claimable)  # it is opened, whatever became of the rest
            return
        say_claimed(claimable)  # before it: it takes this process's place
        if held.number is not None:  # whoever stopped daypass wants no command to start
            raise lost(grant.id, grant.pull_request, f"stopped by {name_of(held.number)}")
        receiver.give(handful)


def _speak(arguments: argparse.Namespace) -> ExitCode:
    """Say who opened the delivery, and open nothing."""
    has_output = arguments.output is not None
    if arguments.command or arguments.format in ("env", "file") or has_output:
        raise UsageError(
            "--not-me and --was-me claim nothing, so nothing can receive it",
            remedy=f"Leave the rest out: `daypass claim {arguments.grant} --not-me`.",
        )
    if arguments.not_me:
        found = asking.find_to_end(arguments)
        return asking.ask(arguments, IntentKind.NOT_ME, found.claimable)
    claimable = asking.find(arguments)
    assert_opened(claimable, wiring.directory_of(arguments.directory), arguments.identity)
    return ExitCode.DONE if say_claimed(claimable, write_was_me) else ExitCode.FAILED


def earlier_end(grant_id: str, promised: Instant, ends: Instant | None) -> Instant:
    """When a credential ends: as promised, or, where Vault has cut its lease, sooner.

    What ends sooner is told: its holder would otherwise be thrown out in the middle of the work.
    A lease that is longer is ended by the grant's token, at the promised time.
    """
    if ends is None or ends.plus(_SECONDS_APART) >= promised:
        return promised
    output.note(
        f"warning: this credential ends at {ends}, and not at {promised} as the evidence of "
        f"{grant_id} promises: Vault has cut its lease"
    )
    output.note(
        "  Be done by then. If you need longer, ask again with `daypass request`, naming this "
        "grant in `renews`. Tell the operators of Vault: `daypass vault doctor` names the cap "
        "that is too low"
    )
    return ends


def _open(client: Client, token: Secret, grant: Grant, origin: Origin) -> Opened:
    """Open the delivery, which can be done once."""
    try:
        return open_delivery(client, token, grant, partial(_keep, grant.id, origin))
    except KeyboardInterrupt:
        why = f"interrupted while the delivery of grant {grant.id} was being opened"
        raise may_be_spent(grant, why) from None


def _keep(grant_id: str, origin: Origin, own: Secret, accessor: Secret) -> None:
    """Keep the grant token, with which `daypass done` ends the grant without anybody's help."""
    try:
        holder_token.keep(grant_id, own, accessor, origin)
    except OSError as error:
        # The claim goes on: its holder can still end it by a comment.
        output.note(
            f"warning: the grant's own token could not be kept ({error.strerror}), so `daypass "
            f"done {grant_id}` will end it through GitHub alone"
        )


def _tell(claimable: Claimable, *, pinned: bool) -> None:
    """What is about to be received, and how long it lasts; standard output is the secret's."""
    grant = claimable.grant
    seconds = grant.not_after.since(machine_now())
    left = f"{time_left(seconds)} left" if seconds > 0 else "time is up"
    output.note(
        f"{grant.id}: {grant.access} on {grant.resource} for {grant.subject} until "
        f"{grant.not_after} ({left} by this machine's clock)"
    )
    if not pinned:
        output.note(
            "the evidence key is the one that the repository names; --fingerprint pins the one "
            "that you know"
        )


def _ask_passphrase(path: Path) -> Secret:
    """Ask at the terminal. Without one, getpass would read, and show, standard input: refuse."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        raise SealingError(
            f"{path} has a passphrase, and there is no terminal to ask for it",
            remedy="Run the claim in a terminal, or name another key with --identity.",
        ) from None
    try:
        return Secret(getpass.getpass(f"Passphrase of {path}: "))
    except (EOFError, UnicodeError):
        output.note("")  # the terminal is still in the line of the question
        raise SealingError(
            f"the passphrase of {path} was not given, or is not text of this terminal's encoding",
            remedy="Nothing was opened. Run the claim again, and type it.",
        ) from None
