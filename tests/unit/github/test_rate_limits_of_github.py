"""GitHub's rate limits: seconds are waited for, minutes are the next run's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import github_answers as answers
import pytest
from github_answers import API, REPO, SETTINGS

from daypass.adapters import rate_limit
from daypass.adapters.github.asking import Asker
from daypass.adapters.github.failure import seconds_of_limit
from daypass.errors import ForgeRefusedError, ForgeUnavailableError
from daypass.model.secret import Secret

if TYPE_CHECKING:
    import responses

COMMENTS = f"{REPO}/issues/3/comments"
DATE = "Tue, 01 Dec 2026 05:00:00 GMT"
NOW = 1796101200
SECONDARY: dict[str, Any] = {"json": {"message": "You have exceeded a secondary rate limit"}}


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(rate_limit.time, "sleep", found.append)
    return found


def used_up(seconds: int) -> dict[str, Any]:
    """The primary limit: nothing is left for so long, by GitHub's clock."""
    reset = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(NOW + seconds)}
    return {"status": 403, "headers": {**reset, "Date": DATE}}


def say(github: responses.RequestsMock) -> None:
    made = {
        "id": 1,
        "html_url": "https://github.test/c/1",
        "user": answers.user(11),
        "body": "hello",
        "created_at": answers.OPENED,
        "updated_at": answers.OPENED,
    }
    github.post(COMMENTS, status=201, json=made)
    with Asker(SETTINGS, Secret("token")) as asker:
        assert asker.comment(3, "hello").body == "hello"


@pytest.mark.parametrize(
    "limit",
    [
        {"status": 403, "headers": {"Retry-After": "2"}},
        {"status": 429, "headers": {"Retry-After": "2"}},
        {"status": 403, "headers": {"Retry-After": "2"}, **SECONDARY},
        used_up(2),
    ],
)
def test_seconds_are_waited_for_and_the_write_is_made_once(
    github: responses.RequestsMock, slept: list[float], limit: dict[str, Any]
) -> None:
    github.post(COMMENTS, **limit)
    say(github)
    assert len(slept) == 1
    assert 2.0 <= slept[0] <= 2.25
    assert len(github.calls) == 2


@pytest.mark.parametrize(
    "limit",
    [
        {"status": 403, "headers": {"Retry-After": "60"}},
        {"status": 429},
        {"status": 403, **SECONDARY},
        {"status": 403, "headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9"}},
        used_up(1800),
    ],
)
def test_minutes_are_not(
    github: responses.RequestsMock, slept: list[float], limit: dict[str, Any]
) -> None:
    github.post(COMMENTS, **limit)
    with pytest.raises(ForgeUnavailableError, match="limits the rate"):
        say(github)
    assert slept == []
    assert len(github.calls) == 1


@pytest.mark.parametrize("status", [500, 502, 403])
def test_what_may_have_been_done_and_what_is_refused_is_not_sent_again(
    github: responses.RequestsMock, slept: list[float], status: int
) -> None:
    github.post(COMMENTS, status=status, json={"message": "no"})
    with pytest.raises((ForgeUnavailableError, ForgeRefusedError)):
        say(github)
    assert slept == []
    assert len(github.calls) == 1


def test_other_answers_are_no_limit() -> None:
    assert seconds_of_limit(200, {"retry-after": "2"}, "") is None
    assert seconds_of_limit(403, {}, '{"message": "Resource not accessible"}') is None
    assert seconds_of_limit(404, {"x-ratelimit-remaining": "0"}, "") is None


def test_a_read_goes_on_after_it(github: responses.RequestsMock, slept: list[float]) -> None:
    github.get(f"{API}/user", status=429, headers={"Retry-After": "1"})
    github.get(f"{API}/user", json=answers.user(11, "alice"))
    with Asker(SETTINGS, Secret("token")) as asker:
        account = asker.myself()
    assert account is not None
    assert account.login == "alice"
    assert len(slept) == 1
