"""Identities that cannot receive anything: no key that age serves, no environment that exists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.documents.nearby import suggestion
from daypass.documents.problem import Problem
from daypass.model.public_key import UnusableKeyError, parse_public_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from daypass.model.catalogue import Catalogue
    from daypass.model.identity import Identity

HOW_TO_PIN: Final = (
    "Pin a key of the recipient's own: an ssh-ed25519 key, an ssh-rsa key of 2048 to 4096 bits, or "
    "one made with `age-keygen`, which begins with `age1`."
)


def key_problems(identity: Identity) -> tuple[Problem, ...]:
    """What keeps every delivery from an identity with pinned keys: none of them is usable.

    Where one is, the sealer takes that: the others are `unusable_keys`, to be told of.
    """
    found = tuple(unusable_keys(identity))
    return found if len(found) == len(identity.recipients) else ()


def unusable_keys(identity: Identity) -> Iterator[Problem]:
    """Pinned keys that no delivery could be encrypted to: the same reading as the sealer's."""
    for index, line in enumerate(identity.recipients):
        try:
            parse_public_key(line)
        except UnusableKeyError as error:
            yield Problem(
                ("spec", "recipients", index),
                "identity-key",
                f"no secret can be encrypted to this key, {error.key}: {error.reason}",
                HOW_TO_PIN,
            )


def malformed_key(at: tuple[str | int, ...], text: str) -> Problem:
    """A pinned key that does not have the schema's form. It may be a private one: little is shown.

    What the schema refuses and the sealer could read is written with other blanks or a comment.
    """
    try:
        key = parse_public_key(text)
    except UnusableKeyError as error:
        message = f"no secret can be encrypted to this key, {error.key}: {error.reason}"
        return Problem(at, "schema-pattern", message, HOW_TO_PIN)
    return Problem(
        at,
        "schema-pattern",
        f"the key {key.fingerprint} is not written as its type, one space, the key, and perhaps "
        "one space and a comment without spaces",
        f"Write `{key.line}`.",
    )


def has_no_keys(identity: Identity) -> bool:
    """Whether it has neither pinned keys nor a GitHub account whose keys could serve."""
    return not identity.recipients and identity.github_id is None


def identity_notices(catalogue: Catalogue) -> Iterator[tuple[Identity, Problem]]:
    """What keeps an active identity from receiving anything, or by one of its keys."""
    environments = sorted({item.environment for item in catalogue.resources.values()})
    for identity in catalogue.identities.values():
        if not identity.is_active:
            continue
        if not key_problems(identity):  # another key is usable
            yield from ((identity, item) for item in unusable_keys(identity))
        if has_no_keys(identity):
            yield (
                identity,
                Problem(
                    ("spec",),
                    "identity-without-keys",
                    f"`{identity.name}` has no `recipients`, and no GitHub account whose keys "
                    "could serve: nothing can be delivered to it",
                    HOW_TO_PIN,
                ),
            )
        if not identity.type.is_person and environments:
            yield from ((identity, item) for item in _of_environment(identity, environments))


def _of_environment(identity: Identity, environments: Iterable[str]) -> Iterator[Problem]:
    named = identity.environment
    remedy = f"Write one of {', '.join(environments)}, or bring the resource first."
    if named is None:
        yield Problem(
            ("spec",),
            "identity-environment",
            f"`{identity.name}` belongs to no environment, and every resource to one: it can "
            "receive nothing",
            f"Add `environment`. {remedy}",
        )
    elif named not in environments:
        yield Problem(
            ("spec", "environment"),
            "identity-environment",
            f"no resource has the environment `{named}`{suggestion(named, environments)}: "
            f"`{identity.name}` can receive nothing",
            remedy,
        )
