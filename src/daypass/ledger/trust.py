"""Whose signature counts at which point of history, when that history itself is in question.

The allowed-signers file lies in the repository that is judged: whoever rewrites the one can bring
the other. So its word counts only as far as something else carries it:

- keys named from outside (fingerprints, or the keys in the file at an anchored commit) count;
- a key that the file gains in a commit signed by a key that counts already is endorsed, and counts;
- a key to which one that counts hands over (`succession`) counts from there, and the one that
  handed over counts for nothing that comes later, even if it is named;
- a key that it gains otherwise does not, whatever signs with it later;
- with nothing from outside, the file's first version is taken at its word: `self-attested`.

A change without endorsement changes nothing about a key that counts: it neither takes its line
away, nor narrows or widens its time. Who may push could break all evidence by one commit, or
lengthen a retired key's time. A key ends by a change that a key which counts has signed, or by a
handover.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from daypass.ledger import sshsig
from daypass.ledger.allowed_signers import AllowedSigner, parse_allowed_signers
from daypass.ledger.fault import FaultCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Objection = tuple[FaultCode, str]


class Trust:
    """The keys that count, as history is read from its beginning."""

    def __init__(self, named: Iterable[str]) -> None:
        """`named`: fingerprints (`SHA256:…`) known from outside the repository."""
        self._named = frozenset(named)
        self._counting: dict[bytes, tuple[AllowedSigner, ...]] = {}
        self._unendorsed: dict[bytes, str] = {}
        self._dropped: dict[bytes, str] = {}
        self._listed: dict[bytes, tuple[AllowedSigner, ...]] = {}  # the file as it is, at its word
        self._endorsed: set[bytes] = set()  # by the key before it
        self._retired: dict[bytes, str] = {}  # key → the commit by which it handed over
        self._first = True

    def read_file(self, commit: str, data: bytes, *, endorsed: bool) -> None:
        """The file as `commit` leaves it (empty: it was removed).

        `endorsed` says that the commit carries a signature that counted before it. Raises
        EvidenceError when the file cannot be read; then nothing has changed.
        """
        self.read_list(commit, parse_allowed_signers(data), endorsed=endorsed)

    def read_list(self, commit: str, signers: Iterable[AllowedSigner], *, endorsed: bool) -> None:
        """The same, of a list that has been read already."""
        listed = _by_key(signers)
        counting = dict(self._counting)
        if endorsed or (self._first and not self._named):
            counting = dict(listed)
        else:
            for key, lines in listed.items():
                if key in counting:
                    continue
                if self._first and self._names(key):
                    counting[key] = lines
                elif not self._names(key) or key in self._dropped:
                    self._unendorsed.setdefault(key, commit)
        self._dropped |= dict.fromkeys(self._counting.keys() - counting.keys(), commit)
        self._counting = counting
        self._listed = listed
        for key in counting:
            self._unendorsed.pop(key, None)
            self._dropped.pop(key, None)
        self._first = False

    def hand_over(self, key: bytes, after: str, commit: str) -> str | None:
        """Let the key with the fingerprint `after` count from `commit` on, and `key` no longer.

        `commit` carries a signature of `key` that counts. Returns why not; None when it is done.
        """
        new = next((item for item in self._listed if sshsig.fingerprint(item) == after), None)
        if new is None:
            return f"it endorses {after}, which is no allowed signer"
        if new in self._retired:
            return f"it endorses {after}, which handed over to another key in {self._retired[new]}"
        # The endorsement is signed; the time in the list may have come by anyone's push.
        principals = self._listed[new][0].principals
        self._counting.setdefault(new, (AllowedSigner(principals, new),))
        self._endorsed.add(new)
        self._unendorsed.pop(new, None)
        self._dropped.pop(new, None)
        self._retired[key] = commit
        return None

    def handed_over_in(self, key: bytes) -> str | None:
        """The commit by which `key` handed over to another; None when it did not."""
        return self._retired.get(key)

    def counting(self) -> tuple[AllowedSigner, ...]:
        """The lines of the keys that count, or counted until they handed over."""
        return tuple(line for lines in self._counting.values() for line in lines)

    def was_dropped(self, key: bytes) -> bool:
        """Whether a change that a key which counts had signed took that key out."""
        return key in self._dropped

    def objection(self, key: bytes, when: int, *, ever: bool = False) -> Objection | None:
        """Why a good signature by `key` does not count at that committer's time; None: it does.

        `ever`: it is not of a commit that stands here, so a key that handed over may have made it.
        """
        shown = sshsig.fingerprint(key)
        if key in self._retired and not ever:
            message = f"{shown} handed over to another key in {self._retired[key]}, its last event"
            return FaultCode.SIGNER_NOT_VALID, message
        if key in self._counting:
            valid = any(line.valid_at(when) for line in self._counting[key])
            message = f"{shown} was not valid at the commit's time"
            return None if valid else (FaultCode.SIGNER_NOT_VALID, message)
        if key in self._unendorsed:
            message = (
                f"{shown} was added to the allowed signers by {self._unendorsed[key]}, which "
                "carries no signature of a signer before it; if you know that key, name it with "
                "--fingerprint"
            )
            return FaultCode.UNENDORSED_SIGNER, message
        if key in self._dropped:
            message = f"{shown} was taken out of the allowed signers by {self._dropped[key]}"
            return FaultCode.SIGNER_NOT_VALID, message
        known = self._names(key)
        return None if known else (FaultCode.UNKNOWN_SIGNER, f"{shown} is no allowed signer")

    def to_json(self) -> dict[str, Any]:
        """All of it but the names, to go on from later."""
        return {
            "counting": [line.to_json() for lines in self._counting.values() for line in lines],
            "unendorsed": {key.hex(): commit for key, commit in self._unendorsed.items()},
            "dropped": {key.hex(): commit for key, commit in self._dropped.items()},
            "listed": [line.to_json() for lines in self._listed.values() for line in lines],
            "endorsed": sorted(key.hex() for key in self._endorsed),
            "retired": {key.hex(): commit for key, commit in self._retired.items()},
            "first": self._first,
        }

    def restore(self, value: Mapping[str, Any]) -> None:
        """Take up what `to_json` gave, for the same names."""
        self._counting = _by_key(map(AllowedSigner.from_json, value["counting"]))
        self._unendorsed = {bytes.fromhex(key): at for key, at in value["unendorsed"].items()}
        self._dropped = {bytes.fromhex(key): at for key, at in value["dropped"].items()}
        self._listed = _by_key(map(AllowedSigner.from_json, value["listed"]))
        self._endorsed = {bytes.fromhex(key) for key in value["endorsed"]}
        self._retired = {bytes.fromhex(key): at for key, at in value["retired"].items()}
        self._first = value["first"]

    def _names(self, key: bytes) -> bool:
        return key in self._endorsed or sshsig.fingerprint(key) in self._named


def _by_key(signers: Iterable[AllowedSigner]) -> dict[bytes, tuple[AllowedSigner, ...]]:
    found: dict[bytes, tuple[AllowedSigner, ...]] = {}
    for line in signers:
        found[line.key] = (*found.get(line.key, ()), line)
    return found
