"""What end-to-end tests share: a release to install, and a runner for the workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support import sweep
from support.release import make_release

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.release import Release


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/e2e/" in item.path.as_posix():
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """This checkout as the workflows install it."""
    return make_release(tmp_path_factory.mktemp("release"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """What the sweeps of a test have to say goes along with its result."""
    sweep.told.clear()
    try:
        yield
    finally:
        item.user_properties += [("sweep", line) for line in sweep.told]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a sweep: how often a run was killed, and before what."""
    ran = (
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, ())
        if report.when == "call"
    )
    lines = [
        f"{report.nodeid.rpartition('::')[2]} ({report.duration:.0f} s): {line}"
        for report in ran
        for name, line in report.user_properties
        if name == "sweep"
    ]
    if lines and sweep.EVERY:
        terminalreporter.section("runs that were killed")
        terminalreporter.write_line("\n".join(sorted(lines)))
