"""Which ways to main are sure enough to pin what they say, before anything is known."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from daypass.adapters.known_repositories import Pin, change_pins
from daypass.cli import governed as governing
from daypass.cli.governed import main_of_server, why_unsure
from daypass.cli.remotes import ChosenRemote
from daypass.errors import GitError
from support.settings import SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

    from daypass.model.settings import Settings


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)


def prepare(folder: Path, url: str, config: dict[str, str]) -> None:
    git(folder, "init", "-q")
    git(folder, "remote", "add", "origin", url)
    for key, value in config.items():
        git(folder, "config", key, value)


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
    prepare(tmp_path, url, config)
    why = why_unsure(tmp_path, ChosenRemote("origin"), SETTINGS)
    assert (says in why) if says else not why


@pytest.mark.parametrize("is_pinned", [False, True])
def test_a_fork_without_settings_gives_way_to_upstream(
    is_pinned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not where it is pinned: then it is the governed repository, which has lost them."""
    asked: list[str] = []

    def fetched(_clone: object, name: str, **_words: bool) -> tuple[Settings, str]:
        asked.append(name)
        if name == "origin":
            raise GitError("there is no access/daypass.yaml", remedy="")
        return SETTINGS, "c" * 40

    monkeypatch.setattr(governing, "_fetched", fetched)
    prepare(tmp_path, "https://github.com/alice/access", {})
    git(tmp_path, "remote", "add", "upstream", "https://github.com/acme/access")
    # A prepared clone may name any branch as the default one of a remote.
    git(tmp_path, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/-x")
    if is_pinned:
        change_pins(lambda _: {"https://github.com/alice/access": Pin.of(SETTINGS)})
        with pytest.raises(GitError), main_of_server(tmp_path):
            pass
        assert asked == ["origin"]
    else:
        with main_of_server(tmp_path) as found:
            assert found.remote.name == "upstream"
        assert asked == ["origin", "upstream"]
