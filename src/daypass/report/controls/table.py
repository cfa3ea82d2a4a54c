"""The table of requirements, with the ids of the frameworks that they answer to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.model.event import Reason
from daypass.report.controls import catalogue, exceptions, keeping, lives
from daypass.report.controls.control import Control, Finding, unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from daypass.report.ground import Ground


def _outside(shown: str) -> Callable[[Ground], Finding]:
    return lambda _ground: unknown(shown)


CONTROLS: Final[tuple[Control, ...]] = (
    Control(
        "R1",
        "A resource without owners, type, sensitivity or maximum is refused",
        ("CSF ID.AM-05", "800-53 CM-8"),
        catalogue.resources_described,
    ),
    Control(
        "R2",
        "An identity has one type; every non-human one has two living human owners",
        ("800-53 AC-2", "CSF PR.AA-01", "OWASP NHI1"),
        catalogue.identities_owned,
    ),
    Control(
        "R3",
        "No rule matches, or a rule or its context fails: denied",
        ("800-53 AC-3",),
        lives.denied_by_default,
    ),
    Control(
        "R4",
        "The same input gives byte-identical decisions everywhere",
        ("800-207 PDP",),
        lives.decided_alike,
    ),
    Control(
        "R5",
        "A past decision is replayed from its recorded input and policy digest",
        ("800-53 AU-3", "800-53 AU-12"),
        lives.replayable,
    ),
    Control(
        "R6",
        "Posture never comes from the requester; stale posture is unknown, and denies where "
        "sensitivity is high",
        ("800-207 tenets 4, 5",),
        lives.context_known,
    ),
    Control(
        "R7",
        "A grant for one path opens no other; bound to identity, device, network where possible",
        ("800-53 AC-6", "OWASP NHI5"),
        _outside("Vault's policies enforce it: `daypass vault doctor` compares them"),
    ),
    Control(
        "R8",
        "The least of all durations counts, and the credential dies on time by itself",
        ("800-53 AC-2(2)", "OWASP NHI7"),
        lives.bounded,
    ),
    Control(
        "R9",
        "Renewals are new, linked requests, with a rolling cap",
        ("800-53 AC-6(7)",),
        lives.renewals_linked,
    ),
    Control(
        "R10",
        "The holder says done: ended within a run, no approval needed",
        ("800-53 AC-2(3)",),
        lives.ended_by(Reason.DONE, "no holder said done"),
    ),
    Control(
        "R11",
        "A revocation that cannot be confirmed is revoke-failed, never revoked",
        ("800-53 AC-2(4)",),
        lives.confirmed,
    ),
    Control(
        "R12",
        "Approvals by author, subject, sponsor, bot, agent or outsider count 0",
        ("800-53 AC-5", "CSF PR.AA-05"),
        lives.independent,
    ),
    Control(
        "R13",
        "High sensitivity: two approvers, the owner among them; low may be approved by policy",
        ("800-53 AC-6(1)",),
        lives.two_for_high,
    ),
    Control(
        "R15",
        "A workload that authenticates with a static secret is denied unless excepted",
        ("OWASP NHI4", "OWASP NHI7"),
        catalogue.workloads_authenticate,
    ),
    Control(
        "R16",
        "An agent without sponsor, intent, tools or end is denied; a halt ends all in one run",
        ("AI RMF MAP 3.5", "AI RMF MANAGE 2.4"),
        catalogue.agents_sponsored,
    ),
    Control(
        "R17",
        "A human who asks to act as an NHI is denied unless excepted and attributed",
        ("OWASP NHI10",),
        exceptions.machines_act_alone,
    ),
    Control(
        "R18",
        "A vendor without a sponsor, or past its contract, is denied; access ends with it",
        ("800-53 PS-7", "OWASP NHI3"),
        catalogue.vendors_bound,
    ),
    Control(
        "R19",
        "A shared account has one holder at a time, and is rotated when given back",
        ("800-53 AC-2", "OWASP NHI9"),
        lives.shared_alone,
    ),
    Control(
        "R20",
        "One NHI is not in production and elsewhere",
        ("OWASP NHI8",),
        lives.environments_apart,
    ),
    Control(
        "R21",
        "Break-glass: an hour at the most, own lane, reviewed within 24 h by somebody not involved",
        ("800-53 AC-2(2)", "800-53 AC-5"),
        lives.emergencies,
    ),
    Control(
        "R22",
        "An exception is never longer, less recorded or less reviewed than what it excepts",
        ("800-53 AC-3",),
        exceptions.excepted_bounded,
    ),
    Control(
        "R23",
        "Each run decides every live grant again; denied means ended",
        ("800-207 tenets 3, 4, 6",),
        lives.decided_again,
    ),
    Control(
        "R24",
        "A recording that is required and missing is an evidence gap",
        ("800-53 AU-12", "800-53 AC-6(9)"),
        lives.recorded,
    ),
    Control(
        "R25",
        "A clone, offline, tells request, decision, approvals, issue and end of each grant",
        ("800-53 AU-2", "800-53 AU-3", "800-53 AU-6"),
        lives.told_whole,
    ),
    Control(
        "R26",
        "An event rewritten, dropped, unsigned or reordered is named by verify",
        ("800-53 AU-9", "800-53 AU-10"),
        lives.no_step_is_missing,
    ),
    Control(
        "R27",
        "A legacy static secret is a dated exception, rotated after use, and in every report",
        ("800-53 IA-5", "OWASP NHI7"),
        exceptions.static_secrets_listed,
    ),
    Control(
        "R28",
        "What is older than its rotation gets no new grant, and is listed",
        ("800-53 IA-5", "OWASP NHI7"),
        catalogue.rotated,
    ),
    Control(
        "R29",
        "Both owners gone: orphaned; no new grants, live ones ended after a grace",
        ("800-53 AC-2(3)", "OWASP NHI1"),
        catalogue.orphans,
    ),
    Control(
        "R30",
        "Offboarded: live grants ended, open requests blocked, the id never used again",
        ("800-53 PS-4",),
        catalogue.offboarded,
    ),
    Control(
        "R31",
        "Every six months a recertification; unanswered means suspended",
        ("800-53 AC-6(7)",),
        catalogue.recertified,
    ),
    Control(
        "R32",
        "No secret in any git object, log, comment, artifact or traceback",
        ("OWASP NHI2",),
        _outside("canaries go through every flow of daypass's own tests; here, a scanner says it"),
    ),
    Control(
        "R34",
        "Evidence younger than the retention is not dropped; an export leaves the platform",
        ("800-53 AU-11", "800-53 AU-9(2)"),
        keeping.retained,
    ),
    Control(
        "R35",
        "An inventory of governed against all known paths, the riskiest first",
        ("800-53 CM-8",),
        _outside("nothing in this repository lists what exists outside it"),
    ),
)
