"""Comment ends: what people said on a pull request that ends a grant, obeyed or not.

The job of access-commands obeys such a comment. Where that job did not run, or not yet, a run of
apply that looks at the pull request goes by the same rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.errors import IndeterminateError
from daypass.lifecycle.answers import Result, command_marker, result_of
from daypass.lifecycle.authority import Word, word_on
from daypass.lifecycle.commands import read_comment
from daypass.model.intent import Intent, IntentKind
from daypass.model.pullrequest import AccountType
from daypass.policy.groups import GroupDirectory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daypass.lifecycle.context import Answers
    from daypass.lifecycle.ports import Forge
    from daypass.lifecycle.world import World
    from daypass.model.grant import Grant
    from daypass.model.pullrequest import Comment


def find_ends(
    forge: Forge, answers: Answers, world: World, grant: Grant, comments: Sequence[Comment]
) -> Iterator[Intent]:
    """Yields the comments that end a grant, by the rules of access-commands, and are not refused.

    They are read as they stand now: an edit within the second in which one was written shows
    nowhere. All that could come of it is that a theft is recorded as an end that was asked for.

    Raises:
        IndeterminateError: main's documents, or GitHub's teams, do not say if a word counts.
        ForgeUnavailableError, ForgeRefusedError.
    """
    catalogue = world.catalogue or world.ruling
    if catalogue is None:
        raise IndeterminateError(
            "main's documents cannot be read: they say who may end a grant",
            remedy="Mend what `daypass validate` names.",
        )
    here = [item.id for item in world.grants.values() if item.pull_request == grant.pull_request]
    for comment in comments:
        command = read_comment(comment.body)
        if command is None or not command.kind.ends or comment.author_id is None:
            continue
        named = command.grant_id or (here[0] if len(here) == 1 else None)
        if named != grant.id or comment.edited or comment.created_at < grant.not_before:
            continue
        account = forge.account(comment.author_id)
        if account is None or account.type is not AccountType.USER:
            continue
        if answer_to(comment, comments, catalogue.settings.github.app_user_id) is Result.REFUSED:
            continue
        asks_groups = command.kind is IntentKind.REVOKE
        groups = answers.groups(catalogue) if asks_groups else GroupDirectory()
        word = word_on(command.kind, comment.author_id, grant, catalogue, groups)
        if word is Word.UNKNOWN:
            raise IndeterminateError(
                f"GitHub could not say whether the word of comment {comment.url} counts",
                remedy="The next run asks again.",
            )
        if word is Word.COUNTS:
            yield Intent(grant.id, command.kind, comment.author_id, comment.created_at)


def answer_to(comment: Comment, comments: Sequence[Comment], app_user_id: int) -> Result | None:
    """Returns what access-commands answered to that comment; None if it did not, or not yet."""
    marker = command_marker(comment.id)
    answers = (
        result_of(item.body)
        for item in comments
        if item.author_id == app_user_id and item.body.partition("\n")[0].strip() == marker
    )
    return next(answers, None)
