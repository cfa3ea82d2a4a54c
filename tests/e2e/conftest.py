"""What end-to-end tests share: a release to install, and a runner for the workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.release import make_release

if TYPE_CHECKING:
    from support.release import Release


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/e2e/" in item.path.as_posix():
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """This checkout as the workflows install it."""
    return make_release(tmp_path_factory.mktemp("release"))
