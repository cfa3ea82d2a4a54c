"""The whole exception tree of daypass.

Every error that can reach a person is one of these. Each carries a sentence that says what is
wrong, a remedy that says what to do about it, and the exit code of a command that ends with it.
Errors of libraries are wrapped where they arise: their cause is chained for a debugger, and their
response bodies are never carried along, because a body can hold a secret.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence


class ExitCode(IntEnum):
    """What a command's exit code means (the same for every command)."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    DOCUMENT = 3
    DENIED = 4
    PARTLY = 5
    EVIDENCE = 6
    INDETERMINATE = 7


class DaypassError(Exception):
    """Root of the tree: a sentence, a remedy, and an exit code."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, message: str, *, remedy: str, lines: Sequence[str] = ()) -> None:
        """Take what is wrong and its remedy, each one line, and lines that follow the remedy."""
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.lines = tuple(lines)

    def __str__(self) -> str:
        return self.message


class UsageError(DaypassError):
    """A command was called with words that it cannot take."""

    exit_code = ExitCode.USAGE


class DocumentError(DaypassError):
    """Documents are wrong; `findings` names each place."""

    exit_code = ExitCode.DOCUMENT

    def __init__(self, message: str, *, remedy: str, findings: Sequence[object] = ()) -> None:
        super().__init__(message, remedy=remedy)
        self.findings = tuple(findings)


class DeniedError(DaypassError):
    """The decision point said no."""

    exit_code = ExitCode.DENIED


class PartlyAppliedError(DaypassError):
    """Some of a plan was carried out; what is left is tried again by the next run."""

    exit_code = ExitCode.PARTLY


class EvidenceError(DaypassError):
    """The evidence does not hold."""

    exit_code = ExitCode.EVIDENCE


class IndeterminateError(DaypassError):
    """What a decision needs cannot be known here; treated as denied."""

    exit_code = ExitCode.INDETERMINATE


class ChangedPinError(IndeterminateError):
    """Main says something else of a repository than what this person's commands believe."""


class OddPinsError(IndeterminateError):
    """The file of what this person's commands believe cannot be used."""


class TemporaryError(DaypassError):
    """Trying again later can help; nothing else is needed. The loop may carry on with the rest."""


class PermanentError(DaypassError):
    """Trying again without a change by somebody cannot help."""


class VaultUnavailableError(TemporaryError):
    """Vault does not answer, is sealed, or answers 5xx."""


class VaultRefusedError(PermanentError):
    """Vault refused a login or a call (400, 403, or a warning that means it was ignored)."""


class OddSlotError(VaultRefusedError):
    """What Vault remembers of one grant id is not what daypass writes there.

    It harms that id alone. `accessor` is what can still be read of its token; empty: nothing.
    """

    def __init__(self, message: str, *, remedy: str, accessor: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.accessor = accessor


class VaultForbiddenError(VaultRefusedError):
    """Vault answered 403: the token is dead, or its policies do not permit the call."""

    def __init__(self, message: str, *, remedy: str, doing: str) -> None:
        super().__init__(message, remedy=remedy)
        self.doing = doing  # method and path


class LimitError(PermanentError):
    """A plan would revoke more than one run may: nothing was touched."""


class ConflictError(TemporaryError):
    """A compare-and-set met another version: another run was faster."""


class ForgeUnavailableError(TemporaryError):
    """GitHub does not answer, answers 5xx, or limits the rate."""


class ForgeRefusedError(PermanentError):
    """GitHub refused a login or a call."""


class ContextError(TemporaryError):
    """A context source does not answer, or not in a way that a decision could rest on."""


class GitError(PermanentError):
    """git could not do what was asked: no repository, a shallow or dirty clone, a broken object."""


class PushRaceError(TemporaryError):
    """main moved while this run was writing: rebuild on the new head and push again."""


class SealingError(PermanentError):
    """A secret cannot be encrypted to, or opened by, the keys at hand."""


class ClaimError(PermanentError):
    """A delivery is missing, spent, or not the one that the evidence names."""


class OlderDeliveryError(ClaimError):
    """An older release sealed a delivery: nothing shows where its token belongs."""


class DeliverySpentError(ClaimError):
    """Somebody has opened the delivery already: its holder, or another."""


class DeliveryLostError(ClaimError):
    """The holder opened the delivery, and its credential could not be handed over."""


class UnknownGrantError(ClaimError):
    """Main knows nothing of that id: no grant, no request, no event."""

    exit_code = ExitCode.USAGE


class UnfetchedGrantError(UnknownGrantError):
    """The same of a main that may be another or older one: it proves nothing of that id."""

    exit_code = ExitCode.INDETERMINATE


class SandboxError(PermanentError):
    """A server of the organisation in a box did not start or did not stop."""
