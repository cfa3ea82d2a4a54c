"""`daypass vault`, as an operator types it, in a governed repository."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from daypass.cli.main import main
from daypass.errors import ExitCode
from daypass.model import postgresql
from daypass.sandbox.database_engine import set_up_database_engine
from daypass.sandbox.openbao import OpenBao

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from vault_house import House

    from daypass.sandbox.postgres import Postgres


pytestmark = pytest.mark.integration

SETTINGS = """\
apiVersion: daypass.dev/v1
kind: Settings
metadata:
  name: daypass
spec:
  github:
    owner: acme
    ownerId: 900
    repository: access
    repositoryId: 456
    appId: 7
    appUserId: 8
    installationId: 9
    oidcIssuer: "{issuer}"
  vault:
    address: "{address}"
    audience: daypass-test
    mounts: {{kv: cmd-kv, transit: cmd-transit, jwt: cmd-jwt}}
    applyRole: cmd-apply
  evidence:
    email: daypass@acme.example
  groups:
    dba: [carol]
  foundation:
    owners: [dba]
"""
RESOURCE = """\
apiVersion: daypass.dev/v1
kind: Resource
metadata:
  name: {name}
spec:
  type: database
  environment: production
  sensitivity: low
  owners: {{business: dba, lifecycle: dba}}
  levels:
    read: {{engine: database, mount: database, tiers: {{1h: {role}}}, issue: on-merge}}
  maxDuration: 1h
  recording: none
  approvers: {{groups: [dba], atLeast: 1}}
"""


LANE = """\
apiVersion: daypass.dev/v1
kind: AccessPolicy
metadata: {name: emergencies}
spec:
  description: In an emergency, databases open.
  effect: permit
  enforcement: enforce
  match: {lanes: [break-glass]}
  approvals: {notRequired: Whoever is on call cannot wait; a review follows}
"""
BREAK_GLASS = "  breakGlass: {invokers: [dba], reviewers: [dba], incident: 'INC-[0-9]+'}\n"


def git(directory: Path, *words: str) -> str:
    command = ["git", "-C", directory, "-c", "user.name=o", "-c", "user.email=o@acme.example"]
    done = subprocess.run([*command, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def write_resource(repository: Path, name: str, role: str = "orders-read-1h") -> None:
    path = repository / "access" / "resources" / f"{name}.yaml"
    path.write_text(RESOURCE.format(name=name, role=role))


@pytest.fixture(scope="module")
def operators(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """A Vault of this module's own: `--prune` removes whatever is not asked for here."""
    with OpenBao.start(tmp_path_factory.mktemp("operators")) as server:
        set_up_database_engine(server, postgres)
        yield server


def bring(repository: Path, operators: OpenBao) -> str:
    """What is checked out, on main and trusted, as a run leaves what owners approved; its head."""
    git(repository, "add", "access")
    git(repository, "commit", "--quiet", "-m", "Approved")
    git(repository, "push", "--quiet", "origin", "HEAD:main")
    head = git(repository, "rev-parse", "HEAD")
    if operators.client.read("cmd-kv/data/daypass/notes/trust") is not None:
        operators.client.write("cmd-kv/data/daypass/notes/trust", {"data": {"commit": head}})
    return head


def anew(repository: Path) -> None:
    """What is checked out, in a repository of its own, which has no past with this Vault."""
    shutil.rmtree(repository / ".git")
    git(repository, "init", "--quiet", "--initial-branch=main")
    git(repository, "add", "access")
    git(repository, "commit", "--quiet", "-m", "Govern another")


def read(operators: OpenBao, path: str) -> dict[str, Any]:
    answer = operators.client.read(path)
    assert answer is not None
    return answer["data"]


@pytest.fixture
def repository(
    tmp_path: Path, operators: OpenBao, house: House, monkeypatch: pytest.MonkeyPatch
) -> Path:
    root = tmp_path / "governed"
    (root / "access" / "resources").mkdir(parents=True)
    settings = SETTINGS.format(issuer=house.oidc.url, address=operators.address)
    (root / "access" / "daypass.yaml").write_text(settings)
    write_resource(root, "cmd-orders")
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(root))
    git(root, "remote", "add", "origin", str(tmp_path / "origin.git"))
    bring(root, operators)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("VAULT_TOKEN", operators.root_token.reveal())
    monkeypatch.setenv("VAULT_ADDR", operators.address)
    monkeypatch.chdir(root)
    return root


def test_render_needs_no_server_and_no_token(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("VAULT_TOKEN")
    settings = repository / "access" / "daypass.yaml"
    text = settings.read_text()
    settings.write_text(
        "\n".join(
            '    address: "http://127.0.0.1:9"' if "address:" in line else line
            for line in text.splitlines()
        )
        + "\n"
    )
    assert main(["vault", "render"]) == ExitCode.DONE
    first = capsys.readouterr().out
    assert 'path "auth/token/create/daypass-cmd-orders-read-1h" {' in first
    assert main(["vault", "-C", str(repository), "render"]) == ExitCode.DONE
    assert main(["vault", "render", "-C", str(repository)]) == ExitCode.DONE
    assert capsys.readouterr().out == first * 2


def test_from_nothing_to_sound(
    repository: Path,
    house: House,
    operators: OpenBao,
    capsys: pytest.CaptureFixture[str],
) -> None:
    head = git(repository, "rev-parse", "HEAD")
    assert main(["vault", "apply"]) == ExitCode.PARTLY
    assert "import it with --app-key-file" in capsys.readouterr().out

    apply = ["vault", "apply", "--format", "json"]
    flags = ["--app-key-file", str(house.app_pem), "--write-signers"]
    assert main([*apply, *flags]) == ExitCode.DONE
    told = json.loads(capsys.readouterr().out)
    assert told["trusted"] == head
    assert read(operators, "cmd-kv/data/daypass/notes/trust")["data"] == {"commit": head}
    signers = repository / "access" / "allowed_signers"
    assert signers.read_text().splitlines() == told["evidence"]["allowedSigners"]
    assert signers.read_text().startswith('daypass@acme.example namespaces="git" ssh-ed25519 AAAA')

    assert main([*apply, *flags]) == ExitCode.DONE
    again = json.loads(capsys.readouterr().out)
    assert {change["outcome"] for change in again["changes"]} == {"unchanged"}
    assert len(signers.read_text().splitlines()) == 1

    assert main(["vault", "doctor"]) == ExitCode.FAILED  # the fingerprint is not pinned yet
    assert "spec.evidence.fingerprint" in capsys.readouterr().out
    settings = repository / "access" / "daypass.yaml"
    pinned = f'    fingerprint: "{told["evidence"]["fingerprint"]}"\n    email:'
    settings.write_text(settings.read_text().replace("    email:", pinned))
    bring(repository, operators)
    operators.client.write("sys/policies/acl/daypass-left-over", {"policy": 'path "x" {}'})
    assert main(["vault", "doctor"]) == ExitCode.FAILED
    assert "daypass-left-over" in capsys.readouterr().out
    assert main(["vault", "apply", "--prune"]) == ExitCode.DONE
    assert "removed    policy daypass-left-over" in capsys.readouterr().out
    assert main(["vault", "doctor"]) == ExitCode.DONE, capsys.readouterr().out
    role = "auth/cmd-jwt/role/cmd-apply"
    operators.client.write(role, {**read(operators, role), "token_ttl": 60})
    capsys.readouterr()
    assert main(["vault", "doctor"]) == ExitCode.FAILED
    told = capsys.readouterr().out.splitlines()
    at = next(place for place, line in enumerate(told) if line.startswith("different"))
    assert told[at + 1].strip() == "daypass vault apply"
    assert main(["vault", "apply"]) == ExitCode.DONE


def test_roles_of_the_emergency_lane_come_and_go_with_the_policies_that_open_them(
    repository: Path, operators: OpenBao, capsys: pytest.CaptureFixture[str]
) -> None:
    """A policy text stays while a token lives that was minted through the role of its name."""
    name = "daypass-bg-cmd-orders-read-1h"
    role, policy = f"auth/token/roles/{name}", f"sys/policies/acl/{name}"
    settings, lane = repository / "access/daypass.yaml", repository / "access/policies/lane.yaml"
    settings.write_text(settings.read_text() + BREAK_GLASS)
    bring(repository, operators)
    main(["vault", "apply"])
    assert name not in capsys.readouterr().out  # no policy opens anything
    assert operators.client.read(role) is None

    lane.parent.mkdir()
    lane.with_name("emergencies.yaml").write_text(LANE)
    bring(repository, operators)
    main(["vault", "doctor"])
    said = " ".join(capsys.readouterr().out.split())
    assert f"missing token role {name}: a policy opens its level to the emergency lane" in said
    assert main(["vault", "apply", "--dry-run"]) == ExitCode.DONE
    assert f"create     token role {name}" in capsys.readouterr().out
    assert operators.client.read(role) is None  # a plan changes nothing
    main(["vault", "apply"])
    made = operators.client.write(f"auth/token/create/{name}", {"policies": [name], "ttl": "5m"})

    lane.with_name("emergencies.yaml").unlink()
    bring(repository, operators)
    main(["vault", "doctor"])
    said = " ".join(capsys.readouterr().out.split())
    assert f"different token role {name}: no policy opens such a level" in said
    assert f"different policy {name}: no policy opens such a level to the emergency lane: 1" in said
    main(["vault", "apply", "--plan"])
    planned = capsys.readouterr().out
    assert f"remove     token role {name}: no policy opens" in planned
    assert f"keep       policy {name}: 1 live token needs it" in planned
    main(["vault", "apply"])
    done = capsys.readouterr().out
    assert done.index(f"remove     token role {name}") < done.index("unchanged  ")  # said before
    assert f"removed    token role {name}" in done
    assert f"kept       policy {name}" in done
    assert operators.client.read(role) is None
    assert operators.client.read(policy) is not None
    operators.client.write("auth/token/revoke", {"token": made["auth"]["client_token"]})
    main(["vault", "apply"])
    assert f"removed    policy {name}" in capsys.readouterr().out
    assert operators.client.read(policy) is None


def test_the_doctor_tries_each_role_in_plain_words(
    repository: Path, operators: OpenBao, postgres: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    path = repository / "access" / "resources" / "cmd-orders.yaml"
    text = path.read_text().replace("issue: on-merge}", "issue: on-merge, confirm: orders-look}")
    where = f'{{host: {postgres.host}, port: "{postgres.port}", database: {postgres.database}}}'
    path.write_text(f"{text}  connection: {where}\n")
    bring(repository, operators)
    operators.client.write("sys/mounts/database/tune", {"max_lease_ttl": "40s"})
    try:
        assert main(["vault", "doctor", "--try"]) == ExitCode.FAILED
        told = capsys.readouterr().out
        assert main(["vault", "doctor", "--try", "--format", "json"]) == ExitCode.FAILED
        found = json.loads(capsys.readouterr().out)
        assert main(["vault", "doctor", "--try", "--format", "github"]) == ExitCode.FAILED
        annotations = capsys.readouterr().out
    finally:
        operators.client.write("sys/mounts/database/tune", {"max_lease_ttl": "0"})
    mend = "bao secrets tune -max-lease-ttl=1h database/"
    assert f"\n             {mend}\n" in told
    assert "wrong      try database/creds/orders-read-1h: the lease is 40s" in told
    assert max(len(line) for line in told.splitlines() if "daypass vault sql" not in line) <= 80
    tried = [item for item in found if item["what"] == "try database/creds/orders-read-1h"]
    assert [(item["state"], item["mend"]) for item in tried] == [("wrong", [mend])]
    assert all(line.startswith("::") for line in annotations.splitlines())
    assert f"%0A{mend}" in annotations

    main(["vault", "doctor", "--try"])
    told = capsys.readouterr().out
    assert "tried      try database/creds/orders-read-1h: the lease is 1h; the log-in" in told


def test_the_sql_is_printed_without_a_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["vault", "sql", "revocation"]) == ExitCode.DONE
    told = json.loads(capsys.readouterr().out)
    assert told["revocation_statements"] == list(postgresql.REVOCATION)
    assert main(["vault", "sql", "look", "--connection", "orders"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["db_name"] == "orders"
    assert main(["vault", "sql", "creation", "--group", "orders_read"]) == ExitCode.DONE
    told = json.loads(capsys.readouterr().out)
    assert told["creation_statements"] == list(postgresql.creation("orders_read"))
    for words in (["look"], ["creation"], ["creation", "--group", "a; DROP TABLE b"]):
        assert main(["vault", "sql", *words]) == ExitCode.USAGE
        assert "daypass vault sql" in capsys.readouterr().err


def test_trust_is_set_once_and_moved_by_hand_only(
    repository: Path, operators: OpenBao, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["vault", "apply", "--trust", "HEAD"])
    first = git(repository, "rev-parse", "HEAD")
    write_resource(repository, "cmd-more")
    git(repository, "add", "access")
    git(repository, "commit", "--quiet", "-m", "More")
    git(repository, "push", "--quiet", "origin", "HEAD:main")
    second = git(repository, "rev-parse", "HEAD")

    def trusted() -> str:
        return read(operators, "cmd-kv/data/daypass/notes/trust")["data"]["commit"]

    assert trusted() == first
    assert main(["vault", "apply"]) == ExitCode.INDETERMINATE  # it came by no pull request
    assert trusted() == first
    main(["vault", "apply", "--accept-unproven", second])
    assert trusted() == first
    main(["vault", "apply", "--trust", second[:12]])
    assert trusted() == second
    capsys.readouterr()
    assert main(["vault", "apply", "--trust", "nonsense"]) != ExitCode.DONE
    told = capsys.readouterr()
    assert told.out == ""  # nothing was touched before the revision was looked at
    assert "nonsense" in told.err
    assert trusted() == second


def test_an_evidence_key_that_is_not_the_pinned_one_is_told(
    repository: Path, operators: OpenBao, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = repository / "access" / "daypass.yaml"
    pinned = f'    fingerprint: "SHA256:{"A" * 43}"\n    email:'
    settings.write_text(settings.read_text().replace("    email:", pinned))
    bring(repository, operators)
    assert main(["vault", "apply", "--write-signers"]) == ExitCode.FAILED
    assert "fingerprint" in capsys.readouterr().err
    assert main(["vault", "doctor"]) == ExitCode.FAILED


def test_without_a_token_nothing_is_asked(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert repository.is_dir()
    monkeypatch.delenv("VAULT_TOKEN")
    assert main(["vault", "apply"]) == ExitCode.USAGE
    assert "bao login" in capsys.readouterr().err


def test_the_token_of_a_login_is_read(
    repository: Path,
    operators: OpenBao,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert repository.is_dir()
    monkeypatch.delenv("VAULT_TOKEN")
    (tmp_path / ".vault-token").write_text(operators.root_token.reveal() + "\n")
    assert main(["vault", "doctor"]) in (ExitCode.DONE, ExitCode.FAILED)
    assert operators.root_token.reveal() not in "".join(capsys.readouterr())


@pytest.mark.parametrize("content", ["", "-----BEGIN RSA PRIVATE KEY-----\nCANARY\n", None])
def test_a_file_that_is_no_app_key_is_told_without_its_content(
    content: str | None, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = repository / "key.pem"
    if content is not None:
        path.write_text(content)
    assert main(["vault", "apply", "--app-key-file", str(path)]) == ExitCode.USAGE
    assert "CANARY" not in "".join(capsys.readouterr())


def test_a_token_that_may_not_is_told(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert repository.is_dir()
    monkeypatch.setenv("VAULT_TOKEN", "s.CANARY")
    for verb in ("apply", "doctor"):
        assert main(["vault", verb]) == ExitCode.FAILED
        shown = "".join(capsys.readouterr())
        assert "403" in shown
        assert "CANARY" not in shown


@pytest.mark.parametrize(
    ("rights", "why", "remedy"),
    [
        (None, "your token, from VAULT_TOKEN (403): it is wrong, expired or revoked", "bao login"),
        ({"policies": ["default"]}, "lives, and its policies (default) do not permit it", "`read`"),
        ({"policies": ["x"], "no_default_policy": True}, "nor look itself up", "bao login"),
    ],
    ids=["revoked", "without the rights", "without even the policy default"],
)
@pytest.mark.parametrize(
    "words",
    [
        ("vault", "apply"),
        ("vault", "apply", "--plan"),
        ("vault", "doctor"),
        ("vault", "doctor", "--try"),
        ("vault", "rotate-evidence"),
    ],
    ids=" ".join,
)
def test_a_token_is_told_to_be_dead_or_to_lack_a_right(
    repository: Path,
    operators: OpenBao,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rights: dict[str, Any] | None,
    why: str,
    remedy: str,
    words: tuple[str, ...],
) -> None:
    assert repository.is_dir()
    made = operators.client.write("auth/token/create", {"ttl": "5m", **(rights or {})})
    assert made is not None
    token = made["auth"]["client_token"]
    if rights is None:
        operators.client.write("auth/token/revoke", {"token": token})
    monkeypatch.setenv("VAULT_TOKEN", token)
    assert main([*words]) == ExitCode.FAILED
    shown = capsys.readouterr().err
    assert why in shown
    assert remedy in shown
    assert f"unset VAULT_TOKEN; bao login -address={operators.address}" in shown
    assert token not in shown


def test_what_another_repository_has_in_this_vault_is_left_alone(
    repository: Path, operators: OpenBao, capsys: pytest.CaptureFixture[str]
) -> None:
    """Runs go by the names of token roles: of one name, they would end each other's grants."""
    assert main(["vault", "apply"]) != ExitCode.FAILED
    capsys.readouterr()
    settings = repository / "access" / "daypass.yaml"
    first = settings.read_text()
    own = first.replace("repositoryId: 456", "repositoryId: 457").replace("cmd-", "oth-")
    own = own.replace("applyRole: oth-apply", "applyRole: oth-apply\n    commandsRole: oth-comm")
    (repository / "access" / "resources" / "cmd-orders.yaml").unlink()
    write_resource(repository, "oth-orders")

    def refused(text: str, why: str, *flags: str, role: str = "cmd-apply") -> None:
        settings.write_text(text)
        anew(repository)
        for flag in ((), ("--plan",)):
            assert main(["vault", "apply", *flags, *flag]) == ExitCode.FAILED
            shown = capsys.readouterr().err
            assert f"repository 456 (auth/cmd-jwt/role/{role})" in shown
            assert why in shown
            assert "namespace of its own" in shown
            assert "nothing was changed" in shown
        assert operators.client.read("auth/oth-jwt/role/oth-apply") is None

    refused(first.replace(": 456", ": 457"), "has the JWT role of this name")
    shared = own.replace("oth-comm", "daypass-commands")
    refused(shared, "of the same name: daypass-commands", role="daypass-commands")
    refused(own.replace("oth-kv", "cmd-kv"), "the same KV mount, cmd-kv/")
    refused(own, "would remove: daypass-cmd-orders-read-1h", "--prune")
    write_resource(repository, "cmd-orders")
    refused(own, "same names: daypass-cmd-orders-read-1h")
    assert main(["vault", "doctor"]) == ExitCode.FAILED
    shown = " ".join(capsys.readouterr().out.split())
    assert "repository 456 (auth/cmd-jwt/role/cmd-apply): it mints through token roles" in shown

    (repository / "access" / "resources" / "cmd-orders.yaml").unlink()
    anew(repository)
    try:
        assert main(["vault", "apply"]) == ExitCode.PARTLY  # the App's key is missing
        capsys.readouterr()
        assert read(operators, "auth/oth-jwt/role/oth-apply")["bound_claims"]["ref"]
        assert main(["vault", "doctor", "--format", "json"]) == ExitCode.FAILED
        found = {item["what"]: item["state"] for item in json.loads(capsys.readouterr().out)}
        assert found["other repositories"] == "unchanged"
    finally:
        operators.client.delete("sys/auth/oth-jwt")
