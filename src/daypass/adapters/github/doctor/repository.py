"""Whether a name is still the repository that the settings mean, with the branch they name."""

from __future__ import annotations

import base64
import shlex
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import yaml

from daypass.adapters.github import wire
from daypass.adapters.github.doctor.finding import Finding, State
from daypass.adapters.github.doctor.reading import NotVisibleError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.adapters.github.doctor.reading import Reader
    from daypass.model.settings import GitHubSettings

_APPLY: Final = ".github/workflows/access-apply.yml"


@dataclass(frozen=True, slots=True)
class Repository:
    """What GitHub says that a name is today."""

    id: int
    owner_id: int
    full_name: str
    default_branch: str
    administers: bool  # whether the account of this token administers it


def repository(value: Any) -> Repository:
    """Reads GitHub's answer."""
    return Repository(
        wire.number(value["id"]),
        wire.number(value["owner"]["id"]),
        wire.text(value["full_name"]),
        wire.text(value["default_branch"]),
        (value.get("permissions") or {}).get("admin") is True,
    )


def examine_governed(
    reader: Reader, found: Repository, settings: GitHubSettings
) -> Iterator[Finding]:
    """Ids, default branch, and the branch that the laid-in workflows start on."""
    name, branch = settings.full_name, settings.default_branch
    ids = (found.id, found.owner_id)
    if ids == (settings.repository_id, settings.owner_id):
        yield Finding("repository-id", State.SOUND, f"{name} has the ids of the settings")
    else:
        what = f"{name} is repository {ids[0]} of owner {ids[1]}"
        why = (
            f"the settings say {settings.repository_id} of {settings.owner_id}: another repository "
            "has that name"
        )
        mend = (f"{reader.gh} api repositories/{settings.repository_id} --jq .full_name",)
        yield Finding("repository-id", State.DIFFERENT, what, why, mend)
    if found.default_branch == branch:
        yield Finding("default-branch", State.SOUND, f"{name}: the default branch is {branch}")
    else:
        what = f"{name}: the default branch is {found.default_branch}, the settings say {branch}"
        why = "schedules run on the default branch, and Vault takes only the branch of the settings"
        mend = (f"{reader.gh} repo edit {name} --default-branch {branch}",)
        yield Finding("default-branch", State.DIFFERENT, what, why, mend)
    yield _trigger(reader, branch)


def _trigger(reader: Reader, branch: str) -> Finding:
    check, what = "workflow-branch", f"{_APPLY} starts on pushes to {branch}"
    try:
        found = reader.find(_branches, f"/contents/{_APPLY}?ref={quote(branch, safe='')}")
    except NotVisibleError as error:
        return Finding(check, State.NOT_VISIBLE, what, str(error), proves=False)
    if found is None:
        why = "nothing grants what is merged, and nothing records what ends"
        mend = ("daypass init",)
        return Finding(check, State.MISSING, f"{_APPLY} is missing", why, mend, proves=False)
    named = found[0]
    if named is None or any(fnmatchcase(branch, pattern) for pattern in named):
        return Finding(check, State.SOUND, what, proves=False)
    why = f"it names {', '.join(named) or 'no branch'}: a merge waits for the schedule"
    edit = shlex.quote(f"s|branches: .*|branches: [{branch}]|")
    mend = (f"sed -i {edit} {_APPLY}   # and a pull request",)
    return Finding(
        check,
        State.DIFFERENT,
        f"{_APPLY} does not start on pushes to {branch}",
        why,
        mend,
        proves=False,
    )


def _branches(value: Any) -> tuple[tuple[str, ...] | None]:
    """The patterns of `on.push.branches`; None where pushes to every branch start it."""
    text = base64.b64decode(wire.text(value["content"])).decode("utf-8", "replace")
    try:
        # As strings alone: `on` is true to YAML 1.1.
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  -- builds strings only
    except yaml.YAMLError:
        return ((),)
    triggers = document.get("on") if isinstance(document, dict) else None
    push = triggers.get("push", {}) if isinstance(triggers, dict) else {}
    named = push.get("branches") if isinstance(push, dict) else None
    if named is None:
        return (None if isinstance(triggers, dict) and "push" in triggers else (),)
    return ((named,) if isinstance(named, str) else tuple(map(str, named)),)
