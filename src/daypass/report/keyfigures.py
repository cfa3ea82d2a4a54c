"""Key figures: the few numbers that a manager wants first, each with the answer it comes from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.report.answer import NOT_RECORDED, Standing, counted, span
from daypass.report.questions.emergencies import review_state
from daypass.report.questions.timing import confirmed_after, merged_to_issued, statistics
from daypass.report.story import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from daypass.report.answer import Answer
    from daypass.report.ground import Ground

_VERDICTS: Final = {
    "holds": Standing.NONE,
    "not exercised": Standing.NONE,
    "not assessable": Standing.UNKNOWN,
    "does not hold": Standing.ATTENTION,
}


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """One number. `answer` is the name of the answer that tells the rest."""

    answer: str
    title: str
    value: str
    detail: str
    standing: Standing


def key_figures(ground: Ground, answers: tuple[Answer, ...]) -> tuple[KeyFigure, ...]:
    """The figures of the answers that are there, in a fixed order."""
    known = {answer.name: answer for answer in answers}
    if "controls" in known:
        return _of_controls(known["controls"])
    return tuple(make(ground) for name, make in _FIGURES.items() if name in known)


def _of_controls(answer: Answer) -> tuple[KeyFigure, ...]:
    place = next(at for at, column in enumerate(answer.columns) if column.key == "verdict")
    found = Counter(str(row[place]) for row in answer.rows)
    of = f"of {counted(len(answer.rows), 'control')}"
    return tuple(
        KeyFigure(
            answer.name,
            verdict.capitalize(),
            str(found[verdict]),
            of,
            standing if found[verdict] else Standing.NONE,
        )
        for verdict, standing in _VERDICTS.items()
    )


def _access_now(ground: Ground) -> KeyFigure:
    at = ground.window.at
    doubtful = sum(story.state_at(at) is not State.ACTIVE for story in ground.live)
    people = counted(len({story.subject for story in ground.live}), "identity", "identities")
    detail = f"{doubtful} not confirmed to be over" if doubtful else f"held by {people}"
    return KeyFigure(
        "access-now",
        "Access now",
        f"{len(ground.live):,}",
        detail,
        Standing.ATTENTION if doubtful else Standing.NONE,
    )


def _grants(ground: Ground) -> KeyFigure:
    subjects = counted(len({story.subject for story in ground.grants}), "identity", "identities")
    resources = counted(len({story.resource for story in ground.grants}), "resource")
    return KeyFigure(
        "grants",
        "Grants",
        f"{len(ground.grants):,}",
        f"{subjects}, {resources}",
        Standing.NONE,
    )


def _issue(ground: Ground) -> KeyFigure:
    found = statistics(merged_to_issued(story) for story in ground.grants)
    return KeyFigure(
        "durations",
        "Merge to access",
        span(found.p50) if found.measured else NOT_RECORDED,
        f"half of them; 95% within {span(found.p95)}" if found.measured else "nothing measured",
        Standing.NONE,
    )


def _endings(ground: Ground) -> KeyFigure:
    ended = [story for story in ground.grants if story.end is not None]
    found = statistics(confirmed_after(story) for story in ended)
    return KeyFigure(
        "endings",
        "Due to confirmed end",
        span(found.p50) if found.measured else NOT_RECORDED,
        f"half of them; at most {span(found.most)}" if found.measured else "nothing measured",
        Standing.NONE,
    )


def _independence(ground: Ground) -> KeyFigure:
    total = len(ground.grants)
    without = sum(not story.independent for story in ground.grants)
    return KeyFigure(
        "independence",
        "Independently approved",
        f"{(total - without) * 100 // total}%" if total else NOT_RECORDED,
        f"{without:,} without" if total else "no grant",
        Standing.ATTENTION if without else Standing.NONE,
    )


def _break_glass(ground: Ground) -> KeyFigure:
    used = [story for story in ground.grants if story.is_emergency]
    bad = sum(review_state(story, ground) not in ("reviewed", "due") for story in used)
    return KeyFigure(
        "break-glass",
        "Break-glass",
        f"{len(used):,}",
        f"{bad} without a sound review" if bad else "each reviewed or due" if used else "not used",
        Standing.ATTENTION if bad else Standing.NONE,
    )


def _denials(ground: Ground) -> KeyFigure:
    denied = sum(str(item.kind) == "denied" for item in ground.refusals)
    return KeyFigure(
        "denials",
        "Not granted",
        f"{len(ground.refusals):,}",
        f"{denied:,} denied" if denied else "none denied",
        Standing.NONE,
    )


def _gaps(ground: Ground) -> KeyFigure:
    faults = len(ground.verification.open_faults)
    return KeyFigure(
        "gaps",
        "Evidence",
        f"{ground.verification.events:,}",
        f"events; {counted(faults, 'open fault') if faults else 'no open fault'}",
        Standing.ATTENTION if faults else Standing.NONE,
    )


_FIGURES: Final[Mapping[str, Callable[[Ground], KeyFigure]]] = {
    "access-now": _access_now,
    "grants": _grants,
    "durations": _issue,
    "endings": _endings,
    "independence": _independence,
    "break-glass": _break_glass,
    "denials": _denials,
    "gaps": _gaps,
}
