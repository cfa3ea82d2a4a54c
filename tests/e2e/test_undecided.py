"""What GitHub does not tell yet is waited for: nothing is granted on it, and nothing refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from daypass.sandbox.organisation import request
from support import acting
from support.village import Village, emergency

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.sandbox.box import Box
    from support.acting import Done
    from support.town import Asked

FOREVER: Final = 10_000  # times that an answer is wrong
NOTE: Final = "daypass/data/daypass/notes/undecided"
EMPTY: Final = b"[]"
# Answers about one pull request, and what is said to be missing.
OF_ONE: Final = {
    "no-files": ("/pulls/{number}/files$", "changed while it was read"),
    "no-commits": ("/pulls/{number}/commits$", "changed while it was read"),
    "no-reviews": ("/pulls/{number}/reviews$", "no review of"),
    "no-events": ("/issues/{number}/events$", "does not hold its merge"),
    "no-pull": ("/commits/{commit}/pulls$", "by no pull request"),
}
# Answers that all requests rest on.
OF_ALL: Final = {
    "no-activity": ("/activity$", 404, None, "who pushed to its branch"),
    "late-activity": ("/activity$", 200, EMPTY, "does not reach back"),
    "no-account": ("/user/[0-9]+$", 404, None, "no key that a delivery"),
    "no-keys": ("/users/alice/keys$", 200, EMPTY, "no key that a delivery"),
    "no-team": ("/members$", 404, None, "who can approve cannot be had"),
    "empty-team": ("/members$", 200, EMPTY, "who can approve cannot be had"),
}


@pytest.fixture(scope="module")
def town(box: Box) -> Iterator[Village]:
    yield Village(box)
    box.github.heal()


@pytest.fixture(autouse=True)
def healed(town: Village) -> Iterator[None]:
    yield
    town.box.github.heal()


def waiting(done: Done) -> dict[str, str]:
    """What waits, by grant: in words."""
    return {
        line["grant"]: line["text"] for line in done.json()["done"] if line["what"] == "waiting"
    }


def rows(town: Village) -> dict[str, list[Any]]:
    note = town.box.bao.client.read(NOTE)
    found: dict[str, list[Any]] = json.loads(note["data"]["data"]["requests"]) if note else {}
    return found


def told(town: Village, asked: Asked) -> str:
    (body,) = town.comments(asked, "undecided")
    return body


def test_what_is_missing_of_one_request_holds_up_no_other_and_is_granted_when_it_is_there(
    town: Village,
) -> None:
    found = {name: town.grant(name, duration="1h") for name in OF_ONE}
    commits = {
        name: town.box.repository.pulls[asked.number].merge_commit_sha
        for name, asked in found.items()
    }
    for name, (path, _) in OF_ONE.items():
        where = path.format(number=found[name].number, commit=commits[name])
        town.box.github.fail_next("GET", where, 200, times=FOREVER, body=EMPTY)
    town.grant("healthy", duration="1h")
    for look in range(2):
        done = town.apply()
        assert town.events("healthy") == ["issued"]
        assert {
            name: OF_ONE[name][1] in text for name, text in waiting(done).items()
        } == dict.fromkeys(OF_ONE, True)
        assert [town.events(name) for name in found] == [[]] * len(OF_ONE)
        # Nothing that came by no pull request is quiet, not even for a while.
        assert done.code == 5
        assert ["no-pull is not proven yet" in alarm for alarm in done.json()["alarms"]] == [True]
        shown = [name for name in OF_ONE if name != "no-pull"]
        assert all(OF_ONE[name][1] in told(town, found[name]).replace("\\", "") for name in shown)
        assert all(row[0] == rows(town)["no-files"][0] for row in rows(town).values()) or look
    with acting.job(town.box) as job:
        planned = {
            item["grant"]: item
            for item in job.daypass("plan", "--format", "json").json()["actions"]
        }
    assert [planned[name]["becomes"] for name in found] == ["waiting"] * len(OF_ONE)
    assert "Each run asks again until" in planned["no-reviews"]["why"][0]

    town.box.github.heal()
    done = town.apply("schedule")
    assert done.code == 0, done.said
    assert [town.events(name) for name in found] == [["issued"]] * len(OF_ONE)
    assert all("No longer waiting" in told(town, found[name]) for name in shown)
    assert rows(town) == {}
    title = "daypass: look at not-proven-yet no-pull"
    issues = town.box.repository.issues.values()
    assert [item.state for item in issues if item.title == title] == ["closed"]


def test_whatever_is_missing_one_time_runs_and_only_an_answer_grants(town: Village) -> None:
    """Answers that take turns to be missing: none of them is refused at its first look."""
    asked = town.grant("flapping", duration="1h")
    for path, status, body, why in OF_ALL.values():
        town.box.github.fail_next("GET", path, status, times=FOREVER, body=body)
        done = town.apply()
        town.box.github.heal()
        assert why in waiting(done)["flapping"], done.said
        since = rows(town)["flapping"][0]
    assert since == rows(town)["flapping"][0]
    assert town.events("flapping") == []
    town.age_undecided()
    assert town.apply().code == 0
    assert town.events("flapping") == ["issued"]
    assert "No longer waiting" in told(town, asked)


def test_what_stays_missing_is_refused_after_the_grace_and_says_so(town: Village) -> None:
    """A run once an hour: the first one notes, the second one refuses."""
    asked = town.grant("stays", duration="1h")
    path = f"/pulls/{asked.number}/files$"
    town.box.github.fail_next("GET", path, 200, times=FOREVER, body=EMPTY)
    assert town.apply().code == 0
    assert town.events("stays") == []
    town.age_undecided(seconds=3600)
    done = town.apply()
    assert done.code == 5
    assert town.events("stays") == ["denied"]
    assert "access/requests/stays.yaml" not in town.files()
    assert any("stays is not proven" in alarm for alarm in done.json()["alarms"])
    (body,) = town.comments(asked, "refused")
    for words in ("changed while it was read", "when a run first met it, until", "id is spent"):
        assert words in body.replace("\\", "")
    assert "stayed missing" in told(town, asked)
    assert "changed while it was read" in town.message("stays", "denied")
    town.box.github.heal()
    town.grant("after", duration="1h")
    assert town.apply().code == 0  # what was refused stays refused, and nothing is left of it
    assert town.events("stays") == ["denied"]
    assert rows(town) == {}


def test_what_a_whole_answer_denies_is_denied_at_once(town: Village) -> None:
    """Whoever approves: so a missing review makes no difference."""
    town.grant("no-ticket-either", by="bob", resource="ledger-db", approvers=())
    assert waiting(town.apply()) == {}
    assert town.events("no-ticket-either") == ["denied"]


def test_what_only_lacks_approvals_waits_whatever_the_lists_hold(town: Village) -> None:
    """A replica that lags tells the reviews, or a team, of a moment before."""
    asked = town.ask("approved-late", duration="1h")
    reviews = f"/repos/{town.box.repository.full_name}/pulls/{asked.number}/reviews"
    town.box.person("dave").api("POST", reviews, {"event": "COMMENT", "body": "Looks fine"})
    before = json.dumps(asked.who.api("GET", reviews)).encode()
    town.merge(asked)
    joined = town.grant("joined-late", duration="1h")
    (carol,) = [item for item in town.box.accounts.values() if item.login == "carol"]
    members = json.dumps([{"id": carol.id, "login": "carol", "type": "User"}]).encode()
    not_asked = town.grant("not-asked", duration="1h", approvers=("mallory",))
    where = f"/pulls/{asked.number}/reviews$"
    town.box.github.fail_next("GET", where, 200, times=FOREVER, body=before)
    dba = town.box.github.teams["dba"].id
    town.box.github.fail_next("GET", f"/team/{dba}/members", 200, times=FOREVER, body=members)
    assert waiting(town.apply()).keys() == {asked.id, joined.id, not_asked.id}
    said = told(town, asked).replace("\\", "")
    for words in ("needs 1 approval from dba", "1 review of #", "none counts", "never counts"):
        assert words in said
    assert "in no group that is asked to approve" in told(town, not_asked).replace("\\", "")
    town.box.github.heal()
    town.age_undecided()
    assert town.apply().code == 0
    assert town.events(asked.id) == town.events(joined.id) == ["issued"]
    assert town.events(not_asked.id) == ["denied"]
    assert "1 approval from dba" in town.message(not_asked.id, "denied")


def test_what_github_answers_wrongly_about_one_request_waits_and_an_outage_waits_on(
    town: Village,
) -> None:
    odd = town.grant("odd-answer", duration="1h")
    out = town.grant("outage", duration="1h")
    town.box.github.fail_next("GET", f"/pulls/{odd.number}/reviews$", 404, times=FOREVER)
    town.box.github.fail_next("GET", f"/pulls/{out.number}/reviews$", 500, times=FOREVER)
    done = town.apply()
    assert done.code == 5
    assert waiting(done).keys() == {odd.id, out.id}
    assert {item["grant"] for item in done.json()["failed"]} == {odd.id, out.id}
    town.age_undecided()
    done = town.apply()
    assert town.events(odd.id) == ["denied"]
    assert "GitHub answered 404" in town.message(odd.id, "denied")
    assert waiting(done).keys() == {out.id}
    town.age_undecided(seconds=86_400)
    town.apply()
    assert town.events(out.id) == ["lapsed"]


def test_what_is_taken_back_while_it_waits_waits_no_more(town: Village) -> None:
    asked = town.grant("taken-back", duration="1h", approvers=())
    assert "taken-back" in waiting(town.apply())
    town.delete("taken-back")
    assert town.apply().code == 0
    assert town.events("taken-back") == []
    assert "No longer waiting" in told(town, asked)
    assert rows(town) == {}


def test_an_open_emergency_waits_and_is_merged_when_the_answer_is_there(town: Village) -> None:
    taken = town.propose("young", by="carol")
    town.box.github.fail_next("GET", "/members$", 404, times=FOREVER)
    done = town.apply()
    assert "young" in waiting(done), done.said
    assert town.is_open(taken)
    assert "Not decided yet" in town.said(taken)
    town.box.github.heal()
    assert town.apply().code == 0
    assert town.events("young") == ["issued"]


def test_an_open_emergency_that_is_closed_waits_no_more(town: Village) -> None:
    taken = town.propose("closed-young", by="carol")
    town.box.github.fail_next("GET", "/members$", 404, times=FOREVER)
    assert "closed-young" in waiting(town.apply())
    town.box.github.heal()
    taken.who.close(taken.number)
    assert town.apply().code == 0
    assert "No longer waiting" in town.said(taken)
    assert rows(town) == {}


def test_an_open_emergency_is_refused_only_when_that_stays_so(town: Village) -> None:
    taken = town.propose("old", by="carol")
    town.box.github.fail_next("GET", "/members$", 404, times=FOREVER)
    assert town.apply().code == 0
    assert town.is_open(taken)
    town.age_undecided()
    assert town.apply().code == 0
    assert town.events("old") == ["denied"]
    assert not town.is_open(taken)
    assert not town.is_merged(taken)


def test_an_emergency_whose_pusher_is_not_told_is_turned_away_only_when_that_stays_so(
    town: Village,
) -> None:
    taken = town.propose("ghost")
    where = f"/repos/{town.box.repository.full_name}/activity?ref=refs/heads/break-glass/ghost"
    pushes = [{**item, "actor": None} for item in taken.who.api("GET", where)]
    town.box.github.fail_next(
        "GET", "/activity$", 200, times=FOREVER, body=json.dumps(pushes).encode()
    )
    assert "account is gone pushed to it" in waiting(town.apply())["ghost"]
    assert town.is_open(taken)
    town.age_undecided()
    town.apply()
    assert not town.is_open(taken)
    assert not town.is_merged(taken)
    assert town.events("ghost") == []


def test_what_somebody_pushed_straight_alarms_at_once_and_is_refused_later(town: Village) -> None:
    town.push_straight(emergency("pushed-emergency"))
    done = town.apply()
    assert done.code == 5
    assert "not proven yet" in done.said
    assert town.live_tokens("pushed-emergency") == []
    town.age_undecided()
    done = town.apply()
    assert done.code == 5
    assert town.events("pushed-emergency") == ["denied"]
    assert "Daypass-Reason: unproven" in town.message("pushed-emergency", "denied")


def test_what_was_pushed_straight_and_taken_back_stays_in_the_evidence(town: Village) -> None:
    """Neither other bytes nor taking it back restart the time, or close the alarm."""
    town.push_straight(request("sneaked", subject="bob", duration="1h"))
    town.push_straight(request("rewritten", subject="bob", duration="1h"))
    assert town.apply().code == 5
    town.push_straight({"access/requests/sneaked.yaml": None})
    town.push_straight(request("rewritten", subject="bob", duration="2h"))
    town.age_undecided()
    done = town.apply()
    assert done.code == 5
    assert town.events("sneaked") == town.events("rewritten") == ["denied"]
    message = town.message("sneaked", "denied")
    assert "Daypass-Reason: unproven" in message
    assert "was taken away by" in message
    assert town.apply("schedule").code == 0
    issues = [item for item in town.box.repository.issues.values() if "sneaked" in item.title]
    assert [(item.state, item.title) for item in issues if item.state == "open"] == [
        ("open", "daypass: look at unproven sneaked")
    ]
    assert rows(town) == {}
    town.push_straight({"access/requests/no-kind.yaml": b"apiVersion: x\n"})
    done = town.apply()
    assert town.events("no-kind") == ["denied"]
    assert any("no-kind is not proven" in alarm for alarm in done.json()["alarms"])
