"""Rules about bytes and YAML: nothing that two readers, or two tools, understand differently."""

from __future__ import annotations

from typing import Final

from daypass.documents.rule import Rule

TEXT_RULES: Final = (
    Rule(
        "document-size",
        "A document has at most 16 KiB (a record 256 KiB): larger ones have crashed YAML parsers, "
        "and nobody reviews them.",
        "reason: Orders stuck since the 14:00 deploy",
        "reason: <20,000 characters>",
    ),
    Rule(
        "document-encoding",
        "A document is UTF-8 without a byte order mark, so that every tool reads the same text.",
        "reason: café  # in UTF-8",
        "reason: caf\\xe9  # in Latin-1",
    ),
    Rule(
        "document-characters",
        "No invisible, bidirectional or control character: a reviewer approves what can be seen.",
        'reason: "read only"',
        'reason: "read \\u202eylno"',
    ),
    Rule("document-empty", "A file that holds nothing says nothing.", "kind: Resource", ""),
    Rule(
        "yaml-syntax",
        "The document must be YAML.",
        'reason: "Orders: stuck"',
        "reason: Orders: stuck",
    ),
    Rule(
        "yaml-duplicate-key",
        "A key stands once in a mapping: YAML tools disagree about which of two counts, and a "
        "reviewer may read the other.",
        "duration: 1h",
        "duration: 1h\nduration: 8h",
    ),
    Rule(
        "yaml-anchor",
        "No anchors: a value is written where it is used.",
        "duration: 1h",
        "duration: &long 1h",
    ),
    Rule(
        "yaml-alias",
        "No aliases: 330 bytes of them make 52 MB, and what they stand for is read elsewhere.",
        "duration: 1h",
        "maxDuration: &long 8h\nduration: *long",
    ),
    Rule(
        "yaml-merge-key",
        "No merge keys: what a mapping holds is written in it.",
        "duration: 1h",
        "<<: {duration: 8h}",
    ),
    Rule(
        "yaml-tag",
        "No tags and no directives: a value's type is plain to see, and none builds an object.",
        'ticket: "4711"',
        "ticket: !!str 4711",
    ),
    Rule(
        "yaml-several-documents",
        "One document in a file: some tools read only the first, some only the last.",
        "kind: Resource",
        "kind: Resource\n---\nkind: Identity",
    ),
    Rule(
        "yaml-depth",
        "At most 12 levels: deep nesting has crashed YAML parsers, and no document needs it.",
        "levels: {read: {tiers: {1h: orders-ro-1h}}}",
        "levels: [[[[[[[[[[[[[[1]]]]]]]]]]]]]]",
    ),
    Rule(
        "yaml-key",
        "A key is a string.",
        '"1": one',
        "1: one",
    ),
    Rule(
        "yaml-ambiguous-scalar",
        "No unquoted word that some tool reads as a boolean, a number, a time or a date, and "
        "another as a string.",
        'ticket: "010"\nwindow: "1:30:00"\nowner: true',
        "ticket: 010\nwindow: 1:30:00\nowner: yes",
    ),
    Rule(
        "yaml-integer",
        "No integer beyond 2^53: JSON tools disagree about its value.",
        "id: 583231",
        "id: 99999999999999999999",
    ),
    Rule(
        "record-syntax",
        "A record of the bot is strict JSON: no key twice, no NaN, no integer beyond 2^53.",
        '{"kind": "Grant"}',
        '{"kind": "Grant", "kind": "Grant"}',
    ),
)
