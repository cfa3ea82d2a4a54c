"""Each measure in a fresh process: neither memory nor threads of one weigh on the next."""

from __future__ import annotations

import importlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

from daypass.errors import DaypassError

if TYPE_CHECKING:
    from bench.figures import Figure


def measured_apart(name: str) -> list[Figure] | str:
    """What `bench.<name>` measures, or why it could not be measured."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as pool:
        return pool.submit(_measured, name).result()


def _measured(name: str) -> list[Figure] | str:
    try:
        figures: list[Figure] = importlib.import_module(f"bench.{name}").measure()
    except (DaypassError, SystemExit) as error:
        return str(error)
    return figures
