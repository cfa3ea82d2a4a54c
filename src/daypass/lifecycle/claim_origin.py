"""What a delivery was sealed for: compared before its token or its credential goes anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.errors import ClaimError, OlderDeliveryError
from daypass.model.delivery import Delivery, Origin, connection_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from daypass.lifecycle.claim import Claimable
    from daypass.model.delivery import Binding
    from daypass.model.secret import Secret

_ALARM: Final = (
    "Nothing was opened, and the token was sent nowhere. Do not use this clone: someone may have "
    "made it believe another main. Clone the governed repository anew from GitHub and claim there. "
    "Tell your security team, and comment `/not-me {id}` on the pull request if you did not change "
    "anything: it ends the grant and raises an alarm."
)


def token_of(
    sealed: Secret, claimable: Claimable, vouches: Callable[[str], bool], *, pinned: bool
) -> Secret:
    """The wrapping token, if it was sealed for the Vault, grant and connection of the evidence.

    Args:
        sealed: the text that the holder's key opened.
        claimable: the grant, and the settings that say where it is claimed.
        vouches: whether the grant holds by the evidence key with that fingerprint, and by the keys
            that it handed over to. Asked only where another key signed the delivery.
        pinned: whether the evidence key is known from outside of the repository.

    Raises:
        ClaimError: it belongs elsewhere, is not what daypass seals, or names nothing.
    """
    grant = claimable.grant
    try:
        delivery = Delivery.from_text(sealed)
    except ValueError as error:
        raise _not_ours(grant.id, str(error)) from None
    if delivery.origin is None:
        if pinned:
            return delivery.token
        raise OlderDeliveryError(
            f"the delivery of grant {grant.id} does not name its Vault: an older release of "
            "daypass sealed it, so nothing shows that its token belongs where it would be sent",
            remedy="Nothing was opened. Name the evidence key as you know it from elsewhere "
            "(`--fingerprint SHA256:…`), or comment "
            f"`/redeliver {grant.id}` on the pull request.",
        )
    if delivery.binding is None:
        raise _not_ours(grant.id, "it names no evidence key and no connection")
    differences = delivery.origin.differences(Origin.of(claimable.settings))
    if delivery.grant_id != grant.id:
        differences.append(f"grant {delivery.grant_id}, not {grant.id}")
    key = delivery.binding.evidence_key
    if key != claimable.evidence_key and not vouches(key):
        differences.append(f"evidence key {key}, not {claimable.evidence_key}")
    if differences:
        raise ClaimError(
            f"the delivery of grant {grant.id} was sealed for another place than this repository "
            f"names: {'; '.join(differences)}",
            remedy=_ALARM.format(id=grant.id),
        )
    _assert_same_connection(claimable, delivery.binding)
    return delivery.token


def _assert_same_connection(claimable: Claimable, binding: Binding) -> None:
    """Raise ClaimError where the resource connects elsewhere than when the grant was minted.

    The key that minted vouches for this main, so that is a change that was merged in between.
    """
    if connection_digest(claimable.resource.connection) == binding.connection:
        return
    name, grant_id = claimable.resource.name, claimable.grant.id
    raise ClaimError(
        f"the delivery of grant {grant_id} was sealed for another connection than resource {name} "
        "names: that changed while the grant was being issued, or someone makes this clone believe "
        "another main",
        remedy="Nothing was opened, and the token was sent nowhere. Look at "
        f"`git log -p access/resources/{name}.yaml`. If you know that change, comment "
        f"`/redeliver {grant_id}` on the pull request. If not, tell your security team, and "
        f"comment `/not-me {grant_id}` there: it ends the grant and raises an alarm.",
    )


def _not_ours(grant_id: str, why: str) -> ClaimError:
    return ClaimError(
        f"the delivery of grant {grant_id} is not what daypass seals: {why}",
        remedy=_ALARM.format(id=grant_id),
    )
