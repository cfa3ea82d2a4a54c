"""Vault against git, both ways: only where the report was allowed to ask Vault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.report.answer import Answer, Cell, Column, Shape, Standing, counted
from daypass.report.story import State

if TYPE_CHECKING:
    from daypass.lifecycle.held import Held
    from daypass.model.instant import Instant
    from daypass.report.ground import Ground
    from daypass.report.story import GrantStory

_GRAIN_SECONDS: Final = 1  # Vault tells its time in whole seconds, rounded down


def vault_against_git(ground: Ground) -> Answer:
    """What lives in Vault and not in git, and the other way round."""
    held = ground.held
    rows = _differences(ground, held) if held is not None else []
    if held is None:
        summary = "Vault was not asked: give `--vault`, with a token that may list accessors."
    else:
        summary = (
            f"{counted(len(held.tokens), 'live token')} in Vault at {held.at}; "
            f"{counted(len(rows), 'difference')}."
        )
    return Answer(
        name="vault-against-git",
        title="Vault against git",
        question="What is over and still live in Vault, or live in git and gone there?",
        standing=Standing.UNKNOWN
        if held is None
        else Standing.ATTENTION
        if rows
        else Standing.NONE,
        summary=summary,
        columns=(
            Column("what", "What", Shape.STATE),
            Column("grant", "Grant", Shape.NAME),
            Column("subject", "Subject", Shape.NAME),
            Column("resource", "Resource", Shape.NAME),
            Column("until", "Until", Shape.INSTANT),
            Column("accessor", "Accessor's digest", Shape.DIGEST, detail=True),
        ),
        rows=tuple(rows),
        note="This one answer is of the moment at which Vault was asked, and no other head gives "
        "it again. The next run of apply revokes what git does not know, and records what is "
        "gone. What somebody took of Vault itself while GitHub was down is unknown to git until "
        "then.",
    )


def _differences(ground: Ground, held: Held) -> list[tuple[Cell, ...]]:
    stories = {story.id: story for story in ground.evidence.grants}
    rows: list[tuple[Cell, ...]] = []
    for digest, grant in sorted(held.tokens.items(), key=lambda item: (item[1], item[0])):
        story = stories.get(grant)
        if story is None:
            rows.append(("in Vault, unknown to git", grant, None, None, None, digest))
            continue
        states = _states(story, held.at)
        if State.ACTIVE in states and story.accessor == digest:
            continue
        state = states[0]
        what = str(state) if state.is_access else "over in git, lives in Vault"
        if State.ACTIVE in states:
            what = "another token of a live grant"
        rows.append((what, grant, story.subject, story.resource, story.not_after, digest))
    rows += [
        (
            "live in git, gone in Vault",
            story.id,
            story.subject,
            story.resource,
            story.not_after,
            story.accessor,
        )
        for story in ground.evidence.grants
        if set(_states(story, held.at)) == {State.ACTIVE} and story.accessor not in held.tokens
    ]
    return rows


def _states(story: GrantStory, second: Instant) -> tuple[State, ...]:
    """What a grant was within that second of Vault's: one that began in it had not at its begin."""
    last = second.plus(_GRAIN_SECONDS)
    moments = sorted({second, min(max(second, story.not_before), last), last})
    return tuple(story.state_at(moment) for moment in moments)
