"""What cannot receive anything, or would be refused in an emergency, is said by validation."""

from __future__ import annotations

import base64

import pytest
from documents_world import (
    ALICE_PATH,
    DEPLOYER,
    DEPLOYER_PATH,
    EMERGENCY,
    EMERGENCY_LANE,
    EMERGENCY_PATH,
    KEY,
    POLICY,
    REQUEST,
    REQUEST_PATH,
    RESOURCE,
    RESOURCE_PATH,
    SETTINGS,
    SETTINGS_PATH,
    human,
    judged,
    reported,
)

KIND, TEXT, _ = KEY.split()
LANE_POLICY_PATH = "access/policies/emergencies.yaml"
LANE_POLICY = (
    POLICY.replace("reading", "emergencies")
    .replace("match: {}", "match: {lanes: [break-glass]}")
    .replace(
        "stages: [{name: dba, allOf: [{group: dba, atLeast: 1}]}]",
        "notRequired: Somebody not involved reviews it within a day",
    )
)
BARE = DEPLOYER.replace(f",\n  recipients: [{KEY}]", "")


def with_key(line: str) -> dict[str, str | bytes | None]:
    text = human("alice", 7)
    return {ALICE_PATH: text.replace("spec: {", f"spec: {{recipients: ['{line}'], ")}


def rsa(bits: int) -> str:
    size = bits // 8
    modulus = b"\x00" + b"\xff" * size
    parts = (b"ssh-rsa", b"\x01\x00\x01", modulus)
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return f"ssh-rsa {base64.b64encode(blob).decode()}"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (rsa(8192), "8192 bits; daypass encrypts to 4096 at the most"),
        (f"{KIND} {TEXT[:-4]}AAAA", "not a point of the curve"),
        ("age1" + "q" * 58, "not an age X25519 recipient"),
    ],
)
def test_a_pinned_key_that_age_cannot_use_is_said_with_its_field(line: str, why: str) -> None:
    [finding] = judged(with_key(line))
    assert (finding.rule, finding.place) == ("identity-key", f"{ALICE_PATH}:4:21")
    assert why in finding.message


def test_beside_a_key_that_age_can_use_one_that_it_cannot_is_a_notice() -> None:
    files = with_key(f"{KEY}', '{rsa(8192)}")
    assert judged(files) == ()
    [notice] = [item for item in reported(files).notices if item.rule == "identity-key"]
    assert notice.path == ALICE_PATH
    assert "8192 bits" in notice.message
    assert len(judged(with_key(f"{rsa(8192)}', 'age1{'q' * 58}"))) == 2


@pytest.mark.parametrize("line", [rsa(2048), rsa(4096), KEY])
def test_a_key_that_age_can_use_is_no_finding(line: str) -> None:
    assert judged(with_key(line)) == ()


@pytest.mark.parametrize(
    "line",
    [f"{KIND}  {TEXT}", f" {KIND} {TEXT}", f"{KIND} {TEXT} alice smith", f"{KIND} {TEXT}  a@b"],
)
def test_a_key_with_other_blanks_is_refused_with_the_line_to_write(line: str) -> None:
    [finding] = judged(with_key(line))
    assert (finding.rule, finding.place) == ("schema-pattern", f"{ALICE_PATH}:4:21")
    assert finding.remedy == f"Write `{KIND} {TEXT}`."


@pytest.mark.parametrize("line", [f"no-pty {KIND} {TEXT}", "AGE-SECRET-KEY-1" + "Q" * 58])
def test_a_line_that_is_no_public_key_is_refused_and_hardly_shown(line: str) -> None:
    [finding] = judged(with_key(line))
    assert finding.rule == "schema-pattern"
    assert "not an SSH or age public key" in finding.message
    assert line[:17] not in finding.message + finding.remedy


def test_a_machine_without_keys_or_environment_is_noticed() -> None:
    text = BARE.replace(", environment: production", "")
    found = {item.rule: item for item in reported({DEPLOYER_PATH: text}).notices}
    assert "nothing can be delivered" in found["identity-without-keys"].message
    assert found["identity-without-keys"].path == DEPLOYER_PATH
    assert "belongs to no environment" in found["identity-environment"].message


def test_an_environment_that_no_resource_has_is_noticed() -> None:
    text = DEPLOYER.replace("production", "prodution")
    [notice] = (
        item
        for item in reported({DEPLOYER_PATH: text}).notices
        if item.rule == "identity-environment"
    )
    assert "did you mean `production`?" in notice.message
    assert notice.place == f"{DEPLOYER_PATH}:4:69"


def test_who_has_left_is_not_asked_for_keys() -> None:
    text = BARE.replace("active", "offboarded")
    assert all("identity" not in item.rule for item in reported({DEPLOYER_PATH: text}).notices)


def test_a_request_for_a_machine_without_keys_is_refused() -> None:
    files = {
        DEPLOYER_PATH: BARE,
        REQUEST_PATH: REQUEST.replace("subject: alice", "subject: deployer"),
    }
    [finding] = judged(files)
    assert (finding.rule, finding.path) == ("request-recipients", REQUEST_PATH)
    assert "nothing can be delivered" in finding.message


@pytest.mark.parametrize(
    ("environment", "why"),
    [(", environment: staging", "the environment staging"), ("", "belongs to no environment")],
)
def test_a_request_for_a_machine_of_another_environment_is_refused(
    environment: str, why: str
) -> None:
    files: dict[str, str | bytes | None] = {
        DEPLOYER_PATH: DEPLOYER.replace(", environment: production", environment),
        REQUEST_PATH: REQUEST.replace("subject: alice", "subject: deployer"),
    }
    [finding] = judged(files)
    assert (finding.rule, finding.place) == ("request-environment", f"{REQUEST_PATH}:6:12")
    assert why in finding.message


def of_lane(files: dict[str, str | bytes | None]) -> list[tuple[str, str]]:
    report = reported(files)
    assert report.findings == ()
    return [
        (item.place, item.message)
        for item in report.notices
        if item.rule == "break-glass-no-policy"
    ]


def test_an_emergency_that_no_policy_permits_is_noticed() -> None:
    files: dict[str, str | bytes | None] = {
        SETTINGS_PATH: SETTINGS + EMERGENCY_LANE,
        EMERGENCY_PATH: EMERGENCY,
    }
    asked, settings = of_lane(files)
    assert asked[0] == f"{EMERGENCY_PATH}:8:11"
    assert "no policy permits read on orders by the emergency lane" in asked[1]
    assert settings[0].startswith(SETTINGS_PATH)
    assert of_lane(files | {LANE_POLICY_PATH: LANE_POLICY}) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("effect: permit", "effect: guard"),
        ("enforcement: enforce", "enforcement: warn"),
        ("lanes: [break-glass]", "lanes: [break-glass], subjects: {types: [vendor]}"),
    ],
)
def test_a_policy_that_opens_nothing_leaves_the_lane_shut(old: str, new: str) -> None:
    files: dict[str, str | bytes | None] = {
        SETTINGS_PATH: SETTINGS + EMERGENCY_LANE,
        LANE_POLICY_PATH: LANE_POLICY.replace(old, new),
    }
    [(_, message)] = of_lane(files)
    assert "no policy that is in force permits anything by the emergency lane" in message


def test_a_policy_of_a_lane_that_is_not_set_up_is_noticed() -> None:
    [(place, message)] = of_lane({LANE_POLICY_PATH: LANE_POLICY})
    assert place == f"{LANE_POLICY_PATH}:8:18"
    assert "access/daypass.yaml has no `breakGlass`" in message


def test_a_level_that_can_be_taken_offline_and_no_policy_permits_is_noticed() -> None:
    offline = EMERGENCY_LANE.replace(
        "}", ", offline: {invokers: [bob], levels: [orders/read, other/read]}}"
    )
    other = RESOURCE.replace("name: orders", "name: other").replace(": low", ": moderate")
    narrow = LANE_POLICY.replace("lanes: [", "resources: {sensitivities: [low]}, lanes: [")
    entity = human("bob", 8).replace(
        "spec: {", "spec: {vault: {entity: 6dc7a1c4-0000-4000-8000-000000000000}, "
    )
    [(place, message)] = of_lane(
        {
            SETTINGS_PATH: SETTINGS + offline,
            RESOURCE_PATH: RESOURCE,
            "access/resources/other.yaml": other,
            "access/identities/bob.yaml": entity,
            LANE_POLICY_PATH: narrow,
        }
    )
    assert place.startswith(SETTINGS_PATH)
    assert "no policy permits read on other" in message
