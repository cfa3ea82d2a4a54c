"""Key versions: the evidence keys in Vault, and from where on main an older one counts no more.

Vault tells of all versions of the key, and not which of them has handed over. Main does, by the
`key-rotated` of a newer version. What an older one signs after that is no event, whatever it says:
the key may have been stolen. So a run judges as `verify` does.

A Vault that was restored from a backup lacks the versions that were made since. What they signed is
evidence still: the versions before them endorsed them on main.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from daypass.ledger import sshsig
from daypass.ledger.allowed_signers import AllowedSigner, Signers
from daypass.ledger.commitobject import parse_commit
from daypass.ledger.succession import handover_of, is_of_handover, read_links, successors
from daypass.ledger.trailers import parse_message
from daypass.model.event import EventKind

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from daypass.ledger.commitobject import ParsedCommit, RawCommit

_ROTATED: Final = b"\nDaypass-Event: key-rotated\n"
_SIGNED: Final = b"\ngpgsig " + sshsig.BEGIN


class Line(Protocol):
    """Main's first-parent line."""

    def head(self) -> str:
        """Its newest commit."""

    def walk(self, commit: str) -> Iterator[RawCommit]:
        """From that commit back, newest first."""


class KeyVersions(Signers):
    """The versions of the key in Vault. One that handed over signs no event from there on."""

    def __init__(
        self,
        email: str,
        versions: Iterable[bytes],
        line: Line,
        signing: Container[bytes] | None = None,
    ) -> None:
        """Take the raw public keys, oldest first; `line` is read once an older one has signed.

        `signing`: those that Vault lets sign; None for all.
        """
        self._keys = tuple(versions)
        self._signing = self._keys if signing is None else signing
        self._line = line
        self._lost: tuple[str, dict[bytes, int]] = ("", {})  # as of that head
        self._after: dict[bytes, tuple[str, frozenset[str]]] = {}  # key → (head, commits)
        super().__init__(AllowedSigner(email, key) for key in self._keys)

    def allows(self, key: bytes, when: int) -> bool:
        """Whether it is a version, or one that Vault has lost. Raises what reading main raises."""
        return super().allows(key, when) or key in self._lost_keys()

    def counts(self, key: bytes, when: int, commit: str) -> bool:
        """Whether the key may sign that commit. Raises what reading main raises."""
        return self.allows(key, when) and commit not in self._after_handover(key)

    def may_sign(self, key: bytes) -> bool:
        """Whether Vault lets it sign."""
        return key in self._signing

    def handed_over(self, key: bytes) -> bool:
        """Whether main has handed over from that key to a newer one."""
        return bool(self._after_handover(key))

    def _after_handover(self, key: bytes) -> frozenset[str]:
        """The commits of main that come after the handover away from a key: none before there is.

        Read from main's head back to that handover; all of main, where there is none.
        """
        newer = self._newer_than(key)
        if not newer:
            return frozenset()
        head = self._line.head()
        known = self._after.get(key)
        if known is None or known[0] != head:
            known = self._after[key] = (head, self._read(key, newer, head, known))
        return known[1]

    def _newer_than(self, key: bytes) -> tuple[bytes, ...]:
        """The keys that may have taken over from it."""
        lost = tuple(self._lost[1])
        if key in lost:
            return lost[lost.index(key) + 1 :]
        if key not in self._keys:
            return ()
        place = self._keys.index(key)
        after = (item for item, since in self._lost[1].items() if since >= place)
        return (*self._keys[place + 1 :], *after)

    def _lost_keys(self) -> dict[bytes, int]:
        """The keys that took over from versions, one after the other, and are none. Reads all.

        Oldest first, each with the place of the newest version that it goes back to.
        """
        head = self._line.head()
        if self._lost[0] == head:
            return self._lost[1]
        marked = [item for item in self._line.walk(head) if is_of_handover(item)][::-1]
        signed = (signer_of(parse_commit(item.raw)) for item in marked)
        raw = {sshsig.fingerprint(key): key for key in signed if key is not None}
        place = {item.fingerprint: at for at, item in enumerate(self.all())}
        lost: dict[bytes, int] = {}
        for name, link in successors(read_links(marked), tuple(place)).items():
            if name not in place:
                place[name] = lost[raw[name]] = place[link.handover.before]
        if lost != self._lost[1]:
            self._after.clear()
        self._lost = (head, lost)
        return lost

    def _read(
        self,
        key: bytes,
        newer: tuple[bytes, ...],
        head: str,
        known: tuple[str, frozenset[str]] | None,
    ) -> frozenset[str]:
        passed: list[str] = []
        until = 0  # so many of these come after the handover
        for commit in self._line.walk(head):
            if known is not None and commit.sha == known[0]:
                return frozenset((*passed, *known[1])) if known[1] else frozenset(passed[:until])
            passed.append(commit.sha)
            if _ROTATED not in commit.raw or _SIGNED not in commit.raw:
                continue
            parsed = parse_commit(commit.raw)
            by = signer_of(parsed)
            if by is None or by not in newer or commit.sha in self._after_handover(by):
                continue
            until = len(passed)
            if _hands_over_from(parsed, sshsig.fingerprint(key)):
                break
        return frozenset(passed[:until])


def signer_of(parsed: ParsedCommit) -> bytes | None:
    """The raw public key that a commit carries a good signature of; None where it has none."""
    try:
        return sshsig.verified_key(parsed.signature or b"", parsed.signed_payload)
    except ValueError:
        return None


def _hands_over_from(parsed: ParsedCommit, fingerprint: str) -> bool:
    try:
        chained = parse_message(parsed.message)
    except ValueError:
        return False
    if chained is None or chained.event.kind is not EventKind.KEY_ROTATED:
        return False
    named = handover_of(chained.event)
    return named is not None and named.before == fingerprint
