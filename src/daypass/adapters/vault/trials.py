"""Trials of roles: one throw-away credential each, made, used, given back, and looked for.

It goes through the operator's own token, never through daypass's token roles: no run of daypass
takes it for a grant. What is read lives in a child token that Vault ends by itself in ten minutes,
should this process die before it gives it back.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from daypass.adapters.vault import caps, failures
from daypass.adapters.vault.compare import Found, State
from daypass.adapters.vault.trial import Credential, Trial, enter, is_listed, judge_end, judge_lease
from daypass.errors import DaypassError
from daypass.model.secret import Secret
from daypass.model.target import TRIAL_ID, TRIAL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from daypass.adapters.vault.engines import Engines
    from daypass.adapters.vault.session import Session
    from daypass.adapters.vault.steps import Setup
    from daypass.model.resource import Resource

_FAILED: Final = range(400, 600)
_FORBIDDEN: Final = int(HTTPStatus.FORBIDDEN)
_SHOWN: Final = 9  # characters of a lease's id, with the slash before it
# PostgreSQL repeats a piece of a statement that it cannot read, which can be the password.
_NEAR: Final = re.compile(r'at or near ".*?"', re.DOTALL)
_NOISE: Final = re.compile(r"failed to revoke entry: resp: \(\*logical\.Response\)\(nil\) err: ")
# What Vault's own user lacks, by what PostgreSQL says.
_LACKS: Final = {
    "permission denied to terminate process": "GRANT pg_signal_backend TO {user};",
}


def try_roles(
    session: Session,
    engines: Engines,
    setup: Setup,
    resources: Mapping[str, Resource],
    warn: Callable[[str], None],
) -> Iterator[Found]:
    """Tries each role of the secrets engines once, and says what came out.

    Args:
        session: logged in as an operator who may read the credentials.
        engines: as the doctor has read them.
        setup: what access/ asks for.
        resources: how each target is reached.
        warn: is told if this process fails and a credential cannot be given back.

    Raises:
        VaultUnavailableError: Vault does not answer.
    """
    seen: set[tuple[str, str]] = set()
    longest: dict[str, int] = {}
    for role in setup.roles:
        longest[role.mount] = max(longest.get(role.mount, 0), role.length.seconds)
    for role in setup.roles:
        key = (role.mount, role.role)
        if key in seen or not engines.role(*key):
            continue
        seen.add(key)
        resource = resources.get(role.resource)
        connection = {} if resource is None else resource.connection
        yield from _try(Trial(session, engines, role, connection, longest[role.mount], warn))


def _try(trial: Trial) -> list[Found]:
    """Makes, uses and gives back one credential. Whatever happens, it is given back."""
    with ExitStack() as stack:
        token = _child(trial)
        if token is not None:
            stack.callback(_end_child, trial.session, token)
        credential = _read(trial, token)
        if credential is None:
            return trial.found
        try:
            judge_lease(trial, credential)
            held = stack.enter_context(ExitStack())
            opened = enter(trial, credential, held)
            seen = is_listed(trial, credential)
            ended = _give_back(trial, credential, token)
            judge_end(trial, credential, opened, was_listed=seen, is_ended=ended)
        except BaseException:
            _give_back_anyhow(trial, credential)
            raise
    if all(item.state.is_sound for item in trial.found):
        trial.tell(State.TRIED, "; ".join(trial.done))
    return trial.found


def _child(trial: Trial) -> Secret | None:
    """A child of the operator's token, which bears the trial's name; None if there may be none."""
    body = {
        "display_name": f"grant-{TRIAL_ID}",  # so that the look knows the log-in's name
        "ttl": f"{TRIAL_SECONDS}s",
        "explicit_max_ttl": f"{TRIAL_SECONDS}s",
    }
    answer = trial.session.call("POST", "auth/token/create", body, accept=_FAILED)
    token = answer.auth.get("client_token")
    if answer.errors or not isinstance(token, str) or not token:
        trial.tell(
            State.ADVICE,
            "your token may make no child token: the log-in bore your own name, and would have "
            "lasted as long as its lease, had it not been given back",
        )
        return None
    return Secret(token)


def _read(trial: Trial, token: Secret | None) -> Credential | None:
    """Reads one credential; None when none is made."""
    path = trial.role.credential_path
    answer = trial.session.call("GET", path, token=token, accept=_FAILED)
    if answer.status == _FORBIDDEN:
        trial.tell(State.NOT_TRIED, f"your token may not read {path}")
        return None
    if answer.errors or not answer.lease_id:
        said = _NEAR.sub('at or near "…"', failures.quoted(answer.errors))
        trial.tell(State.WRONG, f"no credential can be made: {said}")
        return None
    return Credential(
        str(answer.data.get("username") or ""),
        Secret(str(answer.data.get("password") or "")),
        answer.lease_id,
        answer.lease_seconds,
        answer.warnings,
    )


def _give_back(trial: Trial, credential: Credential, token: Secret | None) -> bool:
    """Ends the lease, and waits until Vault has run the revocation statements; whether it did."""
    said, status = _revoke(trial, credential)
    if not said:
        return True
    if status == _FORBIDDEN and token is not None:
        _end_child(trial.session, token)  # its leases go with it, in Vault's own time
        text = "your token may not update sys/leases/revoke: the end was not waited for"
        trial.tell(State.ADVICE, text)
        return True
    user = trial.engines.vault_user(trial.role.mount, trial.role.role)
    lacks = [mend.format(user=user) for words, mend in _LACKS.items() if words in said]
    trial.tell(State.WRONG, f"the revocation fails: {said}", *(lacks or trial.mend))
    trial.tell(State.WRONG, _still_there(credential, trial), _lookup(trial))
    return False


def _give_back_anyhow(trial: Trial, credential: Credential) -> None:
    """Ends the lease after this process has failed, and says so if that fails, too."""
    try:
        said, _ = _revoke(trial, credential)
    except DaypassError as error:
        said = error.message
    if said:
        trial.warn(f"{_still_there(credential, trial)} ({_lookup(trial)})")


def _revoke(trial: Trial, credential: Credential) -> tuple[str, int]:
    """Ends the lease; what Vault says if it lives on, and the status of its answer."""
    body = {"lease_id": credential.lease_id, "sync": True}
    answer = trial.session.call("POST", "sys/leases/revoke", body, accept=_FAILED)
    said = _NOISE.sub("", failures.quoted(answer.errors))
    return ("" if "invalid lease" in said else said), answer.status


def _still_there(credential: Credential, trial: Trial) -> str:
    """Says that a throw-away credential lives on. Of the lease it names the beginning only."""
    lease = credential.lease_id[: len(trial.role.credential_path) + _SHOWN]
    return (
        f"the throw-away credential could not be given back: its lease {lease}… ends by itself "
        f"within {caps.length(credential.seconds)}, and Vault goes on trying"
    )


def _lookup(trial: Trial) -> str:
    return f"bao list sys/leases/lookup/{trial.role.credential_path}"


def _end_child(session: Session, token: Secret) -> None:
    """Ends the child token. If that fails, it ends by itself."""
    try:
        session.call("POST", "auth/token/revoke-self", token=token, accept=_FAILED)
    except DaypassError:
        return
