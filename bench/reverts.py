"""100 expired grants reverted in one run, one commit each and one push, beside `git revert`.

Both begin with a clone that is up to date. The push is git's own work and much the same for both,
so times are given without and with it.
daypass signs each commit; `git revert` in a loop is timed unsigned (what people run today), and
signed with a key on disk. Signing by Vault's transit engine is sequential, since each commit names
its parent: it is timed apart, on a real OpenBao.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.figures import Figure, show
from daypass.adapters.git import GitRepository
from daypass.adapters.vault.session import login_token
from daypass.adapters.vault.transit import TransitSigner
from daypass.ledger.compose import compose, revert_title, reverts
from daypass.lifecycle.ports import NewCommit
from daypass.model.event import Event, EventKind
from daypass.model.instant import Instant
from daypass.model.names import grant_path, request_path
from daypass.model.settings import VaultSettings
from daypass.sandbox.openbao import OpenBao

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from daypass.lifecycle.ports import Signer

GRANTS: Final = 100
# Others that are live meanwhile. `git revert` looks at every file of the work tree each time.
OTHERS: Final = (0, 1000)
ROUNDS: Final = 3
GOAL: Final = 20.0
NOW: Final = Instant.parse("2026-11-23T10:00:00Z")
AUTHOR: Final = ("daypass", "bot@daypass.example")
RECORD: Final = b"{" + b'"a field of a grant record": "and its value",\n' * 60 + b"}\n"
REQUEST: Final = b"# a request\n" + b"a line of a request: with its value\n" * 25


class DiskSigner:
    """A key in this process: what signing costs without Vault."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def git(directory: Path, *words: str) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_NAME": AUTHOR[0] for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": AUTHOR[1] for who in ("AUTHOR", "COMMITTER")},
    }
    done = subprocess.run(
        ["git", "-C", str(directory), *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"git {words[0]} failed: {done.stderr}")
    return done.stdout.strip()


def grant_id(number: int) -> str:
    return f"grant-{number:03d}"


def lay_out(folder: Path, signer: Signer, others: int) -> tuple[str, ...]:
    """A remote and a clone in which every grant was issued by a commit of its own.

    So many `others` are live, and stay so.
    """
    remote, clone = folder / "remote.git", folder / "clone"
    for path in (remote, clone):
        path.mkdir()
    git(remote, "init", "-q", "--bare", "-b", "main")
    git(clone, "init", "-q", "-b", "main")
    git(clone, "remote", "add", "origin", str(remote))
    for number in range(GRANTS):
        path = clone / request_path(grant_id(number))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(REQUEST + str(number).encode())
    for number in range(others):
        for place, content in ((request_path, REQUEST), (grant_path, RECORD)):
            path = clone / place(f"other-{number:04d}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content + str(number).encode())
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "Ask")
    git(clone, "push", "-q", "origin", "main")
    git(clone, "fetch", "-q", "origin")
    with open_clone(folder) as repository:
        head = repository.head()
        commits = (
            NewCommit(
                {grant_path(grant_id(number)): RECORD + str(number).encode()},
                f"Grant {number}\n",
            )
            for number in range(GRANTS)
        )
        issued = tuple(repository.write_commits(head, commits, signer, NOW))
        repository.push(issued[-1], head)
    git(clone, "reset", "-q", "--hard", issued[-1])
    return issued


def open_clone(folder: Path) -> GitRepository:
    return GitRepository(
        folder / "clone", remote="origin", branch="main", author=AUTHOR, token=None
    )


def by_daypass(folder: Path, issued: tuple[str, ...], signer: Signer) -> float:
    """One run: each grant and its request removed by a signed commit, and one push."""
    previous = issued[-1]

    def commits() -> Iterator[NewCommit]:
        for number, commit in enumerate(issued):
            name = grant_id(number)
            message = compose(
                revert_title(f"Grant {number}"),
                f"{reverts(commit)}\n\nIts time was up.",
                Event(EventKind.EXPIRED, name, (("Daypass-Reason", "time"),)),
                GRANTS + number + 1,
                previous,
            )
            yield NewCommit({grant_path(name): None, request_path(name): None}, message)

    with open_clone(folder) as repository:
        head = repository.head()
        for written in repository.write_commits(head, commits(), signer, NOW):
            previous = written
        pushing = time.perf_counter()
        repository.push(previous, head)
        return pushing


def by_git(folder: Path, issued: tuple[str, ...], *words: str) -> float:
    """`git revert` in a loop, and one push."""
    clone = folder / "clone"
    for commit in issued:
        git(clone, *words, "revert", "--no-edit", commit)
    pushing = time.perf_counter()
    git(clone, "push", "-q", "origin", "main")
    return pushing


class Taken(NamedTuple):
    """The best of a few rounds, in seconds."""

    whole: float
    commits: float  # of it, until the commits are ready to be pushed


def timed(signer: Signer, others: int, action: Callable[[Path, tuple[str, ...]], float]) -> Taken:
    """Play it in a few repositories of its own; `action` returns when it began to push."""
    rounds = []
    for _ in range(ROUNDS):
        folder = Path(tempfile.mkdtemp(prefix="daypass-bench-"))
        try:
            issued = lay_out(folder, signer, others)
            began = time.perf_counter()
            pushing = action(folder, issued)
            rounds.append(Taken(time.perf_counter() - began, pushing - began))
            ahead = git(folder / "remote.git", "rev-list", "--count", f"{issued[-1]}..main")
            if int(ahead) != GRANTS:
                raise SystemExit(f"{ahead} commits instead of {GRANTS}: the bench is broken")
        finally:
            shutil.rmtree(folder)
    return min(rounds)


def signing_words(folder: Path, key: Ed25519PrivateKey) -> tuple[str, ...]:
    """How git is told to sign with that key on disk."""
    path = folder / "key"
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
    )
    settings = ("gpg.format=ssh", f"user.signingKey={path}", "commit.gpgSign=true")
    return tuple(word for setting in settings for word in ("-c", setting))


def by_transit(folder: Path, others: int) -> tuple[Taken, float]:
    """daypass with the key in a real OpenBao: the whole run, and the bare signing calls."""
    folder.mkdir()
    with OpenBao.start(folder) as server:
        server.client.write("sys/mounts/transit", {"type": "transit"})
        server.client.write("transit/keys/evidence", {"type": "ed25519"})
        settings = VaultSettings(
            address=server.address, namespace=None, ca_file=None, audience="bench"
        )
        with login_token(settings, server.root_token) as session:
            signer = TransitSigner(session, "transit", "evidence")
            signer.public_key()
            whole = timed(signer, others, lambda place, ids: by_daypass(place, ids, signer))
            began = time.perf_counter()
            for number in range(GRANTS):
                signer.sign(number.to_bytes(32))
            return whole, time.perf_counter() - began


def beside(others: int) -> list[Figure]:
    """The figures of a world in which so many other grants are live."""
    key = Ed25519PrivateKey.generate()
    local = DiskSigner(key)
    with tempfile.TemporaryDirectory(prefix="daypass-bench-") as name:
        words = signing_words(Path(name), key)
        loop = timed(local, others, by_git)
        signed = timed(local, others, lambda place, ids: by_git(place, ids, *words))
        daypass = timed(local, others, lambda place, ids: by_daypass(place, ids, local))
        transit, calls = by_transit(Path(name) / "openbao", others)
    what = f"{GRANTS} reverts beside {others} live grants, a signed commit each"
    return [
        Figure(
            f"{what}, signed by {signer}{note}",
            f"{taken.commits:.3f} s, with the one push {taken.whole:.3f} s",
            f"`git revert` in a loop{how}, {base.commits:.2f} s, with its push {base.whole:.2f} s",
            f"{base.commits / taken.commits:.0f} x as fast, with the push "
            f"{base.whole / taken.whole:.0f} x",
            goal,
            base.commits >= GOAL * taken.commits if goal else None,
        )
        for signer, note, taken, how, base, goal in (
            ("a key in memory", "", daypass, "", loop, f">= {GOAL:.0f} x, pushes apart"),
            (
                "OpenBao",
                f" (its bare signing calls: {calls:.3f} s)",
                transit,
                ", signed by a key on disk",
                signed,
                "",
            ),
        )
    ]


def measure() -> list[Figure]:
    return [figure for others in OTHERS for figure in beside(others)]


if __name__ == "__main__":
    show(measure())
