"""What a measure says: a figure, what it is held against, and whether the goal was met."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `met` is None for a figure that has no goal of its own."""

    what: str
    measured: str
    beside: str = ""  # the peer or the floor of the same run
    ratio: str = ""
    goal: str = ""
    met: bool | None = None

    @property
    def verdict(self) -> str:
        return "" if self.met is None else "PASS" if self.met else "miss"

    def to_json(self, command: str) -> dict[str, Any]:
        return asdict(self) | {"command": command}


def show(figures: Iterable[Figure]) -> None:
    """Print figures as they come, one a line."""
    for figure in figures:
        parts = [f"{figure.what}: {figure.measured}"]
        parts += [f"beside {figure.beside}"] if figure.beside else []
        parts += [f"ratio {figure.ratio}"] if figure.ratio else []
        parts += [f"goal {figure.goal}: {figure.verdict}"] if figure.goal else []
        print("; ".join(parts), flush=True)


def quantile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least that share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def table(rows: Iterable[tuple[str, Figure]]) -> str:
    """A table in Markdown, each line with the command that made it."""
    lines = ["| what | measured | beside | ratio | goal | |", "|---|---|---|---|---|---|"]
    said = ""
    for command, figure in rows:
        made = "" if command == said else f" (`{command}`)"
        said = command
        cells = (
            figure.what + made,
            figure.measured,
            figure.beside,
            figure.ratio,
            figure.goal,
            figure.verdict,
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
