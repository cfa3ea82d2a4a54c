"""Voices: whether an account's word counts at all, whatever groups it belongs to.

What is no person, suspended or offboarded approves nothing. Neither does a vendor whose contract
has ended, or who has no active human sponsor: who may receive nothing cannot open it to others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.model.identity import IdentityType

if TYPE_CHECKING:
    from daypass.model.catalogue import Catalogue
    from daypass.model.identity import Identity
    from daypass.model.instant import Instant


def voice_problem(account_id: int, catalogue: Catalogue, at: Instant) -> tuple[str, str] | None:
    """Returns why the account's word does not count at that time: a code and a sentence.

    None: it counts. That is so of an account without an identity too.
    """
    identity = catalogue.identity_of(account_id)
    return None if identity is None else _problem(identity, catalogue, at)


def voiceless(catalogue: Catalogue, at: Instant) -> frozenset[int]:
    """Returns the accounts whose word does not count at that time."""
    return frozenset(
        identity.github_id
        for identity in catalogue.identities.values()
        if identity.github_id is not None and _problem(identity, catalogue, at) is not None
    )


def _problem(identity: Identity, catalogue: Catalogue, at: Instant) -> tuple[str, str] | None:
    if not identity.type.is_person:
        return "not-a-person", f"{identity.name} is of type {identity.type}"
    if not identity.is_active:
        return "not-active", f"{identity.name} is {identity.status}"
    if identity.type is IdentityType.VENDOR:
        return _vendor_problem(identity, catalogue, at)
    return None


def _vendor_problem(vendor: Identity, catalogue: Catalogue, at: Instant) -> tuple[str, str] | None:
    end = vendor.contract_end
    if end is None:
        return "not-active", f"{vendor.name} is a vendor's, and the end of the contract is missing"
    if end <= at:
        return "not-active", f"the contract of {vendor.name} ended at {end}"
    sponsor = catalogue.identities.get(vendor.sponsor or "")
    if sponsor is None or sponsor.type is not IdentityType.HUMAN or not sponsor.is_active:
        return "not-active", f"{vendor.name} is a vendor's, and has no active human sponsor"
    return None
