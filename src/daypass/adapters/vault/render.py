"""The set-up as something to review: every policy as HCL, every write as the command it is.

What is printed is a POSIX shell script that lays in the same set-up by hand, on an empty Vault.
It is made offline, and is byte-identical for the same access/.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from daypass.adapters.vault.steps import Mount, Policy, TransitKey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.adapters.vault.steps import Setup, Step

_HEAD = """\
#!/bin/sh
# What daypass asks of {address}{namespace}, computed from access/.
# It lets in {home}.
# To review: each policy says what it allows. To lay in: `daypass vault apply`,
# which changes only what differs, or this script on an empty Vault
# (VAULT=vault for HashiCorp's command).
set -eu
VAULT="${{VAULT:-bao}}"
"""


def render(setup: Setup) -> str:
    """The whole script, ending with a line feed."""
    vault = setup.settings.vault
    namespace = f", namespace {vault.namespace}" if vault.namespace else ""
    parts = [_HEAD.format(address=vault.address, namespace=namespace, home=_home(setup))]
    parts += [f"\n# {step.title}\n{_command(step)}" for step in setup.steps]
    return "".join([*parts, *_expected(setup)])


def _home(setup: Setup) -> str:
    """Whose workflows may log in."""
    control, github = setup.settings.control, setup.settings.github
    if control is None:
        return f"{github.full_name}'s own workflows, which only GitHub's rules guard"
    return f"the workflows of {control.repository} (id {control.id}), branch {control.branch}"


def _command(step: Step) -> str:
    path = shlex.quote(step.path)
    if isinstance(step, Policy):
        return f"\"$VAULT\" policy write {shlex.quote(step.name)} - <<'HCL'\n{step.text}HCL\n"
    if isinstance(step, TransitKey) and step.imported:
        return (
            "# The key is GitHub's, and is imported wrapped:\n"
            "#   daypass vault apply --app-key-file PEM\n"
        )
    target = f"{step.table}/{path}" if isinstance(step, Mount) else path
    body = json.dumps(step.body, indent=2)
    return f"\"$VAULT\" write {target} - <<'JSON'\n{body}\nJSON\n"


def _expected(setup: Setup) -> Iterable[str]:
    """What the database's administrator lays in; `daypass vault doctor` looks whether it is so."""
    yield "\n# Not daypass's: each secrets engine's role, with its default_ttl and max_ttl\n"
    wanted = {(role.mount, role.role, role.length) for role in setup.roles}
    for mount, role, length in sorted(wanted):
        yield f"#   {mount}/roles/{role}  {length}\n"
