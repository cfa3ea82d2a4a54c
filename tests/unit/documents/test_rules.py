"""Each rule: documented, and held to a case that breaks it alone and one that keeps it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from documents_world import (
    ALICE_PATH,
    DEPLOYER,
    DEPLOYER_PATH,
    EMERGENCY,
    EMERGENCY_LANE,
    EMERGENCY_PATH,
    EXCEPTION,
    EXCEPTION_PATH,
    GRANT,
    GRANT_PATH,
    POLICY,
    POLICY_PATH,
    REQUEST,
    REQUEST_PATH,
    RESOURCE,
    RESOURCE_PATH,
    SETTINGS,
    SETTINGS_PATH,
    SOUND,
    entries,
    findings_of,
    human,
    judged,
)

from daypass import documents
from daypass.documents import resources, strict_yaml
from daypass.documents.changes import changes, check_changes, check_number
from daypass.documents.rules import RULES
from daypass.documents.rules_of_text import TEXT_RULES
from daypass.errors import DocumentError
from daypass.model.names import Kind

if TYPE_CHECKING:
    from daypass.documents.rule import Rule

A_RESOURCE_SCHEMA = resources.schema_bytes(Kind.RESOURCE).decode()
SCHEMAS = {
    f"schemas/{name}": resources.schema_bytes(kind).decode()
    for kind, name in resources.SCHEMA_FILES.items()
}
TIMES = """  limits: {times: {timeZone: Europe/Zurik, from: "08:00", to: "18:00"}}
"""
UNLUCKY = "commandsRole: daypass-apply-2"
LANE: dict[str, str | bytes | None] = {SETTINGS_PATH: SETTINGS + EMERGENCY_LANE}
# The rule, the place of its finding, and the files that replace those of the sound repository.


def rules_added(*rules: str) -> str:
    """The policy with these free rules."""
    return f"{POLICY}  rules: [{', '.join(rules)}]\n"


BROKEN: list[tuple[str, str, dict[str, str | bytes | None]]] = [
    ("document-kind", f"{REQUEST_PATH}:2:7", {REQUEST_PATH: REQUEST.replace("AccessR", "R")}),
    ("document-name", f"{REQUEST_PATH}:4:7", {REQUEST_PATH: REQUEST.replace("alice-1", "bob-1")}),
    (
        "document-value",
        f"{REQUEST_PATH}:6:3",
        {REQUEST_PATH: REQUEST + '  notBefore: "2026-12-31T23:59:60Z"\n'},
    ),
    (
        "settings-vault-name",
        f"{SETTINGS_PATH}:8:85",
        {SETTINGS_PATH: SETTINGS.replace("audience: vault}", f"audience: vault, {UNLUCKY}}}")},
    ),
    ("schema-type", f"{REQUEST_PATH}:11:11", {REQUEST_PATH: REQUEST + "  ticket: 4711\n"}),
    (
        "schema-required",
        f"{REQUEST_PATH}:6:3",
        {REQUEST_PATH: REQUEST.replace("  duration: 2h\n", "")},
    ),
    (
        "schema-unknown-field",
        f"{REQUEST_PATH}:9:3",
        {REQUEST_PATH: REQUEST.replace("duration", "durration")},
    ),
    (
        "schema-enum",
        f"{RESOURCE_PATH}:7:16",
        {RESOURCE_PATH: RESOURCE.replace("sensitivity: low", "sensitivity: lwo")},
    ),
    ("schema-pattern", f"{REQUEST_PATH}:9:13", {REQUEST_PATH: REQUEST.replace("2h", "2 hours")}),
    (
        "schema-ascii",
        f"{REQUEST_PATH}:6:12",
        {REQUEST_PATH: REQUEST.replace("subject: a", "subject: \u0430")},
    ),
    (
        "schema-format",
        f"{REQUEST_PATH}:11:14",
        {REQUEST_PATH: REQUEST + '  notBefore: "2026-02-30T09:00:00Z"\n'},
    ),
    (
        "schema-limit",
        f"{RESOURCE_PATH}:13:39",
        {RESOURCE_PATH: RESOURCE.replace("atLeast: 1", "atLeast: 0")},
    ),
    (
        "schema-condition",
        f"{DEPLOYER_PATH}:4:7",
        {DEPLOYER_PATH: DEPLOYER.replace("owners: [alice, bob], ", "")},
    ),
    ("schema-value", f"{REQUEST_PATH}:9:13", {REQUEST_PATH: REQUEST.replace("2h", '"2h\\n"')}),
    (
        "request-renews-itself",
        f"{REQUEST_PATH}:11:11",
        {REQUEST_PATH: f"{REQUEST}  renews: alice-1\n"},
    ),
    ("request-too-long", f"{REQUEST_PATH}:9:13", {REQUEST_PATH: REQUEST.replace("2h", "9h")}),
    (
        "request-recipients",
        f"{REQUEST_PATH}:6:12",
        {RESOURCE_PATH: RESOURCE.replace("sensitivity: low", "sensitivity: high")},
    ),
    (
        "resource-tier-twice",
        f"{RESOURCE_PATH}:10:54",
        {RESOURCE_PATH: RESOURCE.replace("{1h: ro-1h,", "{1h: ro-1h, 60m: ro-60m,")},
    ),
    (
        "resource-tier-too-long",
        f"{RESOURCE_PATH}:10:54",
        {RESOURCE_PATH: RESOURCE.replace("maxDuration: 8h", "maxDuration: 2h")},
    ),
    (
        "resource-role-twice",
        "access/resources/a.yaml:10:18",
        {
            "access/resources/a.yaml": RESOURCE.replace("name: orders", "name: a").replace(
                "read:", "orders-read:"
            ),
            "access/resources/a-orders.yaml": RESOURCE.replace("name: orders", "name: a-orders"),
        },
    ),
    (
        "identity-account-twice",
        "access/identities/bob.yaml:4:50",
        {"access/identities/bob.yaml": human("bob", 11)},
    ),
    (
        "exception-dates",
        f"{EXCEPTION_PATH}:13:13",
        {EXCEPTION_PATH: EXCEPTION.replace("2027-01-31", "2027-11-23")},
    ),
    (
        "exception-rule",
        f"{EXCEPTION_PATH}:5:13",
        {EXCEPTION_PATH: EXCEPTION.replace("authenticates-itself", "two-approvers")},
    ),
    (
        "exception-in-vain",
        f"{EXCEPTION_PATH}:5:13",
        {EXCEPTION_PATH: EXCEPTION.replace("subject: deployer", "subject: alice")},
    ),
    (
        "reference-rule",
        f"{EXCEPTION_PATH}:5:13",
        {EXCEPTION_PATH: EXCEPTION.replace("built-in/authenticates-itself", "reading/office")},
    ),
    (
        "identity-not-answerable",
        f"{DEPLOYER_PATH}:4:43",
        {DEPLOYER_PATH: DEPLOYER.replace("[alice,", "[deployer,")},
    ),
    (
        "reference-identity",
        f"{REQUEST_PATH}:6:12",
        {REQUEST_PATH: REQUEST.replace("subject: alice", "subject: alcie")},
    ),
    (
        "reference-resource",
        f"{REQUEST_PATH}:7:13",
        {REQUEST_PATH: REQUEST.replace("resource: orders", "resource: order")},
    ),
    ("reference-level", f"{REQUEST_PATH}:8:11", {REQUEST_PATH: REQUEST.replace("read", "raed")}),
    (
        "reference-group",
        f"{RESOURCE_PATH}:13:24",
        {RESOURCE_PATH: RESOURCE.replace("groups: [dba]", "groups: [dbas]")},
    ),
    *(
        (
            "policy-matches-nothing",
            f"{POLICY_PATH}:8:{len('  match: ') + match.index(word) + 1}",
            {POLICY_PATH: POLICY.replace("match: {}", f"match: {match}")},
        )
        for word, match in [
            ("ssh", "{resources: {types: [ssh]}}"),
            ("prodution", "{resources: {environments: [prodution]}}"),
            ("raed", "{levels: [raed]}"),
            ("[personal]", "{resources: {labels: {data: [personal]}}}"),
            ("[dba]", "{subjects: {labels: {team: [dba]}}}"),
        ]
    ),
    ("settings-missing", SETTINGS_PATH, {SETTINGS_PATH: None}),
    (
        "grant-ends-before-it-begins",
        GRANT_PATH,
        {GRANT_PATH: GRANT.replace("T11:00:00Z", "T08:00:00Z")},
    ),
    ("record-syntax", f"{GRANT_PATH}", {GRANT_PATH: '{"kind": "Grant", "kind": "Grant"}'}),
    (
        "policy-expression",
        f"{POLICY_PATH}:10:33",
        {
            POLICY_PATH: POLICY
            + "  rules: [{name: r, expression: a = 1, message: Only humans ask.}]\n"
        },
    ),
    (
        "policy-rule-name",
        f"{POLICY_PATH}:10:18",
        {POLICY_PATH: rules_added("{name: own-keys, expression: 'true', message: It is so.}")},
    ),
    (
        "reference-context",
        f"{POLICY_PATH}:10:37",
        {
            POLICY_PATH: rules_added(
                "{name: asked, expression: '!has(context.postre)', message: Say why.}"
            )
        },
    ),
    (
        "policy-field",
        f"{POLICY_PATH}:10:37",
        {
            POLICY_PATH: rules_added(
                "{name: asked, expression: has(request.tickett), message: Say why.}"
            )
        },
    ),
    (
        "policy-pattern",
        f"{POLICY_PATH}:10:21",
        {POLICY_PATH: POLICY + "  require: {ticket: 'OPS-[:digit:]+'}\n"},
    ),
    (
        "policy-times",
        f"{POLICY_PATH}:10:64",
        {
            POLICY_PATH: POLICY
            + '  limits: {times: {timeZone: Europe/Zurich, from: "00:00", to: "00:00"}}\n'
        },
    ),
    (
        "policy-window",
        f"{POLICY_PATH}:10:28",
        {POLICY_PATH: POLICY + "  limits: {window: {hours: 25, per: 1d}}\n"},
    ),
    (
        "approvers-too-few",
        f"{RESOURCE_PATH}:13:39",
        {
            RESOURCE_PATH: RESOURCE.replace("[dba], atLeast: 1", "[own], atLeast: 2"),
            SETTINGS_PATH: SETTINGS.replace("  groups:\n", "  groups:\n    own: [bob, deployer]\n"),
        },
    ),
    (
        "policy-time-zone",
        f"{POLICY_PATH}:10:30",
        {POLICY_PATH: POLICY + TIMES},
    ),
    (
        "tree-place",
        "access/policies/old/reading.yaml",
        {"access/policies/old/reading.yaml": POLICY},
    ),
    ("tree-place", "access/notes.txt", {"access/notes.txt": "hello"}),
    ("tree-place", "access/requests/.hidden/x.yaml", {"access/requests/.hidden/x.yaml": REQUEST}),
    ("tree-ending", "access/policies/reading.yml", {"access/policies/reading.yml": POLICY}),
    ("tree-ending", "access/grants/x.yaml", {"access/grants/x.yaml": REQUEST}),
    ("tree-name", "access/requests/Alice_1.yaml", {"access/requests/Alice_1.yaml": REQUEST}),
    ("tree-name", "access/requests/-a.yaml", {"access/requests/-a.yaml": REQUEST}),
    ("tree-case", "schemas/x.json", {"schemas/X.json": "{}", "schemas/x.json": "{}"}),
    (
        "schema-release",
        "schemas/resource.schema.json",
        {**SCHEMAS, "schemas/resource.schema.json": A_RESOURCE_SCHEMA + " "},
    ),
    (
        "schema-release",
        "schemas/resource.schema.json",
        {**SCHEMAS, "schemas/resource.schema.json": None},
    ),
    ("break-glass-not-set-up", f"{EMERGENCY_PATH}:2:7", {EMERGENCY_PATH: EMERGENCY}),
    (
        "break-glass-incident",
        f"{EMERGENCY_PATH}:10:13",
        {**LANE, EMERGENCY_PATH: EMERGENCY.replace("INC-7", "lunch")},
    ),
    (
        "break-glass-offline-invoker",
        "access/daypass.yaml:13:96",
        {
            SETTINGS_PATH: SETTINGS
            + EMERGENCY_LANE.replace("}", ", offline: {invokers: [bob], levels: [orders/read]}}")
        },
    ),
    (
        "identity-entity-twice",
        "access/identities/carol.yaml:4:71",
        {
            f"access/identities/{name}.yaml": human(name, account).replace(
                "}}", "}, vault: {entity: 6dc75420-5186-dace-c92e-6a56b3933686}}"
            )
            for name, account in (("carol", 13), ("bob", 12))
        },
    ),
    (
        "break-glass-drill",
        f"{EMERGENCY_PATH}:9:13",
        {**LANE, EMERGENCY_PATH: EMERGENCY + "  drill: true\n"},
    ),
    (
        "schema-pattern",
        f"{EMERGENCY_PATH}:9:13",
        {**LANE, EMERGENCY_PATH: EMERGENCY.replace("1h", "61m")},
    ),
    (
        "reference-group",
        f"{SETTINGS_PATH}:13:27",
        {SETTINGS_PATH: SETTINGS + EMERGENCY_LANE.replace("[bob]", "[nobody]")},
    ),
    (
        "document-value",
        f"{SETTINGS_PATH}:5:3",
        {SETTINGS_PATH: SETTINGS + EMERGENCY_LANE.replace("INC-[0-9]+", "INC-[0-9")},
    ),
]
# What stands in a line of a log, a comment or a summary holds no line feed, nor ends with one.
BROKEN += [
    (
        "schema-pattern",
        f"{POLICY_PATH}:10:54",
        {POLICY_PATH: f'{POLICY}  rules: [{{name: short, expression: "true", message: {text}}}]\n'},
    )
    for text in ('"Café\\n::error::x"', '"Shorter, please\\n"')
]
# Rules whose case is elsewhere: the bytes of test_strict_yaml, git's modes, pull requests.
BROKEN += [
    (
        "team-without-id",
        f"{RESOURCE_PATH}:8:38",
        {SETTINGS_PATH: SETTINGS.replace('"team:dba"', "alice") + "  teams: {other: 7}\n"},
    ),
]
BROKEN += [
    (
        "resource-tls",
        f"{RESOURCE_PATH}:{len(RESOURCE.splitlines()) + 2}:36",
        {RESOURCE_PATH: f"{RESOURCE}  connection:\n    {{sslrootcert: system, sslmode: allow}}\n"},
    ),
]
BROKEN += [
    (
        "settings-co-author",
        f"{SETTINGS_PATH}:13:21",
        {SETTINGS_PATH: f"{SETTINGS}  machineCoAuthors: [{address}]\n"},
    )
    for address in ("4711+bob@users.noreply.github.com", "Bob@Users.NoReply.GitHub.com")
]
ELSEWHERE = {rule.name for rule in TEXT_RULES if rule.name != "record-syntax"} | {
    "tree-mode",
    "team-by-slug",  # a notice
    "break-glass-roles",  # a notice
    "break-glass-no-policy",  # a notice
    "identity-without-keys",  # a notice
    "identity-environment",  # a notice
    "identity-key",  # test_usable_identities.py
    "request-environment",  # the same
    "team-renamed",  # GitHub is asked
    "change-co-author",  # of commits, not of documents
    "change-number",
    "change-retention",
    "change-signers",
    "signers-unreadable",
}
CHANGED: list[tuple[str, str, dict[str, str | None]]] = [
    ("tree-path", "docs/" + "n" * 300, {"docs/" + "n" * 300: "x"}),
    (
        "change-mixed",
        "access/requests/bob-1.yaml",
        {"access/requests/bob-1.yaml": "x", POLICY_PATH: "x"},
    ),
    (
        "change-mixed",
        "access/requests/bob-1.yaml",
        {"access/requests/bob-1.yaml": "x", POLICY_PATH: None},
    ),
    (
        "change-mixed",
        "access/requests/bob-1.yaml",
        {"access/requests/bob-1.yaml": "x", EXCEPTION_PATH: "x"},
    ),
    (
        "change-mixed",
        "access/requests/bob-1.yaml",
        {"access/requests/bob-1.yaml": "x", "schemas/x": "x"},
    ),
    (
        "change-mixed",
        "access/requests/bob-1.yaml",
        {"access/requests/bob-1.yaml": "x", ".github/workflows/x.yml": "x"},
    ),
    (
        "change-mixed",
        "access/requests/bob-1.yaml",
        {"access/requests/bob-1.yaml": "x", "src/main.py": "x"},
    ),
    ("change-mixed", REQUEST_PATH, {REQUEST_PATH: None, RESOURCE_PATH: "x"}),
    (
        "change-mixed",
        "access/break-glass/x.yaml",
        {"access/requests/bob-1.yaml": "x", "access/break-glass/x.yaml": "x"},
    ),
    (
        "change-emergencies",
        "access/break-glass/y.yaml",
        {"access/break-glass/x.yaml": "x", "access/break-glass/y.yaml": "y"},
    ),
    ("change-record", "access/grants/bob-1.json", {"access/grants/bob-1.json": "x"}),
    ("change-record", GRANT_PATH, {GRANT_PATH: "x"}),
    ("change-record", GRANT_PATH, {GRANT_PATH: None}),
    ("change-record", "access/obligations/x.json", {"access/obligations/x.json": "x"}),
    ("change-live-request", REQUEST_PATH, {REQUEST_PATH: REQUEST + "# later\n"}),
    (
        "change-renamed-request",
        "access/requests/alice-2.yaml",
        {REQUEST_PATH: None, "access/requests/alice-2.yaml": REQUEST},
    ),
]


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_every_rule_is_documented(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", rule.name)
    assert rule.purpose.endswith(".")
    assert rule.passing
    assert rule.passing != rule.failing


def test_every_rule_that_the_code_names_is_in_the_catalogue_and_has_a_case() -> None:
    assert documents.__file__
    families = "|".join(sorted({name.partition("-")[0] for name in RULES}))
    named = re.compile(rf'"((?:{families})-[a-z-]+)"')
    code = Path(documents.__file__).parent
    sources = [file for file in code.glob("*.py") if not file.name.startswith("rules_of")]
    sources.append(code.parent / "lifecycle" / "policy_findings.py")
    sources.append(code.parent / "cli" / "validate.py")
    found = {name for file in sources for name in named.findall(file.read_text())}
    assert found == set(RULES)
    cases = {rule for rule, _, _ in (*BROKEN, *CHANGED)}
    assert cases | ELSEWHERE == set(RULES)


def test_the_sound_repository_has_no_findings() -> None:
    assert judged() == ()
    assert judged({GRANT_PATH: GRANT, **SCHEMAS}) == ()
    assert judged({**LANE, EMERGENCY_PATH: EMERGENCY}) == ()
    assert judged({EXCEPTION_PATH: EXCEPTION}) == ()


@pytest.mark.parametrize(("rule", "place", "files"), BROKEN, ids=[case[0] for case in BROKEN])
def test_a_document_that_breaks_one_rule(
    rule: str, place: str, files: dict[str, str | bytes | None]
) -> None:
    findings = judged(files)
    assert [(item.rule, item.place) for item in findings] == [(rule, place)]
    assert findings[0].remedy


@pytest.mark.parametrize(
    ("mode", "path"),
    [
        ("100755", REQUEST_PATH),
        ("120000", REQUEST_PATH),
        ("160000", "access/requests/other"),
        ("100664", ALICE_PATH),
        ("120000", "schemas/resource.schema.json"),
        ("120000", "access/requests"),
        ("160000", "access"),
    ],
)
def test_only_plain_files(mode: str, path: str) -> None:
    files = {**SCHEMAS} if path.startswith("schemas") else {}
    findings = judged({**files, path: SOUND.get(path, A_RESOURCE_SCHEMA)}, {path: mode})
    assert ("tree-mode", path) in [(item.rule, item.path) for item in findings]


@pytest.mark.parametrize(("rule", "path", "files"), CHANGED, ids=[case[0] for case in CHANGED])
def test_a_pull_request_that_breaks_one_rule(
    rule: str, path: str, files: dict[str, str | None]
) -> None:
    base = {**SOUND, GRANT_PATH: GRANT}
    head = {name: text for name, text in {**base, **files}.items() if text is not None}
    findings = check_changes(changes(entries(base), entries(head)))
    assert [(item.rule, item.path) for item in findings] == [(rule, path)]


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"access/requests/a.yaml": "x", "access/requests/b.yaml": "y"}, id="several"),
        pytest.param({REQUEST_PATH: None}, id="end a grant"),
        pytest.param({REQUEST_PATH: None, "access/requests/a.yaml": "x"}, id="end, and ask anew"),
        pytest.param({POLICY_PATH: "x", RESOURCE_PATH: None, "src/x": "x"}, id="no request"),
        pytest.param({"access/break-glass/a.yaml": "x"}, id="an emergency"),
    ],
)
def test_pull_requests_that_may_be(files: dict[str, str | None]) -> None:
    head = {name: text for name, text in {**SOUND, **files}.items() if text is not None}
    assert check_changes(changes(entries(SOUND), entries(head))) == ()


def test_a_pull_request_may_ask_for_so_many_requests_and_delete_any_number() -> None:
    asked = {f"access/requests/{name}.yaml": "x" for name in "abc"}
    ended = {f"access/requests/gone-{name}.yaml": "x" for name in range(500)}
    changed = changes(entries({**SOUND, **ended}), entries({**SOUND, **asked}))
    assert len(changed.deleted) == 500
    assert check_number(changed, 3) == ()
    (finding,) = check_number(changed, 2)
    assert (finding.rule, finding.path) == ("change-number", "access/requests/c.yaml")
    assert "asks for 3 requests, and the limit is 2" in finding.message


def test_a_mixed_pull_request_is_told_how_to_split() -> None:
    head = {**SOUND, "access/requests/a.yaml": "x", POLICY_PATH: "x", "src/main.py": "y"}
    (finding,) = check_changes(changes(entries(SOUND), entries(head)))
    assert "access/policies/reading.yaml" in finding.message
    assert "git checkout BASE -- access/policies src" in finding.remedy
    assert "git switch -c" in finding.remedy


@pytest.mark.parametrize(
    "rule",
    [
        rule
        for rule in TEXT_RULES
        if rule.name
        not in {"document-size", "document-encoding", "document-characters", "record-syntax"}
    ],
    ids=lambda rule: rule.name,
)
def test_the_examples_that_explain_shows_are_true(rule: Rule) -> None:
    assert strict_yaml.load(rule.passing.encode(), "x").value
    with pytest.raises(DocumentError) as caught:
        strict_yaml.load(rule.failing.encode(), "x")
    assert rule.name in {finding.rule for finding in findings_of(caught.value)}
