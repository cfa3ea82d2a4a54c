"""Commanding: whose word it is, whether it counts, and what becomes of it.

The evidence is left to the next run of apply. Everything here may be done twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError
from daypass.lifecycle.answers import Answer, Result, answer_body, command_marker, result_of
from daypass.lifecycle.authority import Word, word_on, word_on_halt
from daypass.lifecycle.commands import Command, Halt, read_comment
from daypass.lifecycle.context import Answers
from daypass.lifecycle.ended_already import ended_already
from daypass.lifecycle.ending_early import carry_out, end_many
from daypass.lifecycle.recording_use import put_on_record
from daypass.lifecycle.redelivering import why_not
from daypass.lifecycle.standing import look, open_emergencies, waiting_requests
from daypass.model.grant import Grant, GrantState
from daypass.model.intent import Intent, IntentKind
from daypass.model.names import request_path
from daypass.model.pullrequest import AccountType
from daypass.policy.groups import GroupDirectory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daypass.lifecycle.standing import Desk, Main
    from daypass.model.pullrequest import Comment

# A run of apply that is under way can record a grant that a halt did not see: it looks again.
_LOOKS: Final = 3
_NOTED_AT_ONCE: Final = 1000  # in one write, which tells of all or of none
_MAY: Final = {
    IntentKind.DONE: "its holder, whoever asked for it, or who answers for a holder that is no "
    "person (owners and approvers of its resource may /revoke it)",
    IntentKind.NOT_ME: "its holder, whoever asked for it, or who answers for a holder that is no "
    "person",
    IntentKind.REVOKE: "its holder, whoever asked for it or answers for its holder, owners and "
    "approvers of its resource, or the owners of the foundation",
    IntentKind.REDELIVER: "its holder, or whoever asked for it for a holder that is no person",
    IntentKind.HALT: "the owners of the foundation (access/daypass.yaml names them)",
}


@dataclass(frozen=True, slots=True)
class Said:
    """A comment, as the event tells that set a run off."""

    number: int  # of the pull request
    comment_id: int
    body: str


def obey_comment(desk: Desk, app_user_id: int, said: Said) -> Answer | None:
    """Carry out the command that a comment begins with, and answer it with one comment.

    The comment is read from GitHub anew, and must be what it was when it was written: whoever has
    write access can edit it, and an edit within its second leaves no trace but in its text.

    Args:
        desk: what to act through.
        app_user_id: the numeric id of the App's own account, which writes the answers.
        said: the comment that set the run off.

    Returns:
        The answer, or None: it is no command, or was answered before.

    Raises:
        What the ports raise; then no answer was posted, and the command can be run again.
    """
    comments = desk.forge.comments(said.number)
    comment = next((item for item in comments if item.id == said.comment_id), None)
    command = read_comment(comment.body) if comment is not None else None
    if comment is None or command is None or not _is_persons(desk, comment):
        return None
    marker = command_marker(said.comment_id)
    if _is_answered(comments, marker, app_user_id):
        return None
    answer = _obey(desk, command, comment, said)
    desk.forge.put_comment(said.number, marker, answer_body(answer))
    return answer


def obey_dispatch(desk: Desk, command: Command | Halt, account_id: int) -> tuple[Answer, ...]:
    """Carry out what somebody dispatched. Raises what the ports raise."""
    if not _is_user(desk, account_id):
        why = "only a person's word counts"
        kind = IntentKind.HALT if isinstance(command, Halt) else command.kind
        return (Answer(None, kind, Result.REFUSED, why),)
    if isinstance(command, Halt):
        return _halt(desk, command, account_id)
    main = look(desk, command.grant_id)
    grant = main.grants.get(command.grant_id or "")
    if grant is None:
        return (_unknown(desk, main, command, None),)
    return (_decide(desk, main, grant, command.kind, account_id),)


def _obey(desk: Desk, command: Command, comment: Comment, said: Said) -> Answer:
    """What becomes of a person's comment that is a command."""
    refuse = partial(Answer, command.grant_id, command.kind, Result.REFUSED)
    number = said.number
    edited = comment.edited or _text(comment.body) != _text(said.body)
    if edited or comment.author_id is None:
        return refuse(
            "the comment was edited, so whose words it holds is not sure. Write a new one"
        )
    main = look(desk, command.grant_id)
    if command.grant_id is None:
        here = [grant for grant in main.grants.values() if grant.pull_request == number]
        if len(here) != 1:
            over = None if here else ended_already(desk, main, command, number)
            why = f"{len(here)} grants of this pull request are live: name one, /done ID"
            return over or refuse(why)
        grant = here[0]
    elif command.usage is not None:
        return put_on_record(desk, main, command, number=number, account_id=comment.author_id)
    elif command.grant_id not in main.grants:
        return _unknown(desk, main, command, number)
    else:
        grant = main.grants[command.grant_id]
    if grant.pull_request not in (None, number):
        return refuse(f"it is of pull request {grant.pull_request}: write it there")
    return _decide(desk, main, grant, command.kind, comment.author_id)


def _decide(desk: Desk, main: Main, grant: Grant, kind: IntentKind, account_id: int) -> Answer:
    """Whether the word counts; if it does, carry it out."""
    refuse = partial(Answer, grant.id, kind, Result.REFUSED)
    # Holders are known without a team: an outage of GitHub's teams does not keep them waiting.
    asked = Answers(desk.forge).groups(main.catalogue) if kind is IntentKind.REVOKE else None
    word = word_on(kind, account_id, grant, main.catalogue, asked or GroupDirectory())
    if word is not Word.COUNTS:
        return refuse(_silent(word, kind))
    if grant.not_after <= main.now:
        return refuse(f"its time was up at {grant.not_after}")
    if kind is IntentKind.REDELIVER and grant.state is GrantState.REVOKE_FAILED:
        return refuse("it is being ended")
    if kind is IntentKind.REDELIVER:
        why = why_not(grant, desk.registry.read(grant.id), main.now)
        if why is not None:
            return refuse(why)
    return carry_out(desk, grant, Intent(grant.id, kind, account_id, main.now))


def _silent(word: Word, kind: IntentKind) -> str:
    """Why somebody's word did nothing."""
    if word is Word.UNKNOWN:
        return "GitHub could not say who is in the teams that decide it. Try again"
    return f"only these may say so: {_MAY[kind]}"


def _halt(desk: Desk, halt: Halt, account_id: int) -> tuple[Answer, ...]:
    done: dict[str, Answer] = {}
    refused: dict[str, Answer] = {}  # asked for, and not issued yet
    failed: tuple[Answer, ...] = ()
    for _ in range(_LOOKS):
        main = look(desk)
        groups = Answers(desk.forge).groups(main.catalogue)
        word = word_on_halt(account_id, main.catalogue, groups)
        if word is not Word.COUNTS:
            why = _silent(word, IntentKind.HALT)
            answer = Answer(None, IntentKind.HALT, Result.REFUSED, why)
            return (*(refused | done).values(), answer)
        # First what is about to begin: a run that issues one of them ends it in its next pass.
        waiting = [
            name
            for name, asked in waiting_requests(desk.repository, main.head, main.grants).items()
            if name not in refused and halt.is_aimed_at(asked, main.catalogue.identities)
        ]
        refused |= _refuse(desk, waiting, account_id, main)
        aimed = [
            grant
            for name, grant in sorted(main.grants.items())
            if name not in done
            and grant.not_after > main.now
            and halt.is_aimed_at(grant, main.catalogue.identities)
        ]
        done |= {answer.grant_id or "": answer for answer in _end(desk, aimed, account_id, main)}
        emergencies, failed = _refuse_emergencies(desk, halt, account_id, main)
        refused |= emergencies
        if desk.repository.fetch() == main.head:
            break
    return (*(refused | done).values(), *failed)


def _refuse_emergencies(
    desk: Desk, halt: Halt, account_id: int, main: Main
) -> tuple[dict[str, Answer], tuple[Answer, ...]]:
    """The same of emergencies that are open, which daypass alone would merge; and what failed."""
    try:
        waiting, unknown = open_emergencies(desk, main)
    except DaypassError as error:
        why = f"an emergency that is open may begin, for GitHub did not tell: {error.message}"
        return {}, (Answer(None, IntentKind.HALT, Result.REFUSED, why),)
    aimed = [
        name
        for name, asked in waiting.items()
        if halt.is_aimed_at(asked, main.catalogue.identities)
    ]
    failed = (
        f"the emergency of #{number} may begin, for what it asks for is not known: {error.message}"
        for number, error in unknown.items()
    )
    return (
        _refuse(desk, aimed, account_id, main),
        tuple(Answer(None, IntentKind.HALT, Result.REFUSED, why) for why in failed),
    )


def _refuse(desk: Desk, names: Sequence[str], account_id: int, main: Main) -> dict[str, Answer]:
    """Note that none of these is to begin."""
    kind = IntentKind.HALT
    intents = [Intent(name, kind, account_id, main.now) for name in names]
    try:
        desk.registry.write_intents(intents)
    except DaypassError as error:
        why = f"it could not be noted in Vault: {error.message}"
        return {name: Answer(name, kind, Result.REFUSED, why) for name in names}
    return {name: Answer(name, kind, Result.NOTED) for name in names}


def _end(desk: Desk, aimed: Sequence[Grant], account_id: int, main: Main) -> Iterator[Answer]:
    """End them; or say of each that it could not be noted, which nothing is ended without."""
    for start in range(0, len(aimed), _NOTED_AT_ONCE):
        some = aimed[start : start + _NOTED_AT_ONCE]
        intents = [Intent(grant.id, IntentKind.HALT, account_id, main.now) for grant in some]
        try:
            yield from end_many(desk, some, intents)
        except DaypassError as error:
            why = f"it could not be noted in Vault: {error.message}"
            for item in intents:
                yield Answer(item.grant_id, item.kind, Result.REFUSED, why)


def _unknown(desk: Desk, main: Main, command: Command, number: int | None) -> Answer:
    """Why there is no live grant of that id. `number`: the pull request where it was said."""
    over = ended_already(desk, main, command, number)
    if over is not None:
        return over
    path = request_path(command.grant_id or "")
    asked = any(
        entry.path == path for entry in desk.repository.entries(main.head, "access/requests")
    )
    why = (
        "it is merged and not yet issued. To take it back, delete its file by a pull request"
        if asked
        else "main knows no live grant of that id"
    )
    return Answer(command.grant_id, command.kind, Result.REFUSED, why)


def _text(body: str) -> str:
    """A body as it compares: GitHub turns line ends about between events and answers."""
    return body.replace("\r\n", "\n").strip()


def _is_persons(desk: Desk, comment: Comment) -> bool:
    return comment.author_id is not None and _is_user(desk, comment.author_id)


def _is_user(desk: Desk, account_id: int) -> bool:
    account = desk.forge.account(account_id)
    return account is not None and account.type is AccountType.USER


def _is_answered(comments: Sequence[Comment], marker: str, app_user_id: int) -> bool:
    """Whether the App has answered for good: what was not confirmed is tried again."""
    said = (
        result_of(item.body)
        for item in comments
        if item.author_id == app_user_id and item.body.partition("\n")[0].strip() == marker
    )
    return next(said, None) not in (None, Result.UNCONFIRMED)
