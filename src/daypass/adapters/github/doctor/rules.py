"""What the rules of a branch must demand, and of which actors they may not."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.github.doctor.finding import Finding, State
from daypass.adapters.github.doctor.guards import APP, Bypass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from daypass.adapters.github.doctor.guards import Guard, Guards
    from daypass.adapters.github.doctor.reading import Reader


@dataclass(frozen=True, slots=True)
class Requirement:
    """Something that a guard of the branch must demand."""

    check: str
    what: str
    lacking: str  # the same, where nothing demands it
    holds: Callable[[Guard], bool]
    why: str  # what is open without it
    history: bool = False  # the App, which never rewrites history, has no need to pass by it
    advice: bool = False


REQUIREMENTS: Final = (
    Requirement(
        "review-by-owner",
        "a code owner must approve",
        "no code owner has to approve",
        lambda guard: guard.code_owners,
        "two people with write access could approve each other's change of what mints",
    ),
    Requirement(
        "approvals",
        "a pull request and an approval are required",
        "no approved pull request is required",
        lambda guard: guard.approvals >= 1,
        "a person with write access could merge, or push, a change of what mints alone",
    ),
    Requirement(
        "stale-reviews",
        "a push dismisses approvals",
        "approvals outlive a push",
        lambda guard: guard.dismiss_stale,
        "what is pushed after an owner's approval would be merged unread",
    ),
    Requirement(
        "last-push",
        "the last push is approved by another account",
        "the last push may be approved by its own author",
        lambda guard: guard.last_push,
        "an owner could push to a colleague's pull request and approve it too",
        advice=True,
    ),
    Requirement(
        "no-deletion",
        "the branch cannot be deleted",
        "the branch can be deleted",
        lambda guard: guard.no_deletion,
        "a branch that is deleted can be made anew, with another history, past every review",
        history=True,
    ),
    Requirement(
        "no-force-push",
        "history cannot be rewritten",
        "history can be rewritten",
        lambda guard: guard.no_force,
        "evidence could be dropped, and an older, weaker workflow brought back",
        history=True,
    ),
)


def judge(reader: Reader, branch: str, guards: Guards, app_id: int | None) -> Iterator[Finding]:
    """One finding a requirement.

    Args:
        reader: of the repository, for names in commands.
        branch: its name.
        guards: what guards it.
        app_id: of the App that pushes evidence to it; None where no App may pass by.
    """
    for item in REQUIREMENTS:
        found = _judge(reader, branch, item, guards, app_id)
        finding = replace(found, what=f"{reader.name} {branch}: {found.what}")
        if item.advice:
            state = State.ADVICE if found.state.is_wrong else found.state
            finding = replace(finding, state=state, proves=False)
        yield finding


def _judge(
    reader: Reader, branch: str, item: Requirement, guards: Guards, app_id: int | None
) -> Finding:
    """Rulesets add up: one that demands it, and that only the App passes by, is enough."""
    holding = [guard for guard in guards.seen if item.holds(guard)]
    for guard in holding:
        if guard.bypass is not None and not _strangers(guard, app_id):
            return _sound(reader, branch, item, guard, app_id)
    unseen = next((guard for guard in holding if guard.bypass is None), None)
    if unseen is not None:
        return _unseen(reader, item, unseen)
    if guards.hidden:
        why = f"no ruleset demands it of everyone, and {guards.hidden}; if it does not: {item.why}"
        mend = (f"{reader.gh} auth login   # as an administrator of {reader.name}",)
        return Finding(item.check, State.NOT_VISIBLE, item.what, why, mend)
    if not holding:
        body = json.dumps(_ruleset(item, branch, app_id), separators=(",", ":"))
        post = f"{reader.gh} api --method POST repos/{reader.name}/rulesets --input -"
        mend = (f"echo {shlex.quote(body)} | {post}",)
        return Finding(item.check, State.MISSING, item.lacking, item.why, mend)
    guard = holding[0]
    passing = ", ".join(map(str, _strangers(guard, app_id)))
    what = f"{item.what}, but {passing} may pass by {guard.name}"
    closing = _without_bypass(reader, branch, guard, app_id)
    return Finding(item.check, State.DIFFERENT, what, item.why, closing)


def _sound(
    reader: Reader, branch: str, item: Requirement, guard: Guard, app_id: int | None
) -> Finding:
    if guard.bypass and item.history:
        why = f"the App may pass by {guard.name}, which it never needs: {item.why}"
        mend = _without_bypass(reader, branch, guard, None)
        return Finding(item.check, State.ADVICE, item.what, why, mend, proves=False)
    exempt = any(actor.mode == "exempt" for actor in guard.bypass or ())
    if exempt:
        why = f"the App is `exempt` in {guard.name}: GitHub keeps no trace of what it passes by"
        mend = _without_bypass(reader, branch, guard, app_id)
        return Finding(item.check, State.ADVICE, item.what, why, mend, proves=False)
    past = "only the App may pass by" if guard.bypass else "no actor may pass by"
    return Finding(item.check, State.SOUND, item.what, f"{guard.name}; {past}")


def _unseen(reader: Reader, item: Requirement, guard: Guard) -> Finding:
    """GitHub shows who may pass by a ruleset only to those who may change it."""
    why = f"{guard.name} demands it, and which actors may pass by it is not shown to this token"
    mend = (f"{reader.gh} api {guard.ruleset} --jq .bypass_actors   # as one who may change it",)
    return Finding(item.check, State.NOT_VISIBLE, item.what, why, mend)


def _strangers(guard: Guard, app_id: int | None) -> Sequence[Bypass]:
    """The actors that may pass by, the App left out."""
    return [
        actor
        for actor in guard.bypass or ()
        if app_id is None or (actor.kind, actor.id) != (APP, app_id)
    ]


def _without_bypass(
    reader: Reader, branch: str, guard: Guard, app_id: int | None
) -> tuple[str, ...]:
    if guard.ruleset is None:
        path = f"repos/{reader.name}/branches/{branch}/protection"
        return (
            f"{reader.gh} api --method POST {path}/enforce_admins",
            f"{reader.gh} browse --repo {reader.name} --settings   # Branches: take out the bypass",
        )
    kept = "" if app_id is None else json.dumps(_app(app_id))
    body = f'{{"bypass_actors":[{kept}]}}'
    return (f"echo '{body}' | {reader.gh} api --method PUT {guard.ruleset} --input -",)


def _ruleset(item: Requirement, branch: str, app_id: int | None) -> dict[str, Any]:
    """A ruleset that demands it, and all that belongs to it, as GitHub's API takes it."""
    reviewed = {
        "required_approving_review_count": 1,
        "dismiss_stale_reviews_on_push": True,
        "require_code_owner_review": True,
        "require_last_push_approval": True,
        "required_review_thread_resolution": False,
    }
    pull_request = {"type": "pull_request", "parameters": reviewed}
    history = [{"type": "deletion"}, {"type": "non_fast_forward"}]
    passing = [] if item.history or app_id is None else [_app(app_id)]
    return {
        "name": "daypass: history" if item.history else "daypass: reviewed",
        "target": "branch",
        "enforcement": "active",
        "bypass_actors": passing,
        "conditions": {"ref_name": {"include": [f"refs/heads/{branch}"], "exclude": []}},
        "rules": history if item.history else [pull_request],
    }


def _app(app_id: int) -> dict[str, Any]:
    return {"actor_id": app_id, "actor_type": APP, "bypass_mode": "always"}
