"""`daypass command`: obey a comment or a dispatch, in the job of access-commands-run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daypass.cli import output, step_summary, wiring
from daypass.errors import DaypassError, ExitCode, ForgeRefusedError, UsageError
from daypass.lifecycle.answers import Answer, Result
from daypass.lifecycle.commanding import Said, obey_comment, obey_dispatch
from daypass.lifecycle.commands import Command, Halt, read_comment, read_dispatch

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from daypass.cli.wiring import Commands

_APPLY: Final = "access-apply.yml"
_COLOURS: Final = {
    Result.ENDING: "green",
    Result.NOTED: "green",
    Result.ENDED: "green",
    Result.REFUSED: "yellow",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    output.add_format(parser)
    parser.add_argument(
        "--event",
        metavar="FILE",
        type=Path,
        required=True,
        help="the event that set the run off, as the runner lays it down ($GITHUB_EVENT_PATH)",
    )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Read the event, carry out what it asks for if it may, and answer."""
    asked = _read(arguments.event)
    if asked is None:
        output.say("no command")
        return ExitCode.DONE
    with wiring.commands_bot(wiring.directory_of(arguments.directory)) as bot:
        if isinstance(asked, Said):
            answers = _obey_comment(bot, asked)
        else:
            answers = _obey_dispatch(bot, asked)
        followed = _follow_up(bot, answers)
    _show(arguments.format, answers, followed)
    return _exit_code(answers, dispatched=not isinstance(asked, Said))


def _obey_comment(bot: Commands, said: Said) -> tuple[Answer, ...]:
    _demand(bot, "issue_comment")
    app = bot.settings.github.app_user_id
    answer = obey_comment(bot.desk, app, said)
    return () if answer is None else (answer,)


def _obey_dispatch(bot: Commands, command: Command | Halt) -> tuple[Answer, ...]:
    _demand(bot, "workflow_dispatch")
    if bot.facts.attempt != 1:
        # Anybody with write access can start a run again, and GitHub goes on to name the first
        # actor: an old halt would be the weapon of whoever finds it.
        raise ForgeRefusedError(
            "a dispatched command is obeyed once, and this run was started again",
            remedy="Dispatch access-commands anew.",
        )
    return obey_dispatch(bot.desk, command, bot.facts.actor_id)


def _demand(bot: Commands, event: str) -> None:
    if bot.facts.event != event:
        raise ForgeRefusedError(
            f"the event file is of {event}, and GitHub says that {bot.facts.event!a} set this off",
            remedy="Run it in access-commands, with the runner's own GITHUB_EVENT_PATH.",
        )


def _read(path: Path) -> Said | Command | Halt | None:
    """What an event asks for; None when it is nothing.

    Raises:
        UsageError: the file is no event of these two kinds, or a dispatch holds no command.
    """
    try:
        event: Any = json.loads(path.read_bytes())
        if "comment" in event:
            body = str(event["comment"]["body"])
            if read_comment(body) is None or "pull_request" not in event["issue"]:
                return None
            return Said(int(event["issue"]["number"]), int(event["comment"]["id"]), body)
        text = str(event["inputs"]["command"])
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            f"{path} is no event of a comment or of a dispatch",
            remedy='Name the runner\'s own file: --event "$GITHUB_EVENT_PATH".',
        ) from None
    return read_dispatch(text.strip())


def _follow_up(bot: Commands, answers: Sequence[Answer]) -> str:
    """Ask for a run of access-apply, so that the evidence follows at once; what came of that."""
    if all(answer.result in (Result.REFUSED, Result.ENDED) for answer in answers):
        return ""
    try:
        bot.dispatch(_APPLY)
    except DaypassError as error:
        # The App may lack `Actions: write`, which is for this alone.
        return f"the schedule's next run writes the evidence ({error.message})"
    return "asked for a run of access-apply, which writes the evidence"


def _show(form: str, answers: Sequence[Answer], followed: str) -> None:
    if form == "json":
        rows = [
            {
                "grant": answer.grant_id,
                "command": str(answer.kind),
                "result": str(answer.result),
                "text": answer.sentence,
            }
            for answer in answers
        ]
        output.say_json({"answers": rows, "followUp": followed or None})
        return
    for answer in answers:
        mark = output.styled(f"{answer.result:<12}", _COLOURS.get(answer.result, "red"))
        output.say(f"{mark} {answer.grant_id or '-'}  {output.printable(answer.sentence)}")
    if not answers:
        output.say("nothing to do")
    if followed:
        output.note(followed)
    if form == "github":
        _summarise(answers)


def _summarise(answers: Sequence[Answer]) -> None:
    """A table for the run's page on GitHub: ids and codes."""
    if not answers:
        step_summary.append("### daypass command\n\nNothing to do.\n")
        return
    rows = [
        f"| {answer.kind} | `{answer.grant_id or '-'}` | {answer.result} |" for answer in answers
    ]
    table = ["### daypass command", "", "| what | grant | result |", "|---|---|---|", *rows]
    step_summary.append("\n".join(table) + "\n")


def _exit_code(answers: Sequence[Answer], *, dispatched: bool) -> ExitCode:
    """A refused comment has its answer, and no run that failed; a dispatch has the run alone."""
    results = {answer.result for answer in answers}
    if Result.UNCONFIRMED in results:
        return ExitCode.PARTLY
    if dispatched and Result.REFUSED in results:
        return ExitCode.DENIED if results == {Result.REFUSED} else ExitCode.PARTLY
    return ExitCode.DONE
