"""Controls: what in this repository shows that each holds, or that it does not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from daypass.report.answer import Answer, Column, Shape, Standing
from daypass.report.controls.control import Verdict
from daypass.report.controls.lives import rules_for
from daypass.report.controls.table import CONTROLS
from daypass.report.controls.tried import TRIED

if TYPE_CHECKING:
    from daypass.report.ground import Ground

_ORDER: Final = (Verdict.HOLDS, Verdict.UNUSED, Verdict.UNKNOWN, Verdict.FAILS)


def controls(ground: Ground) -> Answer:
    """Every control, with what was found. Needs evidence read with `check_inputs`."""
    rows = []
    found: Counter[Verdict] = Counter()
    for control in CONTROLS:
        verdict, shown = control.look(ground)
        found[verdict] += 1
        rows.append(
            (
                control.id,
                control.statement,
                control.frameworks,
                str(verdict),
                shown,
                tuple(rules_for(control.id)),
                "; ".join(_sentence(name) for name in TRIED.get(control.id, ())) or None,
            )
        )
    counts = ", ".join(f"{verdict}: {found[verdict]}" for verdict in _ORDER)
    return Answer(
        name="controls",
        title="Controls",
        question="Which controls does this repository show to hold, and by what?",
        standing=Standing.ATTENTION if found[Verdict.FAILS] else Standing.NOTED,
        summary=f"Of {len(CONTROLS)} controls: {counts}.",
        columns=(
            Column("control", "Control", Shape.NAME),
            Column("statement", "What is asked", Shape.TEXT),
            Column("frameworks", "Frameworks", Shape.TEXT),
            Column("verdict", "Verdict", Shape.STATE),
            Column("shown", "What shows it", Shape.TEXT),
            Column("rules", "Built-in rules", Shape.TEXT),
            Column("tests", "Tried by daypass's own tests", Shape.TEXT),
        ),
        rows=tuple(rows),
        note="“Holds” is said only of what something in this window put to the test. “Not "
        "exercised”: nothing in this window did. “Not assessable” lies outside this "
        "repository: in Vault, in GitHub, or in daypass's own tests. Those are named by what they "
        "try: `test_` and the words between underscores.",
    )


def _sentence(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ")
