"""The bot's policy in parts: what a stop after any step leaves to log-ins old and new."""

from __future__ import annotations

import dataclasses
import random
from typing import TYPE_CHECKING

import pytest

from daypass.adapters.vault import bot_policy
from daypass.adapters.vault.parts import named_parts, safe_stages, spread
from daypass.adapters.vault.setup import desired
from daypass.adapters.vault.steps import Document, Policy, Setup
from daypass.errors import DocumentError
from daypass.model.vault_names import is_further_part
from support.settings import SETTINGS
from unit.vault.test_setup_rules import level, resource

if TYPE_CHECKING:
    from collections.abc import Iterator

NEVER_MOVED = (
    'path "auth/token/revoke-accessor"',
    'path "auth/token/accessors"',
    'path "daypass/data/daypass/grants/*"',
    "/sign/evidence",
    "/sign/github-app/sha2-256",
    'path "sys/mounts/auth/token/tune"',
)
ROLE = "auth/daypass-github/role/daypass-apply"
OLD_LONGEST = 14_000


def setup_of(count: int) -> Setup:
    return desired(
        SETTINGS, [resource(f"base-{number:03d}", level("read", "1h")) for number in range(count)]
    )


def parts_of(setup: Setup) -> dict[str, str]:
    return {
        step.name: step.text
        for step in setup.steps
        if isinstance(step, Policy) and step.name.startswith("daypass-apply")
    }


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot_policy, "_LONGEST", OLD_LONGEST)


@pytest.mark.parametrize("count", [1, 8, 60, 200])
def test_what_no_resource_brings_is_in_the_first_part(count: int) -> None:
    parts = parts_of(setup_of(count))
    assert (len(parts) > 1) == (count > 20)
    for rule in NEVER_MOVED:
        assert [name for name, text in parts.items() if rule in text] == ["daypass-apply"]
    assert max(map(len, parts.values())) < OLD_LONGEST + 2_000


def test_a_tier_more_moves_no_other_and_a_part_more_is_the_only_one_that_gains() -> None:
    names = [f"tier-{number}" for number in range(300)]

    def places(count: int, room: int) -> dict[str, int]:
        parts = spread(names[:count], str, len, room)
        return {name: number for number, part in enumerate(parts) for name in part}

    few, more = places(299, 100_000 // 40), places(300, 100_000 // 40)
    assert few == {name: more[name] for name in few}
    for room in (1_500, 900, 400):
        before, after = places(300, room), places(300, room // 2)
        last = max(before.values())
        assert max(after.values()) > last
        moved = [name for name in names if before[name] != after[name]]
        assert moved
        assert min(after[name] for name in moved) > last


def rights(policies: dict[str, str], given: object) -> set[str]:
    """The blocks of those policies, without the comments, which may name another part."""
    assert isinstance(given, (list, frozenset, set))
    found: set[str] = set()
    for name in given:
        for block in policies.get(str(name), "").split("\n\n"):
            lines = [line for line in block.splitlines() if not line.startswith("#")]
            if 'path "sys/leases/' in block and "allowed_parameters" in block:
                path = next(line for line in lines if line.startswith("path"))
                found |= {f"{path} {word}" for word in block.split('"') if "/creds/" in word}
            elif lines:
                found.add("\n".join(lines))
    return found


def stops(
    before: Setup, given: list[str] | None, after: Setup
) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Vault's policies, and what its JWT role gives, after each step from one to another."""
    policies, role = parts_of(before), list(given or [])
    yield dict(policies), role
    for stage in safe_stages(after, frozenset(given) if given is not None else None):
        for step in stage:
            if isinstance(step, Policy) and step.name in {*parts_of(after)}:
                policies[step.name] = step.text
            elif isinstance(step, Document) and step.path == ROLE:
                role = list(step.body["token_policies"])
            yield dict(policies), role
    for name in sorted(policies.keys() - parts_of(after).keys()):  # as `prune` does
        del policies[name]
        yield dict(policies), role


@pytest.mark.parametrize(
    ("few", "many"), [(8, 60), (60, 61), (8, 250), (60, 250), (250, 400), (8, 9)]
)
@pytest.mark.parametrize("grows", [True, False])
@pytest.mark.parametrize("number_named", [None, 8])
def test_a_stop_after_any_step_takes_no_right_away(
    few: int, many: int, grows: bool, number_named: int | None
) -> None:
    before, after = (setup_of(few), setup_of(many)) if grows else (setup_of(many), setup_of(few))
    count = len(parts_of(before))
    given = named_parts("daypass-apply", count)[: number_named and max(number_named, count)]
    needed = rights(parts_of(before), given) & rights(
        parts_of(after), named_parts("daypass-apply", 99)
    )
    assert len(needed) > 30
    for policies, role in stops(before, given, after):
        assert needed <= rights(policies, role)  # of a log-in that is new
        if len(parts_of(after)) <= len(given):
            assert needed <= rights(policies, given)  # of one that was there before


def test_a_stop_and_another_set_up_after_it_take_no_right_away() -> None:
    chance = random.Random(7)  # noqa: S311  -- the same cases each time
    for _ in range(25):
        sizes = [chance.choice((8, 40, 61, 120, 200)) for _ in range(4)]
        here = setup_of(sizes[0])
        policies, role = parts_of(here), named_parts("daypass-apply", len(parts_of(here)))
        common = min(sizes)
        needed = rights(parts_of(setup_of(common)), named_parts("daypass-apply", 99))
        for size in sizes[1:]:
            after = setup_of(size)
            kept = dataclasses.replace(
                here, steps=tuple(Policy(name, text) for name, text in policies.items())
            )
            made = list(stops(kept, role, after))
            policies, role = made[chance.randrange(len(made))]
            for some, given in made:
                assert needed <= rights(some, given)


def test_what_lets_runs_log_in_is_the_last_of_a_first_set_up() -> None:
    *_, last = safe_stages(setup_of(60), None)
    assert [step.path for step in last] == [ROLE]
    staged = [step for stage in safe_stages(setup_of(60), None) for step in stage]
    assert {step.title for step in staged} == {step.title for step in setup_of(60).steps}


def test_one_that_is_of_an_older_release_names_the_parts_before_one_is_shortened() -> None:
    titles = [s.title for stage in safe_stages(setup_of(60), ["daypass-apply"]) for s in stage]
    assert titles[-1] == "policy daypass-apply"
    assert titles.index("JWT role daypass-apply") < titles.index("policy daypass-apply-2")


@pytest.mark.parametrize(
    "changes",
    [
        {"commands_role": "daypass-apply-2"},
        {"commands_role": "daypass-apply-17"},
        {"apply_role": "daypass-commands-3"},
        {"commands_role": "daypass-monitor"},
        {"apply_role": "daypass-offline"},
        {"kv_mount": "same", "transit_mount": "same"},
        {"app_key": SETTINGS.evidence.key},
    ],
)
def test_two_things_of_one_name_are_refused(changes: dict[str, str]) -> None:
    vault = dataclasses.replace(SETTINGS.vault, **changes)
    with pytest.raises(DocumentError):
        desired(dataclasses.replace(SETTINGS, vault=vault), [])


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("x-2", True), ("X-2", True), ("x-10", True), ("x", False), ("x-1", False), ("x-02", False)],
)
def test_what_is_a_part(name: str, is_one: bool) -> None:
    assert is_further_part("x", name) is is_one
