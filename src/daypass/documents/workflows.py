"""Workflows: the files of this release, as a governed or a control repository has them.

The release's own files are those of the small set-up: one repository, on main. Other set-ups are
made from them, so that there is one source.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.documents.resources import workflow_folder
from daypass.errors import UsageError
from daypass.model.names import (
    ADDRESS_VARIABLE,
    AUDIENCE_VARIABLE,
    CA_VARIABLE,
    COMMANDS_RUN_WORKFLOW,
    PIN_VARIABLE,
    RECONCILE_WORKFLOW,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daypass.model.settings import ControlSettings

PRIVILEGED: Final = (RECONCILE_WORKFLOW, COMMANDS_RUN_WORKFLOW)
MAX_PINS: Final = 2  # the release in use and, while an upgrade rolls, the one that comes
_FOLDER: Final = ".github/workflows"
_REPORT: Final = f"{_FOLDER}/access-report.yml"
_VARIABLE = re.compile(r"\$\{\{ vars\.([A-Z_]+) \}\}")
_LITERAL = re.compile(r"^ +(DAYPASS_(?:PIN|VAULT_[A-Z]+)): (.+)$", re.MULTILINE)
_DIGESTS = re.compile(r"[0-9a-f ]*")
_OWN_CALL = re.compile(
    r"^ +# The newer `\$/` form .*\n +uses: \./(\S+) # zizmor: ignore\[self-repository\]\n",
    re.MULTILINE,
)
_OWN_ENVIRONMENT = re.compile(r"^ +environment: daypass #.*\n", re.MULTILINE)
_WHY: Final = """\
    # A branch and no commit, because Vault binds job_workflow_ref to it: requesters cannot write
    # there, and with a commit Vault would have to be told of each upgrade.
"""
_OWN_BRANCH: Final = "branches: [main]"
_OWN_FILE: Final = "this very file, on the default branch"


@dataclass(frozen=True, slots=True)
class Literals:
    """What the jobs of a control repository know from outside, as its workflow files say it."""

    pins: tuple[str, ...]  # sha256 of .github/daypass.txt in hex, the newest last
    address: str
    audience: str
    ca: str  # sha256 of the CA file in hex; "" where the settings name none

    def variables(self) -> Mapping[str, str]:
        """The text of each, by the name of the variable that the job finds it in."""
        return {
            PIN_VARIABLE: " ".join(self.pins),
            ADDRESS_VARIABLE: self.address,
            AUDIENCE_VARIABLE: self.audience,
            CA_VARIABLE: self.ca,
        }


def governed_workflows(
    branch: str, control: ControlSettings | None = None, pin: str = ""
) -> dict[str, bytes]:
    """The workflows of a governed repository, by path.

    Args:
        branch: its default branch.
        control: where the privileged workflows are; None for the small set-up, which has them here.
        pin: sha256 of `.github/daypass.txt` in hex. With a control repository, the report's own
            file says it; without one, it is a variable.
    """
    texts = _release()
    if control is not None:
        texts = {path: text for path, text in texts.items() if path not in PRIVILEGED}
        texts = {path: _calling(text, control) for path, text in texts.items()}
        texts[_REPORT] = texts[_REPORT].replace(
            f"${{{{ vars.{PIN_VARIABLE} }}}}", _quoted(PIN_VARIABLE, pin)
        )
    if branch != "main":
        texts = {
            path: text.replace(_OWN_BRANCH, f"branches: [{json.dumps(branch)}]")
            for path, text in texts.items()
        }
    return {path: text.encode() for path, text in texts.items()}


def control_workflows(control: ControlSettings, literals: Literals) -> dict[str, bytes]:
    """The privileged workflows, as a control repository has them, by path.

    Raises:
        UsageError: a literal cannot stand in a workflow.
    """
    values = {name: _quoted(name, value) for name, value in literals.variables().items()}
    texts = {path: text for path, text in _release().items() if path in PRIVILEGED}
    made = {}
    for path, text in texts.items():
        own = _OWN_ENVIRONMENT.sub("", text)
        own = own.replace(_OWN_FILE, f"this very file, on {control.branch}")
        made[path] = _VARIABLE.sub(lambda match: values[match[1]], own).encode()
    return made


def pins_of(workflow: bytes) -> tuple[str, ...]:
    """The release pins that a control repository's workflow says; none where it says none."""
    said = literals_of(workflow).get(PIN_VARIABLE, "")
    return tuple(said.split()) if _DIGESTS.fullmatch(said) else ()


def literals_of(workflow: bytes) -> dict[str, str]:
    """What a workflow says of each literal, by name; an expression is given as it is written."""
    found = _LITERAL.findall(workflow.decode("utf-8", "replace"))
    return {name: _unquoted(text) for name, text in found}


def _unquoted(text: str) -> str:
    """The value of a string that `_quoted` wrote; any other text as it is."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else text


def _release() -> dict[str, str]:
    files: Iterable[tuple[str, str]] = (
        (f"{_FOLDER}/{path.name}", path.read_text(encoding="utf-8"))
        for path in sorted(workflow_folder().glob("access-*.yml"))
    )
    return dict(files)


def _calling(text: str, control: ControlSettings) -> str:
    """A caller's text, with the control repository's workflow in place of the one beside it."""

    def called(match: re.Match[str]) -> str:
        where = f"{control.repository}/{match[1]}@{control.branch}"
        return f"{_WHY}    uses: {where} # zizmor: ignore[unpinned-uses]\n"

    return _OWN_CALL.sub(called, text)


def _quoted(name: str, value: str) -> str:
    """A YAML string that GitHub takes to the letter."""
    if "${{" in value or not value.isascii():
        raise UsageError(
            f"{name} would be {value!a}, which GitHub reads as an expression",
            remedy="Correct it in access/daypass.yaml.",
        )
    return json.dumps(value)
