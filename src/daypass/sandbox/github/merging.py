"""Pull requests as they move: opened, pushed to, merged in GitHub's three ways, closed."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from datetime import datetime
from typing import TYPE_CHECKING, Final

from daypass.sandbox.github.routing import RefusalError
from daypass.sandbox.github.state import Issue, IssueEvent, PullRequest, Repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from subprocess import CompletedProcess

    from daypass.sandbox.github.accounts import Account
    from daypass.sandbox.github.git_store import GitStore
    from daypass.sandbox.github.hub import Hub

_BRANCH: Final = "refs/heads/"


def open_issue(
    hub: Hub, repository: Repository, author: Account, title: str, body: str | None
) -> Issue:
    """A new issue under the next number."""
    now = hub.clock.stamp()
    number = repository.next_number()
    issue = Issue(hub.directory.new_id(), number, author, title, body, now, now)
    repository.issues[number] = issue
    return issue


def open_pull_request(
    hub: Hub,
    repository: Repository,
    author: Account,
    *,
    title: str,
    body: str | None,
    head: tuple[Repository, str],
    base_ref: str,
) -> PullRequest:
    """Open a pull request from a branch of the repository or of a fork of it.

    Raises:
        RefusalError: 422 when a branch is missing, nothing differs, or one is open already.
    """
    source, head_ref = head
    base_sha, head_sha = repository.store.branch(base_ref), source.store.branch(head_ref)
    if base_sha is None or head_sha is None:
        raise RefusalError(422, "Validation Failed: head or base does not exist")
    if any(
        item.open
        and (item.head_repository, item.head_ref, item.base_ref) == (source, head_ref, base_ref)
        for item in list(repository.pulls.values())
    ):
        raise RefusalError(
            422, f"A pull request already exists for {source.owner.login}:{head_ref}."
        )
    bring(repository, source, head_ref)
    if not repository.store.commits_between(base_sha, head_sha):
        raise RefusalError(422, f"No commits between {base_ref} and {head_ref}")
    issue = open_issue(hub, repository, author, title, body)
    pull = PullRequest(
        id=hub.directory.new_id(),
        issue=issue,
        head_repository=source,
        head_owner=source.owner,
        head_ref=head_ref,
        head_sha=head_sha,
        base_ref=base_ref,
        base_sha=base_sha,
    )
    repository.pulls[issue.number] = pull
    show_head(repository, pull)
    return pull


def retarget(
    hub: Hub, repository: Repository, pull: PullRequest, actor: Account, base_ref: str
) -> None:
    """Have a pull request merge into another branch; its reviews stay as they are, as on GitHub.

    Raises:
        RefusalError: 422 when it is closed, or there is no such branch.
    """
    base_sha = repository.store.branch(base_ref)
    if not pull.open or base_sha is None:
        raise RefusalError(422, "Validation Failed: the base cannot be changed to that")
    pull.base_ref, pull.base_sha = base_ref, base_sha
    note_event(hub, pull, actor, "base_ref_changed", hub.clock.stamp())
    show_head(repository, pull)


def note_event(
    hub: Hub, pull: PullRequest, actor: Account, event: str, at: str, commit: str | None = None
) -> None:
    """Add to what happened to a pull request."""
    pull.events.append(IssueEvent(hub.directory.new_id(), actor, event, at, commit=commit))


def bring(repository: Repository, source: Repository, branch: str) -> None:
    """Have a fork's objects in the repository that it wants to be merged into."""
    if source is not repository:
        repository.store.git("fetch", "-q", str(source.store.path), f"{_BRANCH}{branch}")


def show_head(repository: Repository, pull: PullRequest) -> None:
    """Keep `refs/pull/N/head`, and read what lists will ask for before anybody asks."""
    store = repository.store
    store.git("update-ref", f"refs/pull/{pull.number}/head", pull.head_sha)
    base = store.merge_base(pull.base_sha, pull.head_sha)
    store.changes(base, pull.head_sha)
    for sha in store.commits_between(base, pull.head_sha):
        store.commit(sha)


def after_push(hub: Hub, repository: Repository, actor: Account, moved: Iterable[str]) -> None:
    """Follow branches that have moved: heads of open pull requests, and what they brought."""
    now, moved = hub.clock.stamp(), set(moved)
    for target in hub.all_repositories():
        for pull in list(target.pulls.values()):
            if not pull.open:
                continue
            if pull.head_repository is repository and _BRANCH + pull.head_ref in moved:
                head = repository.store.branch(pull.head_ref)
                if head is None:
                    close(hub, pull, actor)
                else:
                    bring(target, repository, pull.head_ref)
                    pull.head_sha, pull.issue.updated_at = head, now
                    pull.base_sha = target.store.branch(pull.base_ref) or pull.base_sha
                    show_head(target, pull)
    for ref in moved:
        _merged_by_push(hub, repository, actor, ref)


def _merged_by_push(hub: Hub, repository: Repository, actor: Account, ref: str) -> None:
    """As GitHub: what was pushed to the base with an open pull request's head in it, merged it."""
    name, store = ref.removeprefix(_BRANCH), repository.store
    waiting = [
        item for item in list(repository.pulls.values()) if item.open and item.base_ref == name
    ]
    head = store.branch(name)
    if not waiting or head is None:
        return
    reached = set(store.commits_between(waiting[0].base_sha, head))
    for pull in waiting:
        if pull.head_sha in reached:
            _mark_merged(hub, repository, pull, actor, pull.head_sha)


def close(hub: Hub, pull: PullRequest, actor: Account) -> None:
    """Close a pull request without merging."""
    _close(hub, pull, actor, hub.clock.stamp())


def _close(hub: Hub, pull: PullRequest, actor: Account, at: str) -> None:
    issue = pull.issue
    issue.state, issue.closed_at, issue.closed_by, issue.updated_at = "closed", at, actor, at
    note_event(hub, pull, actor, "closed", at)


def mergeable(repository: Repository, pull: PullRequest) -> bool | None:
    """Whether it can be merged without a conflict; None once it is closed."""
    base = repository.store.branch(pull.base_ref) if pull.open else None
    if base is None:
        return None
    return repository.store.merged_tree(base, pull.head_sha) is not None


def merge(
    hub: Hub,
    repository: Repository,
    pull: PullRequest,
    actor: Account,
    *,
    method: str,
    title: str | None,
    message: str | None,
) -> str:
    """Merge, squash or rebase; the id of the commit that brought it.

    Raises:
        RefusalError: 405 when it is closed, conflicts, or lacks the approvals that the rules want.
    """
    base = repository.store.branch(pull.base_ref)
    if not pull.open or base is None:
        raise RefusalError(405, "Pull Request is not mergeable")
    protected = repository.rules.protected and pull.base_ref == repository.default_branch
    approvals = {
        review.author.id: review.state
        for review in pull.reviews
        if review.state in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED")
        and repository.role(review.author) in ("write", "admin")
    }
    given = list(approvals.values()).count("APPROVED")
    rules = repository.rules
    if protected and rules.enforces_reviews and given < rules.required_approvals:
        raise RefusalError(405, "Repository rule violations found: approving reviews are missing")
    if method == "rebase":
        new = _rebased(hub, repository, pull, base, actor)
    else:
        new = _merge_commit(hub, repository, pull, base, actor, method, title, message)
    ref = _BRANCH + pull.base_ref
    if not repository.store.move(ref, new, base):
        raise RefusalError(405, "Base branch was modified. Review and try the merge again.")
    hub.record(repository, actor, ref, base, new, "pr_merge")
    _mark_merged(hub, repository, pull, actor, new)
    after_push(hub, repository, actor, [ref])
    return new


def _merge_commit(
    hub: Hub,
    repository: Repository,
    pull: PullRequest,
    base: str,
    actor: Account,
    method: str,
    title: str | None,
    message: str | None,
) -> str:
    store = repository.store
    tree = store.merged_tree(base, pull.head_sha)
    if tree is None:
        raise RefusalError(405, "Pull Request has merge conflicts")
    author = pull.issue.author if method == "squash" else actor
    words = ["commit-tree", tree, "-p", base]
    if method == "merge":
        words += ["-p", pull.head_sha]
    subject, text = _message(repository, pull, method, title, message)
    return store.git(
        *words,
        data=(f"{subject}\n\n{text}" if text else subject).encode(),
        extra=_identity(author, hub.directory.web_flow, hub.clock.stamp()),
    ).strip()


def _message(
    repository: Repository, pull: PullRequest, method: str, title: str | None, message: str | None
) -> tuple[str, str]:
    if method == "merge":
        source = f"{pull.head_owner.login}/{pull.head_ref}"
        subject, text = f"Merge pull request #{pull.number} from {source}", pull.issue.title
    else:
        store = repository.store
        base = store.merge_base(pull.base_sha, pull.head_sha)
        messages = [store.commit(sha).message for sha in store.commits_between(base, pull.head_sha)]
        subject = f"{pull.issue.title} (#{pull.number})"
        text = "\n\n".join(f"* {item}" for item in messages) if len(messages) > 1 else ""
    return (title if title is not None else subject), (message if message is not None else text)


def _rebased(hub: Hub, repository: Repository, pull: PullRequest, base: str, actor: Account) -> str:
    store, when = repository.store, hub.clock.stamp()
    committer = _identity(actor, actor, when)
    who = {key: value for key, value in committer.items() if key.startswith("GIT_COMMITTER")}
    commits = store.commits_between(store.merge_base(base, pull.head_sha), pull.head_sha)
    with _work_tree(store, base) as git:
        for sha in commits:
            if git("cherry-pick", "--allow-empty", sha, extra=who).returncode != 0:
                raise RefusalError(405, "Pull Request cannot be rebased without conflicts")
        new: str = git("rev-parse", "HEAD").stdout.decode().strip()
    for sha in store.commits_between(base, new):
        repository.brought_by.setdefault(sha, []).append(pull.number)
    return new


@contextlib.contextmanager
def _work_tree(store: GitStore, commit: str) -> Iterator[Callable[..., CompletedProcess[bytes]]]:
    directory = tempfile.mkdtemp(prefix="daypass-rebase-")

    def git(*words: str, extra: Mapping[str, str] | None = None) -> CompletedProcess[bytes]:
        return store.attempt("-C", f"{directory}/tree", *words, extra=extra)

    try:
        store.git("worktree", "add", "-q", "--detach", f"{directory}/tree", commit)
        yield git
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        store.git("worktree", "prune")


def _mark_merged(
    hub: Hub, repository: Repository, pull: PullRequest, actor: Account, brought: str
) -> None:
    now = hub.clock.stamp()
    note_event(hub, pull, actor, "merged", now, brought)
    _close(hub, pull, actor, now)
    pull.merged_at, pull.merged_by, pull.merge_commit_sha = now, actor, brought
    store = repository.store
    store.commit(brought)
    base = store.merge_base(pull.base_sha, pull.head_sha)
    for sha in {brought, *store.commits_between(base, pull.head_sha)}:
        numbers = repository.brought_by.setdefault(sha, [])
        if pull.number not in numbers:
            numbers.append(pull.number)


def _identity(author: Account, committer: Account, stamp: str) -> dict[str, str]:
    seconds = int(datetime.fromisoformat(stamp).timestamp())
    people = {"AUTHOR": author, "COMMITTER": committer}
    return {
        name: value
        for role, account in people.items()
        for name, value in (
            (f"GIT_{role}_NAME", account.name or account.login),
            (f"GIT_{role}_EMAIL", _address(account)),
            (f"GIT_{role}_DATE", f"{seconds} +0000"),
        )
    }


def _address(account: Account) -> str:
    return min(account.emails, default=account.email)
