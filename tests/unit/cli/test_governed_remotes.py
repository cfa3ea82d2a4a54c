"""Which ways to main are sure enough to pin what they say, before anything is known."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from daypass.cli.governed import why_unsure
from daypass.cli.remotes import ChosenRemote
from support.settings import SETTINGS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("url", "config", "says"),
    [
        ("https://github.com/acme/access", {}, ""),
        ("git@github.com:acme/access.git", {}, ""),
        ("ssh://git@ssh.github.com:443/acme/access.git", {}, ""),
        ("git@evil.example:acme/access.git", {}, "at evil.example, and not at github.com"),
        ("/srv/access.git", {}, "names no repository"),
        ("https://github.com/acme/access", {"http.proxy": "http://x"}, "sets http.proxy"),
        ("https://github.com/acme/access", {"http.sslVerify": "false"}, "sets http.sslverify"),
        ("https://github.com/acme/access", {"http.postBuffer": "9"}, ""),
    ],
)
def test_a_way_that_a_clones_own_files_choose_is_unsure(
    tmp_path: Path, url: str, config: dict[str, str], says: str
) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True)

    git("init", "-q")
    git("remote", "add", "origin", url)
    for key, value in config.items():
        git("config", key, value)
    why = why_unsure(tmp_path, ChosenRemote("origin"), SETTINGS)
    assert (says in why) if says else not why
