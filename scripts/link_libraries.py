"""Makes the symbolic links that npm drops from a package of PostgreSQL's programs.

The package lists them in `native/pg-symlinks.json`, and would make them by a script of its own.

    python3 scripts/link_libraries.py FOLDER...
"""

import json
import os
import sys
from pathlib import Path


def link(package: Path) -> None:
    """Makes one package's links. Raises ValueError for one that leads out of the package."""
    root = package.resolve()
    for entry in json.loads((root / "native" / "pg-symlinks.json").read_text(encoding="utf-8")):
        target, source = (Path(os.path.normpath(root / entry[key])) for key in ("target", "source"))
        if not (target.is_relative_to(root) and source.is_relative_to(root)):
            raise ValueError(f"{package}: {entry} leads out of the package")
        if not target.is_symlink():
            target.symlink_to(os.path.relpath(source, target.parent))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        link(Path(name))
