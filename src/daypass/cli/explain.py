"""`daypass explain`: what a rule is for; or why an id was granted or refused, decided once more.

The decision is replayed from what git holds: the input in the record (or in the denial), and the
policies of the commit that recorded it. Whether that evidence is genuine, `daypass audit verify`
says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.cli import output, wiring
from daypass.cli.explain_refusal import REMEDY, explain_refusal, since
from daypass.documents.nearby import suggestion
from daypass.documents.repository import catalogue_of
from daypass.errors import ExitCode, UsageError
from daypass.model.decision import Effect, Enforcement
from daypass.model.names import is_name
from daypass.policy.decide import decide, describe_requirements
from daypass.policy.input import with_untold
from daypass.policy.zone_facts import with_zones
from daypass.report.replay import differences, policies_at, recorded_decision

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from daypass.adapters.git.repository import GitRepository
    from daypass.model.decision import Decision
    from daypass.policy.decide import CompiledPolicies
    from daypass.policy.input import DecisionInput
    from daypass.report.replay import Recorded

_MARKS: Final = {
    Effect.PERMIT: ("holds  ", "green"),
    Effect.DENY: ("denies ", "red"),
    Effect.INDETERMINATE: ("unknown", "yellow"),
}


_EXCEPTABLE: Final = (
    "for one subject, resource and level until a date, by a document in access/exceptions"
)
_NEVER: Final = "never"


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


def _rule_names() -> list[str]:
    from daypass.documents.rules import RULES as DOCUMENT_RULES
    from daypass.policy.rules import CONDITIONS, DESCRIBED

    return [*DESCRIBED, *CONDITIONS, *DOCUMENT_RULES]


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
            "excepted": _EXCEPTABLE if decision.may_be_excepted else _NEVER,
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
    settings = wiring.head_settings(directory)
    with wiring.person_repository(directory, settings) as repository:
        head = repository.resolve("HEAD")
        if "/" in what:
            _show_rule(_policy_rule(repository, head, what), form)
            return ExitCode.DONE
        if not is_name(what):
            raise UsageError(
                f"{output.on_one_line(what)} is neither an id nor a rule", remedy=REMEDY
            )
        recorded = recorded_decision(repository, head, what)
        if recorded is None:
            return explain_refusal(repository, head, what, form, _rule_names())
        then = since(repository, head, what, recorded.commit)
        policies = policies_at(repository, head if today else recorded.commit)
    decision = _decide(recorded.facts, policies) if today else decide(recorded.facts, policies)
    notes = differences(recorded, decision, today=today)
    if form == "json":
        output.say_json(
            {
                "id": what,
                "recordedAt": recorded.commit,
                "input": recorded.facts.to_json(),
                "decision": decision.to_json(),
                "beforeTheMerge": recorded.beside,
                "then": then.to_json() if then is not None else None,
                "differences": notes,
            }
        )
    else:
        _show_decision(what, recorded, decision, policies, notes)
        if then is not None:
            output.say(f"  then      {then.text}")
    return ExitCode.EVIDENCE if notes and not today else ExitCode.DONE


def _decide(facts: DecisionInput, policies: CompiledPolicies) -> Decision:
    """Decides what was recorded by other policies, with the zones and groups that those name."""
    ruling = [item.policy for item in policies.policies]
    asked = with_untold(with_zones(facts, ruling), ruling)
    return decide(asked, policies, recorded=facts.to_json())


def _policy_rule(repository: GitRepository, head: str, name: str) -> dict[str, str]:
    policy_name, _, rule_name = name.partition("/")
    catalogue = catalogue_of(repository, head)
    policy = catalogue.policies.get(policy_name)
    rule = next((item for item in policy.rules if item.name == rule_name), None) if policy else None
    told = _rule(rule_name) if rule is None else None
    if policy is None or (rule is None and told is None):
        known = (
            f"{each.name}/{item}"
            for each in catalogue.policies.values()
            for item in (*(rule.name for rule in each.rules), *_rule_names())
        )
        near = suggestion(name, known)
        raise UsageError(f"there is no rule {name} at HEAD{near}", remedy=REMEDY)
    about = {"rule": name, "enforcement": str(policy.enforcement), "policy": policy.description}
    if rule is None:
        return {**(told or {}), **about}
    return {
        **about,
        "kind": "free rule of a policy",
        "purpose": rule.message,
        "expression": rule.expression,
        "excepted": _EXCEPTABLE if rule.may_be_excepted else _NEVER,
    }


def _show_rule(told: dict[str, str], form: str) -> None:
    if form == "json":
        output.say_json(told)
        return
    output.say(f"{output.styled(told['rule'], 'bold')}  ({told['kind']})")
    keys = ("policy", "purpose", "expression", "enforcement", "passes", "fails", "answers")
    for key in (*keys, "excepted"):
        if key in told:
            first, *rest = told[key].rstrip("\n").split("\n")
            output.say(f"{key:<12}{first}")
            for line in rest:
                output.say(" " * 12 + line)


def _show_decision(
    grant_id: str,
    recorded: Recorded,
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
        if outcome.excepted_by is not None:
            mark, colour = ("excepted", "yellow")
            note = f" [excepted by {outcome.excepted_by}: does not count]"
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
