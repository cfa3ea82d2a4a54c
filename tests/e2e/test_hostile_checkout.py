"""Main's files are data to the jobs that hold an identity: none of them ever runs.

`python -m` looks for modules where it is started: a file `venv.py` there would run with the job's
right to log in to Vault.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from support.release import ROOT

if TYPE_CHECKING:
    from pathlib import Path

WORKFLOWS = ("access-reconcile.yml", "access-commands-run.yml", "access-validate.yml")
MODULES = ("venv", "ensurepip", "pip", "runpy", "json", "sitecustomize", "usercustomize")


def scripts(name: str) -> list[str]:
    """What the steps of a workflow run, daypass itself aside."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    return [step["run"] for step in steps if "pip" in step.get("run", "")]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_module_of_the_checkout_is_run(tmp_path: Path, name: str) -> None:
    checkout, marker = tmp_path / "checkout", tmp_path / "it-ran"
    checkout.mkdir()
    (tmp_path / "runner").mkdir()
    (tmp_path / "runner" / "daypass.txt").write_text("")
    payload = f"open({str(marker)!r}, 'a').write(__name__ + '\\n')\n"
    for module in MODULES:
        (checkout / f"{module}.py").write_text(payload)
        (checkout / module).mkdir()
        (checkout / module / "__init__.py").write_text(payload)
        (checkout / module / "__main__.py").write_text(payload)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "RUNNER_TEMP": str(tmp_path / "runner"),
        "DAYPASS_PIN": hashlib.sha256(b"").hexdigest(),
    }
    (script,) = scripts(name)
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        check=False,
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert not marker.exists(), marker.read_text()
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runner" / "daypass" / "bin" / "pip").exists()
