"""Which Vault and repository a delivery was sealed for: compared before its token goes anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.errors import ClaimError
from daypass.model.delivery import Delivery, Origin

if TYPE_CHECKING:
    from daypass.lifecycle.claim import Claimable
    from daypass.model.secret import Secret

_ALARM: Final = (
    "Nothing was opened, and the token was sent nowhere. Do not use this clone: someone may have "
    "made it believe another main. Clone the governed repository anew from GitHub and claim there. "
    "Tell your security team, and comment `/not-me {id}` on the pull request if you did not change "
    "anything: it ends the grant and raises an alarm."
)


def token_of(sealed: Secret, claimable: Claimable, *, pinned: bool) -> Secret:
    """The wrapping token, if it was sealed for the Vault, repository and grant of the evidence.

    Args:
        sealed: the text that the holder's key opened.
        claimable: the grant, and the settings that say where it is claimed.
        pinned: whether the evidence key is known from outside of the repository.

    Raises:
        ClaimError: it belongs elsewhere, is not what daypass seals, or names nothing.
    """
    grant = claimable.grant
    try:
        delivery = Delivery.from_text(sealed)
    except ValueError as error:
        raise ClaimError(
            f"the delivery of grant {grant.id} is not what daypass seals: {error}",
            remedy=_ALARM.format(id=grant.id),
        ) from None
    if delivery.origin is None:
        if pinned:
            return delivery.token
        raise ClaimError(
            f"the delivery of grant {grant.id} does not name its Vault: an older release of "
            "daypass sealed it, so nothing shows that its token belongs where it would be sent",
            remedy="Nothing was opened. Name the evidence key as you know it from elsewhere "
            "(`--fingerprint SHA256:…`), or comment "
            f"`/redeliver {grant.id}` on the pull request.",
        )
    differences = delivery.origin.differences(Origin.of(claimable.settings))
    if delivery.grant_id != grant.id:
        differences.append(f"grant {delivery.grant_id}, not {grant.id}")
    if differences:
        raise ClaimError(
            f"the delivery of grant {grant.id} was sealed for another place than this repository "
            f"names: {'; '.join(differences)}",
            remedy=_ALARM.format(id=grant.id),
        )
    return delivery.token
