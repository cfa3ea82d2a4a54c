"""Claiming: which delivery is the one that the evidence names. Nothing is opened here.

What a person is given rests on the bot's signed commit, not on what lies on main or in a comment
today: record, resource and settings are read from the tree of the commit that issued the grant. So
whoever can push to main, or edit a comment, can neither swap the token nor send its holder, with
it, to another Vault, GitHub or database.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from daypass.documents.document import read_document
from daypass.documents.nearby import named
from daypass.documents.records import load_grant
from daypass.errors import ClaimError, DocumentError, EvidenceError, UnknownGrantError, UsageError
from daypass.ledger import sshsig
from daypass.ledger.allowed_signers import Signers
from daypass.ledger.commitobject import parse_commit
from daypass.ledger.counting_signers import counting_signers
from daypass.ledger.history import begins_life, find_events
from daypass.ledger.records import compare
from daypass.lifecycle.messages import delivery_marker
from daypass.model.canonical import digest_bytes
from daypass.model.event import CLOSES, OF_PULL_REQUEST, EventKind
from daypass.model.grant import Grant
from daypass.model.names import (
    ALLOWED_SIGNERS_PATH,
    SETTINGS_PATH,
    break_glass_path,
    grant_path,
    is_name,
    names_of,
    request_path,
)
from daypass.model.resource import Resource
from daypass.model.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from daypass.lifecycle.ports import Repository
    from daypass.model.event import RecordedEvent
    from daypass.model.pullrequest import Comment

T = TypeVar("T")
_ARMOR: Final = re.compile(
    r"^-----BEGIN AGE ENCRYPTED FILE-----$.*?^-----END AGE ENCRYPTED FILE-----$",
    re.DOTALL | re.MULTILINE,
)
_WRAPPING: Final = "Daypass-Wrapping"
_DELIVERIES: Final = (EventKind.ISSUED, EventKind.DELIVERED_AGAIN)
_ALARM: Final = (
    "Do not use it. Tell your security team, and comment `/not-me {id}` on the pull request: it "
    "ends the grant and raises an alarm."
)


@dataclass(frozen=True, slots=True)
class Claimable:
    """A live grant, proven by the evidence, and where to go with it."""

    grant: Grant
    resource: Resource
    settings: Settings
    evidence_key: str  # the fingerprint of the key that signed its delivery


@dataclass(frozen=True, slots=True)
class Unproven:
    """A grant by its record on main, which may be forged, and this clone's own settings.

    Good for asking on GitHub that it be ended: nothing is opened, and daypass judges the word.
    """

    grant: Grant
    settings: Settings


def look_up(grant_id: str, repository: Repository, fingerprints: Sequence[str]) -> Claimable:
    """Find a live grant on main, and the signed event that issued it.

    Args:
        grant_id: as the request names it.
        repository: a clone that has just fetched.
        fingerprints: of the evidence keys, known from elsewhere; none believes the repository.

    Raises:
        UsageError: that can be no id.
        ClaimError: there is no such grant, not yet, or not any more.
        EvidenceError: the record is not the one that the bot signed.
        GitError: the clone is shallow or broken.
    """
    if not is_name(grant_id):
        raise UsageError(
            f"{grant_id!a} is no grant id", remedy="It is the name of the request's file, unended."
        )
    repository.assert_complete()
    head = repository.head()
    signers = _trusted(repository, head, fingerprints)
    events = find_events(repository.walk(head), signers, [grant_id])[grant_id]
    on_main = _blob_at(repository, head, grant_path(grant_id))
    if on_main is None:
        events = [item for item in events if item.event.kind not in OF_PULL_REQUEST] or events
        if events and not any(map(_is_over, events)):
            raise _forged(grant_id, "it is gone, and no event says that the grant has ended")
        asked = any(
            _blob_at(repository, head, path(grant_id)) is not None
            for path in (request_path, break_glass_path)
        )
        raise _no_grant(grant_id, events, asked=asked) or _unknown(grant_id, repository, head)
    return _proven(grant_id, repository, on_main, events)


def record_on_main(grant_id: str, repository: Repository) -> Grant | None:
    """The grant by its record on main alone; None where that is missing, or cannot be read."""
    path = grant_path(grant_id)
    data = _read(repository, repository.head(), path)
    try:
        grant = None if data is None else load_grant(path, data)
    except DocumentError:
        return None
    return grant if grant is not None and grant.id == grant_id else None


def record_as_issued(grant_id: str, repository: Repository) -> Grant | None:
    """The grant by its record in the newest signed commit that delivered it.

    For a record that is gone from main, or was spoilt there. None where no event brought it.
    """
    head, path = repository.head(), grant_path(grant_id)
    try:
        signers = _trusted(repository, head, ())
        events = find_events(repository.walk(head), signers, [grant_id])[grant_id]
        delivered = next((item for item in events if item.event.kind in _DELIVERIES), None)
        data = _read(repository, delivered.commit, path) if delivered is not None else None
        return None if data is None else load_grant(path, data)
    except (EvidenceError, DocumentError):
        return None


def find_ciphertext(grant: Grant, comments: Iterable[Comment], app_user_id: int) -> str:
    """The sealed delivery among a pull request's comments, exactly as the evidence digests it.

    Raises:
        ClaimError: there is none, or one that is not the App's, or not what the App wrote.
    """
    markers = {delivery_marker(grant.id), delivery_marker(grant.id, again=True)}
    marked = [item for item in comments if item.body.partition("\n")[0].strip() in markers]
    ours = [item for item in marked if item.author_id == app_user_id]
    for comment in ours:
        for armored in _ARMOR.findall(comment.body.replace("\r\n", "\n")):
            whole = f"{armored}\n"
            if digest_bytes(whole.encode()) == grant.delivery.ciphertext:
                return whole
    if ours:
        raise ClaimError(
            f"the delivery of grant {grant.id} was changed after it was posted ({ours[0].url})",
            remedy=_ALARM.format(id=grant.id),
        )
    if marked:
        raise ClaimError(
            f"a comment that is not the App's pretends to deliver grant {grant.id} "
            f"({marked[0].url})",
            remedy=_ALARM.format(id=grant.id),
        )
    raise ClaimError(
        f"the delivery of grant {grant.id} is not on pull request #{grant.pull_request}",
        remedy="If it was granted in the last minutes, wait for the run of access-apply to end. "
        f"If the comment was deleted, comment `/redeliver {grant.id}` there.",
    )


def _trusted(repository: Repository, head: str, fingerprints: Sequence[str]) -> Signers:
    """The signers that count; if some were named from outside, those, and those of their line."""
    trusted = counting_signers(repository, head, fingerprints) or Signers(())
    if trusted.all():
        return trusted
    if _blob_at(repository, head, ALLOWED_SIGNERS_PATH) is None:
        raise EvidenceError(
            f"main has no {ALLOWED_SIGNERS_PATH}",
            remedy="Is this the governed repository? `daypass vault apply` prints that file; it "
            "comes to main by a pull request.",
        )
    raise EvidenceError(
        f"{ALLOWED_SIGNERS_PATH} has no key {' or '.join(fingerprints) or 'at all'}",
        remedy="Compare it with the fingerprint that your security team published. Somebody "
        "may have replaced the evidence key.",
    )


def _no_grant(grant_id: str, events: Sequence[RecordedEvent], *, asked: bool) -> ClaimError | None:
    """Why there is no record on main; None where main knows nothing of that id."""
    if events and not (asked and events[0].event.kind in OF_PULL_REQUEST):
        # What came after its end, a review for example, does not say when that was.
        last = next(item.event for item in events if _is_over(item))
        when = last.first("Daypass-Ended-At") or "see `daypass audit log`"
        return ClaimError(
            f"grant {grant_id} has ended: {last.kind} ({when})",
            remedy="Ask again with a new request. It can name this one in `renews`, unless it was "
            "taken away.",
        )
    if asked:
        return ClaimError(
            f"request {grant_id} is merged, and not yet issued",
            remedy="The run of access-apply that issues it is under way, or failed: look at its "
            "log. The pull request gets a comment either way.",
        )
    return None


def _is_over(recorded: RecordedEvent) -> bool:
    """Whether that event says that the id gives nothing (any more)."""
    kind = recorded.event.kind
    return (
        kind in CLOSES
        or kind in OF_PULL_REQUEST
        or (kind is EventKind.DENIED and begins_life(recorded))
    )


def _unknown(grant_id: str, repository: Repository, head: str) -> UnknownGrantError:
    """Main knows nothing of it: a slip of the keyboard, or not merged yet."""
    folders = ("access/grants", "access/requests", "access/break-glass")
    entries = (entry for folder in folders for entry in repository.entries(head, folder))
    hint, remedy = named(
        grant_id,
        sorted(names_of(entry.path for entry in entries)),
        "Check the id (`daypass status` lists what is live) and whether the pull request is "
        "merged.",
    )
    return UnknownGrantError(f"main knows no grant and no request {grant_id}{hint}", remedy=remedy)


def _proven(
    grant_id: str,
    repository: Repository,
    on_main: str,
    events: Sequence[RecordedEvent],
) -> Claimable:
    """The grant as the bot signed it, if that is what lies on main."""
    if events and events[0].event.kind is EventKind.REVOKE_FAILED:
        raise ClaimError(
            f"grant {grant_id} is being ended",
            remedy="Ask again with a new request.",
        )
    delivered = next((item for item in events if item.event.kind in _DELIVERIES), None)
    if delivered is None:
        raise _forged(grant_id, "no event that the evidence key signed brought it there")
    if _blob_at(repository, delivered.commit, grant_path(grant_id)) != on_main:
        raise _forged(grant_id, "somebody else has changed it since it was issued")
    record = repository.blobs([on_main])[on_main]
    fault = next(compare(delivered, record), None)
    if fault is not None:
        raise _forged(grant_id, f"commit {delivered.commit} says something else: {fault.message}")
    grant = Grant.from_document(json.loads(record))
    if grant.wrapping is not None and delivered.event.first(_WRAPPING) is None:
        raise _forged(
            grant_id, f"commit {delivered.commit} says something else: it has no {_WRAPPING}"
        )
    return Claimable(
        grant,
        _resource(repository, delivered.commit, grant.resource),
        _settings(repository, delivered.commit),
        _signed_by(repository, delivered.commit),
    )


def _signed_by(repository: Repository, commit: str) -> str:
    """The fingerprint of the key that signed that commit, which is an event already."""
    parsed = parse_commit(next(iter(repository.walk(commit))).raw)
    return sshsig.fingerprint(sshsig.verified_key(parsed.signature or b"", parsed.signed_payload))


def _forged(grant_id: str, because: str) -> EvidenceError:
    return EvidenceError(
        f"the record of grant {grant_id} on main does not hold: {because}",
        remedy="Run `daypass audit verify`. " + _ALARM.format(id=grant_id),
    )


def _settings(repository: Repository, commit: str) -> Settings:
    return _model(repository, commit, SETTINGS_PATH, Settings)


def _resource(repository: Repository, commit: str, name: str) -> Resource:
    return _model(repository, commit, f"access/resources/{name}.yaml", Resource)


def _model(repository: Repository, commit: str, path: str, kind: type[T]) -> T:
    model = read_document(path, _demanded(repository, commit, path)).model
    if not isinstance(model, kind):
        raise TypeError(f"{path} is read as {type(model).__name__}")  # its folder says its kind
    return model


def _demanded(repository: Repository, commit: str, path: str) -> bytes:
    data = _read(repository, commit, path)
    if data is None:
        raise EvidenceError(
            f"commit {commit} has no {path}",
            remedy="Is this the governed repository? If it is, run `daypass audit verify`.",
        )
    return data


def _read(repository: Repository, commit: str, path: str) -> bytes | None:
    blob = _blob_at(repository, commit, path)
    return None if blob is None else repository.blobs([blob])[blob]


def _blob_at(repository: Repository, commit: str, path: str) -> str | None:
    folder = path.rpartition("/")[0]
    entries = repository.entries(commit, folder)
    return next((entry.blob for entry in entries if entry.path == path), None)
