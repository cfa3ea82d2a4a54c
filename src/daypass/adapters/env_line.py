"""The program that `#!/usr/bin/env …` starts, by the rules of GNU env and of its `-S`."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from typing import Final

_SPLIT: Final = re.compile(r"(-[iv0]*)S\s*(.*)|--split-string[= ](.*)", re.DOTALL)
_FLAGS: Final = re.compile(
    r"-[iv0]*|--(ignore-environment|null|debug|list-signal-handling)"
    r"|--(block|default|ignore)-signal(=.*)?|--(unset|chdir|argv0)=.*|-[uCa].+"
)
_WITH_VALUE: Final = frozenset({"-u", "--unset", "-C", "--chdir", "-a", "--argv0"})


@dataclass(frozen=True, slots=True)
class Started:
    """A program's name, and the PATH in which env looks for it; None is this process's."""

    name: str
    path: str | None


class EnvLineError(ValueError):
    """What env refuses; its text says why."""


def started_by(rest: str) -> Started | None:
    """Return what env starts, of the line after its own name; None where that cannot be told.

    Raises EnvLineError: env refuses that line.
    """
    rest = rest.strip()
    if not rest.startswith("-"):
        # Without -S the kernel hands over all of it as one word.
        return Started(rest, None) if rest and "=" not in rest else None
    split = _SPLIT.fullmatch(rest)
    if split is None:
        if re.search(r"\s", rest):
            raise EnvLineError("env takes more than one word there only with -S")
        return None
    try:
        words = shlex.split(split[2] if split[3] is None else split[3])
    except ValueError:
        return None  # env has rules of its own
    return _first_program([*([split[1]] if split[1] and split[1] != "-" else []), *words])


def _first_program(words: list[str]) -> Started | None:
    path: str | None = None
    elsewhere = False  # env changes the folder first
    while words:
        word = words.pop(0)
        if word in _WITH_VALUE:
            value = words.pop(0) if words else ""
        else:
            value = word.partition("=")[2] or word[2:]
        if word.startswith(("-C", "--chdir")):
            elsewhere = True
        elif word.startswith(("-u", "--unset")):
            path = os.defpath if value == "PATH" else path
        elif word in {"-", "--ignore-environment"} or re.fullmatch(r"-[v0]*i[iv0]*", word):
            path = os.defpath
        elif word == "--" or _FLAGS.fullmatch(word) or word in _WITH_VALUE:
            continue
        elif word.startswith("-"):
            return None
        elif "=" in word:
            path = value if word.startswith("PATH=") else path
        else:
            return None if elsewhere and os.sep in word else Started(word, path)
    return None
