"""GitHub's API belongs to GitHub's server: a token for the one would go to the other."""

from __future__ import annotations

import pytest

from daypass.cli.settings_in_force import settings_of
from daypass.errors import DocumentError
from daypass.model.servers import is_api_of, is_bare, is_private
from unit.documents.documents_world import SETTINGS


@pytest.mark.parametrize(
    ("server", "api", "belongs"),
    [
        ("https://github.com", "https://api.github.com", True),
        ("https://github.com", "https://API.github.com:443/", True),
        ("https://ghe.example", "https://ghe.example/api/v3", True),
        ("https://octo.ghe.com", "https://api.octo.ghe.com", True),
        ("http://127.0.0.1:9", "http://127.0.0.1:9/api/v3", True),
        ("https://github.com", "https://api.github.com.evil.example", False),
        ("https://github.com", "http://api.github.com", False),
        ("https://github.com", "https://api.github.com@evil.example", False),
        ("https://ghe.example", "https://ghe.example:8443/api/v3", False),
        ("https://ghe.example", "https://api.github.com", False),
        ("http://127.0.0.1:9", "http://127.0.0.1:10/api/v3", False),
    ],
)
def test_an_api_has_the_host_of_its_server_or_api_before_it(
    server: str, api: str, belongs: bool
) -> None:
    assert is_api_of(server, api) is belongs
    text = SETTINGS.replace(
        "{owner: acme", f'{{serverUrl: "{server}", apiUrl: "{api}", owner: acme'
    )
    if belongs:
        settings_of(text.replace(":443/", ":443").encode())
    else:
        with pytest.raises(DocumentError):
            settings_of(text.encode())


@pytest.mark.parametrize(
    ("server", "is_alone"),
    [
        ("https://ghe.example", True),
        ("https://ghe.example:8443/", True),
        ("https://ghe.example/x", False),
        ("https://ghe.example//", False),
        ("https://ghe.example/x/", False),
    ],
)
def test_a_server_has_no_path(server: str, is_alone: bool) -> None:
    assert is_bare(server) is is_alone
    api = f"{server.partition('/x')[0].rstrip('/')}/api/v3"
    text = SETTINGS.replace(
        "{owner: acme", f'{{serverUrl: "{server}", apiUrl: "{api}", owner: acme'
    ).encode()
    if is_alone:
        settings_of(text)
    else:
        with pytest.raises(DocumentError):
            settings_of(text)


def test_only_https_and_this_machine_are_private() -> None:
    assert is_private("https://github.com")
    assert is_private("http://127.0.0.1:9")
    assert not is_private("http://github.com")
