"""`daypass audit`: list the evidence, verify it, ask of it. Offline, on the clone at hand."""

from __future__ import annotations

import gc
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from daypass.cli import (
    audit_activity,
    audit_anchor,
    audit_bundle,
    audit_export,
    audit_report,
    audit_show,
    audit_verify,
    audit_who,
    output,
)
from daypass.cli.at_root import refuse_elsewhere
from daypass.cli.audit_words import open_clone
from daypass.cli.known_names import demand_id, is_asked, unknown_id
from daypass.errors import EvidenceError, ExitCode, UsageError
from daypass.model.names import ALLOWED_SIGNERS_PATH

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator

    from daypass.adapters.git import GitRepository
    from daypass.ledger.allowed_signers import Signers
    from daypass.lifecycle.ports import CommitObject
    from daypass.model.event import RecordedEvent


class _SubVerb(NamedTuple):
    """A sub-verb: its own flags, its line in the list, and what its own help begins with."""

    add_arguments: Callable[[argparse.ArgumentParser], None]
    help: str
    description: str
    plain: bool = False  # whether it takes `--revision` and `--format` as they are


def _add_log(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--grant", metavar="ID", help="only the events of that grant")
    parser.add_argument(
        "--since",
        metavar="COMMIT",
        help="only what came to main after that commit: a head that was looked at before",
    )


_SUB_VERBS: Final = {
    "log": _SubVerb(
        _add_log,
        "all events, newest first",
        "All events, newest first: commits that carry a valid signature of a signer in "
        f"{ALLOWED_SIGNERS_PATH}. A later change takes no key away there that counted before.",
        plain=True,
    ),
    "verify": _SubVerb(
        audit_verify.add_arguments,
        "name every event that was rewritten, dropped, forged or reordered",
        "Read main from its first commit to its head and name every event that was rewritten, "
        "dropped, unsigned, reordered or forged. Ends with 6 if the evidence does not hold.",
        plain=True,
    ),
    "anchor": _SubVerb(
        audit_anchor.add_arguments,
        "a signed tag that holds main to what it is now",
        "Have the evidence key sign a tag of main's head, in Vault. `daypass apply` pushes one a "
        "day. A main that does not lead to it was rewritten.",
        plain=True,
    ),
    "report": _SubVerb(
        audit_report.add_arguments,
        "answer the auditor's questions: HTML, Markdown, CSV or JSON Lines",
        "Answer the auditor's questions from the evidence of this clone. The same head gives the "
        "same bytes.",
    ),
    "bundle": _SubVerb(
        audit_bundle.add_arguments,
        "main with its whole history in one file, for an archive",
        "Write a git bundle of main for an archive, with its checksum and, if asked, a signature "
        "by the evidence key. Stock git clones and verifies it. What is incomplete, or does not "
        "verify, is not written.",
    ),
    "who": _SubVerb(
        audit_who.add_arguments,
        "who could use what at a time",
        "Who could use what at a time, by Vault's time of ending. A grant of which Vault did not "
        "confirm that it was gone counts as access.",
        plain=True,
    ),
    "activity": _SubVerb(
        audit_activity.add_arguments,
        "what a grant was used for, by the logs of Vault and PostgreSQL",
        "What a grant was used for, by Vault's audit log and PostgreSQL's log. It counts: no "
        "statement, parameter or answer is shown.",
    ),
    "export": _SubVerb(
        audit_export.add_arguments,
        "the evidence for other systems: OCSF, CloudEvents, OSCAL, in-toto",
        "The evidence in the formats of other systems. The same head gives the same bytes.",
    ),
    "show": _SubVerb(
        audit_show.add_arguments,
        "one request on one page, from what was asked to its end",
        "One request on one page: what was asked, the decision and its reasons, approvals, issue, "
        "delivery, end and review, each with its commit.",
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-verbs."""
    verbs = parser.add_subparsers(dest="audit", metavar="COMMAND", required=True)
    for name, entry in _SUB_VERBS.items():
        child = verbs.add_parser(
            name, help=entry.help, description=entry.description, allow_abbrev=False
        )
        entry.add_arguments(child)
        if entry.plain:
            child.add_argument(
                "--revision", metavar="REV", default="HEAD", help="judge this head (default: HEAD)"
            )
            output.add_format(child)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Call the sub-verb. Raises GitError when this is no complete clone."""
    if arguments.audit == "verify" and arguments.bundle is not None:
        return audit_verify.run_on_bundle(arguments)
    with open_clone(Path(arguments.directory)) as repository:
        repository.assert_complete()
        head = repository.resolve(arguments.revision)
        return _RUN[arguments.audit](repository, head, arguments)


def _log(repository: GitRepository, head: str, arguments: argparse.Namespace) -> ExitCode:
    from daypass.ledger.history import read_chained
    from daypass.report.log import log_json, log_table

    grant: str | None = arguments.grant
    if grant is not None:
        demand_id(grant)
    signers = _signers(repository, head)
    events: Iterable[RecordedEvent] = read_chained(
        _walk(repository, head, arguments.since), signers
    )
    # Nothing here makes cycles: looking for them while all of history is read costs a tenth.
    gc.disable()
    try:
        if grant is not None:
            events = [event for event in events if event.event.grant == grant]
            if not events:
                _demand_known(repository, head, grant, signers)
        if arguments.format == "json":
            output.say_json([log_json(event) for event in events])
        else:
            for line in log_table(events):
                output.say(line)
    finally:
        gc.enable()
    return ExitCode.DONE


def _demand_known(repository: GitRepository, head: str, grant: str, signers: Signers) -> None:
    """Say of an id without an event what there is of it instead; raise UsageError for nothing."""
    from daypass.ledger.history import find_events

    if find_events(repository.walk(head), signers, [grant])[grant]:
        output.note(f"{grant}: its events are older than that")
    elif is_asked(repository, head, grant):
        output.note(f"{grant} is a request of this history, and no event of it is recorded yet")
    else:
        raise unknown_id(
            repository,
            head,
            grant,
            f"no event up to {head[:12]} is of the grant {grant}, and no request has that id",
            remedy="`daypass audit log` lists all events, `daypass status` what is live. What was "
            "recorded since this clone was fetched, `git pull` brings.",
        )


def _walk(repository: GitRepository, head: str, since: str | None) -> Iterator[CommitObject]:
    """Main from its head back, to `since`, which is left out."""
    if since is None:
        return repository.walk(head)
    known = repository.resolve(since)
    if not repository.leads(known, head):
        raise UsageError(
            f"main does not lead through {output.printable(since)}",
            remedy="Name a head that main had once. If it had, main was rewritten since: run "
            f"`daypass audit verify --anchor {known}`.",
        )
    return takewhile(lambda commit: commit.sha != known, repository.walk(head))


def _signers(repository: GitRepository, head: str) -> Signers:
    from daypass.ledger.counting_signers import counting_signers

    signers = counting_signers(repository, head)
    if signers is None:
        refuse_elsewhere(repository, head)
        raise EvidenceError(
            f"there is no {ALLOWED_SIGNERS_PATH} up to {head}, so no commit counts as evidence",
            remedy="`daypass vault apply` prints the line of the evidence key; commit it there by "
            "a pull request.",
        )
    return signers


def _anchor(repository: GitRepository, head: str, arguments: argparse.Namespace) -> ExitCode:
    return audit_anchor.run(repository, head, _signers(repository, head), arguments)


def _who(repository: GitRepository, head: str, arguments: argparse.Namespace) -> ExitCode:
    return audit_who.run(repository, head, _signers(repository, head), arguments)


def _show_request(repository: GitRepository, head: str, arguments: argparse.Namespace) -> ExitCode:
    return audit_show.run(repository, head, _signers(repository, head), arguments)


def _activity(repository: GitRepository, head: str, arguments: argparse.Namespace) -> ExitCode:
    return audit_activity.run(repository, head, _signers(repository, head), arguments)


_RUN: Final = {
    "activity": _activity,
    "log": _log,
    "verify": audit_verify.run,
    "anchor": _anchor,
    "report": audit_report.run,
    "bundle": audit_bundle.run,
    "who": _who,
    "show": _show_request,
    "export": audit_export.run,
}
