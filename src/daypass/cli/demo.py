"""`daypass demo`: the whole story on this machine, in a minute."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from daypass.cli import output
from daypass.errors import ExitCode, SandboxError

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument(
        "--keep",
        action="store_true",
        help="leave the organisation running after the story, and say how to play in it",
    )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Start an organisation in a box, play the story, leave nothing behind."""
    try:
        from daypass.sandbox.box import Box
        from daypass.sandbox.playground import keep_open
        from daypass.sandbox.stage import Stage
        from daypass.sandbox.story import Story
    except ModuleNotFoundError as error:
        raise SandboxError(
            f"the sandbox is not installed: {error.name} is missing",
            remedy="Install it with its servers: pip install 'daypass[sandbox]'.",
        ) from error
    stage = Stage()
    with tempfile.TemporaryDirectory(prefix="daypass-demo-") as directory:
        stage.step(
            "An organisation in a box",
            "OpenBao, PostgreSQL, and a GitHub look-alike over real git repositories: acme. Vault "
            "trusts the workflows of a control repository, which Alice and Bob cannot write.",
        )
        with Box.create(Path(directory) / "box", control=True) as box:
            box.vault_bootstrap()
            stage.good(
                f"started in {stage.seconds:.1f} s, and `daypass vault apply` laid the "
                "least-privilege set-up into OpenBao"
            )
            Story(box, stage).play()
            output.say()
            output.say(f"The whole story took {stage.seconds:.0f} s.")
            if arguments.keep:
                keep_open(box, stage)
    return ExitCode.DONE
