"""The tables in the documents that are made from code.

`PYTHONPATH=tests python -m support.doc_tables` writes them anew, each between its marks.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from daypass.cli.main import VERBS
from daypass.documents.resources import SCHEMA_FILES, schema_folder
from daypass.documents.rules import RULES as DOCUMENT_RULES
from daypass.errors import ExitCode
from daypass.ledger.fault import FaultCode
from daypass.model import postgresql, postgresql_look
from daypass.model.event import EventKind, Reason
from daypass.model.names import Kind
from daypass.policy import expressions
from daypass.policy.facts import (
    ApprovalFacts,
    ContextFacts,
    Facts,
    RequesterFacts,
    RequestFacts,
    ResourceFacts,
    SubjectFacts,
)
from daypass.policy.rules import CONDITIONS, DESCRIBED
from support.doc_pages import ROOT, table

if TYPE_CHECKING:
    from collections.abc import Iterator

# What each code means, for people; a test holds the keys against the code.
EXIT_CODES = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed",
    ExitCode.USAGE: "called with words that it cannot take",
    ExitCode.DOCUMENT: "a document is wrong",
    ExitCode.DENIED: "denied",
    ExitCode.PARTLY: "partly applied, or something that a person must look at",
    ExitCode.EVIDENCE: "the evidence does not hold",
    ExitCode.INDETERMINATE: "what a decision needs cannot be known here: treated as denied",
}
_FACTS: dict[str, type[Facts]] = {
    "request": RequestFacts,
    "subject": SubjectFacts,
    "resource": ResourceFacts,
    "requester": RequesterFacts,
    "approvals": ApprovalFacts,
    "context": ContextFacts,
}


def schema(kind: str) -> dict[str, Any]:
    """The schema of a kind."""
    names = {str(key): name for key, name in SCHEMA_FILES.items()}
    value: dict[str, Any] = json.loads((schema_folder() / names[kind]).read_text(encoding="utf-8"))
    return value


def properties(
    whole: dict[str, Any], part: dict[str, Any], prefix: str = ""
) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Every property below a part of a schema: dotted path, its own schema, whether required."""
    for name, raw in part.get("properties", {}).items():
        value = _resolved(whole, raw)
        path = f"{prefix}{name}"
        yield path, value, name in part.get("required", ())
        yield from _below(whole, value, path)


def _below(
    whole: dict[str, Any], value: dict[str, Any], path: str
) -> Iterator[tuple[str, dict[str, Any], bool]]:
    yield from properties(whole, value, f"{path}.")
    items = _resolved(whole, value.get("items", {}))
    yield from properties(whole, items, f"{path}[].")
    more = value.get("additionalProperties")
    if isinstance(more, dict):
        yield from properties(whole, _resolved(whole, more), f"{path}.<name>.")


def _resolved(whole: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in value:
        return value
    target = whole["$defs"][value["$ref"].rpartition("/")[2]]
    return {
        **_resolved(whole, target),
        **{key: item for key, item in value.items() if key != "$ref"},
    }


def fields(kind: str, part: str = "spec") -> str:
    """The table of a kind's fields below `spec` (or another part)."""
    whole = schema(kind)
    rows = []
    for path, value, required in properties(whole, whole["properties"][part]):
        says = value.get("description", value.get("title", ""))
        words = [f"`{word}`" for word in value.get("enum", ())]
        if "default" in value:
            default = json.dumps(value["default"]).strip('"')
            says += f" Default: `{default}`."
        if words:
            says += f" One of {', '.join(words)}."
        rows.append((f"`{path}`", "yes" if required else "", says))
    return table("field", "required", "what", rows=rows)


def cel() -> str:
    """The variables of expressions, and their fields."""
    rows = []
    for name in expressions.VARIABLES:
        facts = _FACTS.get(name)
        rows.append((f"`{name}`", _keys(facts) if facts else "a timestamp: Vault's time"))
    return table("variable", "fields", rows=rows)


def _keys(facts: type[Facts]) -> str:
    def camel(name: str) -> str:
        return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)

    return ", ".join(f"`{camel(name)}`" for name in facts.__dataclass_fields__)  # type: ignore[attr-defined]  # each is a dataclass


def database_engine() -> str:
    """The commands that set up Vault's database engine: long lines, as JSON wants them."""

    def body(**fields: object) -> str:
        rows = [
            f'  "{name}": [\n    '
            + ",\n    ".join(json.dumps(item, ensure_ascii=False) for item in value)
            + "\n  ]"
            if name.endswith("statements") and isinstance(value, tuple)
            else f'  "{name}": {json.dumps(value)}'
            for name, value in fields.items()
        ]
        return "<<'JSON'\n{\n" + ",\n".join(rows) + "\n}\nJSON"

    config = body(
        plugin_name="postgresql-database-plugin",
        connection_url="postgresql://{{username}}:{{password}}@orders.example.com:5432/orders"
        "?sslmode=verify-full",
        username="vault",
        password="a long random one",
        password_authentication="scram-sha-256",
        username_template=postgresql.USERNAME_TEMPLATE,
        max_open_connections=8,
        allowed_roles=["orders-ro-1h", "orders-ro-8h", "orders-look"],
    )
    role = body(
        db_name="orders",
        default_ttl="1h",
        max_ttl="1h",
        creation_statements=postgresql.creation("orders_read"),
        revocation_statements=postgresql.REVOCATION,
        rollback_statements=postgresql.ROLLBACK,
    )
    look = body(db_name="orders", creation_statements=postgresql_look.LOOK)
    lines = (
        "```sh database",
        "bao secrets enable database",
        f"bao write database/config/orders - {config}",
        "bao write -f database/rotate-root/orders",
        f"bao write database/roles/orders-ro-1h - {role}",
        f"bao write database/roles/orders-look - {look}",
        "```",
    )
    return "\n".join(lines)


def tables() -> dict[tuple[str, str], str]:
    """Every table that is made from code: (page, mark) → text."""
    elsewhere = {Kind.ACCESS_REQUEST, Kind.ACCESS_POLICY}
    kinds = [str(kind) for kind in SCHEMA_FILES if kind not in elsewhere]
    return {
        ("README.md", "commands"): table(
            "command",
            "what",
            rows=[(f"`daypass {name}`", verb.summary) for name, verb in VERBS.items()],
        ),
        ("README.md", "exit-codes"): table(
            "code", "means", rows=[(f"`{int(code)}`", EXIT_CODES[code]) for code in ExitCode]
        ),
        ("README.md", "request"): fields("AccessRequest"),
        **{("docs/documents.md", kind): fields(kind) for kind in kinds},
        ("docs/policies.md", "AccessPolicy"): fields("AccessPolicy"),
        ("docs/policies.md", "built-in"): table(
            "rule", "what for", rows=[(f"`{key}`", rule.purpose) for key, rule in DESCRIBED.items()]
        ),
        ("docs/policies.md", "conditions"): table(
            "name", "what", rows=[(f"`{key}`", rule.purpose) for key, rule in CONDITIONS.items()]
        ),
        ("docs/policies.md", "cel"): cel(),
        ("docs/documents.md", "rules"): table(
            "rule", "what for", rows=[(f"`{key}`", r.purpose) for key, r in DOCUMENT_RULES.items()]
        ),
        ("docs/auditing.md", "events"): ", ".join(f"`{item}`" for item in EventKind),
        ("docs/auditing.md", "reasons"): ", ".join(f"`{item}`" for item in Reason),
        ("docs/database.md", "database-engine"): database_engine(),
        ("docs/auditing.md", "faults"): ", ".join(f"`{item}`" for item in FaultCode),
    }


def write() -> None:
    """Write every table anew into its page."""
    for (page, mark), text in tables().items():
        path = ROOT / page
        pattern = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
        old = path.read_text(encoding="utf-8")
        new = pattern.sub(lambda match, text=text: f"{match[1]}\n{text}\n\n{match[2]}", old)
        path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    write()
