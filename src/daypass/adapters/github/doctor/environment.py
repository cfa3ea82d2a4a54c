"""The environment of the privileged job: which refs get it, and which variables it defines."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.github import wire
from daypass.adapters.github.doctor.finding import Finding, State
from daypass.adapters.github.doctor.pins import examine_own_pin, judge_pin
from daypass.adapters.github.doctor.reading import NotVisibleError
from daypass.model.names import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daypass.adapters.github.doctor.reading import Reader

_PATH: Final = f"/environments/{ENVIRONMENT}"
_BRANCHES: Final = "environment-branches"
_STANDS_IN: Final = "a variable of the repository, which people with write access set, stands in"
_OPEN: Final = "a workflow on another ref could take the environment, and log in to Vault as it"


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that the environment must define."""

    name: str
    value: str | None  # None: any value will do here
    body: str  # how a shell writes the value
    proves: bool = True  # whether another's value would let the job go astray
    is_pin: bool = False
    absent: str = _STANDS_IN  # what is open where it is not defined


def examine_environment(
    reader: Reader, branch: str, wanted: Sequence[Variable]
) -> Iterator[Finding]:
    """Whether only the default branch gets the environment, and whether it defines each variable.

    Args:
        reader: of the governed repository.
        branch: its default branch.
        wanted: the variables.

    Raises NotVisibleError, ForgeUnavailableError.
    """
    policy = reader.find(_policy, _PATH)
    if policy is None:
        what = f"{reader.name}: there is no environment `{ENVIRONMENT}`"
        why = "people with write access set the repository's variables, which the job then believes"
        mend = (*_make(reader, branch), *(_set(reader, variable) for variable in wanted))
        yield Finding("environment", State.MISSING, what, why, mend)
        return
    yield _branches(reader, branch, policy[0])
    yield from _variables(reader, wanted)
    yield from (examine_own_pin(reader, item.name, item.body) for item in wanted if item.is_pin)


def _branches(reader: Reader, branch: str, policy: str) -> Finding:
    where = f"{reader.name}: the environment `{ENVIRONMENT}`"
    what = f"{where} is for {branch} alone"
    if policy != "custom":
        got = "is for every ref" if policy == "all" else "is for every protected branch"
        mend = _make(reader, branch)
        return Finding(_BRANCHES, State.DIFFERENT, f"{where} {got}", _OPEN, mend)
    path = f"{_PATH}/deployment-branch-policies"
    try:
        named = reader.counted(_named, path, "branch_policies")
    except NotVisibleError as error:
        return Finding(_BRANCHES, State.NOT_VISIBLE, what, str(error))
    others = [item for item in named if item[1:] != ("branch", branch)]
    if others:
        told = ", ".join(f"{kind} `{name}`" for _, kind, name in others)
        mend = tuple(
            f"{reader.gh} api --method DELETE repos/{reader.name}{path}/{number}"
            for number, _, _ in others
        )
        return Finding(_BRANCHES, State.DIFFERENT, f"{where} is for {told} too", _OPEN, mend)
    if not named:
        why = "no branch gets it, so the job cannot start"
        return Finding(_BRANCHES, State.DIFFERENT, where, why, _make(reader, branch)[1:])
    return Finding(_BRANCHES, State.SOUND, what)


def _variables(reader: Reader, wanted: Sequence[Variable]) -> Iterator[Finding]:
    try:
        defined = dict(reader.counted(_variable, f"{_PATH}/variables", "variables"))
    except NotVisibleError as error:
        why = f"{error}; what it does not define, people with write access could"
        mend = (f"{reader.gh} auth login   # as an account with write access to {reader.name}",)
        what = f"{reader.name}: variables of the environment `{ENVIRONMENT}`"
        yield Finding("environment-variables", State.NOT_VISIBLE, what, why, mend)
        return
    for variable in wanted:
        name, value = variable.name, variable.value
        what = f"the environment `{ENVIRONMENT}` defines {name}"
        check, mend = f"environment-variable {name}", (_set(reader, variable),)
        if not defined.get(name, "").strip():
            what = f"the environment `{ENVIRONMENT}` does not define {name}"
            yield Finding(check, State.MISSING, what, variable.absent, mend, variable.proves)
        elif variable.is_pin:
            yield judge_pin(Finding(check, State.SOUND, what, mend=mend), defined[name])
        elif value is not None and defined[name] != value:
            why = "it is not what access/daypass.yaml says: the job will refuse to log in"
            what = f"{name} of the environment `{ENVIRONMENT}` has another value"
            yield Finding(check, State.DIFFERENT, what, why, mend, proves=False)
        else:
            yield Finding(check, State.SOUND, what)


def _make(reader: Reader, branch: str) -> tuple[str, ...]:
    path = f"repos/{reader.name}{_PATH}"
    policy = '{"protected_branches":false,"custom_branch_policies":true}'
    body = f'{{"deployment_branch_policy":{policy}}}'
    named = f"-f name={shlex.quote(branch)} -f type=branch"
    return (
        f"echo '{body}' | {reader.gh} api --method PUT {path} --input -",
        f"{reader.gh} api --method POST {path}/deployment-branch-policies {named}",
    )


def _set(reader: Reader, variable: Variable) -> str:
    where = f"--repo {reader.name} --env {ENVIRONMENT}"
    return f"{reader.gh} variable set {variable.name} {where} --body {variable.body}"


def _policy(value: Any) -> tuple[str]:
    policy = value.get("deployment_branch_policy")
    if policy is None:
        return ("all",)
    return ("custom" if policy["custom_branch_policies"] is True else "protected",)


def _named(value: Any) -> tuple[int, str, str]:
    """A name pattern: id, branch or tag, and the pattern. Older servers know no tags here."""
    return wire.number(value["id"]), value.get("type") or "branch", wire.text(value["name"])


def _variable(value: Any) -> tuple[str, str]:
    return wire.text(value["name"]), wire.text(value["value"])
