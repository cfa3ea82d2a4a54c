"""Servers of several versions, each started when a test first wants it, and two users of Vault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support import targets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.sandbox.openbao import OpenBao
    from daypass.sandbox.postgres import Postgres


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The versions that a test runs at: all of them by night, see `targets.versions`."""
    if "server" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("postgres")
        versions = targets.versions(*(marker.args if marker is not None else ()))
        ids = [f"pg{version}" for version in versions]
        metafunc.parametrize("server", versions, indirect=True, ids=ids, scope="package")


@pytest.fixture(scope="package")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, Postgres]]:
    """One version's server, in which PUBLIC may create in `public`, as up to PostgreSQL 14."""
    from daypass.sandbox.postgres import Postgres  # noqa: PLC0415  -- unit tests need no server

    version = request.param
    folder = tmp_path_factory.mktemp(f"pg{version}")
    with Postgres.start(folder, targets.programs(version)) as started:
        with started.connect() as session:
            session.execute("GRANT CREATE, USAGE ON SCHEMA public TO PUBLIC")
            session.execute("GRANT CREATE, TEMPORARY ON DATABASE orders TO orders_admin")
            session.execute("CREATE EXTENSION postgres_fdw")
            session.execute("CREATE SERVER theirs FOREIGN DATA WRAPPER postgres_fdw")
            session.execute("GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO orders_admin")
            session.execute("GRANT USAGE ON FOREIGN SERVER theirs TO orders_admin")
            session.execute("GRANT TEMPORARY ON DATABASE orders TO orders_read")
        yield version, started
        targets.close_sessions(started)


@pytest.fixture(scope="package", params=[False, True], ids=["plain", "superuser"])
def connected(
    request: pytest.FixtureRequest, server: tuple[int, Postgres], bao: OpenBao
) -> targets.Target:
    """That server as one user of Vault reaches it: a plain one, and a superuser."""
    version, postgres = server
    return targets.connect(bao, postgres, version, superuser=request.param)


@pytest.fixture
def target(connected: targets.Target) -> Iterator[targets.Target]:
    """As `connected`, and cleaned up behind the test, however it went."""
    yield connected
    connected.clean()
