"""`daypass audit`: list the evidence, verify it, ask of it. Offline, on the clone at hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daypass.cli import (
    audit_activity,
    audit_bundle,
    audit_export,
    audit_report,
    audit_show,
    audit_who,
    output,
)
from daypass.errors import EvidenceError, ExitCode, UsageError
from daypass.model.names import ALLOWED_SIGNERS_PATH, is_name

if TYPE_CHECKING:
    import argparse

    from daypass.adapters.git import GitRepository
    from daypass.ledger.allowed_signers import Signers
    from daypass.ledger.verify import Report

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
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
    """Declare the sub-verbs."""
    verbs = parser.add_subparsers(dest="audit", metavar="COMMAND", required=True)
    log = verbs.add_parser(
        "log",
        help="all events, newest first",
        description="All events, newest first: commits that carry a valid signature of a signer "
        f"in {ALLOWED_SIGNERS_PATH}.",
        allow_abbrev=False,
    )
    log.add_argument("--grant", metavar="ID", help="only the events of that grant")
    verify = verbs.add_parser(
        "verify",
        help="name every event that was rewritten, dropped, forged or reordered",
        description="Read main from its first commit to its head and name every event that was "
        "rewritten, dropped, unsigned, reordered or forged. Ends with 6 if the evidence does not "
        "hold.",
        allow_abbrev=False,
    )
    verify.add_argument(
        "--fingerprint",
        metavar="SHA256:…",
        action="append",
        default=[],
        help="a key that you know from elsewhere, as `ssh-keygen -l` prints it (may be repeated)",
    )
    verify.add_argument(
        "--anchor",
        metavar="COMMIT",
        help="a head of main that was noted elsewhere, in full; faults up to it are known, and do "
        "not count again",
    )
    audit_report.add_arguments(
        verbs.add_parser(
            "report",
            help="answer the auditor's questions: HTML, Markdown, CSV or JSON Lines",
            description="Answer the auditor's questions from the evidence of this clone. The same "
            "head gives the same bytes.",
            allow_abbrev=False,
        )
    )
    audit_bundle.add_arguments(
        verbs.add_parser(
            "bundle",
            help="main with its whole history in one file, for an archive",
            description="Write a git bundle of main for an archive, with its checksum and, if "
            "asked, a signature by the evidence key. Stock git clones and verifies it. What is "
            "incomplete, or does not verify, is not written.",
            allow_abbrev=False,
        )
    )
    who = verbs.add_parser(
        "who",
        help="who could use what at a time",
        description="Who could use what at a time, by Vault's time of ending. A grant of which "
        "Vault did not confirm that it was gone counts as access.",
        allow_abbrev=False,
    )
    audit_who.add_arguments(who)
    audit_activity.add_arguments(
        verbs.add_parser(
            "activity",
            help="what a grant was used for, by the logs of Vault and PostgreSQL",
            description="What a grant was used for, by Vault's audit log and PostgreSQL's log. It "
            "counts: no statement, parameter or answer is shown.",
            allow_abbrev=False,
        )
    )
    audit_export.add_arguments(
        verbs.add_parser(
            "export",
            help="the evidence for other systems: OCSF, CloudEvents, OSCAL, in-toto",
            description="The evidence in the formats of other systems. The same head gives the "
            "same bytes.",
            allow_abbrev=False,
        )
    )
    audit_show.add_arguments(
        verbs.add_parser(
            "show",
            help="one request on one page, from what was asked to its end",
            description="One request on one page: what was asked, the decision and its reasons, "
            "approvals, issue, delivery, end and review, each with its commit.",
            allow_abbrev=False,
        )
    )
    for child in (log, verify, who):
        child.add_argument(
            "--revision", metavar="REV", default="HEAD", help="judge this head (default: HEAD)"
        )
        output.add_format(child)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Call the sub-verb. Raises GitError when this is no complete clone."""
    from daypass.adapters.git import GitRepository

    with GitRepository(
        Path(arguments.directory), remote="origin", branch="main", author=("", ""), token=None
    ) as repository:
        repository.assert_complete()
        head = repository.resolve(arguments.revision)
        return _RUN[arguments.audit](repository, head, arguments)


def _log(repository: GitRepository, head: str, arguments: argparse.Namespace) -> ExitCode:
    from daypass.ledger.history import read_events
    from daypass.report.log import log_json, log_table

    grant: str | None = arguments.grant
    if grant is not None and not is_name(grant):
        raise UsageError(
            f"{output.printable(grant)} is no grant id",
            remedy="An id is the name of its request file, without `.yaml`.",
        )
    events = (
        event
        for event in read_events(repository.walk(head), _signers(repository, head))
        if grant is None or event.event.grant == grant
    )
    if arguments.format == "json":
        output.say_json([log_json(event) for event in events])
        return ExitCode.DONE
    for line in log_table(events):
        output.say(line)
    return ExitCode.DONE


def _signers(repository: GitRepository, head: str) -> Signers:
    from daypass.ledger.allowed_signers import Signers

    entries = repository.entries(head, ALLOWED_SIGNERS_PATH)
    if not entries:
        raise EvidenceError(
            f"there is no {ALLOWED_SIGNERS_PATH} at {head}, so no commit counts as evidence",
            remedy="`daypass vault apply` prints the line of the evidence key; commit it there by "
            "a pull request.",
        )
    return Signers.parse(repository.blobs([entries[0].blob])[entries[0].blob])


def _verify(repository: GitRepository, head: str, arguments: argparse.Namespace) -> ExitCode:
    from daypass.ledger.verify import Verdict, verify
    from daypass.lifecycle.replaying import Replayer

    for fingerprint in arguments.fingerprint:
        if _FINGERPRINT.fullmatch(fingerprint) is None:
            raise UsageError(
                f"{output.printable(fingerprint)} is no fingerprint",
                remedy="Give it as `ssh-keygen -l` prints it: SHA256: and 43 characters.",
            )
    anchor: str | None = arguments.anchor
    if anchor is not None and _COMMIT.fullmatch(anchor) is None:
        raise UsageError(
            f"{output.printable(anchor)} is no full commit id",
            remedy="An anchor is a commit id of 40 hex digits: shorter ones can be forged.",
        )
    report = verify(
        repository,
        head,
        fingerprints=arguments.fingerprint,
        anchor=anchor,
        replay=Replayer(repository),
    )
    if arguments.format == "json":
        output.say_json(_report_json(report))
    else:
        _show(report, annotate=arguments.format == "github")
    return ExitCode.EVIDENCE if report.verdict is Verdict.BROKEN else ExitCode.DONE


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
                line = output.escape_command(f"{fault.commit}: {fault.message}")
                output.say(f"::error title={fault.code}::{line}")
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
        output.say(_SELF_ATTESTED)
    output.say(_HOW_TO_ANCHOR.format(head=report.head))


def _who(repository: GitRepository, head: str, arguments: argparse.Namespace) -> ExitCode:
    return audit_who.run(repository, head, _signers(repository, head), arguments)


def _show_request(repository: GitRepository, head: str, arguments: argparse.Namespace) -> ExitCode:
    return audit_show.run(repository, head, _signers(repository, head), arguments)


def _activity(repository: GitRepository, head: str, arguments: argparse.Namespace) -> ExitCode:
    return audit_activity.run(repository, head, _signers(repository, head), arguments)


_RUN: Final = {
    "activity": _activity,
    "log": _log,
    "verify": _verify,
    "report": audit_report.run,
    "bundle": audit_bundle.run,
    "who": _who,
    "show": _show_request,
    "export": audit_export.run,
}
