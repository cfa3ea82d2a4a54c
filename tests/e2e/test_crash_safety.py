"""Killed with -9 before every call to Vault, git and GitHub that may change anything, and after.

What comes after one such call comes before the next: nothing else changes anything in between. The
calls are found while the run makes them, below all of daypass, so that a new one is killed, too.
`make crash` also kills before each kind of call that only looks, and leaves no change out.

Whatever happened to the run before, one run of `daypass apply` leaves the world as an undisturbed
one would have left it, to the last trailer.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from daypass.model.instant import Instant
from daypass.model.intent import Intent, IntentKind
from daypass.sandbox.box import Box
from daypass.sandbox.organisation import request
from support.end_state import end_state, lasts
from support.sweep import EVERY, sweep
from support.town import Asked, Town
from support.warm import Fate, Ran, Warm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

ROLE = "orders-read-1h"
HASTY = 60  # no patience with a database, and minutes as long as ever


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with Box.create(tmp_path_factory.mktemp("box")) as made:
        made.vault_bootstrap()
        assert Town(made).apply().code == 0  # what only the first run of all notes
        yield made


@pytest.fixture(scope="module")
def town(box: Box) -> Town:
    return Town(box)


@pytest.fixture(scope="module")
def warm(box: Box) -> Iterator[Warm]:
    with Warm(box) as made:
        yield made


@pytest.fixture(autouse=True)
def evidence(town: Town, warm: Warm) -> Iterator[None]:
    """After each story all that was granted is given back, and an auditor looks."""
    yield
    carol = town.box.person("carol")
    gone = dict.fromkeys(path for path in town.files("access/requests") if path.endswith(".yaml"))
    if gone:
        carol.merge(carol.propose(f"after-{town.head()[:12]}", gone, "All over"))
    assert warm.apply().code == 0
    assert not {path for path in town.files("access/grants") if path.endswith(".json")}
    done = town.verify()
    assert done.code == 0, done.said
    # A record that was removed by hand stays a fault, with the commit that mended it.
    assert [item for item in done.json()["faults"] if not item.get("mendedBy")] == []


class Crashes:
    """The runs of a story, in the words of a test."""

    def __init__(self, town: Town, warm: Warm) -> None:
        self.town = town
        self.warm = warm

    def run(self, _: Asked, fate: Fate) -> Ran:
        return self.warm.apply(fate)

    def mend(self, _: Asked) -> Ran:
        return self.warm.apply()

    def run_hastily(self, _: Asked, fate: Fate) -> Ran:
        return self.warm.apply(replace(fate, minute=HASTY))

    def hasty(self) -> Ran:
        return self.warm.apply(Fate(minute=HASTY))

    def grant(self, name: str, **spec: Any) -> Asked:
        asked = self.town.grant(name, **({"duration": "1h"} | spec))
        done = self.warm.apply()
        assert self.town.events(name) == ["issued"], done.said
        return asked

    def supply(self, label: str, **spec: Any) -> Iterator[Asked]:
        """Grants that live, issued many at once."""
        for number in count():
            names = [f"{label}-{number}-{which}" for which in range(14)]
            asked = [self.town.grant(name, **({"duration": "1h"} | spec)) for name in names]
            done = self.hasty()
            assert done.code == 0, done.said
            yield from asked

    def claim(self, asked: Asked) -> dict[str, str]:
        """What was delivered can really be used."""
        done = self.warm.person(asked.who, "claim", asked.id, "--format", "json")
        assert done.code == 0, done.said
        credential: dict[str, str] = done.json()["credential"]
        with self.town.log_in(credential) as session:
            assert session.execute("select count(*) from orders").fetchone() == (3,)
        return credential

    def intend(self, asked: Asked, kind: IntentKind) -> None:
        intent = Intent(asked.id, kind, 1, Instant.parse("2026-11-22T00:00:00Z"))
        path = f"daypass/data/daypass/intents/{asked.id}"
        self.town.box.bao.client.write(path, {"data": intent.to_json()})


@pytest.fixture
def crashes(town: Town, warm: Warm) -> Crashes:
    return Crashes(town, warm)


ON_CLAIM = {"by": "bob", "resource": "ledger-db", "ticket": "OPS-1", "approvers": ("carol", "dave")}


@pytest.mark.parametrize("mode", ["on-merge", "on-claim"])
def test_a_grant_is_issued_once_and_delivered_once(crashes: Crashes, town: Town, mode: str) -> None:
    spec = ON_CLAIM if mode == "on-claim" else {}
    swept = sweep(
        town,
        lambda word: town.grant(f"{mode}-{word}", duration="1h", **spec),
        crashes.run,
        crashes.mend,
        whole=mode == "on-merge",
        step=4,
    )
    assert "POST /v1/auth/token/create" in " ".join(swept.calls)
    assert "git push" in " ".join(swept.calls)
    for asked in swept.killed:
        crashes.claim(asked)


def test_an_extension_leaves_what_it_continues_alone(crashes: Crashes, town: Town) -> None:
    old = crashes.grant("extended")
    before = (town.live_tokens(old.id), town.record(old.id))
    swept = sweep(
        town,
        lambda word: town.grant(f"extension-{word}", duration="1h", renews=old.id),
        crashes.run,
        crashes.mend,
    )
    assert (town.live_tokens(old.id), town.record(old.id)) == before
    assert town.events(old.id) == ["issued"]
    # Both live, each by itself: the end of one is not the end of the other.
    newest = swept.killed[-1]
    town.delete(newest.id)
    crashes.mend(newest)
    crashes.claim(old)


def test_a_denial_is_recorded_once_and_told_once(crashes: Crashes, town: Town) -> None:
    sweep(
        town,
        lambda word: town.grant(f"denied-{word}", duration="1h", renews="never-there"),
        crashes.run,
        crashes.mend,
    )


@pytest.mark.parametrize("mode", ["on-merge", "on-claim"])
def test_an_end_leaves_nothing_alive_and_one_revert(
    crashes: Crashes, town: Town, mode: str
) -> None:
    spec = ON_CLAIM if mode == "on-claim" else {}

    supply = crashes.supply(f"end-{mode}", **spec)

    def begin(word: str) -> Asked:
        asked = next(supply)
        if word in ("whole", "7", "9", "11"):
            crashes.claim(asked)
        town.delete(asked.id)
        return asked

    sweep(town, begin, crashes.run, crashes.mend, step=4)


def test_what_a_holder_gave_back_is_ended_as_they_said(
    crashes: Crashes, town: Town, warm: Warm
) -> None:
    """The command's own run is killed, and started again by hand."""
    said: dict[str, int] = {}
    supply = crashes.supply("done")

    def begin(_: str) -> Asked:
        asked = next(supply)
        said[asked.id] = asked.who.comment(asked.number, f"/done {asked.id}")
        return asked

    def mend(asked: Asked) -> Ran:
        assert warm.obey(said[asked.id], attempt=2).code == 0
        return warm.apply()

    sweep(town, begin, lambda asked, fate: warm.obey(said[asked.id], fate), mend, whole=EVERY)


def test_what_a_holder_ended_alone_is_recorded_as_they_said(
    crashes: Crashes, town: Town, warm: Warm
) -> None:
    """With its own token: apply finds the note, and carries out the intent that it makes of it."""
    supply = crashes.supply("alone", **ON_CLAIM)

    def begin(_: str) -> Asked:
        asked = next(supply)
        crashes.claim(asked)
        town.box.github.fail_next("POST", r"/comments", 503, 1)  # so that Vault alone knows of it
        done = warm.person(asked.who, "done", asked.id, "--wait", "0")
        town.box.github.heal()
        assert (done.code, town.live_tokens(asked.id)) == (1, []), done.said
        return asked

    swept = sweep(town, begin, crashes.run, crashes.mend)
    for asked in swept.killed:
        assert "Daypass-Reason: done" in town.message(asked.id, "revoked")


def test_a_second_delivery_replaces_the_first_one_once(crashes: Crashes, town: Town) -> None:
    supply = crashes.supply("again")

    def begin(_: str) -> Asked:
        asked = next(supply)
        crashes.intend(asked, IntentKind.REDELIVER)
        return asked

    swept = sweep(town, begin, crashes.run, crashes.mend)
    for asked in swept.killed:
        crashes.claim(asked)


class Drops:
    """Whether the database lets go of its users."""

    def __init__(self, box: Box) -> None:
        self._client = box.bao.client
        self._role = (self._client.read(f"database/roles/{ROLE}") or {})["data"]

    def refuse(self) -> None:
        broken = self._role | {"revocation_statements": ["SELECT 1/0;"]}
        self._client.write(f"database/roles/{ROLE}", broken)

    def allow(self) -> None:
        self._client.write(f"database/roles/{ROLE}", self._role)


@pytest.fixture
def drops(box: Box) -> Iterator[Drops]:
    found = Drops(box)
    yield found
    found.allow()


def test_an_end_that_fails_is_said_to_have_failed_once(
    crashes: Crashes, town: Town, drops: Drops
) -> None:
    supply = crashes.supply("stuck")

    def begin(_: str) -> Asked:
        drops.allow()
        assert crashes.hasty().code == 0  # so that only one is stuck at a time
        asked = next(supply)
        town.delete(asked.id)
        drops.refuse()
        return asked

    sweep(town, begin, crashes.run_hastily, lambda _: crashes.hasty())


def test_an_end_that_failed_is_mended_once(crashes: Crashes, town: Town, drops: Drops) -> None:
    supply = crashes.supply("mended")

    def begin(_: str) -> Asked:
        asked = next(supply)
        town.delete(asked.id)
        drops.refuse()
        assert crashes.hasty().code == 5
        drops.allow()
        assert town.events(asked.id) == ["issued", "revoke-failed"]
        return asked

    sweep(town, begin, crashes.run_hastily, lambda _: crashes.hasty())


def test_an_expiry_is_recorded_once(crashes: Crashes, town: Town, warm: Warm) -> None:
    def begin(word: str) -> Asked:
        asked = town.grant(f"expired-{word}", duration="1m")
        assert warm.apply(Fate(minute=2)).code == 0
        while town.live_tokens(asked.id):
            time.sleep(0.1)
        return asked

    sweep(town, begin, crashes.run, crashes.mend)


def test_what_nobody_came_for_lapses_once(crashes: Crashes, town: Town, warm: Warm) -> None:
    """Every push kills at a few calls: each of these waits until Vault has ended something."""

    def begin(word: str) -> Asked:
        asked = town.grant(f"unclaimed-{word}", duration="1m", **ON_CLAIM)
        assert warm.apply(Fate(minute=2)).code == 0
        while town.live_tokens(asked.id):
            time.sleep(0.1)
        return asked

    swept = sweep(town, begin, crashes.run, crashes.mend, step=12)
    for asked in swept.killed:
        assert town.events(asked.id) == ["issued", "lapsed"]


def test_what_is_seen_once_is_recorded_and_told_whatever_becomes_of_the_run(
    crashes: Crashes, town: Town
) -> None:
    """A token behind its back, one that was used up, and a request mixed with another change."""
    supply, since = crashes.supply("seen"), {}

    def begin(word: str) -> Asked:
        asked = next(supply)
        since[asked.id] = town.head()
        for accessor in town.live_tokens(asked.id):
            town.box.bao.client.write("auth/token/revoke-accessor", {"accessor": accessor})
        meta = {
            "daypass_grant": f"stray-{word}",
            "daypass_repository": str(town.box.repository_id),
        }
        role = "daypass-orders-db-read-1h"
        stray = {"policies": [role], "ttl": "1h", "explicit_max_ttl": "1h", "meta": meta}
        town.box.bao.client.write(f"auth/token/create/{role}", stray)
        name = f"mixed-{word}"
        files = {**request(name, duration="1h"), f"docs/{name}.md": b"Beside it.\n"}
        alice = town.box.person("alice")
        town.merge(Asked(name, alice.propose(name, files, "Two things"), alice))
        return asked

    def state(asked: Asked) -> Any:
        form = "--format=%(trailers:key=Daypass-Event)%(trailers:key=Daypass-Reason)"
        events = town.store.git("log", "--reverse", form, f"{since[asked.id]}..main")
        told = [
            issue.body.partition("\n")[0].partition(".")[0]
            for issue in town.box.repository.issues.values()
            if issue.body and issue.body.startswith("<!-- daypass:alarm:")
        ]
        strays = [grant for _, grant in town.tokens() if grant.startswith("stray-")]
        everything = {word: told.count(word) for word in set(told)}
        before = counted.get(asked.id, {})
        new = {word: number - before.get(word, 0) for word, number in everything.items()}
        return end_state(town, asked), sorted(events.split("\n")), new, strays

    counted: dict[str, dict[str, int]] = {}

    def count_and_begin(word: str) -> Asked:
        asked = begin(word)
        counted[asked.id] = {}
        counted[asked.id] = state(asked)[2]
        return asked

    sweep(town, count_and_begin, crashes.run_hastily, lambda _: crashes.hasty(), state=state)


# Runs that meet.


def granted_once(crashes: Crashes, asked: Asked, whole: Any) -> None:
    """As a run leaves it that is alone in the world."""
    assert end_state(crashes.town, asked) == whole
    crashes.claim(asked)


@pytest.fixture
def whole(crashes: Crashes, town: Town) -> Any:
    return end_state(town, crashes.grant(f"alone-{town.head()[:12]}"))


@pytest.mark.parametrize("runs", [2, 4])
def test_runs_side_by_side_grant_once_and_deliver_once(
    crashes: Crashes, town: Town, warm: Warm, whole: Any, runs: int
) -> None:
    asked = [town.grant(f"side-{runs}-{number}", duration="1h") for number in range(5)]
    started = [warm.start(event=event) for event in ("push", "schedule", "push", "schedule")[:runs]]
    for run in started:
        done = run.result()
        assert done.code in (0, 5), done.said
        assert "Traceback" not in done.stderr
    assert warm.apply().code == 0
    for item in asked:
        granted_once(crashes, item, whole)


def test_a_push_that_loses_a_race_is_built_again_on_the_new_head(
    crashes: Crashes, town: Town, warm: Warm, whole: Any, tmp_path: Path
) -> None:
    first = town.grant("race-first", duration="1h")
    second = town.ask("race-second", duration="1h")
    with held(warm, Fate(hold="^git push", folder=tmp_path)) as run:
        merged = town.merge(second)  # a person, in the moment of the push
    assert run.result().code == 0, run.result().said
    on_main = town.store.git("rev-list", "--first-parent", "main").split()
    message = town.store.git("log", "-1", "--format=%B", on_main[on_main.index(merged) - 1])
    assert "Daypass-Grant: race-first" in message
    # And what was merged meanwhile did not wait for another run.
    granted_once(crashes, first, whole)
    granted_once(crashes, second, whole)


def test_a_deletion_that_wins_the_race_against_an_issue_leaves_nothing(
    town: Town, warm: Warm, tmp_path: Path
) -> None:
    asked = town.grant("race-deleted", duration="1h")
    with held(warm, Fate(hold="^git push", folder=tmp_path)) as run:
        town.delete(asked.id)
    assert run.result().code == 0, run.result().said
    assert warm.apply().code == 0
    left = end_state(town, asked)
    assert (left["main"], left["events"], left["database"]) == ({}, [], 0)
    assert (left["vault"]["tokens"], left["vault"]["pending"]) == (0, False)
    assert left["github"]["said"] == []


@pytest.mark.parametrize("fails", [True, False], ids=["fails", "ends"])
@pytest.mark.parametrize("gone", ["grants/{}.json", "grants/{}.json requests/{}.yaml"])
def test_what_one_run_closed_is_neither_opened_nor_closed_again_by_another(
    crashes: Crashes,
    town: Town,
    warm: Warm,
    drops: Drops,
    tmp_path: Path,
    gone: str,
    *,
    fails: bool,
) -> None:
    """Both look at a grant whose record, and whose request, was removed by hand."""
    asked = crashes.grant(f"closed-once-{len(gone.split())}-{'fails' if fails else 'ends'}")
    town.push_straight({f"access/{path}": None for path in gone.format(asked.id, asked.id).split()})
    if fails:
        drops.refuse()
    fate = Fate(hold="^git push", folder=tmp_path, minute=HASTY)
    with held(warm, fate) as run:
        drops.allow()
        assert crashes.hasty().code in (0, 5)
        assert town.events(asked.id) == ["issued", "revoked"]
    assert run.result().code in (0, 5), run.result().said
    assert town.events(asked.id) == ["issued", "revoked"]
    assert not {path for path in town.files() if asked.id in path}


@contextmanager
def held(warm: Warm, fate: Fate) -> Iterator[Future[Ran]]:
    """A run that waits where its fate says, and goes on at the end."""
    folder = fate.folder
    assert folder is not None
    run = warm.start(fate)
    deadline = time.monotonic() + 60
    while not (folder / "reached").exists():
        assert time.monotonic() < deadline, "it never came to that call"
        assert not run.done(), run.result().said
        time.sleep(0.02)
    yield run
    (folder / "go").touch()
    run.result()


def test_a_request_that_changed_while_a_killed_run_had_minted_for_it_is_judged_as_it_is(
    crashes: Crashes, town: Town, warm: Warm
) -> None:
    asked = town.grant("changed", duration="1h")
    assert warm.apply(Fate(kill_at="^git push")).was_killed
    (first,) = town.live_tokens(asked.id)
    path = f"access/requests/{asked.id}.yaml"
    changed = town.store.git("show", f"main:{path}").replace("1h", "30m").encode()
    again = Asked(asked.id, asked.who.propose("changes", {path: changed}, "Shorter"), asked.who)
    town.merge(again)
    done = warm.apply()
    assert done.code == 0, done.said
    assert town.events(asked.id) == ["issued"]
    (second,) = town.live_tokens(asked.id)
    assert second != first
    assert lasts(town, asked.id) <= 1800
    assert crashes.claim(again)
