"""The playground: the box stays up after the story, and whoever watches can be Alice or Bob."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daypass.sandbox.postgres import program

if TYPE_CHECKING:
    from daypass.sandbox.box import Box
    from daypass.sandbox.person import Person
    from daypass.sandbox.stage import Stage

_EVERY_SECONDS: Final = 5
_FUNCTIONS: Final = r"""
call() { curl -sS --fail-with-body -H "Authorization: Bearer $GH_TOKEN" "$@"; }
propose() {
  git switch -q -c "$1" && git add -A && git commit -q -m "Ask: $1" && git push -q origin HEAD &&
  call -X POST "$API/pulls" -d "{\"title\":\"Ask: $1\",\"head\":\"$1\",\"base\":\"main\"}" |
    sed -n 's/.*"number": *\([0-9]*\).*/pull request #\1/p' | head -n 1
  git switch -q main
}
approve() {
  call -X POST "$API/pulls/$1/reviews" -d '{"event":"APPROVE"}' >/dev/null && echo approved
}
merge() {
  call -X PUT "$API/pulls/$1/merge" -d '{"merge_method":"squash"}' >/dev/null && echo merged
}
"""


def keep_open(box: Box, stage: Stage) -> None:
    """Play the schedule until Ctrl-C. What the bot does is shown."""
    alice, bob = (_write_shell(box, box.person(name)) for name in ("alice", "bob"))
    stage.step("The box stays up. In other terminals, be Alice and Bob:")
    stage.show(
        f"""
. {alice}
git pull -q; git log --oneline -5; daypass status; daypass audit log
mkdir -p access/requests
sed -e 's/^  id: .*/  id: my-first/' -e 's/duration: .*/duration: 10m/' \\
  "$EXAMPLE" > access/requests/my-first.yaml
daypass validate --base origin/main
propose my-first

. {bob}
approve 2 && merge 2

git pull -q && daypass claim my-first -- psql     # as Alice, a few seconds later
git rm -q access/requests/my-first.yaml; propose take-it-back     # and ends early, once merged
"""
    )
    stage.show(f"The bot looks every {_EVERY_SECONDS} seconds. Ctrl-C ends everything.")
    try:
        while True:
            time.sleep(_EVERY_SECONDS)
            _look(box, stage)
    except KeyboardInterrupt:
        stage.show("")


def _look(box: Box, stage: Stage) -> None:
    with tempfile.TemporaryDirectory(dir=box.directory) as name:
        home = Path(name)
        run = box.begin_apply_run("schedule")
        clone = box.checkout(home / "main", run)
        for words in (["apply"], ["plan", "--open", "--comment"]):
            result = subprocess.run(  # noqa: S603  -- daypass itself
                [sys.executable, "-m", "daypass", *words, "--format", "text"],
                check=False,
                cwd=clone,
                capture_output=True,
                text=True,
                env=box.job_environment(run, home),
            )
            if words == ["apply"] and not result.stdout.startswith("nothing to do"):
                stage.show(result.stdout + result.stderr)


def _write_shell(box: Box, person: Person) -> Path:
    """A file to be sourced: that person's environment, clone, and three verbs of GitHub."""
    person.git("fetch", "-q")
    example = person.home / "example.yaml"
    first = person.git("log", "--all", "--diff-filter=A", "--format=%H", "--", "access/requests")
    path = "access/requests/alice-orders-db-7f3k.yaml"
    example.write_text(person.git("show", f"{first.split()[-1]}:{path}"))
    variables = person.environment() | {
        "API": f"{box.github.api_url}/repos/{box.repository.full_name}",
        "EXAMPLE": str(example),
        "PATH": f"{Path(sys.executable).parent}:{program('psql').parent}:{os.environ['PATH']}",
        "PGSSLMODE": "disable",
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items())]
    target = person.home / "shell.sh"
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write("\n".join([*lines, f"cd {shlex.quote(str(person.clone))}", _FUNCTIONS]))
    return target
