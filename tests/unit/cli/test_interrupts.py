"""Signals that ask a command to stop: in order, and after what cannot be done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from daypass.cli.interrupts import Held, StoppedError, held_signals

if TYPE_CHECKING:
    from pathlib import Path

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1)
STOPS += (signal.SIGUSR2, signal.SIGALRM, signal.SIGXCPU, signal.SIGVTALRM, signal.SIGPROF)


def send(number: int) -> None:
    """A signal of this process's own is handled before this returns."""
    os.kill(os.getpid(), number)
    for _ in range(3):
        pass


@pytest.mark.parametrize("number", STOPS)
def test_the_first_signal_is_noted_and_shown(
    number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    with held_signals("it is waited for") as held:
        send(number)
        assert held.number == number
    assert capfd.readouterr().err == "\nit is waited for\n"
    assert signal.getsignal(number) == before
    with pytest.raises(StoppedError, match=number.name) as stopped:
        held.stop_before("nothing was opened")
    assert str(stopped.value) == f"stopped by {number.name}: nothing was opened"
    assert stopped.value.exit_code == 128 + number


# Those of a fault, those that stop or wake, and what Python ignores (SIGPIPE, SIGXFSZ).
OTHERS = {
    *(signal.SIGKILL, signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU),
    *(signal.SIGCONT, signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGPIPE),
    *(signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE),
    *(signal.SIGSEGV, signal.SIGSYS, signal.SIGXFSZ),
}


def test_every_signal_that_ends_a_process_is_held() -> None:
    with held_signals("x"):
        handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    missed = [number for number, handler in handlers.items() if handler is signal.SIG_DFL]
    assert set(missed) <= OTHERS


def test_only_a_second_ctrl_c_is_obeyed_at_once() -> None:
    """A terminal that is closed sends its signal more than once."""
    with held_signals("x") as held:
        for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGTERM, signal.SIGTERM):
            send(number)
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
        assert held.number == signal.SIGHUP


def test_what_is_ignored_stays_ignored_and_a_thread_changes_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with held_signals("x") as held:
            send(signal.SIGHUP)
        assert held.number is None
    finally:
        signal.signal(signal.SIGHUP, before)
    seen: list[Held] = []

    def hold() -> None:
        with held_signals("x") as held:
            seen.append(held)

    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    assert [held.number for held in seen] == [None]


WRITER = """
import os, sys
from pathlib import Path
from daypass.adapters.new_file import NewFile
from daypass.cli import main, status

def run(arguments):
    new = NewFile.create(Path({path!r}))
    try:
        os.kill(os.getpid(), {number})
        new.write(b"whole")
    finally:
        new.discard()

status.run = run
sys.argv[1:] = ["status"]
raise SystemExit(main.main())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGALRM])
def test_a_verb_that_is_stopped_leaves_no_draft(tmp_path: Path, number: signal.Signals) -> None:
    code = WRITER.format(path=str(tmp_path / "made"), number=int(number))
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 128 + number, done.stderr
    assert f"stopped by {number.name}" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_how_a_program_ends_is_known_whatever_the_parent_ignores(tmp_path: Path) -> None:
    """With SIGCHLD ignored the system forgets it, and Python says 0: all that git refuses."""
    command = [sys.executable, "-m", "daypass", "-C", str(tmp_path), "validate"]
    script = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    (tmp_path / ".git").mkdir()  # empty: git says that it is no repository
    (tmp_path / ".git" / "HEAD").write_text("no repository\n")
    done = subprocess.run(
        [sys.executable, "-c", script, *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "is not a git repository" in done.stderr
