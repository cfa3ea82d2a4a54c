"""The guard: what any call of git may take from its environment, its user and its clone.

A clone can come from anyone, and `.git/config` can name a program for nearly everything that git
does. What is a fixed key has a fixed value here. Keys that a clone chooses itself (a filter's, a
remote's) are looked up once: filters are switched off, the others refused.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from daypass.adapters.git import transports
from daypass.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Settings = tuple[tuple[str, str], ...]

# Variables that git and its transports need from outside. All else stays out: GIT_DIR and the like
# redirect git, GIT_TRACE_CURL writes tokens into logs, GIT_ASKPASS asks, and tokens go nowhere.
_PASSED: Final = frozenset(
    {"PATH", "XDG_CONFIG_HOME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "SUDO_UID"}
    | {"SSH_AUTH_SOCK"}
    | {"GIT_SSL_CAINFO", "http_proxy", "https_proxy", "no_proxy", "all_proxy"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"}
)
FIXED: Final = {
    "LC_ALL": "C",
    # Without `.netrc`, which curl shows to any host or proxy that it names.
    "HOME": transports.NO_HOME,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    # Local refs and files that show another history than the one that the objects tell.
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_OPTIONAL_LOCKS": "0",
    # Or `log` and `rev-list` write each commit by itself.
    "GIT_FLUSH": "0",
    # No `ext::COMMAND`, and no other helper that an address or `remote.*.vcs` names.
    "GIT_ALLOW_PROTOCOL": "file",
    # Empty: the configuration's `core.gitProxy`, of which the first counts, is not asked.
    "GIT_PROXY_COMMAND": "",
}
# For the one call that lists the configuration: where the user's own lies.
_OF_THE_USER: Final = ("GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "HOME")
_EXPLICIT: Final = ("safe.bareRepository", "explicit")
_CONFIG: Final = (
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.untrackedCache", "false"),
    ("core.attributesFile", os.devnull),
    # A file beside the objects that says of commits what their own bytes might not.
    ("core.commitGraph", "false"),
    ("core.askPass", ""),
    ("core.pager", "cat"),
    ("core.editor", "false"),
    # With an alternate object store, a fetch runs it to learn what is there.
    ("core.alternateRefsCommand", "true"),
    ("core.quotePath", "true"),
    ("credential.helper", ""),
    ("gpg.program", os.devnull),
    ("gpg.ssh.program", os.devnull),
    ("gpg.x509.program", os.devnull),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("log.showRoot", "true"),
    # What a clone's own configuration can make of the lists that are read: recoded, cut, painted.
    ("i18n.logOutputEncoding", "UTF-8"),
    ("log.follow", "false"),
    ("diff.orderFile", os.devnull),
    ("diff.relative", "false"),
    # Not `none`: git would be run in each submodule, by its own configuration.
    ("diff.ignoreSubmodules", "dirty"),
    ("color.ui", "false"),
    ("color.diff", "false"),  # these count more than `color.ui`
    ("color.push", "false"),
    ("color.remote", "false"),
    ("color.transport", "false"),
    ("color.advice", "false"),
    ("log.showSignature", "false"),
    ("push.gpgSign", "false"),
    ("push.followTags", "false"),
    ("push.pushOption", ""),
    ("push.useForceIfIncludes", "false"),
    ("push.recurseSubmodules", "no"),
    ("fetch.recurseSubmodules", "no"),
    ("submodule.recurse", "false"),
    # A redirect would carry the token to another host.
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "100"),
    ("http.lowSpeedTime", "60"),
)
_OWN: Final = frozenset({"local", "worktree"})
_USERS: Final = frozenset({"system", "global"})
_SAFE: Final = "safe.directory"
_SSH: Final = "core.sshcommand"
_SAID: Final = re.compile(r"[0-9]{1,4}")
# Of the user's own configuration: what files are to git, and runs nothing. The clone's comes first.
_HARMLESS: Final = frozenset({"core.excludesfile", "core.autocrlf", "core.eol"})
_FILTER: Final = re.compile(r"(filter\..*)\.(clean|smudge|process|required)", re.DOTALL)
_SWITCHED_OFF: Final = (("clean", ""), ("smudge", ""), ("process", ""), ("required", "false"))
# git takes the first value of these, or all, so that none can be put over it.
_REFUSED: Final = re.compile(
    r"remote\..*\.(uploadpack|receivepack|vcs)|hook\..*\.command|fetch\.bundleuri", re.DOTALL
)
# What may lead a request elsewhere: then the user's log-in helpers are not asked.
_DIVERTING: Final = re.compile(r"http\..*|url\..*|remote\..*\.proxy.*|credential\..*", re.DOTALL)
_HEADER: Final = ".extraheader"  # which a checkout in a job leaves


def environment(settings: Sequence[tuple[str, str]], *, is_bare: bool) -> dict[str, str]:
    """The environment of a call, with these settings beside those that every call has.

    They are not on its command line, where every process of the machine could read a token.
    """
    settings = (*(() if is_bare else (_EXPLICIT,)), *_CONFIG, *settings)
    found = {name: os.environ[name] for name in _PASSED & os.environ.keys()} | FIXED
    found |= transports.user_folder()
    found["GIT_CONFIG_COUNT"] = str(len(settings))
    for number, (key, value) in enumerate(settings):
        found[f"GIT_CONFIG_KEY_{number}"] = key
        found[f"GIT_CONFIG_VALUE_{number}"] = value
    return found


def listing_environment(*, is_bare: bool) -> dict[str, str]:
    """The environment in which git lists all configuration, the user's too. It runs nothing."""
    found = environment((), is_bare=is_bare)
    for name in _OF_THE_USER:
        found.pop(name, None)
        if name in os.environ:
            found[name] = os.environ[name]
    return found


LISTING: Final = ("config", "--list", "--null", "--show-scope")


@dataclass(frozen=True, slots=True)
class Guard:
    """What one repository's calls add to the fixed settings."""

    settings: Settings = ()
    helpers: Settings = ()  # the user's own log-in helpers; none where a request may be led away
    variables: Mapping[str, str] = field(default_factory=dict)  # protocols, the SSH command
    own_ssh: bool = False  # whether the clone names an SSH command, which does not count
    barring: str = ""  # the clone's own key that keeps git from http and https

    @classmethod
    def read(cls, listing: bytes) -> Guard:
        """Make it of what `LISTING` printed.

        Raises:
            GitError: the clone's own configuration names a program that cannot be overruled.
        """
        own, users = _sorted(listing)
        own_keys = {key for key, _ in own}
        for key, _ in own:
            if _REFUSED.fullmatch(key):
                raise _refused(key)
        settings = [
            (_SAFE, transports.with_home(v)) for k, v in (*users, *_said()) if k.lower() == _SAFE
        ]
        settings += [
            (k, transports.with_home(v)) for k, v in users if k in _HARMLESS and k not in own_keys
        ]
        settings += [*transports.of_the_user(users), *_switched_off(own_keys)]
        is_led_away = any(
            _DIVERTING.fullmatch(key) and not key.endswith(_HEADER) for key in own_keys
        )
        variables = transports.ssh_variables(dict(users))
        variables["GIT_ALLOW_PROTOCOL"] = transports.protocols(own)
        return cls(
            tuple(settings),
            () if is_led_away else tuple(_helpers(users)),
            variables,
            _SSH in own_keys,
            transports.barring_key(own),
        )


def _sorted(listing: bytes) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The keys and values of the clone's own configuration, and those of the user's."""
    parts = os.fsdecode(listing).split("\0")[:-1]
    own: list[tuple[str, str]] = []
    users: list[tuple[str, str]] = []
    for scope, entry in zip(parts[::2], parts[1::2], strict=True):
        key, has_value, value = entry.partition("\n")
        if scope in _OWN:
            own.append((key, value if has_value else "true"))
        elif scope in _USERS:
            users.append((key, value if has_value else "true"))
    return own, users


def _said() -> Iterator[tuple[str, str]]:
    """What the environment sets as configuration: in containers and jobs, as git takes it."""
    count = os.environ.get("GIT_CONFIG_COUNT", "")
    for number in range(int(count) if _SAID.fullmatch(count) else 0):
        key = os.environ.get(f"GIT_CONFIG_KEY_{number}", "")
        yield key, os.environ.get(f"GIT_CONFIG_VALUE_{number}", "")


def _helpers(users: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The user's own log-in helpers, and what they say of them."""
    for key, value in users:
        if key.startswith("credential."):
            is_helper = key.endswith(".helper")
            yield key, transports.helper_in_own_home(value) if is_helper else value


def _switched_off(own: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Overrule the filters of the clone's own configuration, such as `git lfs install --local`."""
    found = sorted(own)
    names = dict.fromkeys(one[1] for one in map(_FILTER.fullmatch, found) if one is not None)
    for name in names:
        for key, value in _SWITCHED_OFF:
            yield f"{name}.{key}", value


def _refused(key: str) -> GitError:
    shown = shlex.quote(key.encode("ascii", "backslashreplace").decode())
    return GitError(
        f"this clone's own configuration sets {shown}, which makes git run a program, or fetch "
        "from elsewhere",
        remedy=f"See where it comes from, `git config --show-origin --get-all {shown}`, and take "
        f"it out: `git config --unset-all {shown}`.",
    )
