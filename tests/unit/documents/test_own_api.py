"""GitHub's API belongs to GitHub's server: a token for the one would go to the other."""

from __future__ import annotations

import pytest

from daypass.cli.settings_in_force import settings_of
from daypass.errors import DocumentError
from daypass.model.servers import is_api_of, is_private
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


def test_only_https_and_this_machine_are_private() -> None:
    assert is_private("https://github.com")
    assert is_private("http://127.0.0.1:9")
    assert not is_private("http://github.com")
