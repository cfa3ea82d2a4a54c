"""What fuzzing has found is tried again in every run of the tests."""

from __future__ import annotations

import pytest
from loader_target import CORPUS, attempt_in_time

FOUND = sorted(path for path in CORPUS.iterdir() if path.name != "README.md")


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_it_ends_in_an_error_that_a_person_can_use(path):
    assert not attempt_in_time(path.read_bytes())
