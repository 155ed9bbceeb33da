"""GitHub's REST API over a fake forge: what each path answers, as far as it matters; the contract completes the rest."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.forge.server import ApiRequest, ApiResponse, Handler
from tests.forge.state import CheckRun, Comment, Issue, Pull, Refusal, Review, Rules, Status, User

if TYPE_CHECKING:
    from tests.forge.fake import FakeForge

_REPO = "/repos/{owner}/{repo}"
_EVENTS = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}
_RULESET = 500


class GitHub:
    """Handlers by method and path."""

    described = True

    def __init__(self, forge: "FakeForge") -> None:
        self._forge = forge

    def refusal(self, refusal: Refusal) -> dict[str, Any]:
        """Return how GitHub says no."""
        errors = {"errors": list(refusal.errors)} if refusal.errors else {}
        return {"message": str(refusal), "documentation_url": "https://docs.github.com/rest", **errors}

    def routes(self) -> dict[tuple[str, str], Handler]:
        """Return the handlers."""
        return {
            ("GET", "/user"): self._me,
            ("GET", _REPO): self._repository,
            ("GET", f"{_REPO}/activity"): self._activity,
            ("GET", f"{_REPO}/collaborators/{{username}}/permission"): self._permission,
            ("GET", f"{_REPO}/pulls"): self._pulls,
            ("POST", f"{_REPO}/pulls"): self._open,
            ("GET", f"{_REPO}/pulls/{{pull_number}}"): lambda a: ApiResponse(self._pull(self._one(a), whole=True)),
            ("PATCH", f"{_REPO}/pulls/{{pull_number}}"): self._edit_pull,
            ("PUT", f"{_REPO}/pulls/{{pull_number}}/merge"): self._merge,
            ("GET", f"{_REPO}/pulls/{{pull_number}}/reviews"): self._reviews,
            ("POST", f"{_REPO}/pulls/{{pull_number}}/reviews"): self._post_review,
            ("PUT", f"{_REPO}/pulls/{{pull_number}}/reviews/{{review_id}}/dismissals"): self._dismiss,
            ("GET", f"{_REPO}/commits/{{commit_sha}}/pulls"): self._pulls_of,
            ("GET", f"{_REPO}/issues"): self._issues,
            ("POST", f"{_REPO}/issues"): self._open_issue,
            ("GET", f"{_REPO}/issues/{{issue_number}}"): lambda a: ApiResponse(
                self._issue(self._forge.item(a.number("issue_number")))
            ),
            ("PATCH", f"{_REPO}/issues/{{issue_number}}"): self._edit_issue,
            ("GET", f"{_REPO}/issues/{{issue_number}}/comments"): self._comments,
            ("POST", f"{_REPO}/issues/{{issue_number}}/comments"): self._post_comment,
            ("PATCH", f"{_REPO}/issues/comments/{{comment_id}}"): self._edit_comment,
            ("GET", f"{_REPO}/issues/{{issue_number}}/labels"): lambda a: ApiResponse(
                _labels(self._forge.item(a.number("issue_number")))
            ),
            ("POST", f"{_REPO}/issues/{{issue_number}}/labels"): self._label,
            ("GET", f"{_REPO}/commits/{{ref}}/check-runs"): self._runs,
            ("POST", f"{_REPO}/check-runs"): self._post_run,
            ("GET", f"{_REPO}/commits/{{ref}}/statuses"): self._statuses,
            ("GET", f"{_REPO}/commits/{{ref}}/status"): self._combined,
            ("POST", f"{_REPO}/statuses/{{sha}}"): self._post_status,
            ("GET", f"{_REPO}/deployments"): self._deployments,
            ("POST", f"{_REPO}/deployments"): self._deploy,
            ("GET", f"{_REPO}/deployments/{{deployment_id}}/statuses"): self._deployment_statuses,
            ("POST", f"{_REPO}/deployments/{{deployment_id}}/statuses"): self._post_deployment_status,
            ("GET", f"{_REPO}/rules/branches/{{branch}}"): self._rules,
            ("GET", f"{_REPO}/environments/{{environment_name}}"): self._environment,
            ("GET", f"{_REPO}/environments/{{environment_name}}/deployment-branch-policies"): self._branch_policies,
            ("GET", f"{_REPO}/rulesets"): self._rulesets,
            ("GET", f"{_REPO}/rulesets/{{ruleset_id}}"): self._ruleset,
            ("GET", f"{_REPO}/branches/{{branch}}/protection"): self._protection,
        }

    # People and the repository

    def _me(self, asked: ApiRequest) -> ApiResponse:
        user = self._forge.need(asked.user, "none")
        if user.app:
            raise Refusal(403, "Resource not accessible by integration")
        return ApiResponse({"login": user.login, "id": user.id, "type": "User", "user_view_type": "private"})

    def _repository(self, asked: ApiRequest) -> ApiResponse:
        names = {"admin": "admin", "maintain": "maintain", "push": "write", "triage": "triage", "pull": "read"}
        may = {name: asked.user is not None and asked.user.may(role) for name, role in names.items()}
        scopes = {} if asked.user is None or asked.user.app else {"X-OAuth-Scopes": "repo, workflow"}
        return ApiResponse(self._repo(self._forge.owner) | {"permissions": may}, headers=scopes)

    def _permission(self, asked: ApiRequest) -> ApiResponse:
        user = self._forge.users.get(asked.words["username"])
        if user is None:
            raise Refusal(404, "Not Found")
        plain = {"maintain": "write", "triage": "read"}.get(user.role, user.role)
        return ApiResponse({"permission": plain, "role_name": user.role, "user": _user(user)})

    def _activity(self, asked: ApiRequest) -> ApiResponse:
        self._forge.need(asked.user, "read")
        ref = asked.query["ref"]
        pulls = [one for one in self._forge.all_pulls() if f"refs/heads/{one.branch}" == ref]
        pushes = [push for one in sorted(pulls, key=lambda one: one.number) for push in one.pushes]
        found = [
            {
                "id": number,
                "node_id": f"push-{number}",
                "before": before,
                "after": after,
                "ref": ref,
                "timestamp": "2026-03-01T12:00:00Z",
                "activity_type": "push" if before.strip("0") else "branch_creation",
                "actor": None if user.gone else _user(user),
            }
            for number, (before, after, user) in enumerate(pushes, start=1)
        ]
        return ApiResponse(found[::-1])

    def _repo(self, owner: str) -> dict[str, Any]:
        name = self._forge.repository.split("/")[1]
        fork = owner != self._forge.owner
        return {
            "id": 2 if fork else 1,
            "name": name,
            "full_name": f"{owner}/{name}",
            "fork": fork,
            "private": True,
            "html_url": f"{self._forge.url}/{owner}/{name}",
            "default_branch": "main",
        }

    # Pull requests

    def _one(self, asked: ApiRequest) -> Pull:
        return self._forge.pull(asked.number("pull_number"))

    def _pulls(self, asked: ApiRequest) -> ApiResponse:
        query = asked.query
        found = [
            one
            for one in self._forge.all_pulls()
            if query.get("state", "open") in {"all", "open" if one.open else "closed"}
            and query.get("base", one.base) == one.base
            and query.get("head", f"{one.owner}:{one.branch}") == f"{one.owner}:{one.branch}"
        ]
        ordered = reversed(found) if query.get("direction") == "asc" else found
        return ApiResponse([self._pull(one) for one in ordered])

    def _pulls_of(self, asked: ApiRequest) -> ApiResponse:
        return ApiResponse(
            [self._pull(one) for one in self._forge.pulls_of(self._forge.commit(asked.words["commit_sha"]))]
        )

    def _open(self, asked: ApiRequest) -> ApiResponse:
        user, body = self._forge.need(asked.user, "read", "pulls"), asked.body
        owner, _, branch = body["head"].rpartition(":")
        if (owner or self._forge.owner) == self._forge.owner:
            self._forge.need(user, "write", "pulls")
        pull = self._forge.open(
            user.login,
            branch,
            body["base"],
            body["title"],
            body.get("body") or "",
            draft=body.get("draft", False),
            owner=owner,
        )
        return ApiResponse(self._pull(pull, whole=True), 201)

    def _edit_pull(self, asked: ApiRequest) -> ApiResponse:
        pull = self._one(asked)
        self._edit(asked, pull)
        return ApiResponse(self._pull(pull, whole=True))

    def _edit(self, asked: ApiRequest, one: Issue) -> None:
        user = self._forge.need(asked.user, "read", "pulls" if isinstance(one, Pull) else "issues")
        if user is not one.user:
            self._forge.need(user, "triage")
        one.title = asked.body.get("title", one.title)
        one.body = asked.body.get("body", one.body)
        if "state" in asked.body:
            self._forge.close(one.number, open=asked.body["state"] == "open")

    def _merge(self, asked: ApiRequest) -> ApiResponse:
        user = self._forge.need(asked.user, "write", "pulls")
        new = self._forge.merge(
            user.login,
            asked.number("pull_number"),
            asked.body.get("merge_method", "merge"),
            title=asked.body.get("commit_title"),
            head=asked.body.get("sha"),
        )
        return ApiResponse({"sha": new, "merged": True, "message": "Pull Request successfully merged"})

    def _reviews(self, asked: ApiRequest) -> ApiResponse:
        pull = self._one(asked)
        return ApiResponse([self._review(pull, one) for one in pull.reviews])

    def _post_review(self, asked: ApiRequest) -> ApiResponse:
        user, body, pull = self._forge.need(asked.user, "read", "pulls"), asked.body, self._one(asked)
        review = self._forge.review(
            user.login,
            pull.number,
            _EVENTS[body["event"]],  # type: ignore[arg-type]
            body=body.get("body", ""),
            commit=body.get("commit_id"),
        )
        return ApiResponse(self._review(pull, review))

    def _dismiss(self, asked: ApiRequest) -> ApiResponse:
        user, pull = self._forge.need(asked.user, "write", "pulls"), self._one(asked)
        review = self._forge.dismiss(user.login, pull.number, asked.number("review_id"), message=asked.body["message"])
        return ApiResponse(self._review(pull, review))

    def _pull(self, pull: Pull, *, whole: bool = False) -> dict[str, Any]:
        where = f"{self._forge.url}/{self._forge.repository}/pull/{pull.number}"
        brief = {
            "id": pull.id,
            "number": pull.number,
            "html_url": where,
            "url": f"{self._forge.api}/repos/{self._forge.repository}/pulls/{pull.number}",
            "state": "open" if pull.open else "closed",
            "draft": pull.draft,
            "title": pull.title,
            "body": pull.body or None,
            "user": _ghost(pull.user) if whole else _user(pull.user),
            "labels": _labels(pull),
            "head": {
                "label": f"{pull.owner}:{pull.branch}",
                "ref": pull.branch,
                "sha": pull.head,
                "repo": self._repo(pull.owner),
                "user": {"login": pull.owner, "id": 50},
            },
            "base": {
                "label": f"{self._forge.owner}:{pull.base}",
                "ref": pull.base,
                "sha": self._forge.git.tip(pull.base) or pull.based_on,
                "repo": self._repo(self._forge.owner),
                "user": {"login": self._forge.owner, "id": 51},
            },
            "created_at": _time(pull.at),
            "updated_at": _time(pull.at),
            "closed_at": _time(pull.closed_at),
            "merged_at": _time(pull.merged_at),
            "merge_commit_sha": pull.merged_as,
        }
        if not whole:
            return brief
        onto = self._forge.git.tip(pull.base)
        fits = bool(onto and self._forge.git.merged_tree(onto, pull.head)) if pull.open else None
        more = {"merged": pull.merged_at is not None, "merged_by": _user(pull.merged_by), "mergeable": fits}
        return brief | more | {"mergeable_state": "blocked" if pull.open and self._forge.lacking(pull) else "clean"}

    def _review(self, pull: Pull, review: Review) -> dict[str, Any]:
        where = f"{self._forge.url}/{self._forge.repository}/pull/{pull.number}"
        return {
            "id": review.id,
            "user": _user(review.user),
            "body": review.body,
            "state": review.state,
            "commit_id": review.commit,
            "submitted_at": _time(review.at),
            "html_url": f"{where}#pullrequestreview-{review.id}",
        }

    # Words

    def _issues(self, asked: ApiRequest) -> ApiResponse:
        wanted, state = set(filter(None, asked.query.get("labels", "").split(","))), asked.query.get("state", "open")
        everything = [*self._forge.issues.values(), *self._forge.all_pulls()]
        found = [one for one in everything if state in {"all", "open" if one.open else "closed"}]
        found.sort(key=lambda one: -one.number)
        return ApiResponse([self._issue(one) for one in found if wanted <= set(one.labels)])

    def _open_issue(self, asked: ApiRequest) -> ApiResponse:
        user, body = self._forge.need(asked.user, "read", "issues"), asked.body
        issue = self._forge.issue(user.login, body["title"], body.get("body") or "", tuple(body.get("labels", ())))
        return ApiResponse(self._issue(issue), 201)

    def _edit_issue(self, asked: ApiRequest) -> ApiResponse:
        one = self._forge.item(asked.number("issue_number"))
        self._edit(asked, one)
        return ApiResponse(self._issue(one))

    def _issue(self, one: Issue) -> dict[str, Any]:
        kind = "pull" if isinstance(one, Pull) else "issues"
        links = dict.fromkeys(("url", "html_url", "diff_url", "patch_url"), f"{self._forge.url}/x")
        return {
            "id": one.id,
            "number": one.number,
            "html_url": f"{self._forge.url}/{self._forge.repository}/{kind}/{one.number}",
            "title": one.title,
            "body": one.body or None,
            "state": "open" if one.open else "closed",
            "user": _user(one.user),
            "labels": _labels(one),
            "created_at": _time(one.at),
            "closed_at": _time(one.closed_at),
            **({"pull_request": links} if kind == "pull" else {}),
        }

    def _comments(self, asked: ApiRequest) -> ApiResponse:
        number = self._forge.item(asked.number("issue_number")).number
        return ApiResponse([self._comment(one) for one in self._forge.comments if one.number == number])

    def _post_comment(self, asked: ApiRequest) -> ApiResponse:
        user = self._forge.need(asked.user, "read", "issues")
        comment = self._forge.comment(user.login, asked.number("issue_number"), asked.body["body"])
        return ApiResponse(self._comment(comment), 201)

    def _edit_comment(self, asked: ApiRequest) -> ApiResponse:
        comment = next((one for one in self._forge.comments if one.id == asked.number("comment_id")), None)
        if comment is None:
            raise Refusal(404, "Not Found")
        user = self._forge.need(asked.user, "read", "issues")
        if user is not comment.user:
            self._forge.need(user, "write")
        comment.body = asked.body["body"]
        return ApiResponse(self._comment(comment))

    def _comment(self, comment: Comment) -> dict[str, Any]:
        where = f"{self._forge.url}/{self._forge.repository}/issues/{comment.number}#issuecomment-{comment.id}"
        return {"id": comment.id, "user": _user(comment.user), "body": comment.body, "html_url": where}

    def _label(self, asked: ApiRequest) -> ApiResponse:
        self._forge.need(asked.user, "triage", "issues")
        one = self._forge.item(asked.number("issue_number"))
        self._forge.label(one, tuple(asked.body["labels"]))
        return ApiResponse(_labels(one))

    # Checks and deployments

    def _runs(self, asked: ApiRequest) -> ApiResponse:
        self._forge.need(asked.user, "read", "read-checks")
        commit = self._forge.commit(asked.words["ref"])
        last = {(one.app, one.name): one for one in self._forge.runs if one.commit == commit}
        runs = [self._run(one) for one in last.values()]
        return ApiResponse({"total_count": len(runs), "check_runs": runs}, key="check_runs")

    def _post_run(self, asked: ApiRequest) -> ApiResponse:
        user, body = self._forge.need(asked.user, "write", "checks"), asked.body
        if not user.app:
            raise Refusal(403, "You must authenticate via a GitHub App.")
        output = body.get("output", {})
        if len(output.get("annotations", ())) > 50:
            raise Refusal(422, "Invalid request.")
        run = self._forge.check(body["name"], body["head_sha"], body.get("conclusion"), app=user.app, **output)
        run.details_url = body.get("details_url")
        return ApiResponse(self._run(run), 201)

    def _run(self, run: CheckRun) -> dict[str, Any]:
        output = {
            "title": run.output.get("title"),
            "summary": run.output.get("summary"),
            "text": None,
            "annotations_count": len(run.output.get("annotations", ())),
            "annotations_url": f"{self._forge.api}/annotations",
        }
        return {
            "id": run.id,
            "name": run.name,
            "head_sha": run.commit,
            "status": run.status,
            "conclusion": run.conclusion,
            "started_at": _time(run.at),
            "completed_at": None if run.conclusion is None else _time(run.at),
            "details_url": run.details_url,
            "output": output,
            "app": {"slug": run.app, "name": run.app.title(), "id": 15368, "permissions": {}, "events": []},
        }

    def _statuses(self, asked: ApiRequest) -> ApiResponse:
        self._forge.need(asked.user, "read", "read-checks")
        commit = self._forge.commit(asked.words["ref"])
        return ApiResponse(
            [_status(one, creator=True) for one in reversed(self._forge.statuses) if one.commit == commit]
        )

    def _combined(self, asked: ApiRequest) -> ApiResponse:
        commit = self._forge.commit(asked.words["ref"])
        last = {one.context: one for one in self._forge.statuses if one.commit == commit}
        states = {one.state for one in last.values()}
        state = "failure" if states & {"failure", "error"} else "pending" if states != {"success"} else "success"
        statuses = [_status(one) for one in last.values()]
        whole = {"state": state, "sha": commit, "total_count": len(statuses), "statuses": statuses}
        return ApiResponse(whole | {"repository": self._repo(self._forge.owner)}, key="statuses")

    def _post_status(self, asked: ApiRequest) -> ApiResponse:
        user, body = self._forge.need(asked.user, "write", "statuses"), asked.body
        if len(body.get("description") or "") > 140:
            raise Refusal(422, "Validation Failed", {"resource": "Status", "field": "description", "code": "custom"})
        more = {key: body[key] for key in ("description", "target_url") if key in body}
        status = self._forge.status(
            user.login, body.get("context", "default"), asked.words["sha"], body["state"], **more
        )
        return ApiResponse(_status(status, creator=True), 201)

    def _deployments(self, asked: ApiRequest) -> ApiResponse:
        wanted = {key: asked.query[key] for key in ("sha", "environment") if key in asked.query}
        found = [
            one
            for one in reversed(self._forge.deployments)
            if wanted.get("sha", one.commit) == one.commit
            and wanted.get("environment", one.environment) == one.environment
        ]
        return ApiResponse([self._deployment(one) for one in found])

    def _deploy(self, asked: ApiRequest) -> ApiResponse:
        user, body = self._forge.need(asked.user, "write", "deployments"), asked.body
        commit = self._forge.commit(body["ref"])
        contexts, results = body.get("required_contexts"), self._forge.results(commit)
        wanted = results if contexts is None else contexts
        if any(results.get(one) != "success" for one in wanted):
            raise Refusal(409, "Conflict: Commit status checks failed for the ref.")
        made = self._forge.deploy(
            user.login, commit, body.get("environment", "production"), body.get("description"), body.get("payload")
        )
        return ApiResponse(self._deployment(made), 201)

    def _deployment(self, one: Any) -> dict[str, Any]:
        shown = {key: getattr(one, key) for key in ("id", "environment", "description", "payload")}
        return shown | {"sha": one.commit, "ref": one.commit, "creator": _user(one.user), "created_at": _time(one.at)}

    def _which(self, asked: ApiRequest) -> Any:
        found = next((one for one in self._forge.deployments if one.id == asked.number("deployment_id")), None)
        if found is None:
            raise Refusal(404, "Not Found")
        return found

    def _deployment_statuses(self, asked: ApiRequest) -> ApiResponse:
        return ApiResponse(list(reversed(self._which(asked).statuses)))

    def _post_deployment_status(self, asked: ApiRequest) -> ApiResponse:
        user, made = self._forge.need(asked.user, "write", "deployments"), self._which(asked)
        status = {key: asked.body[key] for key in ("state", "description", "environment") if key in asked.body}
        made.statuses.append(status | {"id": self._forge.id(), "creator": _user(user)})
        return ApiResponse(made.statuses[-1], 201)

    # Environments

    def _environment(self, asked: ApiRequest) -> ApiResponse:
        name = asked.words["environment_name"]
        if name not in self._forge.environments:
            raise Refusal(404, "Not Found")
        allowed = self._forge.environments[name]
        limits = {"protected_branches": allowed == (), "custom_branch_policies": bool(allowed)}
        url = f"{self._forge.api}/x"
        stamp = _time(self._forge.now())
        told = {"id": 1, "node_id": "E", "name": name, "url": url, "html_url": url}
        policy = {"deployment_branch_policy": None if allowed is None else limits}
        return ApiResponse(told | {"created_at": stamp, "updated_at": stamp} | policy)

    def _branch_policies(self, asked: ApiRequest) -> ApiResponse:
        allowed = self._forge.environments[asked.words["environment_name"]] or ()
        policies = [{"id": n, "node_id": "P", "name": name, "type": "branch"} for n, name in enumerate(allowed)]
        return ApiResponse({"total_count": len(policies), "branch_policies": policies})

    # Rules

    def _set(self) -> list[tuple[int, str, Rules]]:
        """Return the rulesets: id, branch, rules."""
        return [
            (_RULESET + n, branch, rules)
            for n, (branch, rules) in enumerate(self._forge.rules.items())
            if not rules.protection
        ]

    def _rules(self, asked: ApiRequest) -> ApiResponse:
        info = {"ruleset_source_type": "Repository", "ruleset_source": self._forge.repository}
        return ApiResponse(
            [
                {**rule, **info, "ruleset_id": number}
                for number, branch, rules in self._set()
                if branch == asked.words["branch"]
                for rule in _told(rules)
            ]
        )

    def _rulesets(self, asked: ApiRequest) -> ApiResponse:
        return ApiResponse([self._brief(number, branch) for number, branch, _ in self._set()])

    def _brief(self, number: int, branch: str) -> dict[str, Any]:
        named = {"id": number, "name": f"Guard {branch}", "target": "branch", "enforcement": "active"}
        return named | {"source_type": "Repository", "source": self._forge.repository}

    def _ruleset(self, asked: ApiRequest) -> ApiResponse:
        for number, branch, rules in self._set():
            if number == asked.number("ruleset_id"):
                actors = [
                    {"actor_id": self._forge.users[login].id, "actor_type": "User", "bypass_mode": "always"}
                    for login in rules.bypass
                ]
                shown = {"bypass_actors": actors} if asked.user and asked.user.may("write") else {}
                where = {"ref_name": {"include": [f"refs/heads/{branch}"], "exclude": []}}
                return ApiResponse(self._brief(number, branch) | shown | {"conditions": where, "rules": _told(rules)})
        raise Refusal(404, "Not Found")

    def _protection(self, asked: ApiRequest) -> ApiResponse:
        self._forge.need(asked.user, "admin", "administration")
        rules = self._forge.rule(asked.words["branch"])
        if not rules.protection:
            raise Refusal(404, "Branch not protected")
        told: dict[str, Any] = {
            "enforce_admins": {"url": f"{self._forge.api}/x", "enabled": not rules.bypass},
            "required_linear_history": {"enabled": rules.linear},
            "allow_force_pushes": {"enabled": rules.force_push},
            "allow_deletions": {"enabled": rules.deletion},
            "required_signatures": {"url": f"{self._forge.api}/x", "enabled": rules.signed},
        }
        if rules.checks:
            checks = [{"context": name, "app_id": None} for name in rules.checks]
            told["required_status_checks"] = {"strict": rules.strict, "contexts": list(rules.checks), "checks": checks}
        if rules.reviews:
            told["required_pull_request_reviews"] = {
                "dismiss_stale_reviews": rules.dismiss_stale,
                "require_code_owner_reviews": rules.code_owners,
                "required_approving_review_count": rules.reviews,
                "require_last_push_approval": rules.last_push,
            }
        return ApiResponse(told)


def _told(rules: Rules) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if rules.reviews:
        parameters = {
            "dismiss_stale_reviews_on_push": rules.dismiss_stale,
            "require_code_owner_review": rules.code_owners,
            "require_last_push_approval": rules.last_push,
            "required_approving_review_count": rules.reviews,
            "required_review_thread_resolution": False,
        }
        found.append({"type": "pull_request", "parameters": parameters})
    if rules.checks:
        checks = [{"context": name} for name in rules.checks]
        demanded = {"required_status_checks": checks, "strict_required_status_checks_policy": rules.strict}
        found.append({"type": "required_status_checks", "parameters": demanded})
    plain = {
        "required_linear_history": rules.linear,
        "required_signatures": rules.signed,
        "non_fast_forward": not rules.force_push,
        "deletion": not rules.deletion,
    }
    return found + [{"type": kind} for kind, holds in plain.items() if holds]


def _user(user: User | None) -> dict[str, Any] | None:
    if user is None or user.gone:
        return None
    return {"login": user.login, "id": user.id, "type": "Bot" if user.app else "User"}


def _ghost(user: User) -> dict[str, Any]:
    """Return a user where GitHub's description allows no null."""
    return _user(user) or {"login": "ghost", "id": 10137, "type": "User"}


def _labels(one: Issue) -> list[dict[str, Any]]:
    return [{"id": 7000 + n, "name": name, "color": "ededed", "default": False} for n, name in enumerate(one.labels)]


def _status(status: Status, *, creator: bool = False) -> dict[str, Any]:
    shown = {key: getattr(status, key) for key in ("id", "context", "state", "description", "target_url")}
    times = {"created_at": _time(status.at), "updated_at": _time(status.at)}
    return shown | times | ({"creator": _user(status.user)} if creator else {})


def _time(moment: datetime | None) -> str | None:
    return moment and moment.strftime("%Y-%m-%dT%H:%M:%SZ")
