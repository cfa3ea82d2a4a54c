"""Differences: what `vault apply` and `vault doctor` say of a change, old → new."""

from __future__ import annotations

from daypass.adapters.vault.differences import field_differences, policy_differences


def test_each_bound_field_is_shown_old_and_new() -> None:
    actual = {
        "bound_audiences": ["a"],
        "bound_claims": {"ref": "refs/heads/main", "environment": "x", "repository_id": "1"},
        "token_policies": ["p"],
        "token_period": None,
    }
    wanted = {
        "bound_audiences": ["b"],
        "bound_claims": {"ref": "refs/heads/main", "repository_id": "2", "job_workflow_ref": "w"},
        "token_policies": ["p", "q"],
        "token_period": 0,  # Vault writes nothing as it likes
    }
    assert field_differences(actual, wanted) == (
        'bound_audiences: ["a"] → ["b"]',
        (
            'bound_claims (environment: "x" → nothing, job_workflow_ref: nothing → "w", '
            'repository_id: "1" → "2")'
        ),
        'token_policies: ["p"] → ["p", "q"]',
    )


def test_what_a_policy_allows_is_shown_by_path() -> None:
    before = '# t\npath "a" {\n  capabilities = ["read"]\n}\npath "b" { capabilities = ["list"] }\n'
    after = '# other\npath "a" {\n  capabilities = ["sudo"]\n}\n\npath "c" {\n}\n'
    assert policy_differences(before, after) == (
        'its text differs: path "a": { capabilities = ["read"] } → { capabilities = ["sudo"] }; '
        'path "b": { capabilities = ["list"] } → nothing; path "c": nothing → { }'
    )
    assert policy_differences(before, f"# more\n{before}") == "its text differs, in its comments"
