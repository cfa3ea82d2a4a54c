"""The ways round GitHub in an emergency: `break-glass --offline`, and an operator of Vault."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from daypass.errors import ForgeUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from daypass.model.grant import Grant
    from daypass.model.settings import Settings

_MOST_ROLES: Final = 10  # that a remedy names


@contextmanager
def naming_the_way(settings: Settings, asked: Mapping[str, Any]) -> Iterator[None]:
    """Raise what GitHub's absence raises with a remedy that names the way without it.

    Args:
        settings: those of this clone: they say what can be taken offline.
        asked: the spec of the emergency, as it was typed.
    """
    try:
        yield
    except ForgeUnavailableError as error:
        again = "If GitHub is only busy, run the same command again."
        way, *command = _way(settings, asked)
        raise ForgeUnavailableError(error.message, remedy=way, lines=(*command, again)) from None


def _way(settings: Settings, asked: Mapping[str, Any]) -> tuple[str, ...]:
    lane = settings.break_glass
    offline = lane.offline if lane is not None else None
    if offline is None:
        return (
            (
                "access/daypass.yaml has no `breakGlass.offline`, so nothing can be taken without "
                "GitHub. An operator of Vault must help."
            ),
        )
    if (asked["resource"], asked["access"]) not in offline.levels:
        levels = ", ".join("/".join(level) for level in offline.levels)
        return (
            (
                f"Without GitHub, {asked['access']} on {asked['resource']} cannot be taken: "
                f"`breakGlass.offline` in access/daypass.yaml offers {levels}. An operator of "
                "Vault must help."
            ),
        )
    return (
        (
            "If GitHub is down, take it from Vault itself, with your own log-in there (for "
            f"{', '.join(offline.invokers)}: `bao login`, `vault login`):"
        ),
        f"  {shlex.join(_command(asked))} -- COMMAND",
    )


def _command(asked: Mapping[str, Any]) -> list[str]:
    """The same emergency, offline."""
    drill = bool(asked.get("drill"))
    return [
        *("daypass", "break-glass", "--offline", *(("drill",) if drill else ())),
        *(str(asked["resource"]), str(asked["access"])),
        *("--incident", str(asked["incident"]), "--reason", str(asked["reason"])),
        *(() if drill else ("--duration", str(asked["duration"]))),
    ]


@contextmanager
def naming_the_operator(grants: Callable[[], Sequence[Grant]]) -> Iterator[None]:
    """Add to what GitHub's absence raises how an operator of Vault ends these grants without it.

    Args:
        grants: tells them; asked only where GitHub is absent.
    """
    try:
        yield
    except ForgeUnavailableError as error:
        roles = dict.fromkeys(grant.token_role for grant in grants())
        commands = [
            f"  bao lease revoke -prefix auth/token/create/{role}"
            for role in [*roles][:_MOST_ROLES]
        ]
        if not commands:
            raise
        way = "If GitHub is down, an operator of Vault ends all grants of a token role:"
        raise ForgeUnavailableError(
            error.message, remedy=error.remedy, lines=(*error.lines, way, *commands)
        ) from None
