"""Log files of others, line by line, whatever lies in them: no line and no file is held whole."""

from __future__ import annotations

import gzip
import zlib
from typing import IO, TYPE_CHECKING, Final, cast

from daypass.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Vault's own request limit is 32 MiB; what a grant's token asks for is 2 KiB in the log.
MAX_LINE: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"


def log_lines(path: Path) -> Iterator[bytes | int]:
    """The lines without their line feeds, read as they are asked for.

    Of a line over a MiB only the number of its quotation marks is told: whoever reads CSV must know
    whether one is open. A file that gzip made is read through it.

    Raises:
        UsageError: there is no such file, it may not be read, or its compression is damaged.
    """
    try:
        with path.open("rb") as plain:
            packed = plain.read(len(_GZIP)) == _GZIP
            plain.seek(0)
            stream = cast("IO[bytes]", gzip.GzipFile(fileobj=plain)) if packed else plain
            yield from _lines(stream)
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or "it is no whole gzip file"
        raise UsageError(
            f"{str(path)!a} cannot be read: {why}",
            remedy="Name a log file, plain or gzipped, that you may read.",
        ) from error


def _lines(stream: IO[bytes]) -> Iterator[bytes | int]:
    while line := stream.readline(MAX_LINE):
        if line.endswith(b"\n"):
            yield line[:-1]
            continue
        if len(line) < MAX_LINE:  # the last one, which has no end
            yield line
            return
        quotes = line.count(b'"')
        while line and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE)
            quotes += line.count(b'"')
        yield quotes
