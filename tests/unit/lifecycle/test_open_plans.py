"""Plans of open pull requests: an odd one, or a flood, hides no other and fails no run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from daypass.errors import DaypassError, DocumentError, ForgeUnavailableError, GitError
from daypass.lifecycle import messages, open_plans
from daypass.lifecycle.inquiry import Inquiry
from daypass.lifecycle.open_plans import PLANS_NOTE, OpenPlans
from daypass.lifecycle.preview import Preview
from daypass.model.instant import Instant
from daypass.model.pullrequest import ChangedFile, OpenPart, OpenPullRequest

NOW = Instant.parse("2026-11-23T09:00:00Z")
ASKS = (ChangedFile("access/requests/x.yaml", "added", "b" * 40),)


@dataclass
class Forge:
    """Open pull requests, some of which are odd, and the comments on them."""

    listed: tuple[tuple[int, int], ...]  # number and author
    odd: dict[int, BaseException] = field(default_factory=dict)
    files: dict[int, tuple[ChangedFile, ...]] = field(default_factory=dict)
    said: dict[int, str] = field(default_factory=dict)
    is_cut: bool = False

    def open_pull_requests(self) -> OpenPart:
        found = (OpenPullRequest(number, who, "ask", "a" * 40) for number, who in self.listed)
        return OpenPart(tuple(found), self.is_cut)

    def pull_request(self, number: int) -> Any:
        if number in self.odd:
            raise self.odd[number]
        files = self.files.get(number, ASKS)
        return SimpleNamespace(number=number, head_sha="a" * 40, complete=True, files=files)

    def put_comment(self, number: int, marker: str, body: str) -> None:
        assert marker == messages.plan_marker()
        self.said[number] = body


@pytest.fixture(autouse=True)
def _plans(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Preview((), (), ("it is wrong",))
    monkeypatch.setattr(open_plans, "catalogue_of", lambda *_words: None)
    monkeypatch.setattr(open_plans.Answers, "groups", lambda *_words: None)
    monkeypatch.setattr(open_plans, "preview_of", lambda *_words: wrong)
    monkeypatch.setattr(open_plans, "why_frozen", lambda *_words: ())
    monkeypatch.setattr(open_plans, "PULL_REQUESTS", 3)


def plans(forge: Forge, notes: dict[str, Any]) -> OpenPlans:
    registry = SimpleNamespace(read_note=notes.get, write_note=notes.__setitem__, read=None)
    repository = SimpleNamespace(fetch=lambda: "m" * 40)
    ports = SimpleNamespace(forge=forge, registry=registry, repository=repository, sealer=None)
    return OpenPlans(cast("Any", ports), Inquiry(), NOW, comment=True)


def planned(forge: Forge, notes: dict[str, Any]) -> list[int]:
    look = plans(forge, notes)
    return [item.number for item in look.run(look.choose()[0])]


@pytest.mark.parametrize(
    "error",
    [RecursionError("too deep"), GitError("no such tree", remedy="Look.")],
    ids=["a bug", "git"],
)
def test_one_that_cannot_be_planned_is_said_on_it_and_hides_no_other(error: Exception) -> None:
    forge = Forge(((1, 1), (2, 2)), odd={1: error})
    look = plans(forge, {})
    found = {item.number: item for item in look.run(look.choose()[0])}
    assert isinstance(found[1].error, DaypassError)
    assert not found[1].is_ours
    assert found[2].error is None
    assert "What merging this will do is not known" in forge.said[1]
    assert "it is wrong" in forge.said[2]


def test_an_outage_is_not_said_on_the_pull_request() -> None:
    forge = Forge(((1, 1),), odd={1: ForgeUnavailableError("GitHub is down", remedy="Wait.")})
    assert planned(forge, {}) == [1]
    assert forge.said == {}


def test_what_fails_on_a_full_disk_is_not_laid_to_the_pull_request() -> None:
    forge = Forge(((1, 1),), odd={1: GitError("git fetch failed", remedy="Look.")})
    look = replace(plans(forge, {}), can_write=lambda: False)
    (found,) = look.run(look.choose()[0])
    assert found.is_ours
    assert forge.said == {}


def test_while_main_is_frozen_every_plan_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_plans, "why_frozen", lambda *_words: ("nobody approved it",))
    forge = Forge(((1, 1),))
    assert planned(forge, {}) == [1]
    assert "nothing is granted while main is frozen: nobody approved it" in forge.said[1]


def test_while_main_is_broken_each_pull_request_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_words: object) -> None:
        raise DocumentError("x.yaml: kind is missing", remedy="Mend it.")

    monkeypatch.setattr(open_plans, "catalogue_of", broken)
    forge = Forge(((1, 1), (2, 2)), files={2: (ChangedFile("README.md", "modified", None),)})
    with pytest.raises(DocumentError):
        planned(forge, {})
    assert list(forge.said) == [1]
    assert "documents are wrong: x\\.yaml: kind is missing" in forge.said[1]


@pytest.mark.parametrize("path", ["access/grants/x.json", "access/policies/x.yaml"])
def test_what_touches_records_or_the_foundation_is_planned(path: str) -> None:
    assert planned(Forge(((1, 1),), files={1: (ChangedFile(path, "removed", None),)}), {}) == [1]


def test_what_touches_no_request_is_not_fetched() -> None:
    renamed = (ChangedFile("README.md", "renamed", None, "access/requests/x.yaml"),)
    forge = Forge(((1, 1), (2, 2)), files={1: (ChangedFile("a.py", "added", None),), 2: renamed})
    assert planned(forge, {}) == [2]


def test_of_a_flood_people_take_turns_and_each_comes_in_its_time() -> None:
    notes: dict[str, Any] = {}
    forge = Forge((*((number, 66) for number in range(20, 13, -1)), (5, 1)))
    look = plans(forge, notes)
    chosen, left = look.choose()
    assert [item.number for item in chosen] == [20, 5, 19]
    assert left == "5"
    seen = {20, 5, 19}
    for _ in range(4):
        again = planned(forge, notes)
        assert 5 in again
        seen.update(again)
    assert seen == {number for number, _ in forge.listed}
    assert len(notes[PLANS_NOTE]["planned"].split()) == len(forge.listed)


def test_few_need_no_note() -> None:
    notes: dict[str, Any] = {}
    assert planned(Forge(((1, 1), (2, 1), (3, 1))), notes) == [1, 2, 3]
    assert notes == {}


def test_a_text_that_github_would_refuse_is_cut_at_a_line() -> None:
    lines = "".join(f"- line {number}\n" for number in range(10_000))
    cut = messages.fit(lines, "see the log")
    assert len(cut) < 65_536
    assert cut.startswith("- line 0\n")
    assert cut.endswith("characters before the end: see the log\n")
    assert "…" not in messages.fit("short", "see the log")
    assert len(messages.fit("x" * 100_000, "see the log")) < 65_536
    many = tuple(f"access/requests/{'x' * 50}-{number}.yaml: wrong" for number in range(2000))
    assert len(messages.plan(Preview((), (), many))) < 65_536
