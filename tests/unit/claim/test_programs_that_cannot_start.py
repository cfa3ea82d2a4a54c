"""A command that cannot start is found before the delivery is opened: each as execve refuses it."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from daypass.adapters.binary_formats import is_registered
from daypass.adapters.executable import find_program
from daypass.adapters.handover_command import Command
from daypass.adapters.handover_file import File
from daypass.adapters.handover_output import StandardOutput
from daypass.errors import UsageError

OWN = Path(sys.executable).resolve().read_bytes()
OTHER_MACHINE = OWN[:18] + struct.pack("<H", 2) + OWN[20:4096]  # SPARC


def executable(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    path.chmod(0o755)
    return str(path)


def elf(kind: int, loader: bytes) -> bytes:
    """A program of this machine that names a loader, and holds nothing else."""
    at = 64 + 56
    header = OWN[:16] + struct.pack("<H", kind) + OWN[18:32] + struct.pack("<Q", 64) + OWN[40:54]
    header += struct.pack("<HH", 56, 1) + OWN[58:64]
    entry = struct.pack("<IIQQQQQQ", 3, 4, at, 0, 0, len(loader), len(loader), 1)
    return header + entry + loader


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"#!/opt/python9/bin/python\nprint(1)\n", "its interpreter '/opt/python9/bin/python'"),
        (b"#!/bin/sh\r\necho hi\r\n", "CRLF"),
        (b"#!/usr/bin/env bash\r\necho hi\r\n", "CRLF"),
        (b"#!/usr/bin/env python9 -u\n", "'python9 -u' is not in PATH"),
        (b"#!/usr/bin/env -S A=b python9 -u\n", "'python9' is not in PATH"),
        (b"#!/usr/bin/env -i sh\n", "only with -S"),
        (b"#!/usr/bin/env -S -i python9\n", "'python9' is not in PATH"),
        (b"#!/usr/bin/env -iS python9\n", "'python9' is not in PATH"),
        (b"#!/usr/bin/env -S -u HOME --unset=A python9\n", "'python9' is not in PATH"),
        (b"#!/usr/bin/env -S PATH=/nowhere sh\n", "'sh' is not in PATH"),
        (b"#!/usr/bin/env --split-string=python9 -u\n", "'python9' is not in PATH"),
        (b"\xef\xbb\xbf#!/usr/bin/env python9\nimport os\n", "byte order mark"),
        (b"#!/etc\n", "its interpreter '/etc'"),
        (OTHER_MACHINE, "another machine (number 2"),
        (elf(2, b"/lib/ld-elsewhere.so.1\0"), "its loader '/lib/ld-elsewhere.so.1' is missing"),
        (elf(1, b"\0"), "it is an object file"),
        (OWN[:19], "the file is cut off"),
        (b"\xca\xfe\xba\xbe\0\0\0\1", "no program of this system"),
    ],
    ids=range(18),
)
def test_what_execve_refuses_is_refused_before(tmp_path: Path, content: bytes, why: str) -> None:
    path = executable(tmp_path / "tool", content)
    with pytest.raises((OSError, subprocess.SubprocessError)):  # it is no invention
        _start(path)
    with pytest.raises(UsageError) as refused:
        Command([path]).prepare()
    assert why in refused.value.message
    assert "Nothing was opened" in refused.value.remedy


def _start(path: str) -> None:
    """Start it as a shell does: whatever the kernel takes for no program, a shell reads."""
    done = subprocess.run([path], check=False, capture_output=True)
    if done.returncode in (125, 126, 127, -11):  # env; or the loader, which had nothing to load
        raise subprocess.SubprocessError(done.stderr)


@pytest.mark.parametrize(
    "content",
    [
        b"#!/bin/sh\nexit 0\n",
        b"#!/usr/bin/env -S sh -e\n",
        b"#! /usr/bin/env\tsh\n",
        b"#!/usr/bin/env -S -i sh\n",
        b"#!/usr/bin/env -S -u HOME -C / A=b sh -e\n",
        b"#!/usr/bin/env -vS sh\n",
        b"#!/usr/bin/env -S -C / ./here\n",
        b"#!\n",
        b"exit 0\n",
        b"",
        OWN,
    ],
    ids=range(11),
)
def test_what_can_start_is_found(tmp_path: Path, content: bytes) -> None:
    path = executable(tmp_path / "tool", content)
    assert find_program(path) == path


def test_a_script_of_a_script_is_looked_through(tmp_path: Path) -> None:
    inner = executable(tmp_path / "inner", b"#!/no/such/interpreter\n")
    outer = executable(tmp_path / "outer", f"#!{inner}\n".encode())
    with pytest.raises(UsageError, match="inner' cannot be started"):
        find_program(outer)


def test_a_name_that_is_no_program_says_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("exit 0\n")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name, why in ((".", "a folder"), ("plain", "may not be executed"), ("link", "a link")):
        with pytest.raises(UsageError, match=why):
            find_program(f"{tmp_path}/{name}")


def test_a_format_that_the_kernel_starts_with_an_interpreter_is_no_fault(tmp_path: Path) -> None:
    """As with qemu for another machine's programs, or Wine."""
    (tmp_path / "status").write_text("enabled\n")
    (tmp_path / "register").write_text("")
    entry = tmp_path / "qemu-other"
    mask = "ff" * 18 + "ffff"
    entry.write_text(
        f"enabled\ninterpreter /usr/bin/qemu\nflags: \noffset 0\n"
        f"magic {OTHER_MACHINE[:20].hex()}\nmask {mask}\n"
    )
    assert is_registered("/x/tool", OTHER_MACHINE, tmp_path)
    assert not is_registered("/x/tool", OWN, tmp_path)
    entry.write_text(entry.read_text().replace("enabled", "disabled"))
    assert not is_registered("/x/tool", OTHER_MACHINE, tmp_path)


def test_more_arguments_than_the_system_takes_are_found_with_the_room_of_a_credential() -> None:
    Command(["echo", "x" * 1000]).prepare()
    with pytest.raises(UsageError, match="too long"):
        Command(["echo", *["x" * 100_000] * 90]).prepare()


def test_a_working_directory_that_is_gone_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(UsageError, match="working directory"):
        Command(["true"]).prepare()


def test_a_standard_output_that_cannot_take_it_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printer = StandardOutput("json")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        with pytest.raises(UsageError, match="it is closed"):
            printer.prepare()
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", encoding="utf-8") as pipe, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", pipe)
        printer.prepare()
        os.close(reader)
        with pytest.raises(UsageError, match="is gone"):
            printer.prepare()
    (tmp_path / "read").touch()
    with (tmp_path / "read").open(encoding="utf-8") as reading, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", reading)
        with pytest.raises(UsageError, match="reading only"):
            printer.prepare()


def test_what_has_the_files_name_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").touch()
    for name, why in ((".", "is a folder"), ("fifo", "no regular file"), ("file", "exists, and")):
        with pytest.raises(UsageError, match=why):
            File(tmp_path / name).prepare()
    longest = File(tmp_path / ("x" * 255))
    longest.prepare()
    longest.abandon()
    with pytest.raises(OSError, match="too long"):
        File(tmp_path / ("x" * 256)).prepare()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo", "file"]
