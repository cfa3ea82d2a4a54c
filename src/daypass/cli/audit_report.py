"""`daypass audit report`: the auditor's questions, asked of a clone, in four formats."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daypass import __version__
from daypass.cli import output
from daypass.cli.audit_words import add_outside, check_outside, instant_of, judged
from daypass.documents.nearby import suggestion
from daypass.errors import DocumentError, ExitCode, UsageError
from daypass.model.names import SETTINGS_PATH

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from daypass.adapters.git import GitRepository
    from daypass.lifecycle.held import Held
    from daypass.model.catalogue import Catalogue
    from daypass.model.instant import Duration
    from daypass.report.ground import Cases, Ground
    from daypass.report.heading import Report

FORMATS: Final = ("html", "markdown", "csv", "jsonl")
_ENDINGS: Final = {".html": "html", ".md": "markdown", ".csv": "csv", ".jsonl": "jsonl"}
_TITLE: Final = "Privileged access report"
_CONTROLS_TITLE: Final = "Controls and what shows that they hold"
_NO_CATALOGUE: Final = "the documents in access/ do not load at this head"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `audit report`."""
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="default: by the ending of --output, else markdown to a terminal and html to a file",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="write there instead of to standard output; for csv without --question a directory, "
        "into which every table is written",
    )
    parser.add_argument(
        "--since", metavar="INSTANT", help="begin there (default: the first commit)"
    )
    parser.add_argument("--until", metavar="INSTANT", help="end there (default: --at)")
    parser.add_argument(
        "--at",
        metavar="INSTANT",
        help="what “now” is (default: --until, else the time of the head's commit), so that the "
        "same head gives the same bytes",
    )
    parser.add_argument(
        "--vault",
        action="store_true",
        help="ask Vault, too, what lives there (an operator's token, or a job's identity): that "
        "answer is of this moment",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--question", metavar="NAME", help="only this one; see --list")
    what.add_argument(
        "--controls",
        action="store_true",
        help="each control that daypass answers to, and what here shows that it holds, or not",
    )
    what.add_argument("--list", action="store_true", help="list the questions")
    add_outside(parser)


def run(repository: GitRepository, head: str, words: argparse.Namespace) -> ExitCode:
    """Make the report. Ends with 6 when the evidence does not hold; it is written all the same.

    Raises:
        UsageError: a time that cannot be read, a question that nobody asks, csv of many tables.
    """
    from daypass.ledger.verify import Verdict
    from daypass.report.questions import QUESTIONS

    if words.list:
        for name in QUESTIONS:
            output.say(name)
        return ExitCode.DONE
    format_ = _format(words)
    _check(words, format_)
    # Nothing here makes cycles: looking for them while all of history is read costs a tenth.
    gc.disable()
    try:
        ground = ground_of(repository, head, words)
        _write(_report(ground, words), format_, words)
    finally:
        gc.enable()
    broken = ground.verification.verdict is Verdict.BROKEN
    if broken:
        output.note("the evidence does not hold: run `daypass audit verify`")
    return ExitCode.EVIDENCE if broken else ExitCode.DONE


def _format(words: argparse.Namespace) -> str:
    if words.format:
        return str(words.format)
    if words.output:
        return _ENDINGS.get(Path(words.output).suffix, "html")
    return "markdown" if sys.stdout.isatty() else "html"


def _check(words: argparse.Namespace, format_: str) -> None:
    """What can be said before any history is read. Raises UsageError."""
    from daypass.report.questions import QUESTIONS

    if words.question is not None and words.question not in QUESTIONS:
        raise UsageError(
            f"there is no question {output.printable(words.question)}"
            f"{suggestion(words.question, QUESTIONS)}",
            remedy=f"One of: {', '.join(QUESTIONS)}.",
        )
    if format_ == "csv" and not (words.question or words.controls or words.output):
        raise UsageError(
            "a CSV file holds one table, and a report has many",
            remedy="Name one with --question NAME, or a directory with --output DIR.",
        )
    check_outside(words)


def ground_of(repository: GitRepository, head: str, words: argparse.Namespace) -> Ground:
    """All that a report rests on, by the flags of `audit report`; an export sets those it lacks.

    Raises UsageError: a time that cannot be read, a window that ends before it begins.
    """
    from daypass.report.ground import Ground, Window
    from daypass.report.reading import read_evidence

    since, until = instant_of("--since", words.since), instant_of("--until", words.until)
    at = instant_of("--at", words.at)
    verification = judged(repository, head, words)
    evidence = read_evidence(repository, verification, check_inputs=words.controls)
    ends = at is not None or until is not None
    at = at or until or evidence.told_until
    window = Window(since, until or at, at, ends)
    if since is not None and window.until < since:
        raise UsageError(
            f"the window from {since} to {window.until} ends before it begins",
            remedy="Give an earlier --since, or a later --until.",
        )
    catalogue, problem = _catalogue(repository, head)
    return Ground(
        repository=_repository_name(catalogue),
        evidence=evidence,
        window=window,
        catalogue=catalogue,
        catalogue_problem=problem,
        verification=verification,
        version=__version__,
        held=_held(words, catalogue) if words.vault else None,
        promises=_promises(repository, head) if words.controls else (),
        cases=_cases(repository, head, catalogue) if words.controls and catalogue else None,
    )


def _held(words: argparse.Namespace, catalogue: Catalogue | None) -> Held:
    """What Vault holds now. Raises what `wiring.vault` and `look` raise."""
    from daypass.cli import wiring
    from daypass.lifecycle.held import look
    from daypass.lifecycle.ownership import token_roles

    directory = wiring.directory_of(words.directory)
    roles = token_roles([catalogue] if catalogue is not None else [])
    with wiring.vault(directory) as (issuer, settings):
        return look(issuer, roles, settings.github.repository_id)


def _promises(repository: GitRepository, head: str) -> tuple[tuple[str, Duration], ...]:
    """How long evidence was to be kept, after each commit that changed the settings."""
    from daypass.documents.document import read_document
    from daypass.model.settings import Settings

    found = []
    blobs = {
        commit: changes[-1].after for commit, changes in repository.changes(head, [SETTINGS_PATH])
    }
    contents = repository.blobs([blob for blob in blobs.values() if blob is not None])
    for commit, blob in blobs.items():
        try:
            model = read_document(SETTINGS_PATH, contents[blob]).model if blob else None
        except DocumentError:  # nothing was promised by what could not be read
            continue
        if isinstance(model, Settings):
            found.append((commit, model.evidence.retention))
    return tuple(found)


def _cases(repository: GitRepository, head: str, catalogue: Catalogue) -> Cases | None:
    """What comes of the cases of that head; None if there is none."""
    from daypass.lifecycle.trying import CASES_FOLDER, try_cases
    from daypass.model.decision import Effect
    from daypass.policy.compiled import compile_rules
    from daypass.report.ground import Cases

    entries = [entry for entry in repository.entries(head, CASES_FOLDER) if entry.is_file]
    contents = repository.blobs([entry.blob for entry in entries])
    policies = compile_rules(catalogue)
    try:
        results = try_cases(entries, lambda entry: contents[entry.blob], catalogue, policies)
    except DocumentError:
        return Cases(right=0, wrong=1, denials=0)
    wrong = sum(bool(result.wrong) for result in results.values())
    denials = sum(result.decision.effect is not Effect.PERMIT for result in results.values())
    return Cases(len(results) - wrong, wrong, denials) if results else None


def _catalogue(repository: GitRepository, head: str) -> tuple[Catalogue | None, str | None]:
    from daypass.documents.repository import catalogue_of

    try:
        return catalogue_of(repository, head), None
    except DocumentError:
        return None, f"{_NO_CATALOGUE} (`daypass validate` says why)"


def _repository_name(catalogue: Catalogue | None) -> str:
    if catalogue is None:
        return f"(not told by {SETTINGS_PATH})"
    return catalogue.settings.github.full_name


def _report(ground: Ground, words: argparse.Namespace) -> Report:
    from daypass.report.heading import make_report
    from daypass.report.questions import QUESTIONS

    if words.controls:
        from daypass.report.controls import controls

        return make_report(ground, _CONTROLS_TITLE, (controls(ground),))
    names = [words.question] if words.question else list(QUESTIONS)
    return make_report(ground, _TITLE, tuple(QUESTIONS[name](ground) for name in names))


def _write(report: Report, format_: str, words: argparse.Namespace) -> None:
    if format_ == "csv" and not (words.question or words.controls):
        _write_tables(report, Path(words.output))
        return
    pieces = _pieces(report, format_)
    if words.output is None:
        output.say_pieces(pieces)
        return
    write_file(Path(words.output), pieces)


def _pieces(report: Report, format_: str) -> Iterable[str]:
    if format_ == "html":
        from daypass.report.formats.html import page

        return page(report)
    if format_ == "markdown":
        from daypass.report.formats import markdown

        return markdown.report_lines(report)
    if format_ == "jsonl":
        from daypass.report.formats import json_lines

        return json_lines.report_lines(report)
    from daypass.report.formats.csv_table import answer_csv

    return (answer_csv(answer) for answer in report.answers)


def _write_tables(report: Report, folder: Path) -> None:
    from daypass.report.formats.csv_table import answer_csv, summary_csv

    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / "report.csv", [summary_csv(report)])
    for answer in report.answers:
        write_file(folder / f"{answer.name}.csv", [answer_csv(answer)])


def write_file(path: Path, pieces: Iterable[str] | Iterator[str]) -> None:
    """Write a file of UTF-8, whatever the machine's own line ends, or what stands in a name."""
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
        stream.writelines(pieces)
