"""CEL: free rules, compiled once a run, bounded in cost, and denied by anything but a true bool.

The runtime bounds iterations (10,000), recursion (32) and size. It does not bound what one
iteration may cost: a regular expression is compiled anew each time, and strings and lists can grow.
Each iteration can also bind a list that holds the one before it several times: after a few, to
compare two of them takes for ever. So an expression that iterates may use neither `+` nor
`matches`, is short, and iterates three times at most.

Its error values are truthy, and some errors are raised instead: only a result whose declared and
actual type is bool, and whose value is True, passes.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from cel_expr_python import cel

from daypass.model.context import MAX_ITEMS
from daypass.model.expression_context import sources_named, statuses_read
from daypass.model.expression_names import ExpressionNames, names_in
from daypass.model.visible import HIDDEN
from daypass.policy.expression_zones import LOCAL, localised
from daypass.policy.zone import ZoneReader, moment_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from daypass.model.policy import AccessPolicy

VARIABLES: Final = ("request", "subject", "resource", "requester", "approvals", "context", "now")
MAX_LENGTH: Final = 2000  # characters
MAX_ITERATING_LENGTH: Final = 500
MAX_ITERATIONS: Final = 3  # macros that iterate, in one expression
MAX_MATCHES: Final = 4
MAX_STRING: Final = 1024  # characters of any string that an expression can see

_ITERATES: Final = re.compile(r"\b(all|exists|exists_one|existsOne|map|filter)\b")
_REGEX: Final = re.compile(r"\bmatches\b")
_CONTEXT: Final = re.compile(r"\bcontext\b")
_APPROVALS: Final = re.compile(r"\bapprovals\b")


class ExpressionError(Exception):
    """An expression cannot be used; the text says why. Never leaves this package."""


class ZoneMissingError(ExpressionError):
    """An expression cannot be evaluated for want of the offset of time zones."""

    def __init__(self, why: str, zones: tuple[str, ...]) -> None:
        """Name the zones, sorted, and say why their offset is not known."""
        super().__init__(why)
        self.zones = zones


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression, and what it reads that can be unknown."""

    text: str
    program: Any
    context_names: frozenset[str]
    names: ExpressionNames  # groups that it asks about, and whether they can be told
    reads_approvals: bool
    zones: frozenset[str] = frozenset()  # that it writes out

    def tolerates(self, name: str) -> bool:
        """Whether it says itself what it does while that context is unknown."""
        return name in statuses_read(self.text)


_TYPES: Final = {
    "request": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    "subject": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    "resource": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    "requester": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    "approvals": cel.Type.List(cel.Type.DYN),
    "context": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    "now": cel.Type.TIMESTAMP,
}


# Of the decision whose expression is evaluated: CEL's functions get nothing but their arguments.
_ZONES: Final[ContextVar[ZoneReader]] = ContextVar("zones")


def _local(moment: datetime, zone: str) -> datetime:
    return _ZONES.get().local(moment, zone)


_ENVIRONMENT: Final = cel.NewEnv(
    variables=_TYPES,
    functions=[
        cel.FunctionDecl(
            LOCAL,
            [
                cel.Overload(
                    f"{LOCAL}_at",
                    cel.Type.TIMESTAMP,
                    [cel.Type.TIMESTAMP, cel.Type.STRING],
                    is_member=True,
                    impl=_local,
                )
            ],
        )
    ],
)


@lru_cache(maxsize=1024)  # trees of one run hold the same ones: main's, and main's before a merge
def compile_expression(text: str) -> Expression:
    """Compile one expression.

    Raises:
        ExpressionError: it is too long, too costly, malformed, or gives no bool.
    """
    _check_cost(text)
    try:
        found = localised(text)
        program = _ENVIRONMENT.compile(found.text)
    except (RuntimeError, ValueError) as error:
        raise ExpressionError(_first_line(str(error))) from error
    if program.return_type() != cel.Type.BOOL:
        raise ExpressionError(
            f"it gives {program.return_type()}, not BOOL: compare it with something"
        )
    names = sources_named(text)
    if len(names) != len(_CONTEXT.findall(text)):
        # Read as a whole, an answer that is missing would be missed by nobody.
        raise ExpressionError("it reads `context` as a whole: name the source, `context.<name>`")
    return Expression(
        text=text,
        program=program,
        context_names=frozenset(names),
        names=names_in(text),
        reads_approvals=_APPROVALS.search(text) is not None,
        zones=found.zones,
    )


def compile_ticket(pattern: str) -> Expression:
    """The pattern of a ticket as an expression: RE2, so that no ticket can stall a run.

    Raises:
        ExpressionError: RE2 does not know the pattern.
    """
    probe = _ENVIRONMENT.compile(f"''.matches({_quote(pattern)})").eval(data={})
    if probe.type() != cel.Type.BOOL:
        raise ExpressionError(f"the pattern of the ticket is wrong: {_first_line(probe.value())}")
    # The pattern was whole by itself, so it cannot close the group that makes it match all.
    return compile_expression(f"request.ticket.matches({_quote(rf'^(?:{pattern})$')})")


def check_expressions(policy: AccessPolicy) -> tuple[tuple[str, str], ...]:
    """What is wrong with a policy's expressions: pairs of a rule's name and a sentence.

    The pattern of the ticket goes by the name `ticket`. A rule is wrong, too, if it does not write
    out which groups it asks about: then it is never known to hold.
    """
    problems: list[tuple[str, str]] = []
    if policy.require.ticket is not None:
        try:
            compile_ticket(policy.require.ticket)
        except ExpressionError as error:
            problems.append(("ticket", str(error)))
    for rule in policy.rules:
        try:
            unclear = compile_expression(rule.expression).names.unclear
        except ExpressionError as error:
            unclear = str(error)
        if unclear:
            problems.append((rule.name, unclear))
    return tuple(problems)


def activation(value: Mapping[str, Any]) -> Any:
    """The variables of one decision, to be shared by all its expressions.

    Args:
        value: the JSON of the decision's input.

    Raises:
        ExpressionError: a value is larger than an expression may see.
    """
    data = {
        "request": value["request"],
        "subject": value["subject"] or {},
        "resource": value["resource"] or {},
        "requester": value["requester"],
        "approvals": value["approvals"]["counted"],
        "context": value["context"],
    }
    _check_size(data)
    return _ENVIRONMENT.Activation({**data, "now": moment_of(value["now"])})


def passes(expression: Expression, variables: Any, zones: ZoneReader) -> bool:
    """Whether the expression is true.

    Args:
        expression: what is evaluated.
        variables: the `activation` of the decision's input.
        zones: the time zones of the same input.

    Raises:
        ZoneMissingError: it gave an error for want of a time zone, and of nothing else.
        ExpressionError: it gave an error, or ran out of its budget.
    """
    zones.missing.clear()
    before = _ZONES.set(zones)
    try:
        result = expression.program.eval(variables)
    except RuntimeError as error:
        raise ExpressionError(_first_line(str(error))) from error
    finally:
        _ZONES.reset(before)
    value = result.value()
    if value is True:  # an error is a truthy value here: only this very one passes
        return True
    if result.type() != cel.Type.BOOL:
        text = str(value)
        wanted = sorted(name for name, why in zones.missing.items() if why in text)
        if wanted:
            raise ZoneMissingError(zones.missing[wanted[0]], tuple(wanted))
        raise ExpressionError(_first_line(text))
    return False


def _check_cost(text: str) -> None:
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"it is longer than {MAX_LENGTH} characters")
    if len(_REGEX.findall(text)) > MAX_MATCHES:
        raise ExpressionError(f"it uses `matches` more than {MAX_MATCHES} times")
    iterates = len(_ITERATES.findall(text))
    if not iterates:
        return
    # Judged by words, strings included: whoever hides one from this check hides it from people.
    if iterates > MAX_ITERATIONS:
        raise ExpressionError(f"it iterates more than {MAX_ITERATIONS} times: split the rule")
    if len(text) > MAX_ITERATING_LENGTH:
        raise ExpressionError(
            f"it iterates, and is longer than {MAX_ITERATING_LENGTH} characters: split the rule"
        )
    if "+" in text or _REGEX.search(text) is not None:
        raise ExpressionError(
            "it iterates and uses `+` or `matches`, whose cost cannot be bounded then: "
            "split the rule, or compare without them"
        )


def _check_size(value: Any) -> None:
    """Every string, list and map within bounds. A loop: every decision with an expression asks."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if len(item) > MAX_STRING:
                raise ExpressionError(f"a text of the input is longer than {MAX_STRING} characters")
        elif isinstance(item, dict):
            if len(item) > MAX_ITEMS:
                raise ExpressionError(f"a map of the input has more than {MAX_ITEMS} entries")
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            if len(item) > MAX_ITEMS:
                raise ExpressionError(f"a list of the input has more than {MAX_ITEMS} entries")
            waiting.extend(item)


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def _first_line(text: str) -> str:
    line = text.split("\n", 1)[0].split(" [", 1)[0]
    return HIDDEN.sub("?", line)[:200]
