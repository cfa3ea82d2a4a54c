"""What continues a grant, and what begins later: overlap, windows, and the clock that counts."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from daypass.model.instant import Instant
from daypass.sandbox.organisation import request
from support import acting, wrong_clock_run
from support.town import Asked, Town

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POLICY = "access/policies/databases.yaml"
HOUR = 3600


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    from daypass.sandbox.box import Box  # noqa: PLC0415  -- unit tests need no server

    with Box.create(tmp_path_factory.mktemp("renewals") / "box") as box:
        box.vault_bootstrap()
        made = Town(box)
        text = made.store.git("show", f"main:{POLICY}")
        window = "maxDuration: 8h\n    window: {hours: 4, per: 1d}"
        carol = box.person("carol")
        changed = {POLICY: text.replace("maxDuration: 8h", window).encode()}
        number = carol.propose("window", changed, "At most four hours a day")
        made.merge(Asked("window", number, carol), approvers=("dave",))
        yield made


def later(seconds: float) -> str:
    """That many seconds from now, in whole seconds rounded up."""
    return str(Instant.from_seconds(int(time.time() + seconds) + 1))


def lasts(town: Town, grant_id: str) -> float:
    record = town.record(grant_id)
    return Instant.parse(record["notAfter"]).since(Instant.parse(record["notBefore"]))


def test_a_renewal_overlaps_with_a_token_of_its_own_and_counts_beside_what_it_renews(
    town: Town,
) -> None:
    first = town.grant("first", duration="1h")
    assert town.apply().code == 0
    second = town.grant("second", duration="8h", renews="first")
    theirs = {
        "not-bobs": town.grant("not-bobs", by="bob", renews="first", approvers=("carol",)),
        "not-this-level": town.grant("not-this-level", access="admin", renews="first"),
        "no-such-grant": town.grant("no-such-grant", renews="never-there"),
    }
    done = town.apply()
    assert done.code == 0, done.said
    assert town.record("second")["request"]["renews"] == "first"
    # Four hours in a day; the whole hour of the first is taken, what is to come of it included.
    assert 3 * HOUR - 1 <= lasts(town, "second") <= 3 * HOUR
    for name in theirs:
        assert town.events(name) == ["denied"]
        assert "built-in/renewal" in town.message(name, "denied")

    one, other = (town.credential(item)["credential"] for item in (first, second))
    assert len(town.live_tokens("first")) == len(town.live_tokens("second")) == 1
    with town.log_in(one), town.log_in(other) as overlapping:
        town.delete("first")
        # What is taken away in this very run is not continued in it.
        town.grant("after-it", duration="1m", renews="first")
        done = town.apply()
        assert done.code == 0, done.said
        assert town.events("first") == ["issued", "revoked"]
        assert overlapping.execute("select 1").fetchone() == (1,)
    assert town.events("after-it") == ["denied"]
    assert "first was taken away (request-deleted)" in town.message("after-it", "denied")
    assert town.events("second") == ["issued"]
    # Nor later, when only the evidence knows of it.
    town.grant("long-after-it", duration="1m", renews="first")
    assert town.apply().code == 0
    assert "first was taken away (request-deleted)" in town.message("long-after-it", "denied")

    alice = town.box.person("alice")
    instead = request("instead", duration="1m", renews="second")
    number = alice.propose("instead", {"access/requests/second.yaml": None, **instead}, "Replace")
    seen = acting.daypass(alice, "plan", "--pr", str(number))
    assert seen.code == 4, seen.said
    assert "second was taken away (request-deleted)" in seen.stdout


def test_a_plan_counts_what_has_ended_within_the_window(town: Town) -> None:
    town.delete("second")
    assert town.apply().code == 0
    alice = town.box.person("alice")
    number = alice.propose("more", request("more", duration="8h"), "More of it")
    alice.git("fetch", "-q")
    alice.git("checkout", "-q", "more")
    for words in (("--pr", str(number)), ("--base", "origin/main")):
        seen = acting.daypass(alice, "plan", *words, "--format", "json")
        (foreseen,) = seen.json()["forecasts"]
        # Some of the four hours of this day are used up, by grants that only the evidence knows.
        assert foreseen["until"].startswith("3h"), foreseen
        assert "bounded by" in foreseen["until"]


def test_a_window_is_waited_for_shown_and_given_by_the_first_run_after_it(town: Town) -> None:
    alice, dave = town.box.person("alice"), town.box.person("dave")
    ahead = later(2 * HOUR)
    town.grant("tonight", by="dave", duration="30m", notBefore=ahead, approvers=("carol",))
    town.grant("soon", by="dave", duration="30m", notBefore=later(3), approvers=("carol",))
    begins = Instant.parse(str(spec_of(town, "soon")))
    over = town.ask("over", duration="30m", notBefore=later(-HOUR))
    seen = acting.daypass(alice, "plan", "--pr", str(over.number))
    assert seen.code == 4, seen.said
    assert "its window, 30m from" in seen.stdout
    town.merge(over)
    town.grant("next-year", duration="30m", notBefore=later(31 * 24 * HOUR))

    with acting.job(town.box) as job:
        actions = job.daypass("plan", "--format", "json").json()["actions"]
        in_words = job.daypass("plan").stdout
    shown = {item["grant"]: item for item in actions}
    assert shown["tonight"]["becomes"] == "scheduled"
    assert shown["tonight"]["why"] == [f"begins at {ahead}"]
    assert shown["over"]["becomes"] == shown["next-year"]["becomes"] == "denied"
    assert f"judge     tonight  -> scheduled\n          begins at {ahead}\n" in in_words
    while Instant.from_seconds(time.time()) < begins.plus(1):
        time.sleep(0.1)
    done = town.apply("schedule")
    assert done.code == 0, done.said
    said = {(line["what"], line["grant"]) for line in done.json()["done"]}
    assert {("scheduled", "tonight"), ("issued", "soon")} <= said
    assert town.events("tonight") == []
    assert town.live_tokens("tonight") == []
    assert town.events("soon") == ["issued"]
    assert Instant.parse(town.record("soon")["notBefore"]) >= begins
    assert HOUR / 2 - 0.01 < lasts(town, "soon") <= HOUR / 2  # from its issue, cut to milliseconds
    assert town.events("over") == town.events("next-year") == ["denied"]
    assert "was over when it was merged" in town.message("over", "denied")

    rows = {row["grant"]: row for row in acting.daypass(dave, "status", "--format", "json").json()}
    assert (rows["tonight"]["state"], rows["tonight"]["notBefore"]) == ("scheduled", ahead)
    assert "scheduled for" in acting.daypass(dave, "status").stdout
    metrics = acting.daypass(dave, "status", "--format", "openmetrics").stdout
    assert 'daypass_requests{state="scheduled"} 1\n' in metrics


def spec_of(town: Town, request_id: str) -> Any:
    text = town.store.git("show", f"main:access/requests/{request_id}.yaml")
    (line,) = [line for line in text.splitlines() if "notBefore:" in line]
    return line.partition(":")[2].strip(" '\"")


@pytest.mark.parametrize("hours", [-10, 10])
def test_the_clock_of_the_machine_that_runs_it_decides_nothing(town: Town, hours: int) -> None:
    """Threat 13, and more than ten minutes of it."""
    name = f"clock-{'fast' if hours > 0 else 'slow'}"
    asked = town.grant(name, by="dave", duration="5m", approvers=("carol",))
    with acting.job(town.box) as job:
        done = job.run(sys.executable, wrong_clock_run.__file__, str(hours * HOUR), "apply")
    assert done.code == 0, done.said
    assert town.events(name) == ["issued"]
    assert town.events("soon") == ["issued"], "it has half an hour"
    assert town.events("tonight") == [], "it has not begun"
    assert abs(Instant.parse(town.record(name)["notBefore"]).seconds - time.time()) < HOUR
    when = int(town.store.git("log", "-1", "--format=%ct", "main"))
    assert abs(when - time.time()) < HOUR
    assert town.credential(asked)


def test_what_has_not_changed_is_not_read_again(town: Town, tmp_path: Path) -> None:
    """A clone without contents, after a run: what was not asked for is not there."""
    waiting = "access/requests/tonight.yaml"
    clone = tmp_path / "clone"
    alice = acting.person_environment(town.box.person("alice"))
    url = f"{town.box.github.server_url}/{town.box.repository.full_name}"
    words = ("clone", "-q", "--no-checkout", "--filter=blob:none", url, str(clone))
    subprocess.run(["git", *words], check=True, env=alice)
    show = ["git", "show", "HEAD:access/daypass.yaml"]  # all that is read before the log-in
    subprocess.run(show, check=True, env=alice, cwd=clone, capture_output=True)
    with acting.job(town.box, "schedule") as job:
        done = acting.run((*acting.DAYPASS, "apply"), job.environment, directory=clone)
        assert done.code == 0, done.said
        listing = ("git", "rev-list", "--objects", "--missing=print", "HEAD")
        missing = set(acting.run(listing, job.environment, directory=clone).stdout.split())

    def was_read(path: str) -> bool:
        return f"?{town.store.git('rev-parse', f'main:{path}').strip()}" not in missing

    granted = {path for path in town.files("access/requests") if path.endswith(".yaml")} - {waiting}
    assert len(granted) >= 3
    assert not [path for path in granted if was_read(path)]
    # No accident: what a run does need it has fetched.
    assert was_read(waiting)
    assert all(was_read(path.replace("requests", "grants")[:-4] + "json") for path in granted)
