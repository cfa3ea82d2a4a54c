"""Judging: what a run's requests are judged with, asked for once. Each is a `Case`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from daypass.documents.changes import REQUESTS
from daypass.documents.repository import load_request
from daypass.errors import (
    DaypassError,
    DocumentError,
    ForgeRefusedError,
    ForgeUnavailableError,
    PermanentError,
)
from daypass.lifecycle.base import Bases
from daypass.lifecycle.case import Bench, Case, brought_by_nothing
from daypass.lifecycle.happening import Refusal
from daypass.lifecycle.past import past_grants
from daypass.lifecycle.plan import Action, Step
from daypass.lifecycle.ports import SlotState
from daypass.lifecycle.recipients import Recipients
from daypass.lifecycle.renewing import endings
from daypass.lifecycle.undecided import Undecided
from daypass.model.event import Reason
from daypass.policy.asked import PastGrant
from daypass.policy.compiled import compile_rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from daypass.lifecycle.case import Verdict
    from daypass.lifecycle.context import Answers, Ports
    from daypass.lifecycle.plan import Plan
    from daypass.lifecycle.world import RequestFile, World
    from daypass.model.catalogue import Catalogue
    from daypass.model.pullrequest import PullRequest
    from daypass.model.request import AccessRequest


@dataclass(slots=True)
class Judge(Bench):
    """Judges a run's requests, each as a `Case`."""

    @classmethod
    def prepare(cls, ports: Ports, answers: Answers, world: World, plan: Plan) -> Judge | None:
        """Ask for everything that the plan's requests need; None when there are none."""
        actions = plan.of(Step.JUDGE, Step.REFUSE)
        files = [action.request for action in actions if action.request is not None]
        if not files or world.catalogue is None:
            return None
        commits = ports.repository.introductions(world.head, [file.path for file in files])
        contents = ports.repository.blobs(sorted({file.blob for file in files}))
        judge = cls.of(ports, answers, world, world.catalogue, commits, contents)
        judge.ending = endings(plan)
        answers.inquiry.prepare(judge.requests(), judge.catalogue)
        for action in plan.of(Step.RESUME):
            if action.grant is not None:
                judge.remember(action.grant.subject, PastGrant.of(action.grant))
        return judge

    def requests(self) -> Iterator[AccessRequest]:
        """What is to be judged, as far as it can be read."""
        for path in self.commits:
            file = self.world.requests.get(path.removeprefix(REQUESTS).removesuffix(".yaml"))
            if file is not None and file.blob in self.contents:
                with suppress(DocumentError):
                    yield load_request(file.path, self.contents[file.blob])

    @classmethod
    def of(
        cls,
        ports: Ports,
        answers: Answers,
        world: World,
        catalogue: Catalogue,
        commits: Mapping[str, str],
        contents: Mapping[str, bytes],
    ) -> Judge:
        """A judge of these files, by main's own catalogue."""
        bases = Bases.of(ports.repository, answers, world.head, commits.values())
        return cls(
            ports=ports,
            answers=answers,
            world=world,
            catalogue=catalogue,
            policies=compile_rules(catalogue),
            groups=answers.groups(catalogue),
            commits=commits,
            contents=contents,
            bases=bases,
            recipients=Recipients(ports.forge, ports.sealer),
            past=past_grants(ports, world, bases.catalogues()),
        )

    def commit_of(self, action: Action) -> str | None:
        """The commit of main that brought what is to be judged."""
        return self.commits.get(action.request.path) if action.request is not None else None

    def judge_open(
        self, file: RequestFile, pull_request: PullRequest, halted: Reason | None = None
    ) -> Refusal | Undecided | None:
        """Why an emergency that is not merged yet is refused, or waits; None: it may be merged.

        `halted`: somebody ended it before it began.
        """
        case = Case(self, file, Action(Step.JUDGE, file.grant_id, file), pull_request=pull_request)
        invalid = case.read()
        if halted is not None:
            return replace(case.refuse(halted, [_before_it_began(halted)]), merged=False)
        verdict = case.refuse(Reason.INVALID, invalid) if invalid else case.ask()
        if isinstance(verdict, Undecided):
            return replace(verdict, refusal=replace(verdict.refusal, merged=False))
        return replace(verdict, merged=False) if isinstance(verdict, Refusal) else None

    def judge(self, action: Action) -> Verdict:
        """What is to become of one request. What GitHub does not answer about waits.

        Raises what the other ports raise: then the next run asks.
        """
        file = action.request
        if file is None:
            raise PermanentError(
                f"{action.grant_id} is to be judged and has no request",
                remedy="This is a bug in daypass: please report it. Nothing was granted.",
            )
        if action.slot is not None and action.slot.state is SlotState.REFUSED and not action.reason:
            return Refusal.from_json(action.slot.data["refusal"])
        case = Case(self, file, action)
        if action.reason is Reason.ID_REUSED:
            fault = None
            with suppress(DaypassError):  # so that the notice finds its pull request
                fault = case.find_pull_request()
            why = f"the id {file.grant_id} was used before: an id is used once, take a new one"
            return brought_by_nothing(case.refuse(Reason.ID_REUSED, [why]), fault)
        if action.reason is not None:
            with suppress(DaypassError):
                case.find_pull_request()
            case.read()
            return case.refuse(action.reason, [_before_it_began(action.reason)])
        try:
            return case.judge()
        except (ForgeRefusedError, ForgeUnavailableError) as error:
            return case.unanswered(error)


def _before_it_began(reason: Reason) -> str:
    return f"it was ended before it began: {reason}"
