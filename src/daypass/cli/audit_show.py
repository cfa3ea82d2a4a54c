"""`daypass audit show`: one request on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.cli import output
from daypass.cli.known_names import demand_id, unknown_id
from daypass.errors import ExitCode

if TYPE_CHECKING:
    import argparse

    from daypass.adapters.git import GitRepository
    from daypass.ledger.allowed_signers import Signers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `audit show`."""
    parser.add_argument("grant", metavar="ID", help="the name of the request's file")
    parser.add_argument("--format", choices=("text", "json", "markdown"), default="text")
    parser.add_argument(
        "--revision", metavar="REV", default="HEAD", help="look back from here (default: HEAD)"
    )


def run(
    repository: GitRepository, head: str, signers: Signers, words: argparse.Namespace
) -> ExitCode:
    """Show the page.

    Raises:
        UsageError: an id of which there is nothing.
    """
    from daypass.report.dossier import read_dossier
    from daypass.report.formats import dossier_page

    demand_id(words.grant)
    dossier = read_dossier(repository, head, words.grant, signers)
    if dossier is None:
        raise unknown_id(
            repository,
            head,
            words.grant,
            f"there is no request {words.grant} in this history, and no event of one",
            remedy="`daypass audit log` lists the ids. A request that was never merged is a pull "
            "request only.",
        )
    if words.format == "json":
        output.say_json(dossier_page.to_json(dossier))
        return ExitCode.DONE
    markdown = words.format == "markdown"
    lines = dossier_page.markdown_lines if markdown else dossier_page.text_lines
    for line in lines(dossier):
        output.say_text(line)
    return ExitCode.DONE
