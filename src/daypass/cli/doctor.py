"""`daypass doctor`: is the bot alive, and can two people with write access mint?

`daypass doctor runs` is what a monitor outside calls; `daypass doctor github` needs no Vault.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from daypass.cli import doctor_github, output, wiring
from daypass.cli.main_at_hand import settings_to_end_by
from daypass.errors import (
    DaypassError,
    ExitCode,
    ForgeRefusedError,
    ForgeUnavailableError,
    UsageError,
)
from daypass.lifecycle.failed_run import FAILED_RUN
from daypass.lifecycle.heartbeat import HEARTBEAT, Heartbeat, is_told_at_once, usable_of
from daypass.model.instant import Duration

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from daypass.adapters.github.doctor.examine import Examined
    from daypass.ledger.usable import StillUsable
    from daypass.model.instant import Instant
    from daypass.model.settings import Settings

_GROUPS: Final = ("runs", "github")


@dataclass(frozen=True, slots=True)
class _Runs:
    """What Vault knows of the bot's runs, and what is wrong with them."""

    beat: Heartbeat | None
    usable: Sequence[StillUsable]
    stuck: int  # leases that Vault has given up ending
    wrong: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        beat = self.beat
        good = beat.good_at if beat else None
        return {
            "lastRun": str(beat.at) if beat else None,
            "lastGoodRun": str(good) if good else None,
            "lastRunEndedBy": beat.died if beat and beat.died else None,
            "leftToLookAt": list(beat.looks) if beat else [],
            "mayLogIn": [item.to_json() for item in self.usable],
            "irrevocableLeases": self.stuck,
            "wrong": self.wrong,
        }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument(
        "groups",
        nargs="*",
        metavar="runs|github",
        help="runs: the bot's runs, by Vault, with an operator's token; github: who could change "
        "what mints, with your own GitHub token, which only reads (default: both; github only "
        "where a token is at hand)",
    )
    parser.add_argument(
        "--heartbeat",
        metavar="AGE",
        default="30m",
        help="fail if the last good run of apply is older than this, such as 30m or 2h "
        "(default: 30m)",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Ask, and say what is wrong; exit 1 if anything is, 7 if what a proof needs is not visible.

    A half that was not asked for by name and cannot be looked at does not keep back the other.
    """
    asked = tuple(arguments.groups) or _GROUPS
    unknown = next((name for name in asked if name not in _GROUPS), None)
    if unknown is not None:
        raise UsageError(
            f"doctor has no group {unknown!a}",
            remedy="Run `daypass doctor`, `daypass doctor runs` or `daypass doctor github`.",
        )
    runs: _Runs | DaypassError | None = None
    if "runs" in asked:
        runs = _runs_or_why_not(arguments, must="runs" in arguments.groups)
    examined = None
    if "github" in asked:
        examined = _look_at_github(arguments, must="github" in arguments.groups)
    _say(arguments.format, runs, examined, is_asked="github" in asked)
    codes = (_code_of(runs), doctor_github.code_of(examined) if examined else ExitCode.DONE)
    return ExitCode.FAILED if ExitCode.FAILED in codes else codes[0] or codes[1]


def _code_of(runs: _Runs | DaypassError | None) -> ExitCode:
    if isinstance(runs, DaypassError):
        return runs.exit_code
    return ExitCode.FAILED if runs is not None and runs.wrong else ExitCode.DONE


def _runs_or_why_not(arguments: argparse.Namespace, *, must: bool) -> _Runs | DaypassError:
    """Ask Vault; the error if it cannot be asked and was not named: GitHub's half is still said."""
    try:
        limit = Duration.parse(arguments.heartbeat)
    except ValueError as error:
        raise UsageError(str(error), remedy="Write an age such as 30m or 2h.") from error
    directory = wiring.directory_of(arguments.directory)
    settings = _settings(directory)
    try:
        return _look_at_runs(directory, settings, limit)
    except DaypassError as error:
        if must:
            raise
        return error


def _settings(directory: Path) -> Settings:
    """The settings of main; where GitHub does not give it, those here that contradict no pin.

    A monitor has a Vault token and may have none of GitHub. Its Vault is the one that VAULT_ADDR
    names, or that was confirmed before.
    """
    try:
        return wiring.read_settings(directory)
    except (ForgeRefusedError, ForgeUnavailableError):
        return settings_to_end_by(directory)


def _look_at_runs(directory: Path, settings: Settings, limit: Duration) -> _Runs:
    """Ask Vault, with an operator's token."""
    from daypass.adapters.vault.issuer import irrevocable_leases
    from daypass.adapters.vault.registry import VaultRegistry

    with wiring.operator(directory, settings) as session:
        note = HEARTBEAT.read_strictly(VaultRegistry(session, settings.vault.kv_mount))
        now = session.now()
        stuck = irrevocable_leases(session)
    beat = Heartbeat.from_note(note) if note else None
    usable = usable_of(note, now)
    return _Runs(beat, usable, stuck, _wrong(beat, now, limit, stuck, usable))


def _look_at_github(arguments: argparse.Namespace, *, must: bool) -> Examined | None:
    """Ask GitHub, with a person's token; None if there is none and it was not asked for by name."""
    settings = _settings(wiring.directory_of(arguments.directory))
    token = doctor_github.token_at_hand(settings)
    if token is None:
        if must:
            raise doctor_github.no_token(settings)
        return None
    try:
        return doctor_github.look(arguments.directory, settings, token)
    except DaypassError as error:
        if must:
            raise
        return doctor_github.unseen(error, settings)  # what Vault says of the runs is still said


def _say(
    form: str,
    runs: _Runs | DaypassError | None,
    examined: Examined | None,
    *,
    is_asked: bool,
) -> None:
    unseen = ""
    if isinstance(runs, DaypassError):
        unseen = f"the bot's runs, by Vault: {runs.message}. {runs.remedy}"
        runs = None
    if form == "json":
        found: dict[str, Any] = {"wrong": [unseen]} if unseen else {}
        found |= runs.to_json() if runs is not None else {}
        if is_asked:
            found["github"] = None if examined is None else doctor_github.as_json(examined)
        output.say_json(found)
        return
    if runs is not None:
        _show(runs.beat, runs.wrong)
    if unseen:
        doctor_github.show_unseen(unseen)
    if examined is not None:
        doctor_github.show(examined)
    elif is_asked:
        doctor_github.show_unseen(
            "GitHub's half: there is no token; `gh auth login`, or set GH_TOKEN"
        )


def _wrong(
    beat: Heartbeat | None,
    now: Instant,
    limit: Duration,
    stuck: int,
    usable: Sequence[StillUsable],
) -> list[str]:
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
        if is_told_at_once(cause)
    ]
    wrong += [output.printable(item.text) for item in usable]
    if stuck:
        wrong.append(f"{stuck} lease(s) are irrevocable: Vault has given up ending them")
    return wrong


def _show(beat: Heartbeat | None, wrong: Sequence[str]) -> None:
    for line in wrong:
        output.say(output.styled("wrong  ", "bold", "red") + line)
    if beat is None:
        return
    if not wrong:
        is_well = not (beat.looks or beat.died)
        begin, end = ("well", "nothing is stuck") if is_well else ("alive", "there is to look at:")
        output.say(f"{begin}: the last good run was at {beat.good_at}, and {end}")
    for cause in beat.looks:
        if not is_told_at_once(cause) and cause != FAILED_RUN:
            output.say(f"look     {output.printable(cause)}")
    if beat.died and FAILED_RUN not in beat.looks:
        ended = f"the last run, at {beat.at}, ended early, and the next tries again: {beat.died}"
        output.say(f"look     {output.printable(ended)}")
