"""Claim questions: of a delivery that was opened, its holder says whether it was them.

`daypass claim` says so on the pull request by itself. Of an opening that its holder has not spoken
of, the holder is asked there, and after a grace it alarms. Only a word that says "it was me" ends
the question. A run that looks there also obeys what ends the grant: the job of access-commands can
have been cancelled.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError, IndeterminateError
from daypass.lifecycle import messages, seen_once
from daypass.lifecycle.answers import Result
from daypass.lifecycle.commands import Command, is_claimed, is_of_newest, read_comment
from daypass.lifecycle.comment_ends import answer_to, find_ends
from daypass.lifecycle.ended_alarms import alarm_stolen
from daypass.lifecycle.notes import NoteKind, rows_in, text_in
from daypass.lifecycle.openings import Opening, Word, delivered_at, find_openings
from daypass.lifecycle.plan import Step
from daypass.model.intent import IntentKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from daypass.lifecycle.context import Answers, Ports
    from daypass.lifecycle.observe import Observation
    from daypass.lifecycle.outcome import Outcome
    from daypass.lifecycle.plan import Plan
    from daypass.model.grant import Grant
    from daypass.model.instant import Duration, Instant
    from daypass.model.intent import Intent
    from daypass.model.pullrequest import Comment

OPENED_NOTE: Final = "opened"
_OPENINGS: Final = "openings"  # one string: OpenBao limits how many JSON may hold
OPENED: Final = NoteKind(
    OPENED_NOTE,
    lambda note: tuple(
        Opening.from_json(rows_in(row))
        for row in rows_in(json.loads(text_in(note, _OPENINGS, "[]")))
    ),
    "Which holders were asked whether it was them is not known: they are asked again",
)
# Of one run, the oldest first. What others can write many of must not keep it from its other work.
_PULL_REQUESTS: Final = 50
_COMMENTS: Final = 1000  # of one pull request


def ask_holders(
    ports: Ports,
    answers: Answers,
    seen: Observation,
    plan: Plan,
    outcome: Outcome,
    grace: Duration,
) -> bool:
    """Asks the holders of opened deliveries whether it was them; alarms where none said so in time.

    A failure is noted, and the next run goes on.

    Returns:
        Whether a comment was found that ends a grant and that no job has obeyed: it is an intent
        now, and the next pass carries it out.
    """
    catalogue = seen.world.ruling or seen.world.catalogue
    if catalogue is None:
        return False
    asking = _Asking(ports, answers, seen, outcome, grace)
    asking.ending = frozenset(action.grant_id for action in plan.of(Step.END))
    try:
        before = _read(ports)
        found = {item.key: item for item in find_openings(ports, seen, plan, catalogue, before)}
        openings = {key: asking.by_intent(item) for key, item in (before | found).items()}
        for item in asking.waiting(openings.values())[:_PULL_REQUESTS]:
            openings[item.key] = asking.follow_up(item)
        after = {key: item for key, item in openings.items() if _is_of_use(item, seen)}
        if after != before:
            seen_once.note(ports, outcome)  # an alarm is not raised again
            _write(ports, after.values())
    except DaypassError as error:
        outcome.fail(OPENED_NOTE, error)
    return asking.has_intents


def note_before_again(ports: Ports, seen: Observation, plan: Plan) -> None:
    """Notes which deliveries were opened, of those that this run is about to deliver again.

    Afterwards Vault does not show it: a holder who finds a delivery opened, and asks for another,
    is asked about the first all the same.

    Raises what the ports raise; then nothing may be delivered again.
    """
    catalogue = seen.world.ruling or seen.world.catalogue
    only = {action.grant_id for action in plan.of(Step.AGAIN)}
    if catalogue is None or not only:
        return
    before = _read(ports)
    found = find_openings(ports, seen, plan, catalogue, before, only)
    if found:
        _write(ports, (before | {item.key: item for item in found}).values())


def _read(ports: Ports) -> dict[tuple[str, str], Opening]:
    return {item.key: item for item in OPENED.recall(ports.registry) or ()}


def _write(ports: Ports, openings: Iterable[Opening]) -> None:
    rows = [item.to_json() for item in sorted(openings, key=lambda item: item.key)]
    ports.registry.write_note(OPENED_NOTE, {_OPENINGS: json.dumps(rows)})


def _is_of_use(opening: Opening, seen: Observation) -> bool:
    """Whether a run to come needs it: the question is open, or it would be asked anew."""
    grant = seen.world.grants.get(opening.grant_id)
    current = grant is not None and str(delivered_at(grant)) == str(opening.delivered_at)
    return current or opening.word is Word.AWAITED


@dataclass(slots=True)
class _Asking:
    """One pass over the openings."""

    ports: Ports
    answers: Answers
    seen: Observation
    outcome: Outcome
    grace: Duration
    ending: Collection[str] = ()  # ids of grants that this pass has ended
    has_intents: bool = False

    def waiting(self, openings: Iterable[Opening]) -> list[Opening]:
        """Those to look at, the oldest question first; then what alarmed and still lives."""
        live = self.seen.world.grants.keys() - set(self.ending)
        looked_at = (
            item
            for item in openings
            if item.word is Word.AWAITED or (item.word is Word.ALARMED and item.grant_id in live)
        )
        return sorted(looked_at, key=lambda item: (item.word is Word.ALARMED, item.seen_at))

    def by_intent(self, opening: Opening) -> Opening:
        """The same, answered if a holder's word on the grant is an intent that is carried out."""
        grant = self.seen.world.grants.get(opening.grant_id)
        if grant is not None and opening.replaced_at is None:
            newest = delivered_at(grant)
            if str(newest) != str(opening.delivered_at):  # the note keeps milliseconds
                opening = replace(opening, replaced_at=newest)
        intent = self.seen.world.intents.get(opening.grant_id)
        spoken = (
            grant is not None
            and intent is not None
            and (
                (intent.kind is IntentKind.DONE and intent.account_id in opening.holders)
                or intent.kind is IntentKind.NOT_ME  # its end raises the alarm
            )
        )
        answered = spoken and opening.word is Word.AWAITED
        return replace(opening, word=Word.SAID) if answered else opening

    def follow_up(self, opening: Opening) -> Opening:
        """Looks for the holder's word; asks for it, or alarms when its time is over."""
        if opening.word is Word.ALARMED:
            with suppress(DaypassError):  # it has alarmed
                self._obey(opening, self._comments(opening))
            return opening
        now, until = self.seen.world.now, opening.seen_at.plus(self.grace.seconds)
        try:
            heard = self._hear(opening)
            if heard is not None:
                return heard
            if now < until:
                _ask(self.ports, opening, until)
                return opening
        except DaypassError as error:
            if now < until:
                self.outcome.fail(opening.grant_id, error)
                return opening
        self.outcome.alarm(
            f"opened.{opening.grant_id}",
            f"the delivery of {opening.grant_id} was opened (seen at {opening.seen_at}), and its "
            f"holder has not said on #{opening.pull_request} that it was them: it may be stolen. "
            f"`daypass revoke {opening.grant_id}` ends the grant",
            standing=False,
        )
        return replace(opening, word=Word.ALARMED)

    def _hear(self, opening: Opening) -> Opening | None:
        """What a comment makes of it; None while the holder has not spoken."""
        comments = self._comments(opening)
        if self._is_not_me(opening, comments):
            alarm_stolen(self.outcome, opening.grant_id)
            return replace(opening, word=Word.ALARMED)
        if self._obey(opening, comments):
            return opening  # the next pass knows it by its intent
        said = self._has_spoken(opening, comments)
        return replace(opening, word=Word.SAID) if said else None

    def _comments(self, opening: Opening) -> Sequence[Comment]:
        since = opening.delivered_at
        return self.ports.forge.comments_since(opening.pull_request, since, _COMMENTS)

    def _live(self, opening: Opening) -> Grant | None:
        grants = self.seen.world.grants
        return None if opening.grant_id in self.ending else grants.get(opening.grant_id)

    def _obey(self, opening: Opening, comments: Sequence[Comment]) -> bool:
        """Whether a comment ends the live grant; then it is noted as an intent."""
        grant = self._live(opening)
        if grant is None:
            return False
        # Its holder's come first: a stranger's `/revoke`, of which GitHub cannot say whether it
        # counts, must not keep them from being heard.
        comments = sorted(comments, key=lambda item: item.author_id not in opening.holders)
        ends: list[Intent] = []
        try:
            for item in find_ends(self.ports.forge, self.answers, self.seen.world, grant, comments):
                if item.at.seconds < self._begin(opening, grant, item.kind).seconds:
                    continue
                ends.append(item)
        except IndeterminateError:
            if not ends:
                raise
        if not ends:
            return False
        ends.sort(key=lambda item: item.kind is not IntentKind.NOT_ME)
        self.ports.registry.write_intent(ends[0])
        self.has_intents = True
        return True

    def _begin(self, opening: Opening, grant: Grant, kind: IntentKind) -> Instant:
        """From when on a word counts: what was said of an older delivery may have been undone."""
        return opening.delivered_at if kind is IntentKind.NOT_ME else delivered_at(grant)

    def _is_not_me(self, opening: Opening, comments: Sequence[Comment]) -> bool:
        """Whether its holder says so of a grant that is over, for which no job raises an alarm."""
        if self._live(opening) is not None:
            return False
        command = Command(IntentKind.NOT_ME, opening.grant_id)
        words = _words(opening, comments)
        return any(read_comment(item.body) == command for item in words)

    def _has_spoken(self, opening: Opening, comments: Sequence[Comment]) -> bool:
        """Whether its holder said that it was them, or ended the grant as done with."""
        catalogue = self.seen.world.ruling or self.seen.world.catalogue
        app = catalogue.settings.github.app_user_id if catalogue is not None else 0
        done = Command(IntentKind.DONE, opening.grant_id)
        for item in _words(opening, comments):
            later = opening.replaced_at is not None and item.created_at >= opening.replaced_at
            is_about_another = later and is_of_newest(item.body)
            if is_claimed(item.body, opening.grant_id) and not is_about_another:
                return True
            if read_comment(item.body) == done and answer_to(item, comments, app) is Result.ENDING:
                return True
        return False


def _words(opening: Opening, comments: Sequence[Comment]) -> list[Comment]:
    """The comments that are surely its holder's, and were written since it was delivered."""
    return [
        item
        for item in comments
        if item.author_id in opening.holders
        and not item.edited
        and item.created_at.seconds >= opening.delivered_at.seconds
    ]


def _ask(ports: Ports, opening: Opening, until: Instant) -> None:
    accounts = (ports.forge.account(item) for item in opening.holders)
    logins = [account.login for account in accounts if account is not None]
    ports.forge.post_comment(
        opening.pull_request,
        messages.opened_marker(opening.grant_id, opening.delivered_at),
        messages.opened(opening.grant_id, logins, seen_at=opening.seen_at, until=until),
    )
