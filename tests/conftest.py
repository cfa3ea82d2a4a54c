"""The real servers that integration and end-to-end tests run against.

Each test process starts its own, once, and ends them. A server that does not start fails the
tests that want it: nothing is ever skipped.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from support import interpreter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.sandbox.box import Box
    from daypass.sandbox.github import GitHub
    from daypass.sandbox.openbao import OpenBao
    from daypass.sandbox.postgres import Postgres

# A machine that is busy with other work is no fault of the test that it makes slow.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
TESTS = Path(__file__).parent


# The files that take longest, longest first: of two processes that share the files, one would else
# come to such a file last, and the other wait for it. Then other stories, servers, and units.
LONGEST = (
    "test_crash_safety",
    "test_any_story",
    "test_break_glass_killed",
    "test_living_grants",
    "test_workflows",
    "test_frozen",
    "test_bad_weather",
    "test_restored_backups",
    "test_key_rotation",
)
_NUMBERS = itertools.count()
FOLDERS = ("e2e", "integration", "fuzz", "unit")


@pytest.hookimpl(tryfirst=True)  # pytest itself then brings together who shares a fixture
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files keep their tests together, and come in the order in which they take long."""
    items.sort(key=lambda item: _rank(item.path))


def _rank(path: Path) -> tuple[int, int, str]:
    folder = path.relative_to(TESTS).parts[0]
    at = LONGEST.index(path.stem) if path.stem in LONGEST else len(LONGEST)
    return at, FOLDERS.index(folder), path.as_posix()


def pytest_unconfigure() -> None:
    interpreter.close_shared()


@pytest.fixture(autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What commands remember in this process is of one test alone, and not of who runs it.

    It has a patch of its own: `monkeypatch`, asked for by every test, would be undone last, and
    what a test sets would reach the end of its other fixtures.
    """
    name = f"state-{next(_NUMBERS)}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / name))
        yield


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """An OpenBao of this test process, initialised and unsealed."""
    from daypass.sandbox.openbao import OpenBao  # noqa: PLC0415  -- unit tests need no server

    with OpenBao.start(tmp_path_factory.mktemp("openbao")) as server:
        yield server


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL of this test process, with the database `orders`."""
    from daypass.sandbox.postgres import Postgres  # noqa: PLC0415  -- unit tests need no server

    with Postgres.start(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def database_engine(bao: OpenBao, postgres: Postgres) -> str:
    """The mount of OpenBao's database engine over that PostgreSQL, with the tiered roles."""
    from daypass.sandbox.database_engine import (  # noqa: PLC0415  -- unit tests need no server
        set_up_database_engine,
    )

    set_up_database_engine(bao, postgres)
    return "database"


@pytest.fixture
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHub]:
    """A GitHub of this test alone (it starts in 0.2 s), with an organisation `acme`, empty."""
    from daypass.sandbox.github import GitHub  # noqa: PLC0415  -- unit tests need no server

    with GitHub.start(tmp_path_factory.mktemp("github")) as server:
        yield server


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """An organisation of this test process, with daypass's set-up in its Vault.

    Tests share it: take request ids and branches of your own, stop nothing, heal what you break.
    """
    yield from _boxes(tmp_path_factory)


@pytest.fixture
def fresh_box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """As `box`, for one test alone: to stop its servers, to rewrite its history (4 s)."""
    yield from _boxes(tmp_path_factory)


def _boxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    from daypass.sandbox.box import Box  # noqa: PLC0415  -- unit tests need no server

    with Box.create(tmp_path_factory.mktemp("box")) as box:
        box.vault_bootstrap()
        yield box
