"""Settings: where GitHub and Vault are, which key signs, and the groups."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.model.co_authors import same_address
from daypass.model.context import ContextSource
from daypass.model.instant import Duration
from daypass.model.servers import is_api_of, is_bare

if TYPE_CHECKING:
    from collections.abc import Mapping

# A year that is audited, and the month in which that is done.
DEFAULT_RETENTION: Final = Duration.parse("400d")
DEFAULT_CLAIM_GRACE: Final = Duration.parse("15m")
DEFAULT_UNKNOWN_GRACE: Final = Duration.parse("15m")
REQUESTS_PER_PULL_REQUEST: Final = 25  # by default


@dataclass(frozen=True, slots=True)
class GitHubSettings:
    """The governed repository and the GitHub App that acts for daypass. Ids are the keys."""

    owner: str
    owner_id: int
    repository: str
    repository_id: int
    app_id: int
    app_user_id: int  # the numeric id of the App's own bot account, which writes its comments
    installation_id: int
    api_url: str = "https://api.github.com"
    server_url: str = "https://github.com"
    oidc_issuer: str = "https://token.actions.githubusercontent.com"
    default_branch: str = "main"

    @property
    def full_name(self) -> str:
        """`owner/repository`."""
        return f"{self.owner}/{self.repository}"


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """The control repository, which holds the privileged workflows and what they are pinned to.

    Requesters cannot write there. `repository` is a name, which another repository can take once
    it is renamed or gone; `id` is what `daypass vault doctor` compares.
    """

    repository: str  # OWNER/REPOSITORY
    id: int
    branch: str = "main"  # whose workflow files Vault takes


@dataclass(frozen=True, slots=True)
class VaultSettings:
    """The Vault or OpenBao server and the names of what `daypass vault apply` lays into it."""

    address: str
    namespace: str | None
    ca_file: str | None  # a path in the repository, or None for the system's authorities
    audience: str  # of the OIDC token that logs in
    kv_mount: str = "daypass"
    transit_mount: str = "daypass-transit"
    jwt_mount: str = "daypass-github"
    apply_role: str = "daypass-apply"
    commands_role: str = "daypass-commands"  # can end grants and note intents, and nothing else
    app_key: str = "github-app"  # transit key, rsa: signs the App's JWT


@dataclass(frozen=True, slots=True)
class EvidenceSettings:
    """Who signs the evidence."""

    key: str  # transit key, ed25519
    fingerprint: str | None  # `SHA256:…` as `ssh-keygen -l` prints it
    name: str
    email: str
    retention: Duration = DEFAULT_RETENTION  # how long evidence must be kept, and verify


@dataclass(frozen=True, slots=True)
class OfflineSettings:
    """The emergency lane of the day when GitHub is down: who may take what, of Vault itself."""

    invokers: tuple[str, ...]  # names of identities, which say their Vault entity
    levels: tuple[tuple[str, str], ...]  # (resource, level)


@dataclass(frozen=True, slots=True)
class BreakGlassSettings:
    """The emergency lane: who may take it, who reviews it, and what an incident is called."""

    invokers: tuple[str, ...]  # groups, and names of identities
    reviewers: tuple[str, ...]  # groups
    incident: str  # a pattern that the whole incident must match; it holds no parentheses
    offline: OfflineSettings | None = None  # None: nothing can be taken without GitHub

    def is_incident(self, text: str) -> bool:
        """Whether that is the name of an incident."""
        return re.fullmatch(self.incident, text, re.ASCII) is not None


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """How much one person's pull request may ask of everybody. No limit counts what ends."""

    requests_per_pull_request: int


@dataclass(frozen=True, slots=True)
class Settings:
    """All of `access/daypass.yaml`."""

    github: GitHubSettings
    vault: VaultSettings
    evidence: EvidenceSettings
    groups: Mapping[str, tuple[str, ...]]  # name → `team:<slug>` entries and names of identities
    foundation_owners: tuple[str, ...]  # groups that must approve changes of policies, settings, …
    foundation_at_least: int
    claim_window: Duration  # how long a delivery waits to be claimed, at the most
    # How long a holder has to say that they opened their delivery, once a run asks.
    claim_grace: Duration = DEFAULT_CLAIM_GRACE
    # How long a merged request waits for an answer that is missing, before it is refused.
    unknown_grace: Duration = DEFAULT_UNKNOWN_GRACE
    break_glass: BreakGlassSettings | None = None  # None: there is no emergency lane
    control: ControlSettings | None = None  # None: the small set-up, one repository
    context: Mapping[str, ContextSource] = field(default_factory=dict)  # sources by name
    teams: Mapping[str, int] | None = None  # slug → GitHub's id; None: teams are not pinned yet
    limits: LimitSettings = LimitSettings(REQUESTS_PER_PULL_REQUEST)
    # Addresses in lower case, of tools that commit messages may name as co-authors.
    machine_co_authors: frozenset[str] = frozenset()

    def counts_team(self, slug: str) -> bool:
        """Whether members of that team count: once teams are pinned, only pinned ones do."""
        return self.teams is None or slug in self.teams

    def team_id(self, slug: str) -> int | None:
        """The id that pins a team; None: it is found by its slug, or does not count."""
        return None if self.teams is None else self.teams.get(slug)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Build from a document that its schema has accepted."""
        spec = document["spec"]
        evidence = spec["evidence"]
        foundation = spec["foundation"]
        return cls(
            github=_github(spec["github"]),
            vault=_vault(spec["vault"]),
            evidence=EvidenceSettings(
                key=evidence.get("key", "evidence"),
                fingerprint=evidence.get("fingerprint"),
                name=evidence.get("name", "daypass"),
                email=evidence["email"],
                retention=Duration.parse(evidence.get("retention", str(DEFAULT_RETENTION))),
            ),
            groups={name: tuple(members) for name, members in spec.get("groups", {}).items()},
            foundation_owners=tuple(foundation["owners"]),
            foundation_at_least=foundation.get("atLeast", 1),
            claim_window=Duration.parse(spec.get("claimWindow", "1h")),
            claim_grace=Duration.parse(spec.get("claimGrace", str(DEFAULT_CLAIM_GRACE))),
            unknown_grace=Duration.parse(spec.get("unknownGrace", str(DEFAULT_UNKNOWN_GRACE))),
            break_glass=_break_glass(spec["breakGlass"]) if "breakGlass" in spec else None,
            control=_control(spec["control"], spec["github"]) if "control" in spec else None,
            context={
                name: ContextSource.from_spec(name, source)
                for name, source in spec.get("context", {}).get("sources", {}).items()
            },
            teams=dict(spec["teams"]) if "teams" in spec else None,
            limits=_limits(spec.get("limits", {})),
            machine_co_authors=frozenset(map(same_address, spec.get("machineCoAuthors", ()))),
        )


def _control(spec: Mapping[str, Any], github: Mapping[str, Any]) -> ControlSettings:
    found = ControlSettings(spec["repository"], spec["id"], spec.get("branch", "main"))
    own = f"{github['owner']}/{github['repository']}"
    if found.id == github["repositoryId"] or found.repository.lower() == own.lower():
        raise ValueError("control is the governed repository itself, where requesters can write")
    return found


def _limits(spec: Mapping[str, Any]) -> LimitSettings:
    return LimitSettings(spec.get("requestsPerPullRequest", REQUESTS_PER_PULL_REQUEST))


def _break_glass(spec: Mapping[str, Any]) -> BreakGlassSettings:
    try:
        re.compile(spec["incident"], re.ASCII)
    except re.error as error:
        raise ValueError(f"breakGlass.incident is no pattern: {error.msg}") from error
    return BreakGlassSettings(
        tuple(spec["invokers"]),
        tuple(spec["reviewers"]),
        spec["incident"],
        _offline(spec["offline"]) if "offline" in spec else None,
    )


def _offline(spec: Mapping[str, Any]) -> OfflineSettings:
    pairs = (item.partition("/") for item in spec["levels"])
    return OfflineSettings(
        tuple(spec["invokers"]), tuple((resource, level) for resource, _, level in pairs)
    )


def _github(spec: Mapping[str, Any]) -> GitHubSettings:
    optional = {
        "api_url": "apiUrl",
        "server_url": "serverUrl",
        "oidc_issuer": "oidcIssuer",
        "default_branch": "defaultBranch",
    }
    found = GitHubSettings(
        owner=spec["owner"],
        owner_id=spec["ownerId"],
        repository=spec["repository"],
        repository_id=spec["repositoryId"],
        app_id=spec["appId"],
        app_user_id=spec["appUserId"],
        installation_id=spec["installationId"],
        **{field: spec[key] for field, key in optional.items() if key in spec},
    )
    if not is_bare(found.server_url):
        raise ValueError(
            f"github.serverUrl {found.server_url} has a path: name the server alone, such as "
            "https://github.example.com"
        )
    if not is_api_of(found.server_url, found.api_url):
        raise ValueError(
            f"github.apiUrl {found.api_url} is not the API of github.serverUrl {found.server_url}: "
            "tokens for the one would go to the other"
        )
    return found


def _vault(spec: Mapping[str, Any]) -> VaultSettings:
    mounts = spec.get("mounts", {})
    return VaultSettings(
        address=spec["address"],
        namespace=spec.get("namespace"),
        ca_file=spec.get("caFile"),
        audience=spec["audience"],
        kv_mount=mounts.get("kv", "daypass"),
        transit_mount=mounts.get("transit", "daypass-transit"),
        jwt_mount=mounts.get("jwt", "daypass-github"),
        apply_role=spec.get("applyRole", "daypass-apply"),
        commands_role=spec.get("commandsRole", "daypass-commands"),
        app_key=spec.get("appKey", "github-app"),
    )
