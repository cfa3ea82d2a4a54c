"""How far closed pull requests were looked at: the note `closed` in Vault's KV."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.lifecycle.notes import NoteKind, commit_in, number_in, rows_in, text_in
from daypass.model.instant import Instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daypass.model.pullrequest import ClosedPart, ClosedPullRequest

CLOSED_NOTE: Final = "closed"
# GitHub's clock is not Vault's, and its lists lag behind: what was closed this much before the last
# look is looked at again.
OVERLAP_SECONDS: Final = 600
_LAST_PAGE: Final = 100_000  # of GitHub's list, as far as any note can name one
_MOST: Final = 10_000  # closings in the note: Vault takes no more than a megabyte


@dataclass(frozen=True, slots=True)
class ClosedNote:
    """A look at closed pull requests, which may take several runs."""

    until: Instant  # what was closed before has been looked at
    commit: str  # events about what was closed since `until` come after that commit
    seen: frozenset[tuple[int, str]] = frozenset()  # number and time of closing: looked at
    begun: Instant | None = None  # when the look began that is under way; None: there is none
    page: int = 1  # of GitHub's list, where that look goes on
    floor: Instant | None = None  # the last change of the last one that it has listed

    @classmethod
    def from_note(cls, note: Mapping[str, Any]) -> Self:
        """Reads the note. Older releases wrote `until`, `commit` and `seen`, a list.

        Raises KeyError, TypeError, ValueError: it is odd.
        """
        words = (word.partition("@") for word in text_in(note, "looked", "").split())
        told = [(int(number), str(Instant.parse(at))) for number, _, at in words]
        told += [(int(number), str(Instant.parse(at))) for number, at in rows_in(note["seen"])]
        begun, floor = text_in(note, "begun", ""), text_in(note, "floor", "")
        page = number_in(note, "page", 1)
        if not 1 <= page <= _LAST_PAGE:
            raise ValueError("no page")
        return cls(
            Instant.parse(note["until"]),
            commit_in(note),
            frozenset(told),
            Instant.parse(begun) if begun else None,
            page,
            Instant.parse(floor) if floor else None,
        )

    def to_note(self) -> dict[str, Any]:
        """As the note holds it: few strings, of which OpenBao takes no more than a thousand."""
        return {
            "until": str(self.until),
            "commit": self.commit,
            "seen": [],
            "looked": " ".join(f"{number}@{at}" for number, at in sorted(self.seen)),
            "begun": str(self.begun or ""),
            "page": self.page,
            "floor": str(self.floor or ""),
        }

    @property
    def since(self) -> Instant:
        """From when on to look."""
        return self.until.plus(-OVERLAP_SECONDS)

    def has_seen(self, item: ClosedPullRequest) -> bool:
        """Whether that closing was looked at."""
        return key_of(item) in self.seen

    def after(
        self, part: ClosedPart, looked: Iterable[ClosedPullRequest], now: Instant, head: str
    ) -> Self:
        """The note after a run looked at `looked`, of the part of the list that it read."""
        begun = self.begun or now
        seen = self.seen | {key_of(item) for item in looked}
        under_way = replace(self, seen=_newest(seen, self.since), begun=begun)
        if not seen.issuperset(map(key_of, part.found)):
            return under_way  # the rest of this part is for the next run
        if part.next_page is not None:
            return replace(under_way, page=part.next_page, floor=part.oldest)
        return type(self)(begun, head, _newest(seen, begun.plus(-OVERLAP_SECONDS)))


def _newest(seen: Iterable[tuple[int, str]], since: Instant) -> frozenset[tuple[int, str]]:
    """Those that the list may still hold. What is left out is looked at again, and told once."""
    timed = ((Instant.parse(item[1]), item) for item in seen)
    kept = sorted((entry for entry in timed if entry[0] >= since), reverse=True)
    return frozenset(item for _, item in kept[:_MOST])


def key_of(item: ClosedPullRequest) -> tuple[int, str]:
    """One closing: a pull request can be opened and closed again."""
    return item.number, str(item.closed_at)


CLOSED: Final = NoteKind(
    CLOSED_NOTE,
    ClosedNote.from_note,
    "Pull requests that were closed since the last look are not told of in the evidence",
)
