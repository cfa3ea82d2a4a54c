"""`daypass doctor`: is the bot alive, and is nothing stuck? What a monitor outside calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.cli import output, wiring
from daypass.errors import ExitCode, UsageError
from daypass.lifecycle.failed_run import FAILED_RUN
from daypass.lifecycle.heartbeat import AT_ONCE, HEARTBEAT_NOTE, Heartbeat, usable_of
from daypass.model.instant import Duration

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from daypass.ledger.usable import StillUsable
    from daypass.model.instant import Instant


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
    """Ask Vault, with an operator's token, and say what is wrong; exit 1 if anything is."""
    from daypass.adapters.vault.issuer import irrevocable_leases
    from daypass.adapters.vault.registry import VaultRegistry
    from daypass.adapters.vault.session import login_token

    try:
        limit = Duration.parse(arguments.heartbeat)
    except ValueError as error:
        raise UsageError(str(error), remedy="Write an age such as 30m or 2h.") from error
    directory = wiring.directory_of(arguments.directory)
    settings = wiring.read_settings(directory)
    with login_token(
        settings.vault, wiring.operator_token(), wiring.authorities(directory, settings)
    ) as session:
        note = VaultRegistry(session, settings.vault.kv_mount).read_note(HEARTBEAT_NOTE)
        now = session.now()
        stuck = irrevocable_leases(session)
    beat = Heartbeat.from_note(note) if note else None
    wrong = _wrong(beat, now, limit, stuck)
    usable = usable_of(note, now)
    if arguments.format == "json":
        good = beat.good_at if beat else None
        output.say_json(
            {
                "lastRun": str(beat.at) if beat else None,
                "lastGoodRun": str(good) if good else None,
                "lastRunEndedBy": beat.died if beat and beat.died else None,
                "leftToLookAt": list(beat.looks) if beat else [],
                "mayLogIn": [item.to_json() for item in usable],
                "irrevocableLeases": stuck,
                "wrong": wrong,
            }
        )
    else:
        _show(beat, wrong, usable)
    return ExitCode.FAILED if wrong else ExitCode.DONE


def _wrong(beat: Heartbeat | None, now: Instant, limit: Duration, stuck: int) -> list[str]:
    """What is wrong, a line each."""
    wrong = []
    good = beat.good_at if beat else None
    if good is None:
        wrong.append("no good run was ever seen")
    elif now.since(good) > limit.seconds:
        wrong.append(f"the last good run was at {good}, more than {limit} ago")
    looks = beat.looks if beat else ()
    if beat is not None and FAILED_RUN in looks:
        wrong.append(f"the last run, at {beat.at}, ended early: {output.printable(beat.died)}")
    if wrong and looks:
        wrong.append(f"the last run, at {beat.at if beat else '?'}, left {', '.join(looks)}")
    said = beat.said if beat else {}
    wrong += [
        output.printable(f"{cause}: {said.get(cause, 'look at the issue of that name')}")
        for cause in looks
        if cause in AT_ONCE
    ]
    if stuck:
        wrong.append(f"{stuck} lease(s) are irrevocable: Vault has given up ending them")
    return wrong


def _show(beat: Heartbeat | None, wrong: Sequence[str], usable: Sequence[StillUsable]) -> None:
    for line in wrong:
        output.say(output.styled("wrong  ", "bold", "red") + line)
    if not wrong and beat is not None:
        is_well = not (beat.looks or beat.died or usable)
        begin, end = ("well", "nothing is stuck") if is_well else ("alive", "there is to look at:")
        output.say(f"{begin}: the last good run was at {beat.good_at}, and {end}")
        for cause in beat.looks:
            output.say(f"look     {output.printable(cause)}")
        if beat.died:
            ended = (
                f"the last run, at {beat.at}, ended early, and the next tries again: {beat.died}"
            )
            output.say(f"look     {output.printable(ended)}")
    for item in usable:
        output.say(output.styled("look     ", "bold", "red") + output.printable(item.text))
