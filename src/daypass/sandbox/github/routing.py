"""Routes of the REST API: which handler answers, who may call it, and how lists are paged."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from daypass.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from daypass.sandbox.github.accounts import Account, Credential
    from daypass.sandbox.github.hub import Hub
    from daypass.sandbox.github.state import Issue, PullRequest, Repository

_PER_PAGE: Final = 30
_MOST_PER_PAGE: Final = 100
_ROLE_RANKS: Final = ("none", "read", "write", "admin")


class RefusalError(SandboxError):
    """An answer that is no success; it reaches the caller as HTTP."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message, remedy="See docs.github.com/rest for what this call wants.")
        self.status = status
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler gives back: a JSON value, or None for no content."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Call:
    """One request, as handlers see it."""

    hub: Hub
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    credential: Credential | None
    app_authenticated: bool = False
    found: Repository | None = None

    @property
    def actor(self) -> Account:
        """Who calls. Raises RefusalError(401) if nobody is logged in."""
        if self.credential is None:
            raise RefusalError(401, "Requires authentication")
        return self.credential.account

    @property
    def viewer(self) -> Account | None:
        """Who calls; None for anybody on the internet."""
        return None if self.credential is None else self.credential.account

    @property
    def repository(self) -> Repository:
        """The repository in the path."""
        if self.found is None:
            raise RefusalError(404, "Not Found")
        return self.found

    @property
    def issue(self) -> Issue:
        """The issue (or pull request's issue) in the path."""
        issue = self.repository.issues.get(int(self.parameters["number"]))
        if issue is None:
            raise RefusalError(404, "Not Found")
        return issue

    @property
    def pull(self) -> PullRequest:
        """The pull request in the path."""
        pull = self.repository.pulls.get(int(self.parameters["number"]))
        if pull is None:
            raise RefusalError(404, "Not Found")
        return pull

    @property
    def may_write(self) -> bool:
        """Whether the caller may change what others wrote."""
        if self.credential is not None and self.credential.permissions is not None:
            return True  # its permission was checked with the route
        return self.repository.role(self.viewer) in ("write", "admin")

    @property
    def fields(self) -> Mapping[str, Any]:
        """The request's body as an object; empty when it is none."""
        return self.body if isinstance(self.body, dict) else {}

    def text(self, name: str, default: str | None = None) -> str:
        """A string of the request's body. Raises RefusalError(422) if it is none."""
        value = self.fields.get(name, default)
        if not isinstance(value, str):
            raise RefusalError(
                422, f"Invalid request.\n\n`{name}` wasn't supplied or isn't a string."
            )
        return value

    def optional_text(self, name: str) -> str | None:
        """A string of the request's body, or None when it is absent or null."""
        return None if self.fields.get(name) is None else self.text(name)

    def page(
        self, items: Sequence[Any], show: Callable[[Any], Any], most: int = _MOST_PER_PAGE
    ) -> Answer:
        """One page of a list, by `page` and `per_page`, with GitHub's Link header."""
        size = min(self.page_size, most)
        number = max(1, _number(self.query.get("page"), 1))
        last = max(1, -(-len(items) // size))
        links = {"prev": number - 1, "first": 1} if number > 1 else {}
        if number < last:
            links |= {"next": number + 1, "last": last}
        shown = [show(item) for item in items[(number - 1) * size : number * size]]
        return Answer(
            shown, headers=self.links({rel: {"page": str(to)} for rel, to in links.items()})
        )

    @property
    def page_size(self) -> int:
        """`per_page`: 30 unless asked otherwise, 100 at the most."""
        return min(_MOST_PER_PAGE, max(1, _number(self.query.get("per_page"), _PER_PAGE)))

    def links(self, links: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        """A Link header: for each relation, what changes in the query."""
        if not links:
            return {}
        url = f"{self.hub.views.api_url}{self.path}"
        parts = (
            f'<{url}?{urlencode({**self.query, **change})}>; rel="{relation}"'
            for relation, change in links.items()
        )
        return {"Link": ", ".join(parts)}


Handler = "Callable[[Call], Answer]"


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the API."""

    method: str
    template: str
    pattern: re.Pattern[str]
    handler: Callable[[Call], Answer]
    permissions: tuple[tuple[str, str], ...]  # alternatives, for an App's token
    role: str  # in the repository, for a person


class Routes:
    """A table of operations; modules add to it with `@routes.add(…)`."""

    def __init__(self) -> None:
        self._table: dict[str, list[Route]] = {}

    def add(
        self, method: str, template: str, *, needs: str = "metadata:read", role: str = "read"
    ) -> Callable[[Callable[[Call], Answer]], Callable[[Call], Answer]]:
        """Register a handler.

        Args:
            method: GET, POST, …
            template: the path as GitHub's description writes it; `{path}` takes slashes too.
            needs: `permission:level` of an App's token; alternatives are parted by `|`.
            role: what a person must be in the repository, if there is one in the path.
        """

        def register(handler: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
            alternatives = (item.partition(":") for item in needs.split("|"))
            route = Route(
                method,
                template,
                _compile(template),
                handler,
                tuple((name, level) for name, _, level in alternatives),
                role,
            )
            self._table.setdefault(method, []).append(route)
            return handler

        return register

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route of a path, and the parameters in it. Raises RefusalError(404)."""
        for route in self._table.get(method, ()):
            match = route.pattern.fullmatch(path)
            if match is not None:
                return route, match.groupdict()
        raise RefusalError(404, "Not Found")

    def operations(self) -> tuple[tuple[str, str], ...]:
        """Method and template of every operation."""
        return tuple(
            (route.method, route.template) for table in self._table.values() for route in table
        )


def authorise(call: Call, route: Route) -> None:
    """Find the repository, and hold the caller's role or permissions against the route.

    Raises:
        RefusalError: 404 for what the caller may not see, 403 for what they may not do.
    """
    credential = call.credential
    if "owner" in call.parameters:
        call.found = call.hub.repository(call.parameters["owner"], call.parameters["repo"])
        if call.found is None or not _sees(call.found, credential):
            raise RefusalError(404, "Not Found")
    if credential is not None and credential.permissions is not None:
        if not any(credential.allows(name, level) for name, level in route.permissions):
            accepted = "; ".join(f"{name}={level}" for name, level in route.permissions)
            raise RefusalError(
                403,
                "Resource not accessible by integration",
                {"X-Accepted-GitHub-Permissions": accepted},
            )
    elif call.found is not None:
        role = call.found.role(call.viewer)
        if _ROLE_RANKS.index(role) < _ROLE_RANKS.index(route.role):
            raise RefusalError(403, f"Must have {route.role} access to the repository.")


def _sees(repository: Repository, credential: Credential | None) -> bool:
    if credential is None:
        return not repository.private
    if credential.repository_ids is not None:
        return repository.id in credential.repository_ids
    return repository.role(credential.account) != "none"


def _compile(template: str) -> re.Pattern[str]:
    def group(match: re.Match[str]) -> str:
        name = match[1]
        if name in ("number", "id"):
            return f"(?P<{name}>[0-9]+)"
        return f"(?P<{name}>.+)" if name in ("path", "ref") else f"(?P<{name}>[^/]+)"

    return re.compile(re.sub(r"\{(\w+)\}", group, template))


def _number(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdecimal() else default
