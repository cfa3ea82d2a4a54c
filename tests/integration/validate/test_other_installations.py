"""What one installation of daypass remembers, another does not believe."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from test_validate_command import House, house

from daypass import __version__
from daypass.adapters import installation as installed
from daypass.adapters.installation import installation

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["house"]  # a fixture

POLICY = """\
apiVersion: daypass.dev/v1
kind: AccessPolicy
metadata: {name: hours}
spec:
  description: By day, on the west coast.
  effect: guard
  enforcement: enforce
  match: {}
  limits: {times: {timeZone: US/Pacific, from: "00:00", to: "23:59"}}
  rules:
    - name: night
      expression: now.getHours('Asia/Calcutta') != 3
      message: not at night
"""
PATH = "access/policies/hours.yaml"


def other_database(folder: Path, version: str) -> dict[str, str]:
    """A machine whose package of time zones is another one, which knows fewer."""
    package = folder / "tzdata"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"IANA_VERSION = {version!r}\n" if version else "")
    (package / "zones").write_text("Europe/Zurich\nUTC\n")
    return {"PYTHONPATH": str(folder)}


def test_another_database_of_time_zones_judges_anew(house: House, tmp_path: Path) -> None:
    """A policy that one machine found sound was believed on another, which knew no such zone."""
    house.write(PATH, POLICY)
    assert house.rules() == []
    assert all(kept.exists() for kept in house.memory())
    elsewhere = other_database(tmp_path / "other", "1999z")
    done = house.validate(env=elsewhere)
    assert done.returncode == 3, done.stdout
    assert f"{PATH}:9:30  policy-time-zone" in done.stdout
    assert "the time zone US/Pacific was not found in tzdata 1999z" in done.stdout
    assert f"{PATH}:12:19  policy-time-zone" in done.stdout
    assert house.validate(env=elsewhere).stdout == done.stdout
    assert house.rules() == []


def test_where_the_database_is_missing_the_installation_is_wrong_and_no_document(
    house: House, tmp_path: Path
) -> None:
    house.write(PATH, POLICY)
    assert house.rules() == []
    done = house.validate(env=other_database(tmp_path / "other", ""))
    assert (done.returncode, done.stdout) == (1, "")
    assert "the Python package tzdata is not installed" in done.stderr
    assert "--require-hashes" in done.stderr


@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [
        (sys, "version", "3.99"),
        (installed, "database_version", lambda: "1999z"),
        (installed, "_record", lambda _folder: b"another"),
        (installed, "_distributions", lambda: ["pyyaml-99.dist-info"]),
    ],
    ids=["Python", "time zones", "daypass", "a package"],
)
def test_each_part_of_an_installation_tells_it_from_others(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, value: object
) -> None:
    installation.cache_clear()
    here = installation("policy")
    installation.cache_clear()
    assert installation("policy") == here
    installation.cache_clear()
    monkeypatch.setattr(owner, name, value)
    assert installation("policy") != here
    installation.cache_clear()


def test_packages_are_told_by_their_versions(tmp_path, monkeypatch) -> None:
    (tmp_path / "pyyaml-99.dist-info").mkdir()
    before = installed._distributions()
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path), str(tmp_path / "missing")])
    assert set(installed._distributions()) == {*before, "pyyaml-99.dist-info"}


def test_a_wheel_is_told_by_the_digests_of_its_files(tmp_path: Path) -> None:
    """Two builds of one version can have files of the same size, and of the same time."""
    record = tmp_path / f"daypass-{__version__}.dist-info" / "RECORD"
    record.parent.mkdir()
    found = {installed._record(str(tmp_path))}
    for text in ("daypass/a.py,sha256=1,9\n", "daypass/a.py,sha256=2,9\n"):
        record.write_text(text)
        found.add(installed._record(str(tmp_path)))
    assert len(found) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_somebody_else_left_is_not_believed(house: House) -> None:
    house.request("a")
    assert house.rules() == []
    house.write("access/requests/b.yaml", "{")
    for kept in house.memory():
        subprocess.run(["chown", "65534", str(kept)], check=True)
    assert [rule for rule, _ in house.rules()] == ["yaml-syntax"]
    assert {kept.stat().st_uid for kept in house.memory()} <= {0, 65534}
