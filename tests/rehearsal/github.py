"""GitHub, as far as a workflow notices: it starts the shipped files for an event, step by step, on this machine.

What is GitHub's own: the reading of the files and the value of every expression. What is done here: the order of jobs and steps,
the environment and the files of a step (`bash -eo pipefail`), a checkout (a real clone of the bare repository, at the event's
commit, as deep as asked for), artifacts (a folder), and which secrets and rights an event gives. What is not: `pip install` gives
the mlgit under test, whatever version is asked for, and setup-python this interpreter.
"""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tests.rehearsal.node import Expression, Node

REPOSITORY = "acme/churn"
_STATUS = re.compile(r"\b(?:success|failure|cancelled|always)\(")
_PYTHON = """\
#!/usr/bin/env bash
# `python -m venv FOLDER` makes a folder in which pip writes down what it is asked for, and mlgit is the one under test.
if [ "$1" = -m ] && [ "$2" = venv ]; then
  mkdir -p "$3/bin"
  printf '#!/usr/bin/env bash\\nprintf "%%s\\\\n" "$*" >> "$REHEARSAL/pip"\\n' > "$3/bin/pip"
  printf '#!/usr/bin/env bash\\nexec "{python}" -P -m mlgit "$@"\\n' > "$3/bin/mlgit"
  printf '#!/usr/bin/env bash\\nexec "{python}" -P -m dvc "$@"\\n' > "$3/bin/dvc"
  chmod +x "$3"/bin/*
else
  exec "{python}" "$@"
fi
"""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What happened: `ref` and `sha` are what GITHUB_REF and GITHUB_SHA say of it."""

    name: str
    ref: str
    sha: str
    payload: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    actor: str = "ana"

    @property
    def is_fork(self) -> bool:
        """Whether it comes from a stranger's repository, so that it gets no secrets and may write nothing."""
        head = self.payload.get("pull_request", {}).get("head", {})
        return self.name.startswith("pull_request") and head.get("repo", {}).get("full_name") != REPOSITORY


class Step(msgspec.Struct, frozen=True):
    """A step that was run: how it ended, what it printed, and what its environment held."""

    name: str
    outcome: str
    log: str
    env: dict[str, str]


class Job(msgspec.Struct):
    """A job: `skipped`, or how its steps went. `rights` are those of its token."""

    result: str
    rights: dict[str, str]
    steps: list[Step] = []
    summary: str = ""

    @property
    def log(self) -> str:
        """All that was printed."""
        return "".join(step.log for step in self.steps)


class GitHub:
    """A bare repository with Actions. `secrets` are by environment; those of the repository are under the empty name."""

    def __init__(
        self,
        node: Node,
        origin: Path,
        folder: Path,
        *,
        secrets: Mapping[str, Mapping[str, str]] | None = None,
        environment: Mapping[str, str] | None = None,
        token: str = "token-of-a-job",
    ) -> None:
        self.origin = origin
        self.folder = folder
        self.artifacts = folder / "artifacts"
        self._node = node
        self._secrets = secrets or {}
        self._environment = environment or {}
        self._token = token
        self._count = itertools.count(1)
        (folder / "bin").mkdir(parents=True)
        python = folder / "bin/python"
        python.write_text(_PYTHON.replace("{python}", sys.executable))
        python.chmod(0o755)

    def git(self, *words: str, cwd: Path | None = None, check: bool = True) -> str:
        """Run Git where the repository is, or in a folder, as nobody in particular."""
        command = ["git", "-c", "user.name=GitHub", "-c", "user.email=noreply@github.example", *words]
        done = subprocess.run(
            command, cwd=cwd or self.origin, env=self._base(), capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

    # Events

    def pull_request(
        self, number: int, branch: str, *, fork: bool = False, name: str = "pull_request", **said: str
    ) -> Event:
        """A branch is proposed: the merge with the base is made, as GitHub makes it; a fork's branch is not in the repository."""
        base, head = self.git("rev-parse", "main"), self.git("rev-parse", branch)
        tree = self.git("merge-tree", "--write-tree", base, head)
        merge = self.git("commit-tree", tree, "-p", base, "-p", head, "-m", "Merge")
        self.git("update-ref", f"refs/pull/{number}/merge", merge)
        self.git("update-ref", f"refs/pull/{number}/head", head)
        if fork:
            self.git("update-ref", "-d", f"refs/heads/{branch}")
        ends = {
            "base": {"sha": base, "ref": "main", "repo": {"full_name": REPOSITORY}},
            "head": {"sha": head, "ref": branch, "repo": {"full_name": "mallory/churn" if fork else REPOSITORY}},
        }
        asked = {"number": number, "title": "A change", "body": "", **said, **ends}
        action = "submitted" if name == "pull_request_review" else "opened"
        return self._event(name, f"refs/pull/{number}/merge", merge, {"action": action, "pull_request": asked})

    def push(self, before: str, after: str) -> Event:
        """The base branch went on."""
        payload = {"ref": "refs/heads/main", "before": before, "after": after, "created": False, "forced": False}
        return self._event("push", "refs/heads/main", after, payload)

    def merge_group(self, base: str, head: str) -> Event:
        """A merge queue asks."""
        group = {"base_ref": "refs/heads/main", "base_sha": base, "head_sha": head, "head_ref": "refs/heads/queue"}
        return self._event(
            "merge_group", "refs/heads/queue", head, {"action": "checks_requested", "merge_group": group}
        )

    def on_main(self, name: str, *, inputs: Mapping[str, Any] | None = None, **payload: Any) -> Event:
        """Something that runs on the base branch: schedule, workflow_dispatch, workflow_run."""
        event = self._event(name, "refs/heads/main", self.git("rev-parse", "main"), payload)
        return msgspec.structs.replace(event, inputs=dict(inputs or {}))

    def _event(self, name: str, ref: str, sha: str, payload: Mapping[str, Any]) -> Event:
        repository = {"full_name": REPOSITORY, "default_branch": "main"}
        return Event(name=name, ref=ref, sha=sha, payload={"repository": repository, **payload})

    # Workflows

    def starts(self, workflow: str, event: Event) -> bool:
        """Tell whether a workflow is started by an event."""
        on = self._node.parse(workflow)["on"]
        if event.name not in on:
            return False
        wanted = on[event.name] if isinstance(on, dict) else None
        if not isinstance(wanted, dict):
            return True
        branch = event.ref.removeprefix("refs/heads/")
        return branch in wanted.get("branches", [branch]) and event.payload.get("action") in wanted.get(
            "types", [event.payload.get("action")]
        )

    def run(self, workflow: str, event: Event) -> dict[str, Job]:
        """Start a workflow that an event starts; return its jobs, those of a matrix as `job (value)`."""
        assert self.starts(workflow, event)
        document = self._node.parse(workflow)
        assert document["permissions"] == {}
        done: dict[str, Job] = {}
        for name, job in _in_order(document["jobs"]):
            needs = {need: {"result": done[need].result} for need in _needs(job)}
            for suffix, matrix in _matrix(job):
                context = self._context(document, event, job, matrix, needs)
                done[f"{name}{suffix}"] = self._job(
                    job, event, context, all(one["result"] == "success" for one in needs.values())
                )
        return done

    def _context(
        self, document: Any, event: Event, job: Any, matrix: dict[str, Any], needs: Mapping[str, Any]
    ) -> dict[str, Any]:
        number = next(self._count)
        work = self.folder / f"run-{number}"
        for part in ("checkout", "temp", "home"):
            (work / part).mkdir(parents=True)
        github = {
            "event": event.payload,
            "event_name": event.name,
            "ref": event.ref,
            "sha": event.sha,
            "repository": REPOSITORY,
            "workflow": document["name"],
            "run_id": str(number),
            "actor": event.actor,
            "token": self._token,
        }
        context: dict[str, Any] = {
            "github": github,
            "matrix": matrix,
            "needs": dict(needs),
            "inputs": event.inputs,
            "runner": {"temp": str(work / "temp"), "os": "Linux"},
            "secrets": {"GITHUB_TOKEN": github["token"]},
            "env": {},
            "steps": {},
        }
        environment = self._value(job.get("environment"), context)
        if not event.is_fork:
            context["secrets"] |= {**self._secrets.get("", {}), **self._secrets.get(environment or "", {})}
        return context

    def _job(self, job: Any, event: Event, context: dict[str, Any], needs_met: bool) -> Job:
        rights = {what: "read" if event.is_fork else right for what, right in job.get("permissions", {}).items()}
        if not self._holds(job.get("if"), context, "success" if needs_met else "failure"):
            return Job("skipped", rights)
        context["env"] = self._values(job.get("env", {}), context)
        done = Job("success", rights)
        work = Path(context["runner"]["temp"]).parent
        files = {
            one: work / one.lower() for one in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
        }
        for file in files.values():
            file.write_text("")
        (work / "event.json").write_text(json.dumps(event.payload))
        for step in job["steps"]:
            if not self._holds(step.get("if"), context, done.result):
                continue
            env = self._step_environment(step, event, context, files)
            code, log = self._step(step, context, rights, env, work)
            name = step.get("name") or step.get("uses") or step["run"]
            done.steps.append(Step(str(name), "failure" if code else "success", log, env))
            done.result = "failure" if code else done.result
        done.summary = files["GITHUB_STEP_SUMMARY"].read_text()
        return done

    def _step_environment(
        self, step: Any, event: Event, context: Mapping[str, Any], files: Mapping[str, Path]
    ) -> dict[str, str]:
        github = context["github"]
        said = {
            f"GITHUB_{name.upper()}": github[name]
            for name in ("event_name", "ref", "sha", "repository", "workflow", "run_id", "actor")
        }
        paths = [*reversed(files["GITHUB_PATH"].read_text().splitlines()), str(self.folder / "bin"), os.environ["PATH"]]
        work = files["GITHUB_PATH"].parent
        return {
            **self._base(),
            **said,
            **{name: str(file) for name, file in files.items()},
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR_ID": "4711",
            "GITHUB_EVENT_PATH": str(work / "event.json"),
            "GITHUB_WORKSPACE": str(work / "checkout"),
            "RUNNER_TEMP": str(work / "temp"),
            "HOME": str(work / "home"),
            "PATH": os.pathsep.join(paths),
            **context["env"],
            **self._values(step.get("env", {}), context),
        }

    def _step(
        self, step: Any, context: Mapping[str, Any], rights: Mapping[str, str], env: Mapping[str, str], work: Path
    ) -> tuple[int, str]:
        if "run" in step:
            script = work / "step.sh"
            script.write_text(self._value(step["run"], context))
            place = work / "checkout" / (self._value(step.get("working-directory"), context) or "")
            command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
            done = subprocess.run(command, cwd=place, env=dict(env), capture_output=True, text=True, check=False)
            return done.returncode, done.stdout + done.stderr
        action, _, pin = step["uses"].partition("@")
        assert re.fullmatch("[0-9a-f]{40}", pin), step["uses"]
        settings = self._values(step.get("with", {}), context)
        getattr(self, "_" + action.partition("/")[2].replace("-", "_"))(settings, context, rights, work / "checkout")
        return 0, ""

    # The few actions that are used

    def _checkout(
        self, settings: Mapping[str, str], context: Mapping[str, Any], rights: Mapping[str, str], to: Path
    ) -> None:
        github = context["github"]
        assert rights.get("contents") in {"read", "write"}
        wanted = settings.get("ref") or github["ref"]
        self.git("init", "--quiet", cwd=to)
        self.git("remote", "add", "origin", self.origin.as_uri(), cwd=to)
        if settings["persist-credentials"] != "true" or rights["contents"] != "write":
            self.git("remote", "set-url", "--push", "origin", str(self.folder / "may-not-write.git"), cwd=to)
        full = settings.get("fetch-depth", "1") == "0"
        specs = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"] if full else []
        pull = [f"+{wanted}:refs/remotes/{wanted.removeprefix('refs/')}"] if wanted.startswith("refs/pull/") else []
        depth = [] if full else ["--depth=1"]
        self.git("fetch", "--quiet", *depth, "origin", *specs, *pull, *([] if full or pull else [wanted]), cwd=to)
        branch = wanted.removeprefix("refs/heads/")
        if self.git("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", check=False):
            self.git(
                "checkout", "--quiet", "-B", branch, f"refs/remotes/origin/{branch}" if full else "FETCH_HEAD", cwd=to
            )
        else:
            self.git("checkout", "--quiet", "--detach", github["sha"] if pull else branch, cwd=to)

    def _setup_python(self, *_: Any) -> None:
        """The interpreter of the test is there already."""

    def _upload_artifact(self, settings: Mapping[str, str], *_: Any) -> None:
        source = Path(settings["path"])
        if source.exists():
            (self.artifacts / settings["name"]).mkdir(parents=True, exist_ok=True)
            shutil.copy(source, self.artifacts / settings["name"])
        else:
            assert settings["if-no-files-found"] == "ignore", source

    def _download_artifact(self, settings: Mapping[str, str], *_: Any) -> None:
        shutil.copytree(self.artifacts / settings["name"], settings["path"], dirs_exist_ok=True)

    # Values

    def _holds(self, condition: Any, context: dict[str, Any], status: str) -> bool:
        text = condition.text if isinstance(condition, Expression) else str(condition or "success()")
        text = text if _STATUS.search(text) else f"success() && ({text})"
        return bool(self._node.evaluate(text, context, status))

    def _values(self, mapping: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, str]:
        return {key: self._value(value, context) or "" for key, value in mapping.items()}

    def _value(self, value: Any, context: Mapping[str, Any]) -> str | None:
        if isinstance(value, Expression):
            value = self._node.evaluate(value.text, dict(context))
        return None if value is None else str(value)

    def _base(self) -> dict[str, str]:
        quiet = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0", "TZ": "UTC"}
        return {
            **quiet,
            "PATH": os.environ["PATH"],
            "DVC_NO_ANALYTICS": "1",
            "REHEARSAL": str(self.folder),
            **self._environment,
        }


def _in_order(jobs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield jobs, each after those that it needs."""
    waiting = dict(jobs)
    while waiting:
        name = next(name for name, job in waiting.items() if not set(_needs(job)) & waiting.keys())
        yield name, waiting.pop(name)


def _needs(job: Any) -> list[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else list(needs)


def _matrix(job: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the values of a matrix of one dimension, each with what tells its job from the others."""
    matrix = job.get("strategy", {}).get("matrix")
    if not matrix:
        yield "", {}
        return
    ((key, values),) = matrix.items()
    for value in values:
        yield f" ({value})", {key: value}
