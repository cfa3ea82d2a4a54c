"""GraphQL, as much as clients ask of it here: parse a query, and answer exactly what it selects.

Fields with aliases and arguments, variables, inline fragments. A field that GitHub's schema does
not have, or that this one does not know, is an error, as it is at GitHub: status 200 and `errors`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from daypass.sandbox.github.routing import RefusalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.sandbox.github.accounts import Credential
    from daypass.sandbox.github.hub import Hub
    from daypass.sandbox.github.state import Repository

PATH: Final = "/api/graphql"
_TOKEN: Final = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\.\.\.|[A-Za-z_]\w*|-?\d+|[{}():$!,])')
_SHA: Final = re.compile(r"[0-9a-f]{40}")
_COMMA: Final = ","
_MOST: Final = 100  # of a connection
_TRAILER: Final = re.compile(r"co-authored-by:\s*(.*?)\s*<([^<>\s]+)>\s*", re.IGNORECASE)


class QueryError(Exception):
    """What is wrong with a query, and GitHub's type of it where there is one."""

    def __init__(self, message: str, type_: str | None = None) -> None:
        super().__init__(message)
        self.type = type_


@dataclass(frozen=True, slots=True)
class Field:
    """A field that is selected; `on` names the type of an inline fragment."""

    name: str
    alias: str
    arguments: Mapping[str, Any]
    fields: tuple[Field, ...] = ()
    on: str | None = None


def answer(hub: Hub, credential: Credential | None, body: Any) -> dict[str, Any]:
    """What GitHub sends back, with status 200. Raises RefusalError where nobody is logged in."""
    if credential is None:
        raise RefusalError(401, "This endpoint requires you to be authenticated.")
    if not isinstance(body, dict):
        raise RefusalError(400, "Problems parsing JSON")
    variables = body.get("variables") or {}
    try:
        query = _Parser(str(body.get("query")), variables).query()
        data = {item.alias: _repository(hub, credential, item) for item in query}
    except QueryError as error:
        shown = {"message": str(error), **({"type": error.type} if error.type else {})}
        return {"data": None, "errors": [shown]}
    return {"data": data}


def _repository(hub: Hub, credential: Credential, field: Field) -> dict[str, Any]:
    if field.name != "repository":
        raise QueryError(f"Field '{field.name}' doesn't exist on type 'Query'")
    owner, name = str(field.arguments.get("owner")), str(field.arguments.get("name"))
    found = hub.repository(owner, name)
    if found is None or not _reads(found, credential):
        text = f"Could not resolve to a Repository with the name '{owner}/{name}'."
        raise QueryError(text, "NOT_FOUND")
    if not credential.allows("contents", "read"):
        raise QueryError("Resource not accessible by integration", "FORBIDDEN")
    shown: dict[str, Any] = {}
    for item in field.fields:
        if item.name != "object":
            raise QueryError(f"Field '{item.name}' doesn't exist on type 'Repository'")
        sha = str(item.arguments.get("oid"))
        if _SHA.fullmatch(sha) is None:
            raise QueryError(f'Could not coerce value "{sha}" to GitObjectID')
        is_commit = found.store.attempt("cat-file", "-t", sha).stdout.strip() == b"commit"
        shown[item.alias] = _commit(hub, found, sha, item) if is_commit else None
    return shown


def _reads(repository: Repository, credential: Credential) -> bool:
    if credential.repository_ids is not None:
        return repository.id in credential.repository_ids
    return not repository.private or repository.role(credential.account) != "none"


def _commit(hub: Hub, repository: Repository, sha: str, field: Field) -> dict[str, Any]:
    """The fields of `... on Commit`."""
    commit = repository.store.commit(sha)
    trailers = map(_TRAILER.fullmatch, _last_paragraph(commit.message))
    people = [(commit.author.name, commit.author.email)]
    people += [(found[1], found[2]) for found in trailers if found]
    shown: dict[str, Any] = {}
    for item in (inner for part in field.fields if part.on == "Commit" for inner in part.fields):
        if item.name == "oid":
            shown[item.alias] = sha
        elif item.name == "authors":
            shown[item.alias] = _actors(hub, people, item)
        else:
            raise QueryError(f"Field '{item.name}' doesn't exist on type 'Commit'")
    return shown


def _last_paragraph(message: str) -> list[str]:
    """Where trailers stand; a message of one paragraph is a subject, and has none."""
    parts = re.split(r"\n[ \t]*\n", message.strip())
    return parts[-1].splitlines() if len(parts) > 1 else []


def _actors(hub: Hub, people: list[tuple[str, str]], field: Field) -> dict[str, Any]:
    """A `GitActorConnection`: the author first, each address once."""
    distinct = list({email.lower(): (name, email) for name, email in reversed(people)}.values())
    distinct.reverse()
    most = field.arguments.get("first", 0)
    if not 0 < most <= _MOST:
        raise QueryError(f"Requesting {most} records on the `authors` connection exceeds the limit")
    rows: list[dict[str, Any]] = []
    for name, email in distinct[:most]:
        account = hub.directory.by_email(email)
        user = account and {"databaseId": account.id, "login": account.login}
        rows.append({"name": name, "email": email, "user": user})
    whole = {
        "nodes": rows,
        "totalCount": len(distinct),
        "pageInfo": {"hasNextPage": len(distinct) > most},
    }
    shown: dict[str, Any] = _select(whole, field, "GitActorConnection")
    return shown


def _select(value: Any, field: Field, kind: str) -> Any:
    """The parts of a plain value that a query names."""
    if isinstance(value, list):
        return [_select(item, field, "GitActor") for item in value]
    if not isinstance(value, dict):
        return value
    shown = {}
    for item in field.fields:
        if item.name not in value:
            raise QueryError(f"Field '{item.name}' doesn't exist on type '{kind}'")
        shown[item.alias] = _select(value[item.name], item, item.name)
    return shown


class _Parser:
    """One query document, read from left to right."""

    def __init__(self, text: str, variables: Mapping[str, Any]) -> None:
        self._tokens = [token for token in _TOKEN.findall(text) if token != _COMMA]
        if "".join(self._tokens) != re.sub(r"[\s,]", "", text):
            raise QueryError("Parse error")
        self._variables = variables
        self._at = 0

    def query(self) -> tuple[Field, ...]:
        """The fields that it selects. Raises QueryError."""
        if self._peek() == "query":
            self._take()
            if self._peek() == "(":  # the types of the variables
                while self._take() != ")":
                    pass
        found = self._fields()
        if self._at != len(self._tokens):
            raise QueryError("Parse error")
        return found

    def _fields(self) -> tuple[Field, ...]:
        self._expect("{")
        found = []
        while self._peek() != "}":
            found.append(self._field())
        self._take()
        return tuple(found)

    def _field(self) -> Field:
        name = self._take()
        if name == "...":
            self._expect("on")
            kind = self._take()
            return Field("", "", {}, self._fields(), on=kind)
        alias = name
        if self._peek() == ":":
            self._take()
            name = self._take()
        arguments = {}
        if self._peek() == "(":
            self._take()
            while self._peek() != ")":
                key = self._take()
                self._expect(":")
                arguments[key] = self._value()
            self._take()
        return Field(name, alias, arguments, self._fields() if self._peek() == "{" else ())

    def _value(self) -> Any:
        token = self._take()
        if token == "$":  # noqa: S105  -- a sign of the language
            return self._variables.get(self._take())
        return token[1:-1] if token.startswith('"') else int(token)

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        if not token:
            raise QueryError("Parse error on end of query")
        self._at += 1
        return token

    def _expect(self, token: str) -> None:
        if self._take() != token:
            raise QueryError(f"Parse error: expected {token}")
