"""`daypass audit export`: the evidence in the formats of other systems."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daypass import __version__
from daypass.cli import audit_report, output
from daypass.cli.at_root import refuse_elsewhere
from daypass.cli.audit_words import add_outside, check_outside, instant_of, judged
from daypass.errors import EvidenceError, ExitCode, GitError, UsageError
from daypass.model.canonical import canonical_json
from daypass.model.event import EventKind
from daypass.model.names import grant_path

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from daypass.adapters.git import GitRepository
    from daypass.ledger.verify import Report as Verification
    from daypass.lifecycle.ports import Signer
    from daypass.model.event import RecordedEvent
    from daypass.model.settings import Settings
    from daypass.report.exports.told import Origin

FORMATS: Final = ("ocsf", "cloudevents", "oscal", "in-toto")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `audit export`."""
    parser.add_argument(
        "--format",
        choices=FORMATS,
        required=True,
        help="ocsf: OCSF 1.8, class 3005, a line an event; cloudevents: CloudEvents 1.0, a line an "
        "event; oscal: OSCAL 1.1 assessment results, one document; in-toto: a statement a grant, "
        "a line each",
    )
    parser.add_argument("--output", metavar="FILE", help="write there, not to standard output")
    parser.add_argument("--since", metavar="INSTANT", help="leave out what was recorded before")
    parser.add_argument("--until", metavar="INSTANT", help="leave out what was recorded after")
    parser.add_argument(
        "--sign",
        action="store_true",
        help="in-toto only: put each statement into a DSSE envelope, signed by the evidence key in "
        "Vault (an operator's token, or a job's identity); main must hold by that very key",
    )
    add_outside(parser)


def run(repository: GitRepository, head: str, words: argparse.Namespace) -> ExitCode:
    """Write the export. Ends with 6 when the evidence does not hold; it is written all the same.

    Raises:
        UsageError: a time that cannot be read, or `--sign` with a format that has no signature.
        EvidenceError: `--sign`, and main does not hold by the key in Vault: nothing is written.
        VaultRefusedError, VaultUnavailableError: `--sign`, and Vault does not sign.
    """
    from daypass.ledger.verify import Verdict

    check_outside(words)
    if words.sign and words.format != "in-toto":
        raise UsageError(
            f"--sign goes with --format in-toto, and not with {words.format}",
            remedy="Leave it out. `daypass audit bundle` signs a whole archive.",
        )
    if words.format == "oscal":
        verification, text = _oscal(repository, head, words)
    else:
        verification, text = _lines(repository, head, words)
    if words.output is None:
        output.say_pieces([text.replace("##[", "##\\u005b")])
    else:
        audit_report.write_file(Path(words.output), [text])
    if verification.verdict is Verdict.BROKEN:
        output.note("the evidence does not hold: run `daypass audit verify`")
        return ExitCode.EVIDENCE
    return ExitCode.DONE


def _oscal(
    repository: GitRepository, head: str, words: argparse.Namespace
) -> tuple[Verification, str]:
    from daypass.report.exports.oscal import assessment_results

    words.controls, words.at, words.vault = True, None, False
    ground = audit_report.ground_of(repository, head, words)
    document = assessment_results(ground)
    return ground.verification, json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def _lines(
    repository: GitRepository, head: str, words: argparse.Namespace
) -> tuple[Verification, str]:
    """One JSON object a line, the oldest first."""
    from daypass.report.reading import verified_events

    settings = _settings(repository, head)
    is_asked = _window(words)
    with _signer(words) as signer:
        words.fingerprint = [*words.fingerprint, *(_fingerprints_of(signer) if signer else ())]
        verification = judged(repository, head, words)
        if signer is not None:
            _demand_holds(verification)
        events = verified_events(repository, verification)
        export = _EXPORTS[words.format]
        told = export(repository, events, is_asked, _origin(settings), signer)
        lines = [json.dumps(item, ensure_ascii=True, separators=(",", ":")) for item in told]
    return verification, "".join(f"{line}\n" for line in reversed(lines))


def _cloud_events(
    _repository: GitRepository,
    events: Iterator[RecordedEvent],
    is_asked: Callable[[RecordedEvent], bool],
    origin: Origin,
    _signer: Signer | None,
) -> Iterator[dict[str, Any]]:
    from daypass.report.exports.cloudevents import cloud_event

    return (cloud_event(event, origin) for event in events if is_asked(event))


def _ocsf(
    _repository: GitRepository,
    events: Iterator[RecordedEvent],
    is_asked: Callable[[RecordedEvent], bool],
    origin: Origin,
    _signer: Signer | None,
) -> Iterator[dict[str, Any]]:
    from daypass.report.exports.ocsf import user_access

    left_out = 0
    for event in events:
        if is_asked(event):
            told = user_access(event, origin)
            if told is None:
                left_out += 1
            else:
                yield told
    if left_out:
        output.note(f"{left_out} events concern no grant, and have no place in class 3005")


def _statements(
    repository: GitRepository,
    events: Iterator[RecordedEvent],
    is_asked: Callable[[RecordedEvent], bool],
    origin: Origin,
    signer: Signer | None,
) -> Iterator[dict[str, Any]]:
    from daypass.ledger.dsse import envelope
    from daypass.report.exports.in_toto import PAYLOAD_TYPE, statement

    later: dict[str, list[RecordedEvent]] = {}
    for event in events:
        grant = event.event.grant
        if grant is None:
            continue
        if event.event.kind is not EventKind.ISSUED:
            later.setdefault(grant, []).append(event)
            continue
        whole = [event, *reversed(later.pop(grant, []))]
        if not is_asked(event):
            continue
        entries = repository.entries(event.commit, grant_path(grant))
        if not entries:
            continue  # verify names it: an issue without a record
        blob = entries[0].blob
        told = statement(whole, (blob, repository.blobs([blob])[blob]), origin)
        if signer is None:
            yield told
        else:
            yield envelope(PAYLOAD_TYPE, canonical_json(told), signer.public_key(), signer.sign)


_EXPORTS: Final = {"ocsf": _ocsf, "cloudevents": _cloud_events, "in-toto": _statements}


def _window(words: argparse.Namespace) -> Callable[[RecordedEvent], bool]:
    since = instant_of("--since", words.since)
    until = instant_of("--until", words.until)

    def is_asked(event: RecordedEvent) -> bool:
        return (since is None or since.seconds <= event.recorded_at) and (
            until is None or event.recorded_at <= until.seconds
        )

    return is_asked


def _settings(repository: GitRepository, head: str) -> Settings:
    from daypass.cli.settings_in_force import settings_at

    try:
        return settings_at(repository, head, repository.directory)
    except GitError:
        refuse_elsewhere(repository, head)
        raise


def _origin(settings: Settings) -> Origin:
    from daypass.report.exports.told import Origin

    name = settings.github.full_name
    return Origin(name, f"{settings.github.server_url}/{name}", __version__)


@contextmanager
def _signer(words: argparse.Namespace) -> Iterator[Signer | None]:
    """The evidence key in Vault; None when nothing is to be signed."""
    if not words.sign:
        yield None
        return
    from daypass.cli import wiring
    from daypass.cli.evidence_signer import evidence_signer

    with evidence_signer(wiring.directory_of(words.directory)) as signer:
        yield signer


def _fingerprints_of(signer: Signer) -> tuple[str, ...]:
    from daypass.ledger.sshsig import fingerprint

    return (fingerprint(signer.public_key()),)


def _demand_holds(verification: Verification) -> None:
    """The key must not vouch for a history that it did not sign itself."""
    from daypass.ledger.verify import Verdict

    if verification.verdict is not Verdict.HOLDS:
        raise EvidenceError(
            f"nothing is signed: by the key in Vault the evidence up to {verification.head} is "
            f"{verification.verdict}",
            remedy="Run `daypass audit verify --fingerprint` with the key's fingerprint. If an "
            "older key was replaced without `vault rotate-evidence`, name its fingerprint too.",
        )
