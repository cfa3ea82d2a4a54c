"""`daypass plan --policy-diff`: who would be decided otherwise under changed policies, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daypass.adapters.clock import machine_now
from daypass.cli import output
from daypass.documents.repository import catalogue_of
from daypass.errors import DocumentError, ExitCode
from daypass.lifecycle.messages import escape
from daypass.lifecycle.policydiff import PolicyDiff, Shift, effect_words, policy_diff

if TYPE_CHECKING:
    from collections.abc import Callable

    from daypass.adapters.git.repository import GitRepository


def run(
    repository: GitRepository, base: str, last: int, form: str, summarise: Callable[[str], None]
) -> ExitCode:
    """Show what HEAD's policies would decide otherwise than those of BASE. It refuses nothing."""
    base_commit, head = repository.resolve(base), repository.resolve("HEAD")
    try:
        catalogue_of(repository, base_commit)
    except DocumentError:
        output.say(f"the documents of {base_commit[:12]} are wrong: they decide nothing")
        return ExitCode.DONE
    found = policy_diff(repository, base_commit, head, machine_now(), last)
    if form == "json":
        output.say_json(_to_json(found))
        return ExitCode.DONE
    if not found.changed:
        output.say(
            "nothing that decides differs: no policy, exception, resource, identity or setting"
        )
        return ExitCode.DONE
    for path in found.changed:
        output.say(f"changed   {output.printable(path)}")
    for line in found.exceptions:
        output.say(f"exception {output.printable(line)}")
    for line in found.widens:
        output.say(f"{output.styled('may widen', 'red')} {output.printable(line)}")
        if form == "github":
            output.annotate("warning", line, title="daypass: this change may widen")
    for shift in found.shifts:
        _show(shift, annotate=form == "github")
    output.say(_total(found))
    if form == "github":
        summarise(_markdown(found))
    return ExitCode.DONE


def _show(shift: Shift, *, annotate: bool) -> None:
    mark = output.styled("looser", "red") if shift.loosens else output.styled("tighter", "yellow")
    output.say(f"{mark:<9} {_title(shift)}: {_turn(shift)}")
    for line in _why(shift):
        output.say(f"          {output.printable(line)}")
    if annotate and shift.loosens:
        text = f"{_title(shift)}: {_turn(shift)}"
        output.annotate("warning", text, title="daypass: this change loosens")


def _title(shift: Shift) -> str:
    request = shift.facts.request
    what = f"{request.access} on {request.resource} for {request.subject}"
    return f"{shift.kind} {shift.grant_id} ({what})"


def _turn(shift: Shift) -> str:
    return f"{effect_words(shift.before)} → {effect_words(shift.after)}"


def _why(shift: Shift) -> list[str]:
    """What stands against it on the stricter side."""
    stricter = shift.before if shift.loosens else shift.after
    reasons = [f"{item.policy}/{item.rule}: {item.message}" for item in stricter.reasons]
    return [*reasons, *(f"not known, and counts as looser: {line}" for line in shift.not_known)]


def _total(found: PolicyDiff) -> str:
    live = sum(1 for shift in found.shifts if shift.kind == "live")
    looser = sum(1 for shift in found.shifts if shift.loosens)
    unreadable = f"; {found.unreadable} could not be read" if found.unreadable else ""
    return (
        f"{live} of {found.live} live grants and {len(found.shifts) - live} of the last "
        f"{found.decided} decisions would come out otherwise, {looser} of them looser{unreadable}"
    )


def _markdown(found: PolicyDiff) -> str:
    lines = ["### What these policies would decide otherwise", "", f"{_total(found)}.", ""]
    if found.exceptions:
        lines += [*(f"- exception: {escape(line)}" for line in found.exceptions), ""]
    if found.widens:
        lines += [*(f"- :warning: may widen: {escape(line)}" for line in found.widens), ""]
    if found.shifts:
        lines += ["| | what | before | after | because |", "|---|---|---|---|---|"]
    for shift in found.shifts:
        cells = (
            ":warning: looser" if shift.loosens else "tighter",
            escape(_title(shift)),
            escape(effect_words(shift.before)),
            escape(effect_words(shift.after)),
            "<br>".join(escape(line) for line in _why(shift)),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _to_json(found: PolicyDiff) -> dict[str, Any]:
    return {
        "changed": list(found.changed),
        "exceptions": list(found.exceptions),
        "widens": list(found.widens),
        "live": found.live,
        "decided": found.decided,
        "unreadable": found.unreadable,
        "otherwise": [
            {
                "grant": shift.grant_id,
                "kind": shift.kind,
                "commit": shift.commit,
                "loosens": shift.loosens,
                "notKnown": list(shift.not_known),
                "before": shift.before.to_json(),
                "after": shift.after.to_json(),
            }
            for shift in found.shifts
        ],
    }
