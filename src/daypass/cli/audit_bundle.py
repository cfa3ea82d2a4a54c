"""`daypass audit bundle`: all of main in one file for an archive, whole or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from daypass.cli import output
from daypass.cli.audit_words import add_outside, check_outside, demand_free, judged
from daypass.errors import EvidenceError, ExitCode, GitError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from daypass.adapters.git import GitRepository
    from daypass.adapters.new_file import NewFile
    from daypass.ledger.verify import Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `audit bundle`."""
    parser.add_argument(
        "file",
        metavar="FILE",
        type=Path,
        help="the bundle; FILE.sha256 and, with --sign, FILE.sig are written beside it",
    )
    parser.add_argument(
        "--sign",
        action="store_true",
        help="have the evidence key sign it, in Vault (an operator's token, or a job's identity)",
    )
    add_outside(parser)
    output.add_format(parser)


def run(repository: GitRepository, head: str, words: argparse.Namespace) -> ExitCode:
    """Write the bundle, or nothing.

    Raises:
        UsageError: one of the files is there already, or its folder is not.
        EvidenceError: the evidence does not hold: an archive would pass for what it is not.
        GitError: the clone is not complete.
    """
    from daypass.cli import wiring
    from daypass.ledger.verify import Verdict

    check_outside(words)
    target: Path = words.file
    beside = {ending: target.with_name(target.name + ending) for ending in (".sha256", ".sig")}
    _assert_free(target, *beside.values())
    found = judged(repository, head, words)
    if found.verdict is Verdict.BROKEN:
        raise EvidenceError(
            f"the evidence up to {head[:12]} does not hold: it has "
            f"{len(found.open_faults)} open fault(s), and is not archived as if it were whole",
            remedy="Run `daypass audit verify`. Faults that are known are passed over with "
            "--anchor; to keep a copy as it is, use `git bundle create`.",
        )
    directory = wiring.directory_of(words.directory)
    sha256, signer = _write(directory, head, target, beside, sign=words.sign)
    _show(found, target, sha256, signer, words.format)
    return ExitCode.DONE


def _write(
    directory: Path, head: str, target: Path, beside: dict[str, Path], *, sign: bool
) -> tuple[str, str | None]:
    """The three files; returns the SHA-256 in hex, and the fingerprint of the key that signed."""
    from daypass.adapters.git.bundling import write_bundle
    from daypass.cli import wiring

    branch = wiring.main_branch(directory)
    with _all_or_nothing(target, beside[".sha256"], *([beside[".sig"]] if sign else [])) as files:
        digests = write_bundle(directory, head, branch, files[target].add)
        sha256 = digests[b"sha256"].hex()
        files[beside[".sha256"]].write(f"{sha256}  {target.name}\n".encode())
        if not sign:
            return sha256, None
        armoured, signer = _signed(directory, digests)
        files[beside[".sig"]].write(armoured)
        return sha256, signer


def _signed(directory: Path, digests: dict[bytes, bytes]) -> tuple[bytes, str]:
    """An SSHSIG signature in the namespace `file`, and the fingerprint of its key."""
    from daypass.cli.evidence_signer import evidence_signer
    from daypass.ledger import sshsig

    with evidence_signer(directory) as signer:
        key = signer.public_key()
        signature = signer.sign(sshsig.digest_to_sign(digests[b"sha512"]))
    armoured = sshsig.armoured_signature(key, signature, sshsig.FILE_NAMESPACE)
    try:
        sshsig.verified_file_key(armoured, digests)
    except ValueError as error:
        raise EvidenceError(
            f"what Vault gave does not verify: {error}",
            remedy="Run `daypass vault doctor`: it compares the keys with access/daypass.yaml.",
        ) from error
    return armoured, sshsig.fingerprint(key)


def _assert_free(target: Path, *beside: Path) -> None:
    if not target.parent.is_dir():
        raise UsageError(
            f"there is no folder {output.printable(str(target.parent))}",
            remedy="Make it, or name another file.",
        )
    demand_free(
        "An archive is never written over: name another file, such as one with the date, or move "
        "the old one away.",
        target,
        *beside,
    )


@contextmanager
def _all_or_nothing(*paths: Path) -> Iterator[dict[Path, NewFile]]:
    """New files that appear together, once the block has written them, or not at all."""
    from daypass.adapters.new_file import PUBLIC, NewFile

    files: dict[Path, NewFile] = {}
    appeared: list[Path] = []
    try:
        for path in paths:
            files[path] = NewFile.create(path, mode=PUBLIC)
        yield files
        for path, file in files.items():
            file.appear()
            appeared.append(path)
    except BaseException as error:
        for path in appeared:
            path.unlink(missing_ok=True)
        for file in files.values():
            file.discard()
        if isinstance(error, OSError):
            raise GitError(
                f"the bundle cannot be written: {error.strerror}",
                remedy="Free space, or name a folder that can be written to. Nothing was left.",
            ) from error
        raise


def _show(found: Report, target: Path, sha256: str, signer: str | None, form: str) -> None:
    if form == "json":
        output.say_json(
            {
                "bundle": str(target),
                "sha256": sha256,
                "signedBy": signer,
                "head": found.head,
                "commits": found.commits,
                "events": found.events,
                "verdict": str(found.verdict),
            }
        )
        return
    output.say(
        f"{output.printable(str(target))}: {found.events} events in {found.commits} commits up to "
        f"{found.head}"
    )
    output.say(f"the evidence is {found.verdict}")
    output.say(f"sha256 {sha256}")
    if signer is not None:
        output.say(f"signed by {signer}")
    else:
        output.say(
            output.styled("unsigned", "yellow")
            + ": the checksum tells damage, not forgery. --sign has the evidence key sign it."
        )
