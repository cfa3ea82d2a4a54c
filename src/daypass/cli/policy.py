"""`daypass policy test`: try the policies on cases whose answer somebody wrote down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.adapters.worktree import WorkTree
from daypass.cli import output
from daypass.cli.at_root import entries_at_root
from daypass.documents.repository import load_catalogue
from daypass.errors import ExitCode, UsageError
from daypass.lifecycle.trying import CASES_FOLDER, check_rule_names, try_cases
from daypass.policy.cases import coverage
from daypass.policy.compiled import compile_rules

if TYPE_CHECKING:
    import argparse

    from daypass.policy.cases import CaseResult, Coverage


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and positionals."""
    parser.add_argument("what", choices=("test",), help=f"run the cases in {CASES_FOLDER}")
    parser.add_argument(
        "--require-coverage",
        action="store_true",
        help="fail, too, when a rule of a policy was not seen both to hold and to fail by its own "
        "answer",
    )
    output.add_format(parser)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Run all cases of the work tree against its policies."""
    tree = WorkTree.open(arguments.directory)
    entries = entries_at_root(tree)
    read = tree.reader(entries)
    catalogue = load_catalogue(entries, tree.contents(entries))
    policies = compile_rules(catalogue)
    check_rule_names(entries, lambda entry: read(entry.path), catalogue)
    results = try_cases(entries, lambda entry: read(entry.path), catalogue, policies)
    if not results:
        raise UsageError(
            f"there are no cases in {CASES_FOLDER}",
            remedy="Write one: its schema shows an example.",
        )
    covered = coverage(results.values(), policies)
    if arguments.format == "json":
        _show_json(results, covered)
    else:
        _show(results, covered, annotate=arguments.format == "github")
    failed = any(result.wrong for result in results.values())
    missing = arguments.require_coverage and any(item.missing for item in covered)
    return ExitCode.FAILED if failed or missing else ExitCode.DONE


def _show_json(results: dict[str, CaseResult], covered: tuple[Coverage, ...]) -> None:
    output.say_json(
        {
            "cases": [
                {
                    "name": name,
                    "effect": str(result.decision.effect),
                    "wrong": list(result.wrong),
                }
                for name, result in results.items()
            ],
            "coverage": [
                {"rule": item.rule, "held": item.held, "failed": item.failed} for item in covered
            ],
        }
    )


def _show(results: dict[str, CaseResult], covered: tuple[Coverage, ...], *, annotate: bool) -> None:
    for name, result in results.items():
        mark = output.styled("wrong", "red") if result.wrong else output.styled("ok   ", "green")
        output.say(f"{mark}  {name}: {result.decision.effect}")
        for line in result.wrong:
            output.say(f"       {output.printable(line)}")
        if annotate and result.wrong:
            text = f"{name}: {'; '.join(result.wrong)}"
            output.annotate("error", text, title="daypass policy test")
    wrong = sum(1 for result in results.values() if result.wrong)
    output.say(f"{len(results)} cases, {wrong} wrong")
    whole = sum(1 for item in covered if item.missing is None)
    output.say(f"{whole} of {len(covered)} rules were seen both to hold and to fail")
    for item in covered:
        if item.missing is not None:
            output.say(f"  {output.styled('untried', 'yellow')}  {item.rule}: {item.missing}")
