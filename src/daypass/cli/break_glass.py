"""`daypass break-glass`: take access in an emergency. Nobody approves it; somebody reviews it."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.clock import machine_now
from daypass.adapters.git.proposing import Proposal, push
from daypass.adapters.github.person import person_token
from daypass.cli import output, wiring
from daypass.documents.repository import check_break_glass, load_break_glass, load_catalogue
from daypass.errors import (
    DeniedError,
    DocumentError,
    ExitCode,
    ForgeRefusedError,
    UsageError,
)
from daypass.lifecycle.emergency import BRANCH_PREFIX
from daypass.model.breakglass import DRILL_DURATION
from daypass.model.names import API_VERSION, Kind, break_glass_path

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from pathlib import Path

    from daypass.adapters.github.asking import Asker
    from daypass.model.catalogue import Catalogue
    from daypass.model.pullrequest import Account
    from daypass.model.settings import Settings

_APPLY: Final = "access-apply.yml"
_DRILL: Final = "drill"
_LONGEST_ID: Final = 63


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and positionals."""
    parser.usage = "daypass break-glass [drill] RESOURCE ACCESS --incident ID --reason TEXT"
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
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Write the request, push it, open its pull request, and have access-apply look at once."""
    drill, resource, access = _asked(arguments.words)
    directory = wiring.directory_of(arguments.directory)
    settings = wiring.read_settings(directory)
    with wiring.person_asking(settings) as asker:
        myself = asker.myself()
        catalogue, head = _main(directory, settings)
        subject = _subject(myself, catalogue)
        request_id = _new_id(subject, resource)
        spec: dict[str, Any] = {
            "subject": subject,
            "resource": resource,
            "access": access,
            "duration": str(DRILL_DURATION) if drill else arguments.duration,
            "incident": arguments.incident,
            "reason": arguments.reason,
        }
        content = _written(request_id, spec | ({"drill": True} if drill else {}))
        _check(request_id, content, catalogue)
        title = f"Break glass: {access} on {resource} ({arguments.incident})"
        proposal = Proposal(
            branch=BRANCH_PREFIX + request_id,
            path=break_glass_path(request_id),
            content=content,
            message=title,
            author=_author(myself),
        )
        push(
            directory,
            wiring.REMOTE,
            person_token(settings.github.server_url),
            proposal,
            onto=head,
            when=machine_now(),
        )
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


def _main(directory: Path, settings: Settings) -> tuple[Catalogue, str]:
    """What main says now, and its head."""
    with wiring.person_repository(directory, settings) as repository:
        head = repository.fetch()
        return load_catalogue(repository.entries(head, "access"), repository.blobs), head


def _subject(myself: Account | None, catalogue: Catalogue) -> str:
    identity = catalogue.identity_of(myself.id) if myself is not None else None
    if identity is None:
        raise DeniedError(
            "your GitHub account is no identity of this repository",
            remedy="Log in as yourself (`gh auth login`, or GH_TOKEN). Who has no file in "
            "access/identities cannot break the glass.",
        )
    return identity.name


def _new_id(subject: str, resource: str) -> str:
    """An id that nobody has used: eight random characters make that sure enough."""
    tail = secrets.token_hex(4)
    return f"bg-{subject}-{resource}"[: _LONGEST_ID - len(tail) - 1].rstrip("-") + f"-{tail}"


def _written(request_id: str, spec: Mapping[str, Any]) -> bytes:
    """The document, as YAML whose values are JSON: no text can be anything but text."""
    lines = [
        "# yaml-language-server: $schema=../../schemas/break-glass-request.schema.json",
        f"apiVersion: {API_VERSION}",
        f"kind: {Kind.BREAK_GLASS_REQUEST}",
        "metadata:",
        f"  id: {request_id}",
        "spec:",
        *(f"  {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in spec.items()),
    ]
    return ("\n".join(lines) + "\n").encode()


def _check(request_id: str, content: bytes, catalogue: Catalogue) -> None:
    """Say now what the run would say in a minute. Raises DocumentError."""
    request = load_break_glass(break_glass_path(request_id), content)
    findings = check_break_glass(request, catalogue)
    if findings:
        raise DocumentError(findings[0].message, remedy=findings[0].remedy, findings=findings)


def _author(myself: Account | None) -> tuple[str, str]:
    """Name and address of the commit: GitHub's own, which ties it to the account."""
    if myself is None:
        return "unknown", "unknown@users.noreply.github.com"
    return myself.login, f"{myself.id}+{myself.login}@users.noreply.github.com"


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
