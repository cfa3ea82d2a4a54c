"""Validation of a tree as a whole: the layout, each document, and what they name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, cast

from daypass.documents import repository, strict_yaml
from daypass.documents.blob import blob_id
from daypass.documents.document import Document, located, read_document
from daypass.documents.finding import Finding, Report, document_error
from daypass.documents.problem import Problem
from daypass.documents.records import load_record
from daypass.documents.resources import SCHEMA_FILES, schema_bytes
from daypass.documents.tree import check_layout, kind_of
from daypass.errors import DocumentError
from daypass.model.names import Kind
from daypass.model.request import asked_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from daypass.model.breakglass import BreakGlassRequest
    from daypass.model.catalogue import Catalogue
    from daypass.model.request import AccessRequest
    from daypass.model.tree import TreeEntry

ReadPath = repository.ReadPath
Examine = Callable[[Document], Sequence[Problem]]


class Results(Protocol):
    """Documents that were found sound before, by their very bytes."""

    def get(self, entry: TreeEntry) -> Document | None:
        """The document of that path and blob, if it is known to be sound."""

    def put(self, entry: TreeEntry, document: Document) -> None:
        """Remember a document that is sound."""


def validate(
    entries: Sequence[TreeEntry],
    read_path: ReadPath,
    results: Results,
    *,
    examine: Examine,
    chosen: Callable[[str], bool] | None = None,
    catalogue: Catalogue | None = None,
) -> Report:
    """Validate a tree.

    Args:
        entries: git's entries below `access/` and `schemas/`.
        read_path: gives the bytes of a file.
        results: what is known of documents that have not changed.
        examine: what is wrong with a sound document by the word of another layer.
        chosen: which paths to judge; all of them when left out. What they name is looked up in
            the whole tree, whichever are chosen.
        catalogue: judge requests by this one (of the base), not by the tree's own.
    """
    layout = check_layout(entries)
    misplaced = {finding.path for finding in layout}
    findings = {*layout, *check_schemas(entries)}
    broken: set[Finding] = set()  # of documents that others rest on, whichever are chosen
    sound: list[Document] = []
    judged = 0
    for entry in entries:
        kind = kind_of(entry.path)
        if kind is None or entry.path in misplaced:
            continue
        rests_on_it = catalogue is None and kind in repository.CATALOGUE_KINDS
        mine = chosen is None or chosen(entry.path)
        judged += mine
        if not mine and not rests_on_it:
            continue
        try:
            document = _sound(entry, kind, read_path, results, examine)
        except DocumentError as error:
            (broken if rests_on_it else findings).update(
                cast("tuple[Finding, ...]", error.findings)
            )
        else:
            sound.append(document)
    asked: dict[tuple[str, ...], bool] = {}
    notices: list[Finding] = []
    if not broken:
        # While a document is broken, what names it would only seem to name nothing.
        findings.update(_check_whole(sound, read_path, catalogue, asked, notices))
    kept = broken | {item for item in findings if chosen is None or _concerns(item, chosen)}
    there = frozenset(what for what, exists in asked.items() if exists)
    said = tuple(sorted(item for item in notices if chosen is None or chosen(item.path)))
    return Report(judged, tuple(sorted(kept)), there, said)


def check_schemas(entries: Iterable[TreeEntry]) -> Iterable[Finding]:
    """Schemas in the repository that are not those of this release."""
    present = {entry.path: entry.blob for entry in entries if entry.path.startswith("schemas/")}
    expected = {f"schemas/{name}": schema_bytes(kind) for kind, name in SCHEMA_FILES.items()}
    if not present.keys() & expected.keys():
        return
    for path, data in expected.items():
        blob = present.get(path)
        if blob is None or blob != blob_id(data, like=blob):
            yield Finding.of_file(
                path,
                "schema-release",
                "the schema is missing, and others of this release are there"
                if blob is None
                else "the schema is not that of this release: editors and daypass would disagree",
                "Copy it from the release that you run: `cp \"$(python -c 'import "
                "daypass.documents.resources as r; print(r.schema_folder())')\"/*.json schemas/`.",
            )


def _sound(
    entry: TreeEntry, kind: Kind, read_path: ReadPath, results: Results, examine: Examine
) -> Document:
    known = results.get(entry)
    if known is not None:
        return known
    data = read_path(entry.path)
    document = (
        load_record(entry.path, data, kind)
        if kind in (Kind.GRANT, Kind.OBLIGATION)
        else read_document(entry.path, data)
    )
    problems = examine(document)
    if problems:
        raise document_error(located(problems, entry.path, strict_yaml.load(data, entry.path)))
    results.put(entry, document)
    return document


def _check_whole(
    documents: Sequence[Document],
    read_path: ReadPath,
    base: Catalogue | None,
    asked: dict[tuple[str, ...], bool],
    notices: list[Finding],
) -> Iterable[Finding]:
    catalogue = base
    if base is None:
        catalogue, conflicts = repository.assemble(documents, read_path)
        yield from conflicts
        if catalogue is not None:
            yield from repository.check_catalogue(catalogue, read_path)
            notices += repository.notices_of(catalogue, read_path)
    if catalogue is None:
        return
    yield from _check_requests(documents, catalogue, read_path, asked, notices)


def _check_requests(
    documents: Sequence[Document],
    catalogue: Catalogue,
    read_path: ReadPath,
    known: dict[tuple[str, ...], bool],
    notices: list[Finding],
) -> Iterator[Finding]:
    """Check requests against the catalogue: once for all that ask for the same.

    `known` keeps what was asked for, and whether the catalogue has it; `notices` what no policy
    permits in an emergency.
    """
    for document in documents:
        if document.kind is Kind.BREAK_GLASS_REQUEST:
            emergency = cast("BreakGlassRequest", document.model)
            yield from repository.check_break_glass(emergency, catalogue, read_path)
            notices += repository.notices_of_emergency(emergency, catalogue, read_path)
        if document.kind is not Kind.ACCESS_REQUEST:
            continue
        asked = asked_of(document.value)
        if known.get(asked):
            continue
        request = cast("AccessRequest", document.model)
        findings = (
            *repository.check_request(request, catalogue, read_path),
            *repository.check_environment(request, catalogue, read_path),
        )
        known[asked] = not findings
        yield from findings


def _concerns(finding: Finding, chosen: Callable[[str], bool]) -> bool:
    # Of two names that differ by case, either may be the one that was chosen.
    return finding.rule == "tree-case" or chosen(finding.path)
