"""What one request makes go wrong concerns that request, and nobody else's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from daypass.errors import ExitCode
from daypass.lifecycle.issuing import Issuing
from daypass.lifecycle.outcome import Outcome
from daypass.lifecycle.plan import Action, Step

CANARY = "hvs.canary"


class Stumbling:
    """A judge that has a bug."""

    def judge(self, action: Action) -> Any:
        raise KeyError(CANARY + action.grant_id)


def test_a_bug_in_judging_one_request_is_told_and_is_no_end_of_the_run() -> None:
    outcome = Outcome()
    nothing = cast("Any", SimpleNamespace())
    issuing = Issuing(nothing, nothing, outcome, nothing)
    verdict = issuing._verdict(cast("Any", Stumbling()), Action(Step.JUDGE, "bad-one"))
    assert verdict is None
    assert outcome.exit_code is ExitCode.PARTLY
    said = str(outcome.to_json())
    assert "bad-one" in said
    assert "KeyError" in said
    assert CANARY not in said
    assert "bug.bad-one" in outcome.causes
