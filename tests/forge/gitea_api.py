"""Gitea's REST API over a fake forge, as far as it differs from GitHub's; Forgejo's is the same."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.forge.server import ApiRequest, ApiResponse, Handler
from tests.forge.state import Comment, Issue, Pull, Refusal, Review, Status, User

if TYPE_CHECKING:
    from tests.forge.fake import FakeForge

_REPO = "/repos/{owner}/{repo}"
_STATES = {"APPROVED": "APPROVED", "CHANGES_REQUESTED": "REQUEST_CHANGES", "COMMENTED": "COMMENT"}
_EVENTS = {"APPROVED": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}


class Gitea:
    """Handlers by method and path."""

    described = False

    def __init__(self, forge: "FakeForge") -> None:
        self._forge = forge

    def refusal(self, refusal: Refusal) -> dict[str, Any]:
        """Return how Gitea says no."""
        told = [one.get("message", "") for one in refusal.errors]
        return {"message": "; ".join(filter(None, [str(refusal), *told])), "url": f"{self._forge.url}/api/swagger"}

    def routes(self) -> dict[tuple[str, str], Handler]:
        """Return the handlers."""
        return {
            ("GET", "/user"): lambda a: ApiResponse(_user(self._forge.need(a.user, "none"))),
            ("GET", _REPO): self._repository,
            ("GET", f"{_REPO}/pulls"): self._pulls,
            ("POST", f"{_REPO}/pulls"): self._open,
            ("GET", f"{_REPO}/pulls/{{index}}"): lambda a: ApiResponse(self._pull(self._one(a))),
            ("PATCH", f"{_REPO}/pulls/{{index}}"): self._edit_pull,
            ("POST", f"{_REPO}/pulls/{{index}}/merge"): self._merge,
            ("GET", f"{_REPO}/pulls/{{index}}/reviews"): self._reviews,
            ("POST", f"{_REPO}/pulls/{{index}}/reviews"): self._post_review,
            ("POST", f"{_REPO}/pulls/{{index}}/reviews/{{id}}/dismissals"): self._dismiss,
            ("GET", f"{_REPO}/commits/{{sha}}/pull"): self._pull_of,
            ("GET", f"{_REPO}/issues"): self._issues,
            ("POST", f"{_REPO}/issues"): self._open_issue,
            ("PATCH", f"{_REPO}/issues/{{index}}"): self._edit_issue,
            ("GET", f"{_REPO}/issues/{{index}}/comments"): self._comments,
            ("POST", f"{_REPO}/issues/{{index}}/comments"): self._post_comment,
            ("GET", f"{_REPO}/issues/{{index}}/timeline"): self._timeline,
            ("PATCH", f"{_REPO}/issues/comments/{{id}}"): self._edit_comment,
            ("GET", f"{_REPO}/labels"): lambda a: ApiResponse(self._labels(self._forge.labels)),
            ("POST", f"{_REPO}/labels"): self._make_label,
            ("POST", f"{_REPO}/issues/{{index}}/labels"): self._label,
            ("GET", f"{_REPO}/commits/{{ref}}/statuses"): self._statuses,
            ("POST", f"{_REPO}/statuses/{{sha}}"): self._post_status,
            ("GET", f"{_REPO}/branches/{{branch}}"): self._branch,
            ("GET", f"{_REPO}/branch_protections/{{name}}"): self._protection,
        }

    def _timeline(self, asked: ApiRequest) -> ApiResponse:
        pushes = self._forge.pull(asked.number("index")).pushes
        events = [{"type": "pull_push", "user": _user(user), "body": ""} for _, _, user in pushes[1:]]
        return ApiResponse([{"type": "comment", "user": None, "body": "Looks good"}, *events])

    def _repository(self, asked: ApiRequest) -> ApiResponse:
        names = {"admin": "admin", "push": "write", "pull": "read"}
        may = {name: asked.user is not None and asked.user.may(role) for name, role in names.items()}
        return ApiResponse(self._repo(self._forge.owner) | {"permissions": may})

    def _repo(self, owner: str) -> dict[str, Any]:
        name = self._forge.repository.split("/")[1]
        where = f"{self._forge.url}/{owner}/{name}"
        return {"id": 1 if owner == self._forge.owner else 2, "full_name": f"{owner}/{name}", "html_url": where}

    # Pull requests

    def _one(self, asked: ApiRequest) -> Pull:
        return self._forge.pull(asked.number("index"))

    def _pulls(self, asked: ApiRequest) -> ApiResponse:
        state = asked.query.get("state", "open")
        found = [one for one in self._forge.all_pulls() if state in {"all", "open" if one.open else "closed"}]
        return ApiResponse([self._pull(one) for one in found])

    def _pull_of(self, asked: ApiRequest) -> ApiResponse:
        found = [one for one in self._forge.pulls_of(self._forge.commit(asked.words["sha"])) if one.merged_at]
        if not found:
            raise Refusal(404, "pull request does not exist")
        return ApiResponse(self._pull(found[0]))

    def _open(self, asked: ApiRequest) -> ApiResponse:
        user, body = self._forge.need(asked.user, "read"), asked.body
        owner, _, branch = body["head"].rpartition(":")
        try:
            pull = self._forge.open(user.login, branch, body["base"], body["title"], body.get("body", ""), owner=owner)
        except Refusal as refusal:
            exists = any("already exists" in one.get("message", "") for one in refusal.errors)
            raise Refusal(409 if exists else 422, str(refusal), *refusal.errors) from refusal
        return ApiResponse(self._pull(pull), 201)

    def _edit_pull(self, asked: ApiRequest) -> ApiResponse:
        pull = self._one(asked)
        self._edit(asked, pull)
        return ApiResponse(self._pull(pull), 201)

    def _edit(self, asked: ApiRequest, one: Issue) -> None:
        user = self._forge.need(asked.user, "read")
        if user is not one.user:
            self._forge.need(user, "write")
        one.title = asked.body.get("title", one.title)
        one.body = asked.body.get("body", one.body)
        if "state" in asked.body:
            self._forge.close(one.number, open=asked.body["state"] == "open")

    def _merge(self, asked: ApiRequest) -> ApiResponse:
        user = self._forge.need(asked.user, "write")
        self._forge.merge(
            user.login,
            asked.number("index"),
            asked.body["Do"],
            title=asked.body.get("MergeTitleField"),
            head=asked.body.get("head_commit_id"),
        )
        return ApiResponse(None)

    def _reviews(self, asked: ApiRequest) -> ApiResponse:
        pull = self._one(asked)
        return ApiResponse([self._review(pull, one) for one in pull.reviews])

    def _post_review(self, asked: ApiRequest) -> ApiResponse:
        user, body, pull = self._forge.need(asked.user, "read"), asked.body, self._one(asked)
        review = self._forge.review(
            user.login,
            pull.number,
            _EVENTS[body["event"]],  # type: ignore[arg-type]
            body=body.get("body", ""),
            commit=body.get("commit_id"),
        )
        return ApiResponse(self._review(pull, review))

    def _dismiss(self, asked: ApiRequest) -> ApiResponse:
        user, pull = self._forge.need(asked.user, "admin"), self._one(asked)
        return ApiResponse(self._review(pull, self._forge.dismiss(user.login, pull.number, asked.number("id"))))

    def _pull(self, pull: Pull) -> dict[str, Any]:
        def side(owner: str, branch: str, commit: str) -> dict[str, Any]:
            return {"label": branch, "ref": branch, "sha": commit, "repo": self._repo(owner)}

        return {
            "id": pull.id,
            "number": pull.number,
            "html_url": f"{self._forge.url}/{self._forge.repository}/pulls/{pull.number}",
            "title": pull.title,
            "body": pull.body,
            "state": "open" if pull.open else "closed",
            "draft": pull.draft or pull.title.startswith("WIP:"),
            "user": _user(pull.user),
            "labels": self._labels(pull.labels),
            "merged": pull.merged_at is not None,
            "merged_by": pull.merged_by and _user(pull.merged_by),
            "merge_commit_sha": pull.merged_as,
            "merged_at": _time(pull.merged_at),
            "head": side(pull.owner, pull.branch, pull.head),
            "base": side(self._forge.owner, pull.base, self._forge.git.tip(pull.base) or pull.based_on),
        }

    def _review(self, pull: Pull, review: Review) -> dict[str, Any]:
        return {
            "id": review.id,
            "user": _user(review.user),
            "body": review.body,
            "state": _STATES[review.before or review.state],
            "commit_id": review.commit or "",
            "submitted_at": _time(review.at),
            "dismissed": review.state == "DISMISSED",
            "stale": review.commit != pull.head,
            "official": review.official,
        }

    # Words

    def _issues(self, asked: ApiRequest) -> ApiResponse:
        wanted = set(filter(None, asked.query.get("labels", "").split(",")))
        pulls = [] if asked.query.get("type") == "issues" else self._forge.all_pulls()
        found = [one for one in (*self._forge.issues.values(), *pulls) if one.open and wanted <= set(one.labels)]
        return ApiResponse([self._issue(one) for one in sorted(found, key=lambda one: -one.number)])

    def _open_issue(self, asked: ApiRequest) -> ApiResponse:
        user, body = self._forge.need(asked.user, "read"), asked.body
        labels = tuple(self._forge.labels[number - 1] for number in body.get("labels", ()))
        return ApiResponse(self._issue(self._forge.issue(user.login, body["title"], body.get("body", ""), labels)), 201)

    def _edit_issue(self, asked: ApiRequest) -> ApiResponse:
        one = self._forge.item(asked.number("index"))
        self._edit(asked, one)
        return ApiResponse(self._issue(one), 201)

    def _issue(self, one: Issue) -> dict[str, Any]:
        kind = "pulls" if isinstance(one, Pull) else "issues"
        return {
            "id": one.id,
            "number": one.number,
            "html_url": f"{self._forge.url}/{self._forge.repository}/{kind}/{one.number}",
            "title": one.title,
            "body": one.body,
            "state": "open" if one.open else "closed",
            "user": _user(one.user),
            "labels": self._labels(one.labels),
            "pull_request": {"merged": False} if kind == "pulls" else None,
        }

    def _comments(self, asked: ApiRequest) -> ApiResponse:
        number = self._forge.item(asked.number("index")).number
        return ApiResponse([_comment(one) for one in self._forge.comments if one.number == number])

    def _post_comment(self, asked: ApiRequest) -> ApiResponse:
        user = self._forge.need(asked.user, "read")
        return ApiResponse(_comment(self._forge.comment(user.login, asked.number("index"), asked.body["body"])), 201)

    def _edit_comment(self, asked: ApiRequest) -> ApiResponse:
        comment = next((one for one in self._forge.comments if one.id == asked.number("id")), None)
        if comment is None:
            raise Refusal(404, "Not Found")
        user = self._forge.need(asked.user, "read")
        if user is not comment.user:
            self._forge.need(user, "write")
        comment.body = asked.body["body"]
        return ApiResponse(_comment(comment))

    def _labels(self, names: list[str]) -> list[dict[str, Any]]:
        return [{"id": self._forge.labels.index(name) + 1, "name": name, "color": "ededed"} for name in names]

    def _make_label(self, asked: ApiRequest) -> ApiResponse:
        self._forge.need(asked.user, "write")
        self._forge.labels.append(asked.body["name"])
        return ApiResponse(self._labels([asked.body["name"]])[0], 201)

    def _label(self, asked: ApiRequest) -> ApiResponse:
        self._forge.need(asked.user, "write")
        one = self._forge.item(asked.number("index"))
        self._forge.label(one, tuple(self._forge.labels[number - 1] for number in asked.body["labels"]))
        return ApiResponse(self._labels(one.labels))

    # Statuses and protection

    def _statuses(self, asked: ApiRequest) -> ApiResponse:
        commit = self._forge.commit(asked.words["ref"])
        return ApiResponse([_status(one) for one in reversed(self._forge.statuses) if one.commit == commit])

    def _post_status(self, asked: ApiRequest) -> ApiResponse:
        user, body = self._forge.need(asked.user, "write"), asked.body
        more = {key: body[key] for key in ("description", "target_url") if key in body}
        status = self._forge.status(user.login, body["context"], asked.words["sha"], body["state"], **more)
        return ApiResponse(_status(status), 201)

    def _branch(self, asked: ApiRequest) -> ApiResponse:
        name = asked.words["branch"]
        commit = self._forge.git.tip(name)
        if commit is None:
            raise Refusal(404, "The target couldn't be found.")
        rules, guarded = self._forge.rule(name), name in self._forge.rules
        return ApiResponse(
            {
                "name": name,
                "commit": {"id": commit},
                "protected": guarded,
                "required_approvals": rules.reviews,
                "enable_status_check": bool(rules.checks),
                "status_check_contexts": list(rules.checks),
                "effective_branch_protection_name": name if guarded else "",
            }
        )

    def _protection(self, asked: ApiRequest) -> ApiResponse:
        self._forge.need(asked.user, "admin")
        name = asked.words["name"]
        if name not in self._forge.rules:
            raise Refusal(404, "Not Found")
        rules = self._forge.rules[name]
        return ApiResponse(
            {
                "rule_name": name,
                "branch_name": name,
                "enable_push": False,
                "enable_force_push": rules.force_push,
                "enable_status_check": bool(rules.checks),
                "status_check_contexts": list(rules.checks),
                "required_approvals": rules.reviews,
                "block_on_outdated_branch": rules.strict,
                "dismiss_stale_approvals": rules.dismiss_stale,
                "require_signed_commits": rules.signed,
                "enable_merge_whitelist": False,
                "block_admin_merge_override": not rules.bypass,
            }
        )


def _user(user: User) -> dict[str, Any]:
    if user.gone:
        return {"id": -1, "login": "Ghost"}
    return {"id": user.id, "login": user.login}


def _comment(comment: Comment) -> dict[str, Any]:
    return {"id": comment.id, "user": _user(comment.user), "body": comment.body}


def _status(status: Status) -> dict[str, Any]:
    shown = {key: getattr(status, key) for key in ("id", "context", "description", "target_url")}
    return shown | {"status": status.state, "creator": _user(status.user), "created_at": _time(status.at)}


def _time(moment: datetime | None) -> str | None:
    return moment and moment.strftime("%Y-%m-%dT%H:%M:%SZ")
