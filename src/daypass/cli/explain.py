"""`daypass explain`: what a rule is for; or why an id was granted or refused, decided once more.

The decision is replayed from what git holds: the input in the record (or in the denial), and the
policies of the commit that recorded it. Whether that evidence is genuine, `daypass audit verify`
says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from daypass.cli import output, wiring
from daypass.documents.records import load_grant
from daypass.documents.repository import load_catalogue
from daypass.errors import DocumentError, ExitCode, PermanentError, UsageError
from daypass.ledger.trailers import parse_message
from daypass.model.decision import Effect, Enforcement
from daypass.model.names import grant_path, is_name, request_path
from daypass.policy.decide import CompiledPolicies, compile_policies, decide, describe_requirements
from daypass.policy.input import DecisionInput

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from daypass.adapters.git.repository import GitRepository
    from daypass.model.decision import Decision

_BESIDE: Final = "decided by main before the merge too"  # as the body of a denial says it
_MARKS: Final = {
    Effect.PERMIT: ("holds  ", "green"),
    Effect.DENY: ("denies ", "red"),
    Effect.INDETERMINATE: ("unknown", "yellow"),
}


@dataclass(frozen=True, slots=True)
class _Recorded:
    """A decision as git holds it: its input, and the digests that were recorded with it."""

    facts: DecisionInput
    commit: str
    input_digest: str
    policy_digest: str
    beside: str = ""  # what main's documents before the merge said, where they differed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and positionals."""
    parser.add_argument(
        "what",
        metavar="ID|RULE",
        help="the id of a request, live or over, or the name of a rule: `two-approvers`, or "
        "POLICY/RULE for a rule of a policy",
    )
    parser.add_argument(
        "--today",
        action="store_true",
        help="decide the same input by the policies of HEAD, not by those of then",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Explain a rule, or replay a decision."""
    told = _rule(arguments.what)
    if told is None:
        directory = wiring.directory_of(arguments.directory)
        return _explain_in(directory, arguments.what, arguments.format, today=arguments.today)
    _show_rule(told, arguments.format)
    return ExitCode.DONE


def _rule(name: str) -> dict[str, str] | None:
    from daypass.documents.rules import RULES as DOCUMENT_RULES
    from daypass.policy.rules import CONDITIONS, DESCRIBED

    decision = DESCRIBED.get(name) or CONDITIONS.get(name)
    if decision is not None:
        return {
            "rule": name,
            "kind": "built-in rule" if name in DESCRIBED else "condition of a policy",
            "purpose": decision.purpose,
            "passes": decision.passes,
            "fails": decision.fails,
            "answers": ", ".join(decision.requirements),
        }
    document = DOCUMENT_RULES.get(name)
    if document is None:
        return None
    return {
        "rule": name,
        "kind": "rule of documents",
        "purpose": document.purpose,
        "passes": document.passing,
        "fails": document.failing,
    }


def _explain_in(directory: Path, what: str, form: str, *, today: bool) -> ExitCode:
    settings = wiring.read_settings(directory)
    with wiring.open_repository(directory, settings, None) as repository:
        head = repository.resolve("HEAD")
        if "/" in what:
            _show_rule(_policy_rule(repository, head, what), form)
            return ExitCode.DONE
        if not is_name(what):
            raise UsageError(f"{what!r} is neither an id nor a rule", remedy=_REMEDY)
        recorded = _granted(repository, head, what) or _denied(repository, head, what)
        if recorded is None:
            raise UsageError(
                f"{what} is no rule, and no decision on it is recorded at HEAD", remedy=_REMEDY
            )
        policies = _policies(repository, head if today else recorded.commit)
    decision = decide(recorded.facts, policies)
    notes = _differences(recorded, decision, today=today)
    if form == "json":
        output.say_json(
            {
                "id": what,
                "recordedAt": recorded.commit,
                "input": recorded.facts.to_json(),
                "decision": decision.to_json(),
                "beforeTheMerge": recorded.beside,
                "differences": notes,
            }
        )
    else:
        _show_decision(what, recorded, decision, policies, notes)
    return ExitCode.EVIDENCE if notes and not today else ExitCode.DONE


_REMEDY: Final = (
    "Give the id of a request that was merged and decided, or the name of a rule as `validate` "
    "and `plan` print it. What merging a request would do, `daypass plan` says."
)


def _policies(repository: GitRepository, commit: str) -> CompiledPolicies:
    catalogue = load_catalogue(repository.entries(commit, "access"), repository.blobs)
    return compile_policies(catalogue.policies.values())


def _granted(repository: GitRepository, head: str, grant_id: str) -> _Recorded | None:
    path = grant_path(grant_id)
    for commit in reversed(repository.touching(None, head, [path])):
        entries = repository.entries(commit, path)
        if entries:  # else it is the commit that removed the record again
            record = load_grant(path, repository.blobs([entries[0].blob])[entries[0].blob])
            facts = _read(record.decision_input, path)
            beside = (
                f"main before the merge, at {record.base.commit[:12]}, permitted it too; the "
                "stricter of both counted"
                if record.base
                else ""
            )
            digests = (record.decision_digest, record.policy_digest)
            return _Recorded(facts, commit, *digests, beside)
    return None


def _denied(repository: GitRepository, head: str, grant_id: str) -> _Recorded | None:
    for commit in reversed(repository.touching(None, head, [request_path(grant_id)])):
        message = next(repository.walk(commit)).raw.partition(b"\n\n")[2]
        event = parse_message(message)
        if event is None or event.event.grant != grant_id:
            continue
        lines = [line for line in message.decode().split("\n") if line.startswith("    {")]
        decided = event.event.first("Daypass-Decision")
        if not lines or decided is None:
            raise PermanentError(
                f"{grant_id} was refused before it came to a decision",
                remedy=f"`git show {commit[:12]}` says why.",
            )
        facts = _read(json.loads(lines[0]), f"the message of {commit[:12]}")
        policy_digest = event.event.first("Daypass-Policy") or ""
        beside = next((line[2:] for line in message.decode().split("\n") if _BESIDE in line), "")
        return _Recorded(facts, commit, decided.partition(" ")[2], policy_digest, beside)
    return None


def _read(value: Any, where: str) -> DecisionInput:
    try:
        return DecisionInput.from_json(value)
    except ValueError as error:
        raise DocumentError(
            f"{where}: the recorded input of the decision cannot be read: {error}",
            remedy="Replay it with the release of daypass that recorded it.",
        ) from error


def _differences(recorded: _Recorded, decision: Decision, *, today: bool) -> list[str]:
    notes = []
    if decision.input_digest != recorded.input_digest:
        notes.append("the recorded input is not the one whose digest was recorded")
    if not today and decision.policy_digest != recorded.policy_digest:
        notes.append("the policies of that commit are not the ones whose digest was recorded")
    return notes


def _policy_rule(repository: GitRepository, head: str, name: str) -> dict[str, str]:
    policy_name, _, rule_name = name.partition("/")
    catalogue = load_catalogue(repository.entries(head, "access"), repository.blobs)
    policy = catalogue.policies.get(policy_name)
    rule = next((item for item in policy.rules if item.name == rule_name), None) if policy else None
    told = _rule(rule_name) if rule is None else None
    if policy is None or (rule is None and told is None):
        raise UsageError(f"there is no rule {name} at HEAD", remedy=_REMEDY)
    about = {"rule": name, "enforcement": str(policy.enforcement), "policy": policy.description}
    if rule is None:
        return {**(told or {}), **about}
    return {
        **about,
        "kind": "free rule of a policy",
        "purpose": rule.message,
        "expression": rule.expression,
    }


def _show_rule(told: dict[str, str], form: str) -> None:
    if form == "json":
        output.say_json(told)
        return
    output.say(f"{output.styled(told['rule'], 'bold')}  ({told['kind']})")
    for key in ("policy", "purpose", "expression", "enforcement"):
        if key in told:
            output.say(f"{key:<12}{output.printable(told[key])}")
    for key, word in (("passes", "passes"), ("fails", "fails"), ("answers", "answers")):
        if key in told:
            text = output.printable(told[key]).rstrip("\n").replace("\n", "\n" + " " * 12)
            output.say(f"{word:<12}{text}")


def _show_decision(
    grant_id: str,
    recorded: _Recorded,
    decision: Decision,
    policies: CompiledPolicies,
    notes: list[str],
) -> None:
    facts = recorded.facts
    request = facts.request
    mark, colour = _MARKS[decision.effect]
    output.say(
        f"{output.styled(grant_id, 'bold')}: {request.access} on {request.resource} for "
        f"{request.subject}, asked by {facts.requester.identity or facts.requester.account_id}"
    )
    effect = output.styled(str(decision.effect), colour)
    lasts = f", for {decision.seconds}s, by {decision.bounded_by}" if decision.permitted else ""
    output.say(f"{effect} at {facts.now}{lasts}; recorded in {recorded.commit[:12]}")
    for outcome in decision.outcomes:
        mark, colour = _MARKS[outcome.effect]
        counts = outcome.enforcement is Enforcement.ENFORCE
        name = f"{outcome.policy}/{outcome.rule}"
        note = "" if counts else f" [{outcome.enforcement}: does not count]"
        output.say(
            f"  {output.styled(mark, colour if counts else 'dim')}  {name:<38}"
            f"{output.printable(outcome.message)}{note}"
        )
    for need in describe_requirements(facts, policies):
        output.say(f"  approval {need.source}: {output.printable(str(need))}")
    if recorded.beside:
        output.say(f"  besides   {output.printable(recorded.beside)}")
    for line in notes:
        output.say(output.styled("  differs  ", "red") + line)
