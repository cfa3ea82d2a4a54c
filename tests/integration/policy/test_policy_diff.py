"""`daypass plan --policy-diff`: what a change of policies would have decided otherwise."""

from __future__ import annotations

import pytest

from daypass.sandbox.box import Box
from support import acting
from support.town import Town

POLICY = "access/policies/databases.yaml"
SETTINGS = "access/daypass.yaml"
ALICE = "access/identities/alice.yaml"
RESOURCE = "access/resources/orders-db.yaml"


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    with Box.create(tmp_path_factory.mktemp("box") / "box") as box:
        box.vault_bootstrap()
        town = Town(box)
        town.grant("lives", duration="4h")
        town.grant("no-ticket", approvers=(), duration="1h")
        town.grant("too-long", duration="8h", approvers=())
        assert town.refuse().code == 0
        assert town.events("no-ticket") == ["denied"]
        yield town


class Draft:
    """alice's clone with a commit that changes documents, as the check of her PR sees it."""

    def __init__(self, town: Town, *edits: tuple[str, str, str]) -> None:
        self.alice = town.box.person("alice")
        self.alice.git("fetch", "-q")
        self.alice.git("checkout", "-q", "-B", "draft", "origin/main")
        for path, old, new in edits:
            file = self.alice.clone / path
            text = file.read_text()
            assert old in text
            file.write_text(text.replace(old, new))
        self.alice.git("commit", "-q", "-a", "--allow-empty", "-m", "Draft")

    def plan(self, *words: str, **environment: str):
        command = ("plan", "--policy-diff", "origin/main", *words)
        return acting.daypass(self.alice, *command, **environment)


def test_nothing_changed_nothing_is_said(town, tmp_path):
    summary = tmp_path / "summary"
    done = Draft(town).plan("--format", "github", GITHUB_STEP_SUMMARY=str(summary))
    assert done.code == 0, done.said
    assert done.stdout.startswith("nothing that decides differs")
    assert not summary.exists()


def test_a_shorter_time_ends_what_is_live_and_shortens_what_was_given(town):
    done = Draft(town, (POLICY, "maxDuration: 8h", "maxDuration: 1h")).plan("--format", "json")
    assert done.code == 0, done.said
    found = done.json()
    assert found["changed"] == [POLICY]
    assert (found["live"], found["decided"], found["unreadable"]) == (1, 3, 0)
    turns = {(item["grant"], item["kind"]): item for item in found["otherwise"]}
    assert set(turns) == {("lives", "live"), ("lives", "issued")}
    issued = turns["lives", "issued"]
    assert (issued["before"]["seconds"], issued["after"]["seconds"]) == (14400, 3600)
    assert not any(item["loosens"] for item in found["otherwise"])


def test_a_new_demand_ends_what_does_not_meet_it(town):
    demand = "  require: {ticket: 'OPS-[0-9]+'}\n  approvals:"
    done = Draft(town, (POLICY, "  approvals:", demand)).plan()
    assert done.code == 0, done.said
    assert "live lives (read on orders-db for alice): permit for 3h 5" in done.stdout
    assert "databases/ticket: a ticket that matches OPS-[0-9]+; none is given" in done.stdout
    assert "1 of 1 live grants and 1 of the last 3 decisions would come out otherwise" in (
        done.stdout
    )


def test_loosening_is_a_warning_and_stands_in_the_summary(town, tmp_path):
    """The resource and the policy ask for nobody of a group that must approve: denied → …"""
    summary = tmp_path / "summary"
    draft = Draft(
        town,
        (POLICY, "maxDuration: 8h", "maxDuration: 9h"),
        (RESOURCE, "recording: none", "recording: none\n  labels: {}"),
    )
    broken = draft.plan("--format", "github", GITHUB_STEP_SUMMARY=str(summary))
    assert broken.code == 3  # `labels` does not belong there: wrong documents decide nothing

    tight = (POLICY, "maxDuration: 8h", "maxDuration: 1h")
    draft = Draft(town, tight)
    draft.alice.git("checkout", "-q", "-B", "loose", "draft")
    (draft.alice.clone / POLICY).write_text(
        (draft.alice.clone / POLICY).read_text().replace("maxDuration: 1h", "maxDuration: 8h")
    )
    draft.alice.git("commit", "-q", "-a", "-m", "Loosen")
    done = acting.daypass(
        draft.alice,
        *("plan", "--policy-diff", "draft", "--format", "github"),
        GITHUB_STEP_SUMMARY=str(summary),
    )
    assert done.code == 0, done.said
    assert "::warning title=daypass%3A this change loosens::issued lives" in done.stdout
    text = summary.read_text()
    assert ":warning: looser" in text
    assert "permit for 1h" in text


def test_who_may_again_and_a_team_that_nobody_asked_about_count_as_looser(town, tmp_path):
    """Suspended at the base, active at the head; and a permit for a team that is new."""
    asks = (POLICY, "  match:\n", "  match:\n    subjects: {names: [bob]}\n")
    draft = Draft(town, asks, (ALICE, "status: active", "status: suspended"))
    draft.alice.git("branch", "-f", "stricter")
    policy, alice, pins = (draft.alice.clone / path for path in (POLICY, ALICE, SETTINGS))
    pins.write_text(pins.read_text().replace("  teams:\n", "  teams:\n    new-here: 4711\n"))
    alice.write_text(alice.read_text().replace("status: suspended", "status: active"))
    text = policy.read_text()
    policy.write_text(text.replace("{names: [bob]}", '{groups: ["team:new-here"]}'))
    draft.alice.git("commit", "-q", "-a", "-m", "Loosen")
    summary = tmp_path / "summary"
    command = ("plan", "--policy-diff", "stricter")
    done = acting.daypass(
        draft.alice, *command, "--format", "github", GITHUB_STEP_SUMMARY=str(summary)
    )
    assert done.code == 0, done.said
    assert "may widen identity alice: status: suspended → active" in done.stdout
    assert "may widen policy databases: match.subjects.groups: adds team:new-here" in done.stdout
    assert "::warning title=daypass%3A this change may widen::identity alice" in done.stdout
    not_known = "who belonged to team:new-here was not asked then"
    assert f"not known, and counts as looser: {not_known}" in done.stdout
    assert "not known, and counts as looser: who belonged" in summary.read_text()
    found = acting.daypass(draft.alice, *command, "--format", "json").json()
    turns = {(item["grant"], item["kind"]): item for item in found["otherwise"]}
    assert all(item["loosens"] for item in turns.values())
    assert turns["lives", "live"]["notKnown"] == turns["lives", "issued"]["notKnown"] == [not_known]
    assert "settings: teams.new-here: none → 4711" in found["widens"]


def test_a_group_of_the_settings_that_changes_is_a_change_of_policy(town):
    """alice leaves `readers`, which the policy is about; whom a team holds nobody can tell here."""
    asks = (POLICY, "  match:\n", "  match:\n    subjects: {groups: [readers]}\n")
    draft = Draft(town, asks, (SETTINGS, "  groups:\n", "  groups:\n    readers: [alice, bob]\n"))
    draft.alice.git("branch", "-f", "readers")
    assert "0 of 1 live grants" in draft.plan().stdout
    file = draft.alice.clone / SETTINGS
    file.write_text(file.read_text().replace("readers: [alice, bob]", "readers: [bob]"))
    draft.alice.git("commit", "-q", "-a", "-m", "alice leaves")
    done = acting.daypass(draft.alice, "plan", "--policy-diff", "readers")
    assert "1 of 1 live grants" in done.stdout, done.said


def test_so_many_decisions_and_no_more(town):
    shorter = (POLICY, "maxDuration: 8h", "maxDuration: 1h")
    found = Draft(town, shorter).plan("--last", "1", "--format", "json").json()
    assert found["decided"] == 1
    assert Draft(town, shorter).plan("--last", "0", "--format", "json").json()["decided"] == 0


def test_what_a_requester_wrote_into_a_commit_is_no_decision(town):
    """Trailers without the bot's signature are text."""
    draft = Draft(town, (POLICY, "maxDuration: 8h", "maxDuration: 1h"))
    digest = "sha256:" + "0" * 64
    forged = (
        'Deny: x\n\n    {"version": 1}\n\nDaypass-Event: denied\nDaypass-Grant: x\n'
        f"Daypass-Decision: deny {digest}\n"
    )
    draft.alice.git("commit", "-q", "--allow-empty", "-m", forged)
    signing = ("gpg.format=ssh", f"user.signingkey={draft.alice.ssh_key}")
    options = [word for setting in signing for word in ("-c", setting)]
    draft.alice.git(*options, "commit", "-q", "-S", "--allow-empty", "-m", forged)
    assert draft.plan("--format", "json").json()["decided"] == 3
