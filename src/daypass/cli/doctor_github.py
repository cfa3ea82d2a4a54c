"""The GitHub half of `daypass doctor`: what it found, what that proves, and what mends it."""

from __future__ import annotations

import hashlib
import shlex
from typing import TYPE_CHECKING, Any, Final

from daypass.cli import output
from daypass.errors import DaypassError, ExitCode, ForgeRefusedError, IndeterminateError
from daypass.model.names import (
    ADDRESS_VARIABLE,
    AUDIENCE_VARIABLE,
    CA_VARIABLE,
    PIN_VARIABLE,
    RELEASE_PATH,
    SETTINGS_PATH,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from daypass.adapters.github.doctor.environment import Variable
    from daypass.adapters.github.doctor.examine import Examined
    from daypass.adapters.github.doctor.finding import Finding
    from daypass.cli.proven_documents import Checkout
    from daypass.model.catalogue import Catalogue
    from daypass.model.secret import Secret
    from daypass.model.settings import Settings

_ANOTHER_AUDIENCE: Final = (
    "people with write access can set one of the repository, which then stands in: the job would "
    "refuse to log in. Vault refuses another audience, so nothing is minted by it"
)
_PROOF: Final = "settings-proven"  # the name of a check, for programs
_INDENT: Final = " " * 13
_COLOURS: Final = {"sound": "green", "advice": "yellow", "not visible": "yellow"}


def token_at_hand(settings: Settings) -> Secret | None:
    """The person's GitHub token, or None."""
    from daypass.adapters.github.person import person_token

    return person_token(settings.github.server_url)


def no_token(settings: Settings) -> ForgeRefusedError:
    """The error for a GitHub half that was asked for without a token."""
    from daypass.adapters.github.refused import log_in_first

    return ForgeRefusedError(
        "there is no GitHub token to look with",
        remedy=f"{log_in_first(settings.github.server_url)} It is only read with; an "
        "administrator's sees everything.",
    )


def unseen(error: DaypassError, settings: Settings) -> Examined:
    """What is proved when nothing could be looked at."""
    from daypass.adapters.github.doctor.examine import judged
    from daypass.adapters.github.doctor.finding import Finding, State

    why = f"{error.message}. {error.remedy}"
    return judged((Finding("github", State.NOT_VISIBLE, "GitHub's half", why),), settings)


def look(directory: str, main: Settings, token: Secret) -> Examined:
    """Examine GitHub with that token, by the newest settings and identities that are proven.

    Where Vault does not tell which commit is trusted, by those of the checkout. The token is for
    the server that the settings of `main` name.

    Raises IndeterminateError, GitError, DocumentError, ForgeRefusedError, ForgeUnavailableError.
    """
    from daypass.adapters.github.doctor.examine import examine, judged
    from daypass.cli.proven_documents import Checkout

    checkout = Checkout.read(directory)
    catalogue, proof = _proven(checkout)
    here, there = catalogue.settings.github, main.github
    if (here.server_url, here.api_url) != (there.server_url, there.api_url):
        raise IndeterminateError(
            f"what is checked out names another GitHub, {here.server_url}: your token is for "
            f"{there.server_url}, and was not sent",
            remedy="Check out main (`git checkout origin/HEAD`), and run it again.",
        )
    found = examine(token, catalogue, tuple(_variables(checkout, catalogue)))
    return judged((proof, *found.findings), catalogue.settings)


def _proven(checkout: Checkout) -> tuple[Catalogue, Finding]:
    """The documents to examine by, and whether owners of the foundation approved main's."""
    from daypass.adapters.github.doctor.finding import Finding, State
    from daypass.cli import wiring
    from daypass.cli.proven_documents import documents_in_force

    settings = checkout.catalogue.settings
    try:
        with wiring.operator(checkout.root, settings) as session:
            found = documents_in_force(session, checkout)
    except DaypassError as error:
        # An administrator of GitHub need not have a token for Vault.
        why = (
            f"whether owners of the foundation approved {SETTINGS_PATH} was not looked at, and "
            f"this rests on what is checked out: {error.message}"
        )
        what = "the settings"
        return checkout.catalogue, Finding(_PROOF, State.NOT_VISIBLE, what, why, proves=False)
    if found.commit is None:
        why = "Vault is not set up yet: this rests on what is checked out"
        return found.catalogue, Finding(_PROOF, State.SOUND, "the settings", why)
    if found.differing:
        output.note(output.printable(found.sentence))
    title = f"the settings of main at {found.commit[:12]}"
    if not found.unproven:
        return found.catalogue, Finding(_PROOF, State.SOUND, f"{title} are proven")
    compared = "what was proven before them" if found.proven else "them, all the same"
    why = f"{found.unproven}. This rests on {compared}"
    mend = ("daypass vault apply --dry-run",)
    return found.proven or found.catalogue, Finding(_PROOF, State.UNPROVEN, title, why, mend)


def _variables(checkout: Checkout, catalogue: Catalogue) -> Iterator[Variable]:
    """What the job must know from outside of the repository: see `daypass.cli.pinning`."""
    from daypass.adapters.github.doctor.environment import Variable

    vault = catalogue.settings.vault
    yield Variable(PIN_VARIABLE, None, _digest_of(RELEASE_PATH), is_pin=True)
    yield Variable(ADDRESS_VARIABLE, vault.address, shlex.quote(vault.address))
    # Vault itself refuses another audience.
    audience = shlex.quote(vault.audience)
    yield Variable(
        AUDIENCE_VARIABLE, vault.audience, audience, proves=False, absent=_ANOTHER_AUDIENCE
    )
    if vault.ca_file is not None:
        file = checkout.root / vault.ca_file
        digest = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None
        yield Variable(CA_VARIABLE, digest, digest or _digest_of(vault.ca_file))


def _digest_of(path: str) -> str:
    return f'"$(sha256sum {path} | cut -c1-64)"'


def code_of(examined: Examined) -> ExitCode:
    """1 if something has to be mended, 7 if what the proof needs is not visible, else 0."""
    if any(item.state.is_wrong for item in examined.findings):
        return ExitCode.FAILED
    return ExitCode.DONE if examined.is_proved else ExitCode.INDETERMINATE


def as_json(examined: Examined) -> dict[str, Any]:
    """For programs."""
    return {
        "proved": examined.is_proved,
        "verdict": examined.verdict,
        "findings": [
            {
                "check": item.check,
                "state": str(item.state),
                "what": item.what,
                "why": item.why,
                "mend": list(item.mend),
            }
            for item in examined.findings
        ],
    }


def show(examined: Examined) -> None:
    """For people: each finding, then what they come to."""
    told: set[str] = set()
    for item in examined.findings:
        _show(item, told)
        told.update(item.mend)
    colour = "green" if examined.is_proved else "red"
    for line in output.wrapped(output.printable(examined.verdict)):
        output.say(output.styled(line, "bold", colour))


def _show(item: Finding, told: Collection[str]) -> None:
    """One finding: sentences are broken at 80 columns, and what can be copied is not.

    A command that stands further up is not told again.
    """
    text = f"{item.what}: {item.why}" if item.why else item.what
    _say(str(item.state), text)
    for command in item.mend:
        if command in told:
            output.say(f"{_INDENT}  (as above)")
            break
        output.say(f"{_INDENT}  {output.printable(command)}")


def show_unseen(text: str) -> None:
    """For people: something that could not be looked at, and why."""
    _say("not visible", text)


def _say(state: str, text: str) -> None:
    mark = output.styled(f"{state:<12}", _COLOURS.get(state, "red"))
    lines = output.wrapped(output.printable(text), output.WIDTH - len(_INDENT))
    output.say(f"{mark} {lines[0]}")
    for line in lines[1:]:
        output.say(_INDENT + line)
