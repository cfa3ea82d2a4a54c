"""A session at PostgreSQL that a failed test cannot leave to the tests after it."""

from __future__ import annotations

from typing import Any

import psycopg


class Session(psycopg.Connection[Any]):
    """A connection that closes itself when it is lost.

    psycopg warns of a lost connection, and pytest gives the warning to the test that happens to run
    when it is collected: one failing test would fail a second, unrelated one.
    """

    def __del__(self) -> None:
        if hasattr(self, "pgconn"):  # it is missing where connecting failed
            self.close()
