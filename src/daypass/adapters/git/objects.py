"""Reading objects: one `git cat-file` that lives as long as the repository is open."""

from __future__ import annotations

from threading import Lock
from typing import IO, TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daypass.adapters.git.process import Conversation, Git

# Requests that are sent before their answers are read: few enough that neither pipe can fill up
# while the other side waits.
_BATCH: Final = 256
_ANSWER_WORDS: Final = 3  # id, kind, size


class GitObject(NamedTuple):
    """An object as git stores it."""

    id: str
    kind: str  # commit | tree | blob | tag
    content: bytes


class ObjectReader:
    """Reads objects by id or name. Safe to use from several threads; closed by `close`."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._conversation: Conversation | None = None
        self._lock = Lock()

    def read(self, ids: Sequence[str]) -> Iterator[GitObject | None]:
        """Each object in order, None where there is none.

        Raises:
            GitError: git stopped answering, for example because a remote could not be reached for
                an object that a partial clone lacks.
        """
        for start in range(0, len(ids), _BATCH):
            with self._lock:
                found = self._ask(ids[start : start + _BATCH])
            yield from found

    def one(self, name: str) -> GitObject | None:
        """One object by its id, or by any other name that git knows; None if there is none."""
        return next(self.read([name]))

    def close(self) -> None:
        """End the process."""
        if self._conversation is not None:
            self._conversation.close()
            self._conversation = None

    def _ask(self, names: Sequence[str]) -> list[GitObject | None]:
        if self._conversation is None:
            self._conversation = self._git.open("cat-file", "--batch-command", "--buffer")
        talk = self._conversation
        request = "".join(f"contents {name}\n" for name in names) + "flush\n"
        try:
            talk.stdin.write(request.encode("utf-8", "surrogateescape"))
            talk.stdin.flush()
            return [_answer(talk.stdout) for _name in names]
        except (BrokenPipeError, EOFError) as error:
            failure = talk.failure()
            self.close()  # the next call starts another one
            raise failure from error


def _answer(stdout: IO[bytes]) -> GitObject | None:
    header = stdout.readline()
    if not header.endswith(b"\n"):
        raise EOFError
    words = header.split()
    if len(words) != _ANSWER_WORDS or words[-1] in {b"missing", b"ambiguous"}:
        return None
    size = int(words[2])
    content = stdout.read(size + 1)
    if len(content) != size + 1:
        raise EOFError
    return GitObject(words[0].decode(), words[1].decode(), content[:-1])
