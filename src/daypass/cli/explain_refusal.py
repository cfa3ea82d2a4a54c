"""What `daypass explain ID` says beside a decision: a refusal without one, and what came after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from daypass.cli import known_names, output
from daypass.errors import ExitCode, UsageError
from daypass.ledger.counting_signers import counting_signers
from daypass.ledger.history import find_events
from daypass.model.event import OF_PULL_REQUEST
from daypass.model.instant import Instant
from daypass.report.replay import refusal_of, unsigned

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.adapters.git import GitRepository

REMEDY: Final = (
    "Give the id of a request that was decided, or the name of a rule as `validate` and `plan` "
    "print it. This clone may be older than the decision: `git pull`. A pull request that was "
    "turned away says itself why. What merging a request would do, `daypass plan` says."
)


@dataclass(frozen=True, slots=True)
class Since:
    """The newest event of a grant, where something happened after its decision."""

    grant_id: str
    event: str
    at: str
    reason: str | None

    @property
    def text(self) -> str:
        """For people."""
        why = f", {self.reason}" if self.reason else ""
        return f"{self.event} at {self.at}{why}: `daypass audit show {self.grant_id}`"

    def to_json(self) -> dict[str, Any]:
        """For programs: event, time in RFC 3339, and the code of `Daypass-Reason` or null."""
        return {"event": self.event, "at": self.at, "reason": self.reason}


def since(repository: GitRepository, head: str, grant_id: str, decided_in: str) -> Since | None:
    """What came after the decision that commit records; None where nothing did."""
    signers = counting_signers(repository, head)
    events = find_events(repository.walk(head), signers, [grant_id])[grant_id] if signers else []
    newest = next((item for item in events if item.event.kind not in OF_PULL_REQUEST), None)
    if newest is None or newest.commit == decided_in:
        return None
    event = newest.event
    when = event.first("Daypass-Ended-At") or str(Instant.from_seconds(newest.recorded_at))
    return Since(grant_id, str(event.kind), when, event.first("Daypass-Reason"))


def explain_refusal(
    repository: GitRepository, head: str, what: str, form: str, rules: Iterable[str]
) -> ExitCode:
    """Say why that id was refused without a decision: closed, lapsed, or not what it had to be.

    Raises:
        UsageError: nothing of it is recorded.
    """
    refusal = refusal_of(repository, head, what)
    if refusal is None:
        raise _unknown(repository, head, what, rules)
    reason = refusal.event.first("Daypass-Reason")
    notes = unsigned(refusal.commit, signed=refusal.signed)
    notes += [refusal.fault] if refusal.fault is not None else []
    if form == "json":
        output.say_json(
            {
                "id": what,
                "recordedAt": refusal.commit,
                "event": str(refusal.event.kind),
                "reason": reason,
                "why": list(refusal.why),
                "decision": None,
                "differences": notes,
            }
        )
    else:
        first = refusal.event.first
        asked = f"{first('Daypass-Access')} on {first('Daypass-Resource')}"
        about = f": {asked} for {first('Daypass-Subject')}" if first("Daypass-Subject") else ""
        output.say(f"{output.styled(what, 'bold')}{about}")
        kind = output.styled(str(refusal.event.kind), "yellow")
        stage = "before any decision" if refusal.fault is None else "by a decision"
        output.say(f"{kind} ({reason}), {stage}; recorded in {refusal.commit[:12]}")
        for line in refusal.why:
            output.say_wrapped(f"  {output.printable(line)}", "    ")
        for line in notes:
            output.say(output.styled("  differs  ", "red") + output.printable(line))
    return ExitCode.EVIDENCE if notes else ExitCode.DONE


def _unknown(repository: GitRepository, head: str, what: str, rules: Iterable[str]) -> UsageError:
    if known_names.is_asked(repository, head, what):
        return UsageError(
            f"no decision on {what} is recorded at {head[:12]} yet",
            remedy="`daypass plan` says what it would be. If access-apply has run since, `git "
            "pull` brings it.",
        )
    return known_names.unknown_id(
        repository,
        head,
        what,
        f"{what} is no rule, and no decision on it is recorded at HEAD",
        remedy=REMEDY,
        others=rules,
    )
