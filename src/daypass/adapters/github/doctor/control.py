"""The control repository: still the same one, guarded, and written by others than requesters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.github import wire
from daypass.adapters.github.doctor.finding import Finding, State
from daypass.adapters.github.doctor.guards import read_guards
from daypass.adapters.github.doctor.reading import NotVisibleError
from daypass.adapters.github.doctor.repository import repository
from daypass.adapters.github.doctor.rules import judge

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from daypass.adapters.github.doctor.reading import Reader
    from daypass.model.settings import ControlSettings

_SHOWN: Final = 10  # logins in one sentence


def examine_control(governed: Reader, control: ControlSettings) -> Iterator[Finding]:
    """Whether Vault's bound name is still that repository, and who can change what mints.

    Raises ForgeUnavailableError.
    """
    reader = governed.elsewhere(control.repository)
    what = f"{control.repository} is still repository {control.id}"
    try:
        found = reader.get(repository)
    except NotVisibleError as error:
        why = f"{error}. Vault binds the name, which another repository takes once it is free"
        mend = (f"{reader.gh} api repositories/{control.id} --jq .full_name",)
        yield Finding("control-id", State.NOT_VISIBLE, what, why, mend)
        return
    is_named = found.full_name.lower() == control.repository.lower()
    if found.id != control.id or not is_named:
        why = (
            f"the name leads to {found.full_name}, repository {found.id}. Vault binds the name: "
            "what has it mints"
        )
        find = f"{reader.gh} api repositories/{control.id} --jq .full_name"
        bind = "daypass vault apply   # once access/daypass.yaml names it as it is called now"
        what = f"{control.repository} is not repository {control.id}"
        yield Finding("control-id", State.DIFFERENT, what, why, (find, bind))
        return
    yield Finding("control-id", State.SOUND, what)
    try:
        guards = read_guards(reader, control.branch, administers=found.administers)
    except NotVisibleError as error:
        what = f"{control.repository} {control.branch}: its rules"
        yield Finding("control-rules", State.NOT_VISIBLE, what, str(error))
    else:
        # No App has to push there: none may pass by.
        for finding in judge(reader, control.branch, guards, None):
            advice = finding.check == "review-by-owner" and finding.state.is_wrong
            yield _as_control(finding, advice=advice)
    yield _writers(governed, reader)


def _as_control(finding: Finding, *, advice: bool) -> Finding:
    state = State.ADVICE if advice else finding.state
    proves = finding.proves and finding.check != "review-by-owner"
    check = f"control-{finding.check}"
    return Finding(check, state, finding.what, finding.why, finding.mend, proves)


def _writers(governed: Reader, control: Reader) -> Finding:
    """Who may write the repository that mints, beside who may write the one that asks."""
    check, what = "control-writers", f"who may write {control.name}"
    path = "/collaborators?permission=push"
    try:
        minting = dict(control.pages(_collaborator, path))
        asking = dict(governed.pages(_collaborator, path))
    except NotVisibleError as error:
        mend = (f"{control.gh} auth login   # as an account with write access to both",)
        return Finding(check, State.NOT_VISIBLE, what, str(error), mend)
    both = minting.keys() & asking.keys()
    told = f"{control.name} is written by {_names(minting, minting.keys())}"
    if asking and both == asking.keys():
        why = f"{told}: everyone who may write {governed.name}, so it keeps nothing apart"
        open_settings = f"{control.gh} browse --repo {control.name} --settings   # Collaborators"
        return Finding(check, State.DIFFERENT, what, why, (open_settings,))
    others = f"{len(asking)} may write {governed.name}; both: {_names(minting, both)}"
    return Finding(check, State.SOUND, what, f"{told}. {others}")


def _names(logins: Mapping[int, str], ids: Collection[int]) -> str:
    chosen = sorted(login for number, login in logins.items() if number in ids)
    more = f" and {len(chosen) - _SHOWN} more" if len(chosen) > _SHOWN else ""
    return (", ".join(chosen[:_SHOWN]) or "no account") + more


def _collaborator(value: Any) -> tuple[int, str]:
    return wire.number(value["id"]), wire.text(value["login"])
