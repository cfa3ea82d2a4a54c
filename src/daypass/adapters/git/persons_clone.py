"""A person's clone: its main is what the server says, whatever the files of the clone say."""

from __future__ import annotations

from typing import Self

from daypass.adapters.git.repository import GitRepository
from daypass.errors import GitError


class PersonsClone(GitRepository):
    """The clone of a person, whose command asks the server which branch is main.

    The `branch` that it is made with is a guess: what a fetch can be begun with.
    """

    _is_fresh = False  # whether the next `fetch` was done already

    def fetch_main(self) -> str:
        """Fetch what the server's HEAD is, whatever that branch is called; its commit.

        It is one fetch where the guess is right. Raises what `fetch` raises.
        """
        try:
            self._remote.fetch(head=True)
        except GitError:
            branch = self._remote.default_branch()
            if branch == self._remote.branch:
                raise
            self._remote.branch = branch
            self._remote.fetch(head=True)
        return self.last_main()

    def default_branch(self, named: str, main: str) -> str:
        """Tell which branch the server's HEAD is; ask only where `named` and the guess differ.

        Args:
            named: the branch that the settings of `main` name.
            main: what `fetch_main` returned.
        """
        here = self._remote
        if named == here.branch and self.resolve(here.tracking_ref) == main:
            return named
        branch = here.default_branch()
        if branch != here.branch:
            here.branch = branch
            here.fetch(head=True)
        return branch

    def last_main(self) -> str:
        """The commit that the last `fetch_main` of this clone brought. Raises GitError."""
        return self.resolve(self._remote.main_ref)

    def keep_main(self, commit: str) -> None:
        """Note a main that agrees with what is pinned: an end goes by it without a server."""
        self._remote.keep_main(commit)

    def count_as_fetched(self) -> Self:
        """Let the next `fetch` fetch nothing: that was done a moment ago, for the settings."""
        self._is_fresh = True
        return self

    def fetch(self) -> str:
        """Fetch the default branch and return its head. Raises what `GitRepository` raises."""
        if self._is_fresh and self._not_main is None:
            self._is_fresh = False
            return self.head()
        return super().fetch()
