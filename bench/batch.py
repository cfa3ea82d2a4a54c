"""Grants per second of `daypass apply` over 100 merged requests, beside the mint calls made bare.

The floor is what no bot can do without: for each grant one token created and one credential read
inside a wrapping token, over one kept-alive connection, with nothing proven, decided, remembered,
sealed, signed or delivered. apply is the whole process, from the start of its interpreter on.
"""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from bench.figures import Figure, show
from bench.governed import apply, merge_each, merge_together, organisation, pushes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from daypass.sandbox.box import Box

GRANTS: Final = 100
ROUNDS: Final = 3
GOAL: Final = 1.5
_ROLE: Final = "daypass-orders-db-read-1h"
_CREDENTIALS: Final = "database/creds/orders-read-1h"


class Bare:
    """One kept-alive connection to OpenBao, and no more than HTTP needs."""

    def __init__(self, box: Box) -> None:
        target = urlsplit(box.bao.address)
        self._connection = http.client.HTTPConnection(target.hostname or "", target.port)
        self._token = box.bao.root_token.reveal()

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        headers = {"X-Vault-Token": self._token} | headers
        data = None if body is None else json.dumps(body).encode()
        self._connection.request(method, f"/v1/{path}", data, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"OpenBao answered {answer.status} to {path}: the bench is broken")
        return json.loads(content) if content else None

    def mint(self, name: str) -> tuple[str, str]:
        """As daypass orders it; returns the accessors of the token and of the wrapping token."""
        return self.mint_wrapped(name)[:2]

    def mint_wrapped(self, name: str) -> tuple[str, str, str]:
        """The same, and the wrapping token itself."""
        body = {
            "policies": [_ROLE],
            "ttl": "3600s",
            "explicit_max_ttl": "3600s",
            "renewable": False,
            "no_default_policy": True,
            "num_uses": "2",
            "display_name": f"grant-{name}",
            "meta": {"bench": name},
        }
        created = self.call("POST", f"auth/token/create/{_ROLE}", body)["auth"]
        wrapped = {"X-Vault-Token": created["client_token"], "X-Vault-Wrap-TTL": "3600"}
        wrapping = self.call("GET", _CREDENTIALS, **wrapped)["wrap_info"]
        return str(created["accessor"]), str(wrapping["accessor"]), str(wrapping["token"])

    def accessors(self) -> set[str]:
        """Of all tokens that live."""
        return set(self.call("LIST", "auth/token/accessors")["data"]["keys"])

    def revoke(self, accessor: str) -> None:
        self.call("POST", "auth/token/revoke-accessor", {"accessor": accessor})

    def close(self) -> None:
        self._connection.close()


def floor(box: Box, label: str) -> float:
    """Seconds for the bare mint calls of the batch. What they made is taken back afterwards."""
    bare = Bare(box)
    began = time.perf_counter()
    minted = [bare.mint(f"{label}-{number}") for number in range(GRANTS)]
    seconds = time.perf_counter() - began
    for accessors in minted:
        for accessor in accessors:
            bare.revoke(accessor)
    bare.close()
    _await_users(box, f"g-{label}-")
    return seconds


def batch(
    box: Box, label: str, merge: Callable[..., object], end: Callable[[Box, Sequence[str]], None]
) -> float:
    """Seconds of the run of apply that grants a batch; asserts that it is whole, by one push.

    It is ended afterwards, and with it the deliveries that nobody opened: each is a live token, and
    the next batch would look at them all.
    """
    bare = Bare(box)
    living = bare.accessors()
    bare.close()
    ids = [f"{label}-{number:03d}" for number in range(GRANTS)]
    merge(box, ids, duration="1h")
    before = pushes(box)
    run = apply(box)
    if run.ids("issued") != set(ids):
        raise SystemExit(f"{len(run.ids('issued'))} of {GRANTS} were granted: the bench is broken")
    if pushes(box) != before + 1:
        raise SystemExit(f"{pushes(box) - before} pushes for one batch: the bench is broken")
    end(box, ids)
    bare = Bare(box)
    for accessor in bare.accessors() - living:
        bare.revoke(accessor)
    bare.close()
    return run.seconds


def take_back(box: Box, ids: Sequence[str]) -> None:
    """Delete all their requests in one pull request."""
    carol = box.person("carol")
    gone = {f"access/requests/{name}.yaml": None for name in ids}
    carol.merge(carol.propose(f"end-{ids[0]}", gone, "No longer needed"))
    ended = apply(box).ids("revoked")
    if ended != set(ids):
        raise SystemExit(f"{len(ended)} of {GRANTS} were ended: the bench is broken")
    _await_users(box, f"g-{ids[0].partition('-')[0]}-")


def _await_users(box: Box, prefix: str) -> None:
    deadline = time.monotonic() + 30
    while any(name.startswith(prefix) for name in box.postgres.roles()):
        if time.monotonic() > deadline:
            raise SystemExit(f"users {prefix}… are still there: the bench is broken")
        time.sleep(0.05)


def measure() -> list[Figure]:
    """The best of a few rounds for each side, taken in turns."""
    each, together, bare = [], [], []
    with organisation() as box:
        for number in range(ROUNDS):
            bare.append(floor(box, f"bare{number}"))
            each.append(batch(box, f"each{number}", merge_each, take_back))
            bare.append(floor(box, f"again{number}"))
            together.append(batch(box, f"one{number}", merge_together, take_back))
    best = min(bare)
    return [
        Figure(
            f"apply: {GRANTS} merged requests, {what}, one push, whole process",
            f"{GRANTS / min(taken):.0f} grants/s ({min(taken):.2f} s)",
            f"the bare mint calls, {GRANTS / best:.0f}/s ({best:.2f} s)",
            f"{min(taken) / best:.2f} x the floor's time",
            f"at most {GOAL} x",
            min(taken) <= GOAL * best,
        )
        for what, taken in (
            ("a pull request each", each),
            ("in one pull request", together),
        )
    ]


if __name__ == "__main__":
    show(measure())
