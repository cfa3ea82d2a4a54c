"""The control repository in the settings: absent in the small set-up, never the governed one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from daypass.documents.document import read_document
from daypass.errors import DocumentError
from daypass.model.settings import ControlSettings, Settings

PATH = "access/daypass.yaml"
ROOT = Path(__file__).parents[3]


def read(control: dict[str, object] | None) -> ControlSettings | None:
    value = yaml.safe_load((ROOT / PATH).read_text())
    if control is not None:
        value["spec"]["control"] = control
    model = read_document(PATH, yaml.safe_dump(value).encode()).model
    assert isinstance(model, Settings)
    return model.control


def test_without_it_the_set_up_is_the_small_one() -> None:
    assert read(None) is None


def test_it_is_named_by_name_and_id() -> None:
    found = read({"repository": "example/access-control", "id": 7, "branch": "trunk"})
    assert found == ControlSettings("example/access-control", 7, "trunk")
    assert read({"repository": "example/access-control", "id": 7}) == ControlSettings(
        "example/access-control", 7, "main"
    )


@pytest.mark.parametrize(
    "control",
    [
        {"repository": "example/access-control"},
        {"id": 7},
        {"repository": "access-control", "id": 7},
        {"repository": "example/a@refs/heads/x", "id": 7},
        {"repository": "example/..", "id": 7},
        {"repository": "example/access-control", "id": "7"},
        {"repository": "example/access-control", "id": 7, "branch": "a*"},
        {"repository": "Example/Daypass", "id": 7},  # GitHub's names differ by no case
        {"repository": "example/access-control", "id": 900000200},
    ],
)
def test_what_could_be_another_place_is_refused(control: dict[str, object]) -> None:
    with pytest.raises(DocumentError):
        read(control)
