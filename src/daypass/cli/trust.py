"""`daypass trust`: what this person's commands believe of a repository, against main as it is now.

What is pinned was shown at first use. A change of it stops every command that would send a token or
a secret, until its owner has compared it and accepts it here.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from daypass.adapters.known_repositories import Pin, key_of
from daypass.cli import confirmation, output, wiring
from daypass.cli.governed import main_of_server, why_unsure
from daypass.cli.pins import accept, believed, differences, pin_lines, where_pins_are
from daypass.errors import EvidenceError, ExitCode, IndeterminateError, PermanentError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from daypass.cli.remote_url import Place
    from daypass.model.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    output.add_format(parser)
    parser.add_argument(
        "--yes",
        "-y",
        action="store_true",
        help="accept what main says now, without a question; compare it first with what your "
        "platform team published; not enough where the address of the remote is not that server's",
    )
    parser.add_argument(
        "--fingerprint",
        metavar="SHA256:...",
        action="append",
        default=[],
        help="the evidence key, as your security team published it: nothing is accepted where "
        "main names another",
    )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Show what is pinned and what main says; accept it where its reader says so.

    Raises:
        EvidenceError: main names another key than `--fingerprint`.
        IndeterminateError: something differs, and there is no terminal to ask at, or nothing but
            `--yes` speaks for a clone whose remote may be anything.
        PermanentError: the answer was not yes, or nothing can be remembered here.
        What `main_of_server` raises.
    """
    directory = wiring.directory_of(arguments.directory)
    with main_of_server(directory, to_accept=True) as found:
        settings, doubt = found.settings, why_unsure(directory, found.remote, found.settings)
    known = believed(settings.github, found.places)
    pin = next(iter(known.values()), None)
    changed = tuple({row: None for each in known.values() for row in differences(each, settings)})
    is_new = key_of(settings.github) not in known or bool(changed)
    if arguments.format == "text":
        _show(settings, pin, changed)
    _demand_key(settings, arguments.fingerprint)
    if is_new:
        _demand_yes(arguments, doubt)
        _accept(settings, found.places)
    if arguments.format == "json":
        output.say_json(
            {
                "repository": settings.github.full_name,
                "server": settings.github.server_url,
                "pinned": None if pin is None else asdict(pin),
                "main": asdict(Pin.of(settings)),
                "changed": [name for name, *_ in changed],
                "accepted": is_new,
            }
        )
    else:
        output.say("accepted: that is pinned now" if is_new else "main says what is pinned")
    return ExitCode.DONE


def _show(settings: Settings, pin: Pin | None, changed: Sequence[tuple[str, str, str]]) -> None:
    github = settings.github
    if pin is None:
        output.say(f"nothing is pinned of {github.full_name} yet; its main says:")
        lines = pin_lines(github, Pin.of(settings))
    else:
        output.say(f"pinned of {github.full_name}, in {where_pins_are()}:")
        lines = pin_lines(github, pin)
    for line in lines:
        output.say(output.printable(line))
    for name, old, new in changed:
        output.say(f"the {name} differs:")
        output.say(output.printable(f"  pinned      {old}"))
        output.say(output.printable(f"  main says   {new}"))


def _demand_key(settings: Settings, fingerprints: Sequence[str]) -> None:
    named = settings.evidence.fingerprint
    if fingerprints and named not in fingerprints:
        raise EvidenceError(
            f"main names the evidence key {named or 'none'}, and not {' or '.join(fingerprints)}: "
            "nothing was accepted",
            remedy="Ask your security team which key signs; one of the two may be forged.",
        )


def _demand_yes(arguments: argparse.Namespace, doubt: str) -> None:
    """Take the word of a person. In doubt of the way to main, the key's or a terminal's counts."""
    if doubt:
        output.note(output.printable(f"warning: {doubt}: this main may be another server's"))
    if arguments.yes and (not doubt or arguments.fingerprint):
        return
    if doubt and not confirmation.is_watched():
        raise IndeterminateError(
            f"what main says is not pinned, and {doubt}: nothing was accepted",
            remedy="Run it in a clone from the repository's own server. Or name the evidence key "
            "that your security team published: `daypass trust --yes --fingerprint SHA256:…`.",
        )
    if not confirmation.is_watched():
        raise IndeterminateError(
            "what main says is not pinned, and there is no terminal to ask at: nothing was "
            "accepted",
            remedy="Compare it with what your platform team published; if it is right, run "
            "`daypass trust --yes`.",
        )
    if not confirmation.answers_yes("Is that what your platform team published?"):
        raise PermanentError(
            "nothing was accepted: the answer was not yes",
            remedy="Ask your platform team, and tell them what you saw.",
        )


def _accept(settings: Settings, places: Sequence[Place]) -> None:
    try:
        accept(settings, places)
    except (OSError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else "this user has no home"
        raise PermanentError(
            f"nothing can be remembered here: {why}",
            remedy="Set XDG_STATE_HOME to a folder of your own that you can write to.",
        ) from None
