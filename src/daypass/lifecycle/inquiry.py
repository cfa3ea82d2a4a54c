"""Inquiry: what the context sources of the settings answer, each address asked once in a run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from daypass.errors import ContextError
from daypass.model.context import filled
from daypass.policy.context import AnswerError, answer, nothing, unasked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from daypass.model.catalogue import Catalogue
    from daypass.model.context import ContextSource
    from daypass.model.grant import Grant
    from daypass.model.instant import Instant
    from daypass.model.request import AccessRequest
    from daypass.policy.facts import ContextFacts

_WORKERS: Final = 8
_GIVES_UP_AFTER: Final = 3  # failures of a source, one after the other: it is down, do not wait on
_MISSING: Final = object()


class ContextReader(Protocol):
    """The sources of context: servers and attestations, as the settings declare them."""

    def read(self, source: ContextSource, address: str) -> Any:
        """The JSON document at that address (a URL, or the path of an attestation).

        Raises ContextError when there is none, or none whose signature counts. Never retried.
        """


@dataclass(slots=True)
class Inquiry:
    """The answers of one run. Without a reader (a pull request is checked) none is known."""

    reader: ContextReader | None = None
    faults: dict[str, str] = field(default_factory=dict)  # source → why it is unknown, for people
    _documents: dict[tuple[str, str], Any] = field(default_factory=dict)
    _failures: dict[str, int] = field(default_factory=dict)

    def about(
        self, asked: AccessRequest | Grant, catalogue: Catalogue, now: Instant
    ) -> dict[str, ContextFacts]:
        """Every declared source's answer about a request, or about a live grant.

        Args:
            asked: whose subject, device and resource are filled in.
            catalogue: whose settings declare the sources.
            now: Vault's time, which ages are counted to.
        """
        sources = catalogue.settings.context
        if self.reader is None:
            return unasked(sources)
        names = _names(asked)
        return {name: self._ask(source, names, now) for name, source in sources.items()}

    def prepare(self, asked: Iterable[AccessRequest | Grant], catalogue: Catalogue) -> None:
        """Fetch side by side what `about` will want."""
        sources = catalogue.settings.context
        if self.reader is None or not sources:
            return
        wanted = {
            (source.name, address): source
            for names in map(_names, asked)
            for source in sources.values()
            if (address := filled(source.where, names)) is not None
        }
        with ThreadPoolExecutor(_WORKERS) as pool:
            list(pool.map(lambda pair: self._document(pair[1], pair[0][1]), wanted.items()))

    def _ask(
        self, source: ContextSource, names: Mapping[str, str | None], now: Instant
    ) -> ContextFacts:
        address = filled(source.where, names)
        document = _MISSING if address is None else self._document(source, address)
        if document is _MISSING:
            return nothing(source)
        try:
            return answer(source, document, names, now)
        except AnswerError as error:
            self.faults.setdefault(source.name, f"the context source {source.name}: {error}")
        except Exception as error:  # noqa: BLE001  -- an answer of any kind stops no other question
            self._fault(source, error)
        return nothing(source)

    def _fault(self, source: ContextSource, error: Exception) -> None:
        why = f"its answer cannot be used ({type(error).__name__})"
        self.faults.setdefault(source.name, f"the context source {source.name}: {why}")

    def _document(self, source: ContextSource, address: str) -> Any:
        key = (source.name, address)
        if key not in self._documents:
            self._documents[key] = self._fetch(source, address)
        return self._documents[key]

    def _fetch(self, source: ContextSource, address: str) -> Any:
        if self.reader is None or self._failures.get(source.name, 0) >= _GIVES_UP_AFTER:
            return _MISSING
        try:
            document = self.reader.read(source, address)
        except ContextError as error:
            self.faults.setdefault(source.name, error.message)
        except Exception as error:  # noqa: BLE001  -- as above
            self._fault(source, error)
        else:
            self._failures[source.name] = 0
            return document
        self._failures[source.name] = self._failures.get(source.name, 0) + 1
        return _MISSING


def _names(asked: AccessRequest | Grant) -> dict[str, str | None]:
    return {"subject": asked.subject, "device": _device(asked), "resource": asked.resource}


def _device(asked: AccessRequest | Grant) -> str | None:
    """The device that the request named; a grant keeps it in the input of its decision."""
    recorded = getattr(asked, "decision_input", None)
    if recorded is None:
        return getattr(asked, "device", None)
    device = recorded.get("request", {}).get("device")
    return device if isinstance(device, str) else None
