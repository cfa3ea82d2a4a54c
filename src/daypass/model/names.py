"""Names and paths: what an id may look like, and where each kind of document lies."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME_PATTERN: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(NAME_PATTERN)


class Kind(StrEnum):
    """The kinds of documents, as their `kind:` field says."""

    ACCESS_REQUEST = "AccessRequest"
    BREAK_GLASS_REQUEST = "BreakGlassRequest"
    RESOURCE = "Resource"
    IDENTITY = "Identity"
    ACCESS_POLICY = "AccessPolicy"
    POLICY_EXCEPTION = "PolicyException"
    POLICY_TEST = "PolicyTest"
    SETTINGS = "Settings"
    GRANT = "Grant"
    OBLIGATION = "Obligation"


API_VERSION: Final = "daypass.dev/v1"
SETTINGS_PATH: Final = "access/daypass.yaml"
ALLOWED_SIGNERS_PATH: Final = "access/allowed_signers"
# The only two workflows that may log in to Vault, each to a role of its own.
RECONCILE_WORKFLOW: Final = ".github/workflows/access-reconcile.yml"
COMMANDS_RUN_WORKFLOW: Final = ".github/workflows/access-commands-run.yml"
RELEASE_PATH: Final = ".github/daypass.txt"  # what the workflows install, by hash
# The environment on GitHub of those two jobs, where no control repository holds them.
ENVIRONMENT: Final = "daypass"
FOLDERS: Final[dict[str, Kind]] = {
    "access/requests": Kind.ACCESS_REQUEST,
    "access/break-glass": Kind.BREAK_GLASS_REQUEST,
    "access/grants": Kind.GRANT,
    "access/obligations": Kind.OBLIGATION,
    "access/resources": Kind.RESOURCE,
    "access/identities": Kind.IDENTITY,
    "access/policies": Kind.ACCESS_POLICY,
    "access/exceptions": Kind.POLICY_EXCEPTION,
    "access/policy-tests": Kind.POLICY_TEST,
}
# Only the bot writes here; on main these trees must equal those of its last signed commit.
BOT_FOLDERS: Final = ("access/grants", "access/obligations")
# What decides, and what is excepted from it: the digest that decisions name is of these.
RULES_FOLDERS: Final = ("access/policies", "access/exceptions")
# What decisions rest on: each change must have come by an approved pull request of its owners.
FOUNDATION_PATHS: Final = (
    *RULES_FOLDERS,
    "access/resources",
    "access/identities",
    SETTINGS_PATH,
    ALLOWED_SIGNERS_PATH,
    "schemas",
    ".github",
)
# The same, as GitHub's CODEOWNERS names them: a folder's ends in a slash.
FOUNDATION_AREAS: Final = tuple(
    path if path in (SETTINGS_PATH, ALLOWED_SIGNERS_PATH) else f"{path}/"
    for path in FOUNDATION_PATHS
)
# What a job knows from outside of what pull requests and the App can change.
PIN_VARIABLE: Final = "DAYPASS_PIN"
IDENTITY_VARIABLE: Final = "ACTIONS_ID_TOKEN_REQUEST_URL"  # where a job asks who it is
ADDRESS_VARIABLE: Final = "DAYPASS_VAULT_ADDRESS"
AUDIENCE_VARIABLE: Final = "DAYPASS_VAULT_AUDIENCE"
CA_VARIABLE: Final = "DAYPASS_VAULT_CA"
# What says how long evidence is kept, and by which keys it verifies.
KEEPS: Final = frozenset({SETTINGS_PATH, ALLOWED_SIGNERS_PATH})


def is_name(text: str) -> bool:
    """Whether the text can be an id or a name (ASCII, lower case, 1 to 63 characters)."""
    return _NAME.fullmatch(text) is not None


def names_of(paths: Iterable[str]) -> set[str]:
    """The names of the documents at these paths; a file whose name can be none is left out."""
    stems = (path.rpartition("/")[2].rsplit(".", 1)[0] for path in paths)
    return {stem for stem in stems if is_name(stem)}


def request_path(grant_id: str) -> str:
    """Where the request of that id lies, relative to the repository's root."""
    return f"access/requests/{grant_id}.yaml"


def break_glass_path(grant_id: str) -> str:
    """Where the emergency request of that id lies, relative to the repository's root."""
    return f"access/break-glass/{grant_id}.yaml"


def obligation_path(grant_id: str) -> str:
    """Where the bot keeps what is owed for that grant, relative to the repository's root."""
    return f"access/obligations/{grant_id}.json"


def grant_path(grant_id: str) -> str:
    """Where the bot's record of that grant lies, relative to the repository's root."""
    return f"access/grants/{grant_id}.json"
