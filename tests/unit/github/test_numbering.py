"""What a number is of, as GitHub shows it to a person, or to anybody on the internet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from github_answers import REPO, SETTINGS

from daypass.adapters.github.numbering import Numbered, look_up_number
from daypass.errors import ForgeRefusedError
from daypass.model.secret import Secret

if TYPE_CHECKING:
    import responses

NONE = {"status": 404, "json": {"message": "Not Found"}}


@pytest.mark.parametrize("token", [Secret("token"), None], ids=["a person", "anybody"])
@pytest.mark.parametrize(
    ("pull", "comments", "found"),
    [
        ({"json": {"number": 3}}, NONE, Numbered.PULL_REQUEST),
        (NONE, {"json": []}, Numbered.ISSUE),
        (NONE, NONE, Numbered.NOTHING),
    ],
)
def test_a_number_is_of_what_github_shows_by_it(
    github: responses.RequestsMock,
    pull: dict[str, object],
    comments: dict[str, object],
    found: Numbered,
    token: Secret | None,
) -> None:
    github.get(f"{REPO}/pulls/3", **pull)
    github.get(f"{REPO}/issues/3/comments", **comments)
    github.get(REPO, json={})
    assert look_up_number(SETTINGS, token, 3) is found
    sent = {call.request.headers.get("Authorization") for call in github.calls}
    assert sent == {"token token" if token is not None else None}


def test_a_repository_that_is_not_shown_is_refused(github: responses.RequestsMock) -> None:
    for path in (f"{REPO}/pulls/3", f"{REPO}/issues/3/comments", REPO):
        github.get(path, **NONE)
    with pytest.raises(ForgeRefusedError, match="404") as caught:
        look_up_number(SETTINGS, None, 3)
    assert "There is no GitHub token" in caught.value.remedy
