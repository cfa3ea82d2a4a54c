"""What a change opens to the emergency lane, or closes, is told to whoever lays it into Vault."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from documents_world import (
    EMERGENCY_LANE,
    POLICY,
    POLICY_PATH,
    SETTINGS,
    SETTINGS_PATH,
    SOUND,
    entries,
)

from daypass.documents.emergency_roles import emergency_role_notices
from daypass.documents.repository import load_catalogue

if TYPE_CHECKING:
    from daypass.model.catalogue import Catalogue

OPEN = POLICY.replace("match: {}", "match: {lanes: [break-glass]}")


def catalogue(**files: str) -> Catalogue:
    """The sound repository with the lane, and another policy or other settings."""
    changed = {
        SETTINGS_PATH: files.get("settings", SETTINGS + EMERGENCY_LANE),
        POLICY_PATH: files.get("policy", POLICY),
    }
    whole = {
        path: text
        for path, text in {**SOUND, **changed}.items()
        if not path.startswith(("access/requests", "access/grants"))
    }
    there = entries(whole)
    blobs = {entry.blob: whole[entry.path].encode() for entry in there}
    return load_catalogue(there, lambda _: blobs)


def told(before: Any, after: Any) -> list[tuple[str, str]]:
    return [(item.path, item.message) for item in emergency_role_notices(before, after)]


def test_a_policy_that_opens_a_level_is_named_once_it_does() -> None:
    shut, opened = catalogue(), catalogue(policy=OPEN)
    [(path, message)] = told(shut, opened)
    assert path == POLICY_PATH
    assert "opens orders/read to the emergency lane" in message
    assert told(opened, opened) == []
    assert told(shut, shut) == []


def test_what_a_change_closes_is_named_too() -> None:
    [(path, message)] = told(catalogue(policy=OPEN), catalogue())
    assert path == SETTINGS_PATH
    assert "closes the emergency lane for orders/read" in message


def test_the_lane_itself_opens_and_closes_all_that_policies_name() -> None:
    none, lane = catalogue(policy=OPEN, settings=SETTINGS), catalogue(policy=OPEN)
    assert [path for path, _ in told(none, lane)] == [POLICY_PATH]
    assert [path for path, _ in told(lane, none)] == [SETTINGS_PATH]


def test_many_levels_are_one_line() -> None:
    shut, opened = catalogue(), catalogue(policy=OPEN)
    orders = opened.resources["orders"]
    many = {f"r{number}": dataclasses.replace(orders, name=f"r{number}") for number in range(9)}
    both = [dataclasses.replace(item, resources=many) for item in (shut, opened)]
    [(_, message)] = told(*both)
    assert "r0/read" in message
    assert "and 4 more" in message
