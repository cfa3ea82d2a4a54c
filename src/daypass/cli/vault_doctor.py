"""`daypass vault doctor`: compare Vault and its databases with access/, or try them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daypass.cli import output
from daypass.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.adapters.vault.compare import Found
    from daypass.adapters.vault.session import Session
    from daypass.cli.proven_documents import Documents
    from daypass.model.catalogue import Catalogue

_INDENT: Final = " " * 11
_LEVELS: Final = {"advice": "notice", "not tried": "warning"}  # of annotations
_COLOURS: Final = {"advice": "yellow", "not tried": "yellow", "tried": "green"}


def doctor(session: Session, documents: Documents, form: str, *, trying: bool) -> ExitCode:
    """Says what has to be mended, and how.

    Args:
        session: logged in as an operator.
        documents: what is asked of Vault. Of main's, the newest that are proven are compared.
        form: text, json or github.
        trying: whether each role is tried with a throw-away credential.

    Raises VaultUnavailableError, VaultRefusedError.
    """
    from daypass.adapters.vault.compare import State

    found: list[Found] = []
    if documents.differing:
        output.note(output.printable(documents.sentence))
    for item in _findings(session, documents, trying=trying):
        found.append(item)
        if form != "json" and item.state is not State.SAME:
            _show(item, annotate=form == "github")
    sound = all(item.state.is_sound for item in found)
    if form == "json":
        output.say_json([_as_json(item) for item in found])
    elif sound:
        same = sum(item.state is State.SAME for item in found)
        left = sum(item.state is State.NOT_TRIED for item in found)
        output.say(f"sound: all {same} things that daypass relies on are as access/ asks")
        if left:
            output.say(f"{left} could not be tried from here: see above")
    return ExitCode.DONE if sound else ExitCode.FAILED


def _findings(session: Session, documents: Documents, *, trying: bool) -> Iterator[Found]:
    from daypass.adapters.vault.doctor import examine
    from daypass.adapters.vault.engines import Engines
    from daypass.adapters.vault.neighbours import examine_neighbours
    from daypass.adapters.vault.setup import desired_by
    from daypass.adapters.vault.trials import try_roles
    from daypass.cli.control_repository import examine_control

    catalogue = documents.proven or documents.catalogue
    setup = desired_by(catalogue)
    yield from _proof(documents)
    if (control := examine_control(setup.settings)) is not None:
        yield control
    yield from examine(session, setup, documents.grants)
    yield from examine_neighbours(session, setup)
    yield from _teams(catalogue)
    if trying:
        yield from try_roles(session, Engines(session), setup, catalogue.resources, output.note)


def _proof(documents: Documents) -> Iterator[Found]:
    """Whether owners of the foundation approved what main holds; nothing before a first set-up."""
    from daypass.adapters.vault.compare import Found, State

    if documents.commit is None:
        return
    title = f"main at {documents.commit[:12]}"
    if not documents.unproven:
        yield Found(title, State.SAME)
        return
    compared = "what was proven before it" if documents.proven else "it, all the same"
    detail = f"{documents.unproven}. Vault is compared with {compared}"
    yield Found(title, State.UNPROVEN, detail, ("daypass vault apply --dry-run",))


def _teams(catalogue: Catalogue) -> Iterator[Found]:
    """Teams at GitHub, with the operator's own token, where documents name any."""
    from daypass.adapters.github.refused import log_in_command
    from daypass.adapters.vault.compare import Found, State
    from daypass.cli import wiring
    from daypass.errors import DaypassError
    from daypass.lifecycle.teams import look_at_teams
    from daypass.policy.groups import teams_needed

    if not teams_needed(catalogue):
        return
    try:
        with wiring.person(catalogue.settings) as forge:
            states = look_at_teams(forge, catalogue)
    except DaypassError as error:
        yield Found("teams at GitHub", State.NOT_TRIED, f"they were not asked for: {error.message}")
        return
    if all(item.team is None for item in states):
        log_in = log_in_command(catalogue.settings.github.server_url)
        detail = f"GitHub shows this token no team: `{log_in} --scopes read:org`"
        yield Found("teams at GitHub", State.NOT_TRIED, detail)
        return
    for item in states:
        title = f"team {item.slug}"
        if not item.wrong:
            yield Found(title, State.SAME)
        else:
            state = State.ADVICE if item.can_be_pinned and item.counts else State.WRONG
            yield Found(title, state, f"{item.wrong}. {item.remedy}")


def _as_json(item: Found) -> dict[str, object]:
    return {
        "state": str(item.state),
        "what": item.title,
        "detail": item.detail,
        "mend": list(item.mend),
    }


def _show(item: Found, *, annotate: bool) -> None:
    """One finding: sentences are broken at 80 columns, and what can be copied is not."""
    told = f"{item.title}: {item.detail}" if item.detail else item.title
    if annotate:
        level = _LEVELS.get(str(item.state), "notice" if item.state.is_sound else "error")
        text = "\n".join((told, *item.mend))
        output.annotate(level, text, title=f"daypass: {item.state}")
        return
    mark = output.styled(f"{item.state!s:<10}", _COLOURS.get(str(item.state), "red"))
    lines = output.wrapped(output.printable(told), output.WIDTH - len(_INDENT))
    output.say(f"{mark} {lines[0]}")
    for line in lines[1:]:
        output.say(_INDENT + line)
    for command in item.mend:
        output.say(f"{_INDENT}  {output.printable(command)}")
