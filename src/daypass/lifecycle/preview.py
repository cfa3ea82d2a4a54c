"""Preview: the plan of one pull request, from its tree and, where it may be asked, from GitHub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from daypass.documents.records import load_grant
from daypass.documents.repository import check_request, load_request
from daypass.errors import DocumentError
from daypass.ledger.allowed_signers import Signers
from daypass.ledger.counting_signers import counting_signers
from daypass.lifecycle.forecast import Forecast, Standing, forecast
from daypass.lifecycle.inquiry import Inquiry
from daypass.lifecycle.past import past_at
from daypass.policy.groups import resolve_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence

    from daypass.lifecycle.foundation_forecast import FoundationForecast
    from daypass.lifecycle.ports import Repository
    from daypass.model.catalogue import Catalogue
    from daypass.model.grant import Grant
    from daypass.model.instant import Instant
    from daypass.model.pullrequest import PullRequest
    from daypass.policy.groups import GroupDirectory

_REQUESTS = "access/requests"


@dataclass(frozen=True, slots=True)
class Preview:
    """What merging would do: one forecast a request, what it would end, and what is wrong."""

    forecasts: tuple[Forecast, ...]
    ends: tuple[Grant, ...]  # live grants whose request it deletes
    wrong: tuple[str, ...]
    foundation: FoundationForecast | None = None  # None: it changes nothing that decisions rest on

    @property
    def is_about_access(self) -> bool:
        """Whether there is anything to say."""
        return bool(self.forecasts or self.ends or self.wrong or self.foundation)

    @property
    def is_denied(self) -> bool:
        """Whether some of it could only end in a denial, or would freeze daypass."""
        freezes = self.foundation is not None and bool(self.foundation.would_freeze)
        return bool(self.wrong) or freezes or any(item.is_denied for item in self.forecasts)


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
    entries = [
        entry
        for entry in repository.entries(commit, "access/grants")
        if entry.path.endswith(".json") and entry.is_file
    ]
    contents = repository.blobs(sorted({entry.blob for entry in entries}))
    grants = (load_grant(entry.path, contents[entry.blob]) for entry in entries)
    return {grant.id: grant for grant in grants}


def standing_at(
    repository: Repository, commit: str, catalogue: Catalogue, now: Instant
) -> Standing:
    """The grants that a request would join, as that commit of main tells it."""
    live = live_grants(repository, commit)
    signers = counting_signers(repository, commit)
    # Where no key is named there is no evidence: nothing was granted yet.
    keys = signers or Signers(())
    return Standing(live, past_at(repository, commit, keys, live.values(), [catalogue], now))


def preview_trees(
    repository: Repository,
    merge: Merge,
    catalogue: Catalogue,
    now: Instant,
    *,
    groups: GroupDirectory,
    pull_request: PullRequest | None = None,
    inquiry: Inquiry | None = None,
    standing: Callable[[], Standing] | None = None,
) -> Preview:
    """The plan of one merge. `standing`: that of `merge.main`, where several merges share it."""
    before = _requests(repository, merge.ancestor)
    after = _requests(repository, merge.head)
    new = sorted(path for path in after if path not in before)
    most = catalogue.settings.limits.requests_per_pull_request
    added = {path: after[path] for path in new[:most]}
    there = standing() if standing else standing_at(repository, merge.main, catalogue, now)
    live = there.live
    deleted = sorted(path for path in before if path not in after)
    ends = tuple(
        live[name] for name in (path.split("/")[-1][:-5] for path in deleted) if name in live
    )
    contents = repository.blobs(sorted(set(added.values())))
    forecasts, wrong = _judge(
        ((path, contents[blob]) for path, blob in sorted(added.items())),
        catalogue,
        groups,
        pull_request,
        there,
        now,
        inquiry or Inquiry(),
        {grant.id for grant in ends},
    )
    return Preview(forecasts, ends, (*_over(new, most), *wrong))


def _over(new: Sequence[str], most: int) -> Iterator[str]:
    """That it asks for more than the limit, which is not looked at."""
    if len(new) > most:
        yield (
            f"this pull request asks for {len(new)} requests, and the limit is {most}: "
            f"{new[most]} and those after it would be refused, and are not shown here. Bring them "
            "in other pull requests"
        )


def _judge(
    files: Iterable[tuple[str, bytes]],
    catalogue: Catalogue,
    groups: GroupDirectory,
    pull_request: PullRequest | None,
    standing: Standing,
    now: Instant,
    inquiry: Inquiry,
    ending: Container[str],
) -> tuple[tuple[Forecast, ...], tuple[str, ...]]:
    forecasts, wrong = [], []
    for path, content in files:
        try:
            request = load_request(path, content)
        except DocumentError as error:
            wrong += [f"{path}: {finding}" for finding in _messages(error)]
            continue
        findings = check_request(request, catalogue)
        if findings:
            wrong += [f"{path}: {finding.message}" for finding in findings]
        else:
            forecasts.append(
                forecast(
                    request,
                    catalogue,
                    groups,
                    pull_request,
                    standing,
                    now,
                    inquiry,
                    ending,
                )
            )
    return tuple(forecasts), tuple(wrong)


def _messages(error: DocumentError) -> list[str]:
    return [str(getattr(item, "message", item)) for item in error.findings] or [error.message]


def _requests(repository: Repository, commit: str) -> dict[str, str]:
    return {
        entry.path: entry.blob
        for entry in repository.entries(commit, _REQUESTS)
        if entry.path.endswith(".yaml") and entry.is_file
    }
