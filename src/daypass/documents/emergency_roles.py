"""What a change opens to the emergency lane, or closes: Vault follows at the next `vault apply`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.documents.finding import Finding
from daypass.documents.wording import first_of
from daypass.model.names import SETTINGS_PATH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from daypass.model.catalogue import Catalogue

_SHOWN: Final = 5  # levels in a message
_RULE: Final = "break-glass-roles"
_REMEDY: Final = (
    "After the merge let an operator run `daypass vault apply`; `--dry-run` shows what it does."
)


def emergency_role_notices(before: Catalogue, after: Catalogue) -> Iterator[Finding]:
    """What an operator must lay into Vault, or take out of it, once `after` is main.

    Vault is not asked: whether the roles are there already is for `daypass vault doctor` to say.
    """
    old, new = _opened(before), _opened(after)
    gained = new.keys() - old.keys()
    for path in sorted({path for level in gained for path in new[level]}):
        levels = _told(level for level in gained if path in new[level])
        yield Finding.of_file(
            path,
            _RULE,
            f"this change opens {levels} to the emergency lane: emergencies there fail until their "
            "token roles are in Vault",
            _REMEDY,
        )
    lost = old.keys() - new.keys()
    if lost:
        yield Finding.of_file(
            SETTINGS_PATH,
            _RULE,
            f"this change closes the emergency lane for {_told(lost)}: their token roles stay in "
            "Vault until an operator takes them out",
            _REMEDY,
        )


def _opened(catalogue: Catalogue) -> dict[tuple[str, str], list[str]]:
    """(resource, level) → the paths of the policies that open it to the lane."""
    found: dict[tuple[str, str], list[str]] = {}
    if catalogue.settings.break_glass is None:
        return found
    for policy in catalogue.policies.values():
        for resource in catalogue.resources.values():
            for level in resource.levels:
                if policy.opens_in_emergency(resource, level):
                    path = f"access/policies/{policy.name}.yaml"
                    found.setdefault((resource.name, level), []).append(path)
    return found


def _told(levels: Iterable[tuple[str, str]]) -> str:
    return first_of(sorted(f"{resource}/{level}" for resource, level in levels), _SHOWN)
