"""Restored backups: is main, or Vault, older than what the other one has seen?

Vault remembers main's newest event and head; main's events carry Vault's epoch; anchors, which are
tags of the remote, tell of both. A main that lacks what Vault or an anchor has seen was put back. A
Vault that has not counted the epoch of main's newest event, or of an anchor, was restored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.ledger.anchor import claims_key_of, counting_anchor
from daypass.ledger.history import read_tip
from daypass.lifecycle.happening import Happening, make_event
from daypass.lifecycle.vault_memory import Anchored, read_memory
from daypass.model.epoch import Epoch
from daypass.model.event import EventKind, Reason

if TYPE_CHECKING:
    from daypass.ledger.allowed_signers import Signers
    from daypass.lifecycle.happening import Run
    from daypass.lifecycle.notes import NoteBook
    from daypass.lifecycle.ports import Repository
    from daypass.lifecycle.vault_memory import AcceptedLoss, VaultMemory
    from daypass.model.event import RecordedEvent

MAIN_CAUSE: Final = "main-rolled-back"
VAULT_CAUSE: Final = "vault-restored"
FLOOD_CAUSE: Final = "anchors-forged"
_MOST: Final = 1000  # tags that name the evidence key and are not its own: more are not looked at


@dataclass(frozen=True, slots=True)
class Restored:
    """That main, Vault or both are older than what is known of them."""

    lost: str | None  # the newest commit that main held once, and holds no more
    lost_number: int  # of the newest event up to there
    head: str  # where main is now
    newest: int  # the number of the newest event that main has
    forgot: str | None  # main's newest event, when Vault was found older than it; None: it is not
    vault_is_older: bool  # also where only an anchor tells
    anchored: Anchored | None = None  # `lost`, where an anchor tells of it

    @property
    def what(self) -> str:
        """Which is older than it should be: main | vault | both."""
        if self.lost is None:
            return "vault"
        return "both" if self.vault_is_older else "main"

    @property
    def commit(self) -> str:
        """The commit that `daypass vault accept-loss` is told: what is lost, or was forgotten."""
        return self.lost or self.forgot or ""

    def causes(self, branch: str) -> dict[str, str]:
        """The alarms, for people: cause → what happened, and what to do."""
        found = {}
        if self.lost is not None:
            found[MAIN_CAUSE] = self._main(self.lost, branch)
        if self.vault_is_older:
            found[VAULT_CAUSE] = self._vault(branch)
        return found

    def _main(self, lost: str, branch: str) -> str:
        events = (
            f"its newest event is number {self.newest}, and number {self.lost_number} was written"
            if self.newest != self.lost_number
            else "no event is missing, but commits of people are"
        )
        tag = self.anchored.tag if self.anchored is not None else ""
        held = (
            f"The signed tag {tag} brings it: `git fetch origin refs/tags/{tag}`. " if tag else ""
        )
        return (
            f"{branch} was put back to an older state: it lacks {lost} ({events}). Until it holds "
            "that commit again nothing is granted and nothing is written into the evidence. An "
            "approved offboarding or suspension ends access; a tighter policy that is merged does "
            "not: end such grants by `daypass revoke`, or by deleting their requests. "
            f"{held}In a clone that has the commit, run `git fetch origin`, then "
            f"`git push --force-with-lease origin {lost}:{branch}`. If no clone has it, an "
            "operator gives up what is lost: "
            f"`daypass vault accept-loss {lost} --trust {self.head}`"
        )

    def _vault(self, branch: str) -> str:
        if self.lost is not None:
            return (
                "Vault was restored from a backup, too: it does not know the epoch of "
                f"{self.lost}. Put {branch} right first, as {MAIN_CAUSE} says; the run after "
                "that names the grants that Vault forgot"
            )
        return (
            f"Vault was restored from a backup that is older than {branch}: it does not know the "
            f"epoch of {self.commit}. Nothing is granted. Restore a newer snapshot if there is "
            "one. Then run `daypass vault doctor`, lock out the users that `daypass status` names, "
            "ask people to say again what they ended since the snapshot, and run "
            f"`daypass vault accept-loss {self.commit}`"
        )


@dataclass(frozen=True, slots=True)
class MainAndMemory:
    """Main, what Vault remembers of it, and whether one of them was restored."""

    head: str
    tip: RecordedEvent | None
    memory: VaultMemory
    restored: Restored | None
    forged: bool = False  # so many tags name the evidence key that not all were looked at

    @property
    def is_rolled_back(self) -> bool:
        """Whether main lacks what it once held."""
        return self.restored is not None and self.restored.lost is not None

    def causes(self, branch: str) -> dict[str, str]:
        """The alarms, for people: cause → what happened, and what to do."""
        found = self.restored.causes(branch) if self.restored is not None else {}
        if self.forged:
            found[FLOOD_CAUSE] = (
                f"more than {_MOST} tags of the remote name the evidence key as their signer, and "
                "it signed none of them: whether an anchor knows more than main is not known. "
                "Nothing is granted. Find them by `git ls-remote origin "
                "'refs/tags/daypass-evidence-*'`, delete those that `git tag -v` refuses or shows "
                "under another name, and let only the App push such tags, by a ruleset"
            )
        return found


def look_for_restored(
    registry: NoteBook, repository: Repository, signers: Signers
) -> MainAndMemory:
    """Fetch main, and hold it against Vault's memory and the anchors.

    Memory is read before main, so that main has all that it names. What looks restored is looked
    at once more, the other way round: a run beside this one may have written in between.

    Raises what the ports raise.
    """
    memory = read_memory(registry)
    head = repository.fetch()
    tip = read_tip(repository.walk(head), signers)
    lost, forged = _lost(repository, signers, memory, head, tip)
    if lost is None and not _is_older(memory, tip):
        return MainAndMemory(head, tip, memory, None, forged)
    later = read_memory(registry)
    older = _is_older(later, tip)
    head = repository.fetch()
    tip = read_tip(repository.walk(head), signers)
    lost, forged = _lost(repository, signers, memory, head, tip)
    if lost is None and not older:
        return MainAndMemory(head, tip, later, None, forged)
    newest = tip.sequence if tip else 0
    found = Restored(
        lost=lost.commit if lost else None,
        lost_number=lost.number if lost else newest,
        head=head,
        newest=newest,
        forgot=later.restored or (tip.commit if tip else None) if older else None,
        vault_is_older=older or (lost is not None and _has_not_counted(later.epoch, lost)),
        anchored=lost if lost is not None and lost.tag else None,
    )
    return MainAndMemory(head, tip, later, found, forged)


def _lost(
    repository: Repository,
    signers: Signers,
    memory: VaultMemory,
    head: str,
    tip: RecordedEvent | None,
) -> tuple[Anchored | None, bool]:
    """The newest commit that main is known to have held, and does not hold; None if it does.

    And whether there are so many forged anchors that not all were looked at.
    """
    newest = tip.sequence if tip else 0
    above = max(newest, memory.floor, memory.sequence)
    told, forged = _told_by_an_anchor(repository, signers, above, head)
    known = memory.anchored
    if known is not None and known.number > max(memory.floor, memory.sequence):
        is_newer = told is None or told.number < known.number
        if is_newer and not repository.is_ancestor(known.commit, head):
            told = known
    if told is not None or not memory.commit:
        return told, forged
    if newest >= memory.sequence and repository.is_ancestor(memory.head, head):
        return None, forged
    return Anchored(memory.head, memory.sequence, memory.epoch, ""), forged


def _told_by_an_anchor(
    repository: Repository, signers: Signers, above: int, head: str
) -> tuple[Anchored | None, bool]:
    """The newest anchor above that number that main does not hold; and whether there were too many.

    What names another key, or none, costs next to nothing to pass over, and is not counted.
    """
    forged = 0
    for name, raw in repository.anchors(above):
        if not claims_key_of(signers, raw):
            continue
        tag = counting_anchor(name, raw, signers)
        if tag is None:
            forged += 1
            if forged > _MOST:
                return None, True
        elif not repository.is_ancestor(tag.commit, head):
            return Anchored(tag.commit, tag.number, tag.epoch, name), False
    return None, False


def _has_not_counted(ours: Epoch | None, lost: Anchored) -> bool:
    return lost.epoch is not None and (ours is None or lost.epoch.count > ours.count)


def _is_older(memory: VaultMemory, tip: RecordedEvent | None) -> bool:
    """Whether Vault has not counted the run that wrote main's newest event."""
    if memory.restored:  # found before, and not accepted yet
        return True
    theirs = Epoch.parse(tip.event.first("Daypass-Epoch")) if tip else None
    ours = memory.epoch
    if theirs is None:
        return False
    if ours is None or theirs.count > ours.count:
        return True
    # An accepted restore goes on counting, under another id.
    return theirs.id != ours.id and theirs.count == ours.count


def loss_accepted(loss: AcceptedLoss, run: Run) -> Happening:
    """A restored backup, and that an operator accepted what is lost by it."""
    said = {
        "main": f"Main was put back to an older state. What it held up to commit\n{loss.commit}\n"
        f"is lost, with the events up to number {loss.sequence}.",
        "vault": "Vault was restored from a backup that was older than main. It had forgotten\n"
        f"what was written up to commit {loss.commit}.",
    }
    lines = [text for name, text in said.items() if loss.what in (name, "both")]
    reason = ("Daypass-Reason", str(Reason.LOSS_ACCEPTED))
    return Happening(
        make_event(EventKind.DRIFT, None, reason, run=run),
        "Note what a restored backup has lost",
        "\n\n".join((*lines, "An operator accepted that by `daypass vault accept-loss`.")),
        is_note=True,
    )
