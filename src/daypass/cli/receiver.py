"""What receives a credential, as the words of a command say it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from daypass.adapters.handover_command import Command
from daypass.adapters.handover_file import File
from daypass.adapters.handover_output import StandardOutput
from daypass.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daypass.adapters.handover import Receiver

_STREAMS: Final = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/self/fd/")


def choose_receiver(
    command: Sequence[str], form: str | None, path: str | None, how: str
) -> Receiver:
    """Return the one receiver that the words name. Raises UsageError; nothing is touched yet.

    Args:
        command: what follows `--`.
        form: `env`, `json` or `file`; None where no format was said.
        path: the file of `--format file`, as it was typed.
        how: how to say it, as the remedy of words that name none, or two.
    """
    if (form == "file") != (path is not None):
        raise UsageError(
            "--format file and --output PATH belong together",
            remedy=f"For example: `--format file --output orders.json`. {_last_sentence(how)}",
        )
    if command and form:
        raise UsageError(
            f"a command and --format {form} cannot both receive the credential", remedy=how
        )
    if command:
        return Command(command)
    if form is None:
        raise UsageError(
            "nothing is to receive the credential, and it is not shown unasked", remedy=how
        )
    return StandardOutput(form) if path is None else File(_new_file(path, how))


def _new_file(path: str, how: str) -> Path:
    """The file that a path names. Raises UsageError for what can be none."""
    nothing = _last_sentence(how)
    if path == "-" or path.startswith(_STREAMS):
        raise UsageError(
            f"--output {path!a} names no file",
            remedy=f"Print the credential with `--format json`, without --output. {nothing}",
        )
    if path.rpartition("/")[2] in {"", ".", ".."}:
        raise UsageError(
            f"--output {path!a} names no file",
            remedy=f"Name a new file, such as `--output orders.json`. {nothing}",
        )
    return Path(path)


def _last_sentence(how: str) -> str:
    return how.rsplit(". ", 1)[-1]
