"""`daypass vault apply` for 5,000 resources, beside the same writes made bare.

The floor is what no set-up can do without: a policy and a token role for each resource, with the
same bodies, written by eight threads over kept-alive connections of `requests`, with nothing read,
compared or told. It is measured before and after, under other names in the same OpenBao, and the
mean counts. `vault apply` is the whole process, from the start of its interpreter on.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import requests

from bench.figures import Figure, show
from bench.governed import PACKAGE, empty_box
from daypass.adapters.vault.setup import desired_by
from daypass.adapters.vault.steps import ROLES, Document, Policy
from daypass.cli.proven_documents import Checkout
from daypass.model.names import Kind
from daypass.sandbox.organisation import document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daypass.sandbox.box import Box
    from daypass.sandbox.person import Person

RESOURCES: Final = 5000
AT_ONCE: Final = 8
GOAL: Final = 2.0
_NAME: Final = "daypass-many"
_SPEC: Final = {
    "type": "database",
    "environment": "production",
    "owners": {"business": "orders-team", "lifecycle": "dba"},
    "sensitivity": "moderate",
    "maxDuration": "1h",
    "recording": "none",
    "approvers": {"groups": ["dba"], "atLeast": 1},
}

Write = tuple[str, bytes]  # path and body


@dataclass(frozen=True, slots=True)
class Applied:
    """A run of `vault apply`: how long it took, and what it did."""

    seconds: float
    created: int
    unchanged: int


def lay_out(box: Box, person: Person, names: Sequence[str]) -> None:
    """Commit the resources on main: the first set-up trusts what is there."""
    folder = person.clone / "access" / "resources"
    for name in names:
        level = {
            "engine": "database",
            "mount": "database",
            "tiers": {"1h": f"{name}-1h"},
            "issue": "on-merge",
        }
        content = document(Kind.RESOURCE, name, {**_SPEC, "levels": {"read": level}})
        (folder / f"{name}.yaml").write_bytes(content)
    person.git("add", "-A", "access")
    person.git("commit", "-q", "-m", "Many resources")
    bypass = box.repository.rules.bypass
    bypass.add(person.account.id)
    person.git("push", "-q", "origin", "HEAD:main")
    bypass.discard(person.account.id)


def writes(person: Person) -> list[Write]:
    """What `vault apply` writes for those resources, policies first."""
    setup = desired_by(Checkout.read(str(person.clone)).catalogue)
    policies = [
        (step.path, json.dumps({"policy": step.text}).encode())
        for step in setup.steps
        if isinstance(step, Policy) and step.name.startswith(_NAME)
    ]
    roles = [
        (step.path, json.dumps(dict(step.body)).encode())
        for step in setup.steps
        if isinstance(step, Document) and step.path.startswith(f"{ROLES}/{_NAME}")
    ]
    if not len(policies) == len(roles) == RESOURCES:
        raise SystemExit(f"{len(policies)} policies, {len(roles)} roles: the bench is broken")
    return policies + roles


def floor(box: Box, made: Sequence[Write], label: str) -> float:
    """Seconds for the writes alone, under other names."""
    address, token = f"{box.bao.address}/v1", box.bao.root_token.reveal()
    mine = threading.local()

    def write(item: Write) -> None:
        session = getattr(mine, "session", None)
        if session is None:
            session = mine.session = requests.Session()
            session.headers["X-Vault-Token"] = token
        path, body = item[0].replace(_NAME, label), item[1].replace(_NAME.encode(), label.encode())
        answer = session.post(f"{address}/{path}", data=body)
        if answer.status_code >= 300:
            raise SystemExit(f"OpenBao answered {answer.status_code}: the bench is broken")

    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(write, made):
            pass
    return time.perf_counter() - began


def apply(box: Box, person: Person) -> Applied:
    """One run of the operator's command, whole process."""
    token = {"VAULT_TOKEN": box.bao.root_token.reveal(), "PYTHONPATH": str(PACKAGE.parent)}
    words = ["vault", "-C", str(person.clone), "apply", "--format", "json"]
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "daypass", *words],
        env=person.environment() | token,
        check=False,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - began
    if done.returncode not in (0, 5):  # 5: the App's key is still to be imported
        raise SystemExit(f"vault apply ended with {done.returncode}: {done.stderr}")
    outcomes = [item["outcome"] for item in json.loads(done.stdout)["changes"]]
    return Applied(seconds, outcomes.count("created"), outcomes.count("unchanged"))


def measure() -> list[Figure]:
    names = [f"many-{number:04d}" for number in range(RESOURCES)]
    with empty_box() as box:
        carol = box.person("carol")
        carol.git("pull", "-q", "--ff-only")
        lay_out(box, carol, names)
        made = writes(carol)
        before = floor(box, made, "bare-a")
        first = apply(box, carol)
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        after = floor(box, made, "bare-b")
        if first.created < 2 * RESOURCES:
            raise SystemExit(f"{first.created} created: the bench is broken")
        again = apply(box, carol)
        if again.created or again.unchanged < 2 * RESOURCES:
            raise SystemExit(f"{again.created} created again: the bench is broken")
    bare = (before + after) / 2
    what = f"`vault apply` for {RESOURCES:,} resources, whole process"
    return [
        Figure(
            f"{what}, on an empty Vault",
            f"{first.seconds:.1f} s, {memory:.0f} MiB",
            f"the same {len(made):,} writes made bare, {AT_ONCE} at once: {bare:.1f} s",
            f"{first.seconds / bare:.2f} x",
            f"at most {GOAL:.0f} x",
            first.seconds <= GOAL * bare,
        ),
        Figure(
            f"{what}, with nothing to change",
            f"{again.seconds:.1f} s",
            "the same writes",
            f"{again.seconds / bare:.2f} x",
        ),
    ]


if __name__ == "__main__":
    show(measure())
