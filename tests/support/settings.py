"""Settings of acme/access for tests that need some and care about few of them."""

from __future__ import annotations

from typing import Final

from daypass.model.instant import Duration
from daypass.model.settings import EvidenceSettings, GitHubSettings, Settings, VaultSettings

SETTINGS: Final = Settings(
    github=GitHubSettings("acme", 900, "access", 456, 7, 8, 9),
    vault=VaultSettings("https://vault.acme.example", None, None, "daypass"),
    evidence=EvidenceSettings("evidence", None, "daypass", "daypass@acme.example"),
    groups={},
    foundation_owners=("security",),
    foundation_at_least=1,
    claim_window=Duration.parse("1h"),
)
