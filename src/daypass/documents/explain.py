"""The explainer: why a schema refused a value, in words that help whoever wrote it.

`jsonschema` walks the schema again and says which keyword failed where; titles, descriptions and
examples come from the schema itself. What `jsonschema` is too lenient to see (a line feed that
slips past a `$`) is taken from the judge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jsonschema import Draft202012Validator, FormatChecker

from daypass.documents.nearby import suggestion
from daypass.documents.problem import Problem
from daypass.documents.resources import schema_of
from daypass.documents.schema import validator
from daypass.documents.usable_identities import malformed_key
from daypass.documents.wording import joined, non_ascii, of_type, shown, types
from daypass.model.instant import Instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from daypass.model.names import Kind

# Errors of jsonschema are taken as Any: their attributes are whatever the schema holds.
_MAX_PROBLEMS: Final = 20
_AS_SHOWN: Final = "Write it as the schema's examples show it."
_LIMITS: Final = {
    "minLength": "the text is shorter than {} characters",
    "maxLength": "the text is longer than {} characters",
    "minItems": "the list has fewer entries than {}",
    "maxItems": "the list has more entries than {}",
    "minProperties": "the mapping has fewer entries than {}",
    "maxProperties": "the mapping has more entries than {}",
    "minimum": "the number is less than {}",
    "maximum": "the number is more than {}",
    "uniqueItems": "the list names something twice",
}


def explain(value: Any, kind: Kind) -> Sequence[Problem]:
    """Why the judge refuses a value: at least one problem, at most 20."""
    wrong_kind = _wrong_kind(value, kind)
    if wrong_kind is not None:
        return [wrong_kind]
    problems: dict[Problem, None] = {}
    root = schema_of(kind)
    for error in Draft202012Validator(root, format_checker=_formats()).iter_errors(value):
        problems.update(dict.fromkeys(_problems(error, root, value)))
        if len(problems) >= _MAX_PROBLEMS:
            break
    return list(problems)[:_MAX_PROBLEMS] or [_by_the_judge(value, kind)]


def _formats() -> FormatChecker:
    checker = FormatChecker(formats=())
    for name, rest in (("date-time", ""), ("date", "T00:00:00Z")):

        def exists(text: object, rest: str = rest) -> bool:
            return not isinstance(text, str) or bool(Instant.parse(text + rest))

        checker.checks(name, raises=ValueError)(exists)
    return checker


def _wrong_kind(value: Any, kind: Kind) -> Problem | None:
    if not isinstance(value, dict):
        return Problem(
            (),
            "schema-type",
            f"the document is {of_type(value)}; a mapping belongs here",
            "Begin with `apiVersion:`, `kind:`, `metadata:` and `spec:`.",
        )
    found = value.get("kind")
    if "kind" not in value or found == kind:
        return None
    return Problem(
        ("kind",),
        "document-kind",
        f"the kind is {shown(found)}, and `{kind}` is the kind that belongs here",
        f"Write `kind: {kind}`, or move the document to the folder of its kind.",
    )


class _Told(NamedTuple):
    """What the schema says of the place where a keyword failed."""

    title: str
    description: str
    examples: list[Any]
    condition: str  # the description of the `then` or `else` that asked for it


def _told(root: Mapping[str, Any], path: Sequence[str | int]) -> _Told:
    node: Any = root
    told: dict[str, Any] = {}
    condition, before = "", None
    for step in path:
        if isinstance(node, dict) and "$ref" in node and step not in node:
            node = _target(root, node["$ref"])  # jsonschema leaves this step out of its paths
            told |= {
                word: node[word] for word in _Told._fields if word in node and word not in told
            }
        node = node[step] if step != "$ref" else _target(root, node["$ref"])
        if before == "properties" or step in ("items", "additionalProperties"):
            told = {}  # another place begins: what was said of the one above is not about it
        before = step
        if isinstance(node, dict):
            told = {word: node[word] for word in _Told._fields if word in node} | told
            if step in ("then", "else"):
                condition = node.get("description", "")
    if isinstance(node, dict) and "$ref" in node:
        told = {**_target(root, node["$ref"]), **told}
    return _Told(
        told.get("title", ""), told.get("description", ""), told.get("examples", []), condition
    )


def _target(root: Mapping[str, Any], reference: str) -> Any:
    node: Any = root
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def _for_example(told: _Told) -> str:
    return f" For example: {shown(told.examples[0])}." if told.examples else ""


def _problems(error: Any, root: Mapping[str, Any], value: Any) -> Iterator[Problem]:
    at = tuple(error.absolute_path)
    told = _told(root, error.absolute_schema_path)
    keyword = str(error.validator)
    if error.validator is None:
        yield from _out_of_place(error, told, root, value)
    elif "propertyNames" in error.absolute_schema_path:
        yield _malformed(error, (*at, error.instance), told, of_key=True)
    elif keyword == "required":
        yield from _missing(error, at, told, root)
    elif keyword == "additionalProperties":
        yield from _unknown(error, at)
    elif keyword == "pattern":
        yield _malformed(error, at, told)
    elif keyword == "not" and "pattern" in error.validator_value:  # of what is one line
        yield Problem(
            at,
            "schema-pattern",
            f"`{told.title}` is one line, and {shown(error.instance)} holds a line feed",
            f"Write it on one line; in YAML, `>-` folds a long one. {told.description}".rstrip(),
        )
    else:
        yield _mismatch(error, keyword, at, told)


def _out_of_place(
    error: Any, told: _Told, root: Mapping[str, Any], value: Any
) -> Iterator[Problem]:
    """Fields that the schema says `false` to; jsonschema tells only where their mapping is."""
    at = tuple(error.absolute_path)
    for step in at:
        value = value[step]
    for name, schema in _node(root, error.absolute_schema_path).items():
        if schema is False and name in value:
            yield Problem(
                (*at, name),
                "schema-condition",
                f"`{name}` does not belong here",
                f"Delete it, or correct the type. {told.condition}".rstrip(),
                of_key=True,
            )


def _node(root: Mapping[str, Any], path: Iterable[str | int]) -> Any:
    node: Any = root
    for step in path:
        if "$ref" in node and step not in node:
            node = _target(root, node["$ref"])
        node = node[step]
    return node


def _missing(
    error: Any, at: tuple[Any, ...], told: _Told, root: Mapping[str, Any]
) -> Iterator[Problem]:
    known = error.schema.get("properties", {})
    strangers = [key for key in error.instance if key not in known] if known else []
    for name in error.validator_value:
        if name in error.instance or any(suggestion(key, [name]) for key in strangers):
            continue  # a field that is only misspelt is told as such
        place = list(error.absolute_schema_path)[:-1]
        about = _told(root, [*place, "properties", name]) if name in known else told
        yield Problem(
            at,
            "schema-condition" if told.condition else "schema-required",
            f"`{name}` is missing" + (f" in `{at[-1]}`" if at else ""),
            f"Add it. {told.condition or about.description}{_for_example(about)}".rstrip(),
        )


def _unknown(error: Any, at: tuple[Any, ...]) -> Iterator[Problem]:
    known = [name for name, schema in error.schema.get("properties", {}).items() if schema]
    for key in error.instance:
        if key not in known:
            free = [name for name in known if name not in error.instance]
            yield Problem(
                (*at, key),
                "schema-unknown-field",
                f"{shown(key)} is not a field of this mapping{suggestion(key, free)}",
                f"The fields here are {joined(known)}." if known else "Delete it.",
                of_key=True,
            )


def _malformed(error: Any, at: tuple[Any, ...], told: _Told, *, of_key: bool = False) -> Problem:
    text = error.instance
    foreign = non_ascii(text)
    if foreign is not None:
        return Problem(
            at,
            "schema-ascii",
            f"{shown(text)} contains {foreign}, and only ASCII belongs here",
            "Write it in ASCII; letters of other scripts can look just like it.",
            of_key,
        )
    if at[:2] == ("spec", "recipients"):
        return malformed_key(at, text)
    what = " of a key in" if of_key else " of"
    example = "" if of_key else _for_example(told)
    return Problem(
        at,
        "schema-pattern",
        f"{shown(text)} does not have the form{what} `{told.title}`",
        f"{told.description}{example or f' It matches {shown(error.validator_value)}.'}",
        of_key,
    )


def _mismatch(error: Any, keyword: str, at: tuple[Any, ...], told: _Told) -> Problem:
    found, wanted = error.instance, error.validator_value
    hint = f"{told.description}{_for_example(told)}".strip() or _AS_SHOWN
    if keyword == "type":
        return Problem(
            at,
            "schema-type",
            f"this is {of_type(found)}; {types(wanted)} belongs here",
            _type_remedy(found, wanted, hint),
        )
    if keyword in ("enum", "const"):
        words = [str(word) for word in (wanted if keyword == "enum" else [wanted])]
        return Problem(
            at,
            "schema-enum",
            f"{shown(found)} is not known here{suggestion(found, words)}",
            f"Write {joined(words)}.",
        )
    if keyword == "format":
        return Problem(at, "schema-format", f"{shown(found)} is not a {wanted} that exists", hint)
    if keyword in _LIMITS:
        return Problem(at, "schema-limit", _LIMITS[keyword].format(wanted), hint)
    ways = [way["required"] for way in wanted if "required" in way] if keyword == "oneOf" else []
    if ways:
        names = joined([name for way in ways for name in way])
        return Problem(at, "schema-value", f"exactly one of {names} belongs here", hint)
    return Problem(at, "schema-value", f"{shown(found)} does not belong here", hint)


def _type_remedy(found: Any, wanted: str | Sequence[str], hint: str) -> str:
    if "string" in wanted and isinstance(found, (bool, int)):
        return f'Put it in quotes: "{str(found).lower()}".'
    if "integer" in wanted and isinstance(found, str) and found.isascii() and found.isdigit():
        return f"Write {found} without quotes."
    if isinstance(found, str) and ("object" in wanted or "array" in wanted):
        from daypass.documents.yaml_layout import text_hint  # noqa: PLC0415  -- rarely needed

        return text_hint(found, of_list="array" in wanted) or hint
    return hint


def _by_the_judge(value: Any, kind: Kind) -> Problem:
    error = next(iter(validator(kind).iter_errors(value)))
    told = _told(schema_of(kind), error.evaluation_path)
    hint = f"{told.description}{_for_example(told)}".strip()
    return Problem(
        tuple(error.instance_path),
        "schema-value",
        f"{shown(error.instance)} does not belong here",
        hint or _AS_SHOWN,
    )
