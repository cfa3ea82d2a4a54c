"""A set-up, and what it is made of: each step knows where it is written, and with what."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from daypass.model.instant import Duration
    from daypass.model.resource import IssueMode
    from daypass.model.settings import Settings, VaultSettings


@dataclass(frozen=True, slots=True)
class Mount:
    """A secrets engine or an auth method. `table` is `sys/mounts` or `sys/auth`."""

    table: str
    path: str
    type: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What it is called, for people."""
        kind = "auth method" if self.table == "sys/auth" else "secrets engine"
        return f"{kind} {self.path}/ ({self.type})"

    @property
    def body(self) -> dict[str, Any]:
        """What is written to enable it."""
        return {"type": self.type, "description": "daypass", "options": dict(self.options)}


@dataclass(frozen=True, slots=True)
class TransitKey:
    """A key that never leaves Vault. `types` are all that will do; the first one is made.

    An imported key comes from outside (GitHub makes the key of an App), once, by an operator.
    """

    mount: str
    name: str
    types: tuple[str, ...]
    imported: bool

    @property
    def title(self) -> str:
        """What it is called, for people."""
        return f"transit key {self.mount}/{self.name}"

    @property
    def path(self) -> str:
        """Where it is made and read."""
        return f"{self.mount}/keys/{self.name}"

    @property
    def body(self) -> dict[str, Any]:
        """What is written to make it."""
        return {"type": self.types[0], "exportable": False, "allow_plaintext_backup": False}


@dataclass(frozen=True, slots=True)
class Policy:
    """An ACL policy."""

    name: str
    text: str

    @property
    def title(self) -> str:
        """What it is called, for people."""
        return f"policy {self.name}"

    @property
    def path(self) -> str:
        """Where it is written and read."""
        return f"{POLICIES}/{self.name}"


@dataclass(frozen=True, slots=True)
class Document:
    """Anything that is written as parameters and read back as the same ones."""

    title: str
    path: str
    body: Mapping[str, Any]


Step = Mount | TransitKey | Policy | Document
ROLES: Final = "auth/token/roles"
POLICIES: Final = "sys/policies/acl"


@dataclass(frozen=True, slots=True)
class TieredRole:
    """One (resource, level, tier): a token role and a policy of one name, and what it reads."""

    name: str
    resource: str
    level: str
    length: Duration
    issue: IssueMode
    mount: str
    role: str  # the secrets engine's own role; its default_ttl and max_ttl must be `length`
    cap: Duration  # how long its tokens live at the most: `length`, or less in the emergency lane
    confirm: str | None = None  # the engine's role that looks at the target after an end
    offline: bool = False  # minted by its holder, with their own log-in, while GitHub is down

    @property
    def look_path(self) -> str | None:
        """Where the target is looked at; None when its resource names no role for that."""
        return f"{self.mount}/creds/{self.confirm}" if self.confirm else None

    @property
    def credential_path(self) -> str:
        """Where the credential is read."""
        return f"{self.mount}/creds/{self.role}"


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything, in the order in which it must be laid in."""

    settings: Settings
    roles: tuple[TieredRole, ...]
    steps: tuple[Step, ...]


def jwt_role_path(vault: VaultSettings, name: str) -> str:
    """Where a JWT role is written and read."""
    return f"auth/{vault.jwt_mount}/role/{name}"


def stages(steps: Iterable[Step]) -> Iterator[tuple[Step, ...]]:
    """The steps in their order, those together of which none needs another.

    Policies that follow each other make a stage, and so do token roles; any other step is one.
    """
    for _, stage in groupby(steps, key=_family):
        yield tuple(stage)


def _family(step: Step) -> str:
    folder = step.path.rpartition("/")[0]
    return folder if folder in (ROLES, POLICIES) else f"{type(step).__name__} {step.path}"
