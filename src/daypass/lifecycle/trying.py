"""Trying: the cases that lie beside the policies, run against them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.documents import strict_yaml
from daypass.documents.document import located, read_document
from daypass.documents.finding import document_error
from daypass.documents.repository import path_of
from daypass.errors import DocumentError
from daypass.lifecycle.policy_findings import name_problems
from daypass.model.names import FOLDERS, Kind
from daypass.model.policytest import PolicyTest
from daypass.policy.cases import CaseResult, run_case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from daypass.model.catalogue import Catalogue
    from daypass.model.tree import TreeEntry
    from daypass.policy.compiled import CompiledPolicies

CASES_FOLDER: Final = next(folder for folder, kind in FOLDERS.items() if kind is Kind.POLICY_TEST)


def check_rule_names(
    entries: Iterable[TreeEntry], read: Callable[[TreeEntry], bytes], catalogue: Catalogue
) -> None:
    """Refuses policies of which two rules have one name: what was tried of them cannot be told.

    Raises:
        DocumentError: with findings that say line, column and remedy.
    """
    paths = {entry.path: entry for entry in entries}
    findings = [
        finding
        for policy in catalogue.policies.values()
        if (problems := tuple(name_problems(policy)))
        for path in (path_of(policy),)
        for finding in located(problems, path, strict_yaml.load(read(paths[path]), path))
    ]
    if findings:
        raise document_error(findings)


def try_cases(
    entries: Iterable[TreeEntry],
    read: Callable[[TreeEntry], bytes],
    catalogue: Catalogue,
    policies: CompiledPolicies,
) -> dict[str, CaseResult]:
    """The result of every case of a tree, by `document/case`.

    Raises:
        DocumentError: a document is wrong, or names nobody who could ask or approve.
    """
    results: dict[str, CaseResult] = {}
    for entry in entries:
        if not (entry.path.startswith(f"{CASES_FOLDER}/") and entry.path.endswith(".yaml")):
            continue
        test = read_document(entry.path, read(entry)).model
        if not isinstance(test, PolicyTest):
            continue
        for case in test.cases:
            try:
                results[f"{test.name}/{case.name}"] = run_case(case, catalogue, policies)
            except KeyError as error:
                raise DocumentError(
                    f"{entry.path}: the case {case.name} names {error.args[0]}, which is no "
                    "identity with a GitHub account",
                    remedy="Name one of access/identities: a requester and an approver need "
                    "an account.",
                ) from error
    return results
