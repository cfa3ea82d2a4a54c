"""`daypass vault`: the least-privilege set-up of Vault, and what an operator says to it."""

from __future__ import annotations

import argparse
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from daypass.cli import output, vault_loss, vault_rotate, wiring
from daypass.cli.evidence_files import write_signers
from daypass.errors import ExitCode
from daypass.model.names import ALLOWED_SIGNERS_PATH, grant_path

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.adapters.vault.install import Change
    from daypass.adapters.vault.session import Session
    from daypass.adapters.vault.setup import Setup
    from daypass.model.catalogue import Catalogue

_COLOURS: Final = {
    "created": "green",
    "updated": "green",
    "removed": "yellow",
    "unchanged": "dim",
    "kept": "yellow",
    "left": "red",
    "create": "green",
    "update": "green",
    "remove": "yellow",
    "keep": "yellow",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-verbs."""
    verbs = parser.add_subparsers(
        dest="subverb",
        metavar="render|apply|doctor|sql|rotate-evidence|accept-loss",
        required=True,
    )
    render = verbs.add_parser(
        "render",
        help="print what access/ asks of Vault, as HCL and commands to review; asks no server",
    )
    apply = verbs.add_parser(
        "apply",
        help="lay it in: idempotent; an operator runs it, with VAULT_TOKEN or after `bao login`",
    )
    apply.add_argument(
        "--app-key-file",
        metavar="PEM",
        type=Path,
        help="import the GitHub App's private key from this file; delete the file afterwards",
    )
    apply.add_argument(
        "--plan",
        action="store_true",
        help="show what would be laid in, changed and removed, and do none of it",
    )
    apply.add_argument(
        "--prune",
        action="store_true",
        help="remove token roles and policies of daypass that access/ no longer names; those of "
        "the emergency lane that no policy opens are removed in any case",
    )
    apply.add_argument(
        "--trust",
        metavar="REV",
        help="from this commit of main on, changes of policies, resources and identities must be "
        "proven; set to the default branch's head by the first run, and moved only by this flag. "
        "It gives up nothing that main lost: see `accept-loss`",
    )
    apply.add_argument(
        "--write-signers",
        action="store_true",
        help=f"write the evidence key into {ALLOWED_SIGNERS_PATH}, to be committed",
    )
    doctor = verbs.add_parser("doctor", help="compare Vault with access/, and say what to mend")
    doctor.add_argument(
        "--try",
        dest="trying",
        action="store_true",
        help="also make, use, end and look for one throw-away credential of each role, with your "
        "own token",
    )
    sql = verbs.add_parser("sql", help="print daypass's SQL for PostgreSQL, for `bao write PATH -`")
    sql.add_argument("statements", choices=("creation", "revocation", "look"))
    sql.add_argument("--group", metavar="ROLE", help="creation: whose rights the log-in is lent")
    sql.add_argument(
        "--connection", metavar="NAME", help="look: which connection of the engine it looks at"
    )
    rotate = verbs.add_parser(
        "rotate-evidence",
        help="take the next step of a rotation of the evidence key: prepare the pull request, or, "
        "once main was handed over, keep the old version from signing",
    )
    vault_rotate.add_arguments(rotate)
    loss = verbs.add_parser(
        "accept-loss", help="give up what a restored backup of main or of Vault has lost"
    )
    vault_loss.add_arguments(loss)
    for child in (apply, doctor, rotate, loss):
        output.add_format(child)
    for child in (render, apply, doctor, rotate, loss):
        # Before or after the sub-verb; absent here, it must not undo what stood before.
        child.add_argument(
            "-C", dest="directory", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Do it. Errors that reach a person are DaypassErrors."""
    from daypass.adapters.vault.setup import desired

    if arguments.subverb == "sql":
        from daypass.cli.vault_sql import print_sql

        return print_sql(arguments)
    directory, catalogue, grants = _governed(arguments.directory)
    setup = desired(
        catalogue.settings,
        catalogue.resources.values(),
        catalogue.identities.values(),
        catalogue.policies.values(),
    )
    if arguments.subverb == "render":
        from daypass.adapters.vault.render import render

        output.say(render(setup).rstrip("\n"))
        return ExitCode.DONE
    from daypass.adapters.vault.session import login_token

    folder = wiring.authorities(directory, setup.settings)
    with login_token(setup.settings.vault, wiring.operator_token(), folder) as session:
        if arguments.subverb == "doctor":
            from daypass.cli.vault_doctor import doctor

            form, trying = arguments.format, arguments.trying
            return doctor(session, setup, catalogue, grants, form, trying=trying)
        if arguments.subverb == "rotate-evidence":
            return vault_rotate.run(session, setup.settings, directory, arguments)
        if arguments.subverb == "accept-loss":
            return vault_loss.run(session, setup.settings, directory, arguments)
        from daypass.adapters.vault.neighbours import refuse_neighbours

        refuse_neighbours(session, setup, pruning=arguments.prune)
        act = _plan if arguments.plan else _apply
        return act(session, setup, directory, arguments)


def _plan(
    session: Session, setup: Setup, _directory: Path, arguments: argparse.Namespace
) -> ExitCode:
    """Show what `apply` would do."""
    from daypass.adapters.vault.install import plan

    changes = tuple(plan(session, setup, pruning=arguments.prune))
    if arguments.format == "json":
        output.say_json({"plan": [_as_json(item) for item in changes]})
        return ExitCode.DONE
    for item in changes:
        _show(str(item.outcome), item.title, item.detail)
    if not changes:
        output.say("nothing to do: Vault is as access/ asks")
    return ExitCode.DONE


def _as_json(change: Change) -> dict[str, str]:
    return {"outcome": str(change.outcome), "what": change.title, "detail": change.detail}


def _governed(directory: str) -> tuple[Path, Catalogue, frozenset[str]]:
    """The work tree's root, settings and resources as they lie there, and the ids of its grants.

    Raises GitError, DocumentError.
    """
    from daypass.adapters.worktree import WorkTree
    from daypass.documents.repository import load_catalogue

    tree = WorkTree.open(directory)
    entries = tree.entries()
    read = tree.reader(entries)
    path_of = {entry.blob: entry.path for entry in entries}
    catalogue = load_catalogue(entries, lambda blobs: {blob: read(path_of[blob]) for blob in blobs})
    grants = (PurePosixPath(path) for path in path_of.values())
    ids = frozenset(path.stem for path in grants if str(path) == grant_path(path.stem))
    return tree.root, catalogue, ids


def _apply(
    session: Session, setup: Setup, directory: Path, arguments: argparse.Namespace
) -> ExitCode:
    from daypass.adapters.vault.app_key import read_app_key
    from daypass.adapters.vault.install import Outcome, install, prune, removals

    key = read_app_key(arguments.app_key_file) if arguments.app_key_file else None
    named = _commit_of(directory, setup, arguments.trust) if arguments.trust else None
    changes: list[Change] = []

    def tell(steps: Iterable[Change]) -> None:
        for change in steps:
            changes.append(change)
            if arguments.format != "json":
                _show(str(change.outcome), change.title, change.detail)

    if arguments.format != "json":
        for item in removals(session, setup, pruning=arguments.prune):
            _show(str(item.outcome), item.title, item.detail)
    tell(install(session, setup, key))
    tell(prune(session, setup, everything=arguments.prune))
    trusted = _trust(session, setup, directory, named)
    lines = _signers(session, setup)
    if arguments.write_signers:
        write_signers(directory, lines)
    fingerprint = _fingerprint(session, setup)
    if arguments.format == "json":
        output.say_json(
            {
                "changes": [_as_json(item) for item in changes],
                "evidence": {"fingerprint": fingerprint, "allowedSigners": lines},
                "trusted": trusted,
            }
        )
    else:
        _say_keys(setup, fingerprint, lines, trusted)
    left = any(change.outcome is Outcome.LEFT for change in changes)
    return ExitCode.PARTLY if left else ExitCode.DONE


def _commit_of(directory: Path, setup: Setup, revision: str) -> str:
    """The commit that a revision names. Raises GitError if it names none."""
    with wiring.open_repository(directory, setup.settings, None) as repository:
        return repository.resolve(revision)


def _trust(session: Session, setup: Setup, directory: Path, named: str | None) -> str:
    """The commit from which on changes of what decisions rest on must be proven."""
    from daypass.adapters.vault.registry import VaultRegistry

    registry = VaultRegistry(session, setup.settings.vault.kv_mount)
    note = registry.read_note("trust")
    if note is not None and named is None:
        return str(note["commit"])
    branch = f"refs/heads/{setup.settings.github.default_branch}"
    commit = named or _commit_of(directory, setup, branch)
    registry.write_note("trust", {"commit": commit})
    return commit


def _signers(session: Session, setup: Setup) -> list[str]:
    """A line for each version of the evidence key, oldest first: old evidence stays verifiable."""
    from daypass.adapters.vault.transit import public_keys
    from daypass.ledger.allowed_signers import AllowedSigner

    settings = setup.settings
    versions = public_keys(session, settings.vault.transit_mount, settings.evidence.key)
    return [
        AllowedSigner(settings.evidence.email, raw).to_line() for _, raw in sorted(versions.items())
    ]


def _fingerprint(session: Session, setup: Setup) -> str:
    """Of the version that signs. Raises VaultRefusedError if it is not the one in the settings."""
    from daypass.adapters.vault.transit import TransitSigner
    from daypass.ledger.sshsig import fingerprint

    evidence, mount = setup.settings.evidence, setup.settings.vault.transit_mount
    signer = TransitSigner(session, mount, evidence.key, evidence.fingerprint)
    return fingerprint(signer.public_key())


def _say_keys(setup: Setup, fingerprint: str, lines: Iterable[str], trusted: str) -> None:
    output.say()
    output.say(f"The evidence key is {output.styled(fingerprint, 'bold')}")
    if setup.settings.evidence.fingerprint is None:
        output.say(f'  for access/daypass.yaml:  spec.evidence.fingerprint: "{fingerprint}"')
    output.say(f"  for {ALLOWED_SIGNERS_PATH} (`--write-signers` writes it):")
    for line in lines:
        output.say(f"  {line}")
    output.say(f"Changes of what decisions rest on must be proven from {trusted[:12]} on.")


def _show(mark: str, title: str, detail: str) -> None:
    text = output.printable(f"{title}: {detail}" if detail else title)
    output.say(f"{output.styled(f'{mark:<10}', _COLOURS.get(mark, 'red'))} {text}")
