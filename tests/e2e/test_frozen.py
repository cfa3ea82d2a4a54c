"""While main is frozen, approved changes that take access away still rule, and no others do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daypass.model.names import FOUNDATION_PATHS
from daypass.sandbox.box import Box
from support import acting
from support.town import Asked, Town

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = "access/daypass.yaml"
ORDERS = "access/resources/orders-db.yaml"
POLICY = "access/policies/databases.yaml"
GUARD = "access/policies/guard.yaml"
GUARDS = b"""\
apiVersion: daypass.dev/v1
kind: AccessPolicy
metadata: {name: guard}
spec:
  description: Reading is over.
  effect: guard
  enforcement: enforce
  match: {resources: {types: [database]}}
  rules:
    - {name: over, expression: "request.access != 'read'", message: reading is over}
"""
BROKEN = b"kind: [\n"


def identity(name: str) -> str:
    return f"access/identities/{name}.yaml"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with Box.create(tmp_path_factory.mktemp("box")) as box:
        box.vault_bootstrap()
        yield Town(box)


@pytest.fixture
def town(shared: Town) -> Iterator[Town]:
    """The town, thawed: main's documents are put back afterwards, and an operator trusts them."""
    done = shared.apply()
    assert done.code == 0, done.said
    good = documents(shared)
    yield shared
    now = documents(shared)
    changed = {path for path in good.keys() | now.keys() if good.get(path) != now.get(path)}
    if changed:
        blob = shared.store.git
        undo = {
            path: blob("cat-file", "blob", good[path]).encode() if path in good else None
            for path in changed
        }
        shared.push_straight(undo)
    path = "daypass/data/daypass/notes/trust"
    shared.box.bao.client.write(path, {"data": {"commit": shared.head()}})


def documents(town: Town) -> dict[str, str]:
    """What decisions rest on, as it is on main: path → blob."""
    listed = town.store.git("ls-tree", "-r", "-z", "main", *FOUNDATION_PATHS).split("\0")
    rows = (line.partition("\t") for line in listed if line)
    return {path: entry.split()[2] for entry, _, path in rows}


def granted(town: Town, *names: str, **spec: str) -> list[Asked]:
    asked = [town.grant(name, **{"duration": "1h", **spec}) for name in names]
    done = town.apply()
    assert done.code == 0, done.said
    assert all(town.events(name) == ["issued"] for name in names)
    return asked


def approved(town: Town, name: str, changes: dict[str, bytes | None]) -> None:
    """A change of what decisions rest on, approved by its owners and merged."""
    carol = town.box.person("carol")
    number = carol.propose(name, changes, name)
    town.merge(Asked(name, number, carol), approvers=("dave",))


def replaced(town: Town, path: str, old: str, new: str) -> dict[str, bytes | None]:
    text = town.store.git("show", f"main:{path}")
    assert old in text
    return {path: text.replace(old, new).encode()}


def leaves(town: Town, name: str, status: str = "offboarded") -> dict[str, bytes | None]:
    return replaced(town, identity(name), "status: active", f"status: {status}")


def ended(town: Town, name: str, reason: str) -> None:
    assert town.events(name) == ["issued", "revoked"]
    assert f"Daypass-Reason: {reason}\n" in town.message(name, "revoked")
    assert town.live_tokens(name) == []


def test_no_plan_says_ready_while_main_is_frozen(town: Town) -> None:
    asked = town.ask("frozen-plan")
    town.box.person("bob").approve(asked.number)
    town.push_straight({GUARD: GUARDS, "access/grants/forged.txt": b"{}"})
    with acting.job(town.box, "schedule") as job:
        done = job.daypass("plan", "--open", "--comment")
    said = "".join(item["body"] for item in asked.who.comments(asked.number)).replace("\\", "")
    for text in (done.stdout, said):
        assert "nothing is granted while main is frozen" in text, text
        assert "it came by no merged pull request" in text
        assert "access/grants/forged.txt was changed by hand" in text
        assert "approved" in text
        assert "ready" not in text
    asked.who.close(asked.number)
    town.apply()  # puts the records right


def test_the_doctor_fails_while_main_is_frozen(town: Town) -> None:
    made = town.box.bao.client.write("auth/token/create", {"policies": ["daypass-monitor"]})
    token = made["auth"]["client_token"]

    def doctor() -> acting.Done:
        return acting.daypass(town.box.person("carol"), "doctor", "runs", BAO_TOKEN=token)

    assert doctor().code == 0
    town.push_straight({POLICY: BROKEN})
    assert town.apply().code == 5
    done = doctor()
    assert done.code == 1, done.said
    assert "wrong  frozen." in done.stdout
    assert "came by no pull request" in done.stdout or POLICY in done.stdout


UNPROVEN: dict[str, dict[str, bytes | None]] = {
    "settings-broken": {SETTINGS: BROKEN},
    "settings-gone": {SETTINGS: None},
    "identity-broken": {identity("mallory"): BROKEN},
    "the-same-identity-gone": {identity("alice"): None},
    "policy-broken": {POLICY: BROKEN},
    "policy-gone": {POLICY: None},
    "resource-broken": {ORDERS: BROKEN},
    "bad-name": {"access/identities/Not A Name.yaml": BROKEN},
    "nothing-but-a-workflow": {".github/workflows/other.yml": b"on: push\n"},
}


@pytest.mark.parametrize("kind", UNPROVEN)
def test_an_approved_offboarding_stands_whatever_comes_after_it(town: Town, kind: str) -> None:
    """Before any run looks, a person pushes past the rules; others keep what they hold."""
    name, other = f"after-{kind}", f"after-{kind}-other"
    granted(town, name)
    granted(town, other, by="bob", approvers=("carol",))
    approved(town, f"bye-{kind}", leaves(town, "alice"))
    trusted = town.head()
    town.push_straight(UNPROVEN[kind])
    done = town.apply()
    assert done.code == 5, done.said
    ended(town, name, "offboarded")
    assert town.events(other) == ["issued"], "what is not proven takes nothing away"
    assert trust(town) == trusted
    town.delete(other, by="bob")


@pytest.mark.parametrize("kind", ["settings-broken", "policy-gone"])
def test_an_approved_offboarding_rules_that_comes_later(town: Town, kind: str) -> None:
    name, other = f"before-{kind}", f"before-{kind}-other"
    granted(town, name)
    granted(town, other, by="bob", approvers=("carol",))
    trusted = trust(town)
    change = leaves(town, "alice")
    town.push_straight(UNPROVEN[kind])
    approved(town, f"later-{kind}", change)
    hoped = town.grant(f"hoped-{kind}", by="bob", approvers=("carol",), duration="1h")
    done = town.apply()
    assert done.code == 5, done.said
    ended(town, name, "offboarded")
    assert town.events(other) == ["issued"]
    assert town.events(hoped.id) == []
    assert trust(town) == trusted, "the note never passes what is not proven"
    town.delete(other, by="bob")
    town.delete(hoped.id, by="bob")


def trust(town: Town) -> str:
    found = town.box.bao.client.read("daypass/data/daypass/notes/trust")
    commit: str = found["data"]["data"]["commit"]
    return commit


VENDOR = (
    "type: vendor\n  vendor:\n    organisation: Example Ltd\n    sponsor: carol\n"
    "    contractEnd: '2099-01-31'"
)


def test_every_approved_taking_away_rules_on_a_broken_main(town: Town) -> None:
    """Each for its reason, with a document broken by hand before and another one after."""
    people = town.store.git("show", f"main:{identity('mallory')}").replace("type: human", VENDOR)
    guard = GUARDS.replace(b"'read'", b"'nothing'")
    approved(town, "found", {identity("mallory"): people.encode(), GUARD: guard})
    granted(town, "of-a-vendor", by="mallory", resource="orders-db")
    granted(town, "suspended", by="dave", approvers=("bob",))
    granted(town, "deleted")
    granted(town, "of-a-policy", by="bob", access="admin", approvers=("carol",))
    granted(town, "kept", by="bob", approvers=("carol",))
    vendor = replaced(town, identity("mallory"), "2099-01-31", "2026-01-31")
    tighter = guard.replace(b"'nothing'", b"'admin'")
    hold = leaves(town, "dave", "suspended")

    town.push_straight({ORDERS: BROKEN})
    approved(town, "contract", vendor)
    approved(town, "tighter", {GUARD: tighter})
    town.delete("deleted")
    approved(town, "hold", hold)
    town.push_straight({GUARD: BROKEN, identity("mallory"): None, "access/policies/x.yml": b""})
    town.merge(broken_request(town))
    done = town.apply()
    assert done.code == 5, done.said
    ended(town, "of-a-vendor", "re-evaluated")
    ended(town, "suspended", "re-evaluated")
    ended(town, "deleted", "request-deleted")
    ended(town, "of-a-policy", "re-evaluated")
    assert town.events("kept") == ["issued"]
    town.delete("kept", by="bob")


def broken_request(town: Town) -> Asked:
    who = town.box.person("alice")
    number = who.propose("odd", {"access/requests/odd.yaml": BROKEN}, "Access: odd")
    return Asked("odd", number, who)


def test_what_is_not_proven_takes_nothing_away(town: Town) -> None:
    """An offboarding, a guard against everybody and lost documents, by hand."""
    granted(town, "stays")
    trusted = trust(town)
    change = {**leaves(town, "alice"), GUARD: GUARDS, POLICY: None, ORDERS: None}
    town.push_straight(change)
    done = town.apply()
    assert done.code == 5, done.said
    assert town.events("stays") == ["issued"]
    assert trust(town) == trusted
    town.delete("stays")


def test_an_unproven_change_of_the_same_file_keeps_no_access(town: Town) -> None:
    """It came between the approval of an offboarding and its merge: main has a mixture of both."""
    granted(town, "mixed")
    carol = town.box.person("carol")
    text = town.store.git("show", f"main:{identity('alice')}")
    change = {identity("alice"): text.replace("active", "offboarded").encode()}
    number = carol.propose("bye-mixed", change, "alice leaves")
    town.box.person("dave").approve(number)
    town.push_straight({identity("alice"): (text + "# a word\n").encode()})
    carol.merge(number)
    assert "# a word" in town.store.git("show", f"main:{identity('alice')}")
    done = town.apply()
    assert done.code == 5, done.said
    ended(town, "mixed", "offboarded")


@pytest.mark.parametrize("path", [identity("alice"), GUARD], ids=["identity", "policy"])
def test_a_mode_disarms_no_approved_change(town: Town, path: str) -> None:
    """A person merges, unapproved, that a document is executable; then its change is merged."""
    kind = path.split("/")[1]
    approved(town, f"open-{kind}", {GUARD: GUARDS.replace(b"'read'", b"'nothing'")})
    granted(town, f"mode-{kind}")
    carol, mallory = town.box.person("carol"), town.box.person("mallory")
    change = leaves(town, "alice") if path != GUARD else {GUARD: GUARDS}
    number = carol.propose(f"bye-{kind}", change, "to end access")
    town.box.person("dave").approve(number)
    mallory.git("checkout", "-q", "-B", f"odd-{kind}", "origin/main")
    mallory.git("pull", "-q", "origin", "main")
    mallory.git("update-index", "--chmod=+x", path)
    mallory.git("commit", "-q", "-m", "odd")
    mallory.git("push", "-q", "origin", f"HEAD:refs/heads/odd-{kind}")
    mallory.merge(mallory.open_pull_request(f"odd-{kind}", "odd"))
    carol.merge(number)
    assert town.store.git("ls-tree", "main", path).startswith("100755")
    done = town.apply()
    assert done.code == 5, done.said
    ended(town, f"mode-{kind}", "offboarded" if path != GUARD else "re-evaluated")
    mallory.git("checkout", "-q", "-f", "main")


def test_an_offboarding_rules_that_was_made_by_hand_before_it_was_merged(town: Town) -> None:
    """Its own commit changes nothing on main, and so there is nothing that it proves."""
    granted(town, "forestalled")
    carol, change = town.box.person("carol"), leaves(town, "alice")
    number = carol.propose("bye-forestalled", change, "alice leaves")
    town.box.person("dave").approve(number)
    town.push_straight(change)
    done = town.apply()
    assert done.code == 5, done.said
    assert town.events("forestalled") == ["issued"], "it is not approved yet"
    carol.merge(number)
    done = town.apply()
    assert done.code == 5, done.said
    ended(town, "forestalled", "offboarded")


def test_an_outage_keeps_nothing_from_ending(town: Town) -> None:
    """GitHub does not tell who brought an approved change: that waits, and the rest ends."""
    granted(town, "outage-deleted")
    granted(town, "outage-left", by="bob", approvers=("carol",))
    approved(town, "bye-outage", leaves(town, "bob"))
    town.delete("outage-deleted")
    hoped = town.grant("outage-hoped", duration="1h", approvers=("carol",))
    town.box.github.fail_next("GET", "/commits/[0-9a-f]+/pulls", 503, times=10_000)
    try:
        done = town.apply()
    finally:
        town.box.github.heal()
    assert done.code == 5, done.said
    assert "it is not known who brought" in done.said
    ended(town, "outage-deleted", "request-deleted")
    assert town.events("outage-left") == ["issued"]
    assert town.events(hoped.id) == []
    done = town.apply()
    assert done.code == 0, done.said
    ended(town, "outage-left", "offboarded")
    assert town.events(hoped.id) == ["issued"]


def test_nothing_unproven_comes_back_in_an_approved_change_on_top_of_it(town: Town) -> None:
    """An offboarding undone by hand, then an approved change of the file that carries it along."""
    granted(town, "carried")
    text = town.store.git("show", f"main:{identity('alice')}")
    approved(town, "bye-carried", leaves(town, "alice"))
    town.push_straight({identity("alice"): text.encode()})
    approved(town, "comment", {identity("alice"): (text + "# a word\n").encode()})
    done = town.apply()
    assert done.code == 5, done.said
    ended(town, "carried", "offboarded")


def test_an_approved_offboarding_rules_that_a_merge_by_hand_left_out(town: Town) -> None:
    """Its first parent is main as it was; main's own line shows nothing of what is left out."""
    granted(town, "left-out")
    mallory, before = town.box.person("mallory"), town.head()
    approved(town, "bye-left-out", leaves(town, "alice"))
    mallory.git("fetch", "-q", "origin")
    words = ("-p", before, "-p", town.head(), "-m", "Merge main")
    merge = mallory.git("commit-tree", f"{before}^{{tree}}", *words).strip()
    town.push_to_main(merge, by="mallory")
    done = town.apply()
    assert done.code == 5, done.said
    ended(town, "left-out", "offboarded")
