"""Context from attestations: a JSON file whose signature, by a key of the settings, lies beside it.

`ssh-keygen -Y sign -n daypass-context-<source> -f KEY FILE` writes such a signature. The namespace
holds the source's name, so that what was signed for one source never speaks for another. That an
old attestation is not put back is the maximum age's to see.
"""

from __future__ import annotations

import base64
import os
import stat
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.context_http import MAX_BYTES, fetch, parse, refuse
from daypass.errors import DaypassError
from daypass.ledger import sshsig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from daypass.model.context import ContextSource

_MAX_SIGNATURE: Final = 4096


class SourceReader:
    """The ContextReader: URLs by HTTP, files from the work tree of the run, or from HEAD."""

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        committed: Callable[[str], bytes | None] | None = None,
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            directory: the work tree.
            environment: where the values of headers lie.
            committed: reads a file of HEAD, for a run that has no such file checked out.
        """
        self._directory = directory
        self._environment = environment
        self._committed = committed

    def read(self, source: ContextSource, address: str) -> Any:
        """The JSON document at that address.

        Raises:
            ContextError: there is none, or none whose signature counts.
        """
        if source.file is None:
            return fetch(source, address, self._environment)
        return read_attestation(source, self._directory, self._committed)


def read_attestation(
    source: ContextSource,
    directory: Path,
    committed: Callable[[str], bytes | None] | None = None,
) -> Any:
    """The JSON of a signed file.

    Raises:
        ContextError: the file or its signature is missing, larger than it may be, a link, or not
            signed by one of the source's keys for this source.
    """
    read = partial(_regular, source, directory, committed)
    content = read(source.where, MAX_BYTES)
    signature = read(f"{source.where}.sig", _MAX_SIGNATURE)
    namespace = f"daypass-context-{source.name}".encode()
    try:
        key = sshsig.verified_key(signature, content, namespace)
        allowed = {sshsig.public_key_from_blob(_blob(line)) for line in source.keys}
    except ValueError:
        refuse(source, f"the signature of {source.where} is not good")
    if key not in allowed:
        refuse(source, f"{source.where} is signed by a key that may not sign it")
    return parse(source, content)


def _blob(line: str) -> bytes:
    return base64.b64decode(line.split(" ")[1], validate=True)


def _regular(
    source: ContextSource,
    directory: Path,
    committed: Callable[[str], bytes | None] | None,
    name: str,
    limit: int,
) -> bytes:
    """The bytes of a regular file, in a folder that is none of a link's making."""
    try:
        folder = os.open(directory / name.partition("/")[0], _FOLDER)
        try:
            descriptor = os.open(name.partition("/")[2], _FILE, dir_fd=folder)
        finally:
            os.close(folder)
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                refuse(source, f"{name} is no regular file")
            content = stream.read(limit + 1)
    except FileNotFoundError:
        content = _of_head(source, committed, name)
    except OSError:
        refuse(source, f"{name} cannot be read")
    if len(content) > limit:
        refuse(source, f"{name} is larger than {limit} bytes")
    return content


def _of_head(
    source: ContextSource, committed: Callable[[str], bytes | None] | None, name: str
) -> bytes:
    try:
        content = committed(name) if committed is not None else None
    except DaypassError as error:
        refuse(source, f"{name} cannot be read: {error.message}")
    if content is None:
        refuse(source, f"{name} cannot be read")
    return content


_FOLDER: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
