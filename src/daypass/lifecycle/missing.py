"""Missing tokens: tokens of grants that are gone before their time, and who ended them.

An honest end can look like a theft: the holder ends the grant with its own token, or the job of
access-commands does, and a run looks before it knows of it. So before a run calls a token vanished
it looks where an end may stand: among Vault's intents, in the note that the token itself left, and
on the grant's pull request. What cannot be looked at is waited for, for an hour at the most: the
access is over in any case, and no outage hides a theft for longer.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError, IndeterminateError
from daypass.lifecycle.comment_ends import find_ends
from daypass.lifecycle.context import WORKERS
from daypass.lifecycle.notes import NoteKind, texts_in
from daypass.lifecycle.plan import CLOCK_GRAIN_SECONDS, vanished
from daypass.lifecycle.world import accessor_digest
from daypass.model.grant import Grant, GrantState
from daypass.model.instant import Instant
from daypass.model.intent import Intent, IntentKind
from daypass.model.resource import IssueMode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daypass.lifecycle.context import Answers, Ports
    from daypass.lifecycle.ports import Slot
    from daypass.lifecycle.world import World

MISSING_NOTE: Final = "missing"
MISSING: Final = NoteKind(
    MISSING_NOTE,
    lambda note: {name: Instant.parse(at) for name, at in texts_in(note).items()},
    "Since when it is not known who ended a grant starts anew",
)
_PATIENCE_SECONDS: Final = 3600  # for what cannot be looked at
# Of one run. What others can write many of must not keep it from its other work.
_PULL_REQUESTS: Final = 50
_COMMENTS: Final = 1000  # of one pull request


@dataclass(frozen=True, slots=True)
class Found:
    """What a run has learned about missing tokens."""

    world: World  # with the intents that were found, and with what is waited for
    waits: Mapping[str, DaypassError] = field(default_factory=dict)  # grant → what is not known


def look_for_words(ports: Ports, answers: Answers, world: World, *, remember: bool) -> Found:
    """Find out who ended the grants with tokens that are gone before their time.

    Args:
        ports: Vault's notes and GitHub's comments are read.
        answers: GitHub's answers of this run.
        world: as it was observed.
        remember: whether what is found, and since when is waited, is noted in Vault.

    Raises what the ports raise where not even the intents can be read.
    """
    if remember:
        _clear_notes(ports, world)
    since = _waited_for(ports, world)
    missing = {grant.id: grant for grant in vanished(world)}
    missing |= {name: world.grants[name] for name in since}
    if not missing:
        return Found(world)
    search = _Search(ports, answers, world)
    search.run(missing)
    waits = {
        name: error
        for name, error in search.unknown.items()
        if world.now.since(since.get(name, world.now)) < _PATIENCE_SECONDS
        and world.now.plus(CLOCK_GRAIN_SECONDS) < missing[name].not_after
    }
    if remember:
        _remember(ports, world, search, {name: since.get(name, world.now) for name in waits}, since)
    ended = search.intents.keys() & search.slots.keys()
    seen = replace(
        world,
        intents={**world.intents, **search.intents},
        slots={**world.slots, **{name: search.slots[name] for name in ended}},
        awaited=frozenset(waits),
        missing=frozenset(missing.keys() - search.intents.keys() - waits.keys()),
    )
    return Found(seen, waits)


def _waited_for(ports: Ports, world: World) -> dict[str, Instant]:
    """The grants of which earlier runs could not tell who ended them, and since when."""
    if all(world.is_live(grant.accessor) for grant in world.grants.values()):
        return {}
    note = MISSING.recall(ports.registry) or {}
    return {
        name: at
        for name, at in note.items()
        if (grant := world.grants.get(name)) is not None
        and grant.state is not GrantState.REVOKE_FAILED
        and not world.is_live(grant.accessor)
    }


def _remember(
    ports: Ports,
    world: World,
    search: _Search,
    waits: Mapping[str, Instant],
    before: Mapping[str, Instant],
) -> None:
    """Note what was found as intents, which every later step and run goes by."""
    for intent in search.intents.values():
        if intent.grant_id not in search.standing:
            ports.registry.write_intent(intent)
    _clear_notes(ports, replace(world, intents=search.intents, slots=search.slots))
    if waits != before:
        ports.registry.write_note(MISSING_NOTE, {name: str(at) for name, at in waits.items()})


def _clear_notes(ports: Ports, world: World) -> None:
    """Remove the notes of tokens once their holders' word is an intent, before it is recorded.

    A note that stays is read by nothing: what fails here is left.
    """
    for name, intent in world.intents.items():
        grant, slot = world.grants.get(name), world.slots.get(name)
        if (
            intent.kind is IntentKind.DONE
            and grant is not None
            and slot is not None
            and grant.issue is IssueMode.ON_CLAIM
            and not world.is_live(grant.accessor)
        ):
            with suppress(DaypassError):
                ports.registry.remove_done_note(str(slot.data.get("accessor")))


@dataclass(slots=True)
class _Search:
    """One look for the words of people who ended grants."""

    ports: Ports
    answers: Answers
    world: World
    intents: dict[str, Intent] = field(default_factory=dict)  # found, by grant
    standing: frozenset[str] = frozenset()  # of these, the ones that Vault keeps already
    slots: dict[str, Slot] = field(default_factory=dict)
    unknown: dict[str, DaypassError] = field(default_factory=dict)  # by grant

    def run(self, missing: Mapping[str, Grant]) -> None:
        """Look in Vault first, then on the pull requests of what is left."""
        # access-commands notes an intent before it ends a token: read after the list of live
        # tokens, the intents hold that of every token that is gone by then.
        fresh = (intent for intent in self.ports.registry.intents() if intent.ends)
        self.intents = {item.grant_id: item for item in fresh if item.grant_id in missing}
        self.standing = frozenset(self.intents)
        # The token of an on-merge grant was in no holder's hands: only access-commands ends it.
        held = [grant for grant in missing.values() if grant.issue is IssueMode.ON_CLAIM]
        known = [missing[name] for name in self.intents.keys() - {grant.id for grant in held}]
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(self._look_in_vault, (*held, *known)))
        left: dict[int, list[Grant]] = {}
        for grant in held:
            if grant.id not in self.intents and grant.pull_request is not None:
                left.setdefault(grant.pull_request, []).append(grant)
        numbers = sorted(left, reverse=True)  # the newest first
        with ThreadPoolExecutor(WORKERS) as pool:
            look = partial(self._look_on_github, left)
            list(pool.map(look, numbers[:_PULL_REQUESTS]))
        for number in numbers[_PULL_REQUESTS:]:
            self._give_up(
                left[number],
                IndeterminateError(
                    f"more than {_PULL_REQUESTS} pull requests have grants with missing tokens",
                    remedy="The next runs look at the rest of them. Look at `daypass plan`.",
                ),
            )

    def _look_in_vault(self, grant: Grant) -> None:
        """Its slot, and the note that its own token left."""
        registry = self.ports.registry
        try:
            slot = registry.read(grant.id)
            if slot is None:
                return
            self.slots[grant.id] = slot
            accessor = str(slot.data.get("accessor") or "")
            if grant.id in self.intents or accessor_digest(accessor) != grant.accessor:
                return
            at = registry.done_note(accessor)
        except DaypassError as error:
            self.unknown[grant.id] = error
            return
        if at is not None:
            self.intents[grant.id] = Intent(grant.id, IntentKind.DONE, 0, at)

    def _look_on_github(self, left: Mapping[int, Sequence[Grant]], number: int) -> None:
        grants = left[number]
        begin = min(grant.not_before for grant in grants)
        try:
            comments = self.ports.forge.comments_since(number, begin, _COMMENTS)
            for grant in grants:
                found = next(
                    find_ends(self.ports.forge, self.answers, self.world, grant, comments), None
                )
                if found is not None:
                    self.intents[grant.id] = found
                    self.unknown.pop(grant.id, None)
        except DaypassError as error:
            self._give_up([item for item in grants if item.id not in self.intents], error)

    def _give_up(self, grants: Sequence[Grant], error: DaypassError) -> None:
        for grant in grants:
            self.unknown.setdefault(grant.id, error)
