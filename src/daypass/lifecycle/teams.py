"""Teams as documents name them, held against GitHub: renamed, gone, taken, or not pinned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from daypass.policy.groups import teams_needed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.lifecycle.ports import Forge
    from daypass.model.catalogue import Catalogue
    from daypass.model.pullrequest import Team


@dataclass(frozen=True, slots=True)
class TeamState:
    """One team that documents name, as GitHub has it today."""

    slug: str  # as documents name it
    pinned: int | None  # its id by the settings; None: there is none
    counts: bool  # whether its members count
    team: Team | None  # by its id if pinned, else by its slug; None: GitHub shows none
    holder: Team | None = None  # renamed: the team that has the slug today

    @property
    def can_be_pinned(self) -> bool:
        """Whether GitHub told the id that the settings lack."""
        return self.pinned is None and self.team is not None

    @property
    def wrong(self) -> str:
        """What a person must look at; empty when the slug and the id are one team."""
        if self.team is None:
            by = f"with the id {self.pinned}" if self.pinned is not None else "of that slug"
            return (
                f"GitHub shows no team {by}: `{self.slug}` was deleted, or this token may not see "
                "teams"
            )
        if self.pinned is None:
            state = "its slug alone decides" if self.counts else "it counts no members"
            return f"`{self.slug}` is pinned by no id: {state}"
        if self.team.slug == self.slug:
            return ""
        taken = (
            f", and `{self.slug}` is another team today, with the id {self.holder.id}, whose "
            "members do not count"
            if self.holder is not None
            else ""
        )
        return f"`{self.slug}`, with the id {self.pinned}, is called `{self.team.slug}` now{taken}"

    @property
    def remedy(self) -> str:
        """How to mend it; empty when nothing is wrong."""
        if self.team is None:
            return (
                "Look at the organisation's teams with `gh auth login --scopes read:org`; name "
                "the team that shall count, with its id, in access/daypass.yaml."
            )
        if self.pinned is None:
            return "Run `daypass teams --write`, and bring access/daypass.yaml to review."
        if self.team.slug == self.slug:
            return ""
        return (
            f"Write `{self.team.slug}` for `{self.slug}` in `teams` of access/daypass.yaml and "
            f"wherever documents name `team:{self.slug}`: `git grep -n 'team:{self.slug}' access`."
        )


def look_at_teams(
    forge: Forge, catalogue: Catalogue, slugs: Iterable[str] | None = None
) -> tuple[TeamState, ...]:
    """Each team that the catalogue names, or those of `slugs`, in the order of slugs.

    One request a team; one more for a team that was renamed. Raises ForgeUnavailableError,
    ForgeRefusedError.
    """
    settings = catalogue.settings
    found = []
    for slug in sorted(teams_needed(catalogue) if slugs is None else slugs):
        pinned = settings.team_id(slug)
        team = forge.team(slug, pinned)
        renamed = pinned is not None and (team is None or team.slug != slug)
        holder = forge.team(slug) if renamed else None
        found.append(TeamState(slug, pinned, settings.counts_team(slug), team, holder))
    return tuple(found)


def team_lines(forge: Forge, catalogue: Catalogue) -> tuple[str, ...]:
    """What is wrong with teams, a line each. Raises as `look_at_teams`."""
    return tuple(
        f"team {item.wrong}. {item.remedy}"
        for item in look_at_teams(forge, catalogue)
        if item.wrong
    )
