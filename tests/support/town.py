"""What people of the box do in a test, in one line each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from daypass.model.instant import Instant
from daypass.sandbox.organisation import request
from support import acting
from support.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.sandbox.box import Box
    from daypass.sandbox.person import Person
    from support.acting import Done

_MAIN: Final = "refs/heads/main"  # a tag may be called `main`, too


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on its way."""

    id: str
    number: int
    who: Person


class Town:
    """The organisation, as those who live in it use it."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.store = box.repository.store
        self._grant_of: dict[str, str] = {}  # accessor → what its metadata says, for good

    def ask(self, request_id: str, *, by: str = "alice", **spec: Any) -> Asked:
        """Open a pull request that asks for access."""
        who = self.box.person(by)
        content = request(request_id, subject=by, **spec)
        return Asked(request_id, who.propose(request_id, content, f"Access: {request_id}"), who)

    def grant(
        self, request_id: str, *, approvers: tuple[str, ...] = ("bob",), **spec: Any
    ) -> Asked:
        """Ask, have it approved and merged. `apply` is still to come."""
        asked = self.ask(request_id, **spec)
        self.merge(asked, approvers=approvers)
        return asked

    def merge(self, asked: Asked, *, approvers: tuple[str, ...] = ("bob",)) -> str:
        for name in approvers:
            self.box.person(name).approve(asked.number)
        return self.box.person("carol").merge(asked.number)

    def delete(self, request_id: str, *, by: str = "alice") -> None:
        """A pull request that deletes the request, merged."""
        who = self.box.person(by)
        path = f"access/requests/{request_id}.yaml"
        title = f"No longer needed: {request_id}"
        branch = f"end-{request_id}-{self.head()[:8]}"  # an id that was used again ends again
        who.merge(who.propose(branch, {path: None}, title))

    def push_straight(self, changes: dict[str, bytes | None], *, by: str = "carol") -> str:
        """Somebody who may pass by the rules pushes to main, without a pull request."""
        from daypass.sandbox.person import Proposal  # noqa: PLC0415  -- beside its only use

        branch = f"straight-{len(self.box.repository.activities)}"
        self.box.person(by).push([Proposal(branch, changes, "By hand")])
        return self.push_to_main(f"refs/box/{branch}", by=by)

    def push_to_main(self, revision: str, *, by: str = "carol") -> str:
        """Somebody who may pass by the rules makes something that they have main's head."""
        who = self.box.person(by)
        bypass = self.box.repository.rules.bypass
        bypass.add(who.account.id)
        try:
            who.git("push", "-q", "origin", f"{revision}:refs/heads/main")
        finally:
            bypass.discard(who.account.id)
        return self.head()

    def apply(self, event: str = "push", *words: str) -> Done:
        return acting.apply(self.box, event, *words)

    def age_undecided(self, seconds: int = 3600) -> None:
        """What waits for an answer, if anything does, was met that much earlier, by the note."""
        path = "daypass/data/daypass/notes/undecided"
        client = self.box.bao.client
        note = client.read(path)
        if note is None:
            return
        rows = json.loads(note["data"]["data"]["requests"])
        aged = {name: [row[0] - seconds, *row[1:]] for name, row in rows.items()}
        client.write(path, {"data": {"requests": json.dumps(aged)}})

    def refuse(self, event: str = "push") -> Done:
        """A run that meets what it cannot decide, and one after the grace that refuses it."""
        first = self.apply(event)
        assert "waiting" in {line["what"] for line in first.json()["done"]}, first.said
        self.age_undecided()
        return self.apply(event)

    def claim(self, asked: Asked, *words: str) -> Done:
        return acting.daypass(asked.who, "claim", asked.id, *(words or ("--format", "json")))

    def credential(self, asked: Asked) -> dict[str, str]:
        """Claim, and return what a person gets: user, password and where to use them."""
        done = self.claim(asked)
        assert done.code == 0, done.said
        found: dict[str, str] = done.json()
        return found

    def verify(self) -> Done:
        """What an auditor finds who knows the key's fingerprint from elsewhere."""
        auditor = self.box.person("dave")
        auditor.git("pull", "-q", "--ff-only")
        fingerprint = self.box.evidence_fingerprint
        return acting.daypass(
            auditor, "audit", "verify", "--fingerprint", fingerprint, "--format", "json"
        )

    def head(self) -> str:
        return self.store.git("rev-parse", _MAIN).strip()

    def files(self, folder: str = "access") -> set[str]:
        return set(self.store.git("ls-tree", "-r", "--name-only", _MAIN, folder).split())

    def record(self, request_id: str) -> dict[str, Any]:
        text = self.store.git("show", f"{_MAIN}:access/grants/{request_id}.json")
        spec: dict[str, Any] = json.loads(text)["spec"]
        return spec

    def events(self, request_id: str) -> list[str]:
        """The kinds of the events of one grant, oldest first, by stock git."""
        trailers = "%(trailers:key=Daypass-Event,valueonly,separator=%x20)"
        grant = "%(trailers:key=Daypass-Grant,valueonly,separator=%x20)"
        log = self.store.git("log", "--reverse", f"--format={grant}|{trailers}", _MAIN)
        rows = (line.split("|") for line in log.splitlines())
        return [kind for name, kind in rows if name == request_id]

    def message(self, request_id: str, kind: str) -> str:
        """The message of the commit that records that event of a grant."""
        for sha in self.store.git("rev-list", _MAIN).split():
            message = self.store.git("log", "-1", "--format=%B", sha)
            if f"Daypass-Grant: {request_id}\n" in message and f"Event: {kind}\n" in message:
                return message
        raise AssertionError(f"no {kind} of {request_id}")

    def live_tokens(self, request_id: str) -> list[str]:
        """Accessors of live tokens that carry that grant's id in their metadata."""
        return [accessor for accessor, grant in self.tokens(request_id) if grant == request_id]

    def tokens(self, of: str | None = None) -> Iterator[tuple[str, str]]:
        """Accessors of live tokens, and the grants of their metadata; `of` one, or of all."""
        client = self.box.bao.client
        for accessor in client.list("auth/token/accessors"):
            if of is not None and self._grant_of.get(accessor, of) != of:
                continue
            found = self._lookup(accessor)
            if found is not None:
                grant = (found["data"].get("meta") or {}).get("daypass_grant", "")
                yield accessor, self._grant_of.setdefault(accessor, grant)

    def ends(self, accessor: str) -> Instant | None:
        """When Vault ends a token; None when it has."""
        found = self._lookup(accessor)
        return Instant.parse(found["data"]["expire_time"]) if found is not None else None

    def _lookup(self, accessor: str) -> dict[str, Any] | None:
        from daypass.errors import SandboxError  # noqa: PLC0415  -- beside its only use

        try:
            return self.box.bao.client.write("auth/token/lookup-accessor", {"accessor": accessor})
        except SandboxError:  # it ended while we looked
            return None

    def comments(self, asked: Asked, marker: str) -> list[str]:
        found = asked.who.comments(asked.number)
        return [item["body"] for item in found if f"daypass:{marker}:{asked.id}" in item["body"]]

    def log_in(self, credential: dict[str, str]) -> Session:
        """A session at PostgreSQL with what was claimed."""
        return Session.connect(
            host=self.box.postgres.host,
            port=self.box.postgres.port,
            dbname=self.box.postgres.database,
            user=credential["username"],
            password=credential["password"],
            autocommit=True,
        )
