"""`daypass review`: somebody not involved says what they found about an emergency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.adapters.clock import machine_now
from daypass.cli import output, wiring
from daypass.cli.known_names import demand_id
from daypass.documents.nearby import suggestion
from daypass.documents.records import load_obligation
from daypass.errors import DeniedError, ExitCode, ForgeRefusedError, UsageError
from daypass.lifecycle.claim import record_on_main
from daypass.lifecycle.messages import escape
from daypass.lifecycle.reviewing import ISSUE_MARK, command, issue_marker
from daypass.model.grant import GrantState
from daypass.model.names import names_of, obligation_path
from daypass.report.status import time_left

if TYPE_CHECKING:
    import argparse

    from daypass.lifecycle.ports import Repository
    from daypass.model.grant import Grant
    from daypass.model.instant import Instant
    from daypass.model.obligation import Obligation
    from daypass.model.settings import Settings

_APPLY: Final = "access-apply.yml"
_FOLDER: Final = "access/obligations"


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
        live = record_on_main(owed.grant_id, repository)
    late = demand_ended(live, machine_now())
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
        output.say(f"said in {comment.url}")
        output.say(late or "the next run of access-apply counts it, or answers there why not")
    return ExitCode.DONE


def demand_ended(live: Grant | None, now: Instant) -> str | None:
    """Refuse a review that cannot count yet; what to say of one whose end is not recorded yet.

    A run counts what was said after the end, as Vault tells that: of what was said before, it says
    so on the pull request, and the reviewer has to look again.

    Raises:
        DeniedError: the access has not ended.
    """
    if live is None:
        return None
    if live.state is GrantState.REVOKE_FAILED:
        raise DeniedError(
            f"{live.id} could not be ended yet: it may still be used, so no review counts",
            remedy="Every run tries again. Review it once `daypass status` shows it as review due, "
            "and no longer as revoke-failed. Nothing was said.",
        )
    if now < live.not_after:
        raise DeniedError(
            f"{live.id} has not ended: a review counts from {live.not_after} on, when its time is "
            f"up (in {time_left(live.not_after.since(now))}), or from its end if that comes sooner",
            remedy=f"Look at it then, and say it again. To end it now: `daypass revoke {live.id}`. "
            "Nothing was said.",
        )
    return (
        f"its time was up at {live.not_after}: the run of access-apply that records its end counts "
        "this, unless Vault says that it ended later"
    )


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
    demand_id(grant_id)
    path = obligation_path(grant_id)
    entries = repository.entries(head, path)
    if entries:
        return load_obligation(path, repository.blobs([entries[0].blob])[entries[0].blob])
    if repository.touching(None, head, [path]):
        raise UsageError(
            f"no review is owed for {grant_id} any more: it was given",
            remedy=f"`daypass audit show {grant_id}` says by which account, and when.",
        )
    owed = names_of(entry.path for entry in repository.entries(head, _FOLDER))
    raise UsageError(
        f"no review is owed for {grant_id}{suggestion(grant_id, sorted(owed))}",
        remedy="`daypass status` lists what is owed. A review that was given is in the evidence: "
        "`daypass audit log`.",
    )
