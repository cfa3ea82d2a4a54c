"""`daypass audit verify`: of a clone, or of a git bundle; offline, and only what is new."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daypass.cli import output
from daypass.cli.audit_words import check_outside, judged, open_clone
from daypass.errors import ExitCode, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from daypass.adapters.git import GitRepository
    from daypass.ledger.verify import Report

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_HOW_TO_ANCHOR: Final = (
    "What was cut off after the newest event cannot be seen from here. Note this head outside the "
    "repository,\nand next time say: daypass audit verify --anchor {head}"
)
_SELF_ATTESTED: Final = (
    "Nothing from outside the repository vouches for the key: whoever rewrote all of it could have "
    "brought a key\nof his own. For a real verdict, name the key (who runs your Vault can tell its "
    "fingerprint), or a head that\nwas noted elsewhere:\n"
    "  daypass audit verify --fingerprint SHA256:…\n"
    "  daypass audit verify --anchor COMMIT"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `audit verify`."""
    parser.add_argument(
        "--fingerprint",
        metavar="SHA256:…",
        action="append",
        default=[],
        help="a key that you know from elsewhere, as `ssh-keygen -l` prints it (may be repeated)",
    )
    parser.add_argument(
        "--anchor",
        metavar="COMMIT|FILE",
        help="a head of main that was noted elsewhere, in full, or the file of a tag that `daypass "
        "audit anchor` wrote; faults up to it are known, and do not count again",
    )
    parser.add_argument(
        "--timestamp",
        metavar="FILE",
        type=Path,
        help="an RFC 3161 time stamp of that file, from a time-stamping authority",
    )
    parser.add_argument(
        "--authority", metavar="FILE", type=Path, help="the authority's certificates, in PEM"
    )
    parser.add_argument(
        "--bundle",
        metavar="FILE",
        type=Path,
        help="judge what this git bundle holds, instead of the clone",
    )
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="read all of it, whatever was verified before on this machine",
    )


def run_on_bundle(words: argparse.Namespace) -> ExitCode:
    """Judge what a bundle holds. Raises GitError when it cannot be opened, or is not whole."""
    from daypass.adapters.git.unbundling import unbundled

    with unbundled(words.bundle) as folder, open_clone(folder) as repository:
        return run(repository, repository.resolve(words.revision), words)


def run(repository: GitRepository, head: str, words: argparse.Namespace) -> ExitCode:
    """Judge main up to that head, and say what does not hold.

    Raises:
        UsageError: what is named from outside cannot be read.
        EvidenceError: a time stamp is not one of that file.
    """
    from daypass.ledger.verify import Verdict

    stamped = _stamped_at(words)
    named_tags = []
    if words.anchor is not None and _COMMIT.fullmatch(words.anchor) is None:
        name, raw, words.anchor = _anchor_file(words.anchor)
        named_tags.append((name, raw))
    check_outside(words)
    report = judged(repository, head, words, named_tags)
    if words.format == "json":
        output.say_json(_report_json(report) | {"anchorStampedAt": stamped})
    else:
        _show(report, annotate=words.format == "github")
        _say_of_no_use(report, words.fingerprint)
        if stamped is not None:
            output.say(f"the anchor was there at {stamped}, says the time-stamping authority")
    return ExitCode.EVIDENCE if report.verdict is Verdict.BROKEN else ExitCode.DONE


def _say_of_no_use(report: Report, named: Sequence[str]) -> None:
    """Names the keys that signed nothing, where something else says that it is evidence."""
    for fingerprint in named:
        if report.faults and fingerprint not in report.signers:
            output.say(
                f"no event up to this head is signed by {fingerprint}: if it is a new key, name "
                "the one before it until access-apply has handed over"
            )


def _anchor_file(path: str) -> tuple[str, bytes, str]:
    """The tag that a file holds: its name, its content, and the commit that it anchors."""
    from daypass.ledger.anchor import AnchorTag

    try:
        raw = Path(path).read_bytes()
        tag = AnchorTag.parse(raw)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(
            f"{output.printable(path)} is neither a full commit id nor an anchor: {why}",
            remedy="Give 40 hex digits (shorter ones can be forged), or the file that `daypass "
            "audit anchor --output FILE` wrote.",
        ) from error
    return tag.name, raw, tag.commit


def _stamped_at(words: argparse.Namespace) -> str | None:
    """When the anchor's file was there, by a time-stamping authority; None: nobody was asked."""
    if words.timestamp is None:
        return None
    if words.authority is None or words.anchor is None or not Path(words.anchor).is_file():
        raise UsageError(
            "a time stamp is of an anchor's file, by an authority",
            remedy="Add --anchor FILE and --authority FILE (its certificates, in PEM).",
        )
    from daypass.adapters.timestamp import verified_time

    return verified_time(Path(words.anchor), words.timestamp, words.authority)


def _report_json(report: Report) -> dict[str, object]:
    return {
        "verdict": str(report.verdict),
        "head": report.head,
        "commits": report.commits,
        "events": report.events,
        "signers": list(report.signers),
        "anchor": report.anchor,
        "faults": [fault.to_json() for fault in report.faults],
    }


def _show(report: Report, *, annotate: bool) -> None:
    from daypass.ledger.verify import Verdict

    for fault in report.faults:
        text = output.printable(fault.message)
        if fault.open:
            mark = output.styled(str(fault.code), "bold", "red")
            output.say(f"{fault.commit}  {mark}: {text}")
            if annotate:
                line = f"{fault.commit}: {fault.message}"
                output.annotate("error", line, title=str(fault.code))
        elif fault.noted:
            mark = output.styled(str(fault.code), "yellow")
            output.say(f"{fault.commit}  {mark}: {text} (noted: it breaks nothing)")
            if annotate:
                line = f"{fault.commit}: {fault.message}"
                output.annotate("warning", line, title=str(fault.code))
        else:
            why = f"mended by {fault.mended_by}" if fault.mended_by else "not after the anchor"
            output.say(output.styled(f"{fault.commit}  {fault.code}: {text} ({why})", "dim"))
    counted = f"{report.events} events in {report.commits} commits up to {report.head}"
    if report.verdict is Verdict.BROKEN:
        number = len(report.open_faults)
        verdict = output.styled("broken", "bold", "red")
        output.say(f"{verdict}: {number} fault{'' if number == 1 else 's'}; {counted}")
        return
    style = "green" if report.verdict is Verdict.HOLDS else "yellow"
    output.say(f"{output.styled(str(report.verdict), 'bold', style)}: {counted}")
    for signer in report.signers:
        output.say(f"signed by {signer}")
    if report.verdict is Verdict.SELF_ATTESTED:
        output.say_text(_SELF_ATTESTED)
    output.say_text(_HOW_TO_ANCHOR.format(head=report.head))
