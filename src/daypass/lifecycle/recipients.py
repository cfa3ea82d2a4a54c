"""Recipients: the keys that a delivery may be sealed to, by the sensitivity of what it opens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from daypass.errors import SealingError
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from daypass.lifecycle.ports import Sealer
    from daypass.model.identity import Identity
    from daypass.model.pullrequest import Account
    from daypass.model.resource import Resource


class NoKeysToldError(SealingError):
    """GitHub tells of no key of an account, or of no such account. It may only be late."""


class AccountKeys(Protocol):
    """The part of GitHub that tells keys. Raises as `Forge`."""

    def account(self, account_id: int) -> Account | None:
        """An account by its numeric id; None when it is gone."""

    def ssh_keys(self, account: Account) -> tuple[str, ...]:
        """The public keys of an account, one OpenSSH line each."""


@dataclass(slots=True)
class Recipients:
    """The keys of a run's subjects: whether one of a subject's is usable is tried once."""

    forge: AccountKeys
    sealer: Sealer
    _known: dict[tuple[str, bool], tuple[str, ...]] = field(default_factory=dict)

    def of(self, subject: Identity, resource: Resource) -> tuple[str, ...]:
        """`recipients_of`, by the documents of one tree. Raises what that raises."""
        key = (subject.name, resource.sensitivity.pins_recipients)
        if key not in self._known:
            self._known[key] = recipients_of(subject, resource, self.forge, self.sealer)
        return self._known[key]


def recipients_of(
    subject: Identity, resource: Resource, forge: AccountKeys, sealer: Sealer
) -> tuple[str, ...]:
    """Pinned keys; where sensitivity allows, else those that GitHub holds. One is usable.

    Raises:
        NoKeysToldError: there is none, and GitHub is where one could be.
        SealingError: there is none, or none that age can use; tried before anything is minted.
        ForgeUnavailableError, ForgeRefusedError: GitHub could not be asked.
    """
    pinned = resource.sensitivity.pins_recipients
    keys = subject.recipients
    asks = not keys and not pinned and subject.github_id is not None
    if asks and subject.github_id is not None:
        account = forge.account(subject.github_id)
        keys = forge.ssh_keys(account) if account else ()
    if not keys:
        raise (NoKeysToldError if asks else SealingError)(
            f"there is no key that a delivery to {subject.name} could be sealed to",
            remedy=f"Pin one under `recipients` in access/identities/{subject.name}.yaml"
            + ("" if pinned else ", or add an SSH key to the GitHub account"),
        )
    sealer.seal(Secret("is any of these usable?"), keys)
    return keys
