"""`daypass break-glass --offline`: take access of Vault itself, on the day when GitHub is down.

Nobody is asked and nothing is fetched: this clone's main, as its evidence key signed it last, says
what may be taken, Vault whether this log-in may. The next run of access-apply finds it, writes it
down, and calls for its review.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.adapters import core_dumps, holder_token
from daypass.adapters.handover import Handful, lost, told_as_loss
from daypass.adapters.handover_command import Command
from daypass.cli import output, proposing, wiring
from daypass.cli.claim import earlier_end
from daypass.cli.connecting import prepare, tell_opening
from daypass.cli.interrupts import held_signals, name_of
from daypass.cli.main_at_hand import settings_to_end_by
from daypass.cli.receiver import choose_receiver
from daypass.documents.repository import catalogue_of, check_break_glass, load_break_glass
from daypass.documents.writing import written
from daypass.errors import DaypassError, DeniedError, DocumentError, ExitCode, UsageError
from daypass.ledger.counting_signers import counting_signers
from daypass.ledger.history import read_tip
from daypass.lifecycle.marks import offline_marks
from daypass.lifecycle.offline import offline_roles
from daypass.model.delivery import Origin
from daypass.model.names import Kind, break_glass_path
from daypass.model.resource import EMERGENCY_CAP

if TYPE_CHECKING:
    import argparse
    from pathlib import Path
    from typing import Any

    from daypass.adapters.handover import Receiver
    from daypass.adapters.vault.offline import OfflineOrder
    from daypass.adapters.vault.session import Session
    from daypass.cli.interrupts import Held
    from daypass.lifecycle.offline import OfflineRole
    from daypass.model.breakglass import BreakGlassRequest
    from daypass.model.catalogue import Catalogue
    from daypass.model.identity import Identity
    from daypass.model.instant import Instant
    from daypass.model.settings import Settings

_HOW: Final = (
    "Run a command with it: `-- psql`. Or: `--format env` (for `eval`), `--format json`, "
    "`--format file --output PATH`. Nothing was taken."
)
_HELD: Final = "stopping: the access is being taken, so that is waited for"


@dataclass(frozen=True, slots=True)
class _Given:
    """What was taken, as it is handed over."""

    id: str
    engine: str
    resource: str
    access: str
    not_after: Instant
    pull_request: int | None = None


def run(arguments: argparse.Namespace, spec: dict[str, Any]) -> ExitCode:
    """Mint with the invoker's own log-in, leave word of it, open it, and hand it over.

    `spec` is that of a request of the emergency lane, but for its subject: that Vault says.
    """
    from daypass.adapters.vault import offline

    core_dumps.hide_memory()
    form = None if arguments.format == "text" else arguments.format
    receiver = choose_receiver(arguments.command, form, arguments.output, _HOW)
    directory = wiring.directory_of(arguments.directory)
    here = settings_to_end_by(directory)  # GitHub may be away
    catalogue = _catalogue(directory, here)
    settings = catalogue.settings
    output.note(f"asking Vault at {Origin.of(settings).place}")
    with ExitStack() as holding:
        with wiring.operator(directory, settings) as session:
            who = offline.who_is_logged_in(session)
            subject = _invoker(who.entity_id, catalogue)
            request = _request(spec, subject, catalogue)
            name, role = _role(request, catalogue)
            order = offline.OfflineOrder(
                grant_id=request.id,
                token_role=name,
                credential_path=f"{role.level.mount}/creds/{role.tier.role}",
                seconds=_seconds(request, who.ends, session),
                meta=offline_marks(request, repository_id=settings.github.repository_id),
            )
            tell_opening("taking", Origin.of(settings), role.resource, role.level.engine)
            held = holding.enter_context(held_signals(_HELD))
            handful = _receive(session, settings, order, role, receiver, held)
        _hand_over(handful, receiver, held)
    held.stop(f"stopped when the credential of {order.grant_id} was handed over: it is received")
    return ExitCode.DONE


def _receive(
    session: Session,
    settings: Settings,
    order: OfflineOrder,
    role: OfflineRole,
    receiver: Receiver,
    held: Held,
) -> Handful:
    """Prepare all that can be, and take it. Raises StoppedError before that only."""
    try:
        prepare(receiver, role.resource, role.level.engine)
        held.stop_before("nothing was taken")
        return _take(session, settings, order, role)
    except BaseException:
        receiver.abandon()
        raise


def _hand_over(handful: Handful, receiver: Receiver, held: Held) -> None:
    given = handful.grant
    with told_as_loss(given.id, None):
        output.note(f"{given.id}: {given.access} on {given.resource} until {given.not_after}")
        output.note(
            f"end it with `daypass done {given.id}`. The next run of access-apply writes it down, "
            "and somebody not involved reviews it within a day"
        )
        if held.number is not None and isinstance(receiver, Command):
            raise lost(given.id, None, f"stopped by {name_of(held.number)}")
        receiver.give(handful)


def leave_done(directory: Path, settings: Settings, grant_id: str) -> None:
    """Say that it is needed no more, with one's own log-in, so that its end is no surprise.

    What fails is told, and changes nothing: the access has ended.
    """
    from daypass.adapters.vault import offline

    try:
        with wiring.operator(directory, settings) as session:
            offline.leave_done(session, settings.vault.kv_mount, grant_id)
    except DaypassError as error:
        output.note(f"word that {grant_id} is needed no more could not be left: {error.message}")


def _take(session: Session, settings: Settings, order: OfflineOrder, role: OfflineRole) -> Handful:
    from daypass.adapters.vault import offline

    minted = offline.mint(session, settings.vault.kv_mount, order)
    with told_as_loss(order.grant_id, None):
        try:
            origin = Origin.of(settings)
            holder_token.keep(order.grant_id, minted.token, minted.accessor, origin)
        except OSError as error:
            output.note(f"warning: its own token could not be kept ({error.strerror})")
        try:
            opened = offline.read_credential(session, minted.token, order)
        except DaypassError as error:
            raise lost(order.grant_id, None, error.message) from error
        ends = earlier_end(order.grant_id, minted.not_after, opened.ends)
        given = _Given(order.grant_id, role.level.engine, role.resource.name, role.level.name, ends)
        return Handful(given, role.resource, opened.credential)


def _catalogue(directory: Path, here: Settings) -> Catalogue:
    """Main, as its evidence key signed it last; before there is any evidence, as it is here.

    What was pushed since then says nothing of where the access leads: a run has yet to judge it.
    Raises GitError, DocumentError, EvidenceError.
    """
    keys = wiring.pinned_keys(directory, ())
    with wiring.person_repository(directory, here) as repository:
        head = repository.head()
        signers = counting_signers(repository, head, keys)
        tip = read_tip(repository.walk(head), signers) if signers is not None else None
        commit = head if tip is None else tip.commit
        how = "this clone last fetched it" if tip is None else "its evidence key signed it last"
        output.note(f"going by main at {commit[:12]}, as {how}")
        later = repository.touching(commit, head, ["access"])
        if later:
            output.note(
                f"warning: main has changed access/ since then, {len(later)} times, which does not "
                "count here"
            )
        return catalogue_of(repository, commit)


def _invoker(entity_id: str, catalogue: Catalogue) -> Identity:
    """Who is logged in, if they may take anything offline. Raises DeniedError."""
    lane = catalogue.settings.break_glass
    if lane is None or lane.offline is None:
        raise DeniedError(
            "nothing can be taken offline here: access/daypass.yaml has no `breakGlass.offline`",
            remedy="Without GitHub, whoever runs Vault must help.",
        )
    who = catalogue.identity_of_entity(entity_id)
    if who is None or who.name not in lane.offline.invokers:
        raise DeniedError(
            f"{who.name if who else f'the entity {entity_id}'} may take nothing offline",
            remedy="access/daypass.yaml names who may, in `breakGlass.offline.invokers`: "
            f"{', '.join(lane.offline.invokers)}.",
        )
    return who


def _request(spec: dict[str, Any], who: Identity, catalogue: Catalogue) -> BreakGlassRequest:
    """What is asked, checked as the next run will check it. Raises DocumentError."""
    request_id = proposing.new_id("bg", who.name, str(spec["resource"]))
    content = written(Kind.BREAK_GLASS_REQUEST, request_id, {"subject": who.name, **spec})
    request = load_break_glass(break_glass_path(request_id), content)
    findings = check_break_glass(request, catalogue)
    if findings:
        raise DocumentError(findings[0].message, remedy=findings[0].remedy, findings=findings)
    return request


def _role(request: BreakGlassRequest, catalogue: Catalogue) -> tuple[str, OfflineRole]:
    """The role that lasts long enough. Raises DeniedError: that level cannot be taken offline."""
    asked = request.asked
    found = [
        (name, role)
        for name, role in offline_roles(catalogue).items()
        if (role.resource.name, role.level.name) == (asked.resource, asked.access)
        and role.tier.length >= asked.duration
    ]
    if not found:
        raise DeniedError(
            f"{asked.access} on {asked.resource} cannot be taken offline",
            remedy="access/daypass.yaml says what can, in `breakGlass.offline.levels`.",
        )
    return min(found, key=lambda pair: pair[1].tier.length)


def _seconds(request: BreakGlassRequest, ends: Instant | None, session: Session) -> int:
    """How long it lasts: never longer than the log-in that it is a part of."""
    wanted = min(request.asked.duration, EMERGENCY_CAP).seconds
    left = int(ends.since(session.now())) if ends is not None else wanted
    if left < wanted:
        output.note(f"your log-in ends in {max(left, 0)} s, and this with it")
    if left < 1:
        raise UsageError("your log-in to Vault is about to end", remedy="Log in again.")
    return min(wanted, left)
