"""What an auditor asks of a real grant: its page, its use by the servers' logs, a signed export."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from daypass.errors import SandboxError
from daypass.sandbox.bao_client import BaoClient
from daypass.sandbox.box import Box
from support import acting
from support.town import Asked, Town

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Two grants that were used and taken back: one minted at the merge, one at the claim."""
    with Box.create(tmp_path_factory.mktemp("box") / "box") as box:
        box.vault_bootstrap()
        town = Town(box)
        orders = town.grant("act-orders", duration="1h")
        ledger = town.grant(
            "act-ledger",
            by="bob",
            resource="ledger-db",
            ticket="OPS-1",
            duration="1h",
            approvers=("carol", "dave"),
        )
        assert town.apply().code == 0
        use(town, orders)
        use(town, ledger)
        town.delete("act-orders")
        town.delete("act-ledger", by="bob")
        assert town.apply().code == 0
        box.person("dave").git("pull", "-q")
        yield town


def use(town: Town, asked: Asked) -> None:
    credential = town.credential(asked)
    with town.log_in(credential["credential"]) as session:
        session.execute("select count(*) from orders")
        with pytest.raises(psycopg.Error):
            session.execute("select * from no_such_table /* act-orders and a secret */")


def audit(town: Town, *words: str, **environment: str) -> acting.Done:
    return acting.daypass(town.box.person("dave"), "audit", *words, **environment)


def activity(town: Town, grant: str, *words: str) -> dict[str, Any]:
    logs = ("--vault-log", str(town.box.bao.audit_log))
    logs += ("--postgres-log", str(town.box.postgres.log))
    done = audit(town, "activity", grant, *logs, "--format", "json", *words)
    assert done.code == 0, done.said
    told: dict[str, Any] = done.json()
    return told


def test_the_page_tells_the_decision_with_its_reasons(town: Town) -> None:
    done = audit(town, "show", "act-orders", "--format", "json")
    assert done.code == 0, done.said
    chapters = {item["kind"]: item for item in done.json()["chapters"]}
    assert list(chapters) == [
        *("asked", "decided", "approved", "issued", "delivered", "removed", "revoked")
    ]
    reasons = "\n".join(chapters["decided"]["lines"])
    assert "permit built-in/resource-approvers" in reasons
    assert chapters["decided"]["facts"]["effect"] == "permit"
    assert any(line.startswith("bob (account ") for line in chapters["approved"]["lines"])
    assert chapters["asked"]["lines"][0].startswith("+")
    assert chapters["removed"]["lines"][0].startswith("-")
    assert chapters["revoked"]["facts"]["reason"] == "request-deleted"


def test_the_logs_say_what_each_token_did(town: Town) -> None:
    told = activity(town, "act-orders")
    vault, postgres = told["vault"], told["postgres"]
    assert vault["accessor"]["proven"] > 0
    assert vault["accessor"]["notInTheEvidence"] == 0
    assert vault["operations"] == {"read database/creds/orders-read-1h": 1}
    assert len(vault["opened"]) == 1
    assert postgres["counts"]["log-in"] == postgres["counts"]["session ended"] == 1
    assert postgres["counts"]["error"] == 1
    assert postgres["addresses"] == {"127.0.0.1": 1}
    (user,) = postgres["users"]
    assert user.startswith("g-act-orders-")
    assert "no_such_table" not in json.dumps(told)
    ledger = activity(town, "act-ledger")
    assert ledger["vault"]["operations"]["read database/creds/ledger-read-1h"] == 1
    assert len(ledger["vault"]["opened"]) == 2  # the grant token, and then the credential
    assert ledger["digest"] != told["digest"]
    assert not set(ledger["postgres"]["users"]) & set(postgres["users"])


def test_a_log_that_grew_says_the_same_of_what_is_over(town: Town) -> None:
    before = activity(town, "act-orders")
    town.box.bao.client.read("sys/mounts")
    after = activity(town, "act-orders")
    assert after["vault"]["linesRead"] > before["vault"]["linesRead"]
    assert after["digest"] == before["digest"]


def test_a_second_opening_of_a_delivery_is_told(town: Town) -> None:
    asked = town.grant("act-twice", duration="1h")
    assert town.apply().code == 0
    town.box.person("dave").git("pull", "-q")
    token = unsealed(town, asked)
    client = BaoClient(town.box.bao.address, token)
    client.write("sys/wrapping/unwrap")
    with pytest.raises(SandboxError):
        client.write("sys/wrapping/unwrap")
    told = activity(town, "act-twice")["vault"]
    assert len(told["opened"]) == 1
    assert told["refusedToOpen"] == 1


def unsealed(town: Town, asked: Asked) -> Any:
    """What a thief of the requester's key holds: the wrapping token itself."""
    import pyrage  # noqa: PLC0415  -- beside its only use

    from daypass.model.secret import Secret  # noqa: PLC0415  -- beside its only use

    (comment,) = town.comments(asked, "delivery")
    begin = comment.index("-----BEGIN AGE")
    armoured = comment[begin : comment.index("-----END AGE")] + "-----END AGE ENCRYPTED FILE-----\n"
    key = (asked.who.home / ".ssh" / "id_ed25519").read_bytes()
    text = pyrage.decrypt(armoured.encode(), [pyrage.ssh.Identity.from_buffer(key)]).decode()
    return Secret(text.split("\n")[0])


def test_statements_are_signed_by_the_evidence_key_for_whoever_may_use_it(town: Town) -> None:
    export = ("export", "--format", "in-toto", "--sign")
    done = audit(town, *export, VAULT_TOKEN="not-a-token")
    assert done.code == 1, done.said
    assert done.stdout == ""
    root = town.box.bao.root_token.reveal()
    done = audit(town, *export, VAULT_TOKEN=root)
    assert done.code == 0, done.said
    fields = town.store.git("show", "main:access/allowed_signers").split()
    raw = base64.b64decode(fields[fields.index("ssh-ed25519") + 1])[-32:]
    grants = []
    for line in done.stdout.splitlines():
        told = json.loads(line)
        (signature,) = told["signatures"]
        assert signature["keyid"] == town.box.evidence_fingerprint
        key = SSlibKey(signature["keyid"], "ed25519", "ed25519", {"public": raw.hex()})
        signed = Envelope.from_dict(told)
        assert signed.verify([key], 1)
        statement = json.loads(signed.payload)
        grants.append(statement["predicate"]["grant"])
    assert {"act-orders", "act-ledger"} <= set(grants)
    assert audit(town, *export, VAULT_TOKEN=root).stdout == done.stdout


def test_the_key_vouches_for_no_history_that_does_not_hold_by_it(town: Town) -> None:
    dave = town.box.person("dave")
    dave.git("checkout", "-q", "-b", "forged")
    forged = "Squash\n\nDaypass-Event: issued\nDaypass-Grant: mine\n"
    (dave.clone / "access/grants").mkdir(exist_ok=True)
    (dave.clone / "access/grants/mine.json").write_text("{}\n")
    dave.git("add", "access/grants/mine.json")
    dave.git("commit", "-q", "-m", forged)
    try:
        root = town.box.bao.root_token.reveal()
        done = audit(town, "export", "--format", "in-toto", "--sign", VAULT_TOKEN=root)
    finally:
        dave.git("checkout", "-q", "main")
    assert done.code == 6
    assert done.stdout == ""
    assert "nothing is signed" in done.stderr
