"""The town, and what its people do in an emergency."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daypass.model.names import Kind
from daypass.sandbox.organisation import document
from support import acting, late_review_run
from support.town import Asked, Town

if TYPE_CHECKING:
    from daypass.sandbox.github.state import Issue
    from daypass.sandbox.person import Person
    from support.acting import Done


@dataclass(frozen=True, slots=True)
class Emergency:
    """A pull request of the emergency lane."""

    id: str
    number: int
    who: Person

    @property
    def asked(self) -> Asked:
        return Asked(self.id, self.number, self.who)


class Village(Town):
    """The town in an emergency."""

    def take(self, by: str = "alice", *words: str, duration: str = "1h") -> Emergency:
        """`daypass break-glass`, as a person types it."""
        done = self.type(by, *(words or ("orders-db", "read")), "--duration", duration)
        assert done.code == 0, done.said
        found = done.json()
        return Emergency(found["grant"], found["pullRequest"], self.box.person(by))

    def type(self, by: str, *words: str) -> Done:
        return acting.daypass(
            self.box.person(by),
            "break-glass",
            *words,
            *("--incident", "INC-7", "--reason", "Checkout is down", "--format", "json"),
        )

    def propose(
        self,
        name: str,
        *,
        by: str = "alice",
        beside: dict[str, bytes | None] | None = None,
        **spec: Any,
    ) -> Emergency:
        """The same by hand, whatever it says."""
        who = self.box.person(by)
        files = {**emergency(name, **{"subject": by, **spec}), **(beside or {})}
        return Emergency(name, who.propose(f"break-glass/{name}", files, "Help"), who)

    def granted(self, by: str = "alice", *words: str, duration: str = "1h") -> Emergency:
        taken = self.take(by, *words, duration=duration)
        done = self.apply("workflow_dispatch")
        assert done.code == 0, done.said
        assert self.events(taken.id) == ["issued"]
        return taken

    def end(self, taken: Emergency) -> None:
        """Its holder takes it back, and a run records that."""
        path = f"access/break-glass/{taken.id}.yaml"
        number = taken.who.propose(f"end-{taken.id}", {path: None}, "It is over")
        taken.who.merge(number)
        assert self.apply().code == 0
        assert self.events(taken.id)[-1] == "revoked"
        time.sleep(1.1)  # GitHub tells whole seconds: what follows is said after the end

    def review(self, taken: Emergency, by: str = "carol") -> Done:
        done = acting.daypass(self.box.person(by), "review", taken.id, "--note", "All is well")
        return self.apply() if done.code == 0 else done

    def is_owed(self, taken: Emergency) -> bool:
        return f"access/obligations/{taken.id}.json" in self.files()

    def issue(self, taken: Emergency) -> Issue:
        marker = f"<!-- daypass:break-glass:{taken.id} -->"
        (found,) = self.issues(marker)
        return found

    def issues(self, marker: str) -> list[Issue]:
        issues = self.box.repository.issues.values()
        return [item for item in issues if (item.body or "").startswith(marker)]

    def said(self, taken: Emergency) -> str:
        """All that stands on its pull request, as people read it."""
        return "\n".join(item["body"] for item in taken.who.comments(taken.number)).replace(
            "\\", ""
        )

    def is_merged(self, taken: Emergency) -> bool:
        return self.box.repository.pulls[taken.number].merged_at is not None

    def is_open(self, taken: Emergency) -> bool:
        return self.box.repository.pulls[taken.number].open

    def late_run(self) -> Done:
        """A run for which a review is due a second after the issue."""
        with acting.job(self.box) as job:
            return job.run(sys.executable, late_review_run.__file__, "apply", "--format", "json")


def emergency(name: str, **spec: Any) -> dict[str, bytes | None]:
    body = {
        "subject": "alice",
        "resource": "orders-db",
        "access": "read",
        "duration": "30m",
        "incident": "INC-7",
        "reason": "Checkout is down",
        **spec,
    }
    return {f"access/break-glass/{name}.yaml": document(Kind.BREAK_GLASS_REQUEST, name, body)}
