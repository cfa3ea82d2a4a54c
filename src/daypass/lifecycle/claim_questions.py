"""Claim questions: of a delivery that was opened, its holder says whether it was them.

`daypass claim` says so on the pull request by itself. Of an opening that its holder has not spoken
of, the holder is asked there, and after a grace it alarms. Nothing is ended on that account: the
holder's `/not-me` does that.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError
from daypass.lifecycle import messages, seen_once
from daypass.lifecycle.commands import speaks_of
from daypass.lifecycle.openings import Opening, Word, delivered_at, find_openings
from daypass.model.intent import IntentKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.observe import Observation
    from daypass.lifecycle.outcome import Outcome
    from daypass.lifecycle.plan import Plan
    from daypass.model.instant import Duration, Instant

OPENED_NOTE: Final = "opened"
_OPENINGS: Final = "openings"  # one string: OpenBao limits how many JSON may hold
# Of one run, the oldest first. What others can write many of must not keep it from its other work.
_PULL_REQUESTS: Final = 50
_COMMENTS: Final = 1000  # of one pull request


def ask_holders(
    ports: Ports, seen: Observation, plan: Plan, outcome: Outcome, grace: Duration
) -> None:
    """Asks the holders of opened deliveries whether it was them; alarms where none said so in time.

    A failure is noted, and the next run goes on.
    """
    catalogue = seen.world.ruling or seen.world.catalogue
    if catalogue is None:
        return
    try:
        before = _read(ports)
        found = {item.key: item for item in find_openings(ports, seen, plan, catalogue, before)}
        openings = {key: _by_intent(item, seen) for key, item in (before | found).items()}
        waiting = [item for item in openings.values() if item.word is Word.AWAITED]
        waiting.sort(key=lambda item: item.seen_at)
        for item in waiting[:_PULL_REQUESTS]:
            openings[item.key] = _follow_up(ports, seen, item, outcome, grace)
        after = {key: item for key, item in openings.items() if _is_of_use(item, seen)}
        if after != before:
            seen_once.note(ports, outcome)  # an alarm is not raised again
            _write(ports, after.values())
    except DaypassError as error:
        outcome.fail(OPENED_NOTE, error)


def _read(ports: Ports) -> dict[tuple[str, str], Opening]:
    note = ports.registry.read_note(OPENED_NOTE) or {}
    items = map(Opening.from_json, json.loads(note.get(_OPENINGS, "[]")))
    return {item.key: item for item in items}


def _write(ports: Ports, openings: Iterable[Opening]) -> None:
    rows = [item.to_json() for item in sorted(openings, key=lambda item: item.key)]
    ports.registry.write_note(OPENED_NOTE, {_OPENINGS: json.dumps(rows)})


def _is_of_use(opening: Opening, seen: Observation) -> bool:
    """Whether a run to come needs it: the question is open, or it would be asked anew."""
    grant = seen.world.grants.get(opening.grant_id)
    current = grant is not None and str(delivered_at(grant)) == str(opening.delivered_at)
    return current or opening.word is Word.AWAITED


def _by_intent(opening: Opening, seen: Observation) -> Opening:
    """The same, answered if a holder's word on the grant is an intent."""
    intent = seen.world.intents.get(opening.grant_id)
    spoken = intent is not None and (
        intent.account_id in opening.holders or intent.kind is IntentKind.NOT_ME
    )
    answered = spoken and opening.word is Word.AWAITED
    return replace(opening, word=Word.SAID) if answered else opening


def _follow_up(
    ports: Ports, seen: Observation, opening: Opening, outcome: Outcome, grace: Duration
) -> Opening:
    """Looks for the holder's word; asks for it, or alarms when its time is over."""
    until = opening.seen_at.plus(grace.seconds)
    try:
        if _has_spoken(ports, opening):
            return replace(opening, word=Word.SAID)
        if seen.world.now < until:
            _ask(ports, opening, until)
            return opening
    except DaypassError as error:
        if seen.world.now < until:
            outcome.fail(opening.grant_id, error)
            return opening
    outcome.alarm(
        f"opened.{opening.grant_id}",
        f"the delivery of {opening.grant_id} was opened (seen at {opening.seen_at}), and its "
        f"holder has not said on #{opening.pull_request} that it was them: it may be stolen. "
        f"`daypass revoke {opening.grant_id}` ends the grant",
        standing=False,
    )
    return replace(opening, word=Word.ALARMED)


def _has_spoken(ports: Ports, opening: Opening) -> bool:
    since = opening.delivered_at
    comments = ports.forge.comments_since(opening.pull_request, since, _COMMENTS)
    return any(
        item.author_id in opening.holders
        and not item.edited
        and item.created_at.seconds >= since.seconds
        and speaks_of(item.body, opening.grant_id)
        for item in comments
    )


def _ask(ports: Ports, opening: Opening, until: Instant) -> None:
    accounts = (ports.forge.account(item) for item in opening.holders)
    logins = [account.login for account in accounts if account is not None]
    ports.forge.post_comment(
        opening.pull_request,
        messages.opened_marker(opening.grant_id, opening.delivered_at),
        messages.opened(opening.grant_id, logins, seen_at=opening.seen_at, until=until),
    )
