"""The few small interfaces through which the loop touches the world.

Each is implemented in `daypass.adapters` and nowhere else. Every method may raise the errors that
its docstring names, all of them `DaypassError`s: temporary ones leave the rest of a run to go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from daypass.lifecycle.notes import NoteBook

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from daypass.lifecycle.leases import OverdueLease
    from daypass.lifecycle.offline import OfflineNotes
    from daypass.model.instant import Instant
    from daypass.model.intent import Intent
    from daypass.model.pullrequest import (
        Account,
        ClosedPart,
        Closing,
        Comment,
        OpenPart,
        PullRequest,
        Team,
    )
    from daypass.model.resource import IssueMode
    from daypass.model.secret import Secret
    from daypass.model.target import TargetReport
    from daypass.model.tree import TreeEntry


@dataclass(frozen=True, slots=True)
class MintOrder:
    """One grant to be minted."""

    grant_id: str
    token_role: str  # also the name of the one policy that the token gets
    engine: str
    mount: str
    role: str
    ttl: int  # seconds; becomes the token's ttl and explicit_max_ttl
    issue: IssueMode
    wrap_ttl: int  # seconds for which the delivery can be unwrapped
    meta: Mapping[str, str]  # in clear in Vault's audit log: ids only


@dataclass(frozen=True, slots=True)
class Minted:
    """What a mint gave. `token` is the wrapping token: the only thing that can be delivered."""

    accessor: str  # of the grant token, not of the wrapping token
    token: Secret
    not_before: Instant
    not_after: Instant
    wrapping_path: str
    wrapping_time: str
    wrapping_ttl: int
    wrapping_accessor: str  # while it lives, nobody has opened the delivery


@dataclass(frozen=True, slots=True)
class TokenState:
    """A live token, as its accessor shows it."""

    accessor: str
    not_after: Instant
    meta: Mapping[str, str]
    uses_left: int | None = None  # None: as many as it likes
    not_before: Instant | None = None  # None: not told
    token_role: str | None = None  # the token role that it was minted through, by Vault's word
    entity_id: str = ""  # the entity whose log-in minted it; an orphan has none


class Issuer(Protocol):
    """Vault as the one who mints, looks up and ends."""

    def now(self) -> Instant:
        """Vault's time: the only clock that decides anything."""

    def mint(self, order: MintOrder) -> Minted:
        """Mint an orphan token for one grant, and wrap.

        Never retried: a lost answer is an orphan that nobody can use.

        Raises VaultUnavailableError, VaultRefusedError (also on any warning in the answer).
        """

    def revoke(self, accessor: str) -> None:
        """Ask for the token and all that it leased to end. Confirms nothing. Idempotent."""

    def lookup(self, accessor: str) -> TokenState | None:
        """The token behind an accessor; None when Vault says that there is none."""

    def live_accessors(self) -> frozenset[str]:
        """The accessors of all live tokens (of the namespace)."""

    def states(self, accessors: Iterable[str]) -> Mapping[str, TokenState]:
        """The live tokens behind listed accessors, of whatever owner, by accessor."""

    def overdue_leases(self, mount: str, role: str) -> tuple[OverdueLease, ...]:
        """Leases of that role that should be gone and are not, irrevocable ones included."""

    def revoke_lease(self, lease_id: str) -> None:
        """End one lease, synchronously. Raises VaultRefusedError with the reason if it lives on."""

    def look(self, mount: str, role: str) -> TargetReport:
        """End what should be gone at a target, and tell what was found there.

        Raises VaultUnavailableError, VaultRefusedError when it could not be looked at.
        """


class SlotState(StrEnum):
    """How far a grant id has come. A slot is never deleted: an id is used once."""

    RESERVED = "reserved"  # this id is taken; a mint may be under way
    MINTED = "minted"  # accessor, record and ciphertext are kept; evidence or delivery may be due
    REFUSED = "refused"  # denied or lapsed; the removal or the notice may be due
    DELIVERED = "delivered"  # evidence pushed, comment posted; the ciphertext is dropped
    CLOSED = "closed"  # ended or refused, nothing is due


@dataclass(frozen=True, slots=True)
class Slot:
    """What Vault's KV holds for a grant id."""

    grant_id: str
    version: int
    state: SlotState
    data: Mapping[str, Any]


class IntentBook(Protocol):
    """Vault's KV as the place where people's intents wait for the next run."""

    def intents(self) -> tuple[Intent, ...]:
        """All intents that wait: a few, whatever the history."""

    def write_intent(self, intent: Intent) -> None:
        """Note an intent. One that ends a grant is never replaced by one to deliver it again."""

    def write_intents(self, intents: Sequence[Intent]) -> None:
        """Note many intents of one word, each of which ends a grant, in few writes."""

    def remove_intent(self, grant_id: str) -> None:
        """It was carried out, or came too late. Idempotent."""


class Registry(IntentBook, NoteBook, Protocol):
    """Vault's KV as the memory that survives a killed run."""

    def read(self, grant_id: str) -> Slot | None:
        """The slot of that id, or None when it was never used. Raises OddSlotError for it alone."""

    def write(self, grant_id: str, state: SlotState, data: Mapping[str, Any], version: int) -> Slot:
        """Compare-and-set: `version` is the one read before, 0 for "never written".

        Raises ConflictError when another run was faster.
        """

    def pending(self) -> tuple[str, ...]:
        """Ids with work under way: a few, whatever the history."""

    def expect_pending(self, grant_id: str) -> None:
        """Announce an id that is about to be added, so that others can be written with it.

        Writes nothing by itself, and what is announced may yet not come about.
        """

    def add_pending(self, grant_id: str) -> None:
        """Put an id on the list of work under way. Idempotent; comes before its slot is written."""

    def remove_pending(self, grant_id: str) -> None:
        """Take an id off that list. Idempotent."""

    def offline_notes(self) -> OfflineNotes:
        """What people left word of while GitHub was down: none, but for a day like that.

        Of each of them so many that a run has time for the rest of its work.
        """

    def remove_offline_note(self, entity_id: str, grant_id: str) -> None:
        """It is in the evidence. Idempotent."""

    def done_note(self, accessor: str) -> Instant | None:
        """When a grant's own token said, with its last use, that it is needed no more.

        None: it said nothing.
        """

    def remove_done_note(self, accessor: str) -> None:
        """It is noted as an intent. Idempotent."""


class Signer(Protocol):
    """The evidence key, which never leaves Vault's transit engine."""

    def public_key(self) -> bytes:
        """The raw Ed25519 public key, 32 bytes."""

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature of those bytes, 64 bytes."""

    def of(self, key: bytes) -> Signer:
        """The version of the key with that public half; fails when there is none, by its use."""


class CommitObject(NamedTuple):
    """A commit as git stores it: `raw` is its whole content, headers and message."""

    sha: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class NewCommit:
    """A commit to be written on top of another: a change of few files, and a message."""

    changes: Mapping[str, bytes | None]  # path → content; None removes (and must have been there)
    # A path with a slash at its end is a folder, which is removed with all that is in it.
    message: str
    not_before: Instant | None = None  # a commit is dated no earlier than what it tells of


class Repository(Protocol):
    """The clone that a run works in. It reads and writes objects, never the work tree."""

    def fetch(self) -> str:
        """Fetch the default branch and return its head."""

    def head(self) -> str:
        """The head of the default branch, as last fetched."""

    def fetch_pull_request(self, number: int, head: str) -> None:
        """Fetch the commits of a pull request. Raises GitError if its head is not `head`."""

    def assert_complete(self) -> None:
        """Raise GitError if the clone is shallow: provenance would end in nothing."""

    def entries(self, commit: str, folder: str) -> tuple[TreeEntry, ...]:
        """All entries below a folder of that commit's tree, recursively; empty if there is none.

        The files directly in the folder are all there, whatever is beside them. A folder that was
        too deep, or came after very many entries, is an entry itself: what is in it is not known.
        """

    def children(self, commit: str, folder: str) -> tuple[TreeEntry, ...]:
        """What is directly in a folder of that commit's tree, folders too; `""` is the root."""

    def blobs(self, ids: Sequence[str]) -> dict[str, bytes]:
        """The contents of blobs (fetched from the remote if the clone is partial)."""

    def introductions(self, commit: str, paths: Sequence[str]) -> dict[str, str]:
        """For each path, the newest first-parent commit up to `commit` that changed it."""

    def changed_by(
        self, since: str | None, until: str, paths: Sequence[str]
    ) -> Mapping[str, Mapping[str, str | None]]:
        """For each path, all commits that `until` has and `since` has not that changed it.

        On whatever line, whether or not what they did is still there; merges are left out. With
        each commit comes the blob that it left there, or None.
        """

    def touching(self, since: str | None, until: str, paths: Sequence[str]) -> tuple[str, ...]:
        """First-parent commits in (since, until] that change one of `paths`, oldest first."""

    def walk(self, commit: str) -> Iterator[CommitObject]:
        """First-parent commits from `commit` back, newest first, read as they are asked for."""

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `older` is `newer` or one of its ancestors: no, if the clone has no `older`."""

    def write_commits(
        self, parent: str, commits: Iterator[NewCommit], signer: Signer, when: Instant
    ) -> Iterator[str]:
        """Write signed commits one on top of the other, dated `when` or later.

        Yields each id before it asks for the next commit, whose message may name it.
        """

    def merge_base(self, one: str, other: str) -> str:
        """The commit that both come from. Raises GitError when there is none."""

    def anchors(self, above: int) -> Iterator[tuple[str, bytes]]:
        """The remote's anchors above that number, as last fetched: name and content, newest first.

        Tag objects alone, read as they are asked for.
        Anybody who may push tags can make one: only the evidence key's signature makes it count.
        """

    def push_tag(self, name: str, content: bytes) -> bool:
        """Write a tag object, and publish it under `refs/tags/`; no, if another tag has the name.

        Raises ForgeRefusedError when a rule forbids it.
        """

    def push(self, commit: str, expected: str) -> None:
        """Move the default branch of the remote from `expected` to `commit`.

        Raises PushRaceError when it was elsewhere, ForgeRefusedError when a rule forbids it.
        """


class Forge(Protocol):
    """GitHub: what pull requests say, who belongs where, and the comments."""

    def pull_requests_of(self, commit: str) -> tuple[PullRequest, ...]:
        """The pull requests that brought a commit to the default branch, merged ones only."""

    def pull_request(self, number: int) -> PullRequest:
        """One pull request, with all that approvals are counted on."""

    def open_pull_requests(self, branch_prefix: str = "") -> OpenPart:
        """Those against the default branch; with a prefix, those with a head branch so."""

    def closed_pull_requests(self, since: Instant, page: int = 1) -> ClosedPart:
        """A few pages of those that were closed at or after `since`, unmerged, from `page` on."""

    def closing_of(self, number: int, most: int) -> Closing:
        """Who closed a pull request, and the first `most` files that it would have changed."""

    def merge(self, number: int, head: str, title: str) -> str:
        """Squash a pull request into its base, if `head` is still its head; the commit.

        Never retried. Raises ForgeRefusedError when GitHub will not: it moved, conflicts, is
        closed, or a rule forbids it.
        """

    def marked_issues(self, mark: str) -> Mapping[str, tuple[int, str]]:
        """Open issues by the App whose first line begins with `mark`: that line → number, body."""

    def open_issue(self, marker: str, title: str, body: str) -> str:
        """Open an issue with that first line; its address. Ask `marked_issues` first."""

    def close_issue(self, number: int) -> None:
        """Close an issue. Idempotent."""

    def account(self, account_id: int) -> Account | None:
        """An account by its numeric id, with its login of today; None when it is gone."""

    def team_members(self, slug: str, team_id: int | None = None) -> frozenset[int]:
        """Numeric ids of a team's active members, asked once per team and run; by id if given."""

    def team(self, slug: str, team_id: int | None = None) -> Team | None:
        """A team as GitHub has it today, by its id if that is given; None when none is seen."""

    def ssh_keys(self, account: Account) -> tuple[str, ...]:
        """The public keys that GitHub holds for an account, one OpenSSH line each."""

    def comments(self, number: int) -> tuple[Comment, ...]:
        """All comments of a pull request, oldest first."""

    def comments_since(self, number: int, since: Instant, most: int) -> tuple[Comment, ...]:
        """Those that were written or changed at or after `since`, oldest first.

        Raises IndeterminateError when there are more than `most`: anybody can write many.
        """

    def post_comment(self, number: int, marker: str, body: str, *, first: bool = False) -> Comment:
        """Post a comment unless the App already posted one with that marker.

        Returns the one that stands. Of two posted at once, the later one is deleted. `first`: no
        run before can have posted it, so nothing is looked for until it is posted.
        """

    def put_comment(self, number: int, marker: str, body: str) -> Comment:
        """The same, and if one stands that says something else, it is edited to say this."""


class Notifier(Protocol):
    """Somewhere outside of GitHub where people hear of alarms."""

    def notify(self, text: str) -> None:
        """Send one line. Raises a TemporaryError when it was not taken."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """An age file to one or more recipients."""

    armored: str
    fingerprints: tuple[str, ...]  # of the recipients that can open it


class Sealer(Protocol):
    """age."""

    def seal(self, secret: Secret, recipients: Sequence[str]) -> Sealed:
        """Encrypt to all recipients that age can serve.

        Raises SealingError, naming each key and why it cannot be used, when none is left.
        """
