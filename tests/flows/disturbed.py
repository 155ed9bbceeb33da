"""The commands that change something, each ready to be disturbed in the middle, and what there has to be afterwards."""

import os
import re
from collections.abc import Callable, Mapping

import msgspec

from mlgit.edges.targets.directory import DirectoryTarget
from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team, contents

FULL = "MLGIT_FULL_KILL" in os.environ
"""Whether every point of disturbance is wanted, which takes minutes, and not only some of them."""

# The clock of the scene, since keys, reports and approvals are of its time and not of the machine's.
AT_THAT_TIME = """\
import sys
from datetime import datetime
from mlgit.edges.clock import SystemClock
moment = datetime.fromisoformat(sys.argv[1])
SystemClock.now = lambda self: moment
from mlgit.cli.main import run
sys.exit(run(sys.argv[2:]))
"""


class Case(msgspec.Struct, frozen=True):
    """A command, the scene that it is run in, and what has to be done there before."""

    scene: str
    person: str
    command: str
    prepare: Callable[[Team], None] = lambda _: None
    most: int = 8


def _train(team: Team) -> None:
    """Train something that is not registered yet, and whose files are in no storage."""
    team.ana.edit("params.yaml", "fit: worse", "fit: better")
    team.ana.does(f"train {MODEL}")
    for folder in (team.folder / "storage", team.root / ".dvc/cache"):
        for file in (folder / "files").rglob("*"):
            if file.is_file() and file.stat().st_size > 3000:
                file.chmod(0o644)
                file.unlink()


def _approve(team: Team) -> None:
    team.ben.does("approve")


def _merge(team: Team) -> None:
    team.ben.does("approve")
    team.ana.does("merge")


CASES = {
    "register": Case("registered", "ana", f"register {MODEL}", _train, most=4),
    "promote": Case("running", "ana", f"promote {MODEL}@2 --to staging"),
    "approve": Case("proposed", "ben", "approve"),
    "merge": Case("proposed", "ana", "merge production/malignancy", _approve),
    "apply": Case("proposed", "ana", "apply", _merge),
}


def person_of(team: Team, case: Case) -> Desk:
    person = getattr(team, case.person)
    assert isinstance(person, Desk)
    return person


def check_sound(team: Team, case: Case) -> None:
    """A person who comes upon the repository now finds nothing wrong with it."""
    desk = person_of(team, case)
    desk.git("fsck", "--no-dangling", "--no-progress", "--strict")
    desk.does("validate")
    desk.does("status")
    for environment in ("staging", "production"):
        observed = DirectoryTarget(team.root / "deployed" / environment).observe(MODEL)
        assert not observed.altered
        assert "fault" not in observed.facts


def end_state(team: Team) -> dict[str, object]:
    """What there is in the end, without ids, times and digests that no two runs have in common."""
    desk = team.ana
    with desk.present(), desk.session().repository as repository:
        trees = {}
        for ref in repository.refs("refs/"):
            tree = repository.tree(ref)
            trees[ref] = dict(tree.read_many([entry.path for entry in tree.entries()]))
    told = {ref: desk.git("log", "--format=%s", ref).splitlines() for ref in trees}
    storage = sorted(path for path in contents(team.folder / "storage") if not path.endswith(".tmp"))
    state = {
        "branch": desk.git("symbolic-ref", "HEAD"),
        "status": desk.git("status", "--porcelain"),
        "told": told,
        "trees": trees,
        "files": contents(team.root),
        "storage": storage,
    }
    return {key: plain(value) for key, value in state.items()}


_VARYING = (
    (re.compile(r"/[^\"\s]*/team(?=[/\"])"), "TEAM"),
    (re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}"), "ID"),
    (re.compile(r"[0-9a-f]{40,64}"), "DIGEST"),
    (re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)"), "TIME"),
    (re.compile(r"-approve-[0-9a-f]{12}"), "-approve-DECISION"),
    (re.compile(r'("p95_ms": )[0-9.]+'), "\\1MS"),
    (re.compile(r"(?s)(-----BEGIN SSH SIGNATURE-----).*"), "\\1"),
)


def plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {plain(key): plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    text = str(value)
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return text
