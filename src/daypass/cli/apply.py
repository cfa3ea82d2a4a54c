"""`daypass apply`: grant what was approved, end what is over, record both."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from daypass.cli import known_names, output, step_summary, wiring
from daypass.errors import DaypassError, ExitCode
from daypass.lifecycle.apply import Limits, apply
from daypass.lifecycle.emergency import BRANCH_PREFIX, request_of
from daypass.lifecycle.failed_run import note_failed_run

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from daypass.errors import UsageError
    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.outcome import Outcome
    from daypass.lifecycle.ports import Forge

_DEFAULT_LIMIT: Final = 20
_OPEN: Final = 20  # emergencies that are looked through for an id of --only
_MARKS: Final = {"issued": "green", "delivered": "green", "denied": "yellow", "lapsed": "yellow"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    output.add_format(parser)
    parser.add_argument(
        "--max",
        metavar="N",
        type=_count,
        default=_DEFAULT_LIMIT,
        help="touch nothing if more than N live grants would be revoked for a reason that is "
        f"neither time nor a person's own act (default: {_DEFAULT_LIMIT})",
    )
    parser.add_argument(
        "--only", metavar="ID", action="append", help="act on this grant alone (may be repeated)"
    )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Log in as the workflow, close every difference, and say what was done."""
    only = frozenset(arguments.only) if arguments.only else None
    for name in only or ():
        known_names.demand_id(name)
    directory = wiring.directory_of(arguments.directory)
    with wiring.bot(directory) as (ports, settings), _noting_its_end(ports):
        outcome = apply(ports, settings, Limits(arguments.max, only))
        unknown = _unknown(ports, outcome, only) if only else None
    if arguments.format == "json":
        output.say_json(outcome.to_json())
    else:
        _show(outcome, annotate=arguments.format == "github")
    if unknown is not None:
        raise unknown
    return outcome.exit_code


def _unknown(ports: Ports, outcome: Outcome, only: frozenset[str]) -> UsageError | None:
    """The error for an id of `--only` of which neither this run nor main knows anything.

    None while there is anything to look at: what only Vault knew of may be that.
    """
    if outcome.exit_code is not ExitCode.DONE or not outcome.head:
        return None
    met = {line.grant_id for line in outcome.lines} | {name for name, _ in outcome.failures}
    for name in sorted(only - met):
        main = (ports.repository, outcome.head, name)
        if known_names.is_asked(*main) or known_names.is_told_of(*main):
            continue
        if _may_be_open(ports.forge, name):
            continue
        return known_names.unknown_id(
            ports.repository,
            outcome.head,
            name,
            f"--only {name}: main has no request and no grant of that id, and had none",
            remedy="`daypass status` lists what is live, and what waits.",
        )
    return None


def _may_be_open(forge: Forge, name: str) -> bool:
    """Whether it is, or may be, an emergency that no run has merged yet."""
    listed = forge.open_pull_requests(BRANCH_PREFIX)
    if listed.is_cut or len(listed.found) > _OPEN:
        return True
    return any(request_of(forge.pull_request(item.number)) == name for item in listed.found)


@contextmanager
def _noting_its_end(ports: Ports) -> Iterator[None]:
    """Leave word of a run that ends early, whatever ended it; raises what was raised."""
    try:
        yield
    except DaypassError as error:
        note_failed_run(ports, error)
        raise
    except OSError as error:
        note_failed_run(ports, output.from_os_error(error))
        raise
    except Exception as error:
        note_failed_run(ports, output.from_bug(error))
        raise


def _show(outcome: Outcome, *, annotate: bool) -> None:
    for line in outcome.lines:
        mark = output.styled(f"{line.verb:<16}", _MARKS.get(line.verb, "cyan"))
        commit = output.styled(f" {line.commit[:12]}", "dim") if line.commit else ""
        output.say(f"{mark} {line.grant_id or '-'}{commit}  {output.printable(line.text)}")
    for grant_id, error in outcome.failures:
        text = f"{grant_id}: {error.message}. {error.remedy}"
        _warn("failed", text, annotate=annotate)
    for alarm in outcome.alarms:
        _warn("look here", alarm, annotate=annotate)
    if not (outcome.lines or outcome.failures or outcome.alarms):
        output.say("nothing to do: main and Vault agree")
    if annotate:
        step_summary.append(step_summary.of_apply(outcome))


def _warn(what: str, text: str, *, annotate: bool) -> None:
    if annotate:
        output.annotate("error", text, title=f"daypass: {what}")
    else:
        output.say(output.styled(f"{what:<16}", "bold", "red") + " " + output.printable(text))


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value
