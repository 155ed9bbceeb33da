"""People who run mlgit, each with a name, a key and a folder; time goes on by a minute with whatever anybody does.

Commands run in this process: one of their own costs up to three seconds, and this costs almost nothing.
"""

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest

from mlgit.cli.main import run
from mlgit.cli.session import Session
from mlgit.edges.clock import SystemClock

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NAMES = ("ana", "ben", "cara", "mallory")

_LEAKING = ("CI", "GITHUB_", "GH_", "GIT_", "DVC_", "MLGIT_", "NO_COLOR", "FORCE_COLOR", "EMAIL", "XDG_", "SSH_")
_FINDING = re.compile(r"^(?:error|warning|note)\[([a-z0-9-]+)\]", re.MULTILINE)


class Answer(msgspec.Struct, frozen=True):
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def ids(self) -> list[str]:
        """The ids of all findings, in the order in which they are said."""
        return _FINDING.findall(self.out + "\n" + self.err)

    @property
    def text(self) -> str:
        """All that was said."""
        return self.out + self.err

    @property
    def json(self) -> Any:
        """The document on stdout."""
        return json.loads(self.out)


class _Said(io.TextIOWrapper):
    """A stream that keeps what is written to it, text or bytes."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def text(self) -> str:
        self.seek(0)
        return self.read()


class Now:
    """The time of a team, for Git and for mlgit."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def wait(self, time: timedelta) -> None:
        """Let time pass."""
        self.moment += time

    def environment(self) -> dict[str, str]:
        stamp = f"@{int(self.moment.timestamp())} +0000"
        return {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp}


class Desk:
    """A person in a folder. Calling it runs mlgit there: `ana("promote malignancy@2 --to staging")`."""

    def __init__(self, name: str, root: Path, keys: Path, now: Now, settings: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.root = root
        self._keys = keys
        self._now = now
        self._settings = settings or {}

    @property
    def email(self) -> str:
        return f"{self.name}@acme.example"

    def at(self, folder: Path) -> "Desk":
        """The same person in another folder."""
        return Desk(self.name, folder, self._keys, self._now, self._settings)

    def using(self, **settings: str) -> "Desk":
        """The same person with other settings of Git: `ben.using(user_email="ben@home.example")`."""
        changed = {key.replace("_", "."): value for key, value in settings.items()}
        return Desk(self.name, self.root, self._keys, self._now, {**self._settings, **changed})

    def __call__(self, line: str, *more: str) -> Answer:
        """Run a command of mlgit."""
        out, err = _Said(), _Said()
        with self.present(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(["-C", str(self.root), *shlex.split(line), *more])
        return Answer(code, out.text(), err.text())

    def does(self, line: str, *more: str) -> Answer:
        """Run a command of mlgit that must succeed."""
        answer = self(line, *more)
        assert answer.code == 0, answer.text
        return answer

    def refused(self, line: str, *more: str, code: int = 1) -> list[str]:
        """Run a command of mlgit that must be refused, and change no ref and no file; return the ids of its findings."""
        before = self.everything()
        answer = self(line, *more)
        assert answer.code == code, answer.text
        assert self.everything() == before
        return answer.ids

    def apart(self, line: str) -> Answer:
        """Run a command of mlgit in a process of its own, with the clock of the machine."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(_LEAKING)}
        environment |= self._environment()
        command = [sys.executable, "-m", "mlgit", "-C", str(self.root), *shlex.split(line)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        return Answer(done.returncode, done.stdout, done.stderr)

    def git(self, *words: str, stdin: bytes | None = None) -> str:
        """Run Git; return what it prints."""
        with self.present():
            done = subprocess.run(["git", *words], cwd=self.root, input=stdin, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def commit(self, message: str, files: Mapping[str, str | bytes]) -> str:
        """Write files, commit just these on the branch that is checked out, and return the commit."""
        for path, content in files.items():
            place = self.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "--", *files)
        self.git("commit", "--quiet", "--message", message)
        return self.head()

    def edit(self, path: str, before: str, after: str) -> str:
        """Replace text in a file and commit it; return the commit."""
        text = self.read(path)
        assert before in text
        return self.commit(f"Edit {path}", {path: text.replace(before, after)})

    def read(self, path: str) -> str:
        return (self.root / path).read_text(encoding="utf-8")

    def head(self, revision: str = "HEAD") -> str:
        return self.git("rev-parse", "--verify", revision)

    def refs(self) -> dict[str, str]:
        """Every ref and the commit that it is at."""
        lines = self.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return dict(line.split(" ") for line in lines)

    def files(self, revision: str) -> list[str]:
        return self.git("ls-tree", "-r", "--name-only", revision).splitlines()

    def show(self, revision: str, path: str) -> str:
        return self.git("show", f"{revision}:{path}")

    def clone(self, folder: str, *options: str, source: Path | None = None) -> "Desk":
        """Clone this folder (or another) into one beside it."""
        place = self.root.parent / folder
        self.git("clone", "--quiet", *options, (source or self.root).as_uri(), str(place))
        return self.at(place)

    def everything(self) -> tuple[object, ...]:
        """All that a command might change: refs, HEAD, index, work tree with targets, DVC remote, and the remote's refs."""
        git_dir = Path(self.git("rev-parse", "--path-format=absolute", "--git-dir"))
        staged = self.git("ls-files", "--stage") if (git_dir / "index").exists() else ""
        origin = self.root.parent / "origin.git"
        return (
            self.refs(),
            (git_dir / "HEAD").read_text(),
            staged,
            contents(self.root),
            contents(self.root.parent / "storage"),
            self.at(origin).refs() if origin.exists() and origin != self.root else None,
        )

    @contextlib.contextmanager
    def present(self) -> Iterator[None]:
        """Be this person, a minute later than whatever came before."""
        self._now.wait(timedelta(minutes=1))
        moment = self._now.moment
        with pytest.MonkeyPatch.context() as patch:
            for name in os.environ:
                if name.startswith(_LEAKING):
                    patch.delenv(name)
            for name, value in (self._environment() | self._now.environment()).items():
                patch.setenv(name, value)
            patch.setattr(SystemClock, "now", lambda _: moment)
            yield

    def session(self) -> Session:
        """Return the workspace of a command, for what is run in several threads at once, inside `present`."""
        return Session(self.root)

    def _environment(self) -> dict[str, str]:
        settings = {
            "user.name": self.name.capitalize(),
            "user.email": self.email,
            "user.signingkey": str(self._keys / self.name),
            "gpg.format": "ssh",
            "commit.gpgsign": "true",
            "init.defaultBranch": "main",
            "protocol.file.allow": "always",
            "advice.detachedHead": "false",
            **self._settings,
        }
        pairs = {
            f"GIT_CONFIG_{part}_{n}": text
            for n, item in enumerate(settings.items())
            for part, text in zip(("KEY", "VALUE"), item, strict=True)
        }
        return pairs | {
            "GIT_CONFIG_COUNT": str(len(settings)),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "HOME": str(self._keys),
            "TZ": "UTC",
            "DVC_NO_ANALYTICS": "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }


class Team:
    """A scene: `team/` is the repository, `storage/` what DVC keeps, and everybody works in the one checkout."""

    def __init__(self, folder: Path, keys: Path, now: Now) -> None:
        self.folder = folder
        self.root = folder / "team"
        self.keys = keys
        self.now = now
        self.ana, self.ben, self.cara, self.mallory = (Desk(name, self.root, keys, now) for name in NAMES)

    @classmethod
    @contextlib.contextmanager
    def at(cls, folder: Path, keys: Path) -> Iterator[Self]:
        """Open a scene that was copied, at the time at which it was left."""
        stamp = datetime.fromisoformat((folder / "now").read_text())
        yield cls(folder, keys, Now(stamp))

    def leave(self) -> None:
        """Note the time, for whoever opens the scene again."""
        (self.folder / "now").write_text(self.now.moment.isoformat())

    def promote(self, version: str, environment: str, *, approve: Sequence[Desk] = (), apply: bool = True) -> str:
        """Take a version into an environment, all the way; return the id of the promotion."""
        promotion = self.ana.does(f"promote {version} --to {environment} --json").json["promotion"]
        assert isinstance(promotion, str)
        for person in approve:
            person.does(f"approve {promotion}")
        self.ana.does(f"merge {promotion}")
        if apply:
            self.ana.does(f"apply {environment}")
        return promotion

    def change_rules(
        self, message: str, files: Mapping[str, str | bytes], *, ana: Desk | None = None, ben: Desk | None = None
    ) -> str:
        """Change guarded rules as a team has to: Ana proposes on a branch, Ben approves, Ana merges; return the merge."""
        ana, branch = ana or self.ana, "rules"
        ana.git("switch", "--quiet", "--create", branch, "main")
        ana.commit(message, files)
        ana.git("switch", "--quiet", "main")
        (ben or self.ben).does(f"approve {branch}")
        ana.does(f"merge {branch}")
        ana.git("branch", "--quiet", "-D", branch)
        return ana.head("main")


def signer(name: str, keys: Path, email: str | None = None) -> str:
    """Return a person's line of `.mlgit/allowed_signers`."""
    kind, key = (keys / f"{name}.pub").read_text().split()[:2]
    return f'{email or f"{name}@acme.example"} namespaces="git,mlgit-approval,mlgit-ledger" {kind} {key}\n'


def contents(folder: Path) -> dict[str, bytes | str]:
    """Return every file below a folder by path, links as where they point to; what Git and DVC keep for themselves is not."""
    found: dict[str, bytes | str] = {}
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in {".git", "tmp", "__pycache__"}]
        for name in [*files, *folders]:
            path = Path(place, name)
            if path.is_symlink():
                found[str(path.relative_to(folder))] = str(path.readlink())
            elif path.is_file() and name != ".lock":
                found[str(path.relative_to(folder))] = path.read_bytes()
    return found
