"""The heading of every report: what it was made from, so that it can be made again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.ledger.verify import Verdict
from daypass.report.answer import counted

if TYPE_CHECKING:
    from daypass.report.answer import Answer
    from daypass.report.ground import Ground

_VERDICTS: Final = {
    Verdict.HOLDS: "holds: every event is signed, in its place, and by a key that was named from "
    "outside",
    Verdict.SELF_ATTESTED: "self-attested: no fault, and nothing from outside the repository "
    "vouches for the key",
    Verdict.BROKEN: "broken: the evidence does not hold",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the heading."""

    key: str
    title: str
    value: str


@dataclass(frozen=True, slots=True)
class Report:
    """The heading and the answers: what every format writes."""

    title: str
    ground: Ground
    heading: tuple[Line, ...]
    answers: tuple[Answer, ...]


def make_report(ground: Ground, title: str, answers: tuple[Answer, ...]) -> Report:
    """A report of these answers."""
    return Report(title, ground, heading(ground), answers)


def heading(ground: Ground) -> tuple[Line, ...]:
    """Repository, head, window, policy digest, verdict and version, in this order."""
    evidence, window, found = ground.evidence, ground.window, ground.verification
    since = str(window.since) if window.since else f"{evidence.first_at} (the beginning)"
    lines = [
        Line("repository", "Repository", ground.repository),
        Line("head", "Evidence head", f"{evidence.head}"),
        Line("headTime", "Head committed", str(evidence.head_at)),
        Line("since", "Window from", since),
        Line("until", "Window to", str(window.until)),
        Line("at", "“Now” is", str(window.at)),
        Line(
            "policy",
            "Policies",
            ground.catalogue.policy_digest
            if ground.catalogue
            else f"cannot be told: {ground.catalogue_problem}",
        ),
        Line("verify", "Verification", _VERDICTS[found.verdict]),
        Line("signers", "Signed by", ", ".join(found.signers) or "nobody"),
        Line(
            "events",
            "Evidence",
            f"{counted(found.events, 'event')} in {counted(found.commits, 'commit')}",
        ),
        Line("daypass", "Made by", f"daypass {ground.version}"),
    ]
    if found.anchor is not None:
        lines.insert(8, Line("anchor", "Anchored at", found.anchor))
    if found.open_faults:
        lines.insert(8, Line("faults", "Open faults", str(len(found.open_faults))))
    return tuple(lines)
