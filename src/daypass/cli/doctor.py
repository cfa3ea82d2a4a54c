"""`daypass doctor`: is the bot alive, and is nothing stuck? What a monitor outside calls."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from daypass.cli import output, wiring
from daypass.errors import ExitCode, UsageError
from daypass.lifecycle.heartbeat import HEARTBEAT_NOTE, Heartbeat
from daypass.model.instant import Duration
from daypass.model.secret import Secret

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument(
        "--heartbeat",
        metavar="AGE",
        default="30m",
        help="fail if the last good run of apply is older than this, such as 30m or 2h "
        "(default: 30m)",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Ask Vault, with VAULT_TOKEN, and say what is wrong; exit 1 if anything is."""
    from daypass.adapters.vault.issuer import irrevocable_leases
    from daypass.adapters.vault.registry import VaultRegistry
    from daypass.adapters.vault.session import login_token

    try:
        limit = Duration.parse(arguments.heartbeat)
    except ValueError as error:
        raise UsageError(str(error), remedy="Write an age such as 30m or 2h.") from error
    directory = wiring.directory_of(arguments.directory)
    settings = wiring.read_settings(directory)
    token = Secret(os.environ.get("VAULT_TOKEN", ""))
    with login_token(settings.vault, token, directory) as session:
        note = VaultRegistry(session, settings.vault.kv_mount).read_note(HEARTBEAT_NOTE)
        now = session.now()
        stuck = irrevocable_leases(session)
    beat = Heartbeat.from_note(note) if note else None
    good = beat.good_at if beat else None
    wrong = []
    if good is None:
        wrong.append("no good run was ever seen")
    elif now.since(good) > limit.seconds:
        wrong.append(f"the last good run was at {good}, more than {limit} ago")
    looks = beat.looks if beat else ()
    if wrong and looks:
        wrong.append(f"the last run, at {beat.at if beat else '?'}, left {', '.join(looks)}")
    if stuck:
        wrong.append(f"{stuck} lease(s) are irrevocable: Vault has given up ending them")
    if arguments.format == "json":
        seen = {
            "lastRun": str(beat.at) if beat else None,
            "lastGoodRun": str(good) if good else None,
            "leftToLookAt": list(looks),
        }
        output.say_json({**seen, "irrevocableLeases": stuck, "wrong": wrong})
    else:
        for line in wrong:
            output.say(output.styled("wrong  ", "bold", "red") + line)
        if not wrong:
            output.say(f"well: the last good run was at {good}, and nothing is stuck")
            for cause in looks:
                output.say(f"look     {output.printable(cause)}")
    return ExitCode.FAILED if wrong else ExitCode.DONE
