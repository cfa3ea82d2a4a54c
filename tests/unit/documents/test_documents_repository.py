"""A whole tree: what loads, what does not, and that order never matters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from documents_world import (
    DEPLOYER_PATH,
    GRANT,
    POLICY,
    POLICY_PATH,
    REQUEST,
    REQUEST_PATH,
    RESOURCE,
    RESOURCE_PATH,
    SETTINGS_PATH,
    SOUND,
    entries,
    findings_of,
    human,
)
from hypothesis import given
from hypothesis import strategies as st

from daypass.documents.blob import blob_id
from daypass.documents.records import MAX_BYTES, load_grant
from daypass.documents.repository import check_request, load_catalogue, load_request
from daypass.errors import DocumentError, ExitCode
from daypass.model.canonical import digest
from daypass.model.grant import Grant

if TYPE_CHECKING:
    from daypass.model.catalogue import Catalogue


def _load(files: dict[str, str], modes: dict[str, str] | None = None) -> Catalogue:
    blobs = {blob_id(text.encode()): text.encode() for text in files.values()}
    return load_catalogue(entries(files, modes), lambda ids: {blob: blobs[blob] for blob in ids})


def test_the_catalogue_of_a_sound_tree() -> None:
    catalogue = _load(SOUND)
    assert set(catalogue.resources) == {"orders"}
    assert set(catalogue.identities) == {"alice", "bob", "deployer"}
    assert catalogue.settings.github.owner == "acme"
    documents = {name: dict(policy.document) for name, policy in catalogue.policies.items()}
    assert catalogue.policy_digest == digest(documents)


def test_requests_and_records_do_not_matter_to_the_catalogue() -> None:
    broken = {**SOUND, REQUEST_PATH: "{", "access/grants/x.json": "{"}
    assert _load(broken) == _load(SOUND)


@given(st.permutations(sorted(SOUND)))
def test_the_order_of_entries_never_matters(order: list[str]) -> None:
    blobs = {blob_id(text.encode()): text.encode() for text in SOUND.values()}
    by_path = {entry.path: entry for entry in entries(SOUND)}
    catalogue = load_catalogue(
        [by_path[path] for path in order], lambda ids: {i: blobs[i] for i in ids}
    )
    assert catalogue == _load(SOUND)


@pytest.mark.parametrize(
    ("files", "rule"),
    [
        ({SETTINGS_PATH: None}, "settings-missing"),
        ({SETTINGS_PATH: "{"}, "yaml-syntax"),
        ({POLICY_PATH: POLICY.replace("effect: permit", "effect: allow")}, "schema-enum"),
        ({"access/identities/bob.yaml": human("bob", 11)}, "identity-account-twice"),
        # A guard must not vanish because it was renamed or moved.
        ({"access/policies/guard.yml": POLICY}, "tree-ending"),
        ({"access/policies/old/guard.yaml": POLICY}, "tree-place"),
    ],
)
def test_what_no_decision_may_rest_on_does_not_load(
    files: dict[str, str | None], rule: str
) -> None:
    whole = {path: text for path, text in {**SOUND, **files}.items() if text is not None}
    with pytest.raises(DocumentError) as caught:
        _load(whole)
    assert [finding.rule for finding in findings_of(caught.value)] == [rule]
    assert caught.value.exit_code is ExitCode.DOCUMENT


def test_a_link_in_place_of_a_policy_does_not_load() -> None:
    with pytest.raises(DocumentError) as caught:
        _load(SOUND, {POLICY_PATH: "120000"})
    assert [finding.rule for finding in findings_of(caught.value)] == ["tree-mode"]


def test_what_is_named_in_vain_still_loads() -> None:
    # Else an owner who leaves would stop the bot, which must go on to end what is over.
    catalogue = _load(
        {**SOUND, RESOURCE_PATH: RESOURCE.replace("groups: [dba]", "groups: [nobody]")}
    )
    assert catalogue.resources["orders"].approvers.groups == ("nobody",)
    gone = SOUND[DEPLOYER_PATH].replace("alice", "zoe")
    assert "deployer" in _load({**SOUND, DEPLOYER_PATH: gone}).identities


def test_a_request_by_itself_and_against_the_catalogue() -> None:
    catalogue = _load(SOUND)
    request = load_request(REQUEST_PATH, REQUEST.encode())
    assert check_request(request, catalogue) == ()
    wrong = load_request(REQUEST_PATH, REQUEST.replace("read", "admin").encode())
    (finding,) = check_request(wrong, catalogue)
    assert (finding.rule, finding.place) == ("reference-level", REQUEST_PATH)
    assert "read" in finding.remedy
    with pytest.raises(DocumentError):
        load_request(RESOURCE_PATH, RESOURCE.encode())


@pytest.mark.parametrize("path", ["access/break-glass/alice-1.yaml", "elsewhere/alice-1.yaml"])
def test_what_this_release_does_not_read_is_refused(path: str) -> None:
    with pytest.raises(DocumentError):
        load_request(path, REQUEST.encode())


def test_a_record_is_read_back_as_it_was_written() -> None:
    grant = load_grant("access/grants/alice-1.json", GRANT.encode())
    assert isinstance(grant, Grant)
    assert load_grant("access/grants/alice-1.json", grant.to_bytes()) == grant


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b"x" * (MAX_BYTES + 1),
        GRANT.replace("0" * 64, "0" * 63, 1).encode(),
        GRANT.replace('"alice-1"', '"alice-2"', 1).encode(),
        GRANT.replace('"accountId": 11', '"accountId": 11, "accountId": 12').encode(),
        GRANT.replace('"accountId": 11', '"accountId": NaN').encode(),
        GRANT.replace('"accountId": 11', '"accountId": 99999999999999999999').encode(),
        GRANT.replace('"accountId": 11', f'"accountId": {"9" * 5000}').encode(),
        GRANT.replace("T11:00:00Z", "T11:00:00Z\\n").encode(),
        GRANT.replace('"notAfter": "2026-11-23T11:00:00Z",', "").encode(),
        GRANT.replace("T11:00:00Z", "T25:00:00Z").encode(),
        GRANT.replace("alice", "al\u202eice", 1).encode(),
    ],
    ids=range(16),
)
def test_a_record_that_the_bot_did_not_write_is_refused(data: bytes) -> None:
    with pytest.raises(DocumentError) as caught:
        load_grant("access/grants/alice-1.json", data)
    assert findings_of(caught.value)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_grant_or_a_document_error(data: bytes) -> None:
    with pytest.raises(DocumentError):
        load_grant("access/grants/alice-1.json", data)
