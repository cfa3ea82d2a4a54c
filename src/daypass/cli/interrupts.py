"""Signals that ask a command to stop: it stops in order, after what it must finish first."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator

_STOPPING: Final = b"\nstopping: what is under way at Vault is waited for, a minute or so at most\n"
# By Ctrl-C; by what ends the process; by a terminal that goes away; by Ctrl-\. Then all others
# whose default ends a process, but those that a fault of its own raises, and SIGPIPE.
_NAMES: Final = (
    *("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"),
    *("SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGXCPU", "SIGXFSZ"),
    *("SIGPOLL", "SIGIO", "SIGPWR", "SIGSTKFLT", "SIGLOST", "SIGEMT"),
)


class StoppedError(KeyboardInterrupt):
    """A signal asked this command to stop. Its text says what that left behind.

    A KeyboardInterrupt, so that what cleans up after Ctrl-C does so after the others too.
    """

    def __init__(self, number: int, said: str = "") -> None:
        self.number = number
        self.said = said or f"stopped by {name_of(number)}; run it again to go on"
        super().__init__(self.said)

    @property
    def exit_code(self) -> int:
        """As a shell says it of a command that a signal ended."""
        return 128 + self.number


class Held:
    """The first signal that came while signals were held."""

    number: int | None = None

    def stop(self, said: str = "") -> None:
        """Raise StoppedError if there was one."""
        if self.number is not None:
            raise StoppedError(self.number, said)

    def stop_before(self, left: str) -> None:
        """Raise StoppedError if there was one, which says that so far `left` is true."""
        if self.number is not None:
            raise StoppedError(self.number, f"stopped by {name_of(self.number)}: {left}")


def name_of(number: int) -> str:
    """Return the signal's name, such as `SIGTERM`; of a real-time one its number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def stop_in_order() -> None:
    """Let the signals that end a process at once end it as Ctrl-C does, so that it cleans up.

    How the programs end that this one starts is known, whatever its parent ignores.
    """

    def stop(number: int, _: object) -> None:
        if number == getattr(signal, "SIGHUP", None):
            signal.signal(number, signal.SIG_IGN)  # a terminal that is closed sends it twice
        raise StoppedError(number)

    for number in _signals():
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, stop)
    # Ignored, as a parent can leave it, the system forgets how a child ended: Python says 0.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


@contextmanager
def held_signals(words: str) -> Iterator[Held]:
    """Note signals that ask to stop, and go on; the first one shows the words.

    A second Ctrl-C is obeyed: it interrupts as ever. Others may come twice of themselves, as those
    of a closed terminal do. What is ignored stays so; in a thread nothing is changed.
    """
    held = Held()

    def note(number: int, _: object) -> None:
        if held.number is None:
            held.number = number
            with suppress(OSError):
                os.write(2, f"\n{words}\n".encode())  # sys.stderr may be in the midst of a line
        elif number == signal.SIGINT:
            raise StoppedError(number)

    with _handled(_signals(), note):
        yield held


@contextmanager
def noted_interrupts() -> Iterator[threading.Event]:
    """Sets the event at the first Ctrl-C, and says so; the next one interrupts as ever.

    Where interrupts are ignored, or in another thread than the main one, nothing is changed.
    """
    import threading

    noted = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def note(*_: object) -> None:
        noted.set()
        signal.signal(signal.SIGINT, before)
        with suppress(OSError):
            os.write(2, _STOPPING)  # not by sys.stderr, which may be in the midst of a line

    with _handled([signal.SIGINT], note):
        yield noted


def _signals() -> list[int]:
    """Those of the signals that this system has, Linux's real-time ones included."""
    named = [int(getattr(signal, name)) for name in _NAMES if hasattr(signal, name)]
    first, last = getattr(signal, "SIGRTMIN", 1), getattr(signal, "SIGRTMAX", 0)
    return list(dict.fromkeys([*named, *range(first, last + 1)]))


@contextmanager
def _handled(numbers: Iterable[int], handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Handle the signals that are not ignored, and undo that."""
    before = {}
    try:
        for number in numbers:
            found = signal.getsignal(number)
            if found in (None, signal.SIG_IGN):
                continue
            with suppress(ValueError):  # in another thread than the main one
                signal.signal(number, handler)
                before[number] = found
        yield
    finally:
        for number, found in before.items():
            signal.signal(number, found)
