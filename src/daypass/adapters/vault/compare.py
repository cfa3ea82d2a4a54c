"""Look at a Vault, and compare it with the set-up that access/ asks of it. Nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from daypass.adapters.vault.answer import BAD_REQUEST, NOT_FOUND
from daypass.adapters.vault.differences import field_differences, policy_differences
from daypass.adapters.vault.in_flight import in_flight
from daypass.adapters.vault.kv import text
from daypass.adapters.vault.parts import is_part, policy_text
from daypass.adapters.vault.setup import PREFIX
from daypass.adapters.vault.steps import POLICIES, ROLES, Document, Mount, Policy, Step, TransitKey
from daypass.model.resource import BREAK_GLASS_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from daypass.adapters.vault.answer import Answer
    from daypass.adapters.vault.session import Session
    from daypass.adapters.vault.steps import Setup

_ROLE: Final = "token role"
_POLICY: Final = "policy"


class State(StrEnum):
    """How something in Vault stands to what is asked for."""

    SAME = "unchanged"
    MISSING = "missing"
    DIFFERENT = "different"
    WRONG = "wrong"  # cannot be changed where it is: somebody has to decide
    UNPROVEN = "unproven"  # it is not known that owners of the foundation approved it
    ADVICE = "advice"  # daypass works with it, and would do better with a change
    TRIED = "tried"  # done at the target, and it came out as it should
    NOT_TRIED = "not tried"  # could not be done from here: nothing is known of it

    @property
    def is_sound(self) -> bool:
        """Whether daypass can be relied on as it stands."""
        return self not in (State.MISSING, State.DIFFERENT, State.WRONG, State.UNPROVEN)


@dataclass(frozen=True, slots=True)
class Found:
    """One thing, as it was found. `detail` says what differs, for people; it holds no secret."""

    title: str
    state: State
    detail: str = ""
    mend: tuple[str, ...] = ()  # commands and statements, each to be copied as it stands


def listed(session: Session) -> frozenset[str]:
    """The paths of all policies and token roles, in two requests.

    Raises VaultUnavailableError, VaultRefusedError.
    """
    return frozenset(
        f"{folder}/{name}"
        for folder in (ROLES, POLICIES)
        for name in session.call("LIST", folder, accept=NOT_FOUND).keys
    )


def look(session: Session, step: Step, there: frozenset[str] | None = None) -> Found:
    """How one step stands in that Vault.

    Args:
        session: logged in as an operator who may read the set-up.
        step: what is looked for.
        there: what `listed` gave: a policy or a token role that is not in it is not asked for.

    Raises VaultUnavailableError, VaultRefusedError.
    """
    is_listed = step.path.startswith((f"{ROLES}/", f"{POLICIES}/"))
    # Vault keeps the names of policies in lower case.
    if there is not None and is_listed and not {step.path, step.path.lower()} & there:
        return Found(step.title, State.MISSING)
    if isinstance(step, Mount):
        seen = _look_at_mount(session, step)
    elif isinstance(step, TransitKey):
        seen = _look_at_key(session, step)
    elif isinstance(step, Policy):
        seen = _look_at_policy(session, step)
    else:
        seen = _look_at_document(session, step)
    return Found(step.title, *seen)


def compare(session: Session, setup: Setup) -> Iterator[Found]:
    """Every step of the set-up, as it stands in that Vault, in order; nothing is changed.

    Raises VaultUnavailableError, VaultRefusedError.
    """
    return in_flight(partial(look, session, there=listed(session)), setup.steps)


@dataclass(frozen=True, slots=True)
class Superfluous:
    """A token role or a policy with daypass's prefix that the set-up does not lay in."""

    kind: str  # token role | policy
    name: str
    path: str  # deleting it removes it
    of_bot: bool = False  # a part of the bot's own policy, which has fewer now

    @property
    def title(self) -> str:
        """What it is called, for people."""
        return f"{self.kind} {self.name}"

    @property
    def is_of_emergencies(self) -> bool:
        """Whether it is one of the emergency lane's."""
        return not self.of_bot and self.name.startswith(BREAK_GLASS_PREFIX)

    @property
    def goes_unasked(self) -> bool:
        """Whether it is removed without `--prune`."""
        return self.of_bot or self.is_of_emergencies

    @property
    def why(self) -> str:
        """Why it is superfluous."""
        if self.of_bot:
            return "the policy of `daypass apply` has fewer parts now"
        if self.is_of_emergencies:
            return "no policy opens such a level to the emergency lane"
        return "access/ no longer names it"

    def kept_by(self, session: Session) -> str:
        """Which live tokens still need it; empty when none does.

        Tokens outlive the role that they were minted through, and lose what its policy allowed.
        Raises VaultUnavailableError, VaultRefusedError.
        """
        if self.kind != _POLICY or self.of_bot:
            return ""
        leases = f"sys/leases/lookup/auth/token/create/{self.name}/"
        live = len(session.call("LIST", leases, accept=NOT_FOUND).keys)
        if not live:
            return ""
        tokens = "1 live token needs it" if live == 1 else f"{live} live tokens need it"
        return f"{tokens}; `daypass vault apply` removes it once they have ended"


def superfluous(session: Session, setup: Setup) -> tuple[Superfluous, ...]:
    """Token roles and policies of daypass that the set-up does not lay in.

    They have daypass's prefix, or are parts of the bot's own policy. Token roles come first: what
    nothing can be minted through gains no new token.
    """
    wanted = {step.path for step in setup.steps}
    there = sorted(listed(session) - wanted - {path.lower() for path in wanted})
    return tuple(
        Superfluous(kind, name, path, of_bot=of_bot)
        for kind, folder in ((_ROLE, ROLES), (_POLICY, POLICIES))
        for path in there
        if path.startswith(f"{folder}/")
        for name in (path.removeprefix(f"{folder}/"),)
        for of_bot in (kind == _POLICY and is_part(setup, name),)
        if of_bot or name.startswith(PREFIX)
    )


def removable(session: Session, setup: Setup, *, pruning: bool) -> list[Superfluous]:
    """What is superfluous and may go: the emergency lane's and parts of the bot's policy.

    With `pruning` the rest, too.
    """
    return [item for item in superfluous(session, setup) if pruning or item.goes_unasked]


def _look_at_mount(session: Session, step: Mount) -> tuple[State, str]:
    mounted = session.call("GET", step.table).read(mounts_of).get(f"{step.path}/")
    if mounted is None:
        return State.MISSING, ""
    if mounted.get("type") != step.type:
        return State.WRONG, f"a {mounted.get('type')} is mounted there; name another path"
    options = mounted.get("options") or {}
    if any(options.get(name) != value for name, value in step.options.items()):
        return State.WRONG, "it is of another version (KV must be version 2); name another path"
    return State.SAME, ""


def mounts_of(answer: Answer) -> Mapping[str, Any]:
    """What is mounted, for `Answer.read`: never nothing. Raises TypeError, ValueError."""
    if not all(isinstance(about, dict) for about in answer.data.values()):
        raise TypeError("not a mount")
    if not answer.data:
        raise ValueError("no mount at all")
    return answer.data


def _look_at_key(session: Session, step: TransitKey) -> tuple[State, str]:
    answer = session.call("GET", step.path, accept=NOT_FOUND)
    if answer.is_absent:
        return State.MISSING, ""
    data = answer.data
    if answer.read(lambda found: text(found.data["type"])) not in step.types:
        return State.WRONG, f"it is of type {data.get('type')}, and not {step.types[0]}"
    if data.get("exportable") or data.get("allow_plaintext_backup"):
        return State.WRONG, "it can be exported, and may have been: make another one"
    return State.SAME, ""


def _look_at_policy(session: Session, step: Policy) -> tuple[State, str]:
    found = policy_text(session, step.name)
    if found is None:
        return State.MISSING, ""
    if found.strip() != step.text.strip():
        return State.DIFFERENT, policy_differences(found, step.text)
    return State.SAME, ""


def _fields(answer: Answer) -> Mapping[str, Any]:
    """What a document holds: never nothing. Raises ValueError."""
    if not answer.data:
        raise ValueError("no field at all")
    return answer.data


def _look_at_document(session: Session, step: Document) -> tuple[State, str]:
    # A JWT mount without settings answers 404; a mount that is not there yet answers 404 or 400.
    answer = session.call("GET", step.path, accept=NOT_FOUND | BAD_REQUEST)
    if answer.errors or answer.is_absent:
        return State.MISSING, ""
    differing = field_differences(answer.read(_fields), step.body)
    if differing:
        return State.DIFFERENT, "differs in " + ", ".join(differing)
    return State.SAME, ""
