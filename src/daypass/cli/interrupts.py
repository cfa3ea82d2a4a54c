"""Ctrl-C where it must not cut off what is done: it is noted, and the work stops by itself."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_STOPPING: Final = b"\nstopping: what is under way at Vault is waited for, a minute or so at most\n"


@contextmanager
def noted_interrupts() -> Iterator[threading.Event]:
    """Sets the event at the first Ctrl-C, and says so; the next one interrupts as ever.

    Where interrupts are ignored, or in another thread than the main one, nothing is changed.
    """
    noted = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or before in (None, signal.SIG_IGN):
        yield noted
        return

    def note(*_: object) -> None:
        noted.set()
        signal.signal(signal.SIGINT, before)
        with suppress(OSError):
            os.write(2, _STOPPING)  # not by sys.stderr, which may be in the midst of a line

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)
