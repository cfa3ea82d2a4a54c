"""The command line's door: finds the verb, imports only what that verb needs, and ends cleanly.

Importing everything costs half a second (PyGithub alone 0.7 s); `validate` runs on every keystroke
of a pre-commit hook. So a verb's module is imported when the verb is called.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, cast

from daypass import __version__
from daypass.adapters import core_dumps, found_locale
from daypass.cli import interrupts, output, this_command
from daypass.errors import DaypassError, ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


# Objects made before cycles are looked for. Nearly all that is imported or read here stays, and
# Python's own 700 makes a tenth of an import's time (measured: 304 ms against 267 for `apply`).
_CYCLES_AFTER: Final = 50_000


class Verb(NamedTuple):
    """Where a verb lives, and its line in `daypass --help`."""

    module: str
    summary: str
    takes_command: bool = False  # what follows `--` is somebody else's command line


class VerbModule(Protocol):
    """What each module in `daypass.cli` that is a verb offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare flags and positionals."""

    def run(self, arguments: argparse.Namespace) -> ExitCode:
        """Do it. Errors that reach a person are DaypassErrors."""


VERBS: Final[dict[str, Verb]] = {
    "init": Verb("daypass.cli.init", "lay access/, schemas/ and the workflows into a repository"),
    "request": Verb(
        "daypass.cli.request", "ask for access: write the request, open its pull request"
    ),
    "validate": Verb("daypass.cli.validate", "what is wrong, where, and how to mend it"),
    "plan": Verb("daypass.cli.plan", "what apply would do now, or what merging would do, and why"),
    "apply": Verb("daypass.cli.apply", "grant what was approved, end what is over, record both"),
    "claim": Verb(
        "daypass.cli.claim",
        "receive a granted secret: run a command with it, or print it",
        takes_command=True,
    ),
    "done": Verb("daypass.cli.done", "end a grant of yours now"),
    "redeliver": Verb("daypass.cli.redeliver", "have a delivery that was missed delivered again"),
    "revoke": Verb("daypass.cli.revoke", "end somebody's grant now"),
    "halt": Verb(
        "daypass.cli.halt", "end every live grant of a type of identity, a subject or a resource"
    ),
    "break-glass": Verb(
        "daypass.cli.break_glass",
        "take access in an emergency: now, and reviewed afterwards",
        takes_command=True,
    ),
    "review": Verb("daypass.cli.review", "review an emergency that somebody else took"),
    "command": Verb("daypass.cli.command", "obey a comment or a dispatch: for access-commands"),
    "doctor": Verb(
        "daypass.cli.doctor", "is the bot alive, is nothing stuck, can two writers mint"
    ),
    "status": Verb("daypass.cli.status", "who holds what, until when"),
    "explain": Verb(
        "daypass.cli.explain", "why an id was granted or refused; or what a rule is for"
    ),
    "trust": Verb(
        "daypass.cli.trust", "what your commands believe of this repository; accept a change of it"
    ),
    "teams": Verb(
        "daypass.cli.teams", "the GitHub teams that documents name: are they still the same"
    ),
    "policy": Verb("daypass.cli.policy", "try the policies on cases, and say what was not tried"),
    "audit": Verb("daypass.cli.audit", "list the evidence, verify it, and answer from it"),
    "vault": Verb(
        "daypass.cli.vault",
        "the set-up of Vault: render, apply, doctor, sql; rotate-evidence, accept-loss",
    ),
    "demo": Verb("daypass.cli.demo", "the whole story on this machine, in a minute"),
}


def build_parser(verb: str | None, *, alone: bool = False) -> argparse.ArgumentParser:
    """The parser with every verb's summary, and the arguments of the one that was called.

    `alone` leaves the other verbs out: they are only there to be listed.
    """
    parser = argparse.ArgumentParser(
        prog="daypass",
        description="Access that ends by itself: privileged access by pull request.",
        epilog="Exit codes: 0 done; 1 failed; 2 usage; 3 a document is wrong; 4 denied; "
        "5 partly applied; 6 the evidence does not hold; 7 indeterminate.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"daypass {__version__}")
    add_directory(parser, ".")
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    for name, entry in VERBS.items():
        if alone and name != verb:
            continue
        child = verbs.add_parser(
            name,
            help=entry.summary,
            description=entry.summary[0].upper() + entry.summary[1:] + ".",
            allow_abbrev=False,
        )
        if name == verb:
            # Here too, and without a default, which would undo the one before the verb.
            add_directory(child, argparse.SUPPRESS)
            _module(entry.module).add_arguments(child)
    return parser


def add_directory(parser: argparse.ArgumentParser, default: str) -> None:
    """Add `-C DIR`, which git and make have too."""
    parser.add_argument(
        "-C",
        dest="directory",
        metavar="DIR",
        default=default,
        help="the governed repository's work tree (default: here)",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. No traceback reaches a person.

    Without `argv` the command is all that this process is for.
    """
    if argv is not None:
        return _obey(list(argv))
    gc.set_threshold(_CYCLES_AFTER)
    output.settle_descriptors()
    output.settle_encoding()
    core_dumps.forbid()
    found_locale.remember()
    interrupts.stop_in_order()
    code = _obey(sys.argv[1:])
    # As it ends the interpreter looks for cycles in all that was imported: 40 ms, for nobody.
    gc.freeze()
    return code


def _obey(words: list[str]) -> int:
    this_command.begin()
    verb = find_verb(words)
    try:
        return _run(verb, words)
    except DaypassError as error:
        output.show_error(error)
        _give_up_output()  # it may be what failed
        return int(error.exit_code)
    except KeyboardInterrupt as stop:
        said = "interrupted; nothing was left half done, run it again to go on"
        output.note("")  # what the terminal echoed of Ctrl-C stands on the line
        output.note(f"{stop if isinstance(stop, interrupts.StoppedError) else said}")
        return stop.exit_code if isinstance(stop, interrupts.StoppedError) else 130
    except BrokenPipeError:
        # The reader (`| head`) went away: that is its right, and no failure of ours.
        _give_up_output()
        return int(ExitCode.DONE)
    except Exception as error:  # noqa: BLE001  -- no traceback reaches a person
        found = _explained(error, words)
        output.show_error(found)
        _give_up_output()
        return int(found.exit_code)


def _explained(error: Exception, words: list[str]) -> DaypassError:
    """Make a sentence of an error that is none of daypass's own."""
    if isinstance(error, OSError):
        return output.from_os_error(error)
    # Bytes that are no text reach a command in its words alone: all else is read strictly.
    odd = next((word for word in words if not _is_text(word)), None)
    if isinstance(error, UnicodeError) and odd is not None:
        return _not_text(odd)
    # A bug. Its text may hold anything, a secret included: only its type and place are shown.
    if os.environ.get("DAYPASS_TRACEBACK") == "1":
        raise error
    return output.from_bug(error)


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _not_text(word: str) -> UsageError:
    shown = os.fsencode(word).decode("utf-8", "backslashreplace")
    return UsageError(
        f"'{shown}' is not valid UTF-8, so it can be no text of a document",
        remedy="Type it in a terminal whose encoding is UTF-8 (`locale` shows it), or in ASCII.",
    )


def _run(verb: str | None, words: list[str]) -> int:
    words, command = split_command(verb, words)
    before = words[: words.index(verb)] if verb in VERBS and verb is not None else ["--help"]
    alone = not any(word.startswith("--") or word == "-h" for word in before)  # nobody asks for all
    arguments = build_parser(verb, alone=alone).parse_args(words)
    if VERBS[arguments.verb].takes_command:
        arguments.command = command
    code = int(_module(VERBS[arguments.verb].module).run(arguments))
    if sys.stdout is not None:
        sys.stdout.flush()  # here, where what cannot be written is still an error that we explain
    return code


def _give_up_output() -> None:
    """Let what is still buffered go nowhere, or the interpreter complains of it as it ends."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        output.give_up(sys.stdout)


def find_verb(words: Sequence[str]) -> str | None:
    """The first word that is no flag, nor the directory of a `-C` before it."""
    before = ["", *words]
    return next(
        (
            word
            for previous, word in zip(before, words, strict=False)
            if not word.startswith("-") and previous != "-C"
        ),
        None,
    )


def split_command(verb: str | None, words: list[str]) -> tuple[list[str], list[str]]:
    """Our words, and the command after `--` if the verb takes one: argparse must not read that."""
    takes = verb in VERBS and VERBS[verb].takes_command
    if not takes or "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


def _module(name: str) -> VerbModule:
    return cast("VerbModule", importlib.import_module(name))
