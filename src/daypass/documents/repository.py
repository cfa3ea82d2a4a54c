"""A whole tree: from git's entries and blobs to the catalogue that decisions rest on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, cast

from daypass.documents import references, strict_yaml
from daypass.documents.approver_numbers import number_notices, number_problems
from daypass.documents.connections import connection_notices, connection_problems
from daypass.documents.document import Document, located, read_document
from daypass.documents.emergency_lane import emergency_notice, lane_notices
from daypass.documents.exceptions import exception_problems
from daypass.documents.finding import Finding, document_error
from daypass.documents.requests import (
    break_glass_problems,
    environment_problems,
    request_problems,
)
from daypass.documents.teams import team_notices, team_problems
from daypass.documents.tree import check_layout, kind_of
from daypass.documents.usable_identities import identity_notices
from daypass.errors import DocumentError
from daypass.model.breakglass import BreakGlassRequest
from daypass.model.catalogue import Catalogue, rules_digest
from daypass.model.exception import PolicyException
from daypass.model.grant import Lane
from daypass.model.identity import Identity
from daypass.model.names import FOLDERS, SETTINGS_PATH, Kind, break_glass_path, request_path
from daypass.model.policy import AccessPolicy
from daypass.model.request import AccessRequest
from daypass.model.resource import Resource
from daypass.model.settings import Settings

if TYPE_CHECKING:
    from daypass.documents.problem import Problem
    from daypass.documents.semantics import Model
    from daypass.model.tree import TreeEntry

ReadBlobs = Callable[[Sequence[str]], Mapping[str, bytes]]
ReadPath = Callable[[str], bytes]
CATALOGUE_KINDS: Final = (
    Kind.SETTINGS,
    Kind.RESOURCE,
    Kind.IDENTITY,
    Kind.ACCESS_POLICY,
    Kind.POLICY_EXCEPTION,
)
# Everything below: a policy that is misplaced, or has another ending, must not just vanish.
CATALOGUE_PATHS: Final = (
    SETTINGS_PATH,
    *(folder for folder, kind in FOLDERS.items() if kind in CATALOGUE_KINDS),
)
_FOLDER_OF: Final = {
    Resource: "resources",
    Identity: "identities",
    AccessPolicy: "policies",
    PolicyException: "exceptions",
}


class Commits(Protocol):
    """Whatever gives the trees and blobs of commits."""

    def entries(self, commit: str, folder: str) -> Sequence[TreeEntry]:
        """All entries below a folder (or the one of a file) of that commit's tree."""

    def blobs(self, ids: Sequence[str]) -> Mapping[str, bytes]:
        """The contents of blobs."""


def catalogue_of(commits: Commits, commit: str) -> Catalogue:
    """The catalogue of a commit. Requests and records are not even listed, however many there are.

    Raises:
        DocumentError: with findings for every document that is wrong.
    """
    entries = (entry for path in CATALOGUE_PATHS for entry in commits.entries(commit, path))
    return load_catalogue(entries, commits.blobs)


def load_catalogue(entries: Iterable[TreeEntry], read_blobs: ReadBlobs) -> Catalogue:
    """The catalogue of a tree: its settings, resources, identities, policies and exceptions.

    Requests and records are not read. A catalogue that names things in vain (a group that nobody
    defined) loads: it cannot give access. One that is ambiguous does not.

    Args:
        entries: git's entries, of the whole tree or of `access/`, recursively.
        read_blobs: gives the contents of blobs by their ids.

    Raises:
        DocumentError: with findings for every document that is wrong.
    """
    mine = [entry for entry in entries if is_part(entry.path)]
    findings = list(check_layout(mine))
    misplaced = {finding.path for finding in findings}
    sound = [
        entry
        for entry in mine
        if kind_of(entry.path) in CATALOGUE_KINDS and entry.path not in misplaced
    ]
    blobs = read_blobs([entry.blob for entry in sound])
    documents = []
    for entry in sound:
        try:
            documents.append(read_document(entry.path, blobs[entry.blob]))
        except DocumentError as error:
            findings.extend(cast("tuple[Finding, ...]", error.findings))
    bytes_of = {entry.path: blobs[entry.blob] for entry in sound}
    catalogue, conflicts = assemble(documents, bytes_of.__getitem__)
    findings.extend(item for item in conflicts if catalogue is not None or not findings)
    if findings or catalogue is None:
        raise document_error(findings)
    return catalogue


def is_part(path: str) -> bool:
    """Whether a path is one of a catalogue, or one in place of its folders and its settings."""
    return path.startswith(CATALOGUE_PATHS) and any(
        path == place or path.startswith(f"{place}/") for place in CATALOGUE_PATHS
    )


def load_request(path: str, data: bytes) -> AccessRequest:
    """One request, checked by itself.

    Raises:
        DocumentError: with findings that say line, column and remedy.
    """
    model = read_document(path, data).model
    if not isinstance(model, AccessRequest):
        raise _misplaced(path, "a request", "Requests lie in access/requests.")
    return model


def load_break_glass(path: str, data: bytes) -> BreakGlassRequest:
    """One request of the emergency lane, checked by itself.

    Raises:
        DocumentError: with findings that say line, column and remedy.
    """
    model = read_document(path, data).model
    if not isinstance(model, BreakGlassRequest):
        raise _misplaced(path, "an emergency request", "They lie in access/break-glass.")
    return model


def load_asked(path: str, data: bytes, lane: Lane) -> AccessRequest:
    """What is asked for in a file of that lane. Raises DocumentError."""
    if lane is Lane.BREAK_GLASS:
        return load_break_glass(path, data).asked
    return load_request(path, data)


def _misplaced(path: str, what: str, remedy: str) -> DocumentError:
    finding = Finding.of_file(path, "tree-place", f"the path is not one of {what}", remedy)
    return document_error([finding])


def check_request(
    request: AccessRequest, catalogue: Catalogue, read_path: ReadPath | None = None
) -> tuple[Finding, ...]:
    """What a request names in vain: subject, resource, level, and a duration beyond its limits.

    Args:
        request: the request, sound by itself.
        catalogue: what it is checked against.
        read_path: gives the bytes of a file, for line and column; asked only where needed.
    """
    problems = list(request_problems(request, catalogue))
    return tuple(_located(problems, request_path(request.id), read_path))


def check_break_glass(
    request: BreakGlassRequest, catalogue: Catalogue, read_path: ReadPath | None = None
) -> tuple[Finding, ...]:
    """What an emergency request names in vain, its incident included. As `check_request`."""
    problems = list(break_glass_problems(request, catalogue))
    return tuple(_located(problems, break_glass_path(request.id), read_path))


def check_environment(
    request: AccessRequest, catalogue: Catalogue, read_path: ReadPath | None = None
) -> tuple[Finding, ...]:
    """That its subject is a machine of another environment. As `check_request`."""
    problems = list(environment_problems(request, catalogue))
    return tuple(_located(problems, request_path(request.id), read_path))


def notices_of_emergency(
    request: BreakGlassRequest, catalogue: Catalogue, read_path: ReadPath | None = None
) -> tuple[Finding, ...]:
    """That no policy opens what an emergency asks for. As `check_request`; nothing fails by it."""
    problems = list(emergency_notice(request, catalogue))
    return tuple(_located(problems, break_glass_path(request.id), read_path))


def check_catalogue(catalogue: Catalogue, read_path: ReadPath | None = None) -> tuple[Finding, ...]:
    """What the catalogue names in vain: groups, owners, sponsors, resources.

    Args:
        catalogue: as `load_catalogue` gave it.
        read_path: gives the bytes of a file, for line and column; asked only where needed.
    """
    found: dict[str, list[Problem]] = {SETTINGS_PATH: list(references.settings_problems(catalogue))}
    for resource in catalogue.resources.values():
        found[path_of(resource)] = [
            *references.resource_problems(resource, catalogue.settings),
            *connection_problems(resource),
        ]
    for identity in catalogue.identities.values():
        found[path_of(identity)] = list(
            references.identity_problems(identity, catalogue.identities)
        )
    for policy in catalogue.policies.values():
        found[path_of(policy)] = list(references.policy_problems(policy, catalogue))
    for exception in catalogue.exceptions.values():
        found[path_of(exception)] = list(exception_problems(exception, catalogue))
    for path, problem in (*team_problems(catalogue), *number_problems(catalogue)):
        found[path].append(problem)
    return tuple(
        finding
        for path, problems in found.items()
        for finding in _located(problems, path, read_path)
    )


def notices_of(catalogue: Catalogue, read_path: ReadPath | None = None) -> tuple[Finding, ...]:
    """What works today and should be changed. As `check_catalogue`; nothing fails by it."""
    found = [*team_notices(catalogue), *lane_notices(catalogue), *number_notices(catalogue)]
    found += [(path_of(item), problem) for item, problem in identity_notices(catalogue)]
    found += connection_notices(catalogue)
    return tuple(
        finding for path, problem in found for finding in _located([problem], path, read_path)
    )


def assemble(
    documents: Iterable[Document], read_path: ReadPath | None = None
) -> tuple[Catalogue | None, tuple[Finding, ...]]:
    """The catalogue that sound documents make, and what makes it ambiguous.

    Returns:
        the catalogue (None when there are no settings), and findings, none of which a decision
        may overlook.
    """
    parts = _Parts()
    for document in documents:
        parts.add(document)
    conflicts = [
        finding
        for name, folder, problem in parts.conflicts()
        for finding in _located([problem], f"access/{folder}/{name}.yaml", read_path)
    ]
    if parts.settings is None:
        conflicts.append(
            Finding.of_file(
                SETTINGS_PATH,
                "settings-missing",
                "there are no sound settings",
                "Write access/daypass.yaml: it says where GitHub and Vault are.",
            )
        )
        return None, tuple(conflicts)
    catalogue = Catalogue(
        settings=parts.settings,
        resources=parts.resources,
        identities=parts.identities,
        policies=parts.policies,
        policy_digest=rules_digest(parts.policies.values(), parts.exceptions.values()),
        exceptions=parts.exceptions,
    )
    return catalogue, tuple(conflicts)


def path_of(model: Resource | Identity | AccessPolicy | PolicyException) -> str:
    """Where the document of a model lies."""
    return f"access/{_FOLDER_OF[type(model)]}/{model.name}.yaml"


@dataclass(slots=True)
class _Parts:
    settings: Settings | None = None
    resources: dict[str, Resource] = field(default_factory=dict)
    identities: dict[str, Identity] = field(default_factory=dict)
    policies: dict[str, AccessPolicy] = field(default_factory=dict)
    exceptions: dict[str, PolicyException] = field(default_factory=dict)

    def add(self, document: Document) -> None:
        if document.kind not in CATALOGUE_KINDS:
            return
        model: Model = document.model
        if isinstance(model, Settings):
            self.settings = model
        elif isinstance(model, Resource):
            self.resources[model.name] = model
        elif isinstance(model, Identity):
            self.identities[model.name] = model
        elif isinstance(model, AccessPolicy):
            self.policies[model.name] = model
        elif isinstance(model, PolicyException):
            self.exceptions[model.name] = model

    def conflicts(self) -> Iterable[tuple[str, str, Problem]]:
        for name, problem in references.account_conflicts(self.identities):
            yield name, "identities", problem
        for name, problem in references.entity_conflicts(self.identities):
            yield name, "identities", problem
        for name, problem in references.role_conflicts(self.resources):
            yield name, "resources", problem


def _located(problems: Sequence[Problem], path: str, read_path: ReadPath | None) -> list[Finding]:
    if not problems:
        return []
    if read_path is None:
        return [Finding.of_file(path, item.rule, item.message, item.remedy) for item in problems]
    return located(problems, path, strict_yaml.load(read_path(path), path))
