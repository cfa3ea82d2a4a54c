"""`daypass audit who`: who could use what at a time."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from daypass.cli import output
from daypass.cli.audit_words import instant_of
from daypass.cli.known_names import FOLDERS, demand_name, unknown
from daypass.errors import ExitCode
from daypass.ledger.commitobject import parse_commit
from daypass.model.instant import Instant
from daypass.report.holders import Holders, holder_json, holders_table, told_until

if TYPE_CHECKING:
    import argparse

    from daypass.adapters.git import GitRepository
    from daypass.ledger.allowed_signers import Signers
    from daypass.report.story import GrantStory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `audit who`."""
    parser.add_argument("--resource", metavar="NAME", help="only access to this resource")
    parser.add_argument("--subject", metavar="NAME", help="only access of this identity")
    parser.add_argument(
        "--at",
        metavar="INSTANT",
        help="the time that is asked about (default: the last one that the evidence tells of)",
    )


def run(
    repository: GitRepository, head: str, signers: Signers, words: argparse.Namespace
) -> ExitCode:
    """Answer from the evidence up to the head.

    Raises:
        UsageError: a time that cannot be read; a name that neither evidence nor head knows, so that
            a slip of the keyboard does not read as "nobody".
    """
    for flag in FOLDERS:
        name = getattr(words, flag)
        if name is not None:
            demand_name(flag, name)
    head_at = Instant.from_seconds(parse_commit(next(repository.walk(head)).raw).committed_at or 0)
    head_at = told_until(repository.walk(head), signers, head_at)
    asked_at = instant_of("--at", words.at)
    at = head_at if asked_at is None else asked_at
    holders = Holders(at, resource=words.resource, subject=words.subject)
    # Nothing here makes cycles: looking for them while all of history is read costs a tenth.
    gc.disable()
    try:
        found = list(holders.among(repository.walk(head), signers))
    finally:
        gc.enable()
    if holders.doubted:
        output.note(
            f"not counted: {holders.doubted} of the commits that say that access began, because no "
            "signer of this head signed them; `daypass audit verify` says what they are"
        )
    if not holders.named:
        _demand_known(repository, head, words)
    found.sort(key=lambda story: (story.resource, story.subject, story.not_before, story.id))
    if words.format == "json":
        output.say_json(
            {
                "head": head,
                "headAt": str(head_at),
                "at": str(at),
                "resource": words.resource,
                "subject": words.subject,
                "holders": [holder_json(story, at) for story in found],
            }
        )
    else:
        _show(found, at, head_at, words)
    return ExitCode.DONE


def _show(
    found: list[GrantStory], at: Instant, head_at: Instant, words: argparse.Namespace
) -> None:
    subject = f"{words.subject} could use" if words.subject else "who could use"
    output.say(f"{subject} {words.resource or 'what'} at {at}:")
    if not found:
        output.say("nothing" if words.subject else "nobody")
    else:
        for line in holders_table(found, at):
            output.say(line)
    if head_at < at:
        output.note(f"the evidence at hand ends at {head_at}; what came later is not in it")


def _demand_known(repository: GitRepository, head: str, words: argparse.Namespace) -> None:
    """Refuse a name that is not there at the head either."""
    for flag, folder in FOLDERS.items():
        name = getattr(words, flag)
        if name is not None and not repository.entries(head, f"{folder}/{name}.yaml"):
            why = f"no event names the {flag} {name}, and {folder}/ has none"
            raise unknown(repository, head, flag, name, why)
