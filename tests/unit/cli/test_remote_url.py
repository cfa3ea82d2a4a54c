"""What a remote's URL names: a governed repository's, and the control repository's."""

from __future__ import annotations

import pytest

from daypass.cli.remote_url import Place, read


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("https://github.com/acme/access.git", "https://github.com"),
        ("https://x:y@ghe.example:8443/acme/access", "https://ghe.example:8443"),
        ("git@github.com:acme/access.git", "https://github.com"),
        ("ssh://git@ssh.github.com:443/acme/access.git", "https://github.com"),
        ("ssh://git@ghe.example:2222/acme/access", "https://ghe.example"),
    ],
)
def test_https_and_ssh_are_read(url: str, server: str) -> None:
    place = read(url)
    assert place == Place(server, "acme/access")
    assert place.is_at(server, "ACME/access")
    assert not place.is_at(server, "acme/other")
    assert not place.is_at("https://elsewhere.example", "acme/access")
    assert "@" not in place.shown


@pytest.mark.parametrize(
    "url",
    ["/srv/access.git", "git@github.com/acme/access", "", "https://github.com/acme", "file:///a/b"],
)
def test_anything_else_names_nothing(url: str) -> None:
    assert read(url) is None
