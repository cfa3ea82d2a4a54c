"""`daypass vault doctor`, plain and with `--try`: what is broken is named, and mended as named."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from vault_house import resource, settings_for

from daypass.adapters.vault import trial as trial_module
from daypass.adapters.vault.compare import Found, State
from daypass.adapters.vault.doctor import examine
from daypass.adapters.vault.engines import Engines
from daypass.adapters.vault.install import install
from daypass.adapters.vault.issuer import VaultIssuer
from daypass.adapters.vault.session import Session, login_token
from daypass.adapters.vault.setup import desired
from daypass.adapters.vault.trials import try_roles
from daypass.model.instant import Duration
from daypass.model.names import is_name
from daypass.model.resource import IssueMode, Level, Resource, Tier
from daypass.model.secret import Secret
from daypass.model.target import TRIAL_ID
from daypass.sandbox.database_engine import LOOK, set_up_database_engine
from daypass.sandbox.openbao import OpenBao

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vault_house import House

    from daypass.adapters.vault.steps import Setup
    from daypass.sandbox.postgres import Postgres

pytestmark = pytest.mark.integration

ROLE = "database/roles/orders-read-1h"
CONNECTION = "database/config/orders"
OLD_SQL = [
    'ALTER ROLE "{{name}}" NOLOGIN;',
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}';",
    'REASSIGN OWNED BY "{{name}}" TO CURRENT_USER;',
    'DROP OWNED BY "{{name}}";',
    'DROP ROLE IF EXISTS "{{name}}";',
]
CREATE = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}'"


@dataclasses.dataclass
class Ward:
    """A Vault, its database, and the operator who asks the doctor."""

    bao: OpenBao
    postgres: Postgres
    root: Session
    setup: Setup
    resources: dict[str, Resource]

    def write(self, path: str, **body: Any) -> None:
        self.bao.client.write(path, body)

    def sql(self, text: str) -> None:
        with self.postgres.connect() as link:
            link.execute(text)

    def plain(self) -> list[Found]:
        """What the doctor finds that is not sound; the keys are no matter here."""
        found = examine(self.root, self.setup, ())
        return [
            item
            for item in found
            if not item.state.is_sound and "evidence key" not in item.title
            and "transit key" not in item.title
        ]  # fmt: skip

    def tried(self, session: Session | None = None) -> list[Found]:
        """What the trial of every role finds, whatever it is."""
        session = session or self.root
        warned: list[str] = []
        found = try_roles(session, Engines(session), self.setup, self.resources, warned.append)
        return [*found, *(Found("warned", State.WRONG, text) for text in warned)]

    def mend(self, command: str) -> None:
        """Do as the doctor says, word for word."""
        if not command.startswith(("bao ", "daypass ")):
            self.sql(command)
            return
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.bao.directory),
            "BAO_ADDR": self.bao.address,
            "BAO_TOKEN": self.bao.root_token.reveal(),
        }
        words = ["bash", "-o", "pipefail", "-c", command]
        subprocess.run(words, check=True, capture_output=True, env=environment)

    def leases(self, role: str = "orders-read-1h") -> list[str]:
        path = f"sys/leases/lookup/database/creds/{role}"
        return list(self.root.call("LIST", path, accept={404}).keys)


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """A Vault of this module's own: these tests break it."""
    with OpenBao.start(tmp_path_factory.mktemp("ward")) as server:
        yield server


@pytest.fixture
def ward(vault: OpenBao, postgres: Postgres, house: House) -> Iterator[Ward]:
    set_up_database_engine(vault, postgres)  # puts right what the test before has broken
    connection = {
        "host": postgres.host,
        "port": str(postgres.port),
        "database": postgres.database,
    }
    tier = Tier(Duration.parse("1h"), "orders-read-1h")
    level = Level("read", "database", "database", (tier,), IssueMode.ON_MERGE, LOOK)
    orders = dataclasses.replace(resource("orders-db", level), connection=connection)
    setup = desired(settings_for(vault.address, house.oidc.url), [orders])
    with login_token(setup.settings.vault, vault.root_token) as root:
        list(install(root, setup))
        yield Ward(vault, postgres, root, setup, {"orders-db": orders})
    with postgres.connect() as link:
        link.execute("GRANT pg_signal_backend, pg_read_all_stats TO vault")
    for path in ("sys/mounts/database/tune", "sys/auth/token/tune"):
        vault.client.write(path, {"max_lease_ttl": "0"})


def said(found: list[Found]) -> str:
    return "\n".join(f"{item.state} {item.title}: {item.detail} {item.mend}" for item in found)


def test_a_sound_set_up_is_sound(ward: Ward) -> None:
    assert ward.plain() == [], said(ward.plain())
    before = ward.postgres.roles()
    found = ward.tried()
    assert [(item.state, item.title) for item in found] == [
        (State.TRIED, "try database/creds/orders-read-1h")
    ], said(found)
    assert found[0].detail == (
        "the lease is 1h; the log-in works; its end ends the session; the log-in is refused then; "
        "the look finds nothing left of it"
    )
    assert ward.postgres.roles() == before
    assert ward.leases() == []


BREAKS: dict[str, tuple[Callable[[Ward], None], str]] = {
    "the mount's cap": (
        lambda ward: ward.write("sys/mounts/database/tune", max_lease_ttl="40s"),
        "max_lease_ttl of database/ is 40s, below 1h",
    ),
    "the cap of tokens": (
        lambda ward: ward.write("sys/auth/token/tune", max_lease_ttl="90s"),
        "max_lease_ttl of auth/token/ is 90s, below 1h",
    ),
    "the role's length": (
        lambda ward: ward.write(ROLE, default_ttl="30m", max_ttl="30m"),
        "default_ttl is 1800 s, and not 3600 s",
    ),
    "an allowed role": (
        lambda ward: ward.write(CONNECTION, allowed_roles=["orders-read-*"]),
        "allowed_roles do not name orders-look",
    ),
    "the names of log-ins": (
        lambda ward: ward.write(CONNECTION, username_template="v-{{ random 8 }}"),
        "makes names that the look does not know",
    ),
    "older SQL": (
        lambda ward: ward.write(ROLE, revocation_statements=OLD_SQL),
        "gives what a holder made to Vault's own user",
    ),
    "older SQL, one transaction": (
        lambda ward: ward.write(ROLE, revocation_statements=OLD_SQL),
        "the lock-out and the clean-up are one transaction",
    ),
    "older SQL, not twice": (
        lambda ward: ward.write(ROLE, revocation_statements=OLD_SQL),
        "they fail for a log-in that is gone already",
    ),
    "no SQL of its own": (
        lambda ward: ward.write(ROLE, revocation_statements=[]),
        "Vault's default leaves sessions open",
    ),
    "no end by itself": (
        lambda ward: ward.write(
            ROLE, creation_statements=[CREATE, 'GRANT orders_read TO "{{name}}"']
        ),
        "nothing bars the log-in while Vault is down",
    ),
    "a holder who makes others": (
        lambda ward: ward.write(
            ROLE,
            creation_statements=[
                f"{CREATE} CREATEROLE VALID UNTIL '{{{{expiration}}}}'",
                'GRANT orders_read TO "{{name}}"',
            ],
        ),
        "CREATEROLE: a holder can make access that has no end",
    ),
    "the look's text": (
        lambda ward: ward.write(f"database/roles/{LOOK}", creation_statements=["SELECT 1"]),
        "do not answer as this release of daypass reads it",
    ),
    "the look itself": (
        lambda ward: ward.bao.client.delete(f"database/roles/{LOOK}"),
        "it is not there, or it is hidden",
    ),
    "the right to see": (
        lambda ward: ward.sql("REVOKE pg_read_all_stats FROM vault"),
        "may not see the sessions of others",
    ),
    "the right to end": (
        lambda ward: ward.sql("REVOKE pg_signal_backend FROM vault"),
        "may not end the sessions of others",
    ),
    "a back door": (
        lambda ward: ward.sql(
            "CREATE FUNCTION left_behind() RETURNS int SECURITY DEFINER LANGUAGE sql "
            "RETURN 1; ALTER FUNCTION left_behind() OWNER TO vault"
        ),
        "SECURITY DEFINER functions of orders belong to vault",
    ),
    "a log-in of no grant": (
        lambda ward: ward.sql("CREATE ROLE \"g-restored-abcdef-1700000000\" LOGIN PASSWORD 'x'"),
        "no grant in this checkout names them: g-restored-abcdef-1700000000",
    ),
}


@pytest.mark.parametrize("name", sorted(BREAKS))
def test_what_is_broken_is_named_and_mended_by_the_command_that_is_named(
    name: str, ward: Ward
) -> None:
    breaks, words = BREAKS[name]
    breaks(ward)
    try:
        found = ward.plain()
        assert words in said(found)
        commands = dict.fromkeys(command for item in found for command in item.mend)
        assert commands, said(found)
        for command in commands:
            ward.mend(command.replace("NAME_AND_ARGUMENTS", "left_behind()"))
        assert ward.plain() == [], said(ward.plain())
    finally:
        ward.sql('DROP ROLE IF EXISTS "g-restored-abcdef-1700000000"')
        ward.sql("DROP FUNCTION IF EXISTS left_behind()")


def test_what_may_stay_as_it_is_is_advice(ward: Ward) -> None:
    guard = "IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{{name}}')"
    own = [
        f'DO $$ BEGIN {guard} THEN ALTER ROLE "{{{{name}}}}" NOLOGIN; END IF; END $$;',
        "COMMIT",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}'",
        'DROP ROLE IF EXISTS "{{name}}"',
    ]
    ward.write(ROLE, revocation_statements=own)
    assert ward.plain() == []
    assert [item.state for item in ward.tried()] == [State.TRIED]
    found = [item for item in examine(ward.root, ward.setup) if item.state is State.ADVICE]
    assert "not daypass's own text, and does what it must" in said(found)


def test_a_level_without_a_look_is_advice_and_says_what_is_not_tried(ward: Ward) -> None:
    roles = tuple(dataclasses.replace(role, confirm=None) for role in ward.setup.roles)
    ward.setup = dataclasses.replace(ward.setup, roles=roles)
    found = [item for item in examine(ward.root, ward.setup) if item.state is State.ADVICE]
    assert "confirm the credential and no sessions" in said(found)
    tried = ward.tried()
    assert [item.state for item in tried] == [State.NOT_TRIED, State.TRIED]
    assert "its level names no `confirm`" in tried[0].detail


def test_another_plugin_is_not_compared(ward: Ward) -> None:
    ward.write("database/roles/other", db_name="other", default_ttl="1h", max_ttl="1h")
    ward.write(
        "database/config/other", plugin_name="mysql-database-plugin", verify_connection=False,
        connection_url="{{username}}:{{password}}@tcp(127.0.0.1:9)/", username="a", password="b",
    )  # fmt: skip
    roles = tuple(dataclasses.replace(role, role="other") for role in ward.setup.roles)
    setup = dataclasses.replace(ward.setup, roles=roles)
    found = [item for item in examine(ward.root, setup) if item.state is State.ADVICE]
    assert "mysql-database-plugin: daypass knows the SQL of PostgreSQL" in said(found)


TRIALS: dict[str, tuple[Callable[[Ward], None], tuple[str, ...]]] = {
    "a lease that the mount cuts": (
        lambda ward: ward.write("sys/mounts/database/tune", max_lease_ttl="40s"),
        ("the lease is 40s, and the tier 1h", "bao secrets tune -max-lease-ttl=1h database/"),
    ),
    "a role that ends no session": (
        lambda ward: ward.write(ROLE, revocation_statements=[]),
        ("the open session outlives the end", f"daypass vault sql revocation | bao write {ROLE} -"),
    ),
    "an end that ends nothing": (
        lambda ward: ward.write(ROLE, revocation_statements=["SELECT 1"]),
        (
            "the open session outlives the end",
            "the log-in still works after the end",
            "the look still finds the log-in",
        ),
    ),
    "a holder with rights of their own": (
        lambda ward: ward.sql("ALTER ROLE orders_read CREATEROLE"),
        ("a holder has CREATEROLE by orders_read",),
    ),
    "a role that makes nothing": (
        lambda ward: ward.write(ROLE, creation_statements=['CREATE ROLE "{{name}}" \'{{nothing']),
        ("no credential can be made",),
    ),
}


@pytest.mark.parametrize("name", sorted(TRIALS))
def test_a_trial_finds_what_the_text_does_not_show(name: str, ward: Ward) -> None:
    breaks, words = TRIALS[name]
    before = ward.postgres.roles()
    breaks(ward)
    try:
        text = said(ward.tried())
        for word in words:
            assert word in text
        assert "\ntried " not in f"\n{text}"
    finally:
        ward.sql("ALTER ROLE orders_read NOCREATEROLE")
        for role in ward.postgres.roles() - before:
            ward.sql(f'DROP ROLE "{role}"')
    assert ward.leases() == []


def test_an_end_that_fails_is_told_and_the_credential_is_named(ward: Ward) -> None:
    ward.write(ROLE, revocation_statements=["SELECT 1/0"])
    found = ward.tried()
    text = said(found)
    assert "the revocation fails: ERROR: division by zero" in text
    assert "the log-in still works after the end" in text
    [lease] = ward.leases()
    assert f"database/creds/orders-read-1h/{lease[:8]}…" in text
    assert lease not in text
    set_up_database_engine(ward.bao, ward.postgres)
    VaultIssuer(ward.root).revoke_lease(f"database/creds/orders-read-1h/{lease}")


def test_a_trial_is_given_back_whatever_happens(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when its operator presses Ctrl-C in the middle."""
    from daypass.adapters.vault import trials  # noqa: PLC0415  -- beside its only use

    def interrupted(*_: object) -> None:
        assert len(ward.leases()) == 1
        raise KeyboardInterrupt

    monkeypatch.setattr(trials, "is_listed", interrupted)
    before = ward.postgres.roles()
    with pytest.raises(KeyboardInterrupt):
        ward.tried()
    assert ward.leases() == []
    assert ward.postgres.roles() == before


def test_a_run_of_daypass_takes_a_trial_for_no_grant(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no token of a token role of daypass, no marks, and a name that no grant can have."""
    issuer = VaultIssuer(ward.root)
    before = issuer.live_accessors()
    known = [login.grant_prefix for login in issuer.look("database", LOOK).logins]
    seen = []

    def looked(*_: object) -> bool:
        [accessor] = issuer.live_accessors() - before
        seen.append(issuer.lookup(accessor))
        report = issuer.look("database", LOOK)
        prefixes = [login.grant_prefix for login in report.logins]
        assert [prefix for prefix in prefixes if prefix not in known] == [TRIAL_ID]
        assert not is_name(TRIAL_ID)
        return False

    from daypass.adapters.vault import trials  # noqa: PLC0415  -- beside its only use

    monkeypatch.setattr(trials, "is_listed", looked)
    ward.tried()
    [state] = seen
    assert state is not None
    assert (state.meta, state.token_role) == ({}, None)
    assert state.not_after.since(ward.root.now()) <= 601
    assert "no grant in this checkout" not in said(ward.plain())


def test_what_cannot_be_reached_from_here_is_not_tried_and_said(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = ward.resources["orders-db"]
    far = dataclasses.replace(orders, connection=orders.connection | {"port": "9"})  # type: ignore[operator]  # a dict
    ward.resources = {"orders-db": far}
    found = ward.tried()
    assert [item.state for item in found] == [State.NOT_TRIED, State.TRIED]
    assert f"{ward.postgres.host}:9 cannot be reached from this machine" in found[0].detail
    assert found[1].detail == "the lease is 1h; the look finds nothing left of it"
    ward.resources = {"orders-db": orders}
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "pip install 'daypass[postgres]'" in ward.tried()[0].detail
    monkeypatch.undo()
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.2")
    assert "PGHOSTADDR is set" in ward.tried()[0].detail


def test_an_operator_with_few_rights_is_told_what_was_not_done(ward: Ward) -> None:
    read = 'path "database/*" { capabilities=["read"] }'
    look = 'path "sys/mounts/*" { capabilities=["read"] }'
    ward.write("sys/policies/acl/few", policy=f"{read}\n{look}")
    body = {"policies": ["few"], "no_default_policy": True, "display_name": "carol"}
    token = ward.root.call("POST", "auth/token/create", body).auth["client_token"]
    with login_token(ward.setup.settings.vault, Secret(token)) as few:
        text = said(ward.tried(few))
        assert "your token may make no child token" in text
        assert "the revocation fails: permission denied" in text.replace("1 error occurred: * ", "")
        assert "could not be given back" in text
    ward.root.call("POST", "auth/token/revoke", {"token": token})


def test_the_password_is_shown_nowhere(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    passwords: list[str] = []
    log_in = trial_module.log_in

    def spy(connection: Any, username: str, password: Secret) -> Any:
        passwords.append(password.reveal())
        return log_in(connection, username, password)

    monkeypatch.setattr(trial_module, "log_in", spy)
    text = said(ward.tried())
    ward.write(ROLE, revocation_statements=["SELECT 1/0"])
    text += said(ward.tried())
    text += "".join(capfd.readouterr())
    assert len(set(passwords)) == 2
    assert not any(password in text for password in passwords)
    for lease in ward.leases():
        set_up_database_engine(ward.bao, ward.postgres)
        VaultIssuer(ward.root).revoke_lease(f"database/creds/orders-read-1h/{lease}")
