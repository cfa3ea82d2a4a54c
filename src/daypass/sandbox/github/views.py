"""What the REST API shows of accounts, teams and repositories, in GitHub's own shapes.

Source: GitHub's OpenAPI description. A contract test holds every answer against it.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from daypass.sandbox.github.accounts import Account, PublicKey, Team
    from daypass.sandbox.github.state import Repository

Json = dict[str, Any]

# URL suffixes of a user that lead nowhere here, but that clients expect to be told.
_USER_URLS: Final = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
_REPOSITORY_URLS: Final = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}
_ROLES: Final = ("read", "triage", "write", "maintain", "admin")
_ROLE_FLAGS: Final = ("pull", "triage", "push", "maintain", "admin")


def node_id(kind: str, number: int) -> str:
    """An opaque GraphQL id."""
    return base64.b64encode(f"{len(kind):02}:{kind}{number}".encode()).decode()


class Views:
    """Builds answers whose URLs carry this server's own host."""

    def __init__(self, server_url: str, api_url: str) -> None:
        self.server_url = server_url
        self.api_url = api_url

    def user(self, account: Account | None) -> Json | None:
        """A `simple-user`; null for an account that is gone."""
        if account is None or account.deleted:
            return None
        url = f"{self.api_url}/users/{account.login}"
        return {
            "login": account.login,
            "id": account.id,
            "node_id": node_id(account.type, account.id),
            "avatar_url": f"{self.server_url}/avatars/{account.id}",
            "gravatar_id": "",
            "url": url,
            "html_url": f"{self.server_url}/{account.login}",
            **{name: url + suffix for name, suffix in _USER_URLS.items()},
            "type": account.type,
            "user_view_type": "public",
            "site_admin": False,
        }

    def public_user(self, account: Account) -> Json:
        """A `public-user`, as `GET /users/{login}` shows it."""
        return {
            **(self.user(account) or {}),
            "name": account.name,
            "company": None,
            "blog": "",
            "location": None,
            "email": None,
            "hireable": None,
            "bio": None,
            "twitter_username": None,
            "public_repos": 0,
            "public_gists": 0,
            "followers": 0,
            "following": 0,
            "created_at": account.created_at,
            "updated_at": account.created_at,
        }

    def organisation(self, account: Account) -> Json:
        """An `organization-full`."""
        url = f"{self.api_url}/orgs/{account.login}"
        urls = ("repos", "events", "hooks", "issues")
        return {
            "login": account.login,
            "id": account.id,
            "node_id": node_id(account.type, account.id),
            "url": url,
            **{f"{name}_url": f"{url}/{name}" for name in urls},
            "members_url": f"{url}/members{{/member}}",
            "public_members_url": f"{url}/public_members{{/member}}",
            "avatar_url": f"{self.server_url}/avatars/{account.id}",
            "html_url": f"{self.server_url}/{account.login}",
            "description": None,
            "name": account.name,
            "has_organization_projects": True,
            "has_repository_projects": True,
            "public_repos": 0,
            "public_gists": 0,
            "followers": 0,
            "following": 0,
            "type": "Organization",
            "created_at": account.created_at,
            "updated_at": account.created_at,
            "archived_at": None,
        }

    def team(self, organisation: Account, team: Team) -> Json:
        """A `team`."""
        url = f"{self.api_url}/organizations/{organisation.id}/team/{team.id}"
        return {
            "id": team.id,
            "node_id": node_id("Team", team.id),
            "name": team.name,
            "slug": team.slug,
            "description": None,
            "privacy": "closed",
            "notification_setting": "notifications_enabled",
            "permission": "pull",
            "url": url,
            "html_url": f"{self.server_url}/orgs/{organisation.login}/teams/{team.slug}",
            "members_url": f"{url}/members{{/member}}",
            "repositories_url": f"{url}/repos",
            "type": "organization",
            "parent": None,
        }

    def team_full(self, organisation: Account, team: Team) -> Json:
        """A `team-full`."""
        return {
            **self.team(organisation, team),
            "members_count": len(team.members),
            "repos_count": 1,
            "created_at": team.created_at,
            "updated_at": team.created_at,
            "organization": self.organisation(organisation),
        }

    def key(self, key: PublicKey) -> Json:
        """A `key-simple`."""
        return {"id": key.id, "key": key.line, "created_at": key.created_at}

    def repository(self, repository: Repository, account: Account | None = None) -> Json:
        """A `repository`, with what `account` may do in it."""
        name = repository.full_name
        url, html = f"{self.api_url}/repos/{name}", f"{self.server_url}/{name}"
        pushed_at = repository.activities[-1].at if repository.activities else None
        open_issues = sum(issue.state == "open" for issue in list(repository.issues.values()))
        return {
            "id": repository.id,
            "node_id": node_id("Repository", repository.id),
            "name": repository.name,
            "full_name": name,
            "owner": self.user(repository.owner),
            "private": repository.private,
            "visibility": "private" if repository.private else "public",
            "html_url": html,
            "description": None,
            "fork": repository.parent is not None,
            "url": url,
            **{key: url + suffix for key, suffix in _REPOSITORY_URLS.items()},
            "git_url": f"{self.server_url}/{name}.git".replace("http:", "git:", 1),
            "ssh_url": f"git@{self.server_url.partition('//')[2]}:{name}.git",
            "clone_url": f"{html}.git",
            "svn_url": html,
            "mirror_url": None,
            "homepage": None,
            "language": None,
            "license": None,
            "topics": [],
            "created_at": repository.created_at,
            "updated_at": pushed_at or repository.created_at,
            "pushed_at": pushed_at,
            "size": 1,
            "has_issues": True,
            "has_projects": False,
            "has_wiki": False,
            "has_pages": False,
            "has_downloads": False,
            "has_discussions": False,
            "allow_forking": True,
            "allow_merge_commit": True,
            "allow_squash_merge": True,
            "allow_rebase_merge": True,
            "delete_branch_on_merge": False,
            "is_template": False,
            "web_commit_signoff_required": False,
            "archived": False,
            "disabled": False,
            "default_branch": repository.default_branch,
            **dict.fromkeys(("forks", "forks_count", "stargazers_count"), 0),
            **dict.fromkeys(("watchers", "watchers_count"), 0),
            **dict.fromkeys(("open_issues", "open_issues_count"), open_issues),
            "permissions": role_flags(repository.role(account)),
        }

    def repository_full(self, repository: Repository, account: Account | None) -> Json:
        """A `full-repository`."""
        parent = repository.parent
        extra = {} if parent is None else {"parent": self.repository(parent, account)}
        return {
            **self.repository(repository, account),
            "network_count": 0,
            "subscribers_count": 0,
            **extra,
        }


def role_flags(role: str) -> dict[str, bool]:
    """`permissions` of a repository: each role includes those before it."""
    rank = _ROLES.index(role) if role in _ROLES else -1
    return {flag: place <= rank for place, flag in enumerate(_ROLE_FLAGS)}
