"""Asking GitHub with a token that may not see everything: refused is not the same as absent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

from daypass.adapters.github import wire
from daypass.errors import ForgeRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from daypass.adapters.github.transport import Transport

T = TypeVar("T")
_MOST: Final = 30  # items of one page: of variables GitHub gives no more
_MOST_PAGES: Final = 20


class NotVisibleError(Exception):
    """The token may not see it; the text says what GitHub answered."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one repository; it never writes.

    Each method may raise NotVisibleError where the token is refused, and ForgeUnavailableError.
    """

    transport: Transport
    name: str  # owner/repository
    gh: str = "gh"  # how a remedy calls GitHub's own command for that server

    def elsewhere(self, name: str) -> Reader:
        """A reader of another repository, with the same token."""
        return replace(self, name=name)

    def get(self, reader: Callable[[Any], T], path: str = "") -> T:
        """What is at that path below the repository. Raises NotVisibleError for a 404 too."""
        found = self.find(reader, path)
        if found is None:
            raise NotVisibleError(f"GitHub answered 404 to GET {self._path(path)}")
        return found

    def find(self, reader: Callable[[Any], T], path: str) -> T | None:
        """The same; None when GitHub says that there is none."""
        found = self._ask(lambda: self.transport.find(self._path(path)))
        return None if found is None else wire.read(reader, found)

    def pages(self, reader: Callable[[Any], T], path: str) -> tuple[T, ...]:
        """All items of a list."""
        found = self._ask(lambda: list(self.transport.pages(self._path(path))))
        return wire.read_all(reader, found)

    def counted(self, reader: Callable[[Any], T], path: str, key: str) -> tuple[T, ...]:
        """All items of a list that says how many it has. Raises NotVisibleError if some lack."""
        items: list[T] = []
        total = 0
        for number in range(1, _MOST_PAGES + 1):
            total, page = self.get(
                lambda value: (wire.number(value["total_count"]), tuple(map(reader, value[key]))),
                f"{path}?per_page={_MOST}&page={number}",
            )
            items += page
            if len(items) >= total or not page:
                break
        if total != len(items):
            raise NotVisibleError(f"GET {self._path(path)} showed {len(items)} of {total}")
        return tuple(items)

    def account(self, login: str) -> int | None:
        """The numeric id of the account that has that login today; None if there is none."""
        found = self._ask(lambda: self.transport.find(f"/users/{quote(login, safe='')}"))
        return None if found is None else wire.read(_id, found)

    def team(self, organisation: str, slug: str) -> int:
        """The numeric id of the team that has that slug today. A 404 is not visible."""
        path = f"/orgs/{quote(organisation, safe='')}/teams/{quote(slug, safe='')}"
        found = self._ask(lambda: self.transport.find(path))
        if found is None:
            raise NotVisibleError(f"GitHub answered 404 to GET {path}")
        return wire.read(_id, found)

    def members(self, team: str) -> frozenset[int]:
        """The numeric ids of a team's members, child teams' included; the team is a path."""
        found = self._ask(lambda: list(self.transport.pages(f"{team}/members")))
        return frozenset(wire.read_all(_id, found))

    def _path(self, path: str) -> str:
        owner, _, name = self.name.partition("/")
        return f"/repos/{quote(owner, safe='')}/{quote(name, safe='')}{path}"

    @staticmethod
    def _ask(ask: Callable[[], T]) -> T:
        try:
            return ask()
        except ForgeRefusedError as error:
            raise NotVisibleError(error.message) from None


def _id(value: Any) -> int:
    return wire.number(value["id"])
