"""`daypass claim` and `daypass status` as their users run them, against real servers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import requests
from claim_box import RESOURCE_PATH, keygen

from daypass.model.canonical import digest_bytes
from daypass.model.delivery import Binding, Delivery, Origin
from daypass.model.names import ALLOWED_SIGNERS_PATH, SETTINGS_PATH, grant_path
from daypass.model.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

    from claim_box import Box

    from daypass.model.grant import Grant

pytestmark = pytest.mark.integration
QUERY = ("psql", "-At", "-c", "select current_user")


def refused(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert "PGPASSWORD" not in done.stdout + done.stderr


def still_claimable(box: Box, grant: Grant) -> None:
    done = box.daypass("claim", grant.id, "--", *QUERY)
    assert done.stdout.startswith(f"g-{grant.id}"), done.stderr


def test_a_holder_claims_logs_in_and_cannot_claim_twice(box: Box) -> None:
    grant = box.issue("alice-one")
    first = box.daypass("claim", grant.id, "--fingerprint", box.fingerprint, "--", *QUERY)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("g-alice-one")
    assert "read on orders-db for alice until" in first.stderr
    assert "59m left" in first.stderr
    vault, there = box.bao.address.partition("://")[2], box.resource.connection
    place = f"{there['host']}:{there['port']}"
    assert f"opening at {vault}; connects to {place}, TLS disable\n" in first.stderr
    second = box.daypass("claim", grant.id, "--", *QUERY)
    refused(second, 1, "you have opened the delivery", "already (on this machine, at ")
    refused(second, 1, "daypass redeliver alice-one", "/redeliver alice-one")
    assert "If that was not you: `daypass claim alice-one --not-me`" in second.stderr
    assert "security team" not in second.stderr, "that is no theft"
    (box.home / ".local/state/daypass/alice-one.opened").unlink()  # as on another machine
    elsewhere = box.daypass("claim", grant.id, "--", *QUERY)
    refused(elsewhere, 1, "already (by your own word on its pull request, at ")
    assert words_on(box, grant) == ["Claimed alice-one"]


def test_of_claims_at_once_one_gets_it_and_the_others_say_so(box: Box) -> None:
    """Before the first has said anything on the pull request; and by the token that it keeps."""
    merged, admin = box.issue("alice-at-once"), box.issue("alice-claims-once", "admin")
    assert box.daypass("status").returncode == 0  # it has fetched: four fetches move nothing
    claims = [
        subprocess.Popen(
            [sys.executable, "-m", "daypass", "claim", grant.id, "--format", "json"],
            cwd=box.clone, env=box.environment, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for grant in (merged, merged, admin, admin)
    ]  # fmt: skip
    told = [(*claim.communicate(timeout=60), claim.returncode) for claim in claims]
    for pair in (told[:2], told[2:]):
        assert sorted(code for _, _, code in pair) == [0, 1], told
        [late] = [err for _, err, code in pair if code]
        assert "you have opened the delivery" in late
        assert "/redeliver alice-" in late
        assert "somebody else" not in late
        assert "If that was not you" in late


def thief(box: Box, grant: Grant) -> None:
    """Whoever has the wrapping token opens the delivery first."""
    box.bao.client.write("sys/wrapping/unwrap", {"token": box.minted[grant.id].reveal()})


def words_on(box: Box, grant: Grant) -> list[str]:
    """What alice has said on the grant's pull request."""
    return [
        item.body
        for item in box.forge.comments(grant.pull_request)
        if item.author_id == box.alice.id
    ]


def test_who_opened_it_is_asked_at_a_terminal_and_said_by_a_flag(box: Box) -> None:
    grant = box.issue("alice-asked")
    command = ("claim", grant.id, "--wait", "0", "--", *QUERY)
    thief(box, grant)
    silent = box.daypass(*command)
    refused(silent, 1, "opened already", "/redeliver alice-asked", "claim alice-asked --not-me")
    asked = in_a_terminal(box, *command, says="yes")
    assert "Was it you who opened it?" in asked.stdout
    assert asked.returncode == 1, "it has nothing to give"
    unsure = in_a_terminal(box, *command, says="perhaps")
    assert unsure.returncode == 1
    assert box.daypass("claim", grant.id, "--was-me").returncode == 0
    assert words_on(box, grant) == ["/claimed alice-asked"] * 2
    stolen = box.issue("alice-stolen")
    thief(box, stolen)
    denied = in_a_terminal(box, "claim", stolen.id, "--wait", "0", "--", *QUERY, says="no")
    assert denied.returncode == 0, denied.stdout
    assert words_on(box, stolen) == ["/not-me alice-stolen"]
    assert box.daypass("claim", grant.id, "--not-me", "--wait", "0").returncode == 0
    assert words_on(box, grant)[2:] == ["/not-me alice-asked"]
    both = box.daypass("claim", grant.id, "--not-me", "--", *QUERY)
    refused(both, 2, "nothing can receive it")


def test_on_claim_no_user_exists_until_it_is_claimed(box: Box) -> None:
    grant = box.issue("alice-admin", "admin")
    assert not any("alice-admin" in role for role in box.postgres.roles())
    done = box.daypass("claim", grant.id, "--format", "json")
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    assert any("alice-admin" in role for role in box.postgres.roles())
    with box.postgres.connect(
        value["credential"]["username"], Secret(value["credential"]["password"])
    ) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_an_on_claim_delivery_by_hand(box: Box, tmp_path: Path) -> None:
    grant = box.issue("alice-admin-hand", "admin")
    [posted] = box.forge.comments(grant.pull_request)
    (tmp_path / "comment.md").write_text(posted.body)
    script = """
set -eu
sed -n '/^-----BEGIN AGE/,/^-----END AGE/p' comment.md > delivery.age
export BAO_TOKEN
BAO_TOKEN=$(age -d -i "$HOME/.ssh/id_ed25519" delivery.age | head -n 1)
BAO_TOKEN=$(bao unwrap -field=token)
BAO_TOKEN=$(bao read -wrap-ttl=60s -field=wrapping_token database/creds/orders-admin-1h)
bao unwrap -format=json
"""
    done = subprocess.run(
        ["bash", "-c", script], check=False, capture_output=True, text=True, cwd=tmp_path,
        env=box.environment | {"BAO_ADDR": box.bao.address},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    credential = json.loads(done.stdout)["data"]
    with box.postgres.connect(credential["username"], Secret(credential["password"])):
        pass


def test_export_lines_and_files(box: Box, tmp_path: Path) -> None:
    done = box.daypass("claim", box.issue("alice-env").id, "--format", "env")
    logged_in = subprocess.run(
        ["sh", "-c", f"{done.stdout}\npsql -At -c 'select current_user'"],
        check=True, capture_output=True, text=True, env={"PATH": box.environment["PATH"]},
    )  # fmt: skip
    assert logged_in.stdout.startswith("g-alice-env")
    path = tmp_path / "secret.json"
    grant = box.issue("alice-file")
    done = box.daypass("claim", grant.id, "--format", "file", "--output", str(path))
    assert (done.returncode, done.stdout) == (0, "")
    assert json.loads(path.read_text())["credential"]["username"].startswith("g-alice-file")
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_commands_exit_code_is_ours(box: Box) -> None:
    grant = box.issue("alice-exit")
    done = box.daypass("claim", grant.id, "--", "sh", "-c", 'exit "${#DAYPASS_GRANT}"')
    assert done.returncode == len("alice-exit")


def test_what_is_wrong_with_the_words_leaves_the_delivery_alone(box: Box, tmp_path: Path) -> None:
    grant = box.issue("alice-words")
    precious = tmp_path / "precious"
    precious.write_text("kept")
    refused(box.daypass("claim", grant.id), 2, "is not shown unasked", "-- psql")
    refused(box.daypass("claim", grant.id, "--format", "json", "--", "psql"), 2, "cannot both")
    refused(box.daypass("claim", grant.id, "--format", "file"), 2, "belong together")
    refused(box.daypass("claim", grant.id, "--", "no-such-thing"), 2, "Nothing was opened")
    there = ("--format", "file", "--output", str(precious))
    refused(box.daypass("claim", grant.id, *there), 2, "not overwritten")
    nowhere = ("--format", "file", "--output", "/no/where/at/all")
    refused(box.daypass("claim", grant.id, *nowhere), 1, "No such file")
    refused(box.daypass("claim", "UPPER", "--", "psql"), 2, "no grant id")
    refused(box.daypass("claim", "nobody-asked", "--", "psql"), 2, "no grant and no request")
    assert precious.read_text() == "kept"
    still_claimable(box, grant)


def test_no_one_says_that_they_opened_what_is_closed(box: Box) -> None:
    grant = box.issue("alice-early")
    early = box.daypass("claim", grant.id, "--was-me")
    refused(early, 1, "has not been opened by anyone", "Nothing was said")
    still_claimable(box, grant)
    assert box.daypass("claim", grant.id, "--was-me").returncode == 0


def test_an_ended_grant_says_so(box: Box) -> None:
    grant = box.issue("alice-ended")
    box.end(grant)
    refused(box.daypass("claim", grant.id, "--", "psql"), 1, "has ended: expired")


def in_a_terminal(box: Box, *words: str, says: str) -> subprocess.CompletedProcess[str]:
    """The command on a terminal of its own, where somebody types an answer when asked."""
    code = (
        "import os, pty, sys\n"
        "answer = sys.stdin.readline().encode()\n"
        "def read(fd):\n"
        "    data = os.read(fd, 4096)\n"
        "    if b'Passphrase' in data or b'yes/no' in data:\n"
        "        os.write(fd, answer)\n"
        "    return data\n"
        "sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:], read)))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code, sys.executable, "-m", "daypass", *words],
        cwd=box.clone, env=box.environment, input=says + "\n", check=False,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_a_key_with_a_passphrase_asks_at_the_terminal(box: Box) -> None:
    key = box.home / ".ssh" / "id_ed25519"
    lock = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", str(key)]
    subprocess.run(lock, check=True, capture_output=True)
    grant = box.issue("alice-locked")
    command = ("claim", grant.id, "--", "sh", "-c", "echo $PGUSER")
    refused(box.daypass(*command), 1, "there is no terminal")
    wrong = in_a_terminal(box, *command, says="canary-passphrase")
    assert wrong.returncode == 1
    assert "passphrase is wrong" in wrong.stdout
    assert "canary" not in wrong.stdout
    done = in_a_terminal(box, *command, says="open sesame")
    assert done.returncode == 0, done.stdout
    assert "g-alice-locked" in done.stdout


def test_another_key_is_told_whose_it_is_not(box: Box, tmp_path: Path) -> None:
    grant = box.issue("alice-key")
    other = keygen(tmp_path / "other")
    done = box.daypass("claim", grant.id, "--identity", str(other), "--", *QUERY)
    refused(done, 1, "it was not sealed to that key", "--identity FILE")
    still_claimable(box, grant)


def patch(box: Box, comment_id: int, body: str) -> None:
    """Eve has write access: GitHub lets her edit anybody's comment."""
    path = f"/repos/{box.settings.github.full_name}/issues/comments/{comment_id}"
    answer = requests.patch(
        box.github.api_url + path,
        json={"body": body},
        headers={"Authorization": f"token {box.github.token(box.eve).reveal()}"},
        timeout=20,
    )
    answer.raise_for_status()


def test_an_edited_comment_is_refused_and_said(box: Box) -> None:
    grant = box.issue("alice-edited")
    [posted] = box.forge.comments(grant.pull_request)
    forged = posted.body.replace("YWdl", "YWdm", 1)
    assert forged != posted.body
    patch(box, posted.id, forged)
    done = box.daypass("claim", grant.id, "--", *QUERY)
    refused(done, 1, "was changed after it was posted", "security team", "/not-me alice-edited")


def test_a_delivery_of_somebody_else_is_refused(box: Box) -> None:
    grant = box.issue("alice-posted")
    [posted] = box.forge.comments(grant.pull_request)
    path = f"/repos/{box.settings.github.full_name}/issues"
    with_eve = box.api(box.eve)
    with_eve.delete(f"{path}/comments/{posted.id}")
    done = box.daypass("claim", grant.id, "--", *QUERY)
    refused(done, 1, "is not on pull request")
    with_eve.post(f"{path}/{grant.pull_request}/comments", {"body": posted.body})
    with_eve.close()
    done = box.daypass("claim", grant.id, "--", *QUERY)
    refused(done, 1, "is not the App's")


def rewrap(box: Box, token: str) -> str:
    return str(box.bao.client.write("sys/wrapping/rewrap", {"token": token})["wrap_info"]["token"])


def fake(box: Box, token: str) -> str:
    assert token
    return str(
        requests.post(
            f"{box.bao.address}/v1/sys/wrapping/wrap",
            json={"username": "postgres", "password": "evil"},
            headers={"X-Vault-Token": box.bao.root_token.reveal(), "X-Vault-Wrap-TTL": "60s"},
            timeout=20,
        ).json()["wrap_info"]["token"]
    )


@pytest.mark.parametrize(("forge", "why"), [(rewrap, "another time"), (fake, "another path")])
def test_a_forged_or_rewrapped_token_is_refused_unopened(
    box: Box, monkeypatch: pytest.MonkeyPatch, forge: Any, why: str
) -> None:
    """Somebody between the mint and the sealing swaps the token; the evidence tells of the true."""
    from claim_box import AgeSealer  # noqa: PLC0415  -- only this test replaces it

    true_seal = AgeSealer.seal

    def swapped(self: AgeSealer, secret: Secret, recipients: Any) -> Any:
        token, feed, rest = secret.reveal().partition("\n")
        return true_seal(self, Secret(forge(box, token) + feed + rest), recipients)

    monkeypatch.setattr(AgeSealer, "seal", swapped)
    grant = box.issue("alice-forged")
    done = box.daypass("claim", grant.id, "--", *QUERY)
    refused(done, 1, why, "It was not opened", "security team")


def test_what_was_sealed_for_another_vault_is_refused_before_anything_is_opened(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever makes a holder believe another main cannot change what is sealed."""
    there = Origin("https://vault.example.com", None, box.settings.github.repository_id)
    binding = Binding.of(box.fingerprint, box.resource.connection)
    monkeypatch.setattr(
        box,
        "text_of",
        lambda token, name: Delivery(token, there, name, binding).to_text(),
        raising=True,
    )
    grant = box.issue("alice-elsewhere")
    done = box.daypass("claim", grant.id, "--fingerprint", box.fingerprint, "--", *QUERY)
    refused(done, 1, "Vault https://vault.example.com, not http://", "security team")
    assert "opening at" not in done.stderr
    thief(box, grant)  # it was opened by no one before


def test_a_delivery_that_was_sealed_for_another_connection_or_key_is_refused(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A main that names the true Vault must send the credential to no other database either."""
    true, here = box.fingerprint, box.resource.connection
    other = "SHA256:" + "A" * 43
    for number, (binding, why) in enumerate(
        (
            (Binding.of(true, {**here, "port": "1"}), "another connection than resource orders-db"),
            (Binding.of(other, here), f"evidence key {other}, not {true}"),
        )
    ):
        monkeypatch.setattr(
            box,
            "text_of",
            lambda token, name, binding=binding: Delivery(
                token, Origin.of(box.settings), name, binding
            ).to_text(),
        )
        grant = box.issue(f"alice-bound-{number}")
        done = box.daypass("claim", grant.id, "--fingerprint", true, "--", *QUERY)
        refused(done, 1, why, "Nothing was opened", "security team")
        assert "opening at" not in done.stderr
        thief(box, grant)  # it was opened by no one before


def test_what_an_older_release_sealed_needs_a_fingerprint(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(box, "text_of", lambda token, _name: token, raising=True)
    grant = box.issue("alice-older")
    done = box.daypass("claim", grant.id, "--", *QUERY)
    refused(done, 1, "does not name its Vault", "--fingerprint", "/redeliver alice-older")
    known = box.daypass("claim", grant.id, "--fingerprint", box.fingerprint, "--", *QUERY)
    assert known.stdout.startswith("g-alice-older"), known.stderr


def test_what_is_pushed_to_main_later_sends_nobody_elsewhere(box: Box) -> None:
    grant = box.issue("alice-moved")
    head = box.main.fetch()
    changed = {}
    for path in (SETTINGS_PATH, RESOURCE_PATH):
        [entry] = box.main.entries(head, path)
        content = box.main.blobs([entry.blob])[entry.blob]
        changed[path] = content.replace(b"127.0.0.1", b"203.0.113.66")
    box.write(changed, None, "Innocent change", "")
    still_claimable(box, grant)


def test_a_changed_record_and_a_foreign_key_are_refused(box: Box) -> None:
    grant = box.issue("alice-record")
    true = box.fingerprint
    wrapping = replace(grant.wrapping, ciphertext=digest_bytes(b"other"))
    box.write({grant_path(grant.id): replace(grant, wrapping=wrapping).to_bytes()}, None, "x", "")
    done = box.daypass("claim", grant.id, "--", *QUERY)
    refused(done, 6, "somebody else has changed it", "audit verify")
    box.write({ALLOWED_SIGNERS_PATH: b"# nobody\n"}, None, "x", "")
    done = box.daypass("claim", grant.id, "--fingerprint", true, "--", *QUERY)
    refused(done, 6, "has no key SHA256:")  # the evidence key itself has signed that


def test_each_failure_of_a_server_is_one_message(box: Box) -> None:
    grant = box.issue("alice-down")
    claim = ("claim", grant.id, "--", *QUERY)
    box.github.fail_next("GET", "/comments$", 503, times=9)
    refused(box.daypass(*claim), 1, "GitHub answered 503")
    box.github.heal()
    refused(box.daypass(*claim, GH_TOKEN="wrong"), 1)
    refused(box.daypass(*claim, GH_TOKEN=""), 1)
    box.bao.seal()
    try:
        refused(box.daypass(*claim), 1, "is sealed")
    finally:
        box.bao.restart()
    box.github.stop()
    refused(box.daypass(*claim), 1)


def test_a_shallow_clone_is_refused(box: Box) -> None:
    grant = box.issue("alice-shallow")
    shallow = box.clone / ".git" / "shallow"
    head = subprocess.run(
        ["git", "-C", str(box.clone), "rev-parse", "HEAD"], check=True, capture_output=True
    )
    shallow.write_bytes(head.stdout)
    refused(box.daypass("claim", grant.id, "--", *QUERY), 1, "shallow clone")


def test_by_hand_with_stock_git_age_and_bao(box: Box, tmp_path: Path) -> None:
    """What the README shows, to the letter."""
    for program in ("age", "git", "sha256sum"):
        assert shutil.which(program), f"this test runs {program} itself: install it"
    grant = box.issue("alice-hand")
    [posted] = box.forge.comments(grant.pull_request)
    (tmp_path / "comment.md").write_text(posted.body)
    script = """
set -eu
git -C "$CLONE" fetch -q
git -C "$CLONE" -c gpg.ssh.allowedSignersFile=access/allowed_signers --no-replace-objects \\
    log origin/main --first-parent --no-show-signature --basic-regexp \\
    --grep='^Daypass-Grant: alice-hand$' \\
    --format='%G? %GF %(trailers:key=Daypass-Wrapping,valueonly,unfold,separator=)' |
    awk '$1 == "G" && NF == 5 && !shown++ { print $2, $3, $4, $5 }'
sed -n '/^-----BEGIN AGE/,/^-----END AGE/p' comment.md > delivery.age
sha256sum delivery.age
age -d -i "$HOME/.ssh/id_ed25519" delivery.age | tail -n +2
printf %s "$(age -d -i "$HOME/.ssh/id_ed25519" delivery.age | head -n 1)" |
    bao write -format=json sys/wrapping/lookup token=-
BAO_TOKEN=$(age -d -i "$HOME/.ssh/id_ed25519" delivery.age | head -n 1) bao unwrap -format=json
"""
    header = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraheader",
        "GIT_CONFIG_VALUE_0": f"Authorization: token {box.environment['GH_TOKEN']}",
        "CLONE": str(box.clone),
        "BAO_ADDR": box.bao.address,
    }
    done = subprocess.run(
        ["bash", "-c", script], check=False, capture_output=True, text=True, cwd=tmp_path,
        env=box.environment | header,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    fingerprint, _, rest = done.stdout.partition(" ")
    path, time, digest = rest.split("\n")[0].split(" ")
    assert fingerprint == box.fingerprint
    assert (path, time) == (grant.wrapping.path, grant.wrapping.time)
    assert digest == grant.wrapping.ciphertext
    assert digest.removeprefix("sha256:") in rest.split("\n", 1)[1]
    looked, _, unwrapped = rest[rest.index("{") :].partition("\n}\n")
    assert json.loads(looked + "}")["data"]["creation_time"] == time
    credential = json.loads(unwrapped)["data"]
    repository = box.settings.github.repository_id
    told = f"vault: {box.bao.address}\nrepository: {repository}\ngrant: alice-hand\n"
    told += f"evidence-key: {box.fingerprint}\n"
    assert told in rest, "what it is bound to, to compare by eye"
    with box.postgres.connect(credential["username"], Secret(credential["password"])):
        pass


def test_status_shows_who_holds_what(box: Box) -> None:
    assert box.daypass("status").stdout == "nobody holds anything\n"
    box.issue("alice-status")
    done = box.daypass("status")
    assert done.returncode == 0, done.stderr
    assert "alice-status" in done.stdout
    assert done.stdout.rstrip().endswith("active")
    assert box.daypass("status", "--local").stdout == "nobody holds anything\n"
    assert "alice-status" in box.daypass("status", "--subject", "alice").stdout
    unknown = box.daypass("status", "--subject", "bob")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "there is no subject bob" in unknown.stderr
    [row] = json.loads(box.daypass("status", "--format", "json").stdout)
    assert (row["grant"], row["state"], row["access"]) == ("alice-status", "active", "read")
