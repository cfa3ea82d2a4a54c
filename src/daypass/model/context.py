"""Context sources: where decisions learn what no document can tell, such as a device's posture.

Each source is one JSON document: fetched from a server, or a file that bears a signature. A JSON
pointer (RFC 6901) leads to the value in it. URL and pointer may name the subject, the device or the
resource of a request, whose names are all that a requester can bring into them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from daypass.model.instant import Duration
from daypass.model.names import is_name

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_TIMEOUT: Final = 5  # seconds
MAX_ITEMS: Final = 256  # of any list or map that an expression can see
_PLACE: Final = re.compile(r"\{(subject|device|resource)\}")


@dataclass(frozen=True, slots=True)
class HeaderFromEnvironment:
    """A header whose value, a secret, the environment of the run holds."""

    name: str
    variable: str


@dataclass(frozen=True, slots=True)
class ContextSource:
    """One source as the settings declare it. It has either a `url`, or a `file` and its `keys`."""

    name: str
    url: str | None
    file: str | None  # relative to the work tree; its signature lies beside it, as `<file>.sig`
    keys: tuple[str, ...]  # whose signatures of the file count: `ssh-ed25519 <base64>`
    header: HeaderFromEnvironment | None
    pointer: str
    issued_at: str | None  # pointer to the document's own time; without it, the time of fetching
    max_age: Duration
    timeout: int  # seconds for the whole answer
    required: bool  # high and critical resources are not given while it is unknown or stale

    @property
    def where(self) -> str:
        """Where the answers come from, for people and records."""
        return self.url or self.file or ""

    @classmethod
    def from_spec(cls, name: str, spec: Mapping[str, Any]) -> Self:
        """Build from a part of the settings that their schema has accepted."""
        header = spec.get("header")
        return cls(
            name=name,
            url=spec.get("url"),
            file=spec.get("file"),
            keys=tuple(spec.get("keys", ())),
            header=HeaderFromEnvironment(header["name"], header["fromEnvironment"])
            if header
            else None,
            pointer=spec["pointer"],
            issued_at=spec.get("issuedAt"),
            max_age=Duration.parse(spec["maxAge"]),
            timeout=spec.get("timeout", DEFAULT_TIMEOUT),
            required=spec.get("required", False),
        )


def filled(template: str, names: Mapping[str, str | None]) -> str | None:
    """A URL or a pointer with its places filled in; None when one of the names is not given.

    A name is of lower-case ASCII letters, digits and hyphens: it means the same in a URL, in a
    JSON pointer and anywhere else, and needs no escape. Whatever is no name is not filled in.
    """
    for place in _PLACE.findall(template):
        given = names.get(place)
        if given is None or not is_name(given):
            return None
    return _PLACE.sub(lambda found: str(names[found[1]]), template)
