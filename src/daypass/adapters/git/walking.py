"""Walking main's first-parent line: who changed what, and the commits themselves."""

from __future__ import annotations

from collections import defaultdict
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from daypass.adapters.git.streaming import descended, first_parent, missing, named, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from daypass.adapters.git.objects import ObjectReader
    from daypass.adapters.git.process import Git
    from daypass.lifecycle.ports import CommitObject

# Starting `git rev-list` costs as much as following this many parents.
_BY_HAND: Final = 64
_CHUNK: Final = 512
# More paths than this make git's path matching slower than looking at whole folders.
_FEW_PATHS: Final = 64
_ABSENT: Final = "0" * 40


class Change(NamedTuple):
    """What a commit did to one path, compared with its first parent. None: absent."""

    path: str
    mode: str | None
    before: str | None
    after: str | None


def walk(git: Git, reader: ObjectReader, commit: str) -> Iterator[CommitObject]:
    """First-parent commits, newest first. Raises GitError where an object is missing."""
    following: str | None = commit
    for _ in range(_BY_HAND):
        if following is None:
            return
        (found,) = read(reader, [following])
        following = first_parent(found.raw)
        yield found
    if following is None:
        return
    expected: str | None = following
    for found in descended(git, reader, following):
        if found.sha != expected:
            # rev-list ends quietly where a clone is shallow, and trusts a commit-graph
            raise missing(str(expected))
        expected = first_parent(found.raw)
        yield found
    if expected is not None:
        raise missing(expected)


def line(git: Git, since: str | None, until: str) -> list[str]:
    """First-parent commits of (since, until], oldest first.

    Whether each stands on the one before it is for whoever reads them to see: `commits` does.
    """
    span = [until] if since is None else [until, f"^{since}"]
    return git.run("rev-list", "--first-parent", "--reverse", *span).decode().split()


def commits(git: Git, since: str | None, ids: Sequence[str]) -> Iterator[CommitObject]:
    """These commits, each the first parent of the next; the first one stands on `since`.

    Raises GitError where that is not so: a clone is shallow, or a commit-graph lies.
    """
    expected = since
    with TemporaryFile() as names:
        names.write("".join(f"{name}\n" for name in ids).encode())
        names.seek(0)
        for found in named(git, names):
            parent = first_parent(found.raw)
            if parent != expected:
                raise missing(str(parent))
            expected = found.sha
            yield found


def leads(git: Git, older: str, newer: str) -> bool:
    """Whether `older` is on the first-parent line of `newer`."""
    if older == newer:
        return True
    if git.try_run("merge-base", "--is-ancestor", older, newer).returncode:
        return False
    after = git.run("rev-list", "--first-parent", "--reverse", newer, f"^{older}").split(None, 1)
    if not after:
        return False
    return git.run("rev-parse", after[0].decode() + "^1").decode().strip() == older


def beside(
    git: Git, reader: ObjectReader, commit: str, since: str | None = None
) -> Iterator[CommitObject]:
    """Commits that are reachable (and not from `since`) and not on the first-parent line."""
    span = [commit] if since is None else [commit, f"^{since}"]
    if not git.run("rev-list", "--first-parent", "--merges", "--max-count=1", *span):
        return
    main = frozenset(git.run("rev-list", "--first-parent", *span).decode().split())
    others = (line for line in _lines(git, "rev-list", *span) if line not in main)
    for chunk in _chunks(others):
        yield from read(reader, chunk)


def introductions(git: Git, commit: str, paths: Sequence[str]) -> dict[str, str]:
    """For each path, the newest commit on the first-parent line that changed it."""
    missing = set(paths)
    found: dict[str, str] = {}
    if not missing:
        return found
    for sha, changed in _log(git, [commit], _pathspecs(missing)):
        for change in changed:
            if change.path in missing:
                missing.discard(change.path)
                found[change.path] = sha
        if not missing:
            break
    return found


def changed_by(
    git: Git, since: str | None, until: str, paths: Sequence[str]
) -> dict[str, dict[str, str | None]]:
    """For each path, all commits of (since, until] that changed it, on whatever line; no merges."""
    found: dict[str, dict[str, str | None]] = defaultdict(dict)
    wanted = set(paths)
    if not wanted:
        return {}
    span = [until] if since is None else [until, f"^{since}"]
    # Without the full history git leaves out lines of which nothing is left in the end. A merge
    # brings what others did: beside them, main taken into a branch would look like a change.
    for sha, changed in _log(git, span, _pathspecs(wanted), ["--full-history", "--no-merges"]):
        for change in changed:
            if change.path in wanted:
                found[change.path][sha] = change.after
    return dict(found)


def touching(git: Git, since: str | None, until: str, paths: Sequence[str]) -> tuple[str, ...]:
    """First-parent commits in (since, until] that change one of the paths, oldest first."""
    span = [until] if since is None else [until, f"^{since}"]
    answer = git.run("rev-list", "--first-parent", "--reverse", *span, "--", *paths)
    return tuple(answer.decode().split())


def changes(
    git: Git, until: str, paths: Sequence[str], since: str | None = None
) -> Iterator[tuple[str, tuple[Change, ...]]]:
    """First-parent commits (since, until] that change the paths, oldest first, with what."""
    span = [until] if since is None else [until, f"^{since}"]
    return _log(git, ["--reverse", *span], paths)


def _log(
    git: Git,
    span: Sequence[str],
    paths: Iterable[str],
    line: Sequence[str] = ("--first-parent",),
) -> Iterator[tuple[str, tuple[Change, ...]]]:
    talk = git.open(
        "log",
        *line,
        "--diff-merges=first-parent",
        "--raw",
        "--no-abbrev",
        "--no-renames",
        "--format=%x00%H",
        "-z",
        *span,
        "--",
        *paths,
    )
    try:
        yield from _parse_log(_fields(talk.stdout))
        talk.finish()
    finally:
        talk.close()


def _parse_log(fields: Iterator[str]) -> Iterator[tuple[str, tuple[Change, ...]]]:
    """Read `-z --raw`: an empty field, the commit, then `:modes ids letter` and its path."""
    sha: str | None = None
    changed: list[Change] = []
    for field in fields:
        text = field.lstrip("\n")
        if text.startswith(":"):
            words = text[1:].split(" ")
            changed.append(
                Change(
                    path=next(fields),
                    mode=None if words[3] == _ABSENT else words[1],
                    before=None if words[2] == _ABSENT else words[2],
                    after=None if words[3] == _ABSENT else words[3],
                )
            )
        elif text:
            if sha is not None:
                yield sha, tuple(changed)
            sha, changed = text, []
    if sha is not None:
        yield sha, tuple(changed)


def _fields(stream: IO[bytes]) -> Iterator[str]:
    rest = b""
    while data := stream.read(1 << 16):
        *whole, rest = (rest + data).split(b"\0")
        for field in whole:
            yield field.decode("utf-8", "surrogateescape")
    if rest:
        yield rest.decode("utf-8", "surrogateescape")


def _lines(git: Git, *words: str) -> Iterator[str]:
    talk = git.open(*words)
    try:
        for line in talk.stdout:
            yield line.decode().rstrip("\n")
        talk.finish()
    finally:
        talk.close()


def _chunks(lines: Iterator[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    for line in lines:
        chunk.append(line)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _pathspecs(paths: set[str]) -> list[str]:
    if len(paths) <= _FEW_PATHS:
        return sorted(paths)
    return sorted({path.rpartition("/")[0] or path for path in paths})
