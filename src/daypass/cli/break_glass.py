"""`daypass break-glass`: take access in an emergency. Nobody approves it; somebody reviews it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.clock import machine_now
from daypass.adapters.git import time_limit
from daypass.adapters.git.proposing import Proposal
from daypass.cli import offline, output, proposing, wiring
from daypass.cli.github_down import naming_the_way
from daypass.cli.main_at_hand import settings_to_end_by
from daypass.documents.repository import check_break_glass, load_break_glass
from daypass.documents.writing import written
from daypass.errors import (
    DaypassError,
    DeniedError,
    DocumentError,
    ExitCode,
    ForgeRefusedError,
    ForgeUnavailableError,
    UsageError,
)
from daypass.lifecycle.context import Answers
from daypass.lifecycle.emergency import BRANCH_PREFIX
from daypass.lifecycle.forecast import forecast
from daypass.lifecycle.preview import standing_at
from daypass.model.breakglass import DRILL_DURATION
from daypass.model.grant import Lane
from daypass.model.names import Kind, break_glass_path
from daypass.policy.asked import Asked

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from daypass.adapters.github.asking import Asker
    from daypass.model.breakglass import BreakGlassRequest
    from daypass.model.catalogue import Catalogue
    from daypass.model.settings import Settings

_APPLY: Final = "access-apply.yml"
_DRILL: Final = "drill"
_GIT_SECONDS: Final = 20.0  # a remote that takes longer is down: the way without it is named
_NO_IDENTITY: Final = "Who has no file in access/identities cannot break the glass."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and positionals."""
    parser.usage = (
        "daypass break-glass [drill] RESOURCE ACCESS --incident ID --reason TEXT "
        "[--offline] [-- COMMAND ...]"
    )
    parser.add_argument(
        "words",
        metavar="RESOURCE ACCESS",
        nargs="+",
        help="what you need, and which level of it; `drill` before it: an exercise of one minute",
    )
    parser.add_argument("--incident", metavar="ID", required=True, help="the incident it is for")
    parser.add_argument(
        "--reason", metavar="TEXT", required=True, help="why it cannot wait, for the reviewers"
    )
    parser.add_argument(
        "--duration", metavar="LENGTH", default="30m", help="1h at the most (default: 30m)"
    )
    parser.add_argument(
        "--offline",
        action="store_true",
        help="GitHub is down: take it of Vault itself, with your own log-in there "
        "(BAO_TOKEN, VAULT_TOKEN or ~/.vault-token), for COMMAND or --format",
    )
    parser.add_argument(
        "--format",
        choices=("text", "json", "env", "file"),
        default="text",
        help="with --offline, how to receive it: `export` lines, JSON, or a new file (0600)",
    )
    parser.add_argument("--output", metavar="PATH", help="the file of --format file")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Write the request, push it, open its pull request, and have access-apply look at once."""
    drill, resource, access = _asked(arguments.words)
    asked: dict[str, Any] = {
        "resource": resource,
        "access": access,
        "duration": str(DRILL_DURATION) if drill else arguments.duration,
        "incident": arguments.incident,
        "reason": arguments.reason,
        **({"drill": True} if drill else {}),
    }
    if arguments.offline:
        return offline.run(arguments, asked)
    has_output = arguments.output is not None
    if arguments.command or arguments.format in ("env", "file") or has_output:
        raise UsageError(
            "a command, --format env or file, and --output go with --offline",
            remedy="Take it first; then receive it with `daypass claim ID -- COMMAND`.",
        )
    directory = wiring.directory_of(arguments.directory)
    with time_limit.within(_GIT_SECONDS):
        try:
            settings = wiring.read_settings(directory)
        except ForgeUnavailableError:  # the way without GitHub is named by what is at hand
            settings = settings_to_end_by(directory, warn=False)
    with naming_the_way(settings, asked), wiring.person_asking(settings) as asker:
        myself = asker.myself()
        with time_limit.within(_GIT_SECONDS):
            catalogue, head = proposing.main_of(directory, settings)
        subject = proposing.identity_of(myself, catalogue, _NO_IDENTITY)
        request_id = proposing.new_id("bg", subject, resource)
        spec = {"subject": subject, **asked}
        content = written(Kind.BREAK_GLASS_REQUEST, request_id, spec)
        emergency = _check(request_id, content, catalogue)
        asked_by = Asked(emergency.asked, Lane.BREAK_GLASS, myself, emergency.drill)
        _foresee(directory, settings, catalogue, head, asked_by)
        title = f"Break glass: {access} on {resource} ({arguments.incident})"
        proposal = Proposal(
            branch=BRANCH_PREFIX + request_id,
            path=break_glass_path(request_id),
            content=content,
            message=title,
            author=proposing.author_of(myself, settings.github.server_url),
        )
        with time_limit.within(_GIT_SECONDS):
            proposing.push_proposal(directory, settings, proposal, head)
        number, url = asker.propose(proposal.branch, title, _body(request_id))
        started = _start(asker)
    _show(arguments, request_id, number, url, started=started)
    return ExitCode.DONE


def _asked(words: list[str]) -> tuple[bool, str, str]:
    match words:
        case [resource, access]:
            return False, resource, access
        case [first, resource, access] if first == _DRILL:
            return True, resource, access
    raise UsageError(
        "say what you need: RESOURCE ACCESS, or drill RESOURCE ACCESS",
        remedy="For example: `daypass break-glass orders-db read --incident INC-1042 "
        "--reason 'Checkout is down'`.",
    )


def _check(request_id: str, content: bytes, catalogue: Catalogue) -> BreakGlassRequest:
    """Say now what the run would say in a minute. Raises DocumentError."""
    request = load_break_glass(break_glass_path(request_id), content)
    findings = check_break_glass(request, catalogue)
    if findings:
        raise DocumentError(findings[0].message, remedy=findings[0].remedy, findings=findings)
    return request


def _foresee(
    directory: Path, settings: Settings, catalogue: Catalogue, head: str, asked: Asked
) -> None:
    """Ask the decision point as the run will. What cannot be foreseen stops no emergency.

    Raises:
        DeniedError: it would be refused.
    """
    try:
        with wiring.person(settings) as forge:
            with (
                time_limit.within(_GIT_SECONDS),
                wiring.person_repository(directory, settings) as repository,
            ):
                standing = standing_at(repository, head, catalogue, machine_now())
            foreseen = forecast(
                asked,
                catalogue,
                Answers(forge).groups(catalogue),
                None,
                standing,
                machine_now(),
                proposing.person_sources(forge),
            )
    except DaypassError as error:
        output.note(f"whether it will be permitted is not known here: {error.message}")
        return
    for why in (*(item.message for item in foreseen.unknown), *foreseen.missing_teams):
        output.note(f"not known here: {why}")
    if foreseen.is_denied:
        why = "; ".join(item.message for item in foreseen.would_deny)
        rules = ", ".join(f"{item.policy}/{item.rule}" for item in foreseen.would_deny)
        raise DeniedError(
            f"it would be refused: {why}",
            remedy=f"Nothing was asked. `daypass explain RULE` tells what a rule is for: {rules}.",
        )


def _body(request_id: str) -> str:
    return (
        "An emergency: daypass itself decides on it and merges it. Do not merge it by hand: what "
        "a person has merged is refused.\n\nIt is reviewed within a day, by somebody not involved: "
        f"`daypass review {request_id}`."
    )


def _start(asker: Asker) -> bool:
    """Have access-apply look now; its schedule looks within minutes anyway."""
    try:
        asker.dispatch(_APPLY, {})
    except ForgeRefusedError as error:
        output.note(f"access-apply could not be started ({error.message}): its schedule will look")
        return False
    return True


def _show(
    arguments: argparse.Namespace, request_id: str, number: int, url: str, *, started: bool
) -> None:
    if arguments.format == "json":
        output.say_json(
            {"grant": request_id, "pullRequest": number, "url": url, "started": started}
        )
        return
    output.say(f"asked in {url}")
    output.say(f"claim it in a moment: daypass claim {request_id} -- COMMAND")
    output.say("somebody not involved reviews it within a day, its record included")
