"""`daypass teams`: the GitHub teams that documents name, held against GitHub; pins their ids."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from daypass.adapters.worktree import WorkTree
from daypass.cli import output, wiring
from daypass.cli.at_root import entries_at_root
from daypass.documents.pinning_teams import with_team_ids
from daypass.documents.repository import load_catalogue
from daypass.errors import ExitCode
from daypass.lifecycle.teams import look_at_teams
from daypass.model.names import SETTINGS_PATH

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from daypass.lifecycle.teams import TeamState
    from daypass.model.catalogue import Catalogue


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument(
        "--write",
        action="store_true",
        help=f"write the ids that are missing into {SETTINGS_PATH}; without it they are shown",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Ask GitHub about each team. Exit 3 if one is not as the settings pin it."""
    tree = WorkTree.open(arguments.directory)
    entries = entries_at_root(tree)
    catalogue = load_catalogue(entries, tree.contents(entries))
    with wiring.person(catalogue.settings) as forge:
        states = look_at_teams(forge, catalogue)
    place = tree.root / SETTINGS_PATH
    before = place.read_bytes()
    after = _pinned(before, states, catalogue)
    if arguments.write and after != before:
        place.write_bytes(after)
    written = after == before or arguments.write
    left = [item for item in states if item.wrong and not (written and item.can_be_pinned)]
    if arguments.format == "json":
        output.say_json([_as_json(item) for item in states])
    else:
        _show(states, before, after, written=arguments.write)
    return ExitCode.DONE if written and not left else ExitCode.DOCUMENT


def _pinned(data: bytes, states: Sequence[TeamState], catalogue: Catalogue) -> bytes:
    """The settings with all ids that GitHub told and that they lack."""
    ids = {item.slug: item.team.id for item in states if item.pinned is None and item.team}
    if not ids and (catalogue.settings.teams is not None or not states):
        return data
    if len(ids) < sum(item.pinned is None for item in states):
        return data  # a team that GitHub does not show would count nobody from then on
    return with_team_ids(data, ids)


def _show(states: Sequence[TeamState], before: bytes, after: bytes, *, written: bool) -> None:
    for item in states:
        if not item.wrong:
            output.say(f"{output.styled('pinned  ', 'green')} {item.slug}: {item.pinned}")
            continue
        output.say(f"{output.styled('look    ', 'yellow')} {output.printable(item.wrong)}")
        if not (item.can_be_pinned and written):
            output.say(f"         {output.printable(item.remedy)}")
    if not states:
        output.say("no document names a team")
    if after == before:
        return
    output.say()
    for line in difflib.unified_diff(
        before.decode().splitlines(),
        after.decode().splitlines(),
        f"a/{SETTINGS_PATH}",
        f"b/{SETTINGS_PATH}",
        lineterm="",
    ):
        output.say(output.printable(line))
    output.say()
    output.say(
        f"Written. Bring {SETTINGS_PATH} to main by a pull request that its owners approve; from "
        "then on teams count by their ids alone."
        if written
        else "Nothing was written: `daypass teams --write` writes it."
    )


def _as_json(item: TeamState) -> dict[str, object]:
    return {
        "slug": item.slug,
        "pinned": item.pinned,
        "id": item.team.id if item.team is not None else None,
        "slugToday": item.team.slug if item.team is not None else None,
        "slugTakenBy": item.holder.id if item.holder is not None else None,
        "wrong": item.wrong or None,
        "remedy": item.remedy or None,
    }
