"""`daypass init`: lay access/, schemas/ and the workflows into a repository."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import yaml

from daypass.adapters.git.process import Git
from daypass.cli import init_control, init_files, init_next, output, remote_url, wiring
from daypass.cli.remotes import ORIGIN
from daypass.documents.document import read_document
from daypass.documents.resources import SCHEMA_FILES
from daypass.errors import ExitCode, ForgeRefusedError, ForgeUnavailableError, UsageError
from daypass.model.names import API_VERSION, FOLDERS, SETTINGS_PATH, Kind, is_name
from daypass.model.settings import ControlSettings, Settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from pathlib import Path

    from daypass.adapters.github.introduction import Introduction, Named

_GITHUB: Final = "https://github.com"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags."""
    parser.add_argument(
        "--upgrade",
        action="store_true",
        help="only bring schemas and workflows up to this release, over what lies there",
    )
    parser.add_argument(
        "--app", metavar="SLUG", help="the GitHub App, as its page's address has it"
    )
    parser.add_argument("--app-id", metavar="N", type=int, help="its id, on its settings page")
    parser.add_argument(
        "--installation-id",
        metavar="N",
        type=int,
        help="the last part of the address of its installation's page",
    )
    parser.add_argument("--vault", metavar="URL", help="the address of Vault or OpenBao")
    parser.add_argument(
        "--owners",
        metavar="TEAM",
        help="the GitHub team whose members approve changes of policies, resources and settings",
    )
    parser.add_argument(
        "--repository", metavar="OWNER/NAME", help="the repository (default: that of `origin`)"
    )
    parser.add_argument(
        "--control",
        metavar="OWNER/NAME",
        help="the control repository: it holds the privileged workflows, which requesters cannot "
        "write there (default: none, the small set-up)",
    )
    parser.add_argument(
        "--control-id",
        metavar="N",
        type=int,
        help="its id, where GitHub does not show it to you (default: GitHub is asked)",
    )
    parser.add_argument(
        "--control-branch", metavar="NAME", help="its protected branch (default: its own)"
    )
    parser.add_argument(
        "--control-directory",
        metavar="DIR",
        help="the top of a clone of it, to lay the privileged workflows into; with --upgrade too",
    )
    parser.add_argument(
        init_control.REPLACE,
        action="store_true",
        help="with --upgrade and --control-directory: write Vault's address, audience and "
        "authorities as the settings here have them, where the workflows there say others",
    )
    parser.add_argument("--server-url", metavar="URL", help="of GitHub (default: that of `origin`)")
    parser.add_argument(
        "--api-url", metavar="URL", help="of GitHub's API (default: what belongs to the server)"
    )


def run(arguments: argparse.Namespace) -> ExitCode:
    """Write what is missing. What lies there already, and says otherwise, stops it before."""
    git = Git(wiring.directory_of(arguments.directory))
    root = git.directory / git.run("rev-parse", "--show-toplevel").decode().strip()
    if arguments.upgrade:
        return _upgrade(root, arguments)
    _complete(arguments)
    server, name = _place(arguments, git)
    known = _known(arguments, server, name)
    control = _control(arguments, server)
    documents = _documents(arguments, server, known, control)
    settings = read_document(SETTINGS_PATH, documents[SETTINGS_PATH]).model
    assert isinstance(settings, Settings)  # noqa: S101  -- written above, and read as such
    files = {
        **documents,
        **_kept(),
        **init_files.governed_files(root, settings),
        **init_files.code_owners(root, settings),
    }
    _stop_at(init_files.differing(root, files))
    part = _part(root, settings, arguments)
    if part is not None and init_files.differing(part.directory, part.files):
        raise UsageError(
            f"the workflows in {part.directory} are of another release, or were edited",
            remedy="Nothing was written. Leave out --control-directory; afterwards `daypass init "
            f"--upgrade --control-directory {part.directory}` brings them up to date.",
        )
    _lay(root, files, part)
    init_next.say(root, settings, part)
    return ExitCode.DONE


def _upgrade(root: Path, arguments: argparse.Namespace) -> ExitCode:
    """Bring schemas and workflows up to this release, in the set-up that the settings name."""
    settings = init_files.settings_there(root)
    files = init_files.governed_files(root, settings)
    _stop_at([path for path in files if init_files.leads_away(root, path)])
    _lay(root, files, _part(root, settings, arguments))
    output.say("Commit them by a pull request of their own; `daypass validate` reads them.")
    if left := init_files.no_longer_needed(root, settings):
        output.say("The control repository has these now, so here:")
        for path in left:
            output.say(f"  git rm {path}")
    return ExitCode.DONE


def _part(
    root: Path, settings: Settings, arguments: argparse.Namespace
) -> init_control.ControlPart | None:
    """The control repository's part, if a checkout of it is named."""
    if arguments.replace_values and not (arguments.upgrade and arguments.control_directory):
        raise UsageError(
            f"{init_control.REPLACE} is for an upgrade of a control repository",
            remedy="Say --upgrade and --control-directory too, or leave it out.",
        )
    if arguments.control_directory is None:
        return None
    directory = wiring.directory_of(arguments.control_directory)
    part = init_control.control_part(root, settings, directory, replace=arguments.replace_values)
    _stop_at([path for path in part.files if init_files.leads_away(directory, path)])
    return part


def _lay(root: Path, files: dict[str, bytes], part: init_control.ControlPart | None) -> None:
    """Write both repositories' files."""
    if part is not None:
        init_files.write(part.directory, part.files)
        part.say()
    init_files.write(root, files)
    output.say(f"laid {len(files)} files into {root}")


def _complete(arguments: argparse.Namespace) -> None:
    wanted = ("app", "app_id", "installation_id", "vault", "owners")
    missing = [f"--{name.replace('_', '-')}" for name in wanted if getattr(arguments, name) is None]
    if missing:
        raise UsageError(
            f"what only you can know is missing: {', '.join(missing)}",
            remedy="Make the GitHub App first: the README says with which permissions. "
            "`daypass init --help` tells where each value is found.",
        )
    if not is_name(arguments.owners):
        raise UsageError(
            f"{output.printable(arguments.owners)} is no slug of a team",
            remedy="Name the team as its page's address does: lower case, digits and dashes.",
        )


def _control(arguments: argparse.Namespace, server: str) -> ControlSettings | None:
    """The control repository that is asked for. Without its id, GitHub is asked."""
    name, number = arguments.control, arguments.control_id
    if name is None:
        if number is not None or arguments.control_branch or arguments.control_directory:
            raise UsageError(
                "which repository is the control repository is not said",
                remedy="Name it: `--control OWNER/NAME`.",
            )
        return None
    if not remote_url.is_full_name(name):
        raise UsageError(
            f"{output.printable(name)} is no repository's name", remedy="Write OWNER/NAME."
        )
    branch = arguments.control_branch
    found = _named(arguments, server)
    if found is None:
        return ControlSettings(name, number, branch or "main")
    return ControlSettings(found.full_name, found.id, branch or found.default_branch)


def _named(arguments: argparse.Namespace, server: str) -> Named | None:
    """The control repository as GitHub knows it; None if only its id is known.

    Raises:
        UsageError: GitHub shows another repository by that name.
        ForgeUnavailableError, ForgeRefusedError: it shows none, and no id is given either.
    """
    from daypass.adapters.github.introduction import look_up

    name, number = arguments.control, arguments.control_id
    try:
        found = look_up(arguments.api_url or _api_of(server), wiring.asking_token(server), name)
    except (ForgeRefusedError, ForgeUnavailableError) as error:
        if number is None:
            raise type(error)(
                error.message,
                remedy=f"Create {name}, or correct --control. If GitHub does not show it to you, "
                f"ask its owner for its id (`gh api repos/{name} --jq .id`) and say --control-id.",
            ) from None
        output.note(f"That {name} is repository {number} is not proven: {error.message}.")
        output.note("`daypass vault doctor` compares it.")
        return None
    if number is not None and number != found.id:
        raise UsageError(
            f"{name} is repository {found.id} at GitHub, and --control-id says {number}",
            remedy="Leave out --control-id, or correct --control.",
        )
    return found


def _place(arguments: argparse.Namespace, git: Git) -> tuple[str, str]:
    """GitHub's server and `owner/name`, from the flags or from `origin`."""
    server, name = arguments.server_url, arguments.repository
    if server is None or name is None:
        done = git.try_run("remote", "get-url", ORIGIN)
        found = remote_url.read(done.stdout.decode().strip()) if done.returncode == 0 else None
        if found is None:
            raise UsageError(
                f"where the repository lies is not known: there is no remote `{ORIGIN}` of "
                "GitHub's form",
                remedy="Say --server-url and --repository, or add the remote.",
            )
        server, name = server or found.server, name or found.name
    if not remote_url.is_full_name(name):
        raise UsageError(
            f"{output.printable(name)} is no repository's name", remedy="Write OWNER/NAME."
        )
    return server.rstrip("/"), name


def _known(arguments: argparse.Namespace, server: str, name: str) -> Introduction:
    from daypass.adapters.github.introduction import introduce

    api_url = arguments.api_url or _api_of(server)
    return introduce(api_url, wiring.asking_token(server), name, arguments.app, arguments.owners)


def _api_of(server: str) -> str:
    return "https://api.github.com" if server == _GITHUB else f"{server}/api/v3"


def _documents(
    arguments: argparse.Namespace,
    server: str,
    known: Introduction,
    control: ControlSettings | None,
) -> dict[str, bytes]:
    """The settings, and whoever runs this as the first identity. Raises DocumentError."""
    team = arguments.owners
    settings = {
        "github": {
            "owner": known.owner,
            "ownerId": known.owner_id,
            "repository": known.repository,
            "repositoryId": known.repository_id,
            "appId": arguments.app_id,
            "appUserId": known.app_user_id,
            "installationId": arguments.installation_id,
            **_addresses(arguments, server),
            "defaultBranch": known.default_branch,
        },
        **({} if control is None else {"control": asdict(control)}),
        "vault": {"address": arguments.vault, "audience": arguments.vault},
        "evidence": {
            "email": f"{known.app_user_id}+{arguments.app}[bot]@users.noreply."
            f"{urlsplit(server).hostname}"
        },
        "groups": {team: [f"team:{team}"]},
        "teams": {team: known.owners.id},
        "foundation": {"owners": [team]},
    }
    files = {SETTINGS_PATH: _document(Kind.SETTINGS, "daypass", settings)}
    me = known.myself
    name = me.login.lower() if me is not None else ""
    if me is not None and is_name(name):
        human = {"type": "human", "status": "active", "github": {"id": me.id, "login": me.login}}
        files[f"access/identities/{name}.yaml"] = _document(Kind.IDENTITY, name, human)
    for path, content in files.items():
        read_document(path, content)  # what a flag got wrong is told as in any document
    return files


def _addresses(arguments: argparse.Namespace, server: str) -> dict[str, str]:
    """Of a GitHub Enterprise Server; github.com is what is meant without them."""
    if server == _GITHUB:
        return {}
    return {
        "apiUrl": arguments.api_url or _api_of(server),
        "serverUrl": server,
        "oidcIssuer": f"{server}/_services/token",
    }


def _document(kind: Kind, name: str, spec: Mapping[str, Any]) -> bytes:
    depth = "../schemas" if kind is Kind.SETTINGS else "../../schemas"
    value = {
        "apiVersion": API_VERSION,
        "kind": str(kind),
        "metadata": {"name": name},
        "spec": dict(spec),
    }
    head = f"# yaml-language-server: $schema={depth}/{SCHEMA_FILES[kind]}\n"
    return (head + yaml.safe_dump(value, sort_keys=False, allow_unicode=True)).encode()


def _kept() -> dict[str, bytes]:
    """The folders, which git keeps only with something in them."""
    return {f"{folder}/.gitkeep": b"" for folder in FOLDERS}


def _stop_at(differing: list[str]) -> None:
    if differing:
        raise UsageError(
            f"{', '.join(differing)}: there already, and not what would be laid there",
            remedy="Nothing was written. Move them away, or edit them by hand; schemas and "
            "workflows alone are brought up to date by `daypass init --upgrade`.",
        )
