"""Parts of the box's GitHub that need neither network nor git."""

from __future__ import annotations

import pytest

from daypass.errors import SandboxError
from daypass.sandbox.github.accounts import Clock, Credential, Directory
from daypass.sandbox.github.faults import Fault, Faults
from daypass.sandbox.github.git_store import _parse_changes, _parse_commit
from daypass.sandbox.github.routing import Answer, Call, RefusalError, Routes
from daypass.sandbox.process import clean_environment


@pytest.fixture
def directory() -> Directory:
    return Directory(Clock())


def test_a_commit_address_finds_its_account(directory: Directory) -> None:
    alice = directory.add("alice", emails=["alice@acme.example"])
    assert directory.by_email("alice@acme.example") is alice
    assert directory.by_email(f"{alice.id}+anything@users.noreply.github.com") is alice
    assert directory.by_email("alice@users.noreply.github.com") is None
    directory.delete(alice)
    assert directory.by_email("alice@acme.example") is None


def test_ids_are_never_given_twice(directory: Directory) -> None:
    ids = [directory.new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000


def test_a_deleted_accounts_tokens_end(directory: Directory) -> None:
    alice, bob = directory.add("alice"), directory.add("bob")
    hers, his = (directory.issue(Credential(item), "ghp") for item in (alice, bob))
    directory.delete(alice)
    assert directory.resolve(hers.reveal()) is None
    assert directory.resolve(his.reveal()) is not None


@pytest.mark.parametrize(
    ("held", "wanted", "allowed"),
    [("read", "read", True), ("read", "write", False), ("write", "read", True)],
)
def test_permissions_have_levels(
    directory: Directory, held: str, wanted: str, allowed: bool
) -> None:
    credential = Credential(directory.add("app[bot]", "Bot"), {"contents": held})
    assert credential.allows("contents", wanted) is allowed
    assert credential.allows("issues", "read") is False


def test_a_fault_is_used_up_and_fits_only_its_path() -> None:
    import re  # noqa: PLC0415  -- one pattern

    faults = Faults()
    faults.add(Fault("GET", re.compile("/pulls/"), 500, 2, {}, after=False))
    assert faults.take("POST", "/pulls/1") is None
    assert faults.take("GET", "/issues/1") is None
    assert [faults.take("GET", "/pulls/1") is not None for _ in range(3)] == [True, True, False]


def test_routes_tell_numbers_from_names() -> None:
    routes = Routes()

    @routes.add("GET", "/repos/{owner}/{repo}/issues/{number}")
    def issue(call: Call) -> Answer:
        return Answer(call.path)

    route, parameters = routes.find("GET", "/repos/acme/access/issues/7")
    assert (route.handler, parameters["number"]) == (issue, "7")
    for path in ("/repos/acme/access/issues/comments", "/repos/acme/issues/7", "/"):
        with pytest.raises(RefusalError):
            routes.find("GET", path)


def test_a_refusal_is_one_of_daypasss_errors() -> None:
    error = RefusalError(404, "Not Found")
    assert isinstance(error, SandboxError)
    assert error.remedy


def test_a_commit_is_read_as_git_writes_it() -> None:
    raw = (
        "tree 1111111111111111111111111111111111111111\n"
        "parent 2222222222222222222222222222222222222222\n"
        "author Ann <with> Brackets <a@example.com> 1700000000 +0100\n"
        "committer C <c@example.com> 1700000001 +0000\n"
        "gpgsig -----BEGIN SSH SIGNATURE-----\n abc\n -----END SSH SIGNATURE-----\n"
        "\nSubject\n\nBody\n"
    )
    commit = _parse_commit("3" * 40, raw)
    assert commit.author.email == "a@example.com"
    assert commit.signature is not None
    assert commit.signature.splitlines()[1] == "abc"
    assert commit.message == "Subject\n\nBody"


def test_changes_are_read_with_renames_binaries_and_odd_names() -> None:
    zero, one, two = "0" * 40, "1" * 40, "2" * 40
    listed = (
        f":000000 100644 {zero} {one} A\0new\tname\n.txt\0"
        f":100644 000000 {one} {zero} D\0gone\0"
        f":100644 100644 {one} {two} R090\0old\0moved\0"
        "1\t0\tnew\tname\n.txt\0" + "0\t3\tgone\0" + "-\t-\t\0old\0moved\0"
    )
    added, removed, renamed = _parse_changes(listed)
    assert (added.path, added.additions) == ("new\tname\n.txt", 1)
    assert (removed.status, removed.blob) == ("removed", one)
    assert (renamed.path, renamed.previous_path, renamed.additions) == ("moved", "old", 0)


def test_a_server_inherits_nothing_of_the_persons_environment(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "canary")
    monkeypatch.setenv("https_proxy", "canary")
    assert "canary" not in clean_environment(tmp_path).values()
