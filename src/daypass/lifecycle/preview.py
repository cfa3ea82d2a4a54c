"""Preview: the plan of one pull request, from its tree and, where it may be asked, from GitHub."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Self

from daypass.documents.changes import BREAK_GLASS
from daypass.documents.records import load_grant, load_obligation
from daypass.documents.repository import (
    check_break_glass,
    check_request,
    load_break_glass,
    load_request,
)
from daypass.errors import DocumentError
from daypass.ledger.allowed_signers import Signers
from daypass.ledger.counting_signers import counting_signers
from daypass.ledger.history import find_events
from daypass.lifecycle.forecast import Forecast, Standing, forecast
from daypass.lifecycle.past import past_at
from daypass.lifecycle.preview_ends import GRANTS, changed_records, withdrawn
from daypass.lifecycle.preview_faults import (
    MERGED_BY_DAYPASS,
    layout_faults,
    pull_request_faults,
    used_before,
    within_limit,
)
from daypass.lifecycle.preview_sources import NOTHING_ASKED, PreviewSources
from daypass.model.grant import LANES, Lane
from daypass.policy.asked import Asked
from daypass.policy.groups import resolve_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from daypass.documents.finding import Finding
    from daypass.lifecycle.foundation_forecast import FoundationForecast
    from daypass.lifecycle.ports import Repository
    from daypass.lifecycle.preview_sources import Used
    from daypass.model.catalogue import Catalogue
    from daypass.model.grant import Grant
    from daypass.model.instant import Instant
    from daypass.model.obligation import Obligation
    from daypass.model.pullrequest import PullRequest
    from daypass.policy.groups import GroupDirectory


@dataclass(frozen=True, slots=True)
class Preview:
    """What merging would do: one forecast a request, what it would end, and what is wrong."""

    forecasts: tuple[Forecast, ...]
    ends: tuple[Grant, ...]  # live grants whose request it deletes
    wrong: tuple[str, ...]
    foundation: FoundationForecast | None = None  # None: it changes nothing that decisions rest on
    withdraws: tuple[str, ...] = ()  # requests without a grant that it deletes: their ids
    standing_in_the_way: tuple[str, ...] = ()  # it is closed, or main is frozen: for people
    notes: tuple[str, ...] = ()

    @property
    def is_about_access(self) -> bool:
        """Whether there is anything to say."""
        changes = self.forecasts or self.ends or self.withdraws or self.foundation
        return bool(changes or self.wrong)

    @property
    def is_denied(self) -> bool:
        """Whether some of it could only end in a denial, or would freeze daypass."""
        refused = self.foundation is not None and self.foundation.is_refused
        return bool(self.wrong) or refused or any(item.is_denied for item in self.forecasts)

    @property
    def is_refused(self) -> bool:
        """Whether nothing of it is ready, whatever each part says by itself."""
        refused = self.foundation is not None and self.foundation.is_refused
        return bool(self.wrong or self.standing_in_the_way) or refused

    def ready(self, item: Forecast | FoundationForecast) -> str | None:
        """What is said of a part that needs nothing more; None of one that does."""
        if self.is_refused or not item.is_ready:
            return None
        by_itself = isinstance(item, Forecast) and item.lane is Lane.BREAK_GLASS
        return "daypass merges it by itself" if by_itself else "nothing more is needed"


class Merge(NamedTuple):
    """Commits: what is merged, into what, and what both came from."""

    main: str
    ancestor: str
    head: str


def unknown_groups(catalogue: Catalogue) -> GroupDirectory:
    """The groups where GitHub is not asked: those of the settings alone are known."""
    return resolve_groups(catalogue, {})


def live_grants(repository: Repository, commit: str) -> dict[str, Grant]:
    """The grants whose records lie in that commit's tree, by id."""
    records = _records(repository, commit, "access/grants")
    grants = (load_grant(path, content) for path, content in records)
    return {grant.id: grant for grant in grants}


def _obligations(repository: Repository, commit: str) -> list[Obligation]:
    """The reviews that are owed, by that commit's tree."""
    records = _records(repository, commit, "access/obligations")
    return [load_obligation(path, content) for path, content in records]


def standing_at(
    repository: Repository, commit: str, catalogue: Catalogue, now: Instant
) -> Standing:
    """The grants that a request would join, as that commit of main tells it."""
    live = live_grants(repository, commit)
    signers = counting_signers(repository, commit)
    # Where no key is named there is no evidence: nothing was granted yet.
    keys = signers or Signers(())
    past = past_at(repository, commit, keys, live.values(), [catalogue], now)
    overdue = (item for item in _obligations(repository, commit) if item.is_overdue(now))
    return Standing(live, past, tuple(overdue))


def used_in_history(repository: Repository, commit: str) -> Used:
    """Tells which ids the evidence of that commit knows. Each look costs the whole history."""

    def used(ids: Sequence[str]) -> frozenset[str]:
        keys = counting_signers(repository, commit) or Signers(())
        found = find_events(repository.walk(commit), keys, ids)
        return frozenset(name for name, events in found.items() if events)

    return used


def preview_trees(
    repository: Repository,
    merge: Merge,
    catalogue: Catalogue,
    now: Instant,
    *,
    groups: GroupDirectory,
    pull_request: PullRequest | None = None,
    standing: Callable[[], Standing] | None = None,
    sources: PreviewSources = NOTHING_ASKED,
) -> Preview:
    """The plan of one merge. `standing`: that of `merge.main`, where several merges share it.

    `sources`: what may be asked here besides git; nothing by default, which is then told.
    """
    changed = {lane: _LaneChange.of(repository, merge, folder) for folder, lane in LANES.items()}
    lanes, routine, emergency = changed.values(), changed[Lane.ROUTINE], changed[Lane.BREAK_GLASS]
    there = standing() if standing else standing_at(repository, merge.main, catalogue, now)
    records = changed_records(repository, merge.ancestor, merge.head)
    deleted = [path for lane in lanes for path in lane.deleted]
    ended = [*deleted, *(path for path in records.deleted if path.startswith(GRANTS))]
    ended += [path for lane in lanes for path in lane.edited if _id(path) in there.live]
    ends = tuple(there.live[name] for name in sorted({*map(_id, ended)}) if name in there.live)
    most = catalogue.settings.limits.requests_per_pull_request
    within, over = within_limit(
        [path for path in routine.asked if path not in ended], pull_request, most
    )
    asked = {path: routine.asked[path] for path in within}
    asked |= {path: blob for path, blob in emergency.asked.items() if path not in ended}
    contents = repository.blobs(sorted(set(asked.values())))
    judging = _Judging(catalogue, groups, pull_request, now, sources)
    forecasts, wrong = judging.judge(
        ((path, contents[blob]) for path, blob in sorted(asked.items())),
        replace(there, ending=frozenset(grant.id for grant in ends)),
    )
    faults = (
        *pull_request_faults(
            pull_request, catalogue.settings.github, list(routine.asked), list(emergency.asked)
        ),
        *([over] if over is not None else []),
        *(fault for lane in lanes for fault in lane.layout),
        *used_before(sorted(asked), sources.used),
        *records.faults,
    )
    return Preview(
        forecasts,
        ends,
        (*faults, *wrong),
        withdraws=withdrawn(repository, merge.main, deleted, there.live),
        notes=(MERGED_BY_DAYPASS,) if emergency.asked and not faults else (),
    )


@dataclass(frozen=True, slots=True)
class _LaneChange:
    """What a merge changes in the folder of one lane."""

    asked: dict[str, str]  # path → blob: new, or edited
    edited: tuple[str, ...]
    deleted: tuple[str, ...]
    layout: tuple[str, ...]

    @classmethod
    def of(cls, repository: Repository, merge: Merge, folder: str) -> Self:
        before = _files(repository, merge.ancestor, folder, ".yaml")
        after = _files(repository, merge.head, folder, ".yaml")
        asked = {path: after[path] for path in sorted(after) if before.get(path) != after[path]}
        return cls(
            asked,
            tuple(path for path in asked if path in before),
            tuple(path for path in before if path not in after),
            tuple(layout_faults(repository, folder, merge.head, before)),
        )


@dataclass(frozen=True, slots=True)
class _Judging:
    """What the forecasts of one pull request have in common."""

    catalogue: Catalogue
    groups: GroupDirectory
    pull_request: PullRequest | None
    now: Instant
    sources: PreviewSources

    def judge(
        self, files: Iterable[tuple[str, bytes]], standing: Standing
    ) -> tuple[tuple[Forecast, ...], tuple[str, ...]]:
        """A forecast of each that is sound; and what is wrong with the others."""
        forecasts, wrong = [], []
        for path, content in files:
            try:
                asked, findings = self._read(path, content)
            except DocumentError as error:
                wrong += [f"{path}: {finding}" for finding in _messages(error)]
                continue
            wrong += [f"{path}: {finding.message}" for finding in findings]
            if not findings:
                found = self._forecast(asked, standing)
                forecasts.append(found)
                standing = standing if found.is_denied else standing.joined(asked, self.now)
        return tuple(forecasts), tuple(wrong)

    def _read(self, path: str, content: bytes) -> tuple[Asked, Sequence[Finding]]:
        author = self.pull_request.author if self.pull_request else None
        if path.startswith(BREAK_GLASS):
            emergency = load_break_glass(path, content)
            asked = Asked(emergency.asked, Lane.BREAK_GLASS, author, emergency.drill)
            return asked, check_break_glass(emergency, self.catalogue)
        request = load_request(path, content)
        return Asked(request, Lane.ROUTINE, author), check_request(request, self.catalogue)

    def _forecast(self, asked: Asked, standing: Standing) -> Forecast:
        return forecast(
            asked,
            self.catalogue,
            self.groups,
            self.pull_request,
            standing,
            self.now,
            self.sources,
        )


def _messages(error: DocumentError) -> list[str]:
    return [str(getattr(item, "message", item)) for item in error.findings] or [error.message]


def _records(repository: Repository, commit: str, folder: str) -> list[tuple[str, bytes]]:
    """The bot's records in a folder: path and content."""
    files = _files(repository, commit, folder, ".json")
    contents = repository.blobs(sorted(set(files.values())))
    return [(path, contents[blob]) for path, blob in files.items()]


def _files(repository: Repository, commit: str, folder: str, ending: str) -> dict[str, str]:
    """The regular files in a folder: path → blob."""
    return {
        entry.path: entry.blob
        for entry in repository.entries(commit, folder)
        if entry.path.endswith(ending) and entry.is_file
    }


def _id(path: str) -> str:
    return path.rsplit("/", 1)[-1].removesuffix(".yaml").removesuffix(".json")
