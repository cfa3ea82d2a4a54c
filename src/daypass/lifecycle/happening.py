"""Happenings: an event, the words for it, and the change of the tree that it stands for. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.ledger.compose import revert_title, reverts
from daypass.ledger.record import grant_trailers
from daypass.model.event import TRAILERS, Event, EventKind, Reason
from daypass.model.grant import Lane
from daypass.model.names import break_glass_path, grant_path, obligation_path, request_path
from daypass.model.obligation import Obligation
from daypass.model.target import Confirmed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.lifecycle.plan import Judged
    from daypass.lifecycle.world import RequestFile
    from daypass.model.grant import Grant
    from daypass.model.instant import Instant


@dataclass(frozen=True, slots=True)
class Run:
    """Which run of which workflow writes: `Daypass-Run` and `Daypass-Workflow`."""

    id: str  # <run id>/<attempt>, or `local`
    workflow: str  # owner/repo/.github/workflows/x.yml@ref, or `local`

    def trailers(self) -> tuple[tuple[str, str], ...]:
        """The two trailers."""
        return (("Daypass-Run", self.id), ("Daypass-Workflow", self.workflow))


@dataclass(frozen=True, slots=True)
class Happening:
    """One commit to be: it may only be written onto a head where `requires` still holds."""

    event: Event
    title: str
    body: str
    writes: Mapping[str, bytes] = field(default_factory=dict)
    removes: tuple[str, ...] = ()  # paths, where they are still there
    requires: Mapping[str, str | None] = field(default_factory=dict)  # path → blob; None: absent
    is_note: bool = False  # says something that may change no file
    owes: Obligation | None = None  # what it leaves owed
    since: Instant | None = None  # Vault's time of what it tells of, where it came about just now


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that was merged and is not granted, with all that an auditor may ask about it."""

    grant_id: str
    blob: str
    kind: EventKind
    reason: Reason
    why: tuple[str, ...]  # one line each, for people
    request_commit: str | None = None
    pull_request: int | None = None
    resource: str | None = None
    subject: str | None = None
    access: str | None = None
    effect: str | None = None  # of the decision, if it came to one
    input_digest: str | None = None
    policy_digest: str | None = None
    decision_input: str = ""  # canonical JSON, kept so that the denial can be replayed
    lane: Lane = Lane.ROUTINE
    merged: bool = True  # False: its pull request is open, and is closed with the notice
    unproven: str = ""  # why nothing brought it, where it is refused for something else

    @property
    def path(self) -> str:
        """Where the request lies, or was to lie."""
        return _asked_at(self.grant_id, self.lane)

    def to_json(self) -> dict[str, Any]:
        """As a slot keeps it, so that a killed run's refusal is finished word for word."""
        words = {"kind": str(self.kind), "reason": str(self.reason), "lane": str(self.lane)}
        return asdict(self) | words

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        rest = dict(value)
        return cls(
            kind=EventKind(rest.pop("kind")),
            reason=Reason(rest.pop("reason")),
            why=tuple(rest.pop("why")),
            lane=Lane(rest.pop("lane", Lane.ROUTINE)),
            **rest,
        )


# What every event of a grant repeats of its record, so that each can be read by itself.
_ASKED: Final = frozenset(
    {
        "Daypass-Request",
        "Daypass-Pull-Request",
        "Daypass-Requester",
        "Daypass-Subject",
        "Daypass-Resource",
        "Daypass-Access",
        "Daypass-Lane",
        "Daypass-Not-After",
        "Daypass-Accessor",
    }
)


def make_event(
    kind: EventKind, grant_id: str | None, *trailers: tuple[str, str], run: Run
) -> Event:
    """An event with its trailers in the order in which commits carry them."""
    ordered = sorted((*trailers, *run.trailers()), key=lambda item: TRAILERS.index(item[0]))
    return Event(kind, grant_id, tuple(ordered))


def _asked(grant: Grant) -> tuple[tuple[str, str], ...]:
    return tuple(trailer for trailer in grant_trailers(grant) if trailer[0] in _ASKED)


def _asked_at(grant_id: str, lane: Lane) -> str:
    return break_glass_path(grant_id) if lane is Lane.BREAK_GLASS else request_path(grant_id)


def _request_paths(grant_id: str) -> tuple[str, str]:
    """Where requests of that id can lie. An id is used once, whatever the lane: both go."""
    return (request_path(grant_id), break_glass_path(grant_id))


def grant_title(grant: Grant) -> str:
    """The subject line of a grant's commit; its revert quotes it."""
    word = {Lane.ROUTINE: "Grant", Lane.BREAK_GLASS: "Break glass:"}[grant.lane]
    return f"{word} {grant.subject} {grant.access} on {grant.resource} ({grant.id})"


def issued(grant: Grant, run: Run) -> Happening:
    """A grant: its record appears on main."""
    event = make_event(EventKind.ISSUED, grant.id, *grant_trailers(grant), run=run)
    approvals = len(grant.approvals)
    body = (
        f"{grant.subject} may use {grant.access} on {grant.resource} until {grant.not_after}.\n"
        f"Asked for in pull request #{grant.pull_request}, "
        f"with {approvals} approval{'' if approvals == 1 else 's'} that counted.\n"
        "Vault ends it at that time by itself, whether or not daypass runs."
    )
    if grant.exceptions:
        body += (
            f"\n\nIt rests on an exception: {', '.join(grant.exceptions)}. The decision says which "
            "rules did not count."
        )
    if grant.base is not None:
        body += (
            f"\n\nMain was ruled by other documents before the merge, at {grant.base.commit}.\n"
            f"They permitted it too, with policies {grant.base.policy_digest}\n"
            f"on the input {grant.base.input_digest}. The stricter of both counted."
        )
    writes = {grant_path(grant.id): grant.to_bytes()}
    owed = Obligation.of(grant)
    if owed is not None:
        drill = "This is a drill. " if owed.drill else ""
        body += (
            f"\n\n{drill}Nobody approved it before: it is the emergency lane, in incident "
            f"{owed.incident}.\nSomebody not involved reviews it until {owed.due}."
        )
        writes[obligation_path(grant.id)] = owed.to_bytes()
    return Happening(
        event,
        grant_title(grant),
        body,
        writes=writes,
        requires={
            _asked_at(grant.id, grant.lane): grant.request_blob,
            grant_path(grant.id): None,
        },
        owes=owed,
        since=grant.not_before,
    )


@dataclass(frozen=True, slots=True)
class Begun:
    """What the evidence says of a grant that ends: the commits that its end refers to."""

    issued: str
    failed: str | None = None  # said that an end before could not be confirmed: this resolves it
    asked_at: Instant | None = None  # when a person asked for the end
    looked_for: Confirmed = Confirmed.CREDENTIAL  # what the end was confirmed to be
    # Where a restored Vault forgot the grant: until when what it opened may work at the latest.
    usable_until: Instant | None = None


def ended(
    grant: Grant,
    begun: Begun,
    kind: EventKind,
    reason: Reason,
    ended_at: Instant,
    *,
    record_blob: str | None,
    run: Run,
    judged: Judged | None = None,
) -> Happening:
    """An end that Vault confirmed: the revert of the grant's commit and of its request.

    `record_blob` is None where the record was removed by hand.
    """
    usable_until = begun.usable_until
    event = make_event(
        kind,
        grant.id,
        *_asked(grant),
        *_decision(judged),
        *_asked_end(begun.asked_at),
        ("Daypass-Ended-At", str(ended_at)),
        # What Vault has forgotten, and no look can see, is confirmed by nothing.
        ("Daypass-Usable-Until", str(usable_until))
        if usable_until
        else ("Daypass-Confirmed", str(begun.looked_for)),
        *([("Daypass-Confirms", begun.failed)] if begun.failed else []),
        ("Daypass-Reason", str(reason)),
        run=run,
    )
    what = "Its time was up" if kind is EventKind.EXPIRED else f"It was ended early: {reason}"
    confirmed = "Vault confirmed that nothing of it lives."
    if usable_until is not None:
        confirmed = (
            "Vault was restored from a backup that is older\nthan this grant, and has forgotten "
            f"it. What it opened may be used until {usable_until}\nat the latest, unless it is "
            "locked out in the target system."
        )
    body = (
        f"{reverts(begun.issued)}\n\n"
        f"{what}. {confirmed}\n{_AT_TARGET[begun.looked_for]}"
        f"The request that commit {grant.request_commit or begun.issued} brought is taken back "
        "with it."
    )
    if record_blob is None:
        body += "\nIts record had been removed by hand: this commit stands for that removal, too."
    if begun.failed is not None:
        body += f"\nCommit {begun.failed} recorded that this could not be confirmed then."
    if judged is not None:
        body += _replayable([f"- {line}" for line in judged.why], judged.decision_input)
    return Happening(
        event,
        revert_title(grant_title(grant)),
        body,
        removes=(*_request_paths(grant.id), grant_path(grant.id)),
        requires={grant_path(grant.id): record_blob},
        is_note=record_blob is None,  # whoever removed the record may have removed the request, too
    )


_SHOWN: Final = 50  # paths in a message
_AT_TARGET: Final = {
    Confirmed.CREDENTIAL: "",
    Confirmed.SESSIONS: "At the target no log-in of it works, and no session of it is open.\n",
}


def _decision(judged: Judged | None) -> tuple[tuple[str, str], ...]:
    if judged is None:
        return ()
    return (
        ("Daypass-Decision", f"{judged.effect} {judged.input_digest}"),
        ("Daypass-Policy", judged.policy_digest),
    )


def _replayable(lines: list[str], decision_input: str) -> str:
    """Reasons for people, and the input, from which the decision can be made again."""
    text = "\n\n" + "\n".join(lines)
    if decision_input:
        text += "\n\nThe input that was decided on:\n\n    " + decision_input
    return text


def _asked_end(at: Instant | None) -> tuple[tuple[str, str], ...]:
    return (("Daypass-Asked-At", str(at)),) if at is not None else ()


def revoke_failed(
    grant: Grant,
    reason: Reason,
    why: str,
    now: Instant,
    *,
    record_blob: str | None,
    run: Run,
    request: RequestFile | None = None,
    asked_at: Instant | None = None,
) -> Happening:
    """An end that Vault did not confirm: the record stays, and says so.

    Where the record was deleted by hand, its absence does not tell a grant that another run has
    closed meanwhile from one that is yet to be: the request does.
    """
    requires = {grant_path(grant.id): record_blob}
    if record_blob is None and request is not None:
        requires[request.path] = request.blob
    event = make_event(
        EventKind.REVOKE_FAILED,
        grant.id,
        *_asked(grant),
        *_asked_end(asked_at),
        ("Daypass-Reason", str(reason)),
        run=run,
    )
    return Happening(
        event,
        f"Could not end: {grant_title(grant)}",
        f"Vault did not confirm that it is gone: {why}.\nEvery run tries again.",
        writes={grant_path(grant.id): grant.failed(str(reason), now).to_bytes()},
        requires=requires,
    )


def refused(refusal: Refusal, run: Run) -> Happening:
    """A denial, or a lapse: the request is removed from main, with the reason."""
    facts: list[tuple[str, str | None]] = [
        ("Daypass-Request", f"{refusal.request_commit or '-'} {refusal.blob}"),
        ("Daypass-Pull-Request", str(refusal.pull_request) if refusal.pull_request else None),
        ("Daypass-Subject", refusal.subject),
        ("Daypass-Resource", refusal.resource),
        ("Daypass-Access", refusal.access),
        ("Daypass-Lane", None if refusal.lane is Lane.ROUTINE else str(refusal.lane)),
    ]
    if refusal.effect is not None:
        facts.append(("Daypass-Decision", f"{refusal.effect} {refusal.input_digest}"))
        facts.append(("Daypass-Policy", refusal.policy_digest))
    facts.append(("Daypass-Reason", str(refusal.reason)))
    trailers = tuple((name, value) for name, value in facts if value is not None)
    body = _replayable([f"- {line}" for line in refusal.why], refusal.decision_input).lstrip()
    return Happening(
        make_event(refusal.kind, refusal.grant_id, *trailers, run=run),
        f"{'Deny' if refusal.kind is EventKind.DENIED else 'Let lapse'}: {refusal.grant_id}",
        body,
        removes=_request_paths(refusal.grant_id) if refusal.merged else (),
        requires={refusal.path: refusal.blob if refusal.merged else None},
        is_note=not refusal.merged,
    )


def delivered_again(grant: Grant, record_blob: str | None, run: Run) -> Happening:
    """A second delivery of the same grant: its record names the new token."""
    event = make_event(EventKind.DELIVERED_AGAIN, grant.id, *grant_trailers(grant), run=run)
    return Happening(
        event,
        f"Deliver again: {grant_title(grant)}",
        f"The token of before was revoked. What is left of the time, until {grant.not_after},\n"
        "was minted anew. A grant is delivered again once at the most.",
        writes={grant_path(grant.id): grant.to_bytes()},
        requires={
            _asked_at(grant.id, grant.lane): grant.request_blob,
            grant_path(grant.id): record_blob,
        },
    )


def orphaned(accessor_digest: str, run: Run) -> Happening:
    """A token of daypass's own roles that no grant on main knows, found and revoked."""
    event = make_event(
        EventKind.DRIFT,
        None,
        ("Daypass-Accessor", accessor_digest),
        ("Daypass-Reason", str(Reason.ORPHAN)),
        run=run,
    )
    return Happening(
        event,
        "Revoke a token that no grant knows",
        "It was minted through a token role of daypass's own, and main has no such grant: what a\n"
        "run left that was killed while it minted, or something that was minted behind its back.\n"
        "Vault's audit log tells which.",
        is_note=True,
    )


def repaired(restored: Mapping[str, bytes], forged: tuple[str, ...], run: Run) -> Happening:
    """The bot's folders, put back to what its last signed commit said."""
    all_of_them = sorted((*restored, *forged))
    paths = "\n".join(f"- {path}" for path in all_of_them[:_SHOWN])
    if len(all_of_them) > _SHOWN:
        paths += f"\n- and {len(all_of_them) - _SHOWN} more: see `git show --stat`"
    reason = ("Daypass-Reason", str(Reason.RECORD_CHANGED))
    event = make_event(EventKind.DRIFT, None, reason, run=run)
    return Happening(
        event,
        "Put back records that were changed by hand",
        f"Only the bot writes here. These differed from its last signed commit:\n{paths}",
        writes=restored,
        removes=forged,
    )
