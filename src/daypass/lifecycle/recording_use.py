"""Recording use: what an ended grant was used for, by the servers' logs, on an overseer's word.

Somebody who oversees the resource reads the logs (`daypass audit activity`), and says a digest and
two counts on the grant's pull request. access-commands notes them, if they may say so; the next
run of apply writes one event. Nothing here can give, end or change access.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from daypass.ledger import history
from daypass.lifecycle.answers import Answer, Result
from daypass.lifecycle.authority import Word, word_on_use
from daypass.lifecycle.context import Answers
from daypass.lifecycle.happening import Happening, make_event
from daypass.model.event import EventKind
from daypass.model.grant import Grant
from daypass.model.intent import Intent, IntentKind
from daypass.model.names import grant_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daypass.lifecycle.commands import Command
    from daypass.lifecycle.context import Ports
    from daypass.lifecycle.happening import Run
    from daypass.lifecycle.observe import Observation
    from daypass.lifecycle.standing import Desk, Main
    from daypass.model.event import RecordedEvent

_ENDS: Final = frozenset({EventKind.EXPIRED, EventKind.REVOKED})
# What the event repeats of the grant's own, so that it can be read by itself.
_REPEATED: Final = frozenset(
    {
        "Daypass-Pull-Request",
        "Daypass-Subject",
        "Daypass-Resource",
        "Daypass-Access",
        "Daypass-Lane",
    }
)


def put_on_record(
    desk: Desk, main: Main, command: Command, *, number: int, account_id: int
) -> Answer:
    """Note what somebody says that a grant was used for. Raises what the ports raise."""
    name = command.grant_id or ""
    answer = partial(Answer, command.grant_id, IntentKind.ACTIVITY)
    refuse = partial(answer, Result.REFUSED)
    if name in main.grants:
        return refuse("it has not ended: what it is used for is not over")
    walk = desk.repository.walk(main.head)
    events = history.find_events(walk, desk.signers, [name])[name]
    issued = _issued(events)
    if issued is None or not any(item.event.kind in _ENDS for item in events):
        return refuse("main knows no grant of that id that has ended")
    (entry,) = desk.repository.entries(issued.commit, grant_path(name))
    grant = Grant.from_bytes(desk.repository.blobs([entry.blob])[entry.blob])
    if grant.pull_request != number:
        return refuse(f"it is of pull request {grant.pull_request}: write it there")
    groups = Answers(desk.forge).groups(main.catalogue)
    word = word_on_use(account_id, grant, main.catalogue, groups)
    if word is Word.UNKNOWN:
        return refuse("GitHub could not say who is in the teams that decide it. Try again")
    if word is not Word.COUNTS:
        return refuse(
            "only owners and approvers of its resource, or the owners of the foundation, may say "
            "so, and nobody who used it, asked for it or answers for its holder"
        )
    desk.registry.write_intent(
        Intent(name, IntentKind.ACTIVITY, account_id, main.now, command.usage)
    )
    return answer(Result.NOTED)


def to_record(ports: Ports, seen: Observation) -> list[Happening]:
    """One event for each use that was noted and does not stand in the evidence yet."""
    world = seen.world
    noted = [
        intent
        for name, intent in sorted(world.intents.items())
        if intent.usage is not None and name not in world.grants
    ]
    if not noted:
        return []
    walk = ports.repository.walk(world.head)
    found = history.find_events(walk, ports.signers, [intent.grant_id for intent in noted])
    told = (_used(intent, found[intent.grant_id], ports.run) for intent in noted)
    return [happening for happening in told if happening is not None]


def _used(intent: Intent, events: Sequence[RecordedEvent], run: Run) -> Happening | None:
    """The event; None if it was recorded before, or if there is no such grant."""
    issued, usage = _issued(events), intent.usage
    if issued is None or usage is None:
        return None
    session = ("Daypass-Session", usage.digest)
    if any(session in item.event.trailers for item in events):
        return None
    repeated = (pair for pair in issued.event.trailers if pair[0] in _REPEATED)
    return Happening(
        make_event(EventKind.SESSION, intent.grant_id, *repeated, session, run=run),
        f"Record what {intent.grant_id} was used for",
        f"Account {intent.account_id} read the servers' logs, and said so at {intent.at}:\n"
        f"- Vault's audit log: {_entries(usage.vault)}\n"
        f"- PostgreSQL's log: {_entries(usage.postgres)}\n\n"
        "Whoever has the logs can make the digest again: `daypass audit activity "
        f"{intent.grant_id}`.",
        is_note=True,
    )


def _entries(number: int | None) -> str:
    return "not read" if number is None else f"{number} that belong to it"


def _issued(events: Sequence[RecordedEvent]) -> RecordedEvent | None:
    return next((item for item in events if item.event.kind is EventKind.ISSUED), None)
