"""A claimed command gets the locale that its user set, and not the one that Python made of it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CODE = """
import sys
from daypass.adapters import found_locale
from daypass.cli import output
found_locale.remember()
import os
print(os.environ.get("LC_CTYPE"), found_locale.as_found(os.environ).get("LC_CTYPE"))
"""


@pytest.mark.parametrize(
    ("set_to", "told"),
    [
        ({"LANG": "C"}, "C.UTF-8 None"),
        ({"LC_CTYPE": "C"}, "C.UTF-8 C"),
        ({"LC_CTYPE": "C.UTF-8"}, "C.UTF-8 C.UTF-8"),
    ],
)
def test_what_python_made_of_the_locale_is_undone(set_to: dict[str, str], told: str) -> None:
    names = {"LANG", "LC_ALL", "LC_CTYPE", "PYTHONCOERCECLOCALE", "PYTHONUTF8"}
    plain = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=plain | set_to, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == told
