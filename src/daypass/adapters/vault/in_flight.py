"""Requests in flight: several at once, told in order, and none begun after the first that fails."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
R = TypeVar("R")
_AT_ONCE: Final = 8  # threads; the pool of connections holds more


class _NotBegunError(Exception):
    """Another one failed before."""


def in_flight(
    act: Callable[[T], R], items: Sequence[T], stop_wanted: threading.Event | None = None
) -> Iterator[R]:
    """Does the same to each item, up to eight at once.

    Args:
        act: for several threads.
        items: of which none depends on another.
        stop_wanted: set, from a signal handler say, by whoever wants it to stop.

    Yields:
        What came of each that was done, in the order of the items. When one fails, when it is to
        stop, or when the caller stops early, no other is begun; those under way are waited for.

    Raises the first error, and if there was none and it was to stop KeyboardInterrupt; both after
    all that was done has been yielded.
    """
    stop = threading.Event()
    asked = stop_wanted or threading.Event()

    def guarded(item: T) -> R:
        if stop.is_set() or asked.is_set():
            raise _NotBegunError
        try:
            return act(item)
        except BaseException:
            stop.set()
            raise

    failed: BaseException | None = None
    pool = ThreadPoolExecutor(min(_AT_ONCE, max(1, len(items))))
    try:
        for future in [pool.submit(guarded, item) for item in items]:
            error = future.exception()
            if error is None:
                yield future.result()
            elif failed is None and not isinstance(error, _NotBegunError):
                failed = error
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
    if failed is not None:
        raise failed
    if asked.is_set():
        raise KeyboardInterrupt
