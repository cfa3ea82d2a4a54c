"""`daypass audit export`: each format is judged by its own published schema, or its own library."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from cloudevents.core.formats.json import JSONFormat
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from ocsf_json_schema import OcsfJsonSchema, OcsfJsonSchemaEmbedded, get_ocsf_schema
from oscal_bindings import OscalParseError, parse_assessment_results
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from daypass.cli.main import main
from daypass.ledger.dsse import envelope
from daypass.model.canonical import canonical_json
from daypass.model.event import Event, EventKind
from support.evidence_bot import a_grant
from support.local_signer import LocalSigner

if TYPE_CHECKING:
    from pathlib import Path

    from support.evidence_bot import Bot

FORMATS = ("ocsf", "cloudevents", "oscal", "in-toto")


def export(folder: Path, form: str, *words: str) -> tuple[int, str]:
    said = io.StringIO()
    with redirect_stdout(said):
        code = main(["-C", str(folder), "audit", "export", "--format", form, *words])
    return code, said.getvalue()


def lines(folder: Path, form: str, *words: str) -> list[dict[str, Any]]:
    code, text = export(folder, form, *words)
    assert code == 0
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def log(year: Path) -> list[dict[str, Any]]:
    """The same events as `audit log` tells them, the oldest first."""
    said = io.StringIO()
    with redirect_stdout(said):
        main(["-C", str(year), "audit", "log", "--format", "json"])
    return list(reversed(json.loads(said.getvalue())))


@pytest.fixture(scope="module")
def user_access() -> jsonschema.Draft202012Validator:
    """The published schema of class 3005, version 1.8.0."""
    schema = OcsfJsonSchemaEmbedded(OcsfJsonSchema(get_ocsf_schema("1.8.0")))
    return jsonschema.Draft202012Validator(schema.get_class_schema("user_access"))


def test_ocsf_is_what_its_schema_asks_for(
    year: Path, log: list[dict[str, Any]], user_access: jsonschema.Draft202012Validator
) -> None:
    told = lines(year, "ocsf")
    for event in told:
        user_access.validate(event)
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert [event["metadata"]["uid"] for event in told] == [
        item["commit"] for item in log if item["grant"]
    ]
    activities = {(event["metadata"]["event_code"], event["activity_id"]) for event in told}
    assert {("issued", 1), ("expired", 2), ("revoked", 2), ("reviewed", 99)} <= activities
    (first,) = [event for event in told if event["metadata"]["sequence"] == 1]
    said = log[0]["trailers"]
    assert first["user"] == {"name": said["Daypass-Subject"]}
    assert first["resources"] == [{"name": said["Daypass-Resource"]}]
    assert first["privileges"] == [said["Daypass-Access"]]
    # Vault's time of the issue, in milliseconds, and not that of the commit.
    assert first["time"] < first["metadata"]["logged_time"]


def test_a_failed_revocation_and_a_denial_are_failures(
    governed: Bot, user_access: jsonschema.Draft202012Validator
) -> None:
    bot = governed
    bot.issue("one")
    failed = Event(EventKind.REVOKE_FAILED, "one", (("Daypass-Reason", "unconfirmed"),))
    bot.record(failed, {"access/grants/one.json": a_grant("one").to_bytes()})
    bot.record(Event(EventKind.DENIED, "two", (("Daypass-Reason", "policy"),)), {})
    bot.record(Event(EventKind.DRIFT, None, (("Daypass-Reason", "orphan"),)), {})
    told = lines(bot.work, "ocsf", "--revision", "origin/main")
    for event in told:
        user_access.validate(event)
    assert [(item["activity_id"], item["status"], item["severity"]) for item in told] == [
        (1, "Success", "Informational"),
        (2, "Failure", "High"),
        (1, "Failure", "Low"),
    ]
    assert told[2]["user"] == {"name": "unknown"}
    # The drift of a token concerns no user; CloudEvents has it.
    kinds = [item["type"] for item in lines(bot.work, "cloudevents", "--revision", "origin/main")]
    assert kinds[-1] == "dev.daypass.evidence.v1.drift"


def test_cloudevents_are_read_by_their_own_library(year: Path, log: list[dict[str, Any]]) -> None:
    code, text = export(year, "cloudevents")
    assert code == 0
    read = [JSONFormat().read(None, line) for line in text.splitlines()]
    assert [event.get_id() for event in read] == [item["commit"] for item in log]
    first = read[0]
    assert first.get_type() == "dev.daypass.evidence.v1.issued"
    assert first.get_subject() == log[0]["grant"]
    assert first.get_source() == "https://github.com/example/daypass"
    data = first.get_data()
    assert isinstance(data, dict)
    assert data["trailers"] == log[0]["trailers"]
    assert data["recordedAt"] == log[0]["recordedAt"]


def test_oscal_is_what_nists_schema_asks_for(year: Path) -> None:
    fingerprint = LocalSigner().allowed().fingerprint
    code, text = export(year, "oscal", "--fingerprint", fingerprint)
    assert code == 0
    parse_assessment_results(text)
    document = json.loads(text)
    (result,) = document["assessment-results"]["results"]
    states = {item["target"]["target-id"]: item["target"]["status"] for item in result["findings"]}
    assert states["R26"] == {"state": "satisfied", "reason": "pass", "remarks": "holds"}
    # What nothing here can show is never said to be satisfied.
    assert states["R7"]["state"] == "not-satisfied"
    assert states["R7"]["reason"] == "other"
    selection = result["reviewed-controls"]["control-selections"][0]["include-controls"]
    assert {"control-id": "ac-2.2"} in selection
    document["assessment-results"]["results"][0].pop("reviewed-controls")
    with pytest.raises(OscalParseError):
        parse_assessment_results(json.dumps(document))


def test_there_is_one_statement_a_grant_and_it_names_the_very_record(
    year: Path, log: list[dict[str, Any]]
) -> None:
    told = lines(year, "in-toto")
    issued = [item for item in log if item["event"] == "issued"]
    assert [item["predicate"]["grant"] for item in told] == [item["grant"] for item in issued]
    for item in told:
        proto = json_format.ParseDict(item, statement_pb2.Statement())
        Statement.copy_from_pb(proto).validate()
    first = told[0]
    (about,) = first["subject"]
    place = f"{first['predicate']['issuedIn']['gitCommit']}:{about['name']}"
    blob = subprocess.run(
        ["git", "-C", year, "rev-parse", place], capture_output=True, text=True, check=True
    )
    assert about["digest"]["gitBlob"] == blob.stdout.strip()
    grant = first["predicate"]["grant"]
    expected = [item["event"] for item in log if item["grant"] == grant]
    assert [item["event"] for item in first["predicate"]["events"]] == expected


def test_an_envelope_verifies_with_a_library_of_its_kind_and_not_when_it_was_changed() -> None:
    signer = LocalSigner()
    payload = canonical_json({"_type": "x", "umlaut": "ü"})
    told = envelope("application/vnd.in-toto+json", payload, signer.public_key(), signer.sign)
    public = {"public": signer.public_key().hex()}
    (signature,) = told["signatures"]
    key = SSlibKey(signature["keyid"], "ed25519", "ed25519", public)
    whole = json.dumps(told)
    assert Envelope.from_dict(json.loads(whole)).verify([key], 1)
    changed = json.loads(whole) | {"payloadType": "application/vnd.in-toto+jso"}
    with pytest.raises(VerificationError):
        Envelope.from_dict(changed).verify([key], 1)


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_head_gives_the_same_bytes(year: Path, tmp_path: Path, form: str) -> None:
    _code, text = export(year, form)
    target = tmp_path / "export"
    command = [sys.executable, "-m", "daypass", "-C", year, "audit", "export", "--format", form]
    environment = {"PATH": "/usr/bin:/bin", "TZ": "Pacific/Chatham", "PYTHONHASHSEED": "7"}
    subprocess.run([*command, "--output", target], env=environment, check=True)
    assert target.read_bytes() == text.encode()


def test_a_window_holds_what_was_recorded_in_it(year: Path, log: list[dict[str, Any]]) -> None:
    since, until = log[40]["recordedAt"], log[90]["recordedAt"]
    told = lines(year, "cloudevents", "--since", since, "--until", until)
    assert [item["id"] for item in told] == [item["commit"] for item in log[40:91]]


def test_broken_evidence_is_exported_and_said_to_be_broken(
    governed: Bot, capsys: pytest.CaptureFixture[str]
) -> None:
    bot = governed
    bot.issue("one")
    bot.person_commits(
        "Squash\n\nDaypass-Event: issued\nDaypass-Grant: x\n", {"access/grants/x.json": "{}\n"}
    )
    code, text = export(bot.work, "cloudevents", "--revision", "origin/main")
    assert code == 6
    assert [json.loads(line)["subject"] for line in text.splitlines()] == ["one"]
    assert "the evidence does not hold" in capsys.readouterr().err


def test_what_cannot_be_signed_is_told(year: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = export(year, "ocsf", "--sign")
    assert (code, text) == (2, "")
    assert "--sign goes with --format in-toto" in capsys.readouterr().err
