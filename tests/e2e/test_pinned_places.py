"""Threat 17: whoever can push to main cannot make the job say who it is to a server of theirs."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from support.town import Town

if TYPE_CHECKING:
    from daypass.sandbox.box import Box

SETTINGS = "access/daypass.yaml"


@pytest.mark.parametrize("place", ["vault", "github"])
def test_nothing_is_sent_to_an_address_that_came_with_a_push(fresh_box: Box, place: str) -> None:
    town = Town(fresh_box)
    text = town.store.git("show", f"main:{SETTINGS}")
    real = fresh_box.bao.address if place == "vault" else fresh_box.github.api_url
    with socket.create_server(("127.0.0.1", 0)) as thief:
        theirs = f"http://127.0.0.1:{thief.getsockname()[1]}"
        town.push_straight({SETTINGS: text.replace(real, theirs).encode()})
        done = town.apply()
        assert done.code == 5, done.said
        assert "changes what decisions rest on" in done.said, "the proven settings lead the run"
        thief.settimeout(0.2)
        with pytest.raises(TimeoutError):
            thief.accept()
