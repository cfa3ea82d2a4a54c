"""Resources whose targets are no longer looked at: as of an organisation without such a role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support import acting

if TYPE_CHECKING:
    from daypass.sandbox.box import Box

_RESOURCES = ("orders-db", "ledger-db")


def look_no_more(box: Box) -> None:
    """A pull request of the foundation's owners takes `confirm` out, and an operator applies it."""
    files: dict[str, bytes | None] = {}
    for name in _RESOURCES:
        path = f"access/resources/{name}.yaml"
        lines = box.repository.store.git("show", f"main:{path}").splitlines()
        kept = [line for line in lines if not line.strip().startswith("confirm:")]
        assert kept != lines
        files[path] = ("\n".join(kept) + "\n").encode()
    carol = box.person("carol")
    number = carol.propose("no-look", files, "Look no more")
    box.person("dave").approve(number)
    carol.merge(number)
    carol.git("pull", "-q", "--ff-only")
    done = acting.daypass(carol, "vault", "apply", VAULT_TOKEN=box.bao.root_token.reveal())
    assert done.code == 0, done.said
