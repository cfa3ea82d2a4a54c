"""What `done`, `redeliver` and `revoke` share: find the grant, say the word, await the answer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.adapters.git import time_limit
from daypass.cli import output, wiring
from daypass.cli.awaiting import add_wait
from daypass.cli.belief import demand_issued_here, issued_elsewhere
from daypass.cli.governed import at_hand
from daypass.cli.main_at_hand import (
    AT_HAND_SECONDS,
    FETCH_SHARE,
    clone_at_hand,
    fault_of_documents,
    is_governed,
    settings_to_end_by,
)
from daypass.errors import (
    ClaimError,
    DaypassError,
    DeniedError,
    DocumentError,
    EvidenceError,
    ExitCode,
    ForgeUnavailableError,
    GitError,
    IndeterminateError,
    UnfetchedGrantError,
    UnknownGrantError,
)
from daypass.lifecycle.answers import Result, command_marker, plain, result_of
from daypass.lifecycle.claim import (
    Claimable,
    Unproven,
    look_up,
    record_as_issued,
    record_on_main,
)
from daypass.lifecycle.commands import Command, write_comment
from daypass.lifecycle.messages import escape

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from daypass.adapters.git import GitRepository
    from daypass.model.grant import Grant
    from daypass.model.intent import IntentKind
    from daypass.model.pullrequest import Comment
    from daypass.model.settings import Settings

_POLL_SECONDS: Final = 2.0
COMMANDS_WORKFLOW: Final = "access-commands.yml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the three verbs share."""
    output.add_format(parser)
    parser.add_argument("grant", metavar="ID", help="the grant: the name of the request's file")
    add_wait(parser)
    parser.add_argument(
        "--fingerprint",
        metavar="SHA256:...",
        action="append",
        default=[],
        help="the evidence key, as you know it from elsewhere; without it the one that was pinned "
        "when this machine first used the repository",
    )


def find(arguments: argparse.Namespace, *, fetch: bool = True) -> Claimable:
    """The live grant, by the evidence on main (or, not to `fetch`, as this clone holds it).

    Raises what `look_up` raises.
    """
    directory = wiring.directory_of(arguments.directory)
    if not fetch:
        known = at_hand(directory)
        if known is None:
            raise GitError(
                "this clone has no main that agrees with what your commands believe",
                remedy="Fetch it: `daypass status`.",
            )
        here = known.settings
    else:
        here = wiring.read_settings(directory, arguments.fingerprint, or_newest=True)
    keys = wiring.pinned_keys(directory, arguments.fingerprint)
    with wiring.person_repository(directory, here) as repository:
        if fetch:
            _fetch(repository, ForgeUnavailableError)
        found = look_up(arguments.grant, repository, keys)
    demand_issued_here(directory, found.grant.id, found.settings)
    return found


@dataclass(frozen=True, slots=True)
class ToEnd:
    """A grant whose end is asked for."""

    claimable: Claimable | Unproven
    whole: bool  # whether main was fetched, and its documents load where that was looked at

    @property
    def is_sure(self) -> bool:
        """Whether the evidence of main as it is now says that this grant is live, and what it is.

        Only then is it worth a question: an end must not wait until main is mended.
        """
        return self.whole and isinstance(self.claimable, Claimable)


def find_at_hand(arguments: argparse.Namespace) -> Claimable | None:
    """The live grant by the signed evidence that this clone holds; None where it does not.

    An end that is asked for by it waits for no remote. Raises nothing.
    """
    try:
        directory = wiring.directory_of(arguments.directory)
        settings = settings_to_end_by(directory, warn=False)
        if is_governed(directory, settings) is False:
            return None
        with (
            time_limit.within(AT_HAND_SECONDS, local=True),
            clone_at_hand(directory, settings) as repository,
        ):
            keys = wiring.pinned_keys(directory, arguments.fingerprint)
            found = look_up(arguments.grant, repository, keys)
        return None if issued_elsewhere(directory, found.settings) else found
    except Exception:  # noqa: BLE001  -- a bug must not stop an emergency stop
        return None


def find_to_end(
    arguments: argparse.Namespace, *, with_documents: bool = False, certain: bool = False
) -> ToEnd:
    """The live grant, to ask for its end: by its record on main where the evidence does not hold.

    An end must not wait until the evidence, the settings or the clone are mended: it opens no
    secret.

    Args:
        arguments: with the grant's id.
        with_documents: look whether the documents of main load, too.
        certain: only the governed repository itself tells that there is no such grant, or that it
            is over; not a mirror, a fork, or what this clone holds.

    Raises what `look_up` raises, and UnfetchedGrantError where main does not tell for certain.
    """
    directory = wiring.directory_of(arguments.directory)
    here = settings_to_end_by(directory)
    governed = is_governed(directory, here)
    with wiring.person_repository(directory, here) as repository:
        fetched = _fetch(repository, DaypassError)
        tells = fetched and (governed is True if certain else governed is not False)
        try:
            keys = wiring.pinned_keys(directory, arguments.fingerprint)
            found = look_up(arguments.grant, repository, keys)
        except ClaimError as error:
            if tells or not (certain or isinstance(error, UnknownGrantError)):
                raise
            why = (
                "the remote of this clone is not known to be the governed repository"
                if fetched
                else "main was not fetched"
            )
            raise UnfetchedGrantError(f"{error.message} ({why})", remedy=error.remedy) from None
        except (EvidenceError, GitError, DocumentError) as error:
            grant = _recorded(arguments.grant, repository)
            if grant is None:
                raise
            output.note(f"warning: {error.message}. {error.remedy}")
            output.note(f"  The end of {grant.id} is asked for all the same")
            return ToEnd(Unproven(grant, here), fetched)
        fault = fault_of_documents(repository, repository.head()) if with_documents else None
        if fault is not None:
            output.note(output.printable(f"warning: {fault}"))
        if issued_elsewhere(directory, found.settings):
            return ToEnd(Unproven(found.grant, here), fetched)
        return ToEnd(found, fetched and fault is None and governed is not False)


def _recorded(grant_id: str, repository: GitRepository) -> Grant | None:
    return record_on_main(grant_id, repository) or record_as_issued(grant_id, repository)


def _fetch(repository: GitRepository, passed_over: type[DaypassError]) -> bool:
    """Whether main was fetched; without it the clone serves as it is."""
    try:
        with time_limit.sharing(FETCH_SHARE):
            repository.fetch()
    except passed_over as error:
        output.note(f"{error.message}: going by what this clone holds")
        return False
    return True


def ask(
    arguments: argparse.Namespace,
    kind: IntentKind,
    claimable: Claimable | Unproven,
    reason: str = "",
    *,
    then: Callable[[], None] | None = None,
) -> ExitCode:
    """Comment on the grant's pull request, and wait for what daypass answers.

    `then` is called as soon as it is asked for.

    Raises:
        ForgeRefusedError, ForgeUnavailableError: the comment could not be written.
        DeniedError: daypass says that this is not this person's to say, or comes too late.
        IndeterminateError: it did not answer in time.
    """
    if claimable.grant.is_offline and kind.ends:
        # What was taken offline has no pull request to say it on.
        return dispatch_end(arguments, claimable.settings, claimable.grant.id, then)
    if claimable.grant.is_offline:
        raise DeniedError(
            f"{claimable.grant.id} was taken offline: nothing was delivered that could be "
            "delivered again",
            remedy="Take it anew, with `daypass break-glass`.",
        )
    command = Command(kind, claimable.grant.id)
    number = claimable.grant.asked_in
    return say(arguments, claimable.settings, number, command, reason, then=then)


def say(
    arguments: argparse.Namespace,
    settings: Settings,
    number: int,
    command: Command,
    reason: str = "",
    *,
    show: bool = True,
    then: Callable[[], None] | None = None,
) -> ExitCode:
    """Comment with that command on that pull request, and wait for what daypass answers.

    `show`: print the answer; a refusal is raised in any case. `then`: as in `ask`.

    Raises what `ask` raises.
    """
    words = write_comment(command)
    body = f"{words}\n\n{escape(reason)}\n" if reason.strip() else words
    with wiring.person_asking(settings) as asker:
        comment = asker.comment(number, body)
    output.note(f"asked: {words} on pull request #{number} ({comment.url})")
    if then is not None:
        then()
    answer = _await(settings, number, comment.id, arguments.wait) if arguments.wait else None
    if answer is None and arguments.wait:
        raise IndeterminateError(
            f"daypass has not answered within {arguments.wait} s",
            remedy=f"It goes on by itself: look at {comment.url} and `daypass status`. If no "
            "run of access-commands shows in GitHub's Actions, that workflow is missing on main.",
        )
    result = result_of(answer.body) if answer else None
    if show:
        _show(arguments, comment, answer, result)
    if answer is not None and result is Result.REFUSED:
        raise DeniedError(plain(answer.body), remedy=f"Its answer: {answer.url}")
    return ExitCode.PARTLY if result is Result.UNCONFIRMED else ExitCode.DONE


def dispatch_end(
    arguments: argparse.Namespace,
    settings: Settings,
    grant_id: str,
    then: Callable[[], None] | None = None,
) -> ExitCode:
    """Ask for an end in a dispatched run, which reads main for itself. `then`: as in `ask`.

    Raises:
        ForgeRefusedError, ForgeUnavailableError: it could not be dispatched.
    """
    with wiring.person_asking(settings) as asker:
        asker.dispatch(COMMANDS_WORKFLOW, {"command": f"revoke {grant_id}"})
    where = f"{settings.github.server_url}/{settings.github.full_name}/actions"
    if arguments.format == "json":
        output.tell_json({"grant": grant_id, "asked": where, "answer": None, "result": None})
    else:
        output.tell(f"asked for the end of {grant_id}: the run of access-commands says what came")
        output.note(where)
    if then is not None:
        then()
    return ExitCode.DONE


def _await(settings: Settings, number: int, comment_id: int, seconds: int) -> Comment | None:
    """The App's answer to a comment; None when there is none in time."""
    marker, bot = command_marker(comment_id), settings.github.app_user_id
    deadline = time.monotonic() + seconds
    with wiring.person(settings) as forge:
        while True:
            for item in forge.comments(number):
                if item.author_id == bot and item.body.partition("\n")[0].strip() == marker:
                    return item
            if time.monotonic() + _POLL_SECONDS > deadline:
                return None
            time.sleep(_POLL_SECONDS)


def _show(
    arguments: argparse.Namespace, asked: Comment, answer: Comment | None, result: Result | None
) -> None:
    if arguments.format == "json":
        output.tell_json(
            {
                "grant": arguments.grant,
                "asked": asked.url,
                "answer": answer.url if answer else None,
                "result": str(result) if result else None,
            }
        )
    elif answer is not None and result is not Result.REFUSED:
        output.tell_text(plain(answer.body))
