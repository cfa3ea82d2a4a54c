"""All of the GitHub half, and in words what it proves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from daypass.adapters.github.doctor.control import examine_control
from daypass.adapters.github.doctor.environment import examine_environment
from daypass.adapters.github.doctor.finding import Finding, State
from daypass.adapters.github.doctor.guards import read_guards
from daypass.adapters.github.doctor.owners import FoundationOwners, examine_owners
from daypass.adapters.github.doctor.reading import NotVisibleError, Reader
from daypass.adapters.github.doctor.repository import examine_governed, repository
from daypass.adapters.github.doctor.rules import judge
from daypass.adapters.github.transport import Transport
from daypass.errors import ForgeRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from daypass.adapters.github.doctor.environment import Variable
    from daypass.model.catalogue import Catalogue
    from daypass.model.secret import Secret
    from daypass.model.settings import Settings

TWO_WRITERS: Final = "two people with write access to this repository can mint"
_TEAM: Final = "team:"


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found, and what it comes to."""

    findings: tuple[Finding, ...]
    # That two people with write access cannot mint, as far as GitHub goes: Vault is not asked.
    is_proved: bool
    verdict: str


def examine(token: Secret, catalogue: Catalogue, variables: Sequence[Variable]) -> Examined:
    """Reads GitHub as the person of that token; nothing is changed.

    Args:
        token: a person's; it need not see everything.
        catalogue: settings, and identities for the accounts of the foundation's owners.
        variables: what the environment must define.

    Raises:
        ForgeRefusedError: the token may not see the repository at all.
        ForgeUnavailableError: GitHub does not answer.
    """
    settings = catalogue.settings
    with Transport.as_person(settings.github.api_url, token) as transport:
        reader = Reader(transport, settings.github.full_name, _gh(settings.github.server_url))
        findings = tuple(_findings(reader, catalogue, variables))
    return judged(findings, settings)


def judged(findings: Sequence[Finding], settings: Settings) -> Examined:
    """What those findings prove."""
    wrong = sum(item.proves and item.state.is_wrong for item in findings)
    hidden = sum(item.proves and item.state is State.NOT_VISIBLE for item in findings)
    if wrong:
        verdict = f"{TWO_WRITERS}: of what keeps them from it, {wrong} not in place"
    elif hidden:
        verdict = (
            f"{TWO_WRITERS}, as far as is proved: of what keeps them from it, {hidden} not visible"
        )
    elif settings.control is not None:
        verdict = (
            "proved at GitHub, provided that Vault binds it (run `daypass vault doctor`): what "
            f"mints is in {settings.control.repository}, which of the people with write access to "
            "this repository only owners of the foundation can change. Its administrators can"
        )
    else:
        verdict = (
            "proved at GitHub, provided that Vault binds it (run `daypass vault doctor`) and that "
            "only administrators set an environment's variables (untried): people with write "
            "access cannot change what mints without an owner of the foundation. Administrators "
            "of the repository can change these rules"
        )
    return Examined(tuple(findings), not wrong and not hidden, verdict)


def _findings(
    reader: Reader, catalogue: Catalogue, variables: Sequence[Variable]
) -> Iterator[Finding]:
    settings = catalogue.settings
    branch = settings.github.default_branch
    try:
        found = reader.get(repository)
    except NotVisibleError as error:
        raise ForgeRefusedError(
            f"{reader.name} is not visible to this token: {error}",
            remedy=f"Log in as an account that may read it: `{reader.gh} auth login`, or set "
            "GH_TOKEN.",
        ) from None
    yield from examine_governed(reader, found, settings.github)
    rules = _seen(
        "rules",
        f"{reader.name} {branch}: its rules",
        lambda: judge(
            reader,
            branch,
            read_guards(reader, branch, administers=found.administers),
            settings.github.app_id,
        ),
    )
    if settings.control is not None:
        # There the rules of this repository keep mistakes off main, and nothing rests on them.
        yield from map(_as_advice, rules)
        yield from examine_control(reader, settings.control, foundation_owners(catalogue))
        return
    yield from rules
    owners = foundation_owners(catalogue)
    yield from _seen("code-owners", "CODEOWNERS", lambda: examine_owners(reader, branch, owners))
    yield from _seen(
        "environment",
        "environment `daypass`",
        lambda: examine_environment(reader, branch, variables),
    )


def foundation_owners(catalogue: Catalogue) -> FoundationOwners:
    """The teams and accounts of the groups that own the foundation."""
    settings = catalogue.settings
    teams: dict[str, int | None] = {}
    names: set[str] = set()
    for group in settings.foundation_owners:
        for member in settings.groups.get(group, ()):
            slug = member.removeprefix(_TEAM)
            if slug == member:
                names.add(member)
            elif settings.counts_team(slug):
                teams[slug] = settings.team_id(slug)
    people = [catalogue.identities[name] for name in sorted(names) if name in catalogue.identities]
    organisation, number = settings.github.owner, settings.github.owner_id
    words = [f"@{organisation}/{slug}" for slug in sorted(teams)]
    words += [f"@{item.github_login}" for item in people if item.github_login]
    accounts = frozenset(item.github_id for item in people if item.github_id is not None)
    return FoundationOwners(organisation, number, teams, accounts, tuple(words))


def _seen(check: str, what: str, ask: Callable[[], Iterable[Finding]]) -> tuple[Finding, ...]:
    try:
        return tuple(ask())
    except NotVisibleError as error:
        return (Finding(check, State.NOT_VISIBLE, what, str(error)),)


def _as_advice(finding: Finding) -> Finding:
    if not finding.state.is_wrong:
        return replace(finding, proves=False)
    why = "daypass does not rely on it here; it keeps mistakes off the branch"
    return replace(finding, state=State.ADVICE, why=why, proves=False)


def _gh(server_url: str) -> str:
    host = urlsplit(server_url).hostname
    return "gh" if host in (None, "github.com") else f"GH_HOST={host} gh"
