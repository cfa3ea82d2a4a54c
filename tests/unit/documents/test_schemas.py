"""The schemas themselves: useful to an editor, and without a way round."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

from daypass.documents import resources
from daypass.documents.schema import judge, validator
from daypass.model.names import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = list(resources.SCHEMA_FILES)


def _nodes(node: Any, path: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        yield path, node
        for key, item in node.items():
            if key not in ("examples", "const", "enum", "default"):
                yield from _nodes(item, f"{path}/{key}")
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from _nodes(item, f"{path}/{index}")


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_valid_schema_under_its_own_name(kind: Kind) -> None:
    schema = resources.schema_of(kind)
    jsonschema_rs.meta.validate(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"https://daypass.dev/schemas/v1/{resources.SCHEMA_FILES[kind]}"
    assert schema["title"] == kind


@pytest.mark.parametrize("kind", KINDS)
def test_every_pattern_is_anchored_and_ascii(kind: Kind) -> None:
    for path, node in _nodes(resources.schema_of(kind)):
        pattern = node.get("pattern")
        if isinstance(pattern, str):
            assert re.fullmatch(r"\^.*\$", pattern), path
            assert pattern.isascii(), path
            # `\\d` and `\\w` mean other scripts too, to some engines.
            assert not re.search(r"\\[dwsDWSbpP]", pattern), path


_OPEN = (Kind.RESOURCE, "#/properties/spec/properties/connection")


@pytest.mark.parametrize("kind", KINDS)
def test_no_mapping_takes_what_it_does_not_know(kind: Kind) -> None:
    for path, node in _nodes(resources.schema_of(kind)):
        of_schema = path.rsplit("/", 1)[-1] not in ("properties", "$defs")
        if of_schema and isinstance(node.get("properties"), dict) and "type" in node:
            other = node.get("additionalProperties")
            if (kind, path) == _OPEN:  # other names than those of libpq are the holder's
                assert {"type", "maxLength", "pattern"} <= other.keys(), path
            else:
                assert other is False, path


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not Kind.ACCESS_POLICY])
def test_every_field_is_described_for_the_editor(kind: Kind) -> None:
    schema = resources.schema_of(kind)
    for path, node in _nodes(schema):
        if path.rsplit("/", 1)[-1] != "properties" or "/allOf/" in path or "/then/" in path:
            continue
        for name, field in node.items():
            target = schema["$defs"].get(field.get("$ref", "").rpartition("/")[2], {})
            whole = {**target, **field}
            assert whole.get("title"), f"{path}/{name}"
            assert whole.get("description"), f"{path}/{name}"
            told = {"examples", "enum", "const", "properties", "default"} & whole.keys()
            assert told or whole.get("type") in ("boolean", "array", "object", "string"), (
                f"{path}/{name}"
            )


@pytest.mark.parametrize("kind", KINDS)
def test_its_own_examples_are_sound(kind: Kind) -> None:
    schema = resources.schema_of(kind)
    for example in schema.get("examples", []):
        assert not judge(example, kind)
    for path, node in _nodes(schema):
        for example in node.get("examples", []) if path != "#" else []:
            part = {**node, "$defs": schema.get("$defs", {})}
            assert jsonschema_rs.Draft202012Validator(part).is_valid(example), (path, example)


def test_only_engines_that_can_be_issued() -> None:
    level = resources.schema_of(Kind.RESOURCE)["$defs"]["level"]
    assert level["properties"]["engine"]["enum"] == ["database"]


@pytest.mark.parametrize(
    ("spec", "sound"),
    [
        ({"type": "human", "github": {"id": 1}}, True),
        ({"type": "human"}, False),
        ({"type": "human", "github": {"login": "alice"}}, False),
        ({"type": "human", "github": {"id": 1}, "owners": ["a", "b"]}, False),
        ({"type": "service", "owners": ["a", "b"]}, True),
        ({"type": "service", "owners": ["a"]}, False),
        ({"type": "service", "owners": ["a", "a"]}, False),
        ({"type": "workload"}, False),
        ({"type": "ci", "owners": ["a", "b"], "github": {"id": 1}}, False),
        ({"type": "vendor", "vendor": {"organisation": "x", "sponsor": "a"}}, False),
        ({"type": "vendor"}, False),
        (
            {
                "type": "vendor",
                "vendor": {"organisation": "x", "sponsor": "a", "contractEnd": "2027-01-31"},
            },
            True,
        ),
        (
            {
                "type": "vendor",
                "vendor": {"organisation": "x", "sponsor": "a", "contractEnd": "2027-02-30"},
            },
            False,
        ),
        ({"type": "agent", "owners": ["a", "b"]}, False),
        (
            {
                "type": "agent",
                "owners": ["a", "b"],
                "agent": {"sponsor": "a", "tools": ["psql"], "autonomy": "propose"},
            },
            True,
        ),
        (
            {
                "type": "agent",
                "owners": ["a", "b"],
                "agent": {"sponsor": "a", "tools": [], "autonomy": "propose"},
            },
            False,
        ),
        ({"type": "human", "github": {"id": 1}, "recipients": ["ssh-dss AAAA"]}, False),
        ({"type": "human", "github": {"id": 1}, "recipients": ["age1" + "q" * 58]}, True),
        (
            {"type": "human", "github": {"id": 1}, "recipients": ["age1" + "q" * 58 + "\n"]},
            False,
        ),
    ],
)
def test_what_each_type_of_identity_needs(spec: dict[str, Any], *, sound: bool) -> None:
    value = {
        "apiVersion": "daypass.dev/v1",
        "kind": "Identity",
        "metadata": {"name": "x"},
        "spec": {"status": "active", **spec},
    }
    assert validator(Kind.IDENTITY).is_valid(value) is sound
    assert bool(judge(value, Kind.IDENTITY)) is not sound


def test_an_installed_release_uses_its_own_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "src" / "daypass" / "documents"
    package.mkdir(parents=True)
    monkeypatch.setattr(resources, "__file__", str(package / "resources.py"))
    resources.schema_folder.cache_clear()
    try:
        assert resources.schema_folder() == tmp_path / "schemas"
        (tmp_path / "src" / "daypass" / "schemas").mkdir()
        resources.schema_folder.cache_clear()
        assert resources.schema_folder() == tmp_path / "src" / "daypass" / "schemas"
    finally:
        resources.schema_folder.cache_clear()


@pytest.mark.parametrize(
    ("grace", "fits"),
    [
        *((text, True) for text in ("1m", "15m", "999m", "1000m", "1439m", "1h", "9h", "23h")),
        *((text, False) for text in ("0m", "1440m", "9999m", "24h", "99h", "1d", "9999d", "15")),
    ],
)
def test_no_request_waits_for_an_answer_until_it_lapses(grace: str, *, fits: bool) -> None:
    spec = resources.schema_of(Kind.SETTINGS)["properties"]["spec"]
    pattern = spec["properties"]["unknownGrace"]["pattern"]
    assert (re.fullmatch(pattern, grace) is not None) is fits
