"""Writing: a request as daypass itself writes it, so that the loader reads back what was meant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from daypass.documents.resources import SCHEMA_FILES
from daypass.model.names import API_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from daypass.model.names import Kind


def written(kind: Kind, request_id: str, spec: Mapping[str, Any]) -> bytes:
    """The document, as YAML whose values are JSON: no text can be anything but text."""
    lines = [
        f"# yaml-language-server: $schema=../../schemas/{SCHEMA_FILES[kind]}",
        f"apiVersion: {API_VERSION}",
        f"kind: {kind}",
        "metadata:",
        f"  id: {request_id}",
        "spec:",
        *(f"  {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in spec.items()),
    ]
    return ("\n".join(lines) + "\n").encode()
