"""One Vault, laid out by daypass itself, with an OIDC issuer beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from oidc_issuer import OidcIssuer
from vault_house import ORDERS, House, settings_for

from daypass.adapters.vault.app_key import read_app_key
from daypass.adapters.vault.install import install
from daypass.adapters.vault.issuer import VaultIssuer
from daypass.adapters.vault.session import login_jwt, login_token
from daypass.adapters.vault.setup import desired
from daypass.sandbox.database_engine import set_up_database_engine
from daypass.sandbox.openbao import OpenBao

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.adapters.vault.session import Session
    from daypass.sandbox.postgres import Postgres


@pytest.fixture(scope="session")
def vault_server(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """An OpenBao of these tests' own: its roles and policies are nobody else's."""
    with OpenBao.start(tmp_path_factory.mktemp("vault-server")) as server:
        set_up_database_engine(server, postgres)
        yield server


@pytest.fixture(scope="session")
def house(vault_server: OpenBao, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = tmp_path_factory.mktemp("app") / "app.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    with OidcIssuer() as oidc:
        settings = settings_for(vault_server.address, oidc.url)
        setup = desired(settings, [ORDERS])
        with login_token(settings.vault, vault_server.root_token) as root:
            list(install(root, setup, read_app_key(pem)))
            yield House(settings, setup, oidc, root, pem)


@pytest.fixture
def bot(house: House) -> Iterator[Session]:
    """The bot, logged in by the workflow's identity, with its own policy only."""
    with login_jwt(house.settings.vault, house.jwt) as session:
        yield session


@pytest.fixture
def issuer(bot: Session) -> VaultIssuer:
    return VaultIssuer(bot)
