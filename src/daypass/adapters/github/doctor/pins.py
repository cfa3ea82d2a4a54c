"""The release pin: one digest, two while an upgrade rolls, in the environment and beside it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.github import wire
from daypass.adapters.github.doctor.finding import Finding, State
from daypass.adapters.github.doctor.reading import NotVisibleError

if TYPE_CHECKING:
    from daypass.adapters.github.doctor.reading import Reader

# The jobs read the first line alone, and refuse a third word.
_PINS: Final = re.compile(r"[ \t]*([0-9a-fA-F]{64})(?:[ \t]+([0-9a-fA-F]{64}))?\s*")


def judge_pin(sound: Finding, value: str) -> Finding:
    """The same finding where the value is one digest; otherwise what is wrong with it.

    Another form opens nothing: the jobs install no release by it.
    """
    found = _PINS.fullmatch(value)
    if found is None:
        why = "it is not one sha256 in hex, nor two: the jobs install nothing by it, and fail"
        return replace(sound, state=State.DIFFERENT, why=why, proves=False)
    if found[2] is not None and found[1].lower() != found[2].lower():
        why = "two releases stand in it: until one is taken out, the older one can come back"
        return replace(sound, state=State.ADVICE, why=why, proves=False)
    return replace(sound, mend=())


def examine_own_pin(reader: Reader, name: str, body: str) -> Finding:
    """The repository's own variable of that name, by which the daily report installs.

    Args:
        reader: of the governed repository.
        name: the variable's.
        body: how a shell writes the value.

    Raises ForgeUnavailableError.
    """
    check = f"repository-variable {name}"
    what = f"{reader.name} itself defines {name}, for the daily report"
    mend = (f"{reader.gh} variable set {name} --repo {reader.name} --body {body}",)
    try:
        value = reader.find(_value, f"/actions/variables/{name}")
    except NotVisibleError as error:
        return Finding(check, State.NOT_VISIBLE, what, str(error), proves=False)
    if value is None or not value.strip():
        what = f"{reader.name} itself does not define {name}"
        why = "the daily report, which has no environment, installs by it, and fails"
        return Finding(check, State.MISSING, what, why, mend, proves=False)
    return judge_pin(Finding(check, State.SOUND, what, mend=mend, proves=False), value)


def _value(value: Any) -> str:
    return wire.text(value["value"])
