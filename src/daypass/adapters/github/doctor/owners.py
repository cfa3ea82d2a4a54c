"""Who owns what mints and what decides, by the CODEOWNERS file of the branch."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from daypass.adapters.github import wire
from daypass.adapters.github.doctor.finding import Finding, State
from daypass.adapters.github.doctor.reading import NotVisibleError
from daypass.adapters.github.teams import path_of
from daypass.documents.codeowners import MOST_BYTES, PLACES, deciding, parse
from daypass.model.names import FOUNDATION_AREAS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from daypass.adapters.github.doctor.reading import Reader
    from daypass.documents.codeowners import OwnerRule

_CHECK: Final = "code-owners"
_SHOWN: Final = 3  # errors and owners in one sentence


@dataclass(frozen=True, slots=True)
class FoundationOwners:
    """The owners of the foundation: a change of it counts only with their approval."""

    organisation: str
    organisation_id: int
    teams: Mapping[str, int | None]  # slug → the id that pins it
    accounts: frozenset[int]  # numeric ids
    words: tuple[str, ...]  # as CODEOWNERS would write them, for commands

    def includes(self, reader: Reader, word: str) -> bool:
        """Whether that owner of a line is one of them. An address cannot be looked up: it is not.

        Raises NotVisibleError, ForgeUnavailableError.
        """
        if not word.startswith("@"):
            return False
        organisation, slash, slug = word.removeprefix("@").partition("/")
        if slash:
            slug = slug.lower()
            if organisation.lower() != self.organisation.lower() or slug not in self.teams:
                return False
            # A slug changes hands when its team is renamed; the pinned id does not.
            pinned = self.teams[slug]
            return pinned is None or reader.team(self.organisation, slug) == pinned
        return reader.account(organisation) in self.accounts

    def strangers(self, reader: Reader, ids: Collection[int]) -> frozenset[int]:
        """Returns those of these accounts that are no owners; asks for the members of their teams.

        Raises NotVisibleError, ForgeUnavailableError, ForgeRefusedError.
        """
        left, hidden = frozenset(ids) - self.accounts, ""
        for slug, pinned in sorted(self.teams.items()):
            if not left:
                break
            team = path_of(self.organisation, self.organisation_id, slug, pinned)
            try:
                left -= reader.members(team)
            except NotVisibleError as error:
                hidden = str(error)
        if left and hidden:
            raise NotVisibleError(hidden)
        return left


def examine_owners(reader: Reader, branch: str, foundation: FoundationOwners) -> Iterator[Finding]:
    """Whether every change of an area asks for a review by an owner of the foundation.

    Raises NotVisibleError, ForgeUnavailableError.
    """
    found = _file(reader, branch)
    if found is None:
        what = f"{reader.name} {branch}: there is no CODEOWNERS"
        why = "a ruleset that wants code owners' review asks nothing of a file without owners"
        yield Finding(_CHECK, State.MISSING, what, why, _write(reader, foundation))
        return
    path, text = found
    if text is None:
        why = "GitHub loads no file of 3 MB, and this one could not be read"
        yield Finding(_CHECK, State.DIFFERENT, f"{path} is too large", why)
        return
    rules = parse(text)
    # A file in a place that GitHub prefers would replace this one.
    places = PLACES[: PLACES.index(path) + 1]
    areas = [*FOUNDATION_AREAS, *(place for place in places if not place.startswith(".github/"))]
    known: dict[str, bool] = {}
    for area in areas:
        yield _area(reader, path, area, rules, (foundation, known))
    yield _errors(reader, branch, path)


def _area(
    reader: Reader,
    path: str,
    area: str,
    rules: Sequence[OwnerRule],
    owners: tuple[FoundationOwners, dict[str, bool]],
) -> Finding:
    foundation, known = owners
    ruling, whole = deciding(rules, area)
    mend = _write(reader, foundation)
    what = f"{path}: {area} is not the foundation's owners' alone"
    base = Finding(f"{_CHECK} {area}", State.DIFFERENT, what, mend=mend)
    for rule in ruling:
        if not rule.owners:
            why = f"line {rule.line} (`{rule.pattern}`) leaves some of it without an owner"
            return replace(base, why=why)
        try:
            others = [
                word for word in rule.owners if not _includes(reader, foundation, word, known)
            ]
        except NotVisibleError as error:
            what = f"{path}: who owns {area}"
            return Finding(f"{_CHECK} {area}", State.NOT_VISIBLE, what, str(error))
        if others:
            by = f"by line {rule.line}"
            if not rule.is_plain:
                by += f" (`{rule.pattern}`, which can be read in more than one way)"
            why = (
                f"{by} a review of {', '.join(others[:_SHOWN])} is enough, who "
                "is no owner of the foundation in access/daypass.yaml"
            )
            return replace(base, why=why)
    if not whole:
        return replace(base, why="no line gives all of it to owners")
    lines = ", ".join(str(rule.line) for rule in reversed(ruling))
    what = f"{path}, line {lines}: {area} belongs to owners of the foundation"
    return Finding(f"{_CHECK} {area}", State.SOUND, what)


def _includes(
    reader: Reader, foundation: FoundationOwners, word: str, known: dict[str, bool]
) -> bool:
    if word not in known:
        known[word] = foundation.includes(reader, word)
    return known[word]


def _errors(reader: Reader, branch: str, path: str) -> Finding:
    """What GitHub itself finds wrong in the file: it asks no review for such a line."""
    check, what = f"{_CHECK} errors", f"{path}: GitHub finds no error in it"
    try:
        wrong = reader.get(_messages, f"/codeowners/errors?ref={quote(branch, safe='')}")
    except NotVisibleError as error:
        return Finding(check, State.NOT_VISIBLE, what, str(error))
    if not wrong:
        return Finding(check, State.SOUND, what)
    told = "; ".join(f"line {line}: {kind}" for line, kind in wrong[:_SHOWN])
    why = f"GitHub skips such a line, and asks for no review by it: {told}"
    mend = (f"{reader.gh} api repos/{reader.name}/codeowners/errors --jq '.errors[].message'",)
    return Finding(check, State.DIFFERENT, f"{path} has {len(wrong)} errors", why, mend)


def _file(reader: Reader, branch: str) -> tuple[str, str | None] | None:
    """Path and text of the file that GitHub takes; the text is None if it is too large."""
    for path in PLACES:
        found = reader.find(_content, f"/contents/{path}?ref={quote(branch, safe='')}")
        if found is not None:
            return path, found[0]
    return None


def _write(reader: Reader, foundation: FoundationOwners) -> tuple[str, ...]:
    """The lines that belong at the end of the file, and the pull request that brings them."""
    owners = " ".join(foundation.words)
    lines = " ".join(f"'/{area} {owners}'" for area in FOUNDATION_AREAS)
    return (
        f"git switch -c code-owners && printf '%s\\n' {lines} >> .github/CODEOWNERS",
        "git add .github/CODEOWNERS && git commit -m 'Name the owners of what mints'",
        f"git push origin HEAD && {reader.gh} pr create --fill",
    )


def _content(value: Any) -> tuple[str | None]:
    if value["encoding"] != "base64" or wire.number(value["size"]) >= MOST_BYTES:
        return (None,)
    return (base64.b64decode(wire.text(value["content"])).decode("utf-8", "replace"),)


def _messages(value: Any) -> tuple[tuple[int, str], ...]:
    return tuple((wire.number(item["line"]), wire.text(item["kind"])) for item in value["errors"])
