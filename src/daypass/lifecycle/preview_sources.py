"""What a preview may ask besides git: the keys of accounts, teams, and whether an id was used.

The App's own run may ask for all of it, a person for most, the check of a pull request for none.
What is not asked is told as not known, and never as fine.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from daypass.errors import DaypassError, ForgeUnavailableError, SealingError
from daypass.lifecycle.inquiry import Inquiry
from daypass.lifecycle.teams import look_at_teams
from daypass.model.decision import Effect, Enforcement, RuleOutcome
from daypass.model.grant import Lane
from daypass.policy.groups import TEAM_PREFIX
from daypass.policy.rules import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.lifecycle.ports import Forge
    from daypass.lifecycle.recipients import Recipients
    from daypass.lifecycle.teams import TeamState
    from daypass.model.catalogue import Catalogue
    from daypass.model.decision import Decision
    from daypass.model.identity import Identity
    from daypass.model.pullrequest import Account
    from daypass.model.resource import Resource
    from daypass.policy.approvers import Need
    from daypass.policy.groups import GroupDirectory

# Which of these grant ids were used before.
Used: TypeAlias = Callable[[Sequence[str]], Collection[str]]
_KEYS: Final = "request-recipients"  # the rule that `daypass explain` knows


@dataclass(frozen=True, slots=True)
class PreviewSources:
    """What may be asked here. None, or an inquiry without a reader: it may not."""

    inquiry: Inquiry = field(default_factory=Inquiry)
    recipients: Recipients | None = None  # the judge's own question about keys
    teams: TeamLooks | None = None
    used: Used | None = None


@dataclass(slots=True)
class TeamLooks:
    """Teams as GitHub has them today, each asked for once."""

    forge: Forge
    _known: dict[str, TeamState] = field(default_factory=dict)  # by slug

    def missing(
        self, names: Iterable[str], catalogue: Catalogue, groups: GroupDirectory
    ) -> tuple[str, ...]:
        """What is wrong with the teams of those groups, as far as it makes the group unknown."""
        slugs_of = {
            name: teams_of(name, catalogue) for name in names if not groups.group(name).known
        }
        try:
            self._ask({slug for slugs in slugs_of.values() for slug in slugs}, catalogue)
        except DaypassError as error:
            return (
                f"whether the teams of {', '.join(slugs_of)} exist is not known: {error.message}",
            )
        sees = any(
            name.startswith(TEAM_PREFIX) for name, item in groups.groups.items() if item.known
        )
        return tuple(
            _missing(
                name, self._known[slug], sees=sees or any(s.team for s in self._known.values())
            )
            for name, slugs in slugs_of.items()
            for slug in slugs
            if self._known[slug].team is None or not self._known[slug].counts
        )

    def _ask(self, slugs: Iterable[str], catalogue: Catalogue) -> None:
        new = set(slugs) - self._known.keys()
        self._known |= {item.slug: item for item in look_at_teams(self.forge, catalogue, new)}


def teams_of(name: str, catalogue: Catalogue) -> tuple[str, ...]:
    """The slugs of the teams that a group of the settings, or `team:SLUG`, is made of."""
    members = (name,) if name.startswith(TEAM_PREFIX) else catalogue.settings.groups.get(name, ())
    return tuple(item.removeprefix(TEAM_PREFIX) for item in members if item.startswith(TEAM_PREFIX))


def _missing(name: str, state: TeamState, *, sees: bool) -> str:
    """`sees`: the token sees other teams, so that one which it is not shown is not there."""
    of = "" if name == TEAM_PREFIX + state.slug else f", of the group `{name}`"
    wrong = state.wrong
    if state.team is None and sees:
        by = f" with the id {state.pinned}" if state.pinned is not None else ""
        wrong = f"there is no such team{by} at GitHub: it was deleted, or never existed"
    return f"team `{state.slug}`{of}: {wrong}. {state.remedy}"


def groups_in_question(
    decision: Decision, needs: Iterable[Need], catalogue: Catalogue, lane: Lane
) -> tuple[str, ...]:
    """The groups that the decision waits for: approvers, subjects of policies, invokers."""
    names = [name for item in needs if not item.all_known for name in item.groups]
    for item in decision.reasons:
        policy = catalogue.policies.get(item.policy)
        if item.rule == "match" and item.effect is Effect.INDETERMINATE and policy is not None:
            names += policy.match.subject_groups
        elif item.effect is Effect.INDETERMINATE and policy is not None:
            names += sorted(policy.groups_in_rules)
    settings = catalogue.settings.break_glass
    if lane is Lane.BREAK_GLASS and settings is not None:
        names += [name for name in settings.invokers if name not in catalogue.identities]
    return tuple(dict.fromkeys(names))


def keys_outcome(
    subject: Identity, resource: Resource, recipients: Recipients | None
) -> RuleOutcome | None:
    """What the keys that a delivery would be sealed to have against it; None: nothing.

    It is the judge's own question. Of pinned keys it is asked without GitHub (`OfflineKeys`), too.
    """
    if not subject.recipients and resource.sensitivity.pins_recipients:
        return None  # the decision itself says so
    try:
        if recipients is None:
            raise not_asked("keys")
        recipients.of(subject, resource)
    except SealingError as error:
        return _outcome(Effect.DENY, f"{error.message}. {error.remedy}")
    except DaypassError as error:
        why = f"whether {subject.name} has a usable key is not known here: {error.message}"
        return _outcome(Effect.INDETERMINATE, why)
    return None


class OfflineKeys:
    """In the place of GitHub's keys of accounts, where GitHub is not asked."""

    def account(self, account_id: int) -> Account | None:
        """Raises ForgeUnavailableError."""
        raise not_asked(f"the keys of account {account_id}")

    def ssh_keys(self, account: Account) -> tuple[str, ...]:
        """Raises ForgeUnavailableError."""
        raise not_asked(f"the keys of account {account.id}")


def not_asked(what: str) -> ForgeUnavailableError:
    """Tells that nothing is wrong with GitHub: it is not asked here."""
    return ForgeUnavailableError(
        f"{what} were not asked for at GitHub",
        remedy="`daypass plan --pr N` asks GitHub, and so does the plan on the pull request.",
    )


def _outcome(effect: Effect, why: str) -> RuleOutcome:
    return RuleOutcome(BUILT_IN, _KEYS, effect, Enforcement.ENFORCE, why)


NOTHING_ASKED: Final = PreviewSources()
