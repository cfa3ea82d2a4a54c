"""The queue: which of the requests on main one pass judges, when there are very many.

People take turns, by the subject that a request names: who brings a flood of them delays their own.
What a pass leaves, the next one goes on with, in this run or the next; ends never queue.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from daypass.documents.repository import load_asked
from daypass.errors import DocumentError
from daypass.lifecycle.plan import Plan, Step
from daypass.lifecycle.turns import take_turns
from daypass.model.grant import Lane

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from daypass.lifecycle.plan import Action
    from daypass.lifecycle.ports import Repository

REQUESTS: Final = 500  # that a pass judges


def narrow(plan: Plan, repository: Repository, waiting: Collection[str] = ()) -> tuple[Plan, int]:
    """Leaves so many requests in the plan as a pass may judge; and tells how many are left out.

    `waiting` are ids that a pass has looked at and could not decide: of each person's requests they
    come after the others. A flood of one person holds up no other's.

    Raises what the repository raises.
    """
    asked = plan.of(Step.JUDGE, Step.REFUSE)
    if len(asked) <= REQUESTS:
        return plan, 0
    files = {action.request.blob for action in asked if action.request is not None}
    contents = repository.blobs(sorted(files))
    subjects = {action.grant_id: _subject(action, contents) for action in asked}
    # Of each person's requests, and of the people of each turn, those that wait come last.
    ordered = sorted(asked, key=lambda action: action.grant_id in waiting)
    turns = take_turns(ordered, lambda action: subjects[action.grant_id])
    turns.sort(key=lambda action: not _is_emergency(action))
    chosen = {action.grant_id for action in turns[:REQUESTS]}
    kept = (
        action
        for action in plan.actions
        if action.step not in (Step.JUDGE, Step.REFUSE) or action.grant_id in chosen
    )
    return Plan(tuple(kept)), len(asked) - len(chosen)


def _is_emergency(action: Action) -> bool:
    return action.request is not None and action.request.lane is Lane.BREAK_GLASS


def _subject(action: Action, contents: Mapping[str, bytes]) -> str:
    """The subject that the request names; "" for what cannot be read."""
    file = action.request
    if file is None or file.blob not in contents:
        return ""
    with suppress(DocumentError):
        return load_asked(file.path, contents[file.blob], file.lane).subject
    return ""
