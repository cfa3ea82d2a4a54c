"""`daypass doctor github`: what it proves through GitHub's API, and what it says when it cannot.

One look-alike and one clone for the whole file; each test breaks one thing, and what it breaks is
set right again for the next.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from daypass.adapters.github.transport import Transport
from daypass.cli.main import main
from daypass.model.names import SETTINGS_PATH, Kind
from daypass.sandbox.github import GitHub
from daypass.sandbox.github.state import Environment, Rules, Ruleset
from daypass.sandbox.organisation import document
from daypass.sandbox.person import Person, Proposal, make_home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from daypass.sandbox.github.accounts import Team
    from daypass.sandbox.github.state import Repository

pytestmark = pytest.mark.integration
WORDS = "two people with write access to this repository can mint"
ADDRESS = "https://vault.acme.example:8200"
CODEOWNERS = """\
* @alice
/.github/ @acme/security
/access/policies/ @acme/security @carol
/access/exceptions/ @acme/security
/access/resources/ @acme/security
/access/identities/ @acme/security
/access/daypass.yaml @acme/security
/access/allowed_signers @acme/security
/schemas/ @acme/security
"""
APPLY = b"on:\n  push:\n    branches: [main]\njobs: {}\n"
VARIABLES = {
    "DAYPASS_PIN": "0" * 64,
    "DAYPASS_VAULT_ADDRESS": ADDRESS,
    "DAYPASS_VAULT_AUDIENCE": "daypass",
}


@dataclass
class House:
    github: GitHub
    repository: Repository
    control: Repository
    people: dict[str, Person]
    owners: Team

    def set_right(self) -> None:
        """As README wants it: two rulesets, CODEOWNERS, the environment, the owners' team."""
        self.github.teams[self.owners.slug] = self.owners
        new_id = self.github.directory.new_id
        for repository, bypass in (
            (self.repository, {self.github.app.bot.id}),
            (self.control, set()),
        ):
            repository.rules = Rules(new_id(), new_id(), bypass=bypass)
            repository.rulesets, repository.protection = [], None
            repository.default_branch = "main"
        self.repository.roles = {
            item.account.id: "admin" if name == "dave" else "write"
            for name, item in self.people.items()
        }
        self.control.roles = {self.people["dave"].account.id: "admin"}
        self.repository.environments = {
            "daypass": Environment(new_id(), "daypass", [("main", "branch")], dict(VARIABLES))
        }
        self.repository.variables = {"DAYPASS_PIN": VARIABLES["DAYPASS_PIN"]}

    def bring(self, changes: dict[str, bytes | None]) -> None:
        """Changes on main, by the App's way past the rules."""
        dave = self.people["dave"]
        self.repository.rules.bypass.add(dave.account.id)
        dave.push([Proposal("change", changes, "Change")])
        dave.git("push", "-q", "origin", "refs/box/change:refs/heads/main")
        dave.git("pull", "-q")
        self.repository.rules.bypass.discard(dave.account.id)

    def own(self, text: str | None, path: str = ".github/CODEOWNERS") -> None:
        places = dict.fromkeys((".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"))
        self.bring({**places, path: None if text is None else text.encode()})


def settings(github: GitHub, repository: Repository, control: Repository | None = None) -> bytes:
    app = github.app
    spec: dict[str, Any] = {
        "github": {
            "owner": "acme",
            "ownerId": github.organisation.id,
            "repository": "access",
            "repositoryId": repository.id,
            "appId": app.id,
            "appUserId": app.bot.id,
            "installationId": app.installation_id,
            "apiUrl": github.api_url,
            "serverUrl": github.server_url,
        },
        "vault": {"address": ADDRESS, "audience": "daypass"},
        "evidence": {"email": "daypass@acme.example"},
        "groups": {"owners": ["team:security", "carol"]},
        "foundation": {"owners": ["owners"]},
    }
    if control is not None:
        spec["control"] = {"repository": "acme/control", "id": control.id}
    return document(Kind.SETTINGS, "daypass", spec)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    root = tmp_path_factory.mktemp("doctor")
    with GitHub.start(root / "github") as github:
        names = ("alice", "carol", "dave")
        accounts = {name: github.add_member(name) for name in names}
        owners = github.add_team("security", [accounts["dave"]])
        admin = accounts["dave"]
        repository = github.create_repository("access", admin=admin, members=accounts.values())
        control = github.create_repository("control", admin=admin, app=False)
        github.first_commit(control, {"README.md": b"# control\n"}, admin)
        carol = {
            "type": "human",
            "status": "active",
            "github": {"id": accounts["carol"].id, "login": "carol"},
        }
        files = {
            SETTINGS_PATH: settings(github, repository),
            "access/identities/carol.yaml": document(Kind.IDENTITY, "carol", carol),
            ".github/workflows/access-apply.yml": APPLY,
            ".github/CODEOWNERS": CODEOWNERS.encode(),
        }
        github.first_commit(repository, files, admin)
        people = {}
        for name, account in accounts.items():
            make_home(root / name, name)
            people[name] = Person(github, repository, account, github.token(account), root / name)
        people["dave"].git("status")  # clones
        yield House(github, repository, control, people, owners)


@pytest.fixture
def house(built: House) -> House:
    built.set_right()
    return built


@dataclass
class Told:
    code: int
    value: dict[str, Any]

    def state(self, check: str) -> str:
        return str(self._of(check)["state"])

    def why(self, check: str) -> str:
        return str(self._of(check)["why"])

    def mend(self, check: str) -> str:
        return "\n".join(self._of(check)["mend"])

    def _of(self, check: str) -> dict[str, Any]:
        (found,) = (item for item in self.value["findings"] if item["check"] == check)
        return dict(found)

    def wrong(self) -> dict[str, str]:
        """What is neither sound nor advice, by the checkout: there is no Vault here to ask."""
        assert self.state("settings-proven") == "not visible"
        found = {item["check"]: item["state"] for item in self.value["findings"][1:]}
        return {key: state for key, state in found.items() if state not in ("sound", "advice")}


@pytest.fixture
def ask(house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def asked(who: str = "dave") -> Told:
        person = house.people[who]
        monkeypatch.setenv("GH_TOKEN", person.token.reveal())
        monkeypatch.setenv("GH_HOST", urlsplit(house.github.server_url).netloc)
        words = ["-C", str(house.people["dave"].clone), "doctor", "github", "--format", "json"]
        code = main(words)
        return Told(code, json.loads(capsys.readouterr().out)["github"])

    return asked


def test_an_administrator_sees_the_small_set_up_proved(ask: Any) -> None:
    told = ask()
    assert (told.code, told.wrong(), told.value["proved"]) == (0, {}, True)
    assert told.value["verdict"].startswith("proved at GitHub, provided that Vault binds it (run ")
    assert "variables (untried)" in told.value["verdict"]
    assert {item["state"] for item in told.value["findings"][1:]} == {"sound"}


def test_what_a_token_may_not_see_is_never_sound(house: House, ask: Any) -> None:
    told = ask("alice")
    rules = ("review-by-owner", "approvals", "stale-reviews", "no-deletion", "no-force-push")
    assert told.code == 7
    assert WORDS in told.value["verdict"]
    assert {told.state(check) for check in rules} == {"not visible"}
    house.repository.roles[house.people["alice"].account.id] = "read"
    less = ask("alice")
    assert less.state("environment-variables") == "not visible"
    assert "bypass_actors" in told.mend("review-by-owner")


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"code_owners": False}, "review-by-owner"),
        ({"required_approvals": 0}, "approvals"),
        ({"dismiss_stale": False}, "stale-reviews"),
    ],
)
def test_a_rule_that_is_not_there(
    house: House, ask: Any, change: dict[str, Any], check: str
) -> None:
    for name, value in change.items():
        setattr(house.repository.rules, name, value)
    told = ask()
    assert (told.code, told.wrong()) == (1, {check: "missing"})
    assert told.value["verdict"].startswith(WORDS)
    # The command makes a ruleset that the description of GitHub's API knows, with the App alone.
    body = json.loads(re.findall(r"echo '([^']*)'", told.mend(check))[0])
    assert body["bypass_actors"] == [
        {"actor_id": house.github.app.id, "actor_type": "Integration", "bypass_mode": "always"}
    ]
    number = house.github.directory.new_id()
    house.repository.rulesets.append(
        Ruleset(number, body["name"], body["rules"], body["bypass_actors"])
    )
    assert ask().code == 0


def test_without_rules_nothing_is_proved(house: House, ask: Any) -> None:
    house.repository.rules.protected = False
    told = ask()
    missing = {"review-by-owner", "approvals", "stale-reviews", "no-deletion", "no-force-push"}
    assert (told.code, set(told.wrong())) == (1, missing)
    assert told.state("last-push") == "advice"


@pytest.mark.parametrize(
    "actor",
    [
        {"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"},
        {"actor_id": 77, "actor_type": "Team", "bypass_mode": "pull_request"},
        {"actor_id": None, "actor_type": "DeployKey", "bypass_mode": "always"},
        {"actor_id": 1, "actor_type": "OrganizationAdmin", "bypass_mode": "always"},
        {"actor_id": 12345, "actor_type": "Integration", "bypass_mode": "always"},
    ],
    ids=lambda actor: actor["actor_type"],
)
def test_nothing_but_the_app_may_pass_by(house: House, ask: Any, actor: dict[str, Any]) -> None:
    rules = house.repository.rules
    app = {"actor_id": house.github.app.id, "actor_type": "Integration", "bypass_mode": "always"}
    shown = Ruleset(rules.id, "pull requests", [pull_request()], [app, actor])
    history = Ruleset(rules.history_id, "history", [{"type": "deletion"}, FORCE], [])
    rules.protected = False
    house.repository.rulesets = [shown, history]
    told = ask()
    assert (told.code, told.state("review-by-owner")) == (1, "different")
    assert str(house.github.app.id) in told.mend("review-by-owner")
    # Rulesets add up: another that the actor cannot pass by is enough.
    house.repository.rulesets.append(Ruleset(rules.id + 1, "again", [pull_request()], []))
    assert ask().code == 0


FORCE = {"type": "non_fast_forward"}


def pull_request() -> dict[str, Any]:
    parameters = {
        "required_approving_review_count": 1,
        "dismiss_stale_reviews_on_push": True,
        "require_code_owner_review": True,
        "require_last_push_approval": True,
        "required_review_thread_resolution": False,
    }
    return {"type": "pull_request", "parameters": parameters}


def test_a_ruleset_of_the_organisation_counts_where_its_bypass_is_seen(
    house: House, ask: Any
) -> None:
    house.repository.rules.protected = False
    rules = [pull_request(), {"type": "deletion"}, FORCE]
    house.repository.rulesets = [Ruleset(4711, "everywhere", rules, [], organisation=True)]
    told = ask()
    assert (told.code, told.state("no-deletion")) == (7, "not visible")
    assert "orgs/acme/rulesets/4711" in told.mend("no-deletion")


def test_the_app_needs_no_way_past_history(house: House, ask: Any) -> None:
    rules = house.repository.rules
    app = {"actor_id": house.github.app.id, "actor_type": "Integration", "bypass_mode": "exempt"}
    rules.protected = False
    everything = [pull_request(), {"type": "deletion"}, FORCE]
    house.repository.rulesets = [Ruleset(rules.id, "one for all", everything, [app])]
    told = ask()
    assert (told.code, told.state("no-deletion")) == (0, "advice")
    assert told.state("approvals") == "advice"  # an exempt actor leaves no trace


def test_branch_protection_serves_in_place_of_rulesets(house: House, ask: Any) -> None:
    house.repository.rules.protected = False
    reviews: dict[str, Any] = {
        "dismiss_stale_reviews": True,
        "require_code_owner_reviews": True,
        "required_approving_review_count": 1,
        "require_last_push_approval": True,
        "bypass_pull_request_allowances": {"apps": [{"id": house.github.app.id}]},
    }
    shown = house.repository.protection = {
        "required_pull_request_reviews": reviews,
        "enforce_admins": {"enabled": True},
        "allow_force_pushes": {"enabled": False},
        "allow_deletions": {"enabled": False},
    }
    assert ask().code == 0
    assert ask("alice").code == 7
    shown["enforce_admins"] = {"enabled": False}
    assert ask().state("no-force-push") == "different"
    shown["enforce_admins"] = {"enabled": True}
    reviews["bypass_pull_request_allowances"] = {"users": [{"id": 1}]}
    assert ask().state("review-by-owner") == "different"


PARTS = ("policies", "exceptions", "resources")
WEAK = """\
/access/ @acme/security
/.github/ dave@acme.example
/access/policies/ @acme/other
/access/exceptions/* @alice @acme/security
/access/resources/team/
"""


def test_code_owners_by_the_last_line_that_matches(house: House, ask: Any) -> None:
    house.own(WEAK)
    try:
        told = ask()
    finally:
        house.own(CODEOWNERS)
    areas = (".github/", "schemas/", *(f"access/{part}/" for part in PARTS))
    assert told.code == 1
    assert set(told.wrong()) == {"code-owners errors"} | {f"code-owners {area}" for area in areas}
    assert "line 5 (`/access/resources/team/`)" in told.why("code-owners access/resources/")
    assert "@alice" in told.why("code-owners access/exceptions/")


def test_a_team_whose_slug_changed_hands_is_no_owner(house: House, ask: Any) -> None:
    pinned = house.github.teams["security"].id
    plain = settings(house.github, house.repository)
    house.bring({SETTINGS_PATH: plain + f"  teams: {{security: {pinned}}}\n".encode()})
    try:
        assert ask().code == 0
        house.github.add_team("security", [house.people["alice"].account])
        told = ask()
    finally:
        house.github.teams["security"].id = pinned
        house.bring({SETTINGS_PATH: plain})
    assert told.state("code-owners .github/") == "different"


def test_no_code_owners_and_code_owners_that_can_be_replaced(house: House, ask: Any) -> None:
    try:
        house.own(None)
        assert ask().wrong() == {"code-owners": "missing"}
        house.own(CODEOWNERS, "docs/CODEOWNERS")
        told = ask()
        house.own(CODEOWNERS + "/ghost @nobody-here\n")
        errors = ask()
    finally:
        house.own(CODEOWNERS)
    # GitHub prefers the root's file, and anyone may own that one here.
    assert set(told.wrong()) == {"code-owners CODEOWNERS", "code-owners docs/CODEOWNERS"}
    assert errors.wrong() == {"code-owners errors": "different"}


def test_the_environment_is_for_the_default_branch_alone(house: House, ask: Any) -> None:
    found = house.repository.environments["daypass"]
    for branches in (None, "protected", [("main", "branch"), ("v*", "tag")], [("ma*", "branch")]):
        found.branches = branches  # type: ignore[assignment]
        told = ask()
        assert (told.code, told.wrong()) == (1, {"environment-branches": "different"}), branches
    house.repository.environments.clear()
    gone = ask()
    assert gone.wrong() == {"environment": "missing"}
    assert f"--env daypass --body {ADDRESS}" in gone.mend("environment")


def test_a_variable_of_the_repository_cannot_stand_in(house: House, ask: Any) -> None:
    variables = house.repository.environments["daypass"].variables
    del variables["DAYPASS_PIN"]
    told = ask()
    assert told.wrong() == {"environment-variable DAYPASS_PIN": "missing"}
    assert told.value["verdict"].startswith(WORDS)
    variables["DAYPASS_PIN"] = "0" * 64
    variables["DAYPASS_VAULT_ADDRESS"] = "https://elsewhere.example"
    told = ask()
    assert told.wrong() == {"environment-variable DAYPASS_VAULT_ADDRESS": "different"}


OLD, NEW = "0" * 64, "a1" * 32


@pytest.mark.parametrize(
    ("value", "state"),
    [
        ("   ", "missing"),
        ("*", "different"),
        ("z" * 64, "different"),
        (f"{OLD} {NEW} {OLD}", "different"),
        (f"{OLD}\n{NEW}", "different"),
        (f"{OLD} {NEW}", "advice"),
        (f"{OLD} {OLD}", "sound"),
        (NEW, "sound"),
    ],
)
def test_a_pin_is_one_digest_and_two_while_an_upgrade_rolls(
    house: House, ask: Any, value: str, state: str
) -> None:
    house.repository.environments["daypass"].variables["DAYPASS_PIN"] = value
    house.repository.variables["DAYPASS_PIN"] = value
    told = ask()
    assert told.state("environment-variable DAYPASS_PIN") == state
    assert told.state("repository-variable DAYPASS_PIN") == state
    assert told.code == (0 if state in ("advice", "sound") else 1)
    assert told.value["proved"] is (state != "missing")


def test_the_report_has_its_own_pin_and_variables_have_many_pages(house: House, ask: Any) -> None:
    variables = house.repository.environments["daypass"].variables
    variables.update({f"A{number}": "1" for number in range(70)})
    assert ask().code == 0
    house.repository.variables.clear()
    del variables["DAYPASS_VAULT_AUDIENCE"]
    told = ask()
    assert told.wrong() == {
        "repository-variable DAYPASS_PIN": "missing",
        "environment-variable DAYPASS_VAULT_AUDIENCE": "missing",
    }
    assert told.value["proved"] is True
    assert "Vault refuses another" in told.why("environment-variable DAYPASS_VAULT_AUDIENCE")


def test_another_default_branch_and_another_repository_of_that_name(house: House, ask: Any) -> None:
    house.bring({".github/workflows/access-apply.yml": APPLY.replace(b"main", b"trunk")})
    try:
        assert ask().wrong() == {"workflow-branch": "different"}
    finally:
        house.bring({".github/workflows/access-apply.yml": APPLY})
    house.repository.id += 1
    try:
        told = ask()
    finally:
        house.repository.id -= 1
    assert (told.code, told.wrong()) == (1, {"repository-id": "different"})
    assert told.value["verdict"].startswith(WORDS)


def test_a_file_of_authorities_is_known_from_outside_too(house: House, ask: Any) -> None:
    plain = settings(house.github, house.repository)
    named = plain.replace(b"  vault:\n", b"  vault:\n    caFile: access/ca.pem\n")
    house.bring({SETTINGS_PATH: named, "access/ca.pem": b"a certificate\n"})
    try:
        missing = ask()
        digest = hashlib.sha256(b"a certificate\n").hexdigest()
        variables = house.repository.environments["daypass"].variables
        variables["DAYPASS_VAULT_CA"] = digest
        assert ask().code == 0
    finally:
        house.bring({SETTINGS_PATH: plain, "access/ca.pem": None})
    assert missing.wrong() == {"environment-variable DAYPASS_VAULT_CA": "missing"}
    assert digest in missing.mend("environment-variable DAYPASS_VAULT_CA")


@pytest.fixture
def controlled(house: House) -> Iterator[House]:
    house.bring({SETTINGS_PATH: settings(house.github, house.repository, house.control)})
    yield house
    house.control.name = "control"
    house.bring({SETTINGS_PATH: settings(house.github, house.repository)})


def test_a_control_repository_is_proved_by_its_id(controlled: House, ask: Any) -> None:
    told = ask()
    assert (told.code, told.wrong()) == (0, {})
    assert told.value["verdict"].startswith("proved at GitHub, provided that Vault binds it (run ")
    assert "acme/control" in told.value["verdict"]
    controlled.repository.rules.protected = False  # nothing rests on these rules here
    assert ask().code == 0
    assert ask("alice").wrong()["control-id"] == "not visible"


def test_a_control_repository_whose_name_was_taken(controlled: House, ask: Any) -> None:
    controlled.control.name = "control-old"
    taken = controlled.github.create_repository(
        "another", admin=controlled.people["dave"].account, app=False
    )
    taken.name = "control"
    try:
        told = ask()
    finally:
        controlled.github.delete_repository(taken)
    assert (told.code, told.wrong()) == (1, {"control-id": "different"})
    assert told.value["verdict"].startswith(WORDS)


def test_a_control_repository_that_its_requesters_write_or_an_app_passes(
    controlled: House, ask: Any
) -> None:
    controlled.control.rules.bypass.add(controlled.github.app.bot.id)
    told = ask()
    assert {"control-approvals", "control-stale-reviews"} == set(told.wrong())
    controlled.control.rules.bypass.clear()
    controlled.control.roles = dict(controlled.repository.roles)
    assert ask().wrong() == {"control-writers": "different"}


def test_only_owners_of_the_foundation_may_write_both(controlled: House, ask: Any) -> None:
    ids = {name: person.account.id for name, person in controlled.people.items()}
    erin = controlled.github.add_member("erin")  # who may write everything, until told otherwise
    # carol and dave (of a team) are owners of the foundation; erin only asks.
    controlled.control.roles = {ids["dave"]: "admin", ids["carol"]: "write"}
    controlled.repository.roles[erin.id] = "write"
    told = ask()
    assert (told.code, told.wrong()) == (0, {})
    assert "both: carol, dave, owners of the foundation" in told.why("control-writers")
    controlled.control.roles[ids["alice"]] = "maintain"
    told = ask()
    assert (told.code, told.wrong()) == (1, {"control-writers": "different"})
    assert told.why("control-writers").endswith("daypass.yaml: alice")
    controlled.control.roles[ids["alice"]] = "read"
    assert ask().code == 0
    # Of a team that is pinned by another id nobody is known.
    named = settings(controlled.github, controlled.repository, controlled.control)
    controlled.bring({SETTINGS_PATH: named + b"  teams: {security: 4711}\n"})
    assert (ask().code, ask().wrong()) == (7, {"control-writers": "not visible"})


@pytest.mark.parametrize("name", ["access", "control"])
@pytest.mark.usefixtures("controlled")
def test_a_list_of_no_collaborators_is_not_visible(
    ask: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pages = Transport.pages

    def shown(self: Transport, path: str, *more: Any) -> Iterator[Any]:
        found = pages(self, path, *more)
        return iter(()) if path.startswith(f"/repos/acme/{name}/collaborators") else found

    monkeypatch.setattr(Transport, "pages", shown)
    assert (ask().code, ask().wrong()) == (7, {"control-writers": "not visible"})


def test_words_for_people_and_a_group_that_is_unknown(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    house.repository.rules.code_owners = False
    dave = house.people["dave"]
    monkeypatch.setenv("GH_TOKEN", dave.token.reveal())
    monkeypatch.setenv("GH_HOST", urlsplit(house.github.server_url).netloc)
    assert main(["-C", str(dave.clone), "doctor", "github"]) == 1
    out = capsys.readouterr().out
    assert WORDS in " ".join(out.split())
    assert [line for line in out.splitlines() if len(line) > 80 and line[:15].strip()] == []
    assert "missing      acme/access main: no code owner has to approve" in out
    assert main(["-C", str(dave.clone), "doctor", "vault"]) == 2
    assert "daypass doctor github" in capsys.readouterr().err
    monkeypatch.setattr("daypass.adapters.github.person.person_token", lambda _: None)
    assert main(["-C", str(dave.clone), "doctor", "github"]) == 1
    assert "there is no GitHub token" in capsys.readouterr().err.lower().replace("github", "GitHub")


@pytest.mark.parametrize(("token", "alone"), [("", 2), ("a-token", 1)])
def test_without_vault_githubs_half_is_said_all_the_same(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    token: str,
    alone: int,
) -> None:
    dave = house.people["dave"]
    monkeypatch.setenv("HOME", str(tmp_path))  # no token of a log-in either
    monkeypatch.setenv("VAULT_TOKEN", token)
    monkeypatch.setenv("VAULT_ADDR", ADDRESS)
    monkeypatch.delenv("BAO_TOKEN", raising=False)
    monkeypatch.setenv("GH_TOKEN", dave.token.reveal())
    monkeypatch.setenv("GH_HOST", urlsplit(house.github.server_url).netloc)
    words = ["-C", str(dave.clone), "doctor"]
    assert main(words) == alone
    out = " ".join(capsys.readouterr().out.split())
    assert "not visible the bot's runs, by Vault: " in out
    assert "proved at GitHub" in out
    house.repository.rules.code_owners = False
    assert main([*words, "--format", "json"]) == 1  # the worse of the two
    told = json.loads(capsys.readouterr().out)
    assert told["github"]["proved"] is False
    assert told["wrong"][0].startswith("the bot's runs, by Vault: ")
    assert main([*words, "runs"]) == alone
    assert capsys.readouterr().err.startswith("error: ")
