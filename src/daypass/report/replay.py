"""Replay: a recorded decision, made once more from what git holds; or what refused without one.

The input stands in the grant's record, or in the message of the denial; the policies are those of
the commit that recorded it. Whether that evidence is genuine, `ledger.verify` says.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from daypass.documents.records import load_grant
from daypass.documents.repository import catalogue_of
from daypass.errors import DocumentError
from daypass.ledger.commitobject import parse_commit
from daypass.ledger.counting_signers import counting_signers
from daypass.ledger.history import find_events, is_signed
from daypass.ledger.trailers import parse_message
from daypass.model.event import OF_PULL_REQUEST, EventKind
from daypass.model.names import ALLOWED_SIGNERS_PATH, break_glass_path, grant_path, request_path
from daypass.policy.compiled import compile_rules
from daypass.policy.input import DecisionInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from daypass.ledger.allowed_signers import Signers
    from daypass.ledger.commitobject import RawCommit
    from daypass.model.decision import Decision
    from daypass.model.event import Event
    from daypass.model.tree import TreeEntry
    from daypass.policy.compiled import CompiledPolicies

_INPUT: Final = "    {"  # of a decision, in a message
_LONGEST: Final = 1 << 20  # characters of such a line: GitHub takes no message of that size
_REFUSES: Final = OF_PULL_REQUEST | {EventKind.DENIED, EventKind.LAPSED}
_BESIDE: Final = "decided by main before the merge too"  # as the body of a denial says it


class Library(Protocol):
    """What a replay needs of a clone."""

    def walk(self, commit: str) -> Iterator[RawCommit]:
        """First-parent commits from `commit` back, newest first."""

    def touching(self, since: str | None, until: str, paths: Sequence[str]) -> tuple[str, ...]:
        """First-parent commits in (since, until] that change one of `paths`, oldest first."""

    def entries(self, commit: str, folder: str) -> Sequence[TreeEntry]:
        """All entries below a folder of that commit's tree."""

    def blobs(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        """The contents of blobs."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision as git holds it: its input, and the digests that were recorded with it."""

    facts: DecisionInput
    commit: str
    input_digest: str
    policy_digest: str
    effect: str  # as it was recorded
    beside: str = ""  # what main's documents before the merge said, where they differed
    signed: bool | None = None  # by a key of access/allowed_signers; None: there are none


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that ended a request before it came to a decision."""

    event: Event
    commit: str
    why: tuple[str, ...]  # lines for people
    signed: bool | None  # as of a decision
    fault: str | None = None  # why the decision that its message tells of cannot be read


def recorded_decision(library: Library, head: str, grant_id: str) -> Recorded | None:
    """The decision on that request; None if none is recorded up to `head`.

    Raises:
        DocumentError: what is recorded cannot be read.
    """
    signers = counting_signers(library, head)
    found = _granted(library, head, grant_id, signers) or _denied(library, head, grant_id, signers)
    if found is None or signers is None:
        return found
    return replace(found, signed=_is_signed(library, found.commit, signers))


def refusal_of(library: Library, head: str, grant_id: str) -> Refusal | None:
    """What refused that request without a decision, by the newest such event up to `head`."""
    signers = counting_signers(library, head)
    for commit, event, text in _refusals(library, head, grant_id, signers):
        if event.kind not in _REFUSES:
            continue
        _title, _blank, rest = text.rstrip("\n").partition("\n\n")
        body = rest.rpartition("\n\n")[0]
        why = tuple(line for line in body.split("\n") if line and not line.startswith(_INPUT))
        signed = _is_signed(library, commit, signers) if signers is not None else None
        return Refusal(event, commit, why, signed, _fault(commit, event, text))
    return None


def _fault(commit: str, event: Event, text: str) -> str | None:
    line = _input_line(text)
    if line is None or event.first("Daypass-Decision") is None:
        return None
    try:
        _parsed(line, f"the message of {commit[:12]}")
    except DocumentError as error:
        return error.message
    return None


def unsigned(commit: str, *, signed: bool | None) -> list[str]:
    """The note of what no key signed; none where it is signed, or where no keys are listed."""
    if signed is not False:
        return []
    note = (
        f"no key of {ALLOWED_SIGNERS_PATH} signed {commit[:12]}: anybody can have written what is "
        "shown. Run `daypass audit verify`"
    )
    return [note]


def policies_at(library: Library, commit: str) -> CompiledPolicies:
    """The policies of that commit. Raises DocumentError when its documents are wrong."""
    catalogue = catalogue_of(library, commit)
    return compile_rules(catalogue)


def differences(recorded: Recorded, decision: Decision, *, today: bool) -> list[str]:
    """How the replay differs from what was recorded; `today`: it used other policies on purpose."""
    notes = []
    if decision.input_digest != recorded.input_digest:
        notes.append("the recorded input is not the one whose digest was recorded")
    notes += unsigned(recorded.commit, signed=recorded.signed)
    if not today and not recorded.beside and str(decision.effect) != recorded.effect:
        notes.append(f"decided again it is {decision.effect}, and {recorded.effect} was recorded")
    if not today and decision.policy_digest != recorded.policy_digest:
        notes.append("the policies of that commit are not the ones whose digest was recorded")
    return notes


def _is_signed(library: Library, commit: str, signers: Signers) -> bool:
    return is_signed(parse_commit(next(iter(library.walk(commit))).raw), signers, commit)


def _newest_first(
    library: Library, head: str, paths: Sequence[str], signers: Signers | None
) -> list[str]:
    """The commits that touch the paths: what is signed comes before what anybody can write."""
    found = list(reversed(library.touching(None, head, paths)))
    if signers is None:
        return found
    return sorted(found, key=lambda commit: not _is_signed(library, commit, signers))


def _granted(
    library: Library, head: str, grant_id: str, signers: Signers | None
) -> Recorded | None:
    path = grant_path(grant_id)
    for commit in _newest_first(library, head, [path], signers):
        entries = library.entries(commit, path)
        if entries:  # else it is the commit that removed the record again
            record = load_grant(path, library.blobs([entries[0].blob])[entries[0].blob])
            facts = _read(record.decision_input, path)
            beside = (
                f"main before the merge, at {record.base.commit[:12]}, permitted it too; the "
                "stricter of both counted"
                if record.base
                else ""
            )
            digests = (record.decision_digest, record.policy_digest)
            return Recorded(facts, commit, *digests, record.effect, beside)
    return None


def _denied(library: Library, head: str, grant_id: str, signers: Signers | None) -> Recorded | None:
    for commit, event, text in _refusals(library, head, grant_id, signers):
        line, decided = _input_line(text), event.first("Daypass-Decision")
        if line is None or decided is None:
            continue
        try:
            facts = _parsed(line, f"the message of {commit[:12]}")
        except DocumentError:
            if signers is not None and _is_signed(library, commit, signers):
                raise
            continue  # anybody can have written it; `refusal_of` tells that it is there
        policy_digest = event.first("Daypass-Policy") or ""
        beside = next((line[2:] for line in text.split("\n") if _BESIDE in line), "")
        effect, _space, input_digest = decided.partition(" ")
        return Recorded(facts, commit, input_digest, policy_digest, effect, beside)
    return None


def _refusals(
    library: Library, head: str, grant_id: str, signers: Signers | None
) -> Iterator[tuple[str, Event, str]]:
    """What refused that id, with its commit and message: what is signed first, the newest first.

    A request that main never had leaves no trace in its tree: an emergency that was denied while
    its pull request was open, or one that was closed. Its event alone tells of it.
    """
    paths = [request_path(grant_id), break_glass_path(grant_id)]
    commits = _newest_first(library, head, paths, signers)
    if signers is not None:
        events = find_events(library.walk(head), signers, [grant_id])[grant_id]
        commits = [*dict.fromkeys((*(event.commit for event in events), *commits))]
    for commit in commits:
        message = next(iter(library.walk(commit))).raw.partition(b"\n\n")[2]
        with suppress(ValueError):  # somebody's words, made to look like an event's
            found = parse_message(message)
            if found is not None and found.event.grant == grant_id:
                yield commit, found.event, message.decode("utf-8", "replace")


def _input_line(text: str) -> str | None:
    """The line of a message that holds the input of a decision."""
    return next((line for line in text.split("\n") if line.startswith(_INPUT)), None)


def _parsed(line: str, where: str) -> DecisionInput:
    """The input in a line of a message, which may hold anything. Raises DocumentError."""
    if len(line) > _LONGEST:
        raise _unreadable(where, ValueError(f"it is longer than {_LONGEST} characters"))
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _unreadable(where, error) from None
    return _read(value, where)


def _read(value: Any, where: str) -> DecisionInput:
    try:
        return DecisionInput.from_json(value)
    except ValueError as error:
        raise _unreadable(where, error) from error


def _unreadable(where: str, error: Exception) -> DocumentError:
    why = "it is nested too deeply" if isinstance(error, RecursionError) else error
    return DocumentError(
        f"{where}: the recorded input of the decision cannot be read: {why}",
        remedy="Replay it with the release of daypass that recorded it.",
    )
