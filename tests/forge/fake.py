"""A forge on loopback that remembers: GitHub's REST API, or Gitea's, over a real bare repository.

    with FakeForge(origin, people={"ana": "admin", "ben": "write"}) as forge:   # kind="gitea" for the other one
        forge.environment("ana")            # what a person's environment says: address of the API, repository, token
        forge.environment(BOT)              # the same for a job of GitHub Actions
        forge.open("ana", "promote/x", "main", "Promote x")     # -> Pull; its number is .number
        forge.review("ben", 1)              # an approval, of what the branch is now
        forge.merge("ben", 1)               # under the rules of the branch; squash or rebase by method=

`origin` is the folder of a bare repository; people push to it with Git alone, and the forge sees that at its next question.
Whoever is in `people` may do there what the role says (none, read, triage, write, maintain, admin). The app of GitHub Actions,
`BOT`, has a token as well; check runs are for apps only, as at GitHub.

`desks.at_forge(team.ben, forge)` gives a person of `tests.flows.people` a desk whose environment knows the forge. Logins are
those of `people`; a `Refusal` is raised where the forge would say no.

| | |
|---|---|
| `url`, `api`, `repository`, `kind` | address for people, address of the API, `acme/churn`, `github` or `gitea` |
| `tokens[login]`, `environment(login)` | a token; a mapping of environment variables with it (None: without) |
| `users[login]`, `pulls[n]`, `issues[n]`, `comments`, `runs`, `statuses`, `deployments` | what it knows (see `state`) |
| `pull(n)` | a pull request as it is after whatever was pushed; `pulls[n]` is as it was when it was last looked at |
| `rules[branch] = Rules(reviews=1, checks=("mlgit/verdict",))` | what is enforced when a pull request is merged |
| `open`, `fork`, `review`, `dismiss`, `merge`, `close`, `comment`, `issue`, `check`, `status`, `deploy` | act as somebody |
| `delete_user`, `rename`, `pusher` | an account goes; another name of the repository; who is known to have pushed a merge |
| `branch_pusher` | who pushes to the branches of pull requests; the one who opened it, if nobody is named |
| `withheld = {"checks"}` | rights that the app's token lacks: checks, read-checks, statuses, deployments, pulls, issues |
| `fault(503, times=2, method="GET", path="/pulls")` | answer so the next times (see `Fault`) |
| `requests` | what was asked, oldest first: `login` or None, `method`, `path` with its query, `body` |
| `violations` | where a request or an answer was not as GitHub describes it: the context ends in a failure if there are any |
| `now` | the time: a function; by default a minute further with everything that happens |

A pull request follows its branch. Where the branch is gone it is closed; where its commit has come to the base, as `mlgit merge`
brings it there, it is merged, by `pusher` (a login, or nobody known). `refs/pull/N/head` keeps the last commit. Rules bind
merges alone: who pushes to a protected branch is not stopped.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from tests.forge.bare import BareRepository
from tests.forge.gitea_api import Gitea
from tests.forge.github_api import GitHub
from tests.forge.server import Fault, LoggedRequest, Server
from tests.forge.state import CheckRun, Comment, Deployment, Issue, Pull, Refusal, Review, Rules, Status, User

BOT = "github-actions[bot]"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

__all__ = ["BOT", "FakeForge", "Fault", "Refusal", "Rules"]


class FakeForge:
    """See above."""

    def __init__(
        self,
        origin: Path,
        *,
        people: Mapping[str, str],
        kind: Literal["github", "gitea"] = "github",
        repository: str = "acme/churn",
        base_path: str | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.kind = kind
        self.repository = repository
        self.former: list[str] = []
        self.git = BareRepository(origin)
        self.forks: dict[str, BareRepository] = {}
        self.users = {
            login: User(login, 100 + n, f"token-of-{login}", role) for n, (login, role) in enumerate(people.items())
        }
        self.users[BOT] = User(BOT, 41898282, "token-of-actions", "write", app="github-actions")
        self.pulls: dict[int, Pull] = {}
        self.issues: dict[int, Issue] = {}
        self.comments: list[Comment] = []
        self.runs: list[CheckRun] = []
        self.statuses: list[Status] = []
        self.deployments: list[Deployment] = []
        self.rules: dict[str, Rules] = {}
        self.environments: dict[str, tuple[str, ...] | None] = {}
        """The branches that may use each environment; None for all, none of them for the protected ones."""
        self.labels: list[str] = []
        self.withheld: set[str] = set()
        self.pusher: str | None = None
        self.branch_pusher: str | None = None
        self.faults: list[Fault] = []
        self.requests: list[LoggedRequest] = []
        self.violations: list[str] = []
        self.lock = threading.RLock()
        self.now = now or self._tick
        self._moment = START
        self._ids = 1000
        self._api = GitHub(self) if kind == "github" else Gitea(self)
        default = "" if kind == "github" else "/api/v1"
        self._server = Server(self, self._api, default if base_path is None else base_path)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        if kind is None:
            assert not self.violations, "\n".join(self.violations)

    # Where it is

    @property
    def url(self) -> str:
        """Its address for people."""
        return self._server.url

    @property
    def api(self) -> str:
        """The address of its API."""
        return self._server.url + self._server.base

    @property
    def tokens(self) -> dict[str, str]:
        """The token of each login."""
        return {login: user.token for login, user in self.users.items()}

    def environment(self, login: str | None) -> dict[str, str]:
        """Return what the environment of somebody says; without a token for None."""
        token = {} if login is None else {f"{self.kind.upper()}_TOKEN": self.tokens[login]}
        where = (
            {"GITHUB_API_URL": self.api, "GITHUB_SERVER_URL": self.url}
            if self.kind == "github"
            else {"GITEA_API_URL": self.api}
        )
        return where | token | {"GITHUB_REPOSITORY": self.repository}

    # What people do

    def open(
        self, login: str, branch: str, base: str, title: str, body: str = "", *, draft: bool = False, owner: str = ""
    ) -> Pull:
        """Open a pull request; `owner` says whose fork has the branch."""
        with self.lock:
            owner = owner or self.owner
            head, onto = self.source(owner).tip(branch), self.git.tip(base)
            if head is None or onto is None:
                raise Refusal(
                    422,
                    "Validation Failed",
                    {"resource": "PullRequest", "field": "base" if head else "head", "code": "invalid"},
                )
            if any(
                one.open and (one.owner, one.branch, one.base) == (owner, branch, base) for one in self.pulls.values()
            ):
                words = f"A pull request already exists for {owner}:{branch}."
                raise Refusal(422, "Validation Failed", {"resource": "PullRequest", "code": "custom", "message": words})
            if self.git.contains(onto, head) if owner == self.owner else head == onto:
                words = f"No commits between {base} and {branch}"
                raise Refusal(422, "Validation Failed", {"resource": "PullRequest", "code": "custom", "message": words})
            number = self._number()
            pull = Pull(
                self.id(),
                number,
                self.users[login],
                title,
                body,
                self.now(),
                branch=branch,
                base=base,
                owner=owner,
                based_on=onto,
                draft=draft,
            )
            self.pulls[number] = pull
            self._follow(pull)
            return pull

    def fork(self, login: str, folder: Path) -> BareRepository:
        """Know a bare repository as somebody's fork."""
        self.forks[login] = BareRepository(folder)
        return self.forks[login]

    def review(
        self,
        login: str,
        number: int,
        state: Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED"] = "APPROVED",
        *,
        body: str = "",
        commit: str | None = None,
    ) -> Review:
        """Submit a review of what the branch is now, or of an older commit; `state` in GitHub's words at either forge."""
        with self.lock:
            pull = self.pull(number)
            user = self.users[login]
            if user is pull.user and state != "COMMENTED":
                raise Refusal(422, "Unprocessable Entity: Can not approve your own pull request")
            review = Review(self.id(), user, state, body, commit or pull.head, self.now(), official=user.may("write"))
            pull.reviews.append(review)
            return review

    def dismiss(self, login: str, number: int, review: int, *, message: str = "Looked again") -> Review:
        """Dismiss a review."""
        with self.lock:
            self.need(self.users[login], "write")
            found = next((one for one in self.pull(number).reviews if one.id == review), None)
            if found is None:
                raise Refusal(404, "Not Found")
            if found.state not in {"APPROVED", "CHANGES_REQUESTED"}:
                raise Refusal(
                    422, "Validation Failed", {"resource": "PullRequestReview", "code": "custom", "message": message}
                )
            found.before, found.state = found.state, "DISMISSED"
            return found

    def merge(
        self,
        login: str,
        number: int,
        method: Literal["merge", "squash", "rebase"] = "merge",
        *,
        title: str | None = None,
        head: str | None = None,
    ) -> str:
        """Merge a pull request, if the rules of its base let it; return the commit that the base is at then."""
        with self.lock:
            pull, user = self.pull(number), self.users[login]
            self.need(user, "write")
            if not pull.open or pull.draft:
                raise Refusal(405, "Pull LoggedRequest is not mergeable")
            if head not in {None, pull.head}:
                raise Refusal(
                    409, f"Head branch was modified. Review and try the merge again. Expected head sha was {head}"
                )
            lacking = [] if login in self.rule(pull.base).bypass else self.lacking(pull, method)
            if lacking:
                raise Refusal(405, "; ".join(lacking))
            onto = self.git.tip(pull.base)
            assert onto is not None
            words = f"{title or pull.title} (#{number})\n\n{pull.body}"
            if method == "merge":
                words = f"Merge pull request #{number} from {pull.owner}/{pull.branch}\n\n{title or pull.title}"
            now = self.now()
            new = self.git.merge(onto, pull.head, method, words, login, f"@{int(now.timestamp())} +0000")
            if new is None:
                raise Refusal(405, "Pull LoggedRequest is not mergeable")
            self.git.move(f"refs/heads/{pull.base}", new, onto)
            self._merged(pull, new, user)
            return new

    def close(self, number: int, *, open: bool = False) -> None:  # noqa: A002 - the forge's word
        """Close a pull request or an issue, or open it again."""
        with self.lock:
            one = self.item(number)
            if open and isinstance(one, Pull) and (one.merged_at or self.source(one.owner).tip(one.branch) is None):
                raise Refusal(
                    422, "Validation Failed", {"resource": "PullRequest", "field": "state", "code": "invalid"}
                )
            one.open, one.closed_at = open, None if open else self.now()

    def comment(self, login: str, number: int, body: str) -> Comment:
        """Comment on a pull request or an issue."""
        with self.lock:
            comment = Comment(self.id(), self.item(number).number, self.users[login], body, self.now())
            self.comments.append(comment)
            return comment

    def issue(self, login: str, title: str, body: str = "", labels: tuple[str, ...] = ()) -> Issue:
        """Open an issue."""
        with self.lock:
            issue = Issue(self.id(), self._number(), self.users[login], title, body, self.now())
            self.issues[issue.number] = issue
            self.label(issue, labels)
            return issue

    def label(self, one: Issue, labels: tuple[str, ...]) -> None:
        """Add labels to a pull request or an issue; the repository learns those that it has not."""
        one.labels += [label for label in labels if label not in one.labels]
        self.labels += [label for label in labels if label not in self.labels]

    def check(
        self, name: str, commit: str, conclusion: str | None = "success", *, app: str = "github-actions", **output: Any
    ) -> CheckRun:
        """Post a check run as an app; it is still going on for None."""
        with self.lock:
            status = "in_progress" if conclusion is None else "completed"
            run = CheckRun(self.id(), name, self.commit(commit), app, status, conclusion, self.now(), output)
            self.runs.append(run)
            return run

    def status(self, login: str, context: str, commit: str, state: str = "success", **more: Any) -> Status:
        """Post a commit status."""
        with self.lock:
            status = Status(self.id(), context, self.commit(commit), state, self.users[login], self.now(), **more)
            self.statuses.append(status)
            return status

    def deploy(
        self, login: str, commit: str, environment: str, description: str | None = None, payload: Any = None
    ) -> Deployment:
        """Note a deployment."""
        with self.lock:
            made = Deployment(
                self.id(), self.commit(commit), environment, self.users[login], description, payload or {}, self.now()
            )
            self.deployments.append(made)
            return made

    def delete_user(self, login: str) -> None:
        """Delete an account; what it wrote stays, by nobody."""
        self.users[login].gone = True

    def rename(self, repository: str) -> None:
        """Give the repository another name; the former one is answered with a redirect."""
        self.former.append(self.repository)
        self.repository = repository

    def fault(self, status: int = 503, **how: Any) -> Fault:
        """ApiResponse the next requests with a fault (see `Fault`)."""
        self.faults.append(Fault(status, **how))
        return self.faults[-1]

    # What it knows

    @property
    def owner(self) -> str:
        """The owner of the repository."""
        return self.repository.split("/")[0]

    def source(self, owner: str) -> BareRepository:
        """Return the repository of an owner: the main one, or a fork."""
        return self.forks.get(owner, self.git)

    def rule(self, branch: str) -> Rules:
        """Return what is enforced on a branch."""
        return self.rules.get(branch, Rules())

    def item(self, number: int) -> Issue:
        """Return a pull request or an issue."""
        found = self.issues.get(number)
        return found or self.pull(number)

    def pull(self, number: int) -> Pull:
        """Return a pull request as it is after whatever was pushed."""
        if number not in self.pulls:
            raise Refusal(404, "Not Found")
        self._follow(self.pulls[number])
        return self.pulls[number]

    def all_pulls(self) -> list[Pull]:
        """Return every pull request, the newest first."""
        return [self.pull(number) for number in sorted(self.pulls, reverse=True)]

    def pulls_of(self, commit: str) -> list[Pull]:
        """Return the pull requests that brought a commit, or that have it."""
        return [one for one in self.all_pulls() if commit in one.commits or commit in (one.merged_as, one.head)]

    def commit(self, revision: str) -> str:
        """Return the commit that a request names."""
        found = self.git.resolve(revision)
        if found is None:
            raise Refusal(422, f"No commit found for SHA: {revision}")
        return found

    def results(self, commit: str) -> dict[str, str]:
        """Return the latest result of each check and status of a commit, by name."""
        statuses = {one.context: one.state for one in self.statuses if one.commit == commit}
        return statuses | {one.name: one.conclusion or one.status for one in self.runs if one.commit == commit}

    def lacking(self, pull: Pull, method: str = "merge") -> list[str]:
        """Return what the rules ask for beyond what there is."""
        rules, found = self.rule(pull.base), []
        last: dict[str, Review] = {}
        for review in pull.reviews:
            if review.state != "COMMENTED" and review.official:
                last[review.user.login] = review
        counted = [one for one in last.values() if one.state == "APPROVED"]
        if rules.last_push:
            counted = [one for one in counted if one.user.login != (pull.pusher or pull.user.login)]
        if len(counted) < rules.reviews:
            found.append(f"At least {rules.reviews} approving review is required by reviewers with write access")
        if rules.reviews and any(one.state == "CHANGES_REQUESTED" for one in last.values()):
            found.append("Changes were requested")
        results = self.results(pull.head)
        missing = [name for name in rules.checks if results.get(name) not in {"success", "neutral", "skipped"}]
        if missing:
            found.append(f"Required status check {', '.join(missing)} is expected")
        onto = self.git.tip(pull.base)
        if rules.strict and onto and not self.git.contains(pull.head, onto):
            found.append("Head branch is out of date")
        if rules.linear and method == "merge":
            found.append("Merge commits are not allowed on this branch")
        return found

    def need(self, user: User | None, role: str, right: str = "") -> User:
        """Refuse who may not; return who may. `right` is what the token of an app must not have been refused."""
        if user is None:
            raise Refusal(401, "Requires authentication")
        if user.app and right in self.withheld:
            raise Refusal(403, "Resource not accessible by integration")
        if not user.may(role):
            raise Refusal(
                403,
                "Must have admin rights to Repository."
                if role == "admin"
                else "Resource not accessible by personal access token",
            )
        return user

    def id(self) -> int:
        """Return a new id."""
        self._ids += 1
        return self._ids

    def _number(self) -> int:
        return len(self.pulls) + len(self.issues) + 1

    def _tick(self) -> datetime:
        self._moment += timedelta(minutes=1)
        return self._moment

    def _merged(self, pull: Pull, commit: str, user: User | None) -> None:
        pull.open, pull.merged_as, pull.merged_by = False, commit, user
        pull.merged_at = pull.closed_at = self.now()

    def _follow(self, pull: Pull) -> None:
        """See what was pushed since."""
        if not pull.open:
            return
        source = self.source(pull.owner)
        head, onto = source.tip(pull.branch), self.git.tip(pull.base)
        if head is None or onto is None:
            pull.open, pull.closed_at = False, self.now()
            return
        if head != pull.head:
            ref = f"refs/pull/{pull.number}/head"
            if source is self.git:
                self.git.move(ref, head)
            else:
                self.git.bring(source, head, ref)
            who = self.branch_pusher or pull.user.login
            pull.pushes.append((pull.head or "0" * 40, head, self.users[who]))
            if pull.head and self.rule(pull.base).dismiss_stale:
                for review in pull.reviews:
                    if review.state == "APPROVED":
                        review.before, review.state = "APPROVED", "DISMISSED"
            pull.head = head
            pull.commits = self.git.commits(onto, head) or pull.commits
        if onto != pull.based_on and self.git.contains(onto, head):
            self._merged(pull, self._brought(onto, pull), self.users.get(self.pusher or ""))

    def _brought(self, onto: str, pull: Pull) -> str:
        """Return the first commit on the base's own line that has the head."""
        line = self.git.git("rev-list", "--first-parent", "--ancestry-path", f"{pull.head}..{onto}").split()
        return line[-1] if line else pull.head
