"""Whether this machine can start a program, found out without starting it.

A credential can be handed over once, so a command that cannot start is found before that. What
execve refuses is looked for where it looks: the interpreter of a script, the machine that an ELF
file is built for, its loader, and the room for arguments and environment.
"""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from daypass.adapters.binary_formats import is_registered
from daypass.adapters.env_line import EnvLineError, started_by
from daypass.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARK: Final = b"\xef\xbb\xbf"  # of UTF-8, which Windows's editors write first
_HEAD: Final = 4096  # bytes read of a file: ELF's headers, and more than a script's first line
_LINE: Final = 255  # bytes of a first line that Linux reads
_DEEPEST: Final = 4  # interpreters that are scripts themselves; Linux follows no more
_LOADER: Final = 3  # PT_INTERP, in an ELF file's program headers
_LONGEST: Final = 4096  # of a loader's path
_PROGRAMS: Final = frozenset({2, 3})  # ET_EXEC and ET_DYN: what can be started, and no object file
# ELF's numbers of machines, by the kernel's name, and what else such a kernel may run.
_MACHINES: Final = {"x86_64": {62, 3}, "aarch64": {183, 40}, "riscv64": {243}, "s390x": {22}}
_NAMES: Final = {3: "i386", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "arm",
                 62: "x86_64", 183: "aarch64", 243: "riscv", 258: "loongarch"}  # fmt: skip


def find_program(word: str) -> str:
    """Return the path of a program that this machine can start. Raises UsageError."""
    found = shutil.which(word)
    if found is None:
        raise _missing(word)
    _check(found, 0)
    return found


def try_room(words: Sequence[str], room: int) -> None:
    """Start a shell that does nothing, with these arguments and a bigger environment.

    Args:
        words: the arguments.
        room: how many bytes the environment is going to grow by, at the most.

    Raises:
        UsageError: the system takes no arguments and environment of that size.
    """
    try:
        subprocess.run(  # noqa: S603  -- nothing of the words is parsed
            ["/bin/sh", "-c", ":", *words],
            env={**os.environ, "DAYPASS_ROOM": "x" * room},
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        if error.errno == errno.E2BIG:
            raise UsageError(
                "the command cannot be started: its arguments and the environment are too long",
                remedy="Nothing was opened. Give it fewer arguments, such as a file that lists "
                "them, and run it again.",
            ) from None


def _missing(word: str) -> UsageError:
    path = Path(word)
    if os.sep in word and path.is_dir():
        return _refused(word, "it is a folder", "Name a program in it")
    if os.sep in word and path.is_file():
        mend = f"Make it executable with `chmod +x {shlex.quote(word)}`"
        return _refused(word, "it may not be executed", mend)
    if os.sep in word and path.is_symlink():
        return _refused(word, "it is a link to a file that is missing", "Name the program itself")
    return UsageError(
        f"there is no command {word!a}",
        remedy="Nothing was opened. Correct its name or PATH, and run the claim again.",
    )


def _refused(path: str, why: str, mend: str) -> UsageError:
    return UsageError(
        f"{path!a} cannot be started: {why}",
        remedy=f"Nothing was opened. {mend}, and run it again.",
    )


def _check(path: str, depth: int) -> None:
    """Raise UsageError if execve would refuse that file."""
    if not Path(path).is_file():
        raise _refused(path, "it is no file", "Name a program")
    try:
        file = Path(path).open("rb")  # noqa: SIM115  -- the next line closes it
    except PermissionError:
        return  # a program can be one that its users may start, and not read
    with file:
        head = file.read(_HEAD)
        if head.startswith(b"#!"):
            _check_script(path, head, depth)
        elif head.startswith(_MARK + b"#!"):
            raise _refused(
                path,
                "it begins with a byte order mark, so the system does not see its `#!`",
                f"Remove that with `sed -i '1s/^\\xEF\\xBB\\xBF//' {shlex.quote(path)}`",
            )
        elif not sys.platform.startswith("linux") or is_registered(path, head):
            return
        elif head.startswith(b"\x7fELF"):
            _check_elf(path, file, head)
        elif b"\0" in head.split(b"\n", 1)[0]:
            raise _refused(path, "it is no program of this system", "Name one that is")


def _check_script(path: str, head: bytes, depth: int) -> None:
    line = head[2:_LINE].split(b"\n", 1)[0]
    if line.endswith(b"\r"):
        raise _refused(
            path,
            "its first line ends as Windows ends lines (CRLF), so its interpreter is not found",
            f"Remove these with `sed -i 's/\\r$//' {shlex.quote(path)}`",
        )
    words = os.fsdecode(line).strip(" \t").split(None, 1)
    if not words:
        return  # a shell runs it
    interpreter, rest = words[0], words[1] if len(words) > 1 else ""
    if shutil.which(interpreter if os.sep in interpreter else f"./{interpreter}") is None:
        raise _refused(
            path,
            f"its interpreter {interpreter!a} is missing, or may not be executed",
            "Install it, or correct the first line",
        )
    if Path(interpreter).name == "env":
        _check_env(path, rest)
    if depth == _DEEPEST:
        raise _refused(path, "its interpreter is a script, as is that one's", "Name a program")
    _check(interpreter, depth + 1)


def _check_env(path: str, rest: str) -> None:
    """Look for what `#!/usr/bin/env …` would look for."""
    try:
        started = started_by(rest)
    except EnvLineError as error:
        raise _refused(path, str(error), "Write `-S` after `env` in its first line") from None
    if started is not None and shutil.which(started.name, path=started.path) is None:
        raise _refused(
            path,
            f"its interpreter {started.name!a} is not in PATH",
            "Install it, or correct PATH or the first line",
        )


def _check_elf(path: str, file: BinaryIO, head: bytes) -> None:
    order = "<" if head[5:6] == b"\1" else ">"
    try:
        kind, machine = struct.unpack_from(f"{order}HH", head, 16)
        known = _MACHINES.get(os.uname().machine)
        if known is not None and machine not in known:
            raise _refused(
                path,
                f"it is built for another machine ({_NAMES.get(machine, f'number {machine}')}, and "
                f"this is {os.uname().machine})",
                "Install the one for this machine",
            )
        if kind not in _PROGRAMS:
            raise _refused(path, "it is an object file, and no program", "Name a program")
        loader = _loader(file, head, order)
    except struct.error:
        raise _refused(path, "the file is cut off", "Install it anew") from None
    if loader and not Path(os.fsdecode(loader)).exists():
        raise _refused(
            path,
            f"its loader {os.fsdecode(loader)!a} is missing: it is built for another system",
            "Install the one for this system",
        )


def _loader(file: BinaryIO, head: bytes, order: str) -> bytes:
    """Return the path of the loader that a program names; empty for one that needs none."""
    is_wide = head[4:5] == b"\2"
    begin = struct.unpack_from(f"{order}{'Q' if is_wide else 'I'}", head, 32 if is_wide else 28)[0]
    size, count = struct.unpack_from(f"{order}HH", head, 54 if is_wide else 42)
    for number in range(count):
        file.seek(begin + number * size)
        entry = file.read(56)
        if struct.unpack_from(f"{order}I", entry)[0] != _LOADER:
            continue
        place = f"{order}{'Q' if is_wide else 'I'}"
        at = struct.unpack_from(place, entry, 8 if is_wide else 4)[0]
        length = struct.unpack_from(place, entry, 32 if is_wide else 16)[0]
        file.seek(at)
        return file.read(min(length, _LONGEST)).rstrip(b"\0")
    return b""
