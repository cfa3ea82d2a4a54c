"""REST: accounts, keys, teams, and the App."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daypass.sandbox.github.routing import Answer, Call, RefusalError, Routes

if TYPE_CHECKING:
    from daypass.sandbox.github.accounts import Account, Team

routes = Routes()


@routes.add("GET", "/user")
def authenticated_user(call: Call) -> Answer:
    """Who the token is."""
    if call.credential is not None and call.credential.permissions is not None:
        raise RefusalError(403, "Resource not accessible by integration")
    return Answer(call.hub.views.public_user(call.actor))


@routes.add("GET", "/users/{username}")
def user_by_login(call: Call) -> Answer:
    """An account by the login that it has today."""
    return Answer(call.hub.views.public_user(_account(call)))


@routes.add("GET", "/user/{id}")
def user_by_id(call: Call) -> Answer:
    """An account by its numeric id, whatever its login is today."""
    account = call.hub.directory.by_id(int(call.parameters["id"]))
    if account is None:
        raise RefusalError(404, "Not Found")
    return Answer(call.hub.views.public_user(account))


@routes.add("GET", "/users/{username}/keys")
def keys_of(call: Call) -> Answer:
    """The SSH public keys of an account; anybody may read them."""
    return call.page(list(_account(call).keys), call.hub.views.key)


@routes.add("GET", "/orgs/{org}")
def organisation(call: Call) -> Answer:
    """The organisation."""
    return Answer(call.hub.views.organisation(_organisation(call)))


@routes.add("GET", "/orgs/{org}/teams", needs="members:read")
def teams(call: Call) -> Answer:
    """The organisation's teams."""
    owner = _organisation(call, member=True)
    return call.page(list(call.hub.teams.values()), lambda team: call.hub.views.team(owner, team))


@routes.add("GET", "/orgs/{org}/teams/{team_slug}", needs="members:read")
def team(call: Call) -> Answer:
    """One team."""
    owner = _organisation(call, member=True)
    return Answer(call.hub.views.team_full(owner, _team(call)))


@routes.add("GET", "/organizations/{org_id}/team/{team_id}", needs="members:read")
def team_by_id(call: Call) -> Answer:
    """One team, by its id: the address that GitHub's own answers give as its `url`."""
    owner = _organisation(call, member=True)
    return Answer(call.hub.views.team_full(owner, _team(call)))


@routes.add("GET", "/organizations/{org_id}/team/{team_id}/members", needs="members:read")
def team_members_by_id(call: Call) -> Answer:
    """The same members, by the team's id, whatever its slug is today."""
    return team_members(call)


@routes.add("GET", "/orgs/{org}/teams/{team_slug}/members", needs="members:read")
def team_members(call: Call) -> Answer:
    """The team's active members; who was only invited is none."""
    _organisation(call, member=True)
    accounts = (call.hub.directory.by_id(item) for item in sorted(_team(call).members))
    return call.page([item for item in accounts if item is not None], call.hub.views.user)


@routes.add("GET", "/orgs/{org}/teams/{team_slug}/memberships/{username}", needs="members:read")
def team_membership(call: Call) -> Answer:
    """Whether somebody is a member, and whether they have accepted."""
    owner = _organisation(call, member=True)
    found, account = _team(call), _account(call)
    if account.id not in found.members | found.pending:
        raise RefusalError(404, "Not Found")
    url = call.hub.views.team(owner, found)["url"]
    return Answer(
        {
            "url": f"{url}/memberships/{account.login}",
            "role": "maintainer" if account.id in found.maintainers else "member",
            "state": "active" if account.id in found.members else "pending",
        }
    )


@routes.add("GET", "/app")
def app(call: Call) -> Answer:
    """The App itself, to whoever proves to be it."""
    _must_be_app(call)
    return Answer(call.hub.app.view(call.hub.views.user(call.hub.organisation)))


@routes.add("POST", "/app/installations/{id}/access_tokens")
def installation_token(call: Call) -> Answer:
    """A token of the installation, to whoever proves to be the App."""
    _must_be_app(call)
    if int(call.parameters["id"]) != call.hub.app.installation_id:
        raise RefusalError(404, "Not Found")
    return Answer(call.hub.app.installation_token(call.hub, call.fields), status=201)


def _must_be_app(call: Call) -> None:
    if not call.app_authenticated:
        raise RefusalError(401, "A JSON web token could not be decoded")


def _account(call: Call) -> Account:
    account = call.hub.directory.by_login(call.parameters["username"])
    if account is None:
        raise RefusalError(404, "Not Found")
    return account


def _organisation(call: Call, *, member: bool = False) -> Account:
    owner = call.hub.organisation
    name = call.parameters.get("org")
    mine = (
        name.lower() == owner.login.lower() if name else call.parameters["org_id"] == str(owner.id)
    )
    if not mine:
        raise RefusalError(404, "Not Found")
    if member and call.credential is None:
        raise RefusalError(401, "Requires authentication")
    return owner


def _team(call: Call) -> Team:
    slug, number = call.parameters.get("team_slug"), call.parameters.get("team_id")
    found = next(
        (
            team
            for team in call.hub.teams.values()
            if (team.slug == slug if slug else str(team.id) == number)
        ),
        None,
    )
    if found is None:
        raise RefusalError(404, "Not Found")
    return found
