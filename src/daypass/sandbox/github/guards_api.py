"""REST: what guards a repository: rules, branch protection, code owners, environments, writers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from daypass.sandbox.github.routing import Answer, Call, RefusalError, Routes
from daypass.sandbox.github.state import Ruleset
from daypass.sandbox.github.views import node_id, role_flags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daypass.sandbox.github.state import Environment

routes = Routes()
Json = dict[str, Any]
_REPOSITORY: Final = "/repos/{owner}/{repo}"
_ENVIRONMENT: Final = _REPOSITORY + "/environments/{environment_name}"
# Where GitHub looks, in this order.
_CODEOWNERS: Final = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
_WRITERS: Final = ("write", "admin")


@routes.add("GET", _REPOSITORY + "/rulesets")
def rulesets(call: Call) -> Answer:
    """The rulesets, without their rules."""
    return call.page([_summary(call, item) for item in _rulesets(call)], lambda item: item)


@routes.add("GET", _REPOSITORY + "/rulesets/{id}")
def ruleset(call: Call) -> Answer:
    """One ruleset; who may bypass it is shown to those who may change it."""
    wanted = int(call.parameters["id"])
    found = next((item for item in _rulesets(call) if item.id == wanted), None)
    if found is None:
        raise RefusalError(404, "Not Found")
    administers = call.repository.role(call.viewer) == "admin" and not found.organisation
    passes = call.viewer is not None and any(
        item["actor_type"] == "User" and item["actor_id"] == call.viewer.id for item in found.bypass
    )
    return Answer(
        {
            **_summary(call, found),
            **({"bypass_actors": found.bypass} if administers else {}),
            "current_user_can_bypass": "always" if passes else "never",
            "conditions": {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}},
            "rules": found.rules,
        }
    )


@routes.add("GET", _REPOSITORY + "/rules/branches/{branch}")
def rules_of_branch(call: Call) -> Answer:
    """The rules that hold for a branch, whatever level they come from."""
    guarded = call.parameters["branch"] == call.repository.default_branch
    found = [
        {
            **rule,
            "ruleset_source_type": "Organization" if item.organisation else "Repository",
            "ruleset_source": _source(call, item),
            "ruleset_id": item.id,
        }
        for item in _rulesets(call)
        for rule in item.rules
    ]
    return call.page(found if guarded else [], lambda rule: rule)


@routes.add(
    "GET",
    _REPOSITORY + "/branches/{branch}/protection",
    needs="administration:read",
    role="admin",
)
def protection(call: Call) -> Answer:
    """The older branch protection, to those who may administer."""
    shown = call.repository.protection
    if shown is None or call.parameters["branch"] != call.repository.default_branch:
        raise RefusalError(404, "Branch not protected")
    return Answer(shown)


@routes.add("GET", _REPOSITORY + "/codeowners/errors", needs="contents:read")
def codeowners_errors(call: Call) -> Answer:
    """What is wrong in the file of code owners: owners that do not exist, or may not write."""
    path, text = _codeowners(call)
    errors = [
        {
            "line": number,
            "column": line.index(word) + 1,
            "kind": "Unknown owner",
            "source": line,
            "suggestion": f"make sure {word} exists and has write access to the repository",
            "message": f"Unknown owner on line {number}: {word}",
            "path": path,
        }
        for number, line in enumerate(text.splitlines(), 1)
        for word in line.partition("#")[0].split()[1:]
        if not _owns(call, word)
    ]
    return Answer({"errors": errors})


@routes.add("GET", _REPOSITORY + "/collaborators", role="write")
def collaborators(call: Call) -> Answer:
    """The accounts that have access; with `permission=push`, those that may write."""
    wanted = call.query.get("permission")
    roles = _WRITERS if wanted == "push" else ("admin",) if wanted == "admin" else None
    found = [
        (account, role)
        for account_id, role in sorted(call.repository.roles.items())
        if (account := call.hub.directory.by_id(account_id)) is not None
        and (roles is None or role in roles)
    ]
    return call.page(
        found,
        lambda item: {
            **(call.hub.views.user(item[0]) or {}),
            "permissions": role_flags(item[1]),
            "role_name": item[1],
        },
    )


@routes.add("GET", _ENVIRONMENT, needs="actions:read")
def environment(call: Call) -> Answer:
    """A deployment environment, and which refs may deploy to it."""
    found = _environment(call)
    api = f"{call.hub.views.api_url}/repos/{call.repository.full_name}/environments/{found.name}"
    policy = None
    rules = []
    if found.branches is not None:
        custom = found.branches != "protected"
        policy = {"protected_branches": not custom, "custom_branch_policies": custom}
        kind = "branch_policy"
        rules = [{"id": found.id + 1, "node_id": node_id("GateRule", found.id + 1), "type": kind}]
    return Answer(
        {
            "id": found.id,
            "node_id": node_id("Environment", found.id),
            "name": found.name,
            "url": api,
            "html_url": f"{call.hub.server_url}/{call.repository.full_name}/deployments",
            "created_at": call.repository.created_at,
            "updated_at": call.repository.created_at,
            "protection_rules": rules,
            "deployment_branch_policy": policy,
        }
    )


@routes.add("GET", _ENVIRONMENT + "/deployment-branch-policies", needs="actions:read")
def branch_policies(call: Call) -> Answer:
    """The name patterns of branches and tags that may deploy."""
    found = _environment(call)
    named = [] if found.branches in (None, "protected") else list(found.branches or ())
    shown = [
        {
            "id": found.id + 10 + place,
            "node_id": node_id("DeploymentBranchPolicy", found.id + 10 + place),
            "name": name,
            "type": kind,
        }
        for place, (name, kind) in enumerate(named)
    ]
    page = call.page(shown, lambda item: item)
    return Answer({"total_count": len(shown), "branch_policies": page.body}, headers=page.headers)


@routes.add("GET", _ENVIRONMENT + "/variables", needs="environments:read", role="write")
def environment_variables(call: Call) -> Answer:
    """The environment's variables, to those who may write; 30 a page, as at GitHub."""
    variables = _environment(call).variables
    page = call.page(sorted(variables), lambda name: _variable(call, name, variables[name]), 30)
    return Answer({"total_count": len(variables), "variables": page.body}, headers=page.headers)


@routes.add(
    "GET", _REPOSITORY + "/actions/variables/{name}", needs="actions_variables:read", role="write"
)
def repository_variable(call: Call) -> Answer:
    """One variable of the repository itself, to those who may write."""
    name = call.parameters["name"]
    value = call.repository.variables.get(name)
    if value is None:
        raise RefusalError(404, "Not Found")
    return Answer(_variable(call, name, value))


def _variable(call: Call, name: str, value: str) -> dict[str, str]:
    at = call.repository.created_at
    return {"name": name, "value": value, "created_at": at, "updated_at": at}


def _rulesets(call: Call) -> list[Ruleset]:
    """The two that every repository of the box has, and those that were added."""
    return [*(_own(call) if call.repository.rules.protected else ()), *call.repository.rulesets]


def _own(call: Call) -> Iterator[Ruleset]:
    rules, app = call.repository.rules, call.hub.app
    reviewed = {
        "required_approving_review_count": rules.required_approvals,
        "dismiss_stale_reviews_on_push": rules.dismiss_stale,
        "require_code_owner_review": rules.code_owners,
        "require_last_push_approval": rules.last_push,
        "required_review_thread_resolution": False,
        "allowed_merge_methods": ["merge", "squash", "rebase"],
    }
    bypass = [
        {"actor_id": app.id, "actor_type": "Integration", "bypass_mode": "always"}
        if account_id == app.bot.id
        else {"actor_id": account_id, "actor_type": "User", "bypass_mode": "always"}
        for account_id in sorted(rules.bypass)
    ]
    yield Ruleset(
        rules.id, "pull requests", [{"type": "pull_request", "parameters": reviewed}], bypass
    )
    history = [{"type": "deletion"}, {"type": "non_fast_forward"}]
    yield Ruleset(rules.history_id, "history", history)


def _summary(call: Call, item: Ruleset) -> Json:
    return {
        "id": item.id,
        "node_id": node_id("RepositoryRuleset", item.id),
        "name": item.name,
        "target": "branch",
        "source_type": "Organization" if item.organisation else "Repository",
        "source": _source(call, item),
        "enforcement": "active",
        "created_at": call.repository.created_at,
        "updated_at": call.repository.created_at,
    }


def _source(call: Call, item: Ruleset) -> str:
    return call.hub.organisation.login if item.organisation else call.repository.full_name


def _environment(call: Call) -> Environment:
    found = call.repository.environments.get(call.parameters["environment_name"])
    if found is None:
        raise RefusalError(404, "Not Found")
    return found


def _codeowners(call: Call) -> tuple[str, str]:
    """Path and text of the file that GitHub takes. Raises RefusalError(404) if there is none."""
    store = call.repository.store
    commit = store.resolve(call.query.get("ref", call.repository.default_branch))
    for path in _CODEOWNERS:
        found = None if commit is None else store.blob(commit, path)
        if found is not None:
            return path, found[1].decode(errors="replace")
    raise RefusalError(404, "Not Found")


def _owns(call: Call, word: str) -> bool:
    """Whether that owner is a team of the organisation, or an account that may write."""
    name = word.removeprefix("@")
    owner, slash, slug = name.partition("/")
    if slash:
        ours = owner.lower() == call.hub.organisation.login.lower()
        return ours and slug in call.hub.teams
    account = call.hub.directory.by_login(name)
    return account is not None and call.repository.role(account) in _WRITERS
