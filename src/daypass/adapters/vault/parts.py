"""The bot's policy in parts: Vault limits how long one policy may be.

The first part has the name of the JWT role and holds all that no resource brings. The tiers are
spread over the parts by a consistent hash of their names: a tier more or less moves no other, and
with one part more the tiers that move go to the new part only. The JWT role names more parts than
there are, so log-ins of before a change have the rights of parts that come later.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, TypeVar

from daypass.adapters.vault.answer import BAD_REQUEST, NOT_FOUND
from daypass.adapters.vault.steps import POLICIES, Document, Policy, Step, jwt_role_path, stages
from daypass.errors import VaultRefusedError
from daypass.model.vault_names import is_further_part, part_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from daypass.adapters.vault.session import Session
    from daypass.adapters.vault.steps import Setup

T = TypeVar("T")
_NAMED_BY: Final = 8  # a JWT role names a multiple of so many parts
_MASK: Final = (1 << 64) - 1
_STEP: Final = 2862933555777941757  # of the generator in jump consistent hashing


def named_parts(role: str, count: int) -> list[str]:
    """The policies that the JWT role gives: those of the parts there are, and of some to come.

    A policy that is not there gives nothing. At least one more is named than there are parts.
    """
    return [part_name(role, number + 1) for number in range((count // _NAMED_BY + 1) * _NAMED_BY)]


def spread(
    items: Sequence[T], name: Callable[[T], str], size: Callable[[T], int], room: int
) -> list[list[T]]:
    """The items in as few parts as hold them; an item's part depends on its name and their number.

    Args:
        items: in any order; each part keeps it.
        name: of an item, unlike any other's.
        size: of an item, in characters.
        room: characters of a part, one at least. An item that is longer has a part all the same.
    """
    sized = [(int.from_bytes(_digest(name(item)), "big"), size(item), item) for item in items]
    most = max(1, len(sized))
    count = min(most, max(1, -(-sum(length for _, length, _ in sized) // room)))
    while True:
        parts: list[list[T]] = [[] for _ in range(count)]
        filled = [0] * count
        for key, length, item in sized:
            number = _part_of(key, count)
            parts[number].append(item)
            filled[number] += length
        if max(filled) <= room or count >= most:
            return parts
        count += 1


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:8]


def _part_of(key: int, count: int) -> int:
    """Jump consistent hash (Lamping, Veach), from 0: one part more, and it is the same or new."""
    found, following = -1, 0
    while following < count:
        found = following
        key = (key * _STEP + 1) & _MASK
        following = int((found + 1) * ((1 << 31) / ((key >> 33) + 1)))
    return found


def safe_stages(setup: Setup, given: Collection[str] | None) -> Iterator[tuple[Step, ...]]:
    """The steps of the set-up, those together of which none needs another, in a safe order.

    Whatever step is the last that is done, log-ins old and new have every right that they have
    before all of them and after. The parts come one by one, the last one first: what a part loses
    is in one with a higher number, or in one that is removed after everything. The JWT role comes
    before them if it must name parts that it does not, and otherwise after them: it is the last
    thing of a first set-up.

    Args:
        setup: what is wanted.
        given: the policies that the JWT role in Vault gives; None if there is no such role.
    """
    vault = setup.settings.vault
    path = jwt_role_path(vault, vault.apply_role)
    parts: list[Step] = []
    roles: list[Document] = []
    others: list[Step] = []
    for step in setup.steps:
        if isinstance(step, Policy) and is_part(setup, step.name):
            parts.append(step)
        elif isinstance(step, Document) and step.path == path:
            roles.append(step)
        else:
            others.append(step)
    yield from stages(others)
    wanted = {name for role in roles for name in role.body["token_policies"]}
    grows = given is not None and not wanted <= set(given)
    if grows:
        yield tuple(roles)
    for part in reversed(parts):
        yield (part,)
    if not grows:
        yield tuple(roles)


def given_policies(session: Session, setup: Setup) -> frozenset[str] | None:
    """The policies that the JWT role of `daypass apply` gives now; None if there is no such role.

    Raises VaultUnavailableError, VaultRefusedError.
    """
    vault = setup.settings.vault
    path = jwt_role_path(vault, vault.apply_role)
    # A mount that is not there yet answers 404 or 400.
    answer = session.call("GET", path, accept=NOT_FOUND | BAD_REQUEST)
    if answer.errors or answer.is_absent:
        return None
    named = answer.data.get("token_policies")
    return frozenset(map(str, named if isinstance(named, list) else ()))


def is_part(setup: Setup, name: str) -> bool:
    """Whether a policy of that name is a part of what `daypass apply` may do, wanted or not."""
    role = setup.settings.vault.apply_role
    return name.lower() == role.lower() or is_further_part(role, name)


def policy_text(session: Session, name: str) -> str | None:
    """The text of any policy in Vault; None if there is none of that name.

    Raises VaultUnavailableError, VaultRefusedError.
    """
    answer = session.call("GET", f"{POLICIES}/{name}", accept=NOT_FOUND)
    return None if answer.is_absent else answer.read(lambda found: str(found.data["policy"]))


def head(name: str) -> str:
    """The title of a part, which its first line is made of."""
    return f"{name}: what `daypass apply` may do. Made by daypass."


def refuse_foreign_parts(session: Session, setup: Setup) -> None:
    """Refuses to go on where a policy has the name of a part, and daypass did not make it.

    Runs log in with every policy of such a name, and one that is not needed is removed.

    Raises VaultRefusedError, VaultUnavailableError.
    """
    role = setup.settings.vault.apply_role
    for name in sorted(session.call("LIST", POLICIES, accept=NOT_FOUND).keys):
        if not is_further_part(role, name):
            continue
        text = policy_text(session, name)
        if text is not None and text.splitlines()[:1] != [f"# {head(name)}"]:
            raise VaultRefusedError(
                f"the policy {name} has the name of a part of what `daypass apply` may do, and "
                "daypass did not make it: nothing was changed",
                remedy=f"Runs log in with every policy of such a name. Look at `bao policy read "
                f"{name}`; delete it, or name another `vault.applyRole` in access/daypass.yaml.",
            )
