"""Rules about where files lie, and about what a pull request may change."""

from __future__ import annotations

from typing import Final

from daypass.documents.rule import Rule

TREE_RULES: Final = (
    Rule(
        "tree-mode",
        "Only plain files: a link or a submodule shows a reviewer one thing and a reader another.",
        "100644 access/requests/alice-1.yaml",
        "120000 access/requests/alice-1.yaml -> ../../elsewhere.yaml",
    ),
    Rule(
        "tree-path",
        "A path can be checked out everywhere: one that cannot ends everybody's `git checkout`.",
        "docs/orders.md",
        "docs/nnnnn….md  # 300 bytes",
    ),
    Rule(
        "tree-place",
        "Every file in access/ is where its kind belongs; a misplaced policy would not count.",
        "access/policies/production.yaml",
        "access/policies/old/production.yaml",
    ),
    Rule(
        "tree-ending",
        "Documents end in .yaml, records in .json; others would not be read.",
        "access/policies/production.yaml",
        "access/policies/production.yml",
    ),
    Rule(
        "tree-name",
        "A file's stem is a name: 1 to 63 of a-z, 0-9 and -.",
        "access/requests/alice-1.yaml",
        "access/requests/Alice_1.yaml",
    ),
    Rule(
        "tree-case",
        "No two names that differ only by case: on some systems they are one file.",
        "schemas/a.schema.json\nschemas/b.schema.json",
        "schemas/a.schema.json\nschemas/A.schema.json",
    ),
    Rule(
        "schema-release",
        "The schemas that editors use are those that daypass judges by.",
        "schemas/resource.schema.json  # as released",
        "schemas/resource.schema.json  # edited",
    ),
    Rule(
        "change-mixed",
        "Requests are not changed together with what decides about them: whoever asks must not "
        "change the rules on the way.",
        "A access/requests/alice-1.yaml",
        "A access/requests/alice-1.yaml\nM access/policies/production.yaml",
    ),
    Rule(
        "change-emergencies",
        "A pull request of the emergency lane holds one request: each is answered for by itself.",
        "A access/break-glass/alice-1.yaml",
        "A access/break-glass/alice-1.yaml\nA access/break-glass/alice-2.yaml",
    ),
    Rule(
        "change-number",
        "A pull request asks for no more requests than the settings allow (25 by default); it may "
        "delete any number.",
        "D access/requests/alice-1.yaml  # and 499 others",
        "A access/requests/alice-1.yaml  # and 25 others",
    ),
    Rule(
        "change-record",
        "Only the bot writes grants and obligations.",
        "D access/requests/alice-1.yaml  # ends the grant",
        "M access/grants/alice-1.json",
    ),
    Rule(
        "change-live-request",
        "A request on the base branch stays as it was approved; it can only be deleted.",
        "A access/requests/alice-2.yaml  # renews: alice-1",
        "M access/requests/alice-1.yaml",
    ),
    Rule(
        "change-renamed-request",
        "A request keeps its name: a new name ends one grant and asks for another.",
        "A access/requests/alice-2.yaml",
        "R access/requests/alice-1.yaml -> access/requests/alice-2.yaml",
    ),
    Rule(
        "change-retention",
        "How long evidence is kept can be lengthened; shortened only when none is that young.",
        "retention: 400d -> 800d",
        "retention: 400d -> 30d  # with an event of last week",
    ),
    Rule(
        "change-signers",
        "A key stays among the allowed signers as long as its evidence is to be kept.",
        "M access/allowed_signers  # a new line, and valid-before= on the old one",
        "M access/allowed_signers  # without the line of last month's key",
    ),
    Rule(
        "change-co-author",
        "Commits name co-authors by addresses that GitHub knows, or that the settings list as "
        "machines': else an approver could be one of them, and no approval counts. A notice where "
        "only GitHub can tell.",
        "Co-authored-by: Bob <4711+bob@users.noreply.github.com>",
        "Co-authored-by: Bob",
    ),
    Rule(
        "settings-co-author",
        "No address that GitHub gives to people's accounts is listed as a machine's.",
        "machineCoAuthors: [noreply@assistant.example]",
        "machineCoAuthors: [4711+bob@users.noreply.github.com]",
    ),
    Rule(
        "settings-vault-name",
        "No two things that the settings name would be one in Vault: JWT roles and their policies, "
        "a role and a part of the other's policy, mounts, keys.",
        "commandsRole: daypass-commands",
        "commandsRole: daypass-apply-2  # a part of the policy of applyRole has that name",
    ),
    Rule(
        "signers-unreadable",
        "Each line of the allowed signers can be read: a list with a slip changes nothing.",
        'daypass@example.com namespaces="git" ssh-ed25519 AAAA…',
        "daypass@example.com AAAA…  # no key type",
    ),
)
