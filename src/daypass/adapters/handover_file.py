"""Handing over by a file that only its owner can read."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from daypass.adapters.handover import ROOM, told_as_loss
from daypass.adapters.new_file import NewFile
from daypass.errors import ClaimError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from daypass.adapters.handover import Handful


@dataclass(slots=True)
class File:
    """A new file that only its owner can read; it appears whole, and replaces nothing."""

    path: Path
    _new: NewFile | None = None

    @property
    def is_environment(self) -> bool:
        """Whether it tells the credential by variables."""
        return False

    def prepare(self) -> None:
        """Write as much as will be needed, under another name, and try all that `give` will do.

        A full disk shows now, and so does a file system without hard links, by which alone a file
        appears whole and replaces nothing (vfat, and some that are mounted over a network).
        """
        self._refuse_taken()
        self._new = NewFile.create(self.path)
        try:
            self._new.write(b"\0" * ROOM)
        except BaseException:
            self.abandon()
            raise
        try:
            self._new.try_appearing()
        except OSError as error:
            self.abandon()
            raise UsageError(
                f"the file system of {self.path} takes no hard links ({error.strerror})",
                remedy="Nothing was opened. Name a file on another one, such as your home "
                "directory's, and run it again.",
            ) from error

    def give(self, handful: Handful) -> None:
        """Write through the same descriptor, and let it appear under its name."""
        new = self._new
        if new is None:
            raise ValueError("prepare comes first")
        with told_as_loss(handful.grant.id, handful.grant.pull_request):
            try:
                new.write(handful.to_json().encode())
                self._appear(new)
            except ClaimError:
                raise
            except BaseException:
                new.discard()
                raise

    def abandon(self) -> None:
        """Remove what was prepared."""
        if self._new is not None:
            self._new.discard()

    def _appear(self, new: NewFile) -> None:
        """Give it its name; a draft that gets none is left, and its name told."""
        try:
            new.appear()
        except OSError as error:
            if not new.is_there():
                raise
            new.leave()
            raise ClaimError(
                f"{self.path} could not be made ({error.strerror}); the credential is in "
                f"{self.path.with_name(new.draft)}",
                remedy="Move that file to where you want it.",
            ) from error

    def _refuse_taken(self) -> None:
        """Raise UsageError if something has that name; OSError if no file can have it."""
        try:
            there = os.lstat(self.path)
        except FileNotFoundError:
            return
        if stat.S_ISDIR(there.st_mode):
            raise UsageError(
                f"{self.path} is a folder",
                remedy="Nothing was opened. Name a new file, such as "
                f"{self.path / 'credential.json'}, and run it again.",
            )
        if not stat.S_ISREG(there.st_mode):
            raise UsageError(
                f"{self.path} exists, is no regular file, and is not overwritten",
                remedy="Nothing was opened. Name a new file, or print the credential with "
                "`--format json`.",
            )
        raise UsageError(
            f"{self.path} exists, and is not overwritten",
            remedy="Nothing was opened. Remove it or name another file, and run it again.",
        )
