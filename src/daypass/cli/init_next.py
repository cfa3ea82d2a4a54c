"""What is left to do after `daypass init`, in the order in which it works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.cli import output
from daypass.model.names import RELEASE_PATH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from daypass.cli.init_control import ControlPart
    from daypass.model.settings import ControlSettings, Settings

_DOCUMENTS: Final = """\
Write access/resources and access/policies: until a policy permits it, nobody gets anything. Then
run `daypass validate`."""
_PIN: Final = f"""\
Run `make pin` in a checkout of daypass and copy its {RELEASE_PATH} here: the workflows install by
it. Its wheel in dist/ goes to where the runner's pip finds it."""
_WHEEL: Final = """\
Put the wheel that `make pin` built in dist/ to where the runner's pip finds it."""
_ENVIRONMENT: Final = """\
At GitHub, before any push: make the environment `daypass`, for {branch} alone, with the variables
DAYPASS_PIN, DAYPASS_VAULT_ADDRESS and DAYPASS_VAULT_AUDIENCE, and DAYPASS_VAULT_CA with a caFile.
DAYPASS_PIN is a variable of the repository, too. A first run makes an environment that is missing,
without any rule."""
_CONTROL_RULES: Final = """\
At GitHub, before any push: {control} is written by the platform's owners alone, and its branch
{branch} has the README's rules without any bypass. If it is private, let the organisation's
repositories use its workflows (Settings, Actions, General, Access)."""
_RULES: Final = """\
Still before any push: give {branch} its two rulesets. The App, which is installed on this
repository alone, passes by the one that wants pull requests; the other has no bypass."""
_LAID: Final = "Commit {directory}, and bring it to {branch} of {control}."
_NOT_LAID: Final = """\
Lay the privileged workflows into a clone of {control} beside this one, and bring them to its
branch {branch}: `daypass init --upgrade --control-directory ../{name}`."""
_PULL_REQUEST: Final = """\
Bring all of this to {branch} by a pull request. Its check `validate and plan` fails this once:
{branch} has nothing to compare with. Require that check from then on. Runs fail until Vault knows
them."""
_VAULT: Final = """\
From a clone of {branch}: `daypass vault render`, to review; then an operator of Vault runs
`daypass vault apply --app-key-file PEM --write-signers`."""
_FINGERPRINT: Final = """\
Bring the fingerprint that it prints (spec.evidence.fingerprint) and access/allowed_signers to
{branch} by a pull request. A member of {owners} who is not its author approves it."""
_PROVE: Final = "Run `daypass vault doctor --try` and `daypass doctor github`."
_SMALL: Final = """\
The set-up is the small one: the workflows that Vault trusts are where requesters can write, and
only GitHub's rules keep two writers from changing them. --control names a repository for them."""


def say(root: Path, settings: Settings, part: ControlPart | None) -> None:
    """Print the steps, numbered.

    Args:
        root: the governed repository's work tree.
        settings: as they were written.
        part: what was laid into a checkout of the control repository.
    """
    output.say_wrapped(
        "Next, in this order; the README's chapter “Setting up a real organisation” has the "
        "details:"
    )
    for number, step in enumerate(_steps(root, settings, part), 1):
        output.say_wrapped(f"{number:>3}. {step}", indent="     ")
    if settings.control is None:
        output.say_wrapped(_SMALL)


def _steps(root: Path, settings: Settings, part: ControlPart | None) -> Iterator[str]:
    branch, control = settings.github.default_branch, settings.control
    yield _DOCUMENTS
    yield _WHEEL if (root / RELEASE_PATH).is_file() else _PIN
    if control is None:
        yield _ENVIRONMENT.format(branch=branch)
    else:
        yield _CONTROL_RULES.format(control=control.repository, branch=control.branch)
    yield _RULES.format(branch=branch)
    if control is not None:
        yield _brought(control, part)
    yield _PULL_REQUEST.format(branch=branch)
    yield _VAULT.format(branch=branch)
    yield _FINGERPRINT.format(branch=branch, owners=", ".join(settings.foundation_owners))
    yield _PROVE


def _brought(control: ControlSettings, part: ControlPart | None) -> str:
    """How the privileged workflows come to the control repository's branch."""
    names = {"control": control.repository, "branch": control.branch}
    if part is not None:
        return _LAID.format(directory=part.directory, **names)
    return _NOT_LAID.format(name=control.repository.partition("/")[2], **names)
