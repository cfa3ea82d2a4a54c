"""Commands: the few words that people can say to daypass, and what they mean. Pure.

What a comment holds is hostile until it is one of these forms, to the letter. Nothing of it goes
anywhere but an id, which can only be an id: no shell, no expression and no answer ever sees it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from daypass.errors import UsageError
from daypass.model.grant import Grant
from daypass.model.identity import IdentityType
from daypass.model.intent import IntentKind, Usage
from daypass.model.names import NAME_PATTERN, is_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.model.identity import Identity
    from daypass.model.request import AccessRequest

# The whole first line. `\Z` is `fullmatch`'s; a line ends with a line feed and with nothing else
# that Unicode calls one, so that nobody sees one line where this sees two.
_COMMENT: Final = re.compile(
    rf"/(done|not-me|redeliver|revoke)(?:[ \t]+({NAME_PATTERN}))?[ \t]*\r?"
)
# No command: it answers what a run asks. The second form, which `daypass claim` writes, does not
# even start a job.
_LEFT_BY_CLAIM: Final = "Claimed"
_CLAIMED: Final = re.compile(rf"(?:/claimed|{_LEFT_BY_CLAIM})[ \t]+({NAME_PATTERN})[ \t]*\r?")
_COUNT: Final = r"[0-9]{1,12}|-"  # of a log that was not read
_ACTIVITY: Final = re.compile(
    rf"/activity ({NAME_PATTERN}) (sha256:[0-9a-f]{{64}}) ({_COUNT}) ({_COUNT})[ \t]*\r?"
)
_REVOKE: Final = re.compile(rf"revoke ({NAME_PATTERN})")
_HALT: Final = re.compile(rf"halt --(type|subject|resource) ({NAME_PATTERN})")
_FORMS: Final = "`halt --type T`, `halt --subject NAME`, `halt --resource NAME`, `revoke ID`"


class Aim(StrEnum):
    """What a halt goes by."""

    TYPE = "type"  # of the subject's identity
    SUBJECT = "subject"
    RESOURCE = "resource"


@dataclass(frozen=True, slots=True)
class Command:
    """One word about one grant. Without an id it means the only live grant of its pull request."""

    kind: IntentKind
    grant_id: str | None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Halt:
    """End every live grant that it is aimed at."""

    aim: Aim
    name: str

    def __str__(self) -> str:
        return f"halt --{self.aim} {self.name}"

    def is_aimed_at(self, item: Grant | AccessRequest, identities: Mapping[str, Identity]) -> bool:
        """Whether it ends that grant, or refuses that request, by the identities of today."""
        if self.aim is Aim.RESOURCE:
            return item.resource == self.name
        if self.aim is Aim.SUBJECT:
            return item.subject == self.name
        # Today's type or the one it was given as: who was renamed from an agent must not slip
        # through.
        today = identities.get(item.subject)
        then = item.decision_input.get("subject") if isinstance(item, Grant) else None
        return (today is not None and today.type == self.name) or (
            isinstance(then, dict) and then.get("type") == self.name
        )


def read_comment(body: str) -> Command | None:
    """The command that a comment begins with; None for every other comment.

    The first line is the command, and all of it. What follows is for people.
    """
    line = body.partition("\n")[0]
    used = _ACTIVITY.fullmatch(line)
    if used is not None:
        name, digest, vault, postgres = used.group(1, 3, 4, 5)
        return Command(IntentKind.ACTIVITY, name, Usage(digest, _number(vault), _number(postgres)))
    found = _COMMENT.fullmatch(line)
    if found is None:
        return None
    kind, grant_id = IntentKind(found[1]), found[2]
    if grant_id is None and kind is not IntentKind.DONE:
        return None
    return Command(kind, grant_id)


def write_claimed(grant_id: str) -> str:
    """Returns the line that a claim leaves: its holder opened the newest delivery."""
    return f"{_LEFT_BY_CLAIM} {grant_id}"


def write_was_me(grant_id: str) -> str:
    """Returns the line by which a holder answers that it was them, whichever delivery it was."""
    return f"/claimed {grant_id}"


def is_claimed(body: str, grant_id: str) -> bool:
    """Returns whether a comment, if it is the holder's, says that they opened the delivery."""
    claimed = _CLAIMED.fullmatch(body.partition("\n")[0])
    return claimed is not None and claimed[1] == grant_id


def is_of_newest(body: str) -> bool:
    """Returns whether such a word was left by a claim, and so is about what was opened then."""
    return body.startswith(_LEFT_BY_CLAIM)


def write_comment(command: Command) -> str:
    """The line that `read_comment` reads."""
    words = [f"/{command.kind}", *([command.grant_id] if command.grant_id else [])]
    if command.usage is not None:
        counts = (command.usage.vault, command.usage.postgres)
        words += [command.usage.digest, *("-" if item is None else str(item) for item in counts)]
    return " ".join(words)


def _number(text: str) -> int | None:
    return None if text == "-" else int(text)


def read_dispatch(text: str) -> Command | Halt:
    """The command in the input of a dispatched run.

    Raises:
        UsageError: it is none.
    """
    revoke, halt = _REVOKE.fullmatch(text), _HALT.fullmatch(text)
    if revoke is not None:
        return Command(IntentKind.REVOKE, revoke[1])
    if halt is not None:
        return halt_of(Aim(halt[1]), halt[2])
    raise UsageError("that is no command that a dispatched run obeys", remedy=f"It obeys {_FORMS}.")


def halt_of(aim: Aim, name: str) -> Halt:
    """A halt.

    Raises:
        UsageError: the name cannot be one, or there is no such type.
    """
    if aim is Aim.TYPE and name not in set(IdentityType):
        raise UsageError(
            f"{name!a} is no type of identity", remedy=f"Types: {', '.join(IdentityType)}."
        )
    if not is_name(name):
        raise UsageError(
            f"{name!a} can be no {aim}",
            remedy=f"It is the stem of a file in access/{_FOLDERS[aim]}.",
        )
    return Halt(aim, name)


_FOLDERS: Final = {Aim.SUBJECT: "identities", Aim.RESOURCE: "resources", Aim.TYPE: "identities"}
