"""Writing the ids of teams into access/daypass.yaml, and nothing else of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.documents import strict_yaml
from daypass.documents.document import read_document
from daypass.errors import DocumentError
from daypass.model.names import SETTINGS_PATH

if TYPE_CHECKING:
    from collections.abc import Mapping


def with_team_ids(data: bytes, ids: Mapping[str, int]) -> bytes:
    """The settings with these ids under `spec.teams`; every other line stays as it is.

    Args:
        data: the bytes of access/daypass.yaml, a sound document.
        ids: slug → id, of teams that have none yet; may be empty where there is no `teams` yet.

    Raises:
        DocumentError: the document is not sound, or is laid out so that a line cannot be added.
    """
    parsed = strict_yaml.load(data, SETTINGS_PATH)
    there = parsed.value["spec"].get("teams")
    at = ("spec", "teams") if there is not None else ("spec", "foundation")
    line, column = parsed.position(at, key=True)
    indent = " " * (column - 1)
    step = indent or "  "
    rows = [f"{indent}{step[:2]}{slug}: {ids[slug]}\n" for slug in sorted(ids)]
    lines = data.decode().splitlines(keepends=True)
    if there:
        first, inner = parsed.position((*at, next(iter(there))), key=True)
        rows = [f"{' ' * (inner - 1)}{slug}: {ids[slug]}\n" for slug in sorted(ids)]
        lines[first - 1 : first - 1] = rows
    else:
        written_anew = 1 if there is not None else 0  # `teams: {}` is a whole line
        block = [f"{indent}teams:\n", *rows] if rows else [f"{indent}teams: {{}}\n"]
        lines[line - 1 : line - 1 + written_anew] = block
    made = "".join(lines).encode()
    _demand_only_that(data, made, {**(there or {}), **ids})
    return made


def _demand_only_that(before: bytes, after: bytes, teams: Mapping[str, int]) -> None:
    wanted = dict(strict_yaml.load(before, SETTINGS_PATH).value)
    wanted["spec"] = {**wanted["spec"], "teams": dict(teams)}
    try:
        made = read_document(SETTINGS_PATH, after).value
    except DocumentError:
        made = None
    if made != wanted:
        pairs = ", ".join(f"{slug}: {number}" for slug, number in sorted(teams.items()))
        raise DocumentError(
            f"the ids cannot be added to {SETTINGS_PATH} line by line: its layout is not one of "
            "block style",
            remedy=f"Write `teams: {{{pairs}}}` under `spec` yourself.",
        )
