"""What the REST API shows of pull requests, reviews, commits, comments and pushes."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from daypass.sandbox.github.views import Views, node_id

if TYPE_CHECKING:
    from daypass.sandbox.github.accounts import Account, Directory
    from daypass.sandbox.github.git_store import FileChange, Signature
    from daypass.sandbox.github.state import (
        Activity,
        Comment,
        Issue,
        IssueEvent,
        PullRequest,
        Repository,
        Review,
    )

Json = dict[str, Any]


class PullViews(Views):
    """Answers about what happens in a repository."""

    def __init__(self, server_url: str, api_url: str, directory: Directory) -> None:
        super().__init__(server_url, api_url)
        self._directory = directory

    def pull_request_simple(self, repository: Repository, pull: PullRequest) -> Json:
        """A `pull-request-simple`, as lists show it."""
        issue = pull.issue
        api = f"{self.api_url}/repos/{repository.full_name}"
        url, html = f"{api}/pulls/{pull.number}", self._html(repository, f"pull/{pull.number}")
        links = {
            "self": url,
            "html": html,
            "issue": f"{api}/issues/{pull.number}",
            "comments": f"{api}/issues/{pull.number}/comments",
            "review_comments": f"{url}/comments",
            "review_comment": f"{api}/pulls/comments{{/number}}",
            "commits": f"{url}/commits",
            "statuses": f"{api}/statuses/{pull.head_sha}",
        }
        return {
            "url": url,
            "id": pull.id,
            "node_id": node_id("PullRequest", pull.id),
            "html_url": html,
            "diff_url": f"{html}.diff",
            "patch_url": f"{html}.patch",
            **{f"{name}_url": link for name, link in links.items() if name not in ("self", "html")},
            "number": pull.number,
            "state": issue.state,
            "locked": False,
            "title": issue.title,
            "user": self.user(issue.author),
            "body": issue.body,
            "labels": self._labels(repository, issue),
            "milestone": None,
            "active_lock_reason": None,
            "created_at": issue.created_at,
            "updated_at": issue.updated_at,
            "closed_at": issue.closed_at,
            "merged_at": pull.merged_at,
            "merge_commit_sha": pull.merge_commit_sha,
            "assignee": None,
            "assignees": [],
            "requested_reviewers": [],
            "requested_teams": [],
            "head": self._side(pull.head_owner, pull.head_ref, pull.head_sha, pull.head_repository),
            "base": self._side(repository.owner, pull.base_ref, pull.base_sha, repository),
            "_links": {name: {"href": link} for name, link in links.items()},
            "author_association": self.association(repository, issue.author),
            "auto_merge": None,
            "draft": pull.draft,
        }

    def pull_request(
        self, repository: Repository, pull: PullRequest, *, mergeable: bool | None
    ) -> Json:
        """A `pull-request`, with its counts."""
        base = repository.store.merge_base(pull.base_sha, pull.head_sha)
        changes = repository.store.changes(base, pull.head_sha)
        comments = [
            item for item in list(repository.comments.values()) if item.number == pull.number
        ]
        return {
            **self.pull_request_simple(repository, pull),
            "merged": pull.merged_at is not None,
            "mergeable": mergeable,
            "rebaseable": mergeable,
            "mergeable_state": {True: "clean", False: "dirty", None: "unknown"}[mergeable],
            "merged_by": self.user(pull.merged_by),
            "comments": len(comments),
            "review_comments": 0,
            "maintainer_can_modify": False,
            "commits": len(repository.store.commits_between(base, pull.head_sha)),
            "additions": sum(change.additions for change in changes),
            "deletions": sum(change.deletions for change in changes),
            "changed_files": len(changes),
        }

    def review(self, repository: Repository, pull: PullRequest, review: Review) -> Json:
        """A `pull-request-review`."""
        url = f"{self.api_url}/repos/{repository.full_name}/pulls/{pull.number}"
        anchor = f"pull/{pull.number}#pullrequestreview-{review.id}"
        html = self._html(repository, anchor)
        return {
            "id": review.id,
            "node_id": node_id("PullRequestReview", review.id),
            "user": self.user(review.author),
            "body": review.body,
            "state": review.state,
            "html_url": html,
            "pull_request_url": url,
            "author_association": self.association(repository, review.author),
            "_links": {"html": {"href": html}, "pull_request": {"href": url}},
            "submitted_at": review.submitted_at,
            "commit_id": review.commit_id,
        }

    def commit(self, repository: Repository, sha: str) -> Json:
        """A `commit`; author and committer are null when their address belongs to nobody."""
        commit = repository.store.commit(sha)
        api = f"{self.api_url}/repos/{repository.full_name}"
        verification = {
            "verified": False,
            "reason": "unsigned" if commit.signature is None else "unknown_key",
            "signature": commit.signature,
            "payload": None,
            "verified_at": None,
        }
        return {
            "sha": sha,
            "node_id": node_id("Commit", int(sha[:12], 16)),
            "commit": {
                "author": _signature(commit.author),
                "committer": _signature(commit.committer),
                "message": commit.message,
                "tree": {"sha": commit.tree, "url": f"{api}/git/trees/{commit.tree}"},
                "url": f"{api}/git/commits/{sha}",
                "comment_count": 0,
                "verification": verification,
            },
            "url": f"{api}/commits/{sha}",
            "html_url": self._html(repository, f"commit/{sha}"),
            "comments_url": f"{api}/commits/{sha}/comments",
            "author": self.user(self._directory.by_email(commit.author.email)),
            "committer": self.user(self._directory.by_email(commit.committer.email)),
            "parents": [
                {
                    "sha": parent,
                    "url": f"{api}/commits/{parent}",
                    "html_url": self._html(repository, f"commit/{parent}"),
                }
                for parent in commit.parents
            ],
        }

    def file(self, repository: Repository, head: str, change: FileChange) -> Json:
        """A `diff-entry`, without the patch text."""
        path = quote(os.fsencode(change.path))
        moved = {} if change.previous_path is None else {"previous_filename": change.previous_path}
        return {
            "sha": change.blob,
            "filename": change.path,
            "status": change.status,
            "additions": change.additions,
            "deletions": change.deletions,
            "changes": change.additions + change.deletions,
            "blob_url": self._html(repository, f"blob/{head}/{path}"),
            "raw_url": self._html(repository, f"raw/{head}/{path}"),
            "contents_url": (
                f"{self.api_url}/repos/{repository.full_name}/contents/{path}?ref={head}"
            ),
            **moved,
        }

    def issue(self, repository: Repository, issue: Issue) -> Json:
        """An `issue`."""
        url = f"{self.api_url}/repos/{repository.full_name}/issues/{issue.number}"
        pull = repository.pulls.get(issue.number)
        kind = "issues" if pull is None else "pull"
        html = self._html(repository, f"{kind}/{issue.number}")
        extra: Json = {}
        if pull is not None:
            api = f"{self.api_url}/repos/{repository.full_name}/pulls/{issue.number}"
            extra["pull_request"] = {
                "url": api,
                "html_url": html,
                "diff_url": f"{html}.diff",
                "patch_url": f"{html}.patch",
                "merged_at": pull.merged_at,
            }
        comments = [
            item for item in list(repository.comments.values()) if item.number == issue.number
        ]
        return {
            "id": issue.id,
            "node_id": node_id("Issue", issue.id),
            "url": url,
            "repository_url": f"{self.api_url}/repos/{repository.full_name}",
            "labels_url": f"{url}/labels{{/name}}",
            "comments_url": f"{url}/comments",
            "events_url": f"{url}/events",
            "html_url": html,
            "number": issue.number,
            "title": issue.title,
            "body": issue.body,
            "user": self.user(issue.author),
            "labels": self._labels(repository, issue),
            "state": issue.state,
            "state_reason": None,
            "locked": False,
            "active_lock_reason": None,
            "assignee": None,
            "assignees": [],
            "milestone": None,
            "comments": len(comments),
            "created_at": issue.created_at,
            "updated_at": issue.updated_at,
            "closed_at": issue.closed_at,
            "closed_by": self.user(issue.closed_by),
            "author_association": self.association(repository, issue.author),
            **extra,
        }

    def comment(self, repository: Repository, comment: Comment) -> Json:
        """An `issue-comment`."""
        api = f"{self.api_url}/repos/{repository.full_name}"
        kind = "pull" if comment.number in repository.pulls else "issues"
        return {
            "id": comment.id,
            "node_id": node_id("IssueComment", comment.id),
            "url": f"{api}/issues/comments/{comment.id}",
            "html_url": self._html(
                repository, f"{kind}/{comment.number}#issuecomment-{comment.id}"
            ),
            "issue_url": f"{api}/issues/{comment.number}",
            "user": self.user(comment.author),
            "body": comment.body,
            "created_at": comment.created_at,
            "updated_at": comment.updated_at,
            "author_association": self.association(repository, comment.author),
            "performed_via_github_app": None,
        }

    def issue_event(self, repository: Repository, event: IssueEvent) -> Json:
        """An `issue-event-for-issue`."""
        commit, url = event.commit, f"{self.api_url}/repos/{repository.full_name}"
        return {
            "id": event.id,
            "node_id": node_id("IssueEvent", event.id),
            "url": f"{url}/issues/events/{event.id}",
            "actor": self.user(event.actor),
            "event": event.event,
            "commit_id": commit,
            "commit_url": f"{url}/commits/{commit}" if commit else None,
            "created_at": event.at,
            "performed_via_github_app": None,
            # no kind of event in GitHub's description does without one or the other
            **(event.details or {"lock_reason": None}),
        }

    def activity(self, activity: Activity) -> Json:
        """An `activity`."""
        return {
            "id": activity.id,
            "node_id": node_id("Push", activity.id),
            "before": activity.before,
            "after": activity.after,
            "ref": activity.ref,
            "timestamp": activity.at,
            "activity_type": activity.type,
            "actor": self.user(activity.actor),
        }

    def association(self, repository: Repository, account: Account) -> str:
        """`author_association`, which is no authority."""
        if account is repository.owner:
            return "OWNER"
        return "MEMBER" if account.id in repository.roles else "NONE"

    def _side(self, owner: Account, ref: str, sha: str, repository: Repository | None) -> Json:
        return {
            "label": f"{owner.login}:{ref}",
            "ref": ref,
            "sha": sha,
            "user": self.user(owner),
            "repo": None if repository is None else self.repository(repository),
        }

    def _labels(self, repository: Repository, issue: Issue) -> list[Json]:
        return [
            {
                "id": int.from_bytes(name.encode()[:6], "big"),
                "node_id": node_id("Label", len(name)),
                "url": f"{self.api_url}/repos/{repository.full_name}/labels/{quote(name)}",
                "name": name,
                "description": "",
                "color": "ededed",
                "default": False,
            }
            for name in issue.labels
        ]

    def _html(self, repository: Repository, path: str) -> str:
        return f"{self.server_url}/{repository.full_name}/{path}"


def _signature(signature: Signature) -> Json:
    moment = datetime.fromtimestamp(signature.seconds, UTC)
    return {
        "name": signature.name,
        "email": signature.email,
        "date": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
