"""`daypass audit activity`: what a grant was used for, by the servers' own logs."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from daypass.cli import output
from daypass.cli.awaiting import add_wait
from daypass.cli.known_names import demand_id, unknown_id
from daypass.errors import ExitCode, UsageError

if TYPE_CHECKING:
    import argparse

    from daypass.adapters.git import GitRepository
    from daypass.ledger.allowed_signers import Signers
    from daypass.report.activity.account import Account


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `audit activity`."""
    parser.add_argument("grant", metavar="ID", help="the grant: the name of its request's file")
    parser.add_argument(
        "--vault-log",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="an audit log of OpenBao or Vault, plain or gzipped; several in the order of time",
    )
    parser.add_argument(
        "--postgres-log",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="a log of PostgreSQL: jsonlog, csvlog, or plain with the user in log_line_prefix",
    )
    parser.add_argument(
        "--record",
        action="store_true",
        help="ask daypass, as you, to write the digest and two counts into the evidence: for who "
        "oversees the resource, once the grant has ended",
    )
    add_wait(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument(
        "--revision", metavar="REV", default="HEAD", help="by the evidence up to here"
    )


def run(
    repository: GitRepository, head: str, signers: Signers, words: argparse.Namespace
) -> ExitCode:
    """Count, and show. Ends with 5 when a token bears the grant's marks and is not the grant's.

    Raises:
        UsageError: no log, a file that cannot be read, or an id that was never granted.
        What `asking.say` raises, with `--record`.
    """
    account = read_account(repository, head, signers, words)
    code = _record(account, words) if words.record else ExitCode.DONE
    if words.format == "json":
        output.say_json(account.to_json())
    else:
        for line in account.lines():
            output.say(line)
    if account.vault is not None and account.vault.foreign:
        output.note(
            f"{account.vault.foreign} entries bear the marks of {words.grant}, and their token is "
            "none that the evidence knows: somebody minted it elsewhere"
        )
        return ExitCode.PARTLY
    return code


def _record(account: Account, words: argparse.Namespace) -> ExitCode:
    """Say it on the grant's pull request. Raises what `asking.say` raises."""
    from daypass.cli import asking, wiring
    from daypass.lifecycle.commands import Command
    from daypass.model.intent import IntentKind, Usage

    if account.wanted.until is None or account.wanted.pull_request is None:
        raise UsageError(
            f"{words.grant} has not ended: what it is used for is not over",
            remedy="Record it once it has ended.",
        )
    usage = Usage(
        account.digest,
        account.vault.tally.tied if account.vault else None,
        account.postgres.tally.tied if account.postgres else None,
    )
    settings = wiring.read_settings(wiring.directory_of(words.directory))
    command = Command(IntentKind.ACTIVITY, words.grant, usage)
    return asking.say(words, settings, account.wanted.pull_request, command, show=False)


def read_account(
    repository: GitRepository, head: str, signers: Signers, words: argparse.Namespace
) -> Account:
    """What the logs say of that grant. Raises what `run` raises."""
    from daypass.adapters.log_lines import log_lines
    from daypass.cli import wiring
    from daypass.ledger.history import find_events
    from daypass.report.activity.account import Account
    from daypass.report.activity.grant import Wanted
    from daypass.report.activity.postgres_log import read_postgres_log
    from daypass.report.activity.vault_log import read_vault_log

    if not words.vault_log and not words.postgres_log:
        raise UsageError(
            "there is no log to read",
            remedy="Name one with --vault-log FILE, with --postgres-log FILE, or both.",
        )
    demand_id(words.grant)
    settings = wiring.head_settings(wiring.directory_of(words.directory))
    events = find_events(repository.walk(head), signers, [words.grant])[words.grant]
    wanted = Wanted.of(reversed(events), settings.github.repository_id)
    if wanted is None:
        raise unknown_id(
            repository,
            head,
            words.grant,
            f"{words.grant} was never granted, by the evidence up to {head}",
            remedy="`daypass audit log` lists what was.",
        )
    vault = postgres = None
    if words.vault_log:
        lines = itertools.chain.from_iterable(map(log_lines, words.vault_log))
        vault = read_vault_log(lines, wanted)
    if words.postgres_log:
        postgres = read_postgres_log(map(log_lines, words.postgres_log), wanted)
    return Account(wanted, vault, postgres)
