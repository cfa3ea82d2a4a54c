"""All that the world holds of one grant, made comparable: what two runs leave must be the same.

Kept is every fact that says what became of the grant, on main, in the evidence, in Vault, at the
database and on GitHub. Masked is what no two grants share: ids, times, digests and numbers.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from daypass.lifecycle.world import accessor_digest
from daypass.model.instant import Instant

if TYPE_CHECKING:
    from support.town import Asked, Town

_MASKS = (
    (re.compile(r"sha256:[0-9a-f]{64}"), "DIGEST"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "OBJECT"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r"\d+"), "N"),
    (re.compile(r"Daypass-Previous: OBJECT\n"), ""),  # the first event of all has none
)
_APP = "daypass:"
# Who else held what at the time is no part of this grant.
_OF_OTHERS = ("decision",)


def end_state(town: Town, asked: Asked) -> dict[str, Any]:
    """What there is of a grant now."""
    return {
        "main": _on_main(town, asked.id),
        "events": _events(town, asked.id),
        "vault": _in_vault(town, asked.id),
        "database": _users(town, asked.id),
        "github": _on_github(town, asked),
    }


def _masked(text: str, grant_id: str) -> str:
    text = text.replace(grant_id, "ID")
    for pattern, word in _MASKS:
        text = pattern.sub(word, text)
    return text


def _on_main(town: Town, grant_id: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted(town.files()):
        if path.rpartition("/")[2].partition(".")[0] != grant_id:
            continue
        text = town.store.git("show", f"main:{path}")
        if path.endswith(".json"):
            document = json.loads(text)
            for name in _OF_OTHERS:
                document["spec"].pop(name, None)
            text = json.dumps(document, sort_keys=True)
        found[path.replace(grant_id, "ID")] = _masked(text, grant_id)
    return found


def _events(town: Town, grant_id: str) -> list[str]:
    """Its events, with all that they say, oldest first."""
    log = town.store.git(
        "log",
        "--reverse",
        f"--grep=^Daypass-Grant: {grant_id}$",
        "--format=%(trailers)%x00",
        "main",
    )
    return [_masked(item.strip(), grant_id) for item in log.split("\0") if item.strip()]


def _in_vault(town: Town, grant_id: str) -> dict[str, Any]:
    client = town.box.bao.client
    pending = {
        name
        for entry in client.list("daypass/metadata/daypass/pending")
        for name in _content(town, f"pending/{entry}")["ids"].split()
    }
    slot = _content(town, f"grants/{grant_id}")
    live = town.live_tokens(grant_id)
    state, kept = (slot["state"], sorted(json.loads(slot["data"]))) if slot else (None, [])
    if state == "delivered" and not _on_main(town, grant_id):
        state, kept = "closed", []  # both say that nothing is due any more
    return {
        "slot": state,
        "kept": kept,
        "pending": grant_id in pending,
        "intent": grant_id in client.list("daypass/metadata/daypass/intents"),
        "done notes": len(client.list("daypass/metadata/daypass/done")),  # of grants that are over
        "tokens": len(live),
        "known": [accessor_digest(item) == _accessor(town, grant_id) for item in live],
    }


def _content(town: Town, path: str) -> dict[str, Any]:
    answer = town.box.bao.client.read(f"daypass/data/daypass/{path}")
    found: dict[str, Any] = (answer or {"data": {"data": {}}})["data"]["data"]
    return found


def _accessor(town: Town, grant_id: str) -> str | None:
    if f"access/grants/{grant_id}.json" not in town.files():
        return None
    accessor: str = town.record(grant_id)["vault"]["accessor"]
    return accessor


def _users(town: Town, grant_id: str) -> int:
    """How many users the database has for it; they carry the grant's id in their names."""
    return sum(name.startswith(f"g-{grant_id}-"[:39]) for name in town.box.postgres.roles())


def _on_github(town: Town, asked: Asked) -> dict[str, Any]:
    repository, bot = town.box.repository, town.box.github.app.bot
    pull = repository.pulls[asked.number]
    return {
        "pull request": "merged" if pull.merged_at else "open" if pull.open else "closed",
        "said": sorted(
            _masked(comment.body.partition("\n")[0], asked.id)
            for comment in repository.comments.values()
            if comment.number == asked.number and comment.author is bot
        ),
        "issues": sorted(
            (_masked((issue.body or "").partition("\n")[0], asked.id), issue.state)
            for issue in repository.issues.values()
            if f":{asked.id} -->" in (issue.body or "") or f".{asked.id} -->" in (issue.body or "")
        ),
    }


def lasts(town: Town, grant_id: str) -> float:
    """Seconds from the beginning to the end of a grant on main."""
    record = town.record(grant_id)
    return Instant.parse(record["notAfter"]).since(Instant.parse(record["notBefore"]))
