"""Rules about what a document says: its schema, its name, and what it names."""

from __future__ import annotations

from typing import Final

from daypass.documents.rule import Rule

VALUE_RULES: Final = (
    Rule(
        "document-kind",
        "A document's kind is that of its folder, and one that this release reads.",
        "access/requests/a.yaml: kind: AccessRequest",
        "access/requests/a.yaml: kind: Resource",
    ),
    Rule(
        "document-name",
        "A document's id or name is its file's stem: one name, however it is looked for.",
        "access/requests/alice-1.yaml: metadata: {id: alice-1}",
        "access/requests/alice-1.yaml: metadata: {id: alice-2}",
    ),
    Rule(
        "document-value",
        "A value that has the right form must also be possible.",
        'notBefore: "2026-12-31T23:59:59Z"',
        'notBefore: "2026-12-31T23:59:60Z"',
    ),
    Rule(
        "schema-type",
        "A value has the type that its field asks for; a string that looks like a number is "
        "quoted.",
        'ticket: "4711"',
        "ticket: 4711",
    ),
    Rule("schema-required", "What a document needs is there.", "duration: 2h", "# no duration"),
    Rule(
        "schema-unknown-field",
        "No field that is not known: a misspelt limit would be no limit.",
        "maxDuration: 8h",
        "maxDurration: 8h",
    ),
    Rule(
        "schema-enum",
        "Where the values are known, no other is written.",
        "sensitivity: high",
        "sensitivity: hihg",
    ),
    Rule(
        "schema-pattern",
        "Names, durations and ids have one form.",
        "duration: 90m",
        "duration: 90 minutes",
    ),
    Rule(
        "schema-ascii",
        "Ids and names are ASCII: letters of other scripts look just like them.",
        "subject: alice",
        "subject: \u0430lice  # begins with a Cyrillic letter",
    ),
    Rule(
        "schema-format",
        "A date or a time exists.",
        'contractEnd: "2027-01-31"',
        'contractEnd: "2027-02-31"',
    ),
    Rule(
        "schema-limit",
        "Numbers, texts and lists lie within their bounds.",
        "atLeast: 1",
        "atLeast: 0",
    ),
    Rule(
        "schema-condition",
        "What a type needs is there, and what it must not have is not: a human has an account, a "
        "job has two owners, a vendor has a sponsor.",
        "type: ci\nowners: [alice, bob]",
        "type: ci\n# no owners",
    ),
    Rule(
        "schema-value",
        "A value is what the schema says belongs there.",
        'duration: "2h"',
        'duration: "2h\\n"',
    ),
    Rule(
        "request-renews-itself",
        "An extension is a request of its own, which names the one that it continues.",
        "metadata: {id: alice-2}\nspec: {renews: alice-1}",
        "metadata: {id: alice-1}\nspec: {renews: alice-1}",
    ),
    Rule(
        "request-too-long",
        "No request is longer than its resource and the longest tier of its level allow.",
        "duration: 8h  # of a resource with maxDuration: 8h",
        "duration: 9h  # of a resource with maxDuration: 8h",
    ),
    Rule(
        "request-recipients",
        "Secrets of high and critical resources go to keys pinned in the identity, so that an "
        "account taken over receives nothing. Of other resources, too, the subject has a key that "
        "a delivery can be encrypted to.",
        "recipients: [ssh-ed25519 AAAA… alice@laptop]",
        "# no recipients, and the resource is critical",
    ),
    Rule(
        "request-environment",
        "A machine works in one environment: what it asks for belongs to the same.",
        "subject: deployer  # environment: production, as of the resource",
        "subject: deployer  # environment: staging, and the resource is of production",
    ),
    Rule(
        "break-glass-not-set-up",
        "Emergency requests are read where the settings have an emergency lane.",
        "breakGlass: {invokers: [dba], reviewers: [security], incident: INC-[0-9]+}",
        "# no breakGlass in access/daypass.yaml, and access/break-glass/alice-1.yaml",
    ),
    Rule(
        "break-glass-incident",
        "An emergency belongs to an incident, called as the settings say.",
        "incident: INC-1042  # the settings say INC-[0-9]+",
        "incident: lunch",
    ),
    Rule(
        "break-glass-drill",
        "A drill takes the whole way, and lasts a minute.",
        "drill: true\nduration: 1m",
        "drill: true\nduration: 1h",
    ),
    Rule(
        "resource-tier-twice",
        "A level has one tier of each length.",
        "tiers: {1h: orders-ro-1h, 8h: orders-ro-8h}",
        "tiers: {1h: orders-ro-1h, 60m: orders-ro-60m}",
    ),
    Rule(
        "resource-tier-too-long",
        "No tier is longer than maxDuration: Vault itself then ends every grant in time.",
        "maxDuration: 8h\ntiers: {8h: orders-ro-8h}",
        "maxDuration: 2h\ntiers: {8h: orders-ro-8h}",
    ),
    Rule(
        "resource-role-twice",
        "Each tier of each level has a Vault token role of its own: one grant never opens another.",
        "resource orders, level read; resource orders-ro, level all",
        "resource a, level b-c; resource a-b, level c  # both are daypass-a-b-c-1h",
    ),
    Rule(
        "identity-account-twice",
        "One person has one identity: nobody approves their own request by a second name.",
        "alice: {id: 1}, bob: {id: 2}",
        "alice: {id: 1}, bob: {id: 1}",
    ),
    Rule(
        "identity-entity-twice",
        "One person is one entity in Vault: what is taken offline is put down to who took it.",
        "alice: {entity: 6dc7…}, bob: {entity: 41c0…}",
        "alice: {entity: 6dc7…}, bob: {entity: 6dc7…}",
    ),
    Rule(
        "break-glass-offline-invoker",
        "Whoever may take something of Vault itself is a human whose entity there is known.",
        "offline: {invokers: [alice]}  # alice's identity has vault.entity",
        "offline: {invokers: [alice]}  # alice's identity has none",
    ),
    Rule(
        "identity-key",
        "age can encrypt to every pinned key: ssh-ed25519, ssh-rsa of 2048 to 4096 bits, or one of "
        "its own. One that it cannot use would be found only when the access is due.",
        "recipients: [ssh-rsa AAAA…]  # of 4096 bits",
        "recipients: [ssh-rsa AAAA…]  # of 8192 bits",
    ),
    Rule(
        "identity-without-keys",
        "A notice: what has no GitHub account has pinned keys, or nothing can be delivered to it.",
        "type: ci\nrecipients: [age1…]",
        "type: ci\n# no recipients",
    ),
    Rule(
        "identity-environment",
        "A notice: an identity that is no human belongs to one environment, which some resource "
        "has; else it receives nothing.",
        "type: ci\nenvironment: production",
        "type: ci\nenvironment: prodution",
    ),
    Rule(
        "identity-not-answerable",
        "Owners and sponsors are active humans: somebody alive answers for every machine.",
        "owners: [alice, bob]  # both active humans",
        "owners: [alice, deployer]  # a job cannot answer for a job",
    ),
    Rule(
        "reference-identity",
        "An identity that is named exists.",
        "subject: alice",
        "subject: alcie",
    ),
    Rule(
        "reference-resource",
        "A resource that is named exists.",
        "resource: orders-db",
        "resource: order-db",
    ),
    Rule("reference-level", "A level that is asked for exists.", "access: read", "access: raed"),
    Rule(
        "reference-group",
        "A group is defined in access/daypass.yaml, or is a GitHub team.",
        "groups: [dba, team:security]",
        "groups: [dbas]",
    ),
    Rule(
        "reference-context",
        "A context source that an expression names is declared in access/daypass.yaml: a rule that "
        "reads another is never known to hold.",
        "expression: context.posture.value == 'ok'",
        "expression: context.postre.value == 'ok'",
    ),
    Rule(
        "team-without-id",
        "Where `teams` in access/daypass.yaml pins teams by their ids, each team that is named has "
        "one: a slug alone may be another team's by now.",
        "teams: {dba: 4711}\ngroups: {dba: [team:dba]}",
        "teams: {}\ngroups: {dba: [team:dba]}",
    ),
    Rule(
        "resource-tls",
        "`sslrootcert: system` goes with `verify-full`, as libpq wants it. A notice: a database on "
        "another machine names an `sslmode`, and none that sends the password in clear.",
        "host: db.example.com\nsslmode: verify-full\nsslrootcert: system",
        "host: db.example.com\nsslmode: prefer",
    ),
    Rule(
        "team-by-slug",
        "A notice: teams are pinned by their ids. A slug is free after a rename, and any member "
        "may take it for a team of their own.",
        "teams: {dba: 4711}\ngroups: {dba: [team:dba]}",
        "groups: {dba: [team:dba]}",
    ),
    Rule(
        "team-renamed",
        "Asked with `--online`: each team is still called what documents call it. Its members "
        "count by its id; a team that has taken its slug does not.",
        "teams: {dba: 4711}  # gh api orgs/acme/teams/dba --jq .id says 4711",
        "teams: {dba: 4711}  # gh api orgs/acme/teams/dba --jq .id says 9912",
    ),
    Rule(
        "break-glass-roles",
        "A notice: what a change opens to the emergency lane has its token roles in Vault, and "
        "what it closes has none, once `daypass vault apply` ran after the merge.",
        "lanes: [break-glass]  # and then: daypass vault apply",
        "lanes: [break-glass]  # and no `daypass vault apply`",
    ),
    Rule(
        "break-glass-no-policy",
        "A notice: what is asked or set up for emergencies, some policy in force permits by the "
        "emergency lane. Else every emergency is refused when it counts.",
        "match: {lanes: [break-glass]}  # and breakGlass in access/daypass.yaml",
        "match: {lanes: [routine]}  # and breakGlass in access/daypass.yaml",
    ),
    Rule(
        "policy-matches-nothing",
        "Some resource has each type, environment, level and label that a policy is about, and "
        "some identity each label of subjects: a guard with a misspelt one would never speak.",
        "environments: [production]",
        "environments: [prodution]",
    ),
    Rule(
        "policy-expression",
        "The CEL expressions and the ticket pattern of a policy compile, within their budget, and "
        "write out each group that they ask about: one that does not permits nothing.",
        "expression: subject.type == 'human'",
        "expression: subject.type = 'human'",
    ),
    Rule(
        "policy-rule-name",
        "A rule's name is that of one rule: no other rule of its policy has it, no built-in rule "
        "and no condition. Exceptions, outcomes and coverage go by it.",
        "rules: [{name: short, …}, {name: ticketed, …}]",
        "rules: [{name: short, …}, {name: short, …}]",
    ),
    Rule(
        "policy-field",
        "An expression reads fields that there are: `has()` of a misspelt one is silently false, "
        "and any other reading of it denies.",
        "expression: has(request.ticket)",
        "expression: has(request.tickett)",
    ),
    Rule(
        "policy-pattern",
        "A pattern says what it seems to say: RE2 reads some of what other engines know "
        "otherwise, and in a text that is not raw `\\b` is a backspace.",
        "ticket: OPS-[[:digit:]]+",
        "ticket: OPS-[:digit:]+",
    ),
    Rule(
        "policy-times",
        "The hours at which access is issued begin and end at different minutes.",
        'from: "00:00"\nto: "24:00"',
        'from: "00:00"\nto: "00:00"',
    ),
    Rule(
        "policy-window",
        "A rolling window has fewer hours of access than hours: else it limits nothing.",
        "window: {hours: 20, per: 7d}",
        "window: {hours: 200, per: 7d}",
    ),
    Rule(
        "approvers-too-few",
        "No more approvals are asked for than the group has people, as far as the settings tell "
        "them. A notice: where only those who are active are too few.",
        "groups: {dba: [bob, carol]}\natLeast: 2  # of dba",
        "groups: {dba: [bob, carol]}\natLeast: 3  # of dba",
    ),
    Rule(
        "policy-time-zone",
        "A time zone is one of the database that daypass is installed with, the Python package "
        "tzdata, spelt as there: what depends on another is never decided.",
        "timeZone: Europe/Zurich",
        "timeZone: Europe/Zurik",
    ),
    Rule(
        "exception-dates",
        "An exception ends after it begins, within 90 days: whoever needs it longer asks anew.",
        'notBefore: "2026-11-23T00:00:00Z"\nnotAfter: "2027-01-31T00:00:00Z"',
        'notBefore: "2026-11-23T00:00:00Z"\nnotAfter: "2027-11-23T00:00:00Z"',
    ),
    Rule(
        "exception-rule",
        "Only rules that say so can be excepted: some of the built-in ones, and a policy's own "
        "rules with `mayBeExcepted: true`. No limit, no approval, nothing that is required.",
        "excepts: [built-in/authenticates-itself]",
        "excepts: [built-in/two-approvers]",
    ),
    Rule(
        "exception-in-vain",
        "What is excepted would otherwise be asked of that subject and resource: an exception that "
        "excepts nothing waits for something that nobody approved it for.",
        "excepts: [built-in/own-keys]\nsubject: deployer  # a job",
        "excepts: [built-in/own-keys]\nsubject: alice  # a human",
    ),
    Rule(
        "reference-rule",
        "A rule that is named exists.",
        "excepts: [reading/office-network]",
        "excepts: [reading/offfice-network]",
    ),
    Rule(
        "settings-missing",
        "access/daypass.yaml says where GitHub and Vault are; nothing works without it.",
        "access/daypass.yaml",
        "# no access/daypass.yaml",
    ),
    Rule(
        "grant-ends-before-it-begins",
        "A grant lasts: its record says from when until when.",
        '"notBefore": "2026-11-23T09:00:00Z", "notAfter": "2026-11-23T10:00:00Z"',
        '"notBefore": "2026-11-23T09:00:00Z", "notAfter": "2026-11-23T08:00:00Z"',
    ),
)
