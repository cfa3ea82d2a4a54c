"""Runs that take, refuse and close an emergency: killed before every change, and after."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from daypass.sandbox.box import Box
from support.sweep import sweep
from support.village import Village
from support.warm import Fate, Ran, Warm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.town import Asked


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    with Box.create(tmp_path_factory.mktemp("box")) as box:
        box.vault_bootstrap()
        town = Village(box)
        assert town.apply().code == 0  # what only the first run of all notes
        yield town


@pytest.fixture(scope="module")
def warm(town: Village) -> Iterator[Warm]:
    with Warm(town.box) as made:
        yield made


@pytest.fixture(autouse=True)
def evidence(town: Village) -> Iterator[None]:
    """After each story, an auditor looks."""
    yield
    report = town.verify().json()
    assert report["verdict"] == "holds"
    assert report["faults"] == []


def test_an_emergency_is_granted_once_and_called_out_once(town: Village, warm: Warm) -> None:
    swept = sweep(
        town,
        lambda word: town.propose(f"taken-{word}", by="bob").asked,
        lambda _, fate: warm.apply(fate),
        lambda _: warm.apply(),
    )
    calls = " ".join(swept.calls)
    for needed in ("/merge", "/auth/token/create/daypass-bg-", "git push", "/issues"):
        assert needed in calls


def test_a_refusal_spends_its_id_and_closes_its_pull_request(town: Village, warm: Warm) -> None:
    sweep(
        town,
        lambda word: town.propose(f"refused-{word}", by="mallory", subject="mallory").asked,
        lambda _, fate: warm.apply(fate),
        lambda _: warm.apply(),
    )


def test_a_review_is_recorded_once_and_closes_the_issue(town: Village, warm: Warm) -> None:
    over = ended_emergencies(town, warm)

    def begin(_: str) -> Asked:
        asked = next(over)
        town.box.person("carol").comment(asked.number, f"/review {asked.id}")
        return asked

    def run(_: Asked, fate: Fate) -> Ran:
        return warm.apply(fate)

    sweep(town, begin, run, lambda _: warm.apply())


def test_a_review_that_is_late_is_told_once_and_stands_until_it_is_given(
    town: Village, warm: Warm
) -> None:
    """One at a time, since a run tells of all that are late: so every push kills at a few calls."""
    late: list[Asked] = []

    def settle() -> None:
        """Nobody who owes one receives anything: the one before is reviewed first."""
        for asked in late:
            town.box.person("carol").comment(asked.number, f"/review {asked.id}")
        assert warm.apply().code == 0
        assert all(town.events(asked.id)[-1] == "reviewed" for asked in late)
        late.clear()

    def begin(word: str) -> Asked:
        settle()
        asked = town.propose(f"late-{word}", by="alice").asked
        assert warm.apply(Fate(review=1)).code == 0
        path = f"access/break-glass/{asked.id}.yaml"
        asked.who.merge(asked.who.propose(f"end-{asked.id}", {path: None}, "It is over"))
        warm.apply()  # on a slow machine it is late already, and this run alarms
        assert town.events(asked.id) == ["issued", "revoked"]
        time.sleep(2.1)  # due, by Vault's whole seconds
        late.append(asked)
        return asked

    def mend(asked: Asked) -> Ran:
        done = warm.apply()
        assert town.events(asked.id) == ["issued", "revoked", "review-overdue"]
        return done

    sweep(town, begin, lambda _, fate: warm.apply(fate), mend, step=12)
    settle()


def ended_emergencies(town: Village, warm: Warm) -> Iterator[Asked]:
    """Taken, and given back: a review is owed for each. Made many at once."""
    number = 0
    while True:
        names = [f"over-{number + more}" for more in range(16)]
        number += len(names)
        taken = [town.propose(name, by="alice").asked for name in names]
        assert warm.apply().code == 0
        alice = town.box.person("alice")
        paths: dict[str, bytes | None] = {f"access/break-glass/{name}.yaml": None for name in names}
        alice.merge(alice.propose(f"over-{number}", paths, "All over"))
        assert warm.apply().code == 0
        time.sleep(1.1)  # GitHub tells whole seconds: what follows is said after the end
        yield from taken
