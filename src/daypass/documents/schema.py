"""The judge: does a value satisfy the JSON Schema of its kind?

`jsonschema-rs` judges: it is strict (ASCII classes, anchors that no line feed slips past, dates
that exist) and takes microseconds. Only when it says no is the slow explainer imported.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from jsonschema_rs import Draft202012Validator, RegexOptions

from daypass.documents.problem import Problem
from daypass.documents.resources import SCHEMA_FILES, schema_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daypass.model.names import Kind


@cache
def validator(kind: Kind) -> Draft202012Validator:
    """The compiled schema of a kind. It never fetches anything."""
    return Draft202012Validator(
        schema_of(kind),
        validate_formats=True,
        offline=True,
        pattern_options=RegexOptions(),  # linear time, whatever the pattern
    )


def judge(value: Any, kind: Kind) -> Sequence[Problem]:
    """What the schema finds wrong with a value; empty when it accepts it."""
    if kind not in SCHEMA_FILES:
        return [
            Problem(
                (),
                "document-kind",
                f"this release of daypass reads no {kind}",
                "Remove the document, or use a release that reads it.",
            )
        ]
    if validator(kind).is_valid(value):
        return ()
    from daypass.documents.explain import explain  # noqa: PLC0415  -- 0.1 s, only when needed

    return explain(value, kind)
