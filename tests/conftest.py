"""The real servers that integration and end-to-end tests run against.

Each test process starts its own, once, and ends them. A server that does not start fails the
tests that want it: nothing is ever skipped.
"""

from __future__ import annotations

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


def pytest_unconfigure() -> None:
    interpreter.close_shared()


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
