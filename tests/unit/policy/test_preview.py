"""Previews of a merge: both lanes, what is edited, what is no document, and what is not asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

from policy_world import ACCOUNTS, NOW, catalogue, policy, pull_request, request, review

from daypass.documents.blob import blob_id
from daypass.lifecycle import messages
from daypass.lifecycle.forecast import Standing, forecast
from daypass.lifecycle.open_plans import preview_of
from daypass.lifecycle.preview import Merge, Preview, preview_trees
from daypass.lifecycle.preview_faults import over_already
from daypass.lifecycle.preview_sources import PreviewSources
from daypass.lifecycle.recipients import Recipients
from daypass.model.grant import Lane
from daypass.model.obligation import Obligation
from daypass.model.pullrequest import ChangedFile, Push
from daypass.model.tree import EXECUTABLE_FILE, REGULAR_FILE, TreeEntry
from daypass.policy.asked import Asked
from daypass.policy.groups import resolve_groups

LANE = policy("emergency", match={"lanes": ["break-glass"]})


@dataclass
class Trees:
    """A repository of two commits, `main` and `head`: path → content."""

    main: dict[str, bytes]
    head: dict[str, bytes]
    modes: dict[str, str]

    def entries(self, commit: str, folder: str) -> list[TreeEntry]:
        tree = self.main if commit == "main" else self.head
        return [
            TreeEntry(self.modes.get(path, REGULAR_FILE), blob_id(data), path)
            for path, data in sorted(tree.items())
            if path == folder or path.startswith(f"{folder}/")
        ]

    def blobs(self, ids: list[str]) -> dict[str, bytes]:
        every = (*self.main.values(), *self.head.values())
        return {blob_id(data): data for data in every if blob_id(data) in ids}


def ask(name: str, **spec: str) -> dict[str, bytes]:
    asked = {"subject": "alice", "resource": "orders-db", "access": "read", "duration": "1h"} | spec
    fields = "".join(f"  {key}: {value}\n" for key, value in asked.items())
    kind, folder = ("AccessRequest", "requests")
    if "incident" in asked:
        kind, folder = ("BreakGlassRequest", "break-glass")
    text = (
        f"apiVersion: daypass.dev/v1\nkind: {kind}\nmetadata:\n  id: {name}\nspec:\n"
        f"{fields}  reason: Orders are stuck\n"
    )
    return {f"access/{folder}/{name}.yaml": text.encode()}


def preview(
    head: dict[str, bytes],
    main: dict[str, bytes] | None = None,
    *,
    there: Any = None,
    modes: dict[str, str] | None = None,
    **more: Any,
) -> Preview:
    there = there or catalogue()
    standing = more.pop("standing", Standing({}, {}))
    return preview_trees(
        cast("Any", Trees(main or {}, head, modes or {})),
        Merge("main", "main", "head"),
        there,
        NOW,
        groups=resolve_groups(there, {"contractors": frozenset()}),
        standing=lambda: standing,
        **more,
    )


def denied(found: Preview) -> list[set[str]]:
    return [{why.rule for why in item.would_deny} for item in found.forecasts]


def test_keys_that_are_not_asked_for_are_not_known_and_never_fine() -> None:
    (item,) = preview(ask("a")).forecasts
    (why,) = (why for why in item.unknown if why.rule == "request-recipients")
    assert "whether alice has a usable key is not known here" in why.message


def test_two_requests_of_one_pull_request_count_in_each_others_limits() -> None:
    there = catalogue(policy(limits={"concurrent": 1}))
    assert denied(preview(ask("a") | ask("b"), there=there)) == [set(), {"concurrent"}]


def test_one_that_is_denied_counts_in_no_limit() -> None:
    there = catalogue(policy(limits={"concurrent": 1}))
    gone = ask("a", notBefore='"2026-01-01T00:00:00Z"')
    assert denied(preview(gone | ask("b"), there=there)) == [{"window"}, set()]


def test_a_request_that_is_edited_before_it_is_granted_is_foreseen() -> None:
    (item,) = preview(ask("a", duration="2h"), ask("a")).forecasts
    assert item.request.duration.seconds == 7200


def test_editing_the_request_of_a_live_grant_ends_it() -> None:
    class Live:
        id = "a"

    standing = Standing(cast("Any", {"a": Live()}), {})
    found = preview(ask("a", duration="2h"), ask("a"), standing=standing)
    assert [grant.id for grant in found.ends] == ["a"]
    assert found.forecasts == ()


def test_what_is_no_plain_document_is_wrong() -> None:
    path, data = next(iter(ask("a").items()))
    found = preview({path: data}, modes={path: EXECUTABLE_FILE})
    assert any("only plain files are read" in line for line in found.wrong)
    assert preview({"access/requests/a.yml": data}).wrong


def test_an_id_that_was_used_before_is_wrong_where_it_is_asked() -> None:
    sources = PreviewSources(used=lambda ids: {name for name in ids if name == "a"})
    found = preview(ask("a") | ask("b"), sources=sources)
    assert [line for line in found.wrong if "used before" in line] == [
        "access/requests/a.yaml: the id a was used before: an id is used once, take a new one"
    ]
    assert preview(ask("a")).wrong == ()


def emergency(found: Preview) -> set[str]:
    (rules,) = denied(found)
    return rules


def test_an_emergency_is_foreseen_by_its_own_lane() -> None:
    files = ask("a", incident="INC-7")
    assert emergency(preview(files)) == {"permitted-by-policy"}
    found = preview(files, there=catalogue(LANE))
    assert emergency(found) == set()
    (item,) = found.forecasts
    assert "break-glass-invoker" in {why.rule for why in item.unknown}  # who opens it is not known
    assert "daypass-bg-" in item.what


def test_an_emergency_that_daypass_would_turn_away_is_wrong() -> None:
    files = ask("a", incident="INC-7")
    (path,) = files
    pull = pull_request(files=(ChangedFile(path, "added", "b" * 40),), head_ref="break-glass/a")
    there = catalogue(LANE)
    assert preview(files, there=there, pull_request=pull).wrong == ()
    for fault, changes in (
        ("from a fork", {"head_repository_id": 99}),
        ("its branch is help-me", {"head_ref": "help-me"}),
        ("it is into release", {"base_ref": "release"}),
        ("change nothing else", {"files": (*pull.files, ChangedFile("x", "added", None))}),
        (
            "pushed to it",
            {"pushes": (Push(ACCOUNTS["bob"], "0" * 40, pull.head_sha, NOW.plus(-60)),)},
        ),
    ):
        (line,) = preview(files, there=there, pull_request=replace(pull, **changes)).wrong
        assert fault in line


def test_a_pull_request_that_changes_more_than_requests_is_wrong() -> None:
    files = ask("alice-orders-1")
    pull = pull_request()
    assert preview(files, pull_request=pull).wrong == ()
    more = replace(pull, files=(*pull.files, ChangedFile("README.md", "modified", None)))
    (line,) = preview(files, pull_request=more).wrong
    assert "changes more than requests (README.md)" in line


def test_a_review_that_is_overdue_is_told_and_may_be_given_before_the_merge() -> None:
    owed = Obligation(
        "bg-alice-1", "alice", 1, "orders-db", "read", "INC-1", False, 7, NOW, NOW.plus(-1)
    )
    standing = Standing({}, {}, (owed,))
    item = forecast(
        Asked(request(), Lane.ROUTINE, None),
        catalogue(),
        resolve_groups(catalogue(), {}),
        None,
        standing,
        NOW,
    )
    assert not item.is_denied
    assert any("the review of bg-alice-1 is overdue" in why.message for why in item.unknown)


def test_a_request_from_a_fork_is_wrong_whoever_looks() -> None:
    files = ask("alice-orders-1")
    (line,) = preview(files, pull_request=pull_request(head_repository_id=99)).wrong
    assert "the App cannot see who pushed there: push the branch to example/access" in line


def test_nothing_is_ready_beside_what_is_refused_or_stands_in_the_way() -> None:
    files = ask("alice-orders-1")
    keys = Recipients(cast("Any", None), cast("Any", AnyKeys()))
    pull = pull_request(review("bob"))
    found = preview(files, pull_request=pull, sources=PreviewSources(recipients=keys))
    (item,) = found.forecasts
    assert found.ready(item) == "nothing more is needed"
    assert "ready: nothing more is needed" in messages.plan(found)
    for held in (
        replace(found, wrong=("a link",)),
        replace(found, standing_in_the_way=("main is frozen",)),
    ):
        assert held.ready(item) is None
        assert "ready" not in messages.plan(held)
    assert "main is frozen" in messages.plan(
        replace(found, standing_in_the_way=("main is frozen",))
    )


class AnyKeys:
    def seal(self, *_words: Any) -> str:
        return "sealed"


def test_an_emergency_is_merged_by_daypass_and_by_nobody_else() -> None:
    found = preview(ask("a", incident="INC-7"), there=catalogue(LANE))
    assert "a merge by anybody else is refused" in messages.plan(found)
    assert preview(ask("a")).notes == ()


def test_deleting_a_request_without_a_grant_withdraws_it() -> None:
    found = preview({}, ask("a"))
    assert (found.withdraws, found.ends, found.is_denied) == (("a",), (), False)
    assert "takes back the request `a`" in messages.plan(found)


def test_deleting_the_record_of_a_grant_ends_it_and_is_wrong() -> None:
    class Live:
        id = "a"
        access, resource, subject = "read", "orders-db", "alice"

    standing = Standing(cast("Any", {"a": Live()}), {})
    record = {"access/grants/a.json": b"{}"}
    found = preview(ask("a"), ask("a") | record, standing=standing)
    assert [grant.id for grant in found.ends] == ["a"]
    assert "only the bot writes here" in found.wrong[0]
    edited = preview(ask("a") | {"access/grants/a.json": b"{ }"}, ask("a") | record)
    assert (edited.ends, len(edited.wrong)) == ((), 1)


def test_who_opens_an_emergency_is_not_known_where_nobody_is_asked() -> None:
    (item,) = preview(ask("a", incident="INC-7"), there=catalogue(LANE)).forecasts
    (why,) = (why.message for why in item.unknown if why.rule == "break-glass-invoker")
    assert why == "who opens it is not known here, and must be an invoker"


def test_of_a_pull_request_that_is_over_that_is_said() -> None:
    github = catalogue().settings.github
    opened = pull_request(open=True, merged_at=None)
    assert over_already(opened, github) is None
    for word, pull in (
        ("was merged at", pull_request()),
        ("is closed", replace(opened, open=False)),
        ("is into release", replace(opened, base_ref="release")),
    ):
        assert word in str(over_already(pull, github))


def test_what_is_merged_already_is_not_judged_again() -> None:
    anything = cast("Any", None)
    found = preview_of(anything, pull_request(), "main", catalogue(), anything, NOW)
    assert "#7 was merged at" in messages.plan(found)
    assert not found.is_denied
    assert not found.is_about_access
