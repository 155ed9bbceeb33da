"""`mlgit data` in a real project, with real DVC: add, add again, check; and never lose anybody's data."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from mlgit.cli.main import run
from mlgit.cli.new import draft_text
from mlgit.cli.session import Session
from mlgit.domain.codec import sha256
from mlgit.domain.records import Dataset
from mlgit.domain.records.dataset import CsvFormat
from mlgit.edges.dvc import pointers
from mlgit.edges.project import DataDisk
from mlgit.ops.data import add, contracts
from mlgit.ops.kernel.lifecycle import Lifecycle


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project to add data to; the current folder is its root."""
    monkeypatch.chdir(tmp_path)
    assert run(["init", "acme"]) == 0
    monkeypatch.chdir("acme")
    return tmp_path / "acme"


@pytest.fixture
def customers(tmp_path: Path) -> Path:
    """A table somewhere else on the disk."""
    path = tmp_path / "Customers.csv"
    rows = {
        "customer_id": range(1000, 1200),
        "age": [18 + row % 60 for row in range(200)],
        "share": [row / 200 for row in range(200)],
        "balance": [(row - 100) * 1.5 for row in range(200)],
        "channel": ["shop", "web", "no", None] * 50,
        "since": ["2025-03-01"] * 200,
        "left": [True, False] * 100,
    }
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def contract(name: str = "customers") -> Dataset:
    session = Session(Path())
    return Lifecycle(session.repository.work_tree(), session.formats.record).dataset(name)


def check(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[dict[str, Any]]]:
    capsys.readouterr()
    code = run(["data", "check", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)["checks"]


@pytest.mark.tier("fast")
def test_a_table_from_elsewhere_is_copied_pointed_to_pushed_and_described(
    customers: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = customers.read_bytes()
    assert run(["data", "add", str(customers)]) == 0
    shown = capsys.readouterr().out
    assert "Added customers: 200 rows" in shown
    assert shown.splitlines()[-1] == "Next: review datasets/customers/dataset.yaml, then mlgit data check customers"
    assert customers.read_bytes() == before == (project / "datasets/customers/Customers.csv").read_bytes()
    pointer = pointers.parse(
        (project / "datasets/customers/Customers.csv.dvc").read_bytes(), "datasets/customers/Customers.csv.dvc"
    )
    stored = project.parent / "acme-storage/files/md5" / pointer.md5[:2] / pointer.md5[2:]
    assert sha256(stored.read_bytes()) == sha256(before)
    untracked = subprocess.run(["git", "status", "--short", "-uall"], capture_output=True, text=True, check=True).stdout
    assert untracked.splitlines() == ["?? datasets/customers/Customers.csv.dvc", "?? datasets/customers/dataset.yaml"]
    drafted = contract()
    assert (drafted.path, drafted.keys, drafted.rows.min) == ("Customers.csv", ["customer_id"], 100)
    rules = {name: (column.type, column.min, column.max, column.in_) for name, column in drafted.columns.items()}
    assert rules == {
        "customer_id": ("integer", None, None, None),
        "age": ("integer", 0, 200, None),
        "share": ("number", 0, 1, None),
        "balance": ("number", -300, 300, None),
        "channel": ("string", None, None, ["no", "shop", "web"]),
        "since": ("date", None, None, None),
        "left": ("boolean", None, None, None),
    }
    assert drafted.columns["customer_id"].unique
    assert [name for name, column in drafted.columns.items() if column.nullable] == ["channel"]
    assert check(capsys, "customers")[0] == 0


def test_changed_data_is_checked_and_added_again(
    customers: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "add", str(customers)]) == 0
    file, pointer = project / "datasets/customers/Customers.csv", project / "datasets/customers/Customers.csv.dvc"
    old = pointer.read_bytes()
    file.write_text(file.read_text().replace(",shop,", ",mail,"))
    code, checks = check(capsys, "customers")
    assert code == 1
    assert checks[0]["state"] == "changed"
    broken = checks[0]["violations"][0]
    assert (broken["rule"], broken["column"], broken["count"], broken["examples"]) == (
        "not-allowed",
        "channel",
        50,
        ["mail"],
    )
    record = project / "datasets/customers/dataset.yaml"
    record.write_text(record.read_text().replace("shop, web]", "mail, web]"))
    assert run(["data", "add", "customers"]) == 0
    assert "~ datasets/customers/Customers.csv.dvc" in capsys.readouterr().out
    assert pointer.read_bytes() != old


def everything(project: Path) -> dict[Path, bytes]:
    """All files of a project and its storage."""
    return {path: path.read_bytes() for path in project.parent.rglob("*") if path.is_file() and path.suffix != ".lock"}


@pytest.mark.parametrize("place", ["elsewhere", "in its place"])
def test_data_that_breaks_its_contract_changes_nothing_unless_it_is_accepted(
    customers: Path, project: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    assert run(["data", "add", str(customers)]) == 0
    file = customers if place == "elsewhere" else project / "datasets/customers/Customers.csv"
    file.write_text(file.read_text().replace(",shop,", ",mail,"))
    before = everything(project)
    capsys.readouterr()
    words = ["data", "add", str(file), "--dataset", "customers"]
    assert run(words) == 1
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("Not added customers: 200 rows")
    assert shown[2] == "It violates its contract, datasets/customers/dataset.yaml. Nothing was changed."
    assert "--accept" in shown[-1]
    assert everything(project) == before
    assert run([*words, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["added"] is False
    assert run([*words, "--accept"]) == 0
    assert "Added customers: 200 rows" in capsys.readouterr().out
    assert check(capsys, "customers")[0] == 1


def test_a_draft_is_shown_before_it_is_kept(customers: Path, project: Path) -> None:
    session, shown = Session(Path()), list[add.DataAdded]()

    def disagree(planned: add.DataAdded) -> bool:
        shown.append(planned)
        return False

    before = everything(project)
    outcome = add.run(session, customers, name=None, disk=DataDisk(project), draft=draft_text, agree=disagree)
    assert (outcome.added, outcome.exit) == (False, 1)
    assert shown[0].columns["channel"] == '{type: string, in: ["no", shop, web]}'
    assert shown[0].csv == CsvFormat()
    assert everything(project) == before


def test_how_a_file_is_written_is_found_said_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"C{row:03};{row},5;{'NA' if row % 4 else row};{'NA' if row % 4 else 'DE'}\n" for row in range(40))
    (tmp_path / "Käufe.csv").write_text(f"kunde;preis;alter;land\n{rows}".replace("C007", "Ä007"), encoding="cp1252")
    assert run(["data", "add", str(tmp_path / "Käufe.csv"), "--dataset", "sales"]) == 0
    shown = capsys.readouterr().out
    assert 'Read as CSV: encoding windows-1252, quote ", delimiter semicolon, decimal comma.' in shown
    assert "Note: alter: 'NA' (30 rows) is counted as missing" in shown
    assert "Note: land: 'NA' (30 rows) is counted as text; `null_words` would make it missing" in shown
    drafted = contract("sales")
    assert drafted.csv == CsvFormat(delimiter=";", decimal=",", encoding="windows-1252")
    assert {name: rule.type for name, rule in drafted.columns.items()} == {
        "kunde": "string",
        "preis": "number",
        "alter": "integer",
        "land": "string",
    }
    assert (drafted.columns["alter"].null_words, drafted.keys) == (["NA"], ["kunde"])
    assert check(capsys, "sales")[0] == 0
    text = (tmp_path / "Käufe.csv").read_text(encoding="cp1252").replace(";", "\t")
    (tmp_path / "Käufe.csv").write_text(text, encoding="utf-8")
    assert run(["data", "add", str(tmp_path / "Käufe.csv"), "--dataset", "sales"]) == 1
    told = capsys.readouterr()
    assert "line" in told.err or "delimiter" in told.out


def test_a_table_is_shown_with_counts_and_examples(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = project / "datasets/biopsies/biopsies.csv"
    file.write_text(file.read_text().replace("malignant", "unsure", 3))
    capsys.readouterr()
    assert run(["data", "check"]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("fail  biopsies: 569 rows")
    assert shown[1].split() == ["COLUMN", "RULE", "ROWS", "EXAMPLES", "PROBLEM"]
    assert shown[2].split()[:4] == ["diagnosis", "not-allowed", "3", "unsure"]
    assert shown[-1].startswith("Next: ")


def test_values_of_people_are_not_shown(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record, file = project / "datasets/biopsies/dataset.yaml", project / "datasets/biopsies/biopsies.csv"
    record.write_text(record.read_text().replace("classification: public", "classification: sensitive"))
    file.write_text(file.read_text().replace("malignant", "unsure", 3))
    code, checks = check(capsys)
    assert code == 1
    broken = checks[0]["violations"][0]
    assert (broken["count"], broken["examples"]) == (3, [])


def test_absent_data_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "datasets/biopsies/biopsies.csv").unlink()
    capsys.readouterr()
    assert run(["data", "check"]) == 1
    assert "dvc pull datasets/biopsies/biopsies.csv.dvc" in capsys.readouterr().out
    assert run(["new", "dataset", "biopsies-2"]) == 0
    code, checks = check(capsys)
    assert (code, [one["state"] for one in checks]) == (1, ["missing", "never-added"])


def test_unchanged_data_added_again_is_said_to_be(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "add", "biopsies"]) == 0
    assert "Unchanged biopsies: 569 rows" in capsys.readouterr().out
    assert subprocess.run(["git", "status", "--short"], capture_output=True, check=True).stdout == b""


def test_a_revoked_dataset_breaks_its_contract(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = project / "datasets/biopsies/dataset.yaml"
    record.write_text(f"{record.read_text()}revoked: {{since: 2020-01-01, reason: consent withdrawn}}\n")
    code, checks = check(capsys)
    assert code == 1
    assert checks[0]["violations"][0]["message"] == "revoked since 2020-01-01: consent withdrawn"


def test_data_that_dvc_does_not_keep_is_not_overwritten(
    customers: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = project / "datasets/customers/Customers.csv"
    place.parent.mkdir()
    place.write_text("the only copy\n")
    assert run(["data", "add", str(customers)]) == 1
    assert "error[data-untracked]" in capsys.readouterr().err
    assert place.read_text() == "the only copy\n"


def test_a_link_into_the_cache_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    kept, new, place = (tmp_path / name for name in ("kept", "new", "place"))
    kept.write_text("kept")
    new.write_text("new")
    place.symlink_to(kept)
    DataDisk(tmp_path).copy(new, place)
    assert (kept.read_text(), place.read_text(), place.is_symlink()) == ("kept", "new", False)


def test_data_in_its_place_is_named_by_its_folder(customers: Path, project: Path) -> None:
    place = project / "datasets/people/2026.parquet"
    place.parent.mkdir()
    pd.read_csv(customers).to_parquet(place)
    assert run(["data", "add", "datasets/people/2026.parquet"]) == 0
    assert contract("people").path == "2026.parquet"


@pytest.mark.parametrize(
    ("words", "id_", "code"),
    [
        (["nothing.csv"], "data-file-missing", 2),
        (["README.md"], "data-format-unsupported", 2),
        (["{customers}", "--dataset", "My Data"], "name-invalid", 2),
        (["{parquet}", "--dataset", "biopsies"], "data-path-mismatch", 1),
        (["{lists}"], "column-type-unsupported", 1),
        (["{binary}"], "table-unreadable", 1),
        (["{header}"], "table-unreadable", 1),
        (["{nulled}"], "table-unreadable", 1),
        (["{shifted}"], "table-unreadable", 1),
    ],
)
def test_what_does_not_fit_is_refused(
    words: list[str], id_: str, code: int, customers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = {name: tmp_path / f"{name}.parquet" for name in ("parquet", "lists")} | {
        "customers": customers,
        **{name: tmp_path / f"{name}.csv" for name in ("binary", "header", "nulled", "shifted")},
    }
    paths["header"].write_text("a,b\n")
    paths["nulled"].write_text("a,b\n1,\0\n")
    paths["shifted"].write_text("a,b\n1,2,\n")
    pd.read_csv(customers).to_parquet(paths["parquet"])
    pd.DataFrame({"a": [[1], [2]]}).to_parquet(paths["lists"])
    paths["binary"].write_bytes(b"\x80\x81,\xff\n" * 3)
    status = subprocess.run(["git", "status", "--short"], capture_output=True, check=True).stdout
    assert run(["data", "add", *(word.format(**paths) for word in words)]) == code
    assert f"error[{id_}]" in capsys.readouterr().err
    assert subprocess.run(["git", "status", "--short"], capture_output=True, check=True).stdout == status


def test_other_data_under_the_name_of_a_dataset_breaks_its_contract(
    customers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "add", str(customers), "--dataset", "biopsies", "--dry-run"]) == 1
    assert "there is no column 'radius'" in capsys.readouterr().out


def test_a_dry_run_changes_nothing(customers: Path, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "add", str(customers), "--dry-run"]) == 0
    assert "Would add customers" in capsys.readouterr().out
    assert not (project / "datasets/customers").exists()


@pytest.mark.tier("fast")
def test_predictions_may_have_their_keys_as_the_index(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate = project / "src/evaluate.py"
    text = evaluate.read_text()
    as_index = text.replace("predictions.reset_index().to_parquet(", "predictions.to_parquet(").replace(
        ", index=False", ""
    )
    assert as_index != text
    evaluate.write_text(as_index)
    subprocess.run(["git", "commit", "--quiet", "--all", "--message", "Write keys as the index"], check=True)
    assert run(["train"]) == 0
    subprocess.run(["git", "add", "--all"], check=True)
    subprocess.run(["git", "commit", "--quiet", "--message", "Train"], check=True)
    assert pq.read_schema(project / "out/predictions.parquet").pandas_metadata["index_columns"] == ["sample_id"]
    capsys.readouterr()
    assert run(["register"]) == 0, capsys.readouterr().err
    profile = json.loads((project / "models/malignancy/versions/v1/profile.json").read_bytes())
    assert {"sample_id", "__index_level_0__"}.isdisjoint(profile["columns"])  # they name rows, and drift always


def test_an_unknown_dataset_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "check", "biopsy"]) == 1
    assert "did you mean biopsies?" in capsys.readouterr().err


def test_a_pattern_that_is_none_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = project / "datasets/biopsies/dataset.yaml"
    record.write_text(record.read_text().replace("in: [malignant, benign]", 'pattern: "["'))
    assert run(["data", "check"]) == 1
    assert "error[pattern-invalid]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("low", "high", "limits"),
    [
        (0, 1, (0, 1)),
        (18, 79, (0, 200)),
        (-3.2, 5.1, (-7, 20)),
        (-9, -2, (-20, 0)),
        (0, 0, (0, 0)),
        (0.2, 0.4, (0, 1)),
        (1e6, 3e6, (0, 6e6)),
    ],
)
def test_a_draft_leaves_room(low: float, high: float, limits: tuple[float, float]) -> None:
    assert contracts.limits_with_margin(low, high) == limits
