"""The control repository, as GitHub knows it today: Vault binds a name, and a name can be taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.adapters.vault.compare import Found, State
from daypass.errors import DaypassError

if TYPE_CHECKING:
    from daypass.adapters.github.introduction import Named
    from daypass.model.settings import ControlSettings, Settings


def examine_control(settings: Settings) -> Found | None:
    """Whether the control repository's name is still that repository's; None without one.

    GitHub is asked once, as the person whose token lies at hand. Without an answer nothing is
    proven, and the finding says so.
    """
    from daypass.adapters.github.introduction import look_up
    from daypass.adapters.github.person import person_token
    from daypass.adapters.github.refused import log_in_command

    control = settings.control
    if control is None:
        return None
    token = person_token(settings.github.server_url)
    if token is None:
        log_in = log_in_command(settings.github.server_url)
        return _unproven(control, "there is no GitHub token to ask with", (log_in,))
    try:
        return compare_control(control, look_up(settings.github.api_url, token, control.repository))
    except DaypassError as error:
        return _unproven(control, error.message, (f"gh api repos/{control.repository} --jq .id",))


def compare_control(control: ControlSettings, found: Named) -> Found:
    """The finding about what GitHub has by that name."""
    if found.id != control.id:
        return Found(
            _title(control),
            State.WRONG,
            f"that name is now repository {found.id}, and access/daypass.yaml means {control.id}: "
            "whoever writes to it can mint. Bind the right one, or nothing, at once",
            ("daypass vault apply",),
        )
    if found.full_name.lower() != control.repository.lower():
        return Found(
            _title(control),
            State.WRONG,
            f"it is {found.full_name} today, and Vault binds the old name, which another "
            "repository can take. Give it back its name, or put the new one into "
            "access/daypass.yaml and into the workflows that call it",
            ("daypass init --upgrade", "daypass vault apply"),
        )
    return Found(_title(control), State.SAME)


def _unproven(control: ControlSettings, why: str, mend: tuple[str, ...]) -> Found:
    return Found(
        _title(control),
        State.WRONG,
        f"that it is still repository {control.id} is not proven: {why}. Ask with a token that may "
        "read it",
        mend,
    )


def _title(control: ControlSettings) -> str:
    return f"control repository {control.repository}"
