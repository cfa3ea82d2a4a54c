"""HTTP to GitHub's APIs: JSON in, JSON out, every failure a DaypassError.

A client of PyGithub keeps the request under way in its connection (`request`, then `getresponse`),
so two threads on one would read each other's answers. Here each call has a client of its own for as
long as it lasts, from a pool that grows to as many as are used at once; sockets are shared by all.
"""

from __future__ import annotations

import queue
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

import github
import requests
import urllib3

from daypass.adapters.github import failure
from daypass.adapters.github.connection import client_over
from daypass.adapters.github.refused import Speaker
from daypass.adapters.plain_http import PlainHttp
from daypass.adapters.rate_limit import RateLimit
from daypass.errors import DaypassError
from daypass.model.json_text import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from daypass.model.secret import Secret

_TIMEOUT: Final = 20  # seconds, for connecting and for each read
PER_PAGE: Final = 100
_KEPT_ALIVE: Final = 16  # connections: more than the threads of a run
_REDIRECTION: Final = 300
_GRAPHQL: Final = "/graphql"
_NEXT = re.compile(r'<([^<>]+)>\s*;[^,]*\brel="next"')
# Only what cannot have been carried out is tried again: any connection that never came about, and
# GETs that failed. A POST that was answered 502 may have been done. What a rate limit has refused
# was not carried out: it is sent again where GitHub says that this is possible in seconds, and told
# to the caller otherwise, whose next run is minutes away.
_RETRY: Final = urllib3.Retry(
    total=3,
    backoff_factor=0.25,
    status_forcelist=(500, 502, 503, 504),
    allowed_methods=("GET",),
    respect_retry_after_header=False,
    raise_on_status=False,
)
_PATIENCE: Final = 20.0  # seconds: of one rate limit, without another answer
_ALL_PATIENCE: Final = 60.0  # seconds: of all that a run meets


class Transport:
    """A client for some threads. Close it (or use it in `with`) when done."""

    def __init__(self, api_url: str, auth: github.Auth.Auth | None, by: Speaker) -> None:
        self.api_url = api_url
        self._auth = auth
        self._by = by
        self._http = PlainHttp(connections=_KEPT_ALIVE, retries=_RETRY, environment=True)
        self._limit = RateLimit(_PATIENCE, _ALL_PATIENCE)
        self._idle: queue.LifoQueue[github.Github] = queue.LifoQueue()

    @classmethod
    def as_person(cls, api_url: str, token: Secret | None) -> Self:
        """Ask as the account of that token; without one, as anybody on the internet."""
        if token is None:
            return cls(api_url, None, Speaker.NOBODY)
        return cls(api_url, github.Auth.Token(token.reveal()), Speaker.PERSON)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections that no call is using."""
        self._http.close()

    def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """The JSON value at that path.

        Raises ForgeUnavailableError, ForgeRefusedError (as every method here).
        """
        return self._call("GET", path, parameters)[1]

    def find(self, path: str) -> Any | None:
        """The JSON value at that path; None when GitHub says that there is none."""
        return self._call("GET", path, absent=True)[1]

    def pages(self, path: str, parameters: Mapping[str, Any] | None = None) -> Iterator[Any]:
        """The items of a paginated list, fetched as they are asked for.

        A full page without a Link header is the only one of its list, or lost the header on its
        way: the page after it is asked for, so that no list is cut unseen.
        """
        first = here = dict(parameters or {}, per_page=PER_PAGE)
        number = int(first.get("page", 1))
        url: str | None = path
        before: list[Any] = []
        while url is not None:
            headers, items = self._call("GET", url, here)
            if not isinstance(items, list):
                raise failure.unexpected(f"{path} is no list")
            if items == before:
                return  # a list that knows no numbers of pages, or nothing at all
            yield from items
            number, before = number + 1, items
            if "link" not in headers and len(items) >= PER_PAGE:
                url, here = path, dict(first, page=number)
                continue
            link = _NEXT.search(headers.get("link", ""))
            # The link carries all parameters; PyGithub takes its path and query, never its host.
            url, here = (link[1] if link else None), {}

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send once; again only what a rate limit has refused."""
        return self._call("POST", path, body=body)[1]

    def graphql(self, query: str, variables: Mapping[str, str]) -> Any:
        """The data that answers a GraphQL query. Whatever GitHub leaves out of it is an error.

        It is at `/graphql` beside the REST API, at GitHub Enterprise Server too.
        """
        body = {"query": query, "variables": dict(variables)}
        answer = self._call("POST", _GRAPHQL, body=body)[1]
        if not isinstance(answer, dict):
            raise failure.unexpected("POST /graphql gave no object")
        if answer.get("errors"):
            raise failure.graphql_errors(answer["errors"], self._by, self.api_url)
        if not isinstance(answer.get("data"), dict):
            raise failure.unexpected("POST /graphql gave no data")
        return answer["data"]

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send once; again only what a rate limit has refused."""
        return self._call("PUT", path, body=body)[1]

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send once. What it sets is the same however often it arrives."""
        return self._call("PATCH", path, body=body)[1]

    def delete(self, path: str) -> None:
        """Delete; what is gone already is no error."""
        self._call("DELETE", path, absent=True)

    def _call(
        self,
        verb: str,
        path: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        absent: bool = False,
    ) -> tuple[dict[str, str], Any]:
        shown = path.partition("?")[0]
        tries = 0
        while True:
            status, headers, text = self._send(verb, path, parameters, body)
            asked = failure.seconds_of_limit(status, headers, text)
            if asked is None:
                self._limit.answered()
                break
            if not self._limit.wait(tries, asked):
                break
            tries += 1
        if absent and status in (404, 410):
            return headers, None
        if status >= _REDIRECTION:
            raise failure.refusal(verb, shown, status, headers, text, self._by, self.api_url)
        try:
            return headers, read_json(text) if text else None
        except ValueError:
            raise failure.unexpected(f"{verb} {shown} gave no JSON") from None

    def _send(
        self,
        verb: str,
        path: str,
        parameters: Mapping[str, Any] | None,
        body: Mapping[str, Any] | None,
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers and body of the answer. Raises DaypassError if none came."""
        shown = path.partition("?")[0]
        with self._client() as client:
            try:
                place = client.requester.graphql_url if path == _GRAPHQL else path
                answer: tuple[int, dict[str, str], str] = client.requester.requestJson(
                    verb, place, dict(parameters or {}), input=None if body is None else dict(body)
                )
            except DaypassError:
                raise  # the installation token could not be had: it says why itself
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                raise failure.unreachable(verb, shown, error) from None
            except github.GithubException as error:
                raise failure.refusal(
                    verb, shown, error.status, _lower(error.headers), "", self._by, self.api_url
                ) from None
            except (RuntimeError, AssertionError) as error:
                # PyGithub refuses redirects to another host or scheme with these.
                raise failure.unreachable(verb, shown, error) from None
            return answer

    @contextmanager
    def _client(self) -> Iterator[github.Github]:
        try:
            client = self._idle.get_nowait()
        except queue.Empty:
            client = client_over(
                self._http,
                base_url=self.api_url,
                auth=self._auth,
                timeout=_TIMEOUT,
                user_agent="daypass",
                lazy=True,
                seconds_between_requests=0,
                seconds_between_writes=0,
            )
        try:
            yield client
        finally:
            self._idle.put(client)


def _lower(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {key.lower(): value for key, value in (headers or {}).items()}
