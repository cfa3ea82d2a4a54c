"""Plans of open pull requests: each on its pull request, whatever is wrong with another one.

Anybody can open many, and odd ones: a run plans a few, people take turns, what cannot be planned is
said where it is, and what is left the next run goes on with.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final

from daypass.documents.changes import is_governed
from daypass.documents.repository import catalogue_of
from daypass.errors import DaypassError, DocumentError, PermanentError, TemporaryError
from daypass.lifecycle import messages
from daypass.lifecycle.context import Answers
from daypass.lifecycle.foundation_forecast import forecast_foundation, touches_foundation
from daypass.lifecycle.merged_documents import merge_faults
from daypass.lifecycle.notes import NoteKind, text_in
from daypass.lifecycle.observe import why_frozen
from daypass.lifecycle.preview import Merge, Preview, preview_trees, standing_at
from daypass.lifecycle.preview_faults import over_already
from daypass.lifecycle.preview_sources import NOTHING_ASKED, PreviewSources, TeamLooks
from daypass.lifecycle.recipients import Recipients
from daypass.lifecycle.turns import take_turns
from daypass.model.names import BOT_FOLDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.forecast import Standing
    from daypass.lifecycle.inquiry import Inquiry
    from daypass.lifecycle.ports import Repository
    from daypass.model.catalogue import Catalogue
    from daypass.model.instant import Instant
    from daypass.model.pullrequest import OpenPullRequest, PullRequest
    from daypass.policy.groups import GroupDirectory

PLANS_NOTE: Final = "plans"
PLANS: Final = NoteKind(
    PLANS_NOTE,
    lambda note: text_in(note, "planned"),
    "Which open pull requests wait longest for a plan is not known",
)
_RECORDS: Final = tuple(f"{folder}/" for folder in BOT_FOLDERS)
PULL_REQUESTS: Final = 50  # that a run plans


@dataclass(frozen=True, slots=True)
class Planned:
    """What became of one pull request: a plan, or why there is none."""

    number: int
    preview: Preview | None = None
    error: DaypassError | None = None
    is_ours: bool = False  # it failed through this run's surroundings, not through what it is


@dataclass(frozen=True, slots=True)
class OpenPlans:
    """One look at the open pull requests."""

    ports: Ports
    inquiry: Inquiry
    now: Instant
    comment: bool  # whether each plan is put on its pull request
    can_write: Callable[[], bool] = lambda: True  # whether the disk still takes what is fetched

    def choose(self) -> tuple[list[OpenPullRequest], str]:
        """Lists those to plan now, and tells how many are left for the next run; "" for none.

        Raises what the ports raise.
        """
        listed = self.ports.forge.open_pull_requests()
        if len(listed.found) <= PULL_REQUESTS and not listed.is_cut:
            return list(listed.found), ""
        planned = (PLANS.recall(self.ports.registry) or "").split()  # the longest ago comes first
        before = {name: place for place, name in enumerate(planned)}
        waiting = sorted(listed.found, key=lambda item: before.get(_name(item), -1))
        turns = take_turns(waiting, lambda item: item.author_id)
        chosen, rest = turns[:PULL_REQUESTS], turns[PULL_REQUESTS:]
        if self.comment:
            kept = sorted(filter(before.__contains__, map(_name, rest)), key=before.__getitem__)
            names = [*kept, *map(_name, chosen)]
            self.ports.registry.write_note(PLANS_NOTE, {"planned": " ".join(names)})
        return chosen, f"{len(rest)}{' and more' if listed.is_cut else ''}"

    def run(self, chosen: Sequence[OpenPullRequest]) -> Iterator[Planned]:
        """Plans each that asks for access, ends any, or changes what decisions rest on.

        One that fails does not hide the others.

        Raises what reading main raises.
        """
        main = self.ports.repository.fetch()
        try:
            catalogue = catalogue_of(self.ports.repository, main)
        except DocumentError as broken:
            self._say_broken(chosen, broken)
            raise
        answers = Answers(self.ports.forge)
        groups = answers.groups(catalogue)
        standing = cache(lambda: standing_at(self.ports.repository, main, catalogue, self.now))
        sources = self._sources()
        frozen = self._frozen(answers, catalogue) if chosen else ()
        for item in chosen:
            try:
                preview = self._preview(item.number, main, catalogue, groups, standing, sources)
                if preview is None or not preview.is_about_access:
                    continue
                in_the_way = (*frozen, *preview.standing_in_the_way)
                preview = replace(preview, standing_in_the_way=in_the_way)
                error = self._say(item.number, messages.plan(preview))
                yield Planned(item.number, preview, error, is_ours=error is not None)
            except DaypassError as failure:
                yield self._failed(item.number, failure)
            except Exception as failure:  # noqa: BLE001  -- anybody can open one, and every run meets it
                yield self._failed(item.number, _bug(failure))

    def _preview(
        self,
        number: int,
        main: str,
        catalogue: Catalogue,
        groups: GroupDirectory,
        standing: Callable[[], Standing],
        sources: PreviewSources,
    ) -> Preview | None:
        pull_request = self.ports.forge.pull_request(number)
        if pull_request.complete and not _is_planned(pull_request):
            return None
        repository, now = self.ports.repository, self.now
        return preview_of(repository, pull_request, main, catalogue, groups, now, sources, standing)

    def _say_broken(self, chosen: Sequence[OpenPullRequest], broken: DocumentError) -> None:
        """Put it in the place of every plan that main's documents are wrong: none would hold."""
        why = f"nothing is granted while main's own documents are wrong: {broken.message}"
        for item in chosen if self.comment else ():
            with suppress(DaypassError):  # the run fails by what is wrong on main
                pull_request = self.ports.forge.pull_request(item.number)
                if _is_planned(pull_request):
                    self._say(item.number, messages.no_plan(why))

    def _frozen(self, answers: Answers, catalogue: Catalogue) -> tuple[str, ...]:
        """Why nothing is granted now, whatever is merged."""
        found = why_frozen(self.ports, answers, catalogue, self.now)
        return tuple(f"nothing is granted while main is frozen: {why}" for why in found)

    def _sources(self) -> PreviewSources:
        """All that the judge itself asks: keys, teams, and the ids that Vault remembers."""
        forge, read = self.ports.forge, self.ports.registry.read
        return PreviewSources(
            self.inquiry,
            Recipients(forge, self.ports.sealer),
            TeamLooks(forge),
            lambda ids: {name for name in ids if read(name) is not None},
        )

    def _failed(self, number: int, error: DaypassError) -> Planned:
        """Say on the pull request why there is no plan, unless the next run may well have one."""
        is_ours = isinstance(error, TemporaryError) or not self.can_write()
        if not is_ours:
            self._say(number, messages.no_plan(f"{error.message}. {error.remedy}"))
        return Planned(number, error=error, is_ours=is_ours)

    def _say(self, number: int, text: str) -> DaypassError | None:
        if self.comment:
            try:
                self.ports.forge.put_comment(number, messages.plan_marker(), text)
            except DaypassError as error:
                return error
        return None


def preview_of(
    repository: Repository,
    pull_request: PullRequest,
    main: str,
    catalogue: Catalogue,
    groups: GroupDirectory,
    now: Instant,
    sources: PreviewSources = NOTHING_ASKED,
    standing: Callable[[], Standing] | None = None,
) -> Preview:
    """Plans the merge of one pull request. Raises what the ports raise.

    `standing`: that of `main`, where several share it; read only when it is needed. `sources`: what
    else may be asked here.
    """
    over = over_already(pull_request, catalogue.settings.github)
    in_the_way = (over,) if over is not None else ()
    if pull_request.merged_at is not None:
        return Preview((), (), (), standing_in_the_way=in_the_way)
    head = pull_request.head_sha
    repository.fetch_pull_request(pull_request.number, head)
    ancestor = repository.merge_base(main, head)
    preview = preview_trees(
        repository,
        Merge(main, ancestor, head),
        catalogue,
        now,
        groups=groups,
        pull_request=pull_request,
        sources=sources,
        standing=standing,
    )
    foundation = None
    if touches_foundation(pull_request):
        found = forecast_foundation(repository, ancestor, pull_request, catalogue, groups, now)
        foundation = found.with_merge(merge_faults(repository, main, ancestor, head))
    return replace(preview, standing_in_the_way=in_the_way, foundation=foundation)


def _is_planned(pull_request: PullRequest) -> bool:
    """Whether it asks for access, ends any, or changes what decisions rest on."""
    return any(
        is_governed(path) or path.startswith(_RECORDS)
        for item in pull_request.files
        for path in item.paths
    )


def _name(item: OpenPullRequest) -> str:
    """What was planned: a pull request as it is now."""
    return f"{item.number}@{item.head_sha[:12]}"


def _bug(error: Exception) -> PermanentError:
    return PermanentError(
        f"daypass met something that it did not expect in it: {type(error).__name__}",
        remedy="This is a bug in daypass: please report it. Nothing was granted.",
    )
