"""`daypass audit anchor`: a signed tag that holds main to what it is now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from daypass.adapters.clock import machine_now
from daypass.cli import output
from daypass.cli.audit_words import demand_free
from daypass.errors import ExitCode, GitError, UsageError

if TYPE_CHECKING:
    import argparse

    from daypass.adapters.git import GitRepository
    from daypass.ledger.allowed_signers import Signers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `audit anchor`."""
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="also write the tag's content there, to be kept outside of the repository",
    )
    parser.add_argument(
        "--timestamp-query",
        metavar="FILE",
        type=Path,
        help="also write an RFC 3161 request about it there, for a time-stamping authority",
    )


def run(
    repository: GitRepository, head: str, signers: Signers, words: argparse.Namespace
) -> ExitCode:
    """Make the tag in this clone; whoever may push tags pushes it.

    Raises:
        UsageError: there is no event to anchor, or no Vault token; a file is there already.
        GitError: there is such a tag already.
    """
    from daypass.adapters.new_file import write_new
    from daypass.adapters.timestamp import write_query
    from daypass.cli import wiring
    from daypass.cli.evidence_signer import evidence_signer
    from daypass.lifecycle.anchoring import make_anchor

    files = (path for path in (words.output, words.timestamp_query) if path is not None)
    demand_free("Name another file, or move the old one away.", *files)
    directory = wiring.directory_of(words.directory)
    evidence = wiring.read_settings(directory).evidence
    with evidence_signer(directory) as signer:
        made = make_anchor(repository, signer, signers, evidence, head=head, when=machine_now())
    if made is None:
        raise UsageError(
            f"there is no event up to {head[:12]}: there is nothing to anchor",
            remedy="Run it where main holds evidence, on main's head.",
        )
    name, content = made
    tag = repository.write_tag(name, content)
    try:
        if words.output is not None:
            write_new(words.output, content)
        if words.timestamp_query is not None:
            write_query(content, words.timestamp_query)
    except OSError as error:
        raise GitError(
            f"a file cannot be written: {error.strerror}",
            remedy=f"The tag is made; `git cat-file tag {name}` gives its content.",
        ) from error
    if words.format == "json":
        output.say_json({"tag": name, "object": tag, "commit": head})
    else:
        output.say(f"{name} anchors main at {head}")
        output.say(f"Publish it: git push origin {name}")
    return ExitCode.DONE
