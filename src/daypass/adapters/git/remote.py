"""The remote: fetch, and a push that moves main only from where it was expected to be."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from daypass.adapters.git.lending import Loan
from daypass.adapters.git.process import authorisation
from daypass.adapters.git.push_target import demand_governed, promises_are_governed
from daypass.errors import ForgeRefusedError, GitError, PushRaceError
from daypass.ledger.anchor import PREFIX as ANCHOR_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from daypass.adapters.git.process import Git
    from daypass.model.secret import Secret

ANCHORS: Final = "refs/daypass/anchors/"
# By remote, its name quoted: what its HEAD was when it was last fetched, and when that held.
_FETCHED: Final = "refs/daypass/fetched/"
MAINS: Final = "refs/daypass/main/"
_SYMREF: Final = re.compile(rb"^ref: refs/heads/(\S+)\tHEAD$", re.MULTILINE)
# Somebody else was faster: seen when the push began, or by the server as it took the push.
_RACE: Final = re.compile(
    r"stale info|fetch first|non-fast-forward|cannot lock ref|failed to update ref"
    r"|incorrect old value|reference already exists|failed to lock|is at [0-9a-f]+ but expected"
)
# Another tag has the name, or has it as a folder, or has a part of it.
_THERE: Final = re.compile(
    r"already exists|cannot lock ref|failed to update ref|failed to lock|directory file conflict"
)
# Another command of this clone writes a ref, or has just written it.
_LOCKED: Final = re.compile(
    rb"is at [0-9a-f]+ but expected|reference already exists|Unable to create .*\.lock': File"
    rb"|unable to (lock|update) (the )?ref|couldn't set '"
)
_PAUSES: Final = (0.05, 0.1, 0.2, 0.4, 0.8)  # seconds between two tries
_AMBIGUOUS: Final = re.compile(rb"dst refspec (\S+) matches more than one")
_REFUSED: Final = re.compile(r"^!\t[^\t]*\t\[remote rejected\] \((.*)\)$", re.MULTILINE)
_REJECTED: Final = re.compile(r"^!\t[^\t]*\t(.*)$", re.MULTILINE)


def main_of(name: str) -> str:
    """Name the ref that keeps the main of a remote: no remote's is the folder of another's."""
    return f"{MAINS}{quote(name, safe='')}"


class Remote:
    """One branch of one remote."""

    def __init__(
        self, git: Git, name: str, branch: str, token: Callable[[], Secret] | Loan | None
    ) -> None:
        """Prepare. The App's `token` goes where the clone points, a loan where it says."""
        for word in (name, branch):
            if not word or word.startswith("-") or re.search(r"[\s:^~?*\[\\]|\.\.", word):
                raise GitError(
                    f"{word!r} is no name of a remote or a branch",
                    remedy="Name a remote of the clone, such as `origin`, and a branch.",
                )
        self._git = git
        self._name = name
        self.branch = branch
        self._token = token
        self._partial: bool | None = None
        self._urls: dict[str, str] = {}  # by direction
        self._present: set[str] = set()
        self.main_ref = f"{_FETCHED}{quote(name, safe='')}"
        self.kept_ref = main_of(name)

    @property
    def tracking_ref(self) -> str:
        """The ref that follows the branch."""
        return f"refs/remotes/{self._name}/{self.branch}"

    def lend_token(self) -> None:
        """Let every command of a partial clone fetch what it misses, with the token.

        `prefetch` gets blobs all at once; what it cannot foresee, git fetches as it meets it: the
        trees of a clone without trees, and a blob that one command needs.
        """
        if self._token is None or not self.is_partial():
            return
        if isinstance(self._token, Loan) and not promises_are_governed(self._git, self._token):
            self._git.stay_local()
            return
        if self._secrets("fetch"):  # asked once before it is lent: it asks git for the address
            self._git.lend(lambda: self._secrets("fetch"))

    def default_branch(self) -> str:
        """Ask the server which branch is its default. Raises what `fetch` raises."""
        answer = self._git.run(
            "ls-remote", "--symref", self._name, "HEAD", settings=self._secrets("fetch")
        )
        found = _SYMREF.search(answer)
        if found is None:
            raise GitError(
                f"the remote `{self._name}` does not say which branch is its default",
                remedy="Choose the default branch in the settings of the repository on GitHub, "
                "then run the command again.",
            )
        return found[1].decode("utf-8", "surrogateescape")

    def fetch(self, *, head: bool = False) -> None:
        """Fetch the branch into its tracking ref, also when it was rewritten: verify names that.

        With `head`, what the server's own HEAD is comes with it, into `main_ref`.

        The remote's anchors come with it, into refs of daypass's own, which are then the remote's:
        a tag that is gone there would be in the way of one of which its name has become the folder.

        Raises:
            GitError: the remote cannot be reached, or has no such branch.
            ForgeRefusedError: the remote refuses.
        """
        self._run_fetch(
            "fetch",
            "--quiet",
            "--no-tags",
            "--prune",
            self._name,
            *([f"+HEAD:{self.main_ref}"] if head else ()),
            f"+refs/heads/{self.branch}:{self.tracking_ref}",
            f"+refs/tags/{ANCHOR_PREFIX}*:{ANCHORS}*",
        )

    def keep_main(self, commit: str) -> None:
        """Note the main that was compared with what is pinned. One that cannot be noted is none."""
        self._git.try_run("update-ref", self.kept_ref, commit)

    def fetch_pull_request(self, number: int) -> None:
        """Fetch the head of a pull request, as GitHub keeps it under `refs/pull/`."""
        reference = f"+refs/pull/{int(number)}/head:refs/daypass/pull/{int(number)}"
        self._run_fetch("fetch", "--quiet", "--no-tags", self._name, reference)

    def _run_fetch(self, *words: str) -> None:
        """Fetch, and once more while another command of this clone writes the same refs.

        What the other one wrote is then what this one finds, and leaves.
        """
        settings = self._secrets("fetch")
        for pause in _PAUSES:
            done = self._git.try_run(*words, settings=settings)
            if done.returncode == 0:
                return
            if not _LOCKED.search(done.stderr):
                raise self._git.explain("fetch", done.stderr)
            time.sleep(pause)
        self._git.run(*words, settings=settings)

    def push(self, commit: str, expected: str) -> None:
        """Move the branch from `expected` to `commit`, or raise.

        Raises:
            PushRaceError: it is somewhere else.
            ForgeRefusedError: a hook or a rule refused.
            GitError: the remote cannot be reached.
        """
        branch = f"refs/heads/{self.branch}"
        done = self._git.try_run(
            "push",
            "--porcelain",
            "--no-verify",
            f"--force-with-lease={branch}:{expected}",
            self._name,
            f"{commit}:{branch}",
            # git notes where main is now by the rules of fetch, and only if there is one for it
            settings=(
                *self._secrets("push"),
                (f"remote.{self._name}.fetch", f"+{branch}:{self.tracking_ref}"),
            ),
        )
        if done.returncode:
            raise self._explain(done.stdout.decode("utf-8", "replace"), done.stderr)

    def push_tag(self, name: str, tag: str) -> bool:
        """Publish a tag object under that name; no, if another tag has it, which stays as it is.

        Raises:
            ForgeRefusedError: a hook or a rule refused.
            GitError: the remote cannot be reached.
        """
        reference = f"refs/tags/{name}"
        done = self._git.try_run(
            "push",
            "--porcelain",
            "--no-verify",
            self._name,
            f"{tag}:{reference}",
            settings=self._secrets("push"),
        )
        report = done.stdout.decode("utf-8", "replace")
        if done.returncode == 0:
            return True
        if _THERE.search(report):
            return False
        raise self._explain(report, done.stderr)

    def prefetch(self, blobs: Iterable[str]) -> None:
        """Fetch those of the blobs that a partial clone lacks, in one go.

        git would fetch each of them by itself, one connection a blob.
        """
        missing = set(blobs) - self._present
        if not missing or not self.is_partial():
            return
        self._present.update(self._held(missing))
        missing -= self._present
        if missing:
            self._git.run(
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "--filter=blob:none",
                "--stdin",
                self._name,
                data="".join(f"{blob}\n" for blob in sorted(missing)).encode(),
                settings=(*self._secrets("fetch"), ("fetch.negotiationAlgorithm", "noop")),
            )
            self._present.update(missing)

    def _held(self, blobs: Iterable[str]) -> set[str]:
        """Those of the blobs that lie in this clone."""
        request = "".join(f"{blob}\n" for blob in blobs).encode()
        done = self._git.try_run("cat-file", "--batch-check", "--buffer", data=request, lazy=False)
        if done.returncode:
            # An older git has tried to fetch them. It can still list what it has, all of history.
            done = self._git.try_run(
                "cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectname)"
            )
        words = (line.split(b" ") for line in done.stdout.splitlines())
        return {found[0].decode() for found in words if found[-1] != b"missing"}

    def is_partial(self) -> bool:
        """Whether it promised to send later what this clone lacks."""
        if self._partial is None:
            key = f"remote.{self._name}.promisor"
            self._partial = self._git.try_run("config", "--type=bool", key).stdout == b"true\n"
        return self._partial

    def _secrets(self, direction: str) -> tuple[tuple[str, str], ...]:
        if self._token is None:
            return ()
        if direction == "push" and isinstance(self._token, Loan):
            demand_governed(self._git, self._name, self._token)
        url = self._urls.get(direction)
        if url is None:
            way = ("--push",) if direction == "push" else ()
            url = self._git.run("remote", "get-url", *way, self._name).decode().strip()
            self._urls[direction] = url
        if not url.startswith(("https://", "http://")):
            return ()
        if isinstance(self._token, Loan):
            return self._token.settings(self._git, url)
        return authorisation(url, self._token())

    def _explain(self, report: str, stderr: bytes) -> Exception:
        refused = _REFUSED.search(report)
        rejected = _REJECTED.search(report)
        other = _AMBIGUOUS.search(stderr)
        if other is not None:
            name = other[1].decode("utf-8", "replace")
            return GitError(
                f"the remote has another branch or tag whose name ends in {name}, so git pushes to "
                "neither",
                remedy=f"Delete it: `git push origin --delete refs/heads/{name}`, or the same with "
                f"`refs/tags/{name}`. GitHub allows no new names of that kind.",
            )
        if rejected is None:
            return self._git.explain("push", stderr)
        if _RACE.search(rejected[1]):
            return PushRaceError(
                f"{self.branch} moved while this run was writing",
                remedy="Nothing was pushed. Fetch, build on the new head, and push again.",
            )
        why = refused[1] if refused else rejected[1]
        return ForgeRefusedError(
            f"the remote refused the push to {self.branch}: {re.sub(r'[^ -~]+', ' ', why)[:200]}",
            remedy="Let the App push to the branch: add it to the bypass list of the branch's "
            "rules, which `daypass vault doctor` checks.",
        )
