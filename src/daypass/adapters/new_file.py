"""New files in folders that other people may write to: one descriptor from creation to end.

A name in such a folder can be swapped between two calls. So the folder is opened once, the file is
created in it under a name that nobody knows, all is written through that one descriptor, and what
stands under a name is compared with it before it is believed or removed.
"""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from pathlib import Path

_CREATE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
OWNER_ALONE: Final = 0o600
PUBLIC: Final = 0o666  # less what the umask takes


def write_new(path: Path, data: bytes, *, mode: int = PUBLIC) -> None:
    """Writes a file where there is none. Raises OSError; then nothing of it is left."""
    new = NewFile.create(path, mode=mode)
    try:
        new.write(data)
        new.appear()
    finally:
        new.discard()


@dataclass(slots=True)
class NewFile:
    """A file that is being written, and that appears under its name when it is whole.

    Every method may raise OSError; `discard` raises none, and comes after any other's failure.
    """

    path: Path
    draft: str  # its name until then, in the same folder
    _folder: int  # descriptors; -1: closed
    _file: int

    @classmethod
    def create(cls, path: Path, *, mode: int = OWNER_ALONE) -> Self:
        """Creates the draft beside `path`. Nothing stands under its name yet."""
        draft = f".daypass-{secrets.token_hex(8)}"  # not longer by a long name
        folder = os.open(path.parent, _FOLDER)
        try:
            file = os.open(draft, _CREATE, mode, dir_fd=folder)
        except OSError:
            os.close(folder)
            raise
        return cls(path, draft, folder, file)

    def write(self, data: bytes) -> None:
        """Makes this its whole content, down to the disk."""
        os.ftruncate(self._file, len(data))
        at = 0
        while at < len(data):
            at += os.pwrite(self._file, data[at:], at)
        os.fsync(self._file)

    def add(self, piece: bytes) -> None:
        """Writes a piece after those before."""
        left = memoryview(piece)
        while left:
            left = left[os.write(self._file, left) :]

    def appear(self) -> None:
        """Gives it its name. Raises FileExistsError if something has it: nothing is replaced."""
        os.fsync(self._file)
        self._demand_own(self.draft)
        name = self.path.name
        names = {"src_dir_fd": self._folder, "dst_dir_fd": self._folder}
        os.link(self.draft, name, follow_symlinks=False, **names)
        if not self._is_own(name):
            self._remove(name)  # what was linked a moment ago: somebody swapped the draft
        self._demand_own(name)
        self._finish()

    def try_appearing(self) -> None:
        """Gives it another name for a moment, as `appear` will: some file systems cannot."""
        trial = f"{self.draft}.link"
        names = {"src_dir_fd": self._folder, "dst_dir_fd": self._folder}
        os.link(self.draft, trial, follow_symlinks=False, **names)
        if self._is_own(trial):
            self._remove(trial)

    def take_place(self) -> None:
        """Gives it its name, in place of what has it."""
        os.fsync(self._file)
        self._demand_own(self.draft)
        name = self.path.name
        os.replace(self.draft, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._demand_own(name)
        self._finish()

    def is_there(self) -> bool:
        """Returns whether the draft still stands where it was created."""
        return self._file >= 0 and self._is_own(self.draft)

    def discard(self) -> None:
        """Empties and removes it, and nothing that somebody else put in its place."""
        if self._file < 0:
            return
        with suppress(OSError):
            os.ftruncate(self._file, 0)
        self._finish()

    def leave(self) -> None:
        """Closes it, and leaves the draft to whoever is told of it."""
        os.close(self._file)
        os.close(self._folder)
        self._file = self._folder = -1

    def _finish(self) -> None:
        """Removes the draft's name, if it is still the draft's, and closes."""
        if self._is_own(self.draft):
            self._remove(self.draft)
        self.leave()

    def _demand_own(self, name: str) -> None:
        if not self._is_own(name):
            raise OSError(errno.ESTALE, "somebody put another file in its place", str(self.path))

    def _is_own(self, name: str) -> bool:
        try:
            there = os.stat(name, dir_fd=self._folder, follow_symlinks=False)
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(self._file))

    def _remove(self, name: str) -> None:
        with suppress(OSError):
            os.unlink(name, dir_fd=self._folder)
