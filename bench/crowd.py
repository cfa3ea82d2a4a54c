"""Many live grants and a long history, laid down at once: real tokens, and signed evidence.

One grant is asked for, approved and issued through the doors that people use. The others are its
likes: records of the same shape with a token of their own in OpenBao, each issued by a commit of
its own. Commits are written as objects into GitHub's repository, signed by the box's evidence key,
which is taken out of Vault for that: signing a hundred thousand through Vault takes minutes.
"""

from __future__ import annotations

import base64
import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.governed import apply, merge_each
from daypass.adapters.git import GitRepository
from daypass.adapters.git.objects import ObjectReader
from daypass.adapters.git.pack import Pack, object_id
from daypass.adapters.git.packfile import store
from daypass.adapters.git.process import Git
from daypass.adapters.git.tree import TreeEditor
from daypass.ledger import sshsig
from daypass.ledger.allowed_signers import AllowedSigner, Signers
from daypass.ledger.commitobject import CommitDraft, with_signature
from daypass.ledger.compose import compose
from daypass.ledger.history import read_tip
from daypass.lifecycle.happening import Begun, Run, ended, issued
from daypass.lifecycle.marks import marks
from daypass.model.canonical import digest_bytes
from daypass.model.event import EventKind, Reason
from daypass.model.grant import Grant
from daypass.model.names import Kind, grant_path, request_path
from daypass.sandbox import organisation
from daypass.sandbox.organisation import PEOPLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from daypass.lifecycle.happening import Happening
    from daypass.model.event import RecordedEvent
    from daypass.model.instant import Instant
    from daypass.sandbox.box import Box

STAFF: Final = 200  # people who may receive access, besides those of the box
DATABASES: Final = 40
_RUN: Final = Run("4711/1", "acme/access/.github/workflows/access-apply.yml@refs/heads/main")
_SAMPLE: Final = "sample-0001"
_TEMPLATE: Final = "template-0001"
_FLUSH: Final = 400  # commits
_AT_ONCE: Final = 20  # of the grants that have ended, so many were live at a time
_ASKED_AT_ONCE: Final = 50
_THREADS: Final = 8


def staff(number: int) -> str:
    return f"person-{number % STAFF:03d}"


def database(number: int) -> str:
    return f"shop-db-{number % DATABASES:02d}"


def documents(box: Box) -> dict[str, bytes]:
    """The identities and resources of a larger organisation: path → content."""
    found: dict[str, bytes] = {}
    for number in range(STAFF):
        spec = {
            "type": "human",
            "status": "active",
            "github": {"id": 5_000_000 + number, "login": staff(number)},
        }
        path = f"access/identities/{staff(number)}.yaml"
        found[path] = organisation.document(Kind.IDENTITY, staff(number), spec)
    like = organisation.governed_repository(box)["access/resources/orders-db.yaml"]
    for number in range(DATABASES):
        name = database(number)
        found[f"access/resources/{name}.yaml"] = like.replace(b"orders-db", name.encode())
    found["access/policies/production.yaml"] = organisation.document(
        Kind.ACCESS_POLICY,
        "production",
        {
            "description": "What is asked of every grant in production, at each run.",
            "effect": "guard",
            "enforcement": "enforce",
            "match": {"resources": {"environments": ["production"]}},
            "rules": [
                {
                    "name": "people-who-work-here",
                    "expression": "subject.status == 'active' && requester.status == 'active'",
                    "message": "whoever receives it, and whoever asked for it, works here",
                },
                {
                    "name": "admin-is-short",
                    "expression": "request.access != 'admin' || request.durationSeconds <= 3600",
                    "message": "admin is given for an hour at the most",
                },
            ],
        },
    )
    return found


class Line:
    """Commits one on top of the other, on their way into GitHub's own repository."""

    def __init__(
        self,
        git: Git,
        reader: ObjectReader,
        key: Ed25519PrivateKey,
        tip: RecordedEvent,
        head: str,
    ) -> None:
        """Go on from `head`."""
        self.head = head
        self.sequence = tip.sequence
        self._git = git
        self._reader = reader
        self._key = key
        self._previous = tip.commit
        self._pack = Pack()
        root = git.run("rev-parse", f"{head}^{{tree}}").decode().strip()
        self._editor = TreeEditor(root, self._read, self._pack)
        self._waiting = 0

    def person(self, changes: Mapping[str, bytes | None], message: str, when: Instant) -> None:
        """A commit as a merge makes it: nobody's signature."""
        tree = self._editor.apply(changes)
        draft = CommitDraft(tree, self.head, "Alice", "alice@acme.example", when.seconds, message)
        self._add(draft.payload())

    def bot(self, happening: Happening, when: Instant) -> str:
        """An event, signed."""
        self.sequence += 1
        message = compose(
            happening.title, happening.body, happening.event, self.sequence, self._previous
        )
        tree = self._editor.apply({**happening.writes, **dict.fromkeys(happening.removes)})
        author = ("daypass", organisation.EVIDENCE_EMAIL)
        payload = CommitDraft(tree, self.head, *author, when.seconds, message).payload()
        signature = self._key.sign(sshsig.bytes_to_sign(payload))
        public_key = self._key.public_key().public_bytes_raw()
        armoured = sshsig.armoured_signature(public_key, signature)
        self._add(with_signature(payload, armoured))
        self._previous = self.head
        return self.head

    def flush(self) -> None:
        """Hand to git what was written so far."""
        if len(self._pack):
            store(self._git.directory / "objects" / "pack", self._pack.packed())
        self._pack.clear()
        self._waiting = 0

    def _read(self, name: str) -> bytes:
        found = self._reader.one(name)
        if found is None:
            raise SystemExit(f"there is no tree {name}: the bench is broken")
        return found.content

    def _add(self, content: bytes) -> None:
        self.head = self._pack.add("commit", content)
        self._waiting += 1
        if self._waiting >= _FLUSH:
            self.flush()


@dataclass(slots=True)
class Crowd:
    """The organisation, one real grant, and what it takes to make its likes."""

    box: Box
    key: Ed25519PrivateKey
    sample: Grant
    begin: str  # main, as the real grant left it
    accessors: list[str] = field(default_factory=list)  # of the tokens that were made

    def like(self, name: str, number: int, begin: Instant, accessor: str, commit: str) -> Grant:
        """The sample, as it would be of another person on another database."""
        text = json.dumps(self.sample.decision_input)
        for old, new in (
            (self.sample.id, name),
            (f'"{self.sample.subject}"', f'"{staff(number)}"'),
            (str(self.sample.requester_id), str(5_000_000 + number % STAFF)),
            (self.sample.resource, database(number)),
        ):
            text = text.replace(old, new)
        asked = json.loads(text)
        digest = digest_bytes(text.encode())
        return replace(
            self.sample,
            id=name,
            subject=staff(number),
            requester=staff(number),
            requester_id=5_000_000 + number % STAFF,
            resource=database(number),
            token_role=self.sample.token_role.replace(self.sample.resource, database(number)),
            request_blob=object_id("blob", request_of(name, number)),
            request_commit=commit,
            pull_request=number + 2,
            not_before=begin,
            not_after=begin.plus(self.sample.tier.seconds),
            accessor=digest_bytes(accessor.encode()),
            decision_input=asked,
            decision_digest=digest,
        )

    def make_tokens(self, count: int) -> None:
        """Live tokens in OpenBao, so many in all, with the marks that daypass gives."""
        first = len(self.accessors)
        with ThreadPoolExecutor(_THREADS) as pool:
            self.accessors += pool.map(self._make_token, range(first, count))

    def _make_token(self, number: int) -> str:
        role = self.sample.token_role.replace(self.sample.resource, database(number))
        answer = bare_call(
            self.box,
            "POST",
            f"auth/token/create/{role}",
            {
                "policies": [role],
                "ttl": f"{self.sample.tier.seconds}s",
                "explicit_max_ttl": f"{self.sample.tier.seconds}s",
                "renewable": False,
                "no_default_policy": True,
                "display_name": f"grant-{live_id(number)}",
                "meta": marks(
                    live_id(number),
                    repository_id=self.box.repository_id,
                    subject=staff(number),
                    pull_request=number + 2,
                ),
            },
        )
        return str(answer["auth"]["accessor"])

    @contextmanager
    def line(self, head: str) -> Iterator[Line]:
        """Commits from there on. They are in GitHub's repository when this ends."""
        folder = self.box.repository.store.path
        public_key = self.key.public_key().public_bytes_raw()
        signers = Signers([AllowedSigner(organisation.EVIDENCE_EMAIL, public_key)])
        with GitRepository(
            folder, remote="origin", branch="main", author=("", ""), token=None
        ) as repository:
            tip = read_tip(repository.walk(head), signers)
        if tip is None:
            raise SystemExit("there is no evidence on main: the bench is broken")
        git = Git(folder)
        reader = ObjectReader(git)
        try:
            line = Line(git, reader, self.key, tip, head)
            yield line
            line.flush()
        finally:
            reader.close()

    def history(self, head: str, commits: int, now: Instant) -> str:
        """A past: grants that were asked for, issued and reverted. Returns the newest commit."""
        year = 365 * 86400
        count = commits // 3
        begin = now.plus(-year)
        with self.line(head) as line:
            open_grants: list[tuple[Grant, str]] = []
            for number in range(count):
                when = begin.plus(number * (year - 86400) // count)
                name = f"past-{number:06d}"
                asked = {request_path(name): request_of(name, number)}
                line.person(asked, f"Ask for {name}\n", when)
                grant = self.like(name, number, when, name, line.head)
                open_grants.append((grant, line.bot(issued(grant, _RUN), when)))
                if len(open_grants) == _AT_ONCE:
                    self._expire(line, *open_grants.pop(0), when)
            for grant, commit in open_grants:
                self._expire(line, grant, commit, begin.plus(year - 86400))
        return line.head

    @staticmethod
    def _expire(line: Line, grant: Grant, commit: str, when: Instant) -> None:
        blob = object_id("blob", grant.to_bytes())
        gone = ended(
            grant,
            Begun(commit),
            EventKind.EXPIRED,
            Reason.TIME,
            grant.not_after,
            record_blob=blob,
            run=_RUN,
        )
        line.bot(replace(gone, removes=(request_path(grant.id), grant_path(grant.id))), when)

    def live(self, head: str, count: int, now: Instant) -> tuple[str, int]:
        """So many live grants. Returns the newest commit, and the number of its event."""
        with self.line(head) as line:
            for first in range(0, count, _ASKED_AT_ONCE):
                numbers = range(first, min(first + _ASKED_AT_ONCE, count))
                files = {
                    request_path(live_id(number)): request_of(live_id(number), number)
                    for number in numbers
                }
                line.person(files, f"Ask for {len(files)}\n", now)
                commit = line.head
                for number in numbers:
                    grant = self.like(live_id(number), number, now, self.accessors[number], commit)
                    line.bot(issued(grant, _RUN), now)
        return line.head, line.sequence

    def show(self, head: str, sequence: int) -> None:
        """Make it what main is, for GitHub and for Vault."""
        self.box.repository.store.git("update-ref", "refs/heads/main", head)
        for name, note in (
            ("tip", {"sequence": sequence, "commit": head}),
            ("trust", {"commit": head}),
        ):
            self.box.bao.client.write(f"daypass/data/daypass/notes/{name}", {"data": note})
        for name in ("policies", "closed"):  # of another main: the next run notes them anew
            self.box.bao.client.delete(f"daypass/metadata/daypass/notes/{name}")


def live_id(number: int) -> str:
    return f"live-{number:06d}"


def request_of(name: str, number: int) -> bytes:
    content = _template()
    for old, new in (
        (_TEMPLATE, name),
        (staff(0), staff(number)),
        (database(0), database(number)),
    ):
        content = content.replace(old.encode(), new.encode())
    return content


@cache
def _template() -> bytes:
    """A request as a person would write it; YAML is written slowly, and this is asked for often."""
    spec = {"subject": staff(0), "resource": database(0), "duration": "8h"}
    (content,) = organisation.request(_TEMPLATE, **spec).values()
    if content is None:
        raise SystemExit("a request without content: the bench is broken")
    return content


def gather(box: Box) -> Crowd:
    """Enlarge the organisation of a fresh box, set daypass up in Vault, and grant one."""
    carol = box.person("carol")
    carol.merge(carol.propose("larger", dict(documents(box)), "A larger organisation"))
    box.vault_bootstrap()
    merge_each(box, [_SAMPLE], duration="8h")
    if apply(box).ids("issued") != {_SAMPLE}:
        raise SystemExit("the sample was not granted: the bench is broken")
    head = box.repository.store.branch("main")
    record = box.repository.store.blob(head or "", grant_path(_SAMPLE))
    if head is None or record is None:
        raise SystemExit("the sample is not on main: the bench is broken")
    grant = Grant.from_document(json.loads(record[1]))
    if grant.subject not in PEOPLE:
        raise SystemExit(f"{grant.subject} holds the sample: the bench is broken")
    return Crowd(box, _evidence_key(box), grant, head)


def _evidence_key(box: Box) -> Ed25519PrivateKey:
    """The box's own key, which Vault gives to its root once it is told that it may."""
    path = "daypass-transit/keys/evidence/config"
    bare_call(box, "POST", path, {"exportable": True})
    answer = bare_call(box, "GET", "daypass-transit/export/signing-key/evidence/1")
    text = answer["data"]["keys"]["1"]
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(text)[:32])


_LOCAL: Final = threading.local()


def bare_call(box: Box, method: str, path: str, body: Any = None) -> Any:
    """One call to OpenBao over this thread's own kept-alive connection, with the root token."""
    connection = getattr(_LOCAL, "connection", None)
    if connection is None:
        target = urlsplit(box.bao.address)
        connection = http.client.HTTPConnection(target.hostname or "", target.port)
        _LOCAL.connection = connection
    data = None if body is None else json.dumps(body).encode()
    headers = {"X-Vault-Token": box.bao.root_token.reveal()}
    connection.request(method, f"/v1/{path}", data, headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status >= 300:
        raise SystemExit(f"OpenBao answered {answer.status} to {path}: the bench is broken")
    return json.loads(content) if content else None
