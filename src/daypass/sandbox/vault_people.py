"""People's own log-ins to the box's OpenBao: a user and an entity each, and a password."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from daypass.model.secret import Secret
from daypass.sandbox.bao_client import BaoClient

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.sandbox.openbao import OpenBao


class VaultPeople:
    """Who can log in, and as which entity."""

    def __init__(self, bao: OpenBao, names: Iterable[str]) -> None:
        """Enable `userpass`, and give each of these a user and an entity."""
        self._bao = bao
        self.passwords: dict[str, Secret] = {}
        self.entities: dict[str, str] = {}
        client = bao.client
        client.write("sys/auth/userpass", {"type": "userpass"})
        mounts = client.read("sys/auth") or {}
        accessor = mounts["data"]["userpass/"]["accessor"]
        for name in names:
            password = secrets.token_urlsafe(16)
            self.passwords[name] = Secret(password)
            client.write(f"auth/userpass/users/{name}", {"password": password, "token_ttl": "8h"})
            entity = (client.write("identity/entity", {"name": name}) or {})["data"]["id"]
            alias = {"name": name, "canonical_id": entity, "mount_accessor": accessor}
            client.write("identity/entity-alias", alias)
            self.entities[name] = entity

    def log_in(self, name: str, *, lasts: str | None = None) -> Secret:
        """What `bao login -method=userpass` gives that person. `lasts` shortens it from now on."""
        if lasts is not None:
            self._bao.client.write(f"auth/userpass/users/{name}", {"token_ttl": lasts})
        client = BaoClient(self._bao.address)
        password = self.passwords[name].reveal()
        answer = client.write(f"auth/userpass/login/{name}", {"password": password}) or {}
        return Secret(answer["auth"]["client_token"])
