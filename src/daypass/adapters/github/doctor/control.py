"""The control repository: still the same one, guarded, and written by others than requesters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.github import wire
from daypass.adapters.github.doctor.finding import Finding, State
from daypass.adapters.github.doctor.guards import read_guards
from daypass.adapters.github.doctor.reading import NotVisibleError
from daypass.adapters.github.doctor.repository import repository
from daypass.adapters.github.doctor.rules import judge
from daypass.documents.wording import first_of
from daypass.model.names import SETTINGS_PATH

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from daypass.adapters.github.doctor.owners import FoundationOwners
    from daypass.adapters.github.doctor.reading import Reader
    from daypass.model.settings import ControlSettings

_SHOWN: Final = 10  # logins in one sentence
_ABOVE: Final = ("maintain", "admin")  # permissions that include writing


def examine_control(
    governed: Reader, control: ControlSettings, foundation: FoundationOwners
) -> Iterator[Finding]:
    """Whether Vault's bound name is still that repository, and who can change what mints.

    Args:
        governed: reads the repository that asks.
        control: the one that mints, by the settings.
        foundation: the owners of the foundation, who may write both.

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
    yield _writers(governed, reader, foundation)


def _as_control(finding: Finding, *, advice: bool) -> Finding:
    state = State.ADVICE if advice else finding.state
    proves = finding.proves and finding.check != "review-by-owner"
    check = f"control-{finding.check}"
    return Finding(check, state, finding.what, finding.why, finding.mend, proves)


def _writers(governed: Reader, control: Reader, foundation: FoundationOwners) -> Finding:
    """Who may write the repository that mints, beside who may write the one that asks."""
    check, what = "control-writers", f"who may write {control.name}"
    try:
        minting, asking = _may_write(control), _may_write(governed)
        both = minting.keys() & asking.keys()
        others = foundation.strangers(governed, both)
    except NotVisibleError as error:
        as_one = "as an account with write access to both"
        mend = (f"{control.gh} auth login --scopes read:org   # {as_one}",)
        return Finding(check, State.NOT_VISIBLE, what, str(error), mend)
    told = f"{control.name} is written by {_names(minting, minting.keys())}"
    if others:
        why = (
            f"{told}. These may write {governed.name} too, and are no owners of the foundation in "
            f"{SETTINGS_PATH}: {_names(minting, others)}"
        )
        page = f"{control.gh} browse --repo {control.name} --settings"
        mend = (f"{page}   # Collaborators and teams: take their write access away",)
        return Finding(check, State.DIFFERENT, what, why, mend)
    count = f"{len(asking)} may write {governed.name}"
    owners = ", owners of the foundation" if both else ""
    return Finding(
        check, State.SOUND, what, f"{told}. {count}; both: {_names(minting, both)}{owners}"
    )


def _may_write(reader: Reader) -> Mapping[int, str]:
    """The accounts that may write that repository, by id. Raises NotVisibleError if none is shown.

    All are asked for: GitHub does not promise that a list for one permission is exact.
    """
    path = "/collaborators"
    found = {number: login for number, login, writes in reader.pages(_collaborator, path) if writes}
    if not found:
        raise NotVisibleError(f"GitHub showed no account that may write {reader.name}")
    return found


def _names(logins: Mapping[int, str], ids: Collection[int]) -> str:
    chosen = sorted(login for number, login in logins.items() if number in ids)
    return first_of(chosen, _SHOWN) or "no account"


def _collaborator(value: Any) -> tuple[int, str, bool]:
    """Id, login, and whether the account may write; it may, where GitHub does not say."""
    given = value.get("permissions") or {}
    may = given.get("push") is not False or any(given.get(name) is True for name in _ABOVE)
    return wire.number(value["id"]), wire.text(value["login"]), may
