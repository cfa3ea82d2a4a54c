"""Workflows as they are laid in: what is literal, what is called, and which releases are taken."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from daypass.documents.workflows import (
    PRIVILEGED,
    Literals,
    control_workflows,
    governed_workflows,
    literals_of,
    pins_of,
)
from daypass.errors import UsageError
from daypass.model.settings import ControlSettings

if TYPE_CHECKING:
    from pathlib import Path

CONTROL = ControlSettings("acme/access-control", 7, "release")
RELEASE = b"daypass==1 --hash=sha256:0\n"
PIN, OTHER = hashlib.sha256(RELEASE).hexdigest(), "f" * 64
KNOWN = Literals((OTHER, PIN), "https://vault.example.com:8200", "an-audience", "a" * 64)


def jobs(content: bytes) -> list[dict[str, Any]]:
    return list(yaml.safe_load(content)["jobs"].values())


def test_on_main_the_small_set_up_is_this_releases_own_files() -> None:
    made = governed_workflows("main")
    assert set(PRIVILEGED) < set(made)
    for path in PRIVILEGED:
        (job,) = jobs(made[path])
        assert job["environment"] == "daypass"
        assert job["env"]["DAYPASS_PIN"] == "${{ vars.DAYPASS_PIN }}"


def test_a_control_repositorys_files_read_no_variable_and_name_no_environment() -> None:
    made = control_workflows(CONTROL, KNOWN)
    assert set(made) == set(PRIVILEGED)
    for path, content in made.items():
        assert not re.search(rb"\bvars\b|\binputs\b|\bsecrets\b", content)
        (job,) = jobs(content)
        assert "environment" not in job
        assert job["env"] == {
            "DAYPASS_PIN": f"{OTHER} {PIN}",
            "DAYPASS_VAULT_ADDRESS": "https://vault.example.com:8200",
            "DAYPASS_VAULT_AUDIENCE": "an-audience",
            "DAYPASS_VAULT_CA": "a" * 64,
        }
        assert pins_of(content) == (OTHER, PIN), path


def test_callers_name_its_branch_and_pass_nothing() -> None:
    made = governed_workflows("trunk", CONTROL, PIN)
    assert not set(PRIVILEGED) & set(made)
    calls = [job for content in made.values() for job in jobs(content) if "uses" in job]
    assert {job["uses"] for job in calls} == {
        f"acme/access-control/{x}@release" for x in PRIVILEGED
    }
    for job in calls:
        assert not {"with", "secrets"} & set(job)
        assert job["permissions"] == {"contents": "read", "id-token": "write"}


@pytest.mark.parametrize("branch", ["trunk", "on", "1e3", "main"])
@pytest.mark.parametrize("control", [None, CONTROL])
def test_they_start_on_the_default_branch(branch: str, control: ControlSettings | None) -> None:
    made = governed_workflows(branch, control)
    apply = yaml.safe_load(made[".github/workflows/access-apply.yml"])
    assert apply[True]["push"] == {"branches": [branch]}
    named = [path for path, text in made.items() if re.search(rb"\bmain\b", text)]
    assert branch == "main" or not named, "nor do the comments speak of another one"


def test_what_a_control_repositorys_file_says_is_read_back() -> None:
    odd = Literals((), 'https://x.example/"\\', "", "")
    for known in (KNOWN, odd):
        for content in control_workflows(CONTROL, known).values():
            assert literals_of(content) == known.variables()
    own = governed_workflows("main")[PRIVILEGED[0]]
    assert literals_of(own)["DAYPASS_VAULT_CA"] == "${{ vars.DAYPASS_VAULT_CA }}"
    assert pins_of(own) == ()


@pytest.mark.parametrize("audience", ["${{github.token}}", "ä"])
def test_what_github_would_read_as_an_expression_is_no_literal(audience: str) -> None:
    known = Literals((PIN,), "https://vault.example.com", audience, "")
    with pytest.raises(UsageError):
        control_workflows(CONTROL, known)


@pytest.mark.parametrize(
    ("pins", "taken"),
    [
        (PIN, True),
        (f"{OTHER} {PIN}", True),
        (f"{PIN} {OTHER}", True),
        (OTHER, False),
        (f"{OTHER} {OTHER}", False),
        (f"{OTHER} {OTHER} {PIN}", False),
        (f"{PIN} {OTHER} {OTHER}", False),
        ("", False),
        ("*", False),
        (PIN[:40], False),
    ],
)
def test_one_of_two_pins_is_enough_and_nothing_else_is(
    tmp_path: Path, pins: str, taken: bool
) -> None:
    (tmp_path / "daypass.txt").write_bytes(RELEASE)
    found = 0
    for content in governed_workflows("main").values():
        for step in (step for job in jobs(content) for step in job.get("steps", ())):
            check, mark, _ = step.get("run", "").partition("# -I:")
            if not mark or "DAYPASS_PIN" not in check:
                continue
            found += 1
            environment = {
                "PATH": os.environ["PATH"],
                "RUNNER_TEMP": str(tmp_path),
                "DAYPASS_PIN": pins,
            }
            done = subprocess.run(
                ["bash", "-e", "-c", check], env=environment, check=False, capture_output=True
            )
            assert (done.returncode == 0) is taken
            assert taken or b"::error::.github/daypass.txt" in done.stdout
    assert found == 3
