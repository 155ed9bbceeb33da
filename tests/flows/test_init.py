"""`mlgit init` on real folders: what it makes, what it leaves alone, and that it can be interrupted anywhere."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit import schemas
from mlgit.cli.main import run
from mlgit.cli.session import Session
from mlgit.domain.codec import sha256
from mlgit.domain.namespaces import APPROVALS, LEDGER
from mlgit.domain.records import KINDS, Project
from mlgit.edges import templates
from mlgit.edges.dvc import pointers
from mlgit.edges.project import Folder
from mlgit.edges.ssh import signers
from mlgit.ops.kernel.lifecycle import Lifecycle
from mlgit.ops.project import init
from mlgit.ops.project.project_files import InitRequest
from mlgit.ops.validation.validate import check_all

STEPS = [
    "creating the repository",
    "writing the files",
    "setting up DVC",
    "pushing data to ../acme-storage",
    "committing",
]


class Killed(BaseException):
    """Stands for the end of a process in the middle of its work."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's home; the current folder is an empty one to work in."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return Path.home()


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def start(root: Path, template: str = "tabular-classification", **options: object) -> init.ProjectCreated:
    """Start a project as the command does, with a look at each step."""
    files = templates.project(template)
    on_step: Callable[[str], None] = options.pop("on_step", lambda _: None)  # type: ignore[assignment]
    wish = InitRequest(**({"name": "acme", "template": template, "remote": "../acme-storage"} | options))  # type: ignore[arg-type]
    texts = {f"{kind}{schemas.SUFFIX}": schemas.text(kind) for kind in KINDS}
    return init.run(
        Session(root), Folder(root), wish, lambda values: templates.render(files, values), texts, on_step=on_step
    )


def project(root: Path) -> Project:
    session = Session(root.resolve())
    return Lifecycle(session.repository.tree("HEAD"), session.formats.record).project()


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }


@pytest.mark.parametrize("template", templates.TEMPLATES)
def test_a_template_becomes_a_valid_project_in_one_commit(template: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "acme", "--template", template]) == 0
    shown = capsys.readouterr().out
    root = Path("acme")
    assert git(root, "log", "--format=%s|%an|%ae").splitlines() == ["Start acme with mlgit|Ada|ada@example.com"]
    assert git(root, "symbolic-ref", "--short", "HEAD") == "main\n"
    assert git(root, "status", "--short") == ""
    session = Session(root.resolve())
    checked, findings = check_all(Lifecycle(session.repository.tree("HEAD"), session.formats.record), session.formats)
    assert findings == []
    assert checked >= 9
    last = shown.splitlines()[-1]
    assert last.startswith("Next: cd acme")
    assert ("mlgit train" in last) == (template != "bring-your-own")


@pytest.mark.tier("fast")
def test_data_is_in_the_remote_and_its_pointer_in_git() -> None:
    assert run(["init", "acme"]) == 0
    data = Path("acme/datasets/biopsies/biopsies.csv").read_bytes()
    files = git(Path("acme"), "ls-files").splitlines()
    assert "datasets/biopsies/biopsies.csv" not in files
    pointer = pointers.parse(
        Path("acme/datasets/biopsies/biopsies.csv.dvc").read_bytes(), "datasets/biopsies/biopsies.csv.dvc"
    )
    stored = Path("acme-storage/files/md5", pointer.md5[:2], pointer.md5[2:])
    assert sha256(stored.read_bytes()) == sha256(data)
    config = Path("acme/.dvc/config").read_text()
    assert "verify = True" in config
    assert "url = ../../acme-storage" in config  # relative: a clone elsewhere has no folder of this machine's in it


def test_dvc_agrees_that_the_data_is_what_the_pointer_says() -> None:
    assert run(["init", "acme"]) == 0
    words = [sys.executable, "-m", "dvc", "status", "--json", "datasets/biopsies/biopsies.csv.dvc"]
    status = subprocess.run(words, cwd="acme", check=True, capture_output=True, text=True)
    assert json.loads(status.stdout) == {}


def test_placeholders_say_who_and_what(home: Path) -> None:
    assert run(["init", "acme", "--owner", "@acme/ml"]) == 0
    session = Session(Path("acme").resolve())
    state = Lifecycle(session.repository.tree("HEAD"), session.formats.record)
    assert state.project().name == "acme"
    assert state.problem("malignancy").owner == "@acme/ml"
    assert state.roles().people["ada"].emails == ["ada@example.com"]


def test_only_the_schemas_of_what_people_write_are_put_into_the_project() -> None:
    assert run(["init", "acme"]) == 0
    there = {path.name.removesuffix(schemas.SUFFIX) for path in Path("acme/.mlgit/schemas").iterdir()}
    assert there == {kind for kind, record in KINDS.items() if record.written_by == "people"}


def test_the_persons_key_may_sign(home: Path) -> None:
    (home / ".ssh").mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / ".ssh/id_ed25519"], check=True)
    assert run(["init", "acme"]) == 0
    file = Path("acme/.mlgit/allowed_signers")
    (signer,) = signers.parse(file.read_bytes(), str(file)).signers
    assert signer.principals == ("ada@example.com",)
    assert signer.may_sign(APPROVALS)
    assert signer.may_sign(LEDGER)


def test_git_signs_commits_with_the_persons_key(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / ".ssh").mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / ".ssh/id_ed25519"], check=True)
    subprocess.run(["git", "config", "--global", "--unset", "commit.gpgsign"], check=True)
    assert run(["init", "acme"]) == 0
    said = capsys.readouterr().out
    assert "Git signs your commits here with the key that signs your approvals" in said
    assert "commit.gpgsign = true" in said
    root = Path("acme").resolve()
    git(root, "commit", "--quiet", "--allow-empty", "-m", "Go on")
    assert git(root / "src", "log", "-1", "--format=%G? %GS") == "G ada@example.com\n"


def test_another_way_of_signing_is_left_alone(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / ".ssh").mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / ".ssh/id_ed25519"], check=True)
    subprocess.run(["git", "config", "--global", "gpg.format", "openpgp"], check=True)
    assert run(["init", "acme"]) == 0
    assert "Git signs your commits" not in capsys.readouterr().out
    assert "gpgsign" not in Path("acme/.git/config").read_text()


def test_without_a_key_it_says_how_to_add_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "acme"]) == 0
    content = Path("acme/.mlgit/allowed_signers").read_bytes()
    assert signers.parse(content, "").signers == ()
    assert b"ssh-keygen" in content
    assert "No SSH key was found" in capsys.readouterr().out


@pytest.mark.parametrize("killed_at", STEPS)
def test_what_was_killed_is_completed_by_running_it_again(killed_at: str, tmp_path: Path) -> None:
    root = tmp_path / "work/acme"

    def kill(step: str) -> None:
        if step == killed_at:
            raise Killed

    with pytest.raises(Killed):
        start(root, on_step=kill)
    assert start(root).state == "created"
    assert git(root, "log", "--format=%s") == "Start acme with mlgit\n"
    assert git(root, "status", "--short") == ""
    assert start(root).state == "there-already"


def test_what_was_killed_between_two_files_is_completed(tmp_path: Path) -> None:
    root = tmp_path / "work/acme"
    start(root)
    whole = snapshot(root)
    shutil.rmtree(root / ".git")
    for path in ("mlgit.yaml", "src/train.py", ".dvc/config"):
        (root / path).unlink()
    assert start(root).state == "created"
    assert snapshot(root) == whole


def test_every_step_is_told_in_order(tmp_path: Path) -> None:
    told: list[str] = []
    start(tmp_path / "work/acme", on_step=told.append)
    assert told == STEPS


def test_again_it_changes_nothing_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "acme"]) == 0
    before, head = snapshot(Path("acme")), git(Path("acme"), "rev-parse", "HEAD")
    capsys.readouterr()
    assert run(["init", "acme"]) == 0
    assert "is a project already" in capsys.readouterr().out
    assert (snapshot(Path("acme")), git(Path("acme"), "rev-parse", "HEAD")) == (before, head)


def test_a_project_that_people_have_worked_on_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "acme"]) == 0
    params = Path("acme/params.yaml")
    params.write_text(params.read_text().replace("max_iter: 5", "max_iter: 50"))
    assert run(["init", "acme"]) == 1
    assert "error[project-exists]" in capsys.readouterr().err
    assert "max_iter: 50" in params.read_text()


def test_files_of_the_user_are_listed_and_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    root = Path("acme")
    (root / "src").mkdir(parents=True)
    (root / "src/train.py").write_text("mine\n")
    (root / "params.yaml").write_text("mine: 1\n")
    (root / "policies").write_text("a file in the place of a folder\n")
    before = snapshot(root)
    assert run(["init", "acme"]) == 1
    said = capsys.readouterr().err
    for path in ("src/train.py", "params.yaml", "policies/staging.yaml"):
        assert f"error[file-exists]: {path} exists with other content" in said
    assert snapshot(root) == before
    assert not (root / ".git").exists()


def test_an_existing_repository_keeps_its_history_its_index_and_its_readme(capsys: pytest.CaptureFixture[str]) -> None:
    root = Path("acme")
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    (root / "README.md").write_text("mine\n")
    git(root, "add", "README.md")
    git(root, "commit", "-qm", "mine")
    (root / "staged.txt").write_text("not to be committed\n")
    git(root, "add", "staged.txt")
    assert run(["init", "acme"]) == 0
    assert "Existing files were not changed: README.md" in capsys.readouterr().out
    assert (root / "README.md").read_text() == "mine\n"
    assert git(root, "log", "--format=%s").splitlines() == ["Start acme with mlgit", "mine"]
    assert git(root, "status", "--short") == "A  staged.txt\n"


@pytest.mark.parametrize("branch", ["master", "trunk", "release/next"])
@pytest.mark.parametrize("commits", [0, 1])
def test_the_teams_branch_is_the_base(commits: int, branch: str) -> None:
    root = Path("acme")
    root.mkdir()
    git(root, "init", "-q", "-b", branch)
    if commits:
        git(root, "commit", "-q", "--allow-empty", "-m", "first")
    assert run(["init", "acme", "--forge", "github"]) == 0
    assert git(root, "log", "-1", "--format=%s", branch) == "Start acme with mlgit\n"
    assert project(root).base == branch
    assert f'branches: ["{branch}"]' in (root / ".github/workflows/mlgit-apply.yaml").read_text()
    assert run(["-C", "acme", "validate"]) == 0
    assert run(["-C", "acme", "status"]) == 0


def test_the_remotes_default_branch_is_the_base_of_a_clone(capsys: pytest.CaptureFixture[str]) -> None:
    git(Path(), "init", "-q", "-b", "develop", "origin")
    git(Path("origin"), "commit", "-q", "--allow-empty", "-m", "first")
    git(Path(), "clone", "-q", "origin", "acme")
    git(Path("acme"), "switch", "-q", "-c", "start-mlgit")
    assert run(["init", "acme"]) == 0
    assert project(Path("acme")).base == "develop"
    assert "The commit is on start-mlgit; the project starts once develop has it." in capsys.readouterr().out


def test_a_base_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "acme", "--base", "trunk"]) == 0
    assert git(Path("acme"), "symbolic-ref", "--short", "HEAD") == "trunk\n"
    assert project(Path("acme")).base == "trunk"
    git(Path(), "init", "-q", "-b", "main", "other")
    assert run(["init", "other", "--base", "trunk"]) == 1
    assert "error[base-branch-missing]" in capsys.readouterr().err
    git(Path("other"), "switch", "-q", "-c", "trunk")
    assert run(["init", "other", "--base", "trunk"]) == 0


def test_a_detached_head_without_a_usual_branch_asks_for_the_base(capsys: pytest.CaptureFixture[str]) -> None:
    root = Path("acme")
    git(Path(), "init", "-q", "-b", "work", "acme")
    git(root, "commit", "-q", "--allow-empty", "-m", "first")
    git(root, "switch", "-q", "--detach")
    assert run(["init", "acme"]) == 1
    assert "or name another with --base" in capsys.readouterr().err
    assert run(["init", "acme", "--base", "work"]) == 0


def test_a_dvc_project_keeps_its_pipeline_and_its_remote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = Path("acme")
    git(Path(), "init", "-q", "-b", "main", "acme")
    for words in (["init", "-q"], ["remote", "add", "-q", "-d", "team", str(tmp_path / "team")]):
        subprocess.run([sys.executable, "-m", "dvc", *words], cwd=root, check=True, capture_output=True)
    own = {
        "dvc.yaml": "stages:\n  train:\n    cmd: python train.py\n    outs: [model.skops]\n",
        "params.yaml": "depth: 3\n",
        "train.py": "print(1)\n",
        "requirements.txt": "pandas\n",
        ".gitignore": "/tmp/\n",
        ".gitattributes": "*.ipynb binary\n",
    }
    for path, text in own.items():
        (root / path).write_text(text)
    git(root, "add", "-A")
    git(root, "commit", "-qm", "a pipeline")
    config = (root / ".dvc/config").read_bytes()
    assert run(["init", "acme"]) == 0
    shown = capsys.readouterr().out
    assert "Existing files were not changed: dvc.yaml, params.yaml, requirements.txt" in shown
    assert "Lines were added to existing files: .gitattributes, .gitignore" in shown
    for path in ("dvc.yaml", "params.yaml", "requirements.txt"):
        assert (root / path).read_text() == own[path]
    assert not (root / "src").exists()
    assert (root / ".gitignore").read_text().startswith("/tmp/\n\n# Files that the pipeline writes")
    assert "*.ipynb binary\n" in (root / ".gitattributes").read_text()
    assert ((root / ".dvc/config").read_bytes(), project(root).remote) == (config, "team")
    assert not (tmp_path / "work/acme-storage").exists()
    assert git(root, "status", "--short") == ""
    before = snapshot(root)
    assert run(["init", "acme"]) == 0
    assert "is a project already" in capsys.readouterr().out
    assert snapshot(root) == before


def test_a_folder_inside_a_repository_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    git(Path(), "init", "-q")
    assert run(["init", "acme"]) == 1
    assert "error[repository-nested]" in capsys.readouterr().err
    assert not Path("acme").exists()


def test_a_file_in_the_place_of_the_folder_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("acme").write_text("")
    assert run(["init", "acme/inner"]) == 2
    assert "error[folder-is-file]" in capsys.readouterr().err


def test_somebody_unknown_is_told_before_anything_is_made(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / ".gitconfig").unlink()
    assert run(["init", "acme"]) == 1
    assert "error[git-identity-missing]" in capsys.readouterr().err
    assert not Path("acme").exists()


@pytest.mark.parametrize(
    ("options", "id_", "code"),
    [
        (["--name", "My Project"], "name-invalid", 2),
        (["--owner", 'a"b'], "owner-invalid", 2),
        (["--remote", "acme/data"], "dvc-remote-inside-repository", 2),
        (["--base", "a b"], "name-invalid", 2),
        (["--base", "main]"], "name-invalid", 2),
    ],
)
def test_words_that_do_not_fit_are_refused(
    options: list[str], id_: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", "acme", *options]) == code
    assert f"error[{id_}]" in capsys.readouterr().err
    assert not Path("acme").exists()


def test_an_address_that_is_none_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada\n")
    assert run(["init", "acme"]) == 1
    assert "error[git-identity-invalid]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("folder", "name"),
    [("acme", "acme"), ("Acme Shop", "acme-shop"), ("Ümläut_2", "umlaut-2"), ("日本", "project"), ("-", "project")],
)
def test_the_name_comes_from_the_folder(folder: str, name: str) -> None:
    assert init.name_of(folder) == name


def test_a_dry_run_lists_the_files_and_makes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "acme", "--dry-run"]) == 0
    assert "+ datasets/biopsies/biopsies.csv.dvc" in capsys.readouterr().out
    assert list(Path().iterdir()) == []


def test_the_answer_is_a_document(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["init", "acme", "--remote", str(tmp_path / "far"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "mlgit/init.v1"
    assert (document["state"], document["model"], document["remote"]) == (
        "created",
        "malignancy",
        str(tmp_path / "far"),
    )
    assert (tmp_path / "far/files").is_dir()


def test_every_template_is_listed_and_every_listed_one_is_there() -> None:
    folders = {path.name for path in (Path(templates.__file__).parents[2] / "templates").iterdir() if path.is_dir()}
    assert folders == {*templates.TEMPLATES, "common", "hooks", "new"}


def test_a_placeholder_without_a_value_is_an_error_and_those_of_others_stay() -> None:
    files = {"{{ a }}.txt": b"{{ a }} ${{ a }}", "{{ a }}.csv": b"{{ a }}"}
    assert templates.render(files, {"a": "x"}) == {"x.txt": b"x ${{ a }}", "x.csv": b"{{ a }}"}
    with pytest.raises(ValueError, match=r"\{\{ b \}\}"):
        templates.render({"file": b"{{ b }}"}, {"a": "x"})


@pytest.mark.parametrize(
    ("forge", "workflows"),
    [
        ("none", ["validate"]),
        ("gitea", ["validate"]),
        ("github", ["apply", "audit", "gate", "observe", "promote", "report", "train", "validate"]),
    ],
)
def test_workflows_come_with_the_forge_that_runs_them(forge: str, workflows: list[str]) -> None:
    assert run(["init", "acme", "--forge", forge]) == 0
    there = sorted(path.stem.removeprefix("mlgit-") for path in Path("acme/.github/workflows").iterdir())
    assert there == workflows
    session = Session(Path("acme").resolve())
    assert Lifecycle(session.repository.tree("HEAD"), session.formats.record).project().forge == forge


@pytest.mark.parametrize(("forge", "evidence"), [("none", "signed"), ("github", "forge"), ("gitea", "forge")])
def test_where_there_is_a_forge_its_reviews_count(forge: str, evidence: str) -> None:
    assert run(["init", "acme", "--yes", "--forge", forge]) == 0
    repository = Session(Path("acme")).repository
    state = Lifecycle(repository.tree("HEAD"), Session(Path("acme")).formats.record)
    assert (state.project().forge, state.policy("production").evidence) == (forge, evidence)
    assert ("logins: []" in Path("acme/.mlgit/roles.yaml").read_text()) is (forge != "none")
    assert run(["-C", "acme", "validate"]) == 0


TABLE = "id,plan,spend,since,note,left\n" + "".join(
    f"{row},{'basic' if row % 3 else 'pro'},{row * 1.5},2026-01-{row % 28 + 1:02d},n{row},{'yes' if row % 4 else 'no'}\n"
    for row in range(1, 81)
)


def about_own_table(target: str, *options: str, text: str = TABLE, name: str = "customers.csv") -> Lifecycle:
    Path(name).write_text(text, encoding="utf-8")
    assert run(["init", "churn", "--data", name, "--target", target, *options]) == 0
    session = Session(Path("churn").resolve())
    return Lifecycle(session.repository.tree("HEAD"), session.formats.record)


def test_a_project_starts_with_an_own_table(capsys: pytest.CaptureFixture[str]) -> None:
    state = about_own_table("left")
    problem, model, contract = state.problem("churn"), state.model("churn"), state.dataset("customers")
    assert (problem.target.column, problem.target.type, problem.target.positive) == ("left", "binary", "yes")
    assert (problem.metric.primary, problem.metric.slices) == ("roc_auc", ["plan"])
    assert (model.keys, model.signature.inputs) == (["id"], {"plan": "string", "spend": "number", "note": "string"})
    assert (contract.keys, contract.columns["since"].type) == (["id"], "date")
    shown = capsys.readouterr().out
    assert "left has two values: a binary task, and yes is the positive class" in shown
    assert "not used for the prediction: since\n" in shown
    assert shown.endswith("Next: cd churn && mlgit train churn\n")
    root = Path("churn")
    assert (root / "datasets/customers/customers.csv").read_text(encoding="utf-8") == TABLE
    assert git(root, "status", "--short") == ""
    assert "datasets/customers/customers.csv.dvc" in git(root, "ls-files")
    assert run(["-C", "churn", "validate"]) == 0
    assert run(["-C", "churn", "data", "check"]) == 0
    assert run(["init", "churn", "--data", "customers.csv", "--target", "left"]) == 0
    assert "is a project already" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("target", "task", "metric", "output"),
    [("spend", "regression", "rmse", "value"), ("plan", "binary", "roc_auc", "probability")],
)
def test_the_task_follows_from_the_target(target: str, task: str, metric: str, output: str) -> None:
    state = about_own_table(target)
    problem, model = state.problem("churn"), state.model("churn")
    assert (problem.target.type, problem.metric.primary, model.signature.output) == (task, metric, output)


def test_a_table_without_a_key_goes_by_its_rows_and_a_semicolon_is_understood() -> None:
    rows = [line.split(",")[1:] for line in TABLE.splitlines()]
    text = "\n".join(";".join(row) for row in rows if row) + "\n"
    state = about_own_table("left", "--key", "note", text=text)
    assert (state.model("churn").keys, state.dataset("customers").csv.delimiter) == (["note"], ";")
    shutil.rmtree("churn")
    without = "\n".join(",".join([row[0], row[1], row[-1]]) for row in rows) + "\n"
    state = about_own_table("left", text=without.replace("49.5", "48"))
    assert state.model("churn").keys == ["row"] or state.dataset("customers").keys


@pytest.mark.parametrize(
    ("options", "id_", "code"),
    [
        (["--data", "customers.csv"], "init-options-conflict", 2),
        (["--target", "left"], "init-options-conflict", 2),
        (["--key", "id"], "init-options-conflict", 2),
        (
            ["--data", "customers.csv", "--target", "left", "--template", "tabular-regression"],
            "init-options-conflict",
            2,
        ),
        (["--data", "customers.csv", "--target", "lefft"], "column-unknown", 2),
        (["--data", "customers.csv", "--target", "left", "--key", "idd"], "column-unknown", 2),
        (["--data", "customers.csv", "--target", "note"], "target-unsuitable", 1),
        (["--data", "customers.csv", "--target", "since"], "target-unsuitable", 1),
        (["--data", "missing.csv", "--target", "left"], "data-file-missing", 2),
    ],
)
def test_a_table_that_does_not_fit_changes_nothing(
    options: list[str], id_: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("customers.csv").write_text(TABLE, encoding="utf-8")
    assert run(["init", "churn", *options]) == code
    assert f"error[{id_}]" in capsys.readouterr().err
    assert not Path("churn").exists()


def test_an_own_table_is_trained_and_registered_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    about_own_table("left")
    assert run(["-C", "churn", "train"]) == 0
    assert run(["-C", "churn", "register"]) == 0
    capsys.readouterr()
    assert run(["-C", "churn", "gate", "churn", "--env", "staging", "--json"]) in {0, 1}
    assert json.loads(capsys.readouterr().out)["candidate"] == "churn@1"
