"""A team without a forge: a bare repository behind OpenSSH's server, guarded by the hook, and people with nothing but keys."""

import getpass
import importlib.util
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team
from tests.flows.test_verify_push import _CLOCK, BRANCH, MANIFEST, WHERE, accepted, pushed, refused
from tests.remotes.places import HERE, _free_port, _keygen, _make_privilege_folder, _running

LET_IN = ("ana", "ben", "cara")
_FORCED = 'command="git-shell -c \\"$SSH_ORIGINAL_COMMAND\\"",restrict'
"""What docs/how-to/plain-git-server.md has people put before a key: Git, and no shell."""


class Server(msgspec.Struct, frozen=True):
    """OpenSSH's server on a port of this machine, which lets in by the keys of people."""

    base: Path
    port: int
    keys: Path

    @property
    def account(self) -> str:
        """The one account under which all pushes arrive."""
        return f"{getpass.getuser()}@{HERE}"

    def url(self, folder: Path) -> str:
        return f"ssh://{self.account}:{self.port}{folder}"

    def ssh(self, name: str) -> list[str]:
        """The client as somebody uses it: their key, the server's key, and no other setting of this machine."""
        known = self.base / "known_hosts"
        # The hook is a process of the server's, which takes the time from whoever pushes.
        options = ["IdentitiesOnly=yes", "BatchMode=yes", f"UserKnownHostsFile={known}", "SendEnv=GIT_COMMITTER_DATE"]
        arguments = [argument for option in options for argument in ("-o", option)]
        return ["ssh", "-F", "none", "-i", str(self.keys / name), *arguments]

    def desk(self, desk: Desk, root: Path | None = None) -> Desk:
        """Somebody's desk, whose Git goes by SSH with their key."""
        return desk.using(core_sshCommand=shlex.join(self.ssh(desk.name))).at(root or desk.root)

    def clone(self, desk: Desk, folder: Path, name: str) -> Desk:
        """Clone a repository over SSH into a folder beside it."""
        place = folder.parent / name
        self.desk(desk, folder.parent).git("clone", "--quiet", self.url(folder), str(place))
        return self.desk(desk, place)


@pytest.fixture(autouse=True)
def _environment() -> None:
    """No place for data is started: it stays in a folder here, and the server is for Git."""


@pytest.fixture(scope="module")
def server(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Ana, Ben and Cara are let in, each by the key that signs for them, and get Git alone; Mallory is not."""
    if importlib.util.find_spec("dvc_ssh") is None:
        pytest.skip("a whole life takes its time: `make remotes` runs it")
    program = shutil.which("sshd") or "/usr/sbin/sshd"
    if not Path(program).is_file():
        pytest.skip("sshd is not installed (`apt-get install openssh-server`)")
    for tool in ("ssh", "git-shell"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (`apt-get install openssh-client git`)")
    base = tmp_path_factory.mktemp("sshd")
    _keygen(base / "host")
    keys = scenes / "keys"
    lines = [f"{_FORCED} {(keys / f'{name}.pub').read_text()}" for name in LET_IN]
    (base / "authorized_keys").write_text("".join(lines))
    (base / "clock").mkdir()
    (base / "clock/sitecustomize.py").write_text(_CLOCK)
    port = _free_port()
    (base / "known_hosts").write_text(f"[{HERE}]:{port} {(base / 'host.pub').read_text()}")
    configuration = base / "sshd_config"
    configuration.write_text(
        f"Port {port}\nListenAddress {HERE}\nHostKey {base}/host\nPidFile none\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"
        f"AuthorizedKeysFile {base}/authorized_keys\nAcceptEnv GIT_COMMITTER_DATE\n"
        f"SetEnv PYTHONPATH={base}/clock GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1\n"
    )
    _make_privilege_folder()
    with _running([program, "-D", "-e", "-f", str(configuration)], "Server listening", os.environ):
        yield Server(base, port, keys)


def guarded(team: Team, server: Server) -> tuple[Desk, Desk]:
    """Set the server up as an administrator does; return Ana, whose `origin` it is, and the server."""
    place = team.folder / "origin.git"
    ana = server.desk(team.ana)
    ana.git("init", "--quiet", "--bare", "--initial-branch=main", str(place))
    remote = ana.at(place)
    remote.does("verify-push --install")
    ana.git("remote", "add", "origin", server.url(place))
    return ana, remote


def champion(desk: Desk) -> str:
    """What production is to run, by the base branch of a clone."""
    rows = desk.does("status --json").json["rows"]
    return next(str(row["champion"]) for row in rows if row["environment"] == "production")


def test_a_whole_life_over_ssh(proposed: Team, server: Server) -> None:
    ana, remote = guarded(proposed, server)
    ana.git("branch", "--quiet", "-D", BRANCH)
    accepted(ana, "main", "mlgit-ledger")
    ben = server.clone(proposed.ben, remote.root, "bens")

    # Ana proposes, and her own word is none.
    ana.does(f"promote {MODEL}@2 --to production")
    assert remote.head(BRANCH) == ana.head(BRANCH)
    assert ana.refused("approve") == ["approver-excluded"]

    # Past mlgit nothing gets in: neither the proposal before anybody agreed to it, nor a manifest that is edited by hand.
    ana.git("merge", "--quiet", "--no-ff", "-m", "Merge it", BRANCH)
    ana.commit("Just this once", {MANIFEST: f"{ana.read(MANIFEST)}\nreason: it has to go out today\n"})
    output = refused(ana, remote, "main")
    assert f"error[approvals-missing]: {WHERE} lacks 1 more approval (0 of 1 so far; ben, cara may)" in output
    assert "error[promotion-stale]" in output
    ana.git("reset", "--quiet", "--hard", "origin/main")

    # Ben agrees, in his clone; Ana merges in hers, and her environment runs it.
    ben.git("fetch", "--quiet")
    ledger = remote.head("mlgit-ledger")
    ben.does("approve")
    assert remote.head("mlgit-ledger") != ledger
    merged = ana.does("merge --json").json
    assert (merged["pushed"], remote.head("main")) == (True, merged["commit"])
    assert [result["state"] for result in ana.does("apply production --json").json["results"]] == ["applied"]
    assert champion(ana) == f"{MODEL}@2"

    # The way back goes the same way, and Ben merges it.
    ana.does("rollback production --reason 'INC-7, ragged ones are missed'")
    ben.git("pull", "--quiet", "--ff-only")
    ben.does("approve")
    ben.does("merge")
    ana.git("pull", "--quiet", "--ff-only", "origin", "main")
    assert [result["state"] for result in ana.does("apply production --json").json["results"]] == ["applied"]
    assert champion(ana) == f"{MODEL}@1"

    # Cara, who took no part, proves it all from what the server gives her.
    cara = server.clone(proposed.cara, remote.root, "caras")
    audit = cara.does("audit --json").json
    counts = audit["counts"]
    assert counts["PROVEN"] + counts["UNAPPROVED"] == len(audit["changes"])
    assert [change["approvals"][0]["person"] for change in audit["changes"][-2:]] == ["ben", "ben"]


def test_a_key_lets_in_to_git_and_to_nothing_else(proposed: Team, server: Server) -> None:
    ana, remote = guarded(proposed, server)
    shell = [*server.ssh("ana"), "-p", str(server.port), server.account, f"rm {remote.root}/hooks/pre-receive"]
    with ana.present():
        done = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "unrecognized command" in done.stderr
    assert (remote.root / "hooks/pre-receive").is_file()

    mallory = server.desk(proposed.mallory)
    assert "Permission denied (publickey)" in pushed(mallory, "main").stderr
    assert mallory.refused("merge", code=3) == ["git-remote-unreachable"]
