"""Admission: emergencies that wait in open pull requests. daypass merges them, or says why not.

The decision comes before the merge, and again at the issue, from main, as for every request. What
is refused here leaves evidence, spends its id, and its pull request is closed with the reason.
Anybody can open many: a run looks at a few, and people take turns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from daypass.errors import DaypassError, ForgeRefusedError
from daypass.ledger import history
from daypass.lifecycle import emergency_messages
from daypass.lifecycle.emergency import BRANCH_PREFIX, fault_of, request_of
from daypass.lifecycle.happening import Refusal
from daypass.lifecycle.judging import Judge
from daypass.lifecycle.ports import Slot, SlotState
from daypass.lifecycle.turns import take_turns
from daypass.lifecycle.undecided import Undecided, untold_hand
from daypass.lifecycle.world import RequestFile
from daypass.model.event import EventKind, Reason
from daypass.model.grant import Lane

if TYPE_CHECKING:
    from daypass.lifecycle.context import Answers, Ports
    from daypass.lifecycle.outcome import Outcome
    from daypass.lifecycle.undecided_note import UndecidedRequests
    from daypass.lifecycle.world import World
    from daypass.model.catalogue import Catalogue
    from daypass.model.pullrequest import PullRequest

PULL_REQUESTS: Final = 25  # that a run looks at; people take turns, each with their newest first


@dataclass(slots=True)
class Admission:
    """One look at the open emergencies, and what became of them."""

    ports: Ports
    answers: Answers
    world: World
    catalogue: Catalogue
    outcome: Outcome
    undecided: UndecidedRequests
    only: frozenset[str] | None = None
    merged: int = 0
    waiting: set[str] = field(default_factory=set)  # still open when this was done
    is_sure: bool = True  # whether `waiting` names all of them
    refused: list[tuple[Refusal, Slot | None]] = field(default_factory=list)

    def run(self) -> None:
        """Look at each. One that cannot be judged now does not hold up the others, or the run."""
        try:
            listed = self.ports.forge.open_pull_requests(BRANCH_PREFIX)
        except DaypassError as error:
            self.outcome.fail("break-glass", error)
            self.is_sure = False
            return
        if not listed.is_cut:
            self.undecided.open_numbers = {item.number for item in listed.found}
        turns = [item.number for item in take_turns(listed.found, lambda item: item.author_id)]
        if len(turns) > PULL_REQUESTS or listed.is_cut:
            more = " and more" if listed.is_cut else ""
            left = f"{max(len(turns) - PULL_REQUESTS, 0)}{more} open pull requests on break-glass/…"
            self.outcome.add("left", "", f"{left}: the next run goes on with them")
            self.is_sure = False
        self._look(turns[:PULL_REQUESTS])
        if self.undecided.is_read:
            self.undecided.write(self.world.requests.keys(), self.world.now)

    def _look(self, numbers: list[int]) -> None:
        for number in numbers:
            try:
                self._admit(self.ports.forge.pull_request(number))
            except DaypassError as error:
                self.outcome.fail(f"pull-request-{number}", error)
                self.is_sure = False
            except Exception as error:  # noqa: BLE001  -- nobody merged it, yet every run meets it
                self.outcome.stumble(f"pull-request-{number}", error)
                self.is_sure = False

    def _admit(self, pull_request: PullRequest) -> None:
        github = self.catalogue.settings.github
        number = pull_request.number
        if not pull_request.open or pull_request.base_ref != github.default_branch:
            return
        if pull_request.is_too_large:
            self._turn_away(pull_request, f"{pull_request.incomplete_because}: open it anew")
            return
        if not pull_request.complete:
            text = f"emergency #{number} cannot be judged: {pull_request.incomplete_because}"
            self.outcome.alarm(f"break-glass.{number}", text)
            self.is_sure = False
            return
        fault = fault_of(pull_request, github)
        grant_id = request_of(pull_request)
        if fault is not None and grant_id is not None and untold_hand(pull_request):
            self._wait_for_hands(pull_request, grant_id, fault)
        elif fault is not None or grant_id is None:
            self._turn_away(pull_request, fault or "it holds no emergency")
        elif self.only is None or grant_id in self.only:
            self._judge(pull_request, grant_id)
        else:
            self.waiting.add(grant_id)

    def _judge(self, pull_request: PullRequest, grant_id: str) -> None:
        slot = self.ports.registry.read(grant_id)
        unfinished = _refusal_of(slot, pull_request)
        if unfinished is not None:
            if not self._is_recorded(grant_id):
                self.refused.append((unfinished, slot))
            return  # what is on main already is only to be told: the plan finds that
        if slot is not None or grant_id in self.world.requests or grant_id in self.world.grants:
            self._turn_away(pull_request, f"the id {grant_id} was used before: take a new one")
            return
        author = pull_request.author
        if author is None or self.catalogue.identity_of(author.id) is None:
            self._turn_away(pull_request, "who opened it is no identity of this repository")
            return
        found = self._decide(pull_request, grant_id)
        if isinstance(found, Undecided):
            found = self._settle(pull_request, found)
            if found is None:
                return
        else:
            self.undecided.clear_open(pull_request.number)
        if found is not None:
            self.refused.append((found, None))
        elif self._merge(pull_request, grant_id):
            self.merged += 1

    def _is_recorded(self, grant_id: str) -> bool:
        """Whether a run that was killed got as far as the evidence of its refusal."""
        walk = self.ports.repository.walk(self.world.head)
        return bool(history.find_events(walk, self.ports.signers, [grant_id])[grant_id])

    def _settle(self, pull_request: PullRequest, found: Undecided) -> Refusal | None:
        """The refusal once an answer has been missing for long; None while it may still come."""
        head = pull_request.head_sha
        settled = self.undecided.settle(found, self.world.now, head=head)
        if isinstance(settled, Refusal):
            return settled
        self.waiting.add(settled.refusal.grant_id)
        return None

    def _wait_for_hands(self, pull_request: PullRequest, grant_id: str, fault: str) -> None:
        """Turn away what has an unknown hand in it only once that has stayed so."""
        (changed,) = pull_request.files
        refusal = Refusal(
            grant_id,
            changed.blob or "",
            EventKind.DENIED,
            Reason.UNPROVEN,
            (fault,),
            pull_request=pull_request.number,
            merged=False,
        )
        if self._settle(pull_request, Undecided("untold", (fault,), refusal)) is not None:
            self._turn_away(pull_request, fault)

    def _decide(self, pull_request: PullRequest, grant_id: str) -> Refusal | Undecided | None:
        """Ask the decision point about the bytes that would be merged."""
        repository = self.ports.repository
        (changed,) = pull_request.files
        blob = changed.blob or ""
        repository.fetch_pull_request(pull_request.number, pull_request.head_sha)
        contents = repository.blobs([blob])
        judge = Judge.of(self.ports, self.answers, self.world, self.catalogue, {}, contents)
        file = RequestFile(grant_id, changed.path, blob, Lane.BREAK_GLASS)
        intent = self.world.intents.get(grant_id)
        halted = intent.reason if intent is not None and intent.ends else None
        return judge.judge_open(file, pull_request, halted)

    def _merge(self, pull_request: PullRequest, grant_id: str) -> bool:
        title = f"Break glass: {grant_id} (#{pull_request.number})"
        try:
            self.ports.forge.merge(pull_request.number, pull_request.head_sha, title)
        except ForgeRefusedError:
            # Another run may have merged it since; whatever else GitHub says is told.
            if self.ports.forge.pull_request(pull_request.number).merged_at is None:
                raise
            return True
        self.outcome.add("merged", grant_id, f"#{pull_request.number}, by the emergency lane")
        return True

    def _turn_away(self, pull_request: PullRequest, why: str) -> None:
        """Close what nobody could grant. It asked for nothing that could be decided."""
        forge, number = self.ports.forge, pull_request.number
        forge.post_comment(
            number,
            emergency_messages.turned_away_marker(number),
            emergency_messages.turned_away(why),
        )
        forge.close_issue(number)
        self.outcome.add("turned away", request_of(pull_request) or "", f"#{number}: {why}")


def _refusal_of(slot: Slot | None, pull_request: PullRequest) -> Refusal | None:
    """What a killed run refused, and did not get to write."""
    if slot is None or slot.state is not SlotState.REFUSED:
        return None
    refusal = Refusal.from_json(slot.data["refusal"])
    mine = not refusal.merged and refusal.pull_request == pull_request.number
    return refusal if mine else None
