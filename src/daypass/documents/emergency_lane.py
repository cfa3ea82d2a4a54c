"""The emergency lane, settings against policies: what is set up, and no policy permits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.documents.problem import Problem
from daypass.model.grant import Lane
from daypass.model.names import SETTINGS_PATH
from daypass.model.policy import PolicyEffect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.model.breakglass import BreakGlassRequest
    from daypass.model.catalogue import Catalogue

_RULE: Final = "break-glass-no-policy"
_REMEDY: Final = (
    "Let a permit policy name it with `lanes: [break-glass]` under `match`, in a pull request of "
    "its own; then let an operator run `daypass vault apply`."
)


def is_opened(catalogue: Catalogue, resource: str, level: str) -> bool:
    """Whether some policy permits that level by the emergency lane, its conditions aside."""
    found = catalogue.resources.get(resource)
    return found is not None and any(
        policy.opens_in_emergency(found, level) for policy in catalogue.policies.values()
    )


def lane_notices(catalogue: Catalogue) -> Iterator[tuple[str, Problem]]:
    """Settings of a lane that no policy opens, and policies of a lane that is not set up."""
    lane = catalogue.settings.break_glass
    if lane is None:
        for policy in catalogue.policies.values():
            if policy.effect is PolicyEffect.PERMIT and Lane.BREAK_GLASS in policy.match.lanes:
                yield (
                    f"access/policies/{policy.name}.yaml",
                    Problem(
                        ("spec", "match", "lanes"),
                        _RULE,
                        "the policy permits by the emergency lane, and access/daypass.yaml has no "
                        "`breakGlass`: every emergency is refused",
                        "Add `breakGlass` to access/daypass.yaml, or take the lane out here.",
                    ),
                )
        return
    levels = [
        (resource.name, level)
        for resource in catalogue.resources.values()
        for level in resource.levels
    ]
    if levels and not any(is_opened(catalogue, *item) for item in levels):
        yield (
            SETTINGS_PATH,
            Problem(
                ("spec", "breakGlass"),
                _RULE,
                "no policy that is in force permits anything by the emergency lane: every "
                "emergency is refused",
                _REMEDY,
            ),
        )
    for index, (resource, level) in enumerate(lane.offline.levels if lane.offline else ()):
        if not is_opened(catalogue, resource, level) and (resource, level) in levels:
            yield (
                SETTINGS_PATH,
                Problem(
                    ("spec", "breakGlass", "offline", "levels", index),
                    _RULE,
                    f"no policy permits {level} on {resource} by the emergency lane: what is taken "
                    "offline is ended as soon as a run finds it",
                    _REMEDY,
                ),
            )


def emergency_notice(request: BreakGlassRequest, catalogue: Catalogue) -> Iterator[Problem]:
    """That an emergency asks for what no policy permits by its lane."""
    asked = request.asked
    resource = catalogue.resources.get(asked.resource)
    if catalogue.settings.break_glass is None or resource is None:
        return
    if asked.access in resource.levels and not is_opened(catalogue, asked.resource, asked.access):
        yield Problem(
            ("spec", "access"),
            _RULE,
            f"no policy permits {asked.access} on {asked.resource} by the emergency lane: this is "
            "going to be refused",
            _REMEDY,
        )
