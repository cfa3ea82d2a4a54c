"""A delivery can be opened once: what can fail fails before, and what fails after is said."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from claim_world import a_grant, example

from daypass.adapters import core_dumps, libpq
from daypass.adapters.handover import Handful
from daypass.adapters.handover_command import Command
from daypass.adapters.handover_file import File
from daypass.adapters.handover_output import StandardOutput
from daypass.cli.connecting import prepare, tell_opening
from daypass.documents.document import read_document
from daypass.errors import ClaimError, DeliveryLostError, UsageError
from daypass.model.delivery import Origin
from daypass.model.resource import Resource
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from daypass.adapters.handover import Receiver

PASSWORD = os.environb.get(b"PASSWORD", b'it\'s $(reboot) "quoted"').decode()
RESOURCE = read_document("access/resources/orders-db.yaml", example("resource")).model
assert isinstance(RESOURCE, Resource)
HANDFUL = Handful(
    a_grant(), RESOURCE, {"username": Secret("g-alice"), "password": Secret(PASSWORD)}
)


def test_a_database_is_told_in_libpqs_own_words() -> None:
    assert HANDFUL.told() == {
        "DAYPASS_GRANT": "alice-orders-7f3k",
        "DAYPASS_NOT_AFTER": "2026-11-22T11:00:00Z",
        "PGHOST": "orders-db.example.com",
        "PGPORT": "5432",
        "PGDATABASE": "orders",
        "PGSSLMODE": "verify-full",
        "PGUSER": "g-alice",
        "PGPASSWORD": PASSWORD,
    }


WEAKENING = {
    "PGHOSTADDR": "203.0.113.66",
    "PGSERVICE": "evil",
    "PGSERVICEFILE": "/evil/service.conf",
    "PGSYSCONFDIR": "/evil",
    "PGOPTIONS": "-c role=postgres",
    "PGSSLMODE": "disable",
    "PGSSLROOTCERT": "/evil/root.pem",
    "PGSSLNEGOTIATION": "direct",
    "PGSSLMINPROTOCOLVERSION": "TLSv1",
    "PGGSSENCMODE": "require",
    "PGREQUIREAUTH": "password",
    "PGCHANNELBINDING": "disable",
    "PGPASSFILE": "/evil/pgpass",
}
PLAIN = {"EDITOR": "vi", "PGTZ": "Europe/Berlin", "PGAPPNAME": "me", "PG_COLOR": "never"}
PLAIN |= {"PGP_KEY": "0xAB", "PGPASSPHRASE": "mine", "SSL_CERT_FILE": "/etc/our.pem"}


def at(**connection: str) -> Handful:
    """The same at another host, or in other words."""
    return replace(HANDFUL, resource=replace(RESOURCE, connection=connection))


def test_nothing_of_the_holders_environment_weakens_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (WEAKENING | PLAIN).items():
        monkeypatch.setenv(name, value)
    environment = HANDFUL.environment()
    assert environment["PGSSLMODE"] == "verify-full"
    assert not (WEAKENING.keys() - {"PGSSLMODE"}) & environment.keys()
    assert {name: environment[name] for name in PLAIN} == PLAIN
    script = HANDFUL.to_exports() + "env"
    done = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True)
    after = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert after["PGSSLMODE"] == "verify-full"
    assert not (WEAKENING.keys() - {"PGSSLMODE"}) & after.keys()
    assert {name: after[name] for name in PLAIN} == PLAIN


@pytest.mark.parametrize(
    ("connection", "mode"),
    [
        ({"host": "db.example.com"}, "verify-full"),
        ({"host": "db.example.com", "sslmode": "require"}, "require"),
        ({"host": "127.0.0.1,db.example.com"}, "verify-full"),
        ({"host": "127.example.com"}, "verify-full"),
        ({"host": "localhost.example.com"}, "verify-full"),
        ({"host": "127.0.0.1,::2"}, "verify-full"),
        ({}, None),
        ({"host": "localhost"}, None),
        ({"host": "LOCALHOST"}, None),
        ({"host": "localhost."}, None),
        ({"host": "[::1]"}, None),
        ({"host": "::ffff:127.0.0.1"}, None),
        ({"host": "127.9.9.9"}, None),
        ({"host": "127.0.0.1,::1"}, None),
        ({"host": "/run/postgresql"}, None),
    ],
)
def test_the_tls_mode_is_the_resources_or_the_safest(
    connection: dict[str, str], mode: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLMODE", "allow")
    handful = at(**connection)
    assert handful.environment().get("PGSSLMODE") == mode
    assert json.loads(handful.to_json())["connection"].get("sslmode") == mode
    unset, *exports = handful.to_exports().splitlines()
    assert ("PGSSLMODE" in unset.split()) is (mode is None)
    assert (f"export PGSSLMODE={mode}" in exports) is (mode is not None)


def test_the_systems_authorities_are_not_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/evil.pem")
    assert "SSL_CERT_FILE" in at(host="db", sslrootcert="/ca.pem").environment()
    assert "SSL_CERT_FILE" not in at(host="db", sslrootcert="system").environment()


def test_a_server_that_cannot_be_verified_is_found_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    there, words = tmp_path / "ca.pem", Command(["true"])

    def look(receiver: Receiver = words, **connection: str) -> None:
        prepare(receiver, replace(RESOURCE, connection=connection), "database")

    for connection in (
        {"host": "db"},
        {"host": "db", "sslmode": "verify-ca"},
        {"host": "db", "sslrootcert": str(there)},
        {"host": "db", "sslmode": "verify-full", "sslrootcert": str(tmp_path)},
    ):
        with pytest.raises(UsageError, match="cannot be verified on this machine") as refused:
            look(**connection)
        for word in ("Nothing was opened", "sslrootcert: system", "~/.postgresql/root.crt"):
            assert word in refused.value.remedy
        look(StandardOutput("json"), **connection)
    for connection in ({"host": "db", "sslmode": "require"}, {"host": "::1"}, {}):
        look(**connection)
    look(host="db", sslrootcert="system")
    there.write_text("-----BEGIN CERTIFICATE-----\n")
    look(host="db", sslrootcert=str(there))
    (tmp_path / ".postgresql").mkdir()
    there.rename(tmp_path / ".postgresql" / "root.crt")
    look(host="db")


def test_what_is_left_out_and_where_it_goes_is_told(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in libpq.names_to_drop({}):
        monkeypatch.delenv(name, raising=False)
    local = replace(RESOURCE, connection={"host": "localhost", "port": "5433"})
    prepare(Command(["true"]), local, "database")
    assert capfd.readouterr().err == ""
    monkeypatch.setenv("PGSERVICE", "evil")
    prepare(Command(["true"]), local, "database")
    assert "as the resource decides it: PGSERVICE\n" in capfd.readouterr().err
    origin = Origin("https://vault.example.com:8200", None, 7)
    tell_opening("opening", origin, local, "database")
    tell_opening("opening", origin, RESOURCE, "database")
    tell_opening("opening", origin, replace(RESOURCE, connection={}), "database")
    assert capfd.readouterr().err.splitlines() == [
        "opening at vault.example.com:8200; connects to localhost:5433",
        (
            "opening at vault.example.com:8200; connects to orders-db.example.com:5432, "
            "TLS verify-full"
        ),
        "opening at vault.example.com:8200; connects to a socket of this machine",
    ]


def test_no_odd_name_of_the_environment_reaches_the_lines_for_a_shell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(os.environ, "PG;touch x", "1")
    assert "touch" not in HANDFUL.to_exports()


def test_a_field_of_a_resource_replaces_neither_the_grant_nor_a_secret() -> None:
    fields = {"grant": "other", "not-after": "2099", "Fingerprint": "SHA256:x", "traceback": "1"}
    fields |= {"access_key": "mine", "access-key": "mine", "context-mdm": "x", "region": "eu"}
    told = Handful(
        replace(a_grant(), engine="cloud"),
        replace(RESOURCE, connection=fields),
        {"access_key": Secret("AKIA")},
    ).told()
    assert told == {
        "DAYPASS_REGION": "eu",
        "DAYPASS_ACCESS_KEY": "AKIA",
        "DAYPASS_GRANT": "alice-orders-7f3k",
        "DAYPASS_NOT_AFTER": "2026-11-22T11:00:00Z",
    }
    assert "PGPASSWORD" not in replace(at(password="mine"), credential={}).told()


def test_a_resource_cannot_replace_what_vault_gave() -> None:
    RESOURCE.connection["password"] = "mine"  # type: ignore[index]  # it is a dict underneath
    assert HANDFUL.told()["PGPASSWORD"] == PASSWORD
    del RESOURCE.connection["password"]  # type: ignore[attr-defined]  # likewise


def test_export_lines_survive_a_shell(capfd: pytest.CaptureFixture[str]) -> None:
    printer = StandardOutput("env")
    printer.prepare()
    printer.give(HANDFUL)
    script = capfd.readouterr().out + 'printf %s "$PGPASSWORD"; test -z "$PGSERVICE"'
    done = subprocess.run(
        ["sh", "-c", script], check=True, capture_output=True, env={"PGSERVICE": "evil"}
    )
    assert done.stdout.decode() == PASSWORD


def test_json_says_all(capfd: pytest.CaptureFixture[str]) -> None:
    StandardOutput("json").give(HANDFUL)
    value = json.loads(capfd.readouterr().out)
    assert value["credential"] == {"username": "g-alice", "password": PASSWORD}
    assert value["connection"]["database"] == "orders"
    assert value["notAfter"] == "2026-11-22T11:00:00Z"


def test_a_secret_that_could_not_be_printed_is_not_lost_in_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(DeliveryLostError) as caught:
            StandardOutput("json").give(HANDFUL)
        monkeypatch.undo()
        with pytest.raises(OSError, match="No space"):
            full.close()
    assert "/redeliver alice-orders-7f3k" in caught.value.remedy
    assert PASSWORD not in str(caught.value)


def test_a_file_is_its_owners_alone_and_appears_whole(tmp_path: Path) -> None:
    file = File(tmp_path / "secret.json")
    file.prepare()
    assert not file.path.exists()
    file.give(HANDFUL)
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.path.read_text())["credential"]["password"] == PASSWORD
    assert list(tmp_path.iterdir()) == [file.path]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    there = tmp_path / "secret.json"
    there.write_text("precious")
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nowhere")
    for path in (there, dangling):
        with pytest.raises(UsageError, match="not overwritten"):
            File(path).prepare()


def test_a_file_that_came_in_between_is_kept_and_the_secret_too(tmp_path: Path) -> None:
    file = File(tmp_path / "secret.json")
    file.prepare()
    file.path.write_text("precious")
    with pytest.raises(ClaimError, match="the credential is in") as caught:
        file.give(HANDFUL)
    assert file.path.read_text() == "precious"
    draft = next(path for path in tmp_path.iterdir() if path != file.path)
    assert str(draft) in caught.value.message
    assert PASSWORD in json.loads(draft.read_text())["credential"]["password"]


def no_links(*_: object, **__: object) -> None:
    """As vfat answers, and some file systems that are mounted over a network."""
    raise PermissionError(errno.EPERM, "Operation not permitted")


def test_a_file_system_without_hard_links_is_found_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(UsageError, match="no hard links") as refused:
        File(tmp_path / "secret.json").prepare()
    assert "Nothing was opened" in refused.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_gets_no_name_after_all_is_left_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is that refuses, there is no second opening."""
    file = File(tmp_path / "secret.json")
    file.prepare()
    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(ClaimError) as told:
        file.give(HANDFUL)
    [left] = tmp_path.iterdir()
    assert str(left) in told.value.message
    assert json.loads(left.read_text())["credential"]["password"] == PASSWORD
    assert left.stat().st_mode & 0o777 == 0o600


def swapped(folder: Path, loot: Path) -> Path:
    """Another user of the folder puts a link to their own file where the draft is."""
    (draft,) = [path for path in folder.iterdir() if path.name.startswith(".daypass-")]
    draft.unlink()
    draft.symlink_to(loot)
    return draft


def test_a_swapped_draft_gets_nothing_of_the_secret(tmp_path: Path) -> None:
    loot, folder = tmp_path / "loot", tmp_path / "shared"
    folder.mkdir()
    loot.write_text("nothing")
    file = File(folder / "secret.json")
    file.prepare()
    link = swapped(folder, loot)
    with pytest.raises(ClaimError, match="another file in its place") as caught:
        file.give(HANDFUL)
    assert "/redeliver alice-orders-7f3k" in caught.value.remedy
    assert loot.read_text() == "nothing"
    assert list(folder.iterdir()) == [link], "what is somebody else's is left alone"


@pytest.mark.parametrize("before", ["prepare", "give"])
def test_a_folder_that_is_renamed_takes_the_secret_with_it(tmp_path: Path, before: str) -> None:
    """The file stays in the folder that was opened; the one that took its name gets nothing."""
    folder = tmp_path / "shared"
    folder.mkdir()
    file = File(folder / "secret.json")
    if before == "give":
        file.prepare()
        folder.rename(tmp_path / "elsewhere")
        folder.mkdir()
    else:
        file.prepare()
    file.give(HANDFUL)
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    where = "elsewhere" if before == "give" else "shared"
    assert found == [tmp_path / where / "secret.json"]


def test_a_draft_that_was_swapped_while_its_name_was_taken_is_not_pointed_to(
    tmp_path: Path,
) -> None:
    loot = tmp_path / "loot"
    loot.write_text("nothing")
    file = File(tmp_path / "secret.json")
    file.prepare()
    swapped(tmp_path, loot)
    file.path.write_text("precious")
    with pytest.raises(ClaimError) as caught:
        file.give(HANDFUL)
    assert "the credential is in" not in caught.value.message
    assert (loot.read_text(), file.path.read_text()) == ("nothing", "precious")


def test_what_was_prepared_in_vain_removes_nothing_of_somebody_else(tmp_path: Path) -> None:
    loot = tmp_path / "loot"
    loot.write_text("nothing")
    file = File(tmp_path / "secret.json")
    file.prepare()
    link = swapped(tmp_path, loot)
    file.abandon()
    assert link.is_symlink()
    assert loot.read_text() == "nothing"


def test_what_was_prepared_in_vain_goes_away(tmp_path: Path) -> None:
    file = File(tmp_path / "secret.json")
    file.prepare()
    file.abandon()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_found_before_anything_is_opened(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        File(tmp_path / "no" / "where").prepare()


def test_a_missing_command_is_found_before_anything_is_opened() -> None:
    with pytest.raises(UsageError, match="no command 'no-such-command'"):
        Command(["no-such-command"]).prepare()


RUNNER = """
import sys
sys.path[:0] = {path!r}
from test_handover import HANDFUL
from daypass.adapters import core_dumps, libpq
from daypass.adapters.handover_command import Command
core_dumps.hide_memory()
command = Command(sys.argv[1:])
command.prepare()
command.give(HANDFUL)
"""


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    code = RUNNER.format(path=[str(Path(__file__).parent)])
    return subprocess.run(
        [sys.executable, "-c", code, *words], check=False, capture_output=True, text=True,
        encoding="utf-8", env={**os.environ, **environment},
    )  # fmt: skip


def test_the_command_gets_the_credential_and_its_exit_code_is_ours() -> None:
    done = run("sh", "-c", 'printf %s "$PGPASSWORD"; exit 42')
    assert (done.stdout, done.returncode) == (PASSWORD, 42)


def test_a_script_without_a_shebang_runs_as_a_shell_would_run_it(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('printf %s "$PGUSER $1"\n')
    script.chmod(0o700)
    assert run(str(script), "$(x)").stdout == "g-alice $(x)"


def test_a_command_that_goes_away_after_all_says_that_the_delivery_is_spent(
    tmp_path: Path,
) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o700)
    command = Command([str(script)])
    command.prepare()
    script.write_text("#!/no/such/interpreter\n")
    with pytest.raises(DeliveryLostError, match="could not be handed over") as caught:
        command.give(HANDFUL)
    assert "/redeliver" in caught.value.remedy
    assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN, "this process goes on"


def test_the_command_starts_as_if_no_python_had_been_there() -> None:
    """Python ignores two signals, and daypass forbids core files: neither is the command's."""
    bare = subprocess.run(
        ["sh", "-c", STATE], check=True, capture_output=True, text=True, restore_signals=True
    )
    assert run("sh", "-c", STATE).stdout == bare.stdout


def test_core_files_are_forbidden_and_the_command_gets_its_limit_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = [(4096, 8192)]
    monkeypatch.setattr(core_dumps, "_found", [])
    monkeypatch.setattr("resource.getrlimit", lambda _: limits[-1])
    monkeypatch.setattr("resource.setrlimit", lambda _, pair: limits.append(pair))
    core_dumps.forbid()
    core_dumps.forbid()
    assert limits[-1] == (0, 8192)
    with core_dumps.limit_as_found():
        assert limits[-1] == (4096, 8192)
    assert limits[-1] == (0, 8192), "the command did not start, and this process goes on"


STATE = "grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status; ulimit -c; ls /proc/self/fd"


def test_what_is_told_is_utf_8_in_every_locale() -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = run("sh", "-c", 'printf %s "$PGPASSWORD"', **ascii_only, PASSWORD="caf\u00e9 \u20ac")
    assert done.stdout == "caf\u00e9 \u20ac", done.stderr


def test_the_credential_never_shows_in_a_repr() -> None:
    assert PASSWORD not in repr(HANDFUL)
