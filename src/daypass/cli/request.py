"""`daypass request`: ask for access. Writes the request, and opens its pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.clock import machine_now
from daypass.adapters.git.proposing import Proposal
from daypass.cli import answers, output, proposing, request_form, wiring
from daypass.cli.plan_preview import show_forecast
from daypass.documents.repository import check_request, load_request
from daypass.documents.writing import written
from daypass.errors import DeniedError, DocumentError, ExitCode, UsageError
from daypass.lifecycle.context import Answers
from daypass.lifecycle.forecast import Forecast, forecast
from daypass.lifecycle.preview import standing_at, used_in_history
from daypass.model.grant import Lane
from daypass.model.names import Kind, is_name, request_path
from daypass.policy.approvals import askers
from daypass.policy.asked import Asked

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from daypass.adapters.git.repository import GitRepository
    from daypass.model.catalogue import Catalogue
    from daypass.model.pullrequest import Account
    from daypass.model.request import AccessRequest

_BRANCH: Final = "request/"
_NO_IDENTITY: Final = (
    "Who has no file in access/identities asks for nothing; add yours in a pull request first."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and positionals."""
    parser.usage = "daypass request [RESOURCE ACCESS] [--duration LENGTH] [--reason TEXT] …"
    parser.add_argument(
        "words",
        metavar="RESOURCE ACCESS",
        nargs="*",
        help="what you need, and which level; on a terminal you are asked for what is missing",
    )
    parser.add_argument("--duration", metavar="LENGTH", help="how long, such as 30m, 2h or 1d")
    parser.add_argument("--reason", metavar="TEXT", help="why, for the people who approve")
    parser.add_argument(
        "--for",
        dest="subject",
        metavar="NAME",
        help="who receives it: yourself (the default), or an identity that you own or sponsor",
    )
    parser.add_argument("--ticket", metavar="ID", help="the ticket that it belongs to")
    parser.add_argument(
        "--not-before", metavar="INSTANT", help="not earlier than that, as 2026-11-23T09:00:00Z"
    )
    parser.add_argument("--device", metavar="NAME", help="the device that it is used from")
    parser.add_argument("--renews", metavar="ID", help="the grant that this one continues")
    parser.add_argument("--runs", metavar="TEXT", help="of a machine or agent: what it will run")
    parser.add_argument("--from", dest="where", metavar="TEXT", help="and from where")
    parser.add_argument("--id", metavar="ID", help="an id of your own (default: a new one)")
    parser.add_argument(
        "--write",
        action="store_true",
        help="only write the file into this work tree; you commit it and open the pull request",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Ask. Nothing is pushed that is malformed, or that could only be denied."""
    directory = wiring.directory_of(arguments.directory)
    settings = wiring.read_settings(directory)
    with wiring.person_asking(settings) as asker, wiring.person(settings) as forge:
        myself = asker.myself()
        catalogue, head = proposing.main_of(directory, settings)
        me = proposing.identity_of(myself, catalogue, _NO_IDENTITY)
        request, content = _request(arguments, catalogue, me)
        _check(request, catalogue, myself)
        with wiring.person_repository(directory, settings) as repository:
            standing = standing_at(repository, head, catalogue, machine_now())
            _check_id(arguments, repository, head)
        foreseen = forecast(
            Asked(request, Lane.ROUTINE, myself),
            catalogue,
            Answers(forge).groups(catalogue),
            None,
            standing,
            machine_now(),
            proposing.person_sources(forge),
        )
        _refuse(foreseen)
        if arguments.write:
            path = _write(directory, request.id, content)
            _show(arguments, foreseen, path, None)
            return ExitCode.DONE
        author = proposing.author_of(myself, settings.github.server_url)
        proposal = _proposal(request, content, author)
        proposing.push_proposal(directory, settings, proposal, head)
        asked = asker.propose(proposal.branch, proposal.message, _body(request))
    _show(arguments, foreseen, None, asked)
    return ExitCode.DONE


def _request(
    arguments: argparse.Namespace, catalogue: Catalogue, me: str
) -> tuple[AccessRequest, bytes]:
    """The request that the words make, as the loader reads it. Raises DocumentError."""
    said = _said(arguments)
    if said is None:
        if not answers.can_read():
            raise UsageError(
                "say what you need: RESOURCE ACCESS, --duration and --reason",
                remedy="For example: `daypass request orders-db read --duration 2h --reason "
                "'Orders stuck since the deploy'`. On a terminal you are asked instead.",
            )
        said = request_form.ask(arguments, catalogue)
    resource, access, duration, reason = said
    subject = arguments.subject or me
    request_id = arguments.id or proposing.new_id(subject, resource)
    if not is_name(request_id):
        raise UsageError(
            f"{output.printable(request_id)} cannot be an id",
            remedy="Lower-case letters, digits and dashes, 63 at the most; or leave out --id.",
        )
    spec: dict[str, Any] = {
        "subject": subject,
        "resource": resource,
        "access": access,
        "duration": duration,
        "reason": reason,
        "ticket": arguments.ticket,
        "notBefore": arguments.not_before,
        "device": arguments.device,
        "renews": arguments.renews,
        "workload": _workload(arguments),
    }
    content = written(
        Kind.ACCESS_REQUEST, request_id, {name: item for name, item in spec.items() if item}
    )
    return load_request(request_path(request_id), content), content


def _said(arguments: argparse.Namespace) -> tuple[str, str, str, str] | None:
    """What the words say by themselves; None when something is left to ask for."""
    words = arguments.words
    if len(words) > 2:  # noqa: PLR2004  -- RESOURCE and ACCESS
        raise UsageError(
            f"{output.printable(words[2])} is one word too many",
            remedy="Say RESOURCE ACCESS; everything else is a flag. A reason of several words "
            "goes into quotes.",
        )
    if len(words) < 2 or not arguments.duration or not arguments.reason:  # noqa: PLR2004
        return None
    return words[0], words[1], arguments.duration, arguments.reason


def _workload(arguments: argparse.Namespace) -> dict[str, str] | None:
    if bool(arguments.runs) != bool(arguments.where):
        raise UsageError(
            "--runs and --from go together",
            remedy="Say what will run, and from where: `--runs 'deploy.yml: migrate' --from "
            "github.com/acme/payments`.",
        )
    return {"runs": arguments.runs, "from": arguments.where} if arguments.runs else None


def _check(request: AccessRequest, catalogue: Catalogue, myself: Account | None) -> None:
    """What cannot be, said before anybody is bothered. Raises DocumentError, DeniedError."""
    findings = check_request(request, catalogue)
    if findings:
        raise DocumentError(findings[0].message, remedy=findings[0].remedy, findings=findings)
    subject = catalogue.identities[request.subject]
    if myself is None or myself.id not in askers(subject, catalogue):
        raise DeniedError(
            f"you cannot ask for {request.subject}",
            remedy="People ask for themselves, and for what they own or sponsor. Let "
            f"{request.subject} ask.",
        )


def _check_id(arguments: argparse.Namespace, repository: GitRepository, head: str) -> None:
    """That an id of the person's own is new, by the evidence. Raises DeniedError."""
    if arguments.id and used_in_history(repository, head)([arguments.id]):
        raise DeniedError(
            f"the id {arguments.id} was used before, and an id is used once",
            remedy="Leave out --id, or take another one. Nothing was asked.",
        )


def _refuse(foreseen: Forecast) -> None:
    """Raises DeniedError for what would be denied whoever approves it."""
    if foreseen.is_denied:
        why = "; ".join(item.message for item in foreseen.would_deny)
        rules = ", ".join(f"{item.policy}/{item.rule}" for item in foreseen.would_deny)
        raise DeniedError(
            f"it would be denied, whoever approves: {why}",
            remedy=f"Nothing was asked. `daypass explain RULE` tells what a rule is for: {rules}.",
        )


def _write(directory: Path, request_id: str, content: bytes) -> Path:
    path = directory / request_path(request_id)
    if any((directory / name).is_symlink() for name in ("access", "access/requests")):
        raise UsageError(
            "access/requests is a symbolic link, and what is written there lands elsewhere",
            remedy="Put a folder in its place. Nothing was written.",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise UsageError(
            f"{request_path(request_id)} is there already",
            remedy="An id is used once: leave out --id, or take another one.",
        ) from error
    return path


def _proposal(request: AccessRequest, content: bytes, author: tuple[str, str]) -> Proposal:
    return Proposal(
        branch=_BRANCH + request.id,
        path=request_path(request.id),
        content=content,
        message=f"Access: {request.access} on {request.resource} for {request.subject}",
        author=author,
    )


def _body(request: AccessRequest) -> str:
    return (
        "The plan says what merging this does, and who can approve it. Once it is merged:\n\n"
        f"```sh\ndaypass claim {request.id} -- COMMAND\n```"
    )


def _show(
    arguments: argparse.Namespace,
    foreseen: Forecast,
    path: Path | None,
    asked: tuple[int, str] | None,
) -> None:
    request = foreseen.request
    if arguments.format == "json":
        output.say_json(
            {
                "grant": request.id,
                "file": request_path(request.id),
                "pullRequest": asked[0] if asked else None,
                "url": asked[1] if asked else None,
                "forecast": foreseen.to_json(),
            }
        )
        return
    show_forecast(foreseen, ready="nothing more is needed" if foreseen.is_ready else None)
    if asked is not None:
        output.say(f"asked in {asked[1]}")
        output.say(f"once it is merged: daypass claim {request.id} -- COMMAND")
    elif path is not None:
        output.say(f"written: {request_path(request.id)}")
        output.say("put it on a branch of its own, and open a pull request with nothing else in it")
