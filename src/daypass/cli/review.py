"""`daypass review`: somebody not involved says what they found about an emergency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.cli import output, wiring
from daypass.documents.records import load_obligation
from daypass.errors import ExitCode, ForgeRefusedError, UsageError
from daypass.lifecycle.messages import escape
from daypass.lifecycle.reviewing import ISSUE_MARK, command, issue_marker
from daypass.model.names import is_name, obligation_path

if TYPE_CHECKING:
    import argparse

    from daypass.lifecycle.ports import Repository
    from daypass.model.obligation import Obligation
    from daypass.model.settings import Settings

_APPLY: Final = "access-apply.yml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and positionals."""
    parser.add_argument("grant", metavar="ID", help="the emergency: the name of its request's file")
    parser.add_argument(
        "--note", metavar="TEXT", default="", help="what you looked at, and what you found"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Comment on the emergency's pull request; the next run of access-apply counts it."""
    directory = wiring.directory_of(arguments.directory)
    settings = wiring.read_settings(directory)
    with wiring.person_repository(directory, settings) as repository:
        head = repository.fetch()
        owed = _owed(arguments.grant, repository, head)
    with wiring.person_asking(settings) as asker:
        myself = asker.myself()
        if myself is not None and myself.id == owed.account_id:
            raise UsageError(
                f"you took {owed.grant_id} yourself: somebody not involved reviews it",
                remedy="Ask one of the reviewers; access/daypass.yaml names their groups.",
            )
        note = f"\n\n{escape(arguments.note)}\n" if arguments.note.strip() else ""
        comment = asker.comment(_place(owed, settings), command(owed.grant_id) + note)
        try:
            asker.dispatch(_APPLY, {})
        except ForgeRefusedError as error:
            output.note(f"access-apply could not be started ({error.message}): its schedule counts")
    if arguments.format == "json":
        output.say_json({"grant": owed.grant_id, "comment": comment.url})
    else:
        output.say(f"said in {comment.url}; the next run of access-apply counts it")
    return ExitCode.DONE


def _place(owed: Obligation, settings: Settings) -> int:
    """Where its review is given: its pull request, or the issue that calls for it."""
    if owed.pull_request is not None:
        return owed.pull_request
    with wiring.person(settings) as forge:
        issue = forge.marked_issues(ISSUE_MARK).get(issue_marker(owed.grant_id))
    if issue is None:
        raise UsageError(
            f"the issue that calls for the review of {owed.grant_id} is not open",
            remedy="The next run of access-apply opens it anew; then say it again.",
        )
    return issue[0]


def _owed(grant_id: str, repository: Repository, head: str) -> Obligation:
    """What is owed for that grant, as main says."""
    path = obligation_path(grant_id) if is_name(grant_id) else ""
    entries = repository.entries(head, path) if path else ()
    if not entries:
        raise UsageError(
            f"no review is owed for {grant_id!a}",
            remedy="`daypass status` lists what is owed. A review that was given is in the "
            "evidence: `daypass audit log`.",
        )
    return load_obligation(path, repository.blobs([entries[0].blob])[entries[0].blob])
