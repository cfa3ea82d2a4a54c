"""`daypass vault`: the least-privilege set-up of Vault, and what an operator says to it."""

from __future__ import annotations

import argparse
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daypass.cli import output, vault_loss, vault_rotate, wiring
from daypass.cli.evidence_files import write_signers
from daypass.cli.interrupts import noted_interrupts
from daypass.errors import DaypassError, ExitCode, IndeterminateError, UsageError
from daypass.model.names import ALLOWED_SIGNERS_PATH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from daypass.adapters.vault.install import Change
    from daypass.adapters.vault.session import Session
    from daypass.adapters.vault.steps import Setup
    from daypass.cli.proven_documents import Documents

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
        help="lay it in: idempotent; an operator runs it, with BAO_TOKEN, VAULT_TOKEN or after "
        "`bao login`",
    )
    _add_apply_arguments(apply)
    doctor = verbs.add_parser("doctor", help="compare Vault with access/, and say what to mend")
    doctor.add_argument(
        "--try",
        dest="trying",
        action="store_true",
        help="also make, use, end and look for one throw-away credential of each role, with your "
        "own token",
    )
    sql = verbs.add_parser("sql", help="print daypass's SQL for PostgreSQL, for `bao write PATH -`")
    _add_sql_arguments(sql)
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


def _add_apply_arguments(apply: argparse.ArgumentParser) -> None:
    apply.add_argument(
        "--app-key-file",
        metavar="PEM",
        type=Path,
        help="import the GitHub App's private key from this file; delete the file afterwards",
    )
    apply.add_argument(
        "--dry-run",
        "--plan",
        dest="dry_run",
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
        "--accept-unproven",
        metavar="COMMIT",
        help="lay in what main holds at this commit, its head, although it is not proven that "
        "owners of the foundation approved it; look at `--dry-run` first. It does not move the "
        "trusted commit",
    )
    apply.add_argument(
        "--write-signers",
        action="store_true",
        help=f"write the evidence key into {ALLOWED_SIGNERS_PATH}, to be committed",
    )


def _add_sql_arguments(sql: argparse.ArgumentParser) -> None:
    sql.add_argument("statements", choices=("creation", "revocation", "look"))
    sql.add_argument("--group", metavar="ROLE", help="creation: whose rights the log-in is lent")
    sql.add_argument(
        "--connection", metavar="NAME", help="look: which connection of the engine it looks at"
    )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Do it. Errors that reach a person are DaypassErrors."""
    if arguments.subverb == "sql":
        from daypass.cli.vault_sql import print_sql

        return print_sql(arguments)
    from daypass.adapters.vault.setup import desired_by
    from daypass.cli.proven_documents import Checkout, documents_in_force

    checkout = Checkout.read(arguments.directory)
    directory, settings = checkout.root, checkout.catalogue.settings
    if arguments.subverb == "render":
        from daypass.adapters.vault.render import render

        output.say_text(render(desired_by(checkout.catalogue)).rstrip("\n"))
        return ExitCode.DONE

    with wiring.operator(directory, settings) as session:
        if arguments.subverb == "rotate-evidence":
            return vault_rotate.run(session, settings, directory, arguments)
        if arguments.subverb == "accept-loss":
            return vault_loss.run(session, settings, directory, arguments)
        if arguments.subverb == "doctor":
            from daypass.cli.vault_doctor import doctor

            documents = documents_in_force(session, checkout)
            return doctor(session, documents, arguments.format, trying=arguments.trying)
        from daypass.adapters.vault.neighbours import refuse_neighbours

        documents = documents_in_force(session, checkout, arguments.trust)
        setup = desired_by(documents.catalogue)
        refuse_neighbours(session, setup, pruning=arguments.prune)
        act = _plan if arguments.dry_run else _apply
        return act(session, setup, documents, directory, arguments)


def _plan(
    session: Session,
    setup: Setup,
    documents: Documents,
    _directory: Path,
    arguments: argparse.Namespace,
) -> ExitCode:
    """Show what `apply` would do. Raises what `_demand_proven` raises, after that."""
    from daypass.adapters.vault.install import plan

    changes = tuple(plan(session, setup, pruning=arguments.prune))
    if arguments.format == "json":
        output.say_json(
            {"settings": _told(documents), "plan": [_as_json(item) for item in changes]}
        )
    else:
        _note(documents)
        for item in changes:
            _show(str(item.outcome), item.title, item.detail)
        if not changes:
            output.say("nothing to do: Vault is as access/ asks")
    _demand_proven(documents, arguments.accept_unproven)
    return ExitCode.DONE


def _demand_proven(documents: Documents, accepted: str | None) -> None:
    """Refuse what is not proven, unless the operator names the very commit.

    Raises:
        IndeterminateError: it is not proven.
        UsageError: another commit is accepted than main's head.
    """
    commit = documents.commit
    if accepted is not None and (commit is None or not vault_loss.is_named(commit, accepted)):
        raise UsageError(
            f"{accepted} is not the commit that would be laid in: that is {commit or 'none yet'}",
            remedy="Look at `daypass vault apply --dry-run`, and name the head of main that it "
            "tells.",
        )
    if documents.unproven and accepted is None:
        raise IndeterminateError(
            f"main at {str(commit)[:12]} is not proven, and is not laid in: {documents.unproven}",
            remedy="Look at what it would change: `daypass vault apply --dry-run`. If all of that "
            f"is meant, add `--accept-unproven {commit}`: it changes Vault, and not what is "
            "trusted.",
        )


def _told(documents: Documents) -> dict[str, str | None]:
    """For programs: which settings are acted by."""
    return {"commit": documents.commit, "unproven": documents.unproven or None}


def _note(documents: Documents) -> None:
    if documents.sentence:
        output.note(output.printable(documents.sentence))


def _as_json(change: Change) -> dict[str, str]:
    return {"outcome": str(change.outcome), "what": change.title, "detail": change.detail}


def _apply(
    session: Session,
    setup: Setup,
    documents: Documents,
    directory: Path,
    arguments: argparse.Namespace,
) -> ExitCode:
    from daypass.adapters.vault.app_key import read_app_key
    from daypass.adapters.vault.install import Outcome, install, prune, removals

    key = read_app_key(arguments.app_key_file) if arguments.app_key_file else None
    _demand_proven(documents, arguments.accept_unproven)
    trusted = _to_trust(directory, documents, arguments.trust)
    if arguments.format != "json":
        _note(documents)
        for item in removals(session, setup, pruning=arguments.prune):
            _show(str(item.outcome), item.title, item.detail)
    changes: list[Change] = []
    try:
        with noted_interrupts() as stop:
            steps = chain(
                install(session, setup, key, stop),
                prune(session, setup, everything=arguments.prune, stop=stop),
            )
            _tell(steps, changes, arguments.format)
        _trust(session, setup, trusted, moved=arguments.trust is not None)
        lines = _signers(session, setup)
        if arguments.write_signers:
            write_signers(directory, lines)
        fingerprint = _fingerprint(session, setup)
    except (DaypassError, KeyboardInterrupt):
        if arguments.format == "json":  # what was done, although not all was
            output.say_json(_done(documents, changes))
        raise
    if arguments.format == "json":
        output.say_json(
            {
                **_done(documents, changes),
                "evidence": {"fingerprint": fingerprint, "allowedSigners": lines},
                "trusted": trusted,
            }
        )
    else:
        _say_keys(setup, fingerprint, lines, trusted)
    left = any(change.outcome is Outcome.LEFT for change in changes)
    return ExitCode.PARTLY if left else ExitCode.DONE


def _tell(steps: Iterable[Change], changes: list[Change], form: str) -> None:
    """Says what is done as it is done, to programs at the end, and keeps it in `changes`."""
    from daypass.adapters.vault.install import Outcome

    for change in steps:
        if change.outcome is not Outcome.UPDATE:  # announced only
            changes.append(change)
        if form != "json":
            _show(str(change.outcome), change.title, change.detail)


def _done(documents: Documents, changes: Iterable[Change]) -> dict[str, object]:
    """For programs: what was done, by which settings."""
    return {"settings": _told(documents), "changes": [_as_json(item) for item in changes]}


def _to_trust(directory: Path, documents: Documents, revision: str | None) -> str:
    """The commit from which on changes of what decisions rest on must be proven.

    At the first set-up it is the default branch's head, unless a revision is named.
    Raises GitError if there is no such commit.
    """
    if documents.trusted is not None:
        return documents.trusted
    settings = documents.catalogue.settings
    branch = f"refs/heads/{settings.github.default_branch}"
    with wiring.person_repository(directory, settings) as repository:
        return repository.resolve(revision or branch)


def _trust(session: Session, setup: Setup, commit: str, *, moved: bool) -> None:
    """Note the trusted commit where there is none, or the operator moves it."""
    from daypass.adapters.vault.registry import VaultRegistry
    from daypass.lifecycle.foundation import TRUST, TRUST_NOTE

    registry = VaultRegistry(session, setup.settings.vault.kv_mount)
    if moved or TRUST.read_strictly(registry) is None:
        registry.write_note(TRUST_NOTE, {"commit": commit})


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
