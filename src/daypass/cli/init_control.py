"""The control repository's part of `daypass init`: a checkout of it, and what its files say there.

Its files are literals that jobs believe, and every governed repository that it serves believes the
same ones. The values come from the governed repository, which people merge to all day. So what
would change there is named, old and new, and is written only when its owner says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daypass.adapters.git.process import Git
from daypass.cli import init_files, output, remote_url
from daypass.cli.remotes import ORIGIN
from daypass.documents.workflows import (
    MAX_PINS,
    PRIVILEGED,
    Literals,
    control_workflows,
    literals_of,
    pins_of,
)
from daypass.errors import GitError, UsageError
from daypass.model.names import PIN_VARIABLE, RELEASE_PATH, SETTINGS_PATH

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from daypass.model.settings import ControlSettings, Settings

REPLACE: Final = "--replace-values"


@dataclass(frozen=True, slots=True)
class Change:
    """A literal that the control repository's files would say otherwise than now."""

    name: str
    old: str | None  # None: a file that is there does not say it
    new: str

    @property
    def line(self) -> str:
        """Old and new, for people."""
        before = "not said" if self.old is None else ascii(self.old)
        return f"{self.name}: {before} → {self.new!a}"


@dataclass(frozen=True, slots=True)
class ControlPart:
    """What goes into a checkout of the control repository."""

    directory: Path
    repository: str
    files: dict[str, bytes]  # by path
    pins: tuple[str, ...]  # the releases that its jobs take from then on, the newest last
    known: tuple[str, ...]  # those that they took before

    def say(self) -> None:
        """Tell what was written, and which releases the jobs take now."""
        output.say(
            f"laid {len(self.files)} workflows into {self.directory}, the control repository"
        )
        output.say("The releases that its jobs take, each the sha256 of a .github/daypass.txt:")
        for pin in self.pins:
            output.say(f"  {pin}{'' if pin in self.known else '  new'}")
        if set(self.pins) - set(self.known):
            output.say_wrapped(
                "Compare the new one with `sha256sum .github/daypass.txt` in the checkout of "
                "daypass in which you ran `make pin`: two people who merge here can change it."
            )


def control_part(
    root: Path, settings: Settings, directory: Path, *, replace: bool = False
) -> ControlPart:
    """The workflows of the control repository that is checked out in `directory`.

    A release pin that its files say already stays valid beside the one of the release that is
    pinned at `root`, until it is taken out. Vault's address, audience and authorities stay what
    they are, unless `replace` says otherwise.

    Raises:
        UsageError: the settings name no control repository, `directory` is no checkout of it, a
            file of theirs is missing, two other pins are valid, or other values would change.
    """
    control = settings.control
    if control is None:
        raise UsageError(
            f"{SETTINGS_PATH} names no control repository",
            remedy="Add `spec.control` with its name and id, or leave out --control-directory.",
        )
    _assert_checkout(directory, root, settings.github.server_url, control)
    vault = settings.vault
    pin = init_files.digest(root, RELEASE_PATH)
    there = _there(directory)
    known = _pins(there, directory)
    pins = known if pin in known else (*known, pin)
    if len(pins) > MAX_PINS:
        raise UsageError(
            f"the workflows in {directory} name two releases already, and neither is the one that "
            f"{RELEASE_PATH} pins",
            remedy="Finish that upgrade first: take the older digest out of both workflows there.",
        )
    authorities = init_files.digest(root, vault.ca_file) if vault.ca_file else ""
    files = control_workflows(control, Literals(pins, vault.address, vault.audience, authorities))
    _stop_at_changes(_changes(there, files), directory, replace=replace)
    return ControlPart(directory, control.repository, files, pins, known)


def _assert_checkout(directory: Path, root: Path, server: str, control: ControlSettings) -> None:
    """Compare the top of the clone, and where `origin` leads. Raises UsageError."""
    if (why := _no_checkout(directory, root, server, control.repository)) is not None:
        raise UsageError(
            f"{str(directory)!a} is no checkout of {control.repository}: {why}",
            remedy=f"Clone it, `git clone {server}/{control.repository}`, and name the top of that "
            "clone. Nothing was written.",
        )


def _no_checkout(directory: Path, root: Path, server: str, name: str) -> str | None:
    """Why the directory is not the top of a clone of that repository; None if it is."""
    if not directory.is_dir():
        return "there is no such directory"
    if directory.resolve() == root.resolve():
        return "it is the governed repository"
    git = Git(directory)
    try:
        top = git.run("rev-parse", "--show-toplevel").decode().removesuffix("\n")
    except GitError:
        return "it is no git repository"
    if (directory / top).resolve() != directory.resolve():
        return f"it is a folder inside of {top}"
    return _elsewhere(git, server, name)


def _elsewhere(git: Git, server: str, name: str) -> str | None:
    """Where the remote leads, if not to that repository."""
    done = git.try_run("remote", "get-url", ORIGIN)
    if done.returncode != 0:
        return f"it has no remote `{ORIGIN}`"
    place = remote_url.read(done.stdout.decode("utf-8", "replace").strip())
    if place is None:
        return f"its remote `{ORIGIN}` is no repository at GitHub"
    return None if place.is_at(server, name) else f"its `{ORIGIN}` is {place.shown}"


def _there(directory: Path) -> dict[str, bytes]:
    """The control repository's files that lie there, by path."""
    return {
        path: (directory / path).read_bytes()
        for path in PRIVILEGED
        if not init_files.leads_away(directory, path) and (directory / path).is_file()
    }


def _pins(there: Mapping[str, bytes], directory: Path) -> tuple[str, ...]:
    """The pins that are valid there. Raises UsageError if the two files say different ones."""
    said = {path: pins_of(content) for path, content in there.items()}
    if len(set(said.values())) > 1:
        raise UsageError(
            f"{' and '.join(said)} in {directory} do not name the same releases",
            remedy=f"Make {PIN_VARIABLE} the same in both first.",
        )
    return next(iter(said.values()), ())


def _changes(there: Mapping[str, bytes], files: Mapping[str, bytes]) -> list[Change]:
    """What the files there say otherwise, except for releases, which are added only."""
    found = []
    for path, content in there.items():
        before, after = literals_of(content), literals_of(files[path])
        found += [
            Change(name, before.get(name), value)
            for name, value in after.items()
            if name != PIN_VARIABLE and before.get(name) != value
        ]
    return list(dict.fromkeys(found))


def _stop_at_changes(changes: list[Change], directory: Path, *, replace: bool) -> None:
    if not changes:
        return
    if replace:
        for change in changes:
            output.say(change.line)
        return
    raise UsageError(
        f"the workflows in {directory} say otherwise than {SETTINGS_PATH} here",
        remedy="Nothing was written. All that a control repository serves have the same Vault: "
        "a repository with another one needs another control repository. Correct "
        f"{SETTINGS_PATH}, or, if Vault has moved, say `daypass init --upgrade "
        f"--control-directory {directory} {REPLACE}`. What differs:",
        lines=[change.line for change in changes],
    )
