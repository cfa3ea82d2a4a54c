"""`daypass validate`: what is wrong with the documents, where, and how to mend it."""

from __future__ import annotations

import gc
import os
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from daypass.adapters.baseline import Baseline
from daypass.adapters.worktree import WorkTree
from daypass.cli import output
from daypass.cli.at_root import entries_at_root
from daypass.cli.commit_authors import with_co_authors
from daypass.documents import formats
from daypass.documents.finding import Report
from daypass.documents.problem import Problem
from daypass.errors import DocumentError, ExitCode, UsageError
from daypass.lifecycle.examining import examine
from daypass.model.names import ALLOWED_SIGNERS_PATH, KEEPS, SETTINGS_PATH

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence

    from daypass.adapters.result_cache import NoCache, ResultCache
    from daypass.documents.finding import Finding
    from daypass.model.catalogue import Catalogue
    from daypass.model.tree import TreeEntry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and positionals."""
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        help="files or folders to judge (default: all of access/ and schemas/)",
    )
    parser.add_argument(
        "--base",
        metavar="REV",
        help="judge what has changed since the branch left REV, as a pull request into REV: "
        "requests by the policies and resources of REV, and no mixed changes",
    )
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="read every document again, also those that were sound before and have not changed",
    )
    parser.add_argument(
        "--online",
        action="store_true",
        help="also ask GitHub, with your token, whether teams are those that the settings pin",
    )
    output.add_format(parser)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Validate, and show what was found."""
    gc.disable()  # a short life, and no cycles: looking for them costs a tenth of the time
    tree = WorkTree.open(arguments.directory)
    everything = arguments.base is None and not arguments.paths
    baseline = None
    if everything and not arguments.no_cache:
        baseline = Baseline.read(tree.git_folder)
    report = baseline.judge(tree) if baseline is not None else None
    if report is None:
        report = _judge(tree, arguments)
    if not arguments.paths:
        report = with_co_authors(report, tree, arguments.base)
    if arguments.online:
        report = _ask_github(tree, report)
    _show(report, arguments.format)
    if arguments.base is not None and not (report.documents or report.findings):
        output.note(f"note: nothing that is judged has changed since {arguments.base}")
    return ExitCode.DOCUMENT if report.findings else ExitCode.DONE


def _judge(tree: WorkTree, arguments: argparse.Namespace) -> Report:
    """Judge document by document, and what they name."""
    from daypass.adapters.result_cache import NoCache, ResultCache

    cache = NoCache() if arguments.no_cache else ResultCache(tree.git_folder)
    if arguments.base is not None:
        if arguments.paths:
            raise UsageError(
                "--base judges all that has changed, and PATH names something else",
                remedy="Leave out one of the two.",
            )
        report = _judge_changes(tree, cache, arguments.base)
    else:
        report = _judge_tree(tree, cache, arguments.paths, remember=not arguments.no_cache)
    cache.save()
    return report


def _judge_tree(
    tree: WorkTree, cache: ResultCache | NoCache, paths: Sequence[str], *, remember: bool
) -> Report:
    from daypass.documents.validation import validate

    entries = entries_at_root(tree)
    chosen = _chosen(tree, paths, entries) if paths else None
    read = tree.reader(entries)
    report = validate(entries, read, cache, examine=examine, chosen=chosen)
    report = _with(report, _of_signers(entries, read, chosen))
    if chosen is not None and report.documents == 0 and not report.findings:
        raise UsageError(
            f"no document lies at {', '.join(paths)}",
            remedy="Name files or folders in access/; ignored files are not judged.",
        )
    if remember and chosen is None and not report.findings:
        baseline = Baseline.of(tree, entries, report)
        if baseline is not None:
            baseline.write(tree.git_folder)
    return report


def _ask_github(tree: WorkTree, report: Report) -> Report:
    """The report with what GitHub tells of the teams that the work tree's documents name.

    Raises DocumentError, ForgeUnavailableError, ForgeRefusedError.
    """
    from daypass.cli import wiring
    from daypass.documents.document import located
    from daypass.documents.repository import load_catalogue
    from daypass.documents.strict_yaml import load
    from daypass.lifecycle.teams import look_at_teams

    entries = tree.entries()
    read = tree.reader(entries)
    catalogue = load_catalogue(entries, tree.contents(entries))
    with wiring.person(catalogue.settings) as forge:
        states = look_at_teams(forge, catalogue)
    problems = [
        Problem(("spec", "teams", item.slug), "team-renamed", item.wrong, item.remedy)
        for item in states
        if item.wrong and not item.can_be_pinned
    ]
    findings = located(problems, SETTINGS_PATH, load(read(SETTINGS_PATH), SETTINGS_PATH))
    return _with(report, findings)


def _with(report: Report, findings: Iterable[Finding]) -> Report:
    return replace(report, findings=tuple(sorted({*report.findings, *findings})))


def _of_signers(
    entries: Iterable[TreeEntry],
    read: Callable[[str], bytes],
    chosen: Callable[[str], bool] | None,
) -> list[Finding]:
    """What cannot be read in the list of allowed signers, if it is one of the chosen paths."""
    path = ALLOWED_SIGNERS_PATH
    if chosen is not None and not chosen(path):
        return []
    if not any(entry.path == path and entry.is_file for entry in entries):
        return []
    from daypass.documents.retention import unreadable_signers
    from daypass.ledger.allowed_signers import UnreadableListError, parse_allowed_signers

    try:
        parse_allowed_signers(read(path))
    except UnreadableListError as error:
        return [unreadable_signers(error.line, error.why, error.remedy)]
    return []


def _judge_changes(tree: WorkTree, cache: ResultCache | NoCache, revision: str) -> Report:
    from daypass.documents.changes import changes, check_changes, check_number
    from daypass.documents.tree import check_faults, check_spellings
    from daypass.documents.validation import validate

    commit = tree.merge_base(revision)
    since = tree.changed_since(commit)
    changed = changes(since.before.values(), since.now.values())
    entries = entries_at_root(tree)
    read = tree.reader(entries)
    paths = set(changed.paths)
    findings = {*check_changes(changed), *check_spellings(since.odd)}
    findings.update(check_faults(since.faults))
    if not KEEPS.isdisjoint(changed.paths):
        from daypass.cli.retaining import check_retention  # walks history: only where it matters

        findings.update(check_retention(tree, commit, changed, read))
    findings.update(_of_signers(entries, read, paths.__contains__))
    judged = 0
    notices: tuple[Finding, ...] = ()
    if changed.touches_foundation:  # what others rest on has changed: everything is judged by it
        report = validate(entries, read, cache, examine=examine)
        findings.update(report.findings)
        judged = report.documents
        notices = (*report.notices, *_of_emergencies(tree, commit, entries))
    if changed.touches_requests or not changed.touches_foundation:
        # Requests are judged by what the base says, whatever else this branch has changed.
        catalogue = _base_catalogue(tree, commit, revision)
        limits = catalogue.settings.limits
        findings.update(check_number(changed, limits.requests_per_pull_request))
        report = validate(
            entries,
            read,
            cache,
            examine=examine,
            chosen=paths.__contains__,
            catalogue=catalogue,
        )
        findings.update(report.findings)
        notices = tuple(sorted({*notices, *report.notices}))
        judged = max(judged, report.documents)
    return Report(judged, tuple(sorted(findings)), notices=notices)


def _of_emergencies(
    tree: WorkTree, commit: str, entries: Sequence[TreeEntry]
) -> tuple[Finding, ...]:
    """What Vault must follow in; nothing while one of the two sides does not load."""
    from daypass.documents.emergency_roles import emergency_role_notices
    from daypass.documents.repository import load_catalogue

    try:
        before = load_catalogue(tree.entries_of(commit), tree.blobs)
        after = load_catalogue(entries, tree.contents(entries))
    except DocumentError:
        return ()  # findings say why, of this branch or of its base
    return tuple(emergency_role_notices(before, after))


def _base_catalogue(tree: WorkTree, commit: str, revision: str) -> Catalogue:
    from daypass.documents.repository import load_catalogue

    try:
        return load_catalogue(tree.entries_of(commit), tree.blobs)
    except DocumentError as error:
        raise DocumentError(
            f"the documents of {revision} itself are wrong: {error.message}",
            remedy="Mend them in a pull request of its own, without requests, first. "
            + error.remedy,
            findings=error.findings,
        ) from error


def _chosen(
    tree: WorkTree, paths: Sequence[str], entries: Iterable[TreeEntry]
) -> Callable[[str], bool]:
    """Whether a path in the tree is one of those that were named on the command line.

    Raises UsageError where there is nothing at one of them: it would pass for looked at.
    """
    names = set()
    known = {".", *(entry.path for entry in entries)}
    known.update(str(folder) for path in (*known,) for folder in PurePosixPath(path).parents)
    for path in paths:
        place = Path(os.path.normpath(tree.root / tree.prefix / path))
        if not place.is_relative_to(tree.root):
            raise UsageError(
                f"{path} lies outside of this repository", remedy=f"Name paths in {tree.root}."
            )
        name = str(PurePosixPath(place.relative_to(tree.root)))
        if name not in known:
            raise UsageError(
                f"no document lies at {path}",
                remedy="Name files or folders in access/; ignored files are not judged.",
            )
        names.add(name)
    folders = tuple(f"{name}/" for name in names if name != ".")
    return lambda path: "." in names or path in names or path.startswith(folders)


def _show(report: Report, form: str) -> None:
    if form == "json":
        output.say_json(formats.as_value(report))
    elif form == "github":
        from daypass.cli import step_summary

        for level, text, places in formats.annotations_of(report):
            output.annotate(level, text, **places)
        output.say(formats.summary(report))
        step_summary.append(formats.as_markdown(report))
    else:
        output.say_text(formats.as_text(report, output.styled))
