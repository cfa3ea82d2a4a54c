"""`daypass plan`: what apply would do now, or what merging a pull request would do, and why."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from daypass.adapters.clock import machine_now
from daypass.cli import output, policydiff, proposing, step_summary, wiring
from daypass.cli.numbers import at_least_zero, no_pull_request, positive
from daypass.cli.plan_preview import show_preview
from daypass.documents.repository import catalogue_of
from daypass.errors import DaypassError, ExitCode, ForgeRefusedError, UsageError
from daypass.lifecycle.context import Answers
from daypass.lifecycle.drift import find_strangers
from daypass.lifecycle.foundation_forecast import forecast_documents
from daypass.lifecycle.inquiry import Inquiry
from daypass.lifecycle.observe import observe
from daypass.lifecycle.open_plans import OpenPlans, preview_of
from daypass.lifecycle.preview import (
    Merge,
    Preview,
    preview_trees,
    unknown_groups,
    used_in_history,
)
from daypass.lifecycle.prospect import prospects
from daypass.lifecycle.reviewing import overdue_text
from daypass.lifecycle.teams import team_lines
from daypass.lifecycle.whole_plan import whole_plan

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from pathlib import Path

    from daypass.adapters.git.repository import GitRepository
    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.drift import Orphan
    from daypass.lifecycle.offline import OfflineUse
    from daypass.lifecycle.plan import Action
    from daypass.lifecycle.ports import Forge
    from daypass.lifecycle.prospect import Prospect
    from daypass.model.catalogue import Catalogue
    from daypass.model.settings import Settings

_SMALL_PACK: Final = 65536  # bytes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--base",
        metavar="REV",
        help="what merging HEAD into REV would do; asks neither GitHub nor Vault (git fetches "
        "what a partial clone lacks)",
    )
    which.add_argument(
        "--pr",
        metavar="N",
        type=positive,
        help="what merging this pull request would do, and who has "
        "approved it (reads GitHub with GH_TOKEN, GITHUB_TOKEN or `gh`)",
    )
    which.add_argument(
        "--open",
        action="store_true",
        help="the same of every open pull request that asks for access, as the bot",
    )
    which.add_argument(
        "--policy-diff",
        metavar="REV",
        help="which live grants, and which decisions of the past, would come out otherwise under "
        "HEAD's policies, exceptions, resources, identities and settings than under those of REV, "
        "and what the changes may widen",
    )
    parser.add_argument(
        "--last",
        metavar="N",
        type=at_least_zero,
        default=100,
        help="with --policy-diff: how many decisions of the past to look at (default: 100)",
    )
    parser.add_argument(
        "--comment",
        action="store_true",
        help="with --open: put each plan on its pull request, in one comment that is kept current",
    )
    output.add_format(parser)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Show a plan. Nothing is granted or ended, whatever it says."""
    if arguments.comment and not arguments.open:
        raise UsageError(
            "--comment goes with --open", remedy="Use `daypass plan --open --comment`."
        )
    directory = wiring.directory_of(arguments.directory)
    if arguments.base is not None:
        settings = wiring.head_settings(directory)
        with wiring.person_repository(directory, settings) as repository:
            return show_preview(_of_trees(repository, arguments.base), arguments.format)
    if arguments.policy_diff is not None:
        settings = wiring.head_settings(directory)
        with wiring.person_repository(directory, settings) as repository:
            return policydiff.run(
                repository,
                arguments.policy_diff,
                arguments.last,
                arguments.format,
                step_summary.append,
            )
    if arguments.pr is not None:
        settings = wiring.read_settings(directory)
        with (
            wiring.person(settings) as forge,
            wiring.person_repository(directory, settings) as repository,
        ):
            try:
                preview = _of_pull_request(repository, forge, arguments.pr)
            except ForgeRefusedError:
                missing = no_pull_request(settings.github, arguments.pr)
                if missing is not None:
                    raise missing from None
                raise
            return show_preview(preview, arguments.format)
    with wiring.bot(directory) as (ports, settings):
        if arguments.open:
            can_write = partial(_can_write, directory)
            inquiry, now = Inquiry(ports.context), machine_now()
            return _open(OpenPlans(ports, inquiry, now, arguments.comment, can_write))
        return _show_work(_work(ports, settings), arguments.format)


@dataclass(frozen=True, slots=True)
class _Work:
    """What apply would do now, and what it would tell people to look at."""

    actions: tuple[Action, ...]
    orphans: tuple[Orphan, ...]
    offline: tuple[OfflineUse, ...]  # taken of Vault itself, and to be written down
    looks: tuple[str, ...]
    prospects: Mapping[str, Prospect]

    def why(self, action: Action) -> tuple[str, ...]:
        """Why, a line each."""
        found = self.prospects.get(action.grant_id)
        return found.why if found else action.judged.why if action.judged else ()

    def becomes(self, action: Action) -> str | None:
        """What would become of a request that is to be decided."""
        found = self.prospects.get(action.grant_id)
        return found.becomes if found else None


def _work(ports: Ports, settings: Settings) -> _Work:
    answers = Answers(ports.forge, Inquiry(ports.context))
    seen = observe(ports, answers, remember=False)
    whole = whole_plan(ports, seen, answers, only=None, remember=False)
    found = find_strangers(ports, seen, settings.github.repository_id)
    return _Work(
        whole.plan.actions,
        found.orphans,
        found.offline,
        (
            *seen.world.frozen,
            *map(_awaited, seen.waits.items()),
            *whole.doubts.values(),
            *map(overdue_text, seen.world.overdue),
            *_teams(ports.forge, seen.world.ruling),
        ),
        prospects(ports, seen, answers, whole.plan),
    )


def _teams(forge: Forge, catalogue: Catalogue | None) -> tuple[str, ...]:
    """What is wrong with teams; that GitHub does not tell is said, and stops no plan."""
    if catalogue is None:
        return ()
    try:
        return team_lines(forge, catalogue)
    except DaypassError as error:
        return (f"whether teams are those that the settings pin is not known: {error.message}",)


def _awaited(item: tuple[str, DaypassError]) -> str:
    return f"the token of {item[0]} is gone, and who ended it is not known yet: {item[1].message}"


def _of_trees(repository: GitRepository, base: str) -> Preview:
    head = repository.resolve("HEAD")
    base_commit = repository.resolve(base)
    catalogue = catalogue_of(repository, base_commit)
    ancestor = repository.merge_base(base_commit, head)
    preview = preview_trees(
        repository,
        Merge(base_commit, ancestor, head),
        catalogue,
        machine_now(),
        groups=unknown_groups(catalogue),
        sources=proposing.offline_sources(used_in_history(repository, base_commit)),
    )
    foundation = forecast_documents(repository, base_commit, ancestor, head)
    return replace(preview, foundation=foundation)


def _of_pull_request(repository: GitRepository, forge: Forge, number: int) -> Preview:
    main = repository.fetch()
    pull_request = forge.pull_request(number)
    catalogue = catalogue_of(repository, main)
    groups = Answers(forge).groups(catalogue)
    sources = proposing.person_sources(forge, used_in_history(repository, main))
    return preview_of(repository, pull_request, main, catalogue, groups, machine_now(), sources)


def _open(plans: OpenPlans) -> ExitCode:
    """The plan of each open pull request. One that cannot be planned does not hide the others.

    Nor does it fail the run, which everybody's access rests on: anybody can open an odd one.
    """
    code = ExitCode.DONE
    chosen, left = plans.choose()
    for item in plans.run(chosen):
        output.say(output.styled(f"#{item.number}", "bold"))
        if item.preview is not None:
            show_preview(item.preview, "text")
        if item.error is not None:
            output.show_error(item.error)
        if item.is_ours:  # an outage, a full disk, a right that is missing
            code = ExitCode.PARTLY
    if left:
        output.say(f"{left} open pull requests are left: the next run goes on with them")
    return code


def _can_write(directory: Path) -> bool:
    """Whether the disk that the clone is on takes as much as a small pack."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(_SMALL_PACK))
    except OSError:
        return False
    return True


def _show_work(work: _Work, form: str) -> ExitCode:
    if form == "json":
        output.say_json(
            {
                "actions": [
                    {
                        "step": str(action.step),
                        "grant": action.grant_id,
                        "reason": str(action.reason) if action.reason else None,
                        "becomes": work.becomes(action),
                        "why": list(work.why(action)),
                    }
                    for action in work.actions
                ],
                "orphans": [
                    {
                        "grant": orphan.grant_id,
                        "accessor": orphan.digest,
                        "tokenRole": orphan.token_role,
                    }
                    for orphan in work.orphans
                ],
                "offline": [
                    {
                        "grant": use.grant_id,
                        "tokenRole": use.token_role,
                        "since": str(use.not_before),
                        "until": str(use.not_after),
                        "live": use.accessor is not None,
                    }
                    for use in work.offline
                ],
                "lookHere": list(work.looks),
            }
        )
        return ExitCode.DONE
    for text in work.looks:
        output.say(output.styled("look here ", "red") + output.printable(text))
    for action in work.actions:
        reason = f"  ({action.reason})" if action.reason else ""
        becomes = f"  -> {becomes}" if (becomes := work.becomes(action)) else ""
        output.say(f"{action.step:<10}{action.grant_id}{reason}{becomes}")
        for why in work.why(action):
            output.say(f"          {output.printable(why)}")
    for orphan in work.orphans:
        output.say(f"revoke    {output.printable(orphan.what)}  (no grant on main knows it)")
    for use in work.offline:
        text = f"{use.grant_id}  (taken offline, by {use.token_role}, until {use.not_after})"
        output.say(f"write down {output.printable(text)}")
    if not (work.actions or work.orphans or work.offline or work.looks):
        output.say("nothing to do: main and Vault agree")
    return ExitCode.DONE
