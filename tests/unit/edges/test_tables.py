"""Tables are read from files as they are: CSV strictly and as text, Parquet by its own schema."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlgit.domain.records import Dataset
from mlgit.domain.records.dataset import ColumnRule, CsvFormat
from mlgit.edges.tables import ArrowTables
from mlgit.errors import Finding, MlgitError

TABLES = ArrowTables()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "table"


def rows(path: Path, csv: CsvFormat | None = None) -> list[dict[str, Any]]:
    return [row for batch in TABLES.open(path, csv).batches() for row in batch.to_pylist()]


def refusal(path: Path, csv: CsvFormat | None = None) -> Finding:
    with pytest.raises(MlgitError) as refused:
        rows(path, csv)
    (finding,) = refused.value.findings
    assert finding.id == "table-unreadable"
    assert finding.fix
    return finding


@pytest.mark.parametrize(
    ("content", "line", "why"),
    [
        (b"id,weight,price\n" + b"1,2,3\n" * 3 + b"1,2,3,\n", 5, "4 fields, and the header has 3"),
        (b"a,b\n" + b'"x\ny",1\n' * 2 + b"1\n", 6, "1 field, and the header has 2"),
        (b"a,b\n" + b"1,2\n" * 100_000 + b"1,2,3\n", 100_002, "3 fields, and the header has 2"),
        (b"a,b,a\n1,2,3\n", 1, "'a' names two columns"),
        (b"a,,c\n1,2,3\n", 1, "column 2 has no name"),
        (b"a,b\n", 1, "it has a header and no rows"),
        (b"", None, "it is empty; its first line must name the columns"),
        (b"a,b\n1,2\n3,\0\n", 3, "it has a NUL character"),
        (b"a,b\n1,\x80\x81\n", 2, "it is not UTF-8 or windows-1252"),
        (b'a,b\n1,2\n1,"open\n3,4\n', 3, "a quote is opened and not closed"),
    ],
)
def test_a_file_that_is_no_clean_table_is_refused_with_its_first_line(
    file: Path, content: bytes, line: int | None, why: str
) -> None:
    file.write_bytes(content)
    finding = refusal(file)
    assert (finding.at and finding.at.line, finding.why) == (line, why)


def test_a_quote_that_swallows_the_file_is_refused(file: Path) -> None:
    file.write_bytes(b'a,b\n1,"open\n' + b"3,4\n" * 2_000_000)
    finding = refusal(file)
    assert (finding.at and finding.at.line, finding.why) == (2, "a quote is opened and not closed")


def test_a_long_row_is_read_with_all_that_are_before_it(file: Path) -> None:
    long = "x" * 3_000_000
    file.write_text("a,b\n" + "1,2\n" * 400_000 + f"3,{long}\n4,5\n")
    read = rows(file)
    assert (len(read), read[-2], read[-1]) == (400_002, {"a": "3", "b": long}, {"a": "4", "b": "5"})
    assert read[:400_000] == [{"a": "1", "b": "2"}] * 400_000


def test_a_file_in_another_encoding_than_its_contract_says_is_refused(file: Path) -> None:
    file.write_bytes("a\n1\nä\n".encode("cp1252"))
    assert refusal(file, CsvFormat()).at.line == 3  # type: ignore[union-attr]
    assert rows(file, CsvFormat(encoding="windows-1252"))[1] == {"a": "ä"}


@pytest.mark.parametrize(
    ("text", "csv"),
    [
        ("a,b\n1,x\n", CsvFormat()),
        ("a;b\n1;x\n", CsvFormat(delimiter=";")),
        ("a;b\n1,5;x\n", CsvFormat(delimiter=";")),
        ("a\tb\n1\tx,y;z\n", CsvFormat(delimiter="\t")),
        ("a|b\n1|x\n", CsvFormat(delimiter="|")),
        ("'a','b'\n'1','x,y'\n", CsvFormat(quote="'")),
        ("name; in EUR,price\n1,2\n", CsvFormat()),
        ("only\n1\n", CsvFormat()),
        ("ä,b\n1,x\n", CsvFormat()),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_how_a_file_is_written_is_found_out(file: Path, text: str, csv: CsvFormat, encoding: str) -> None:
    file.write_bytes(text.encode(encoding))
    found = TABLES.open(file).csv
    assert found == CsvFormat(
        delimiter=csv.delimiter, quote=csv.quote, encoding="utf-16" if encoding == "utf-16" else "utf-8"
    )
    assert next(iter(rows(file)[0].values())).startswith("1")


def test_the_empty_field_is_the_only_missing_value(file: Path) -> None:
    file.write_text('a,b,c\n,"",NA\nnull,5" pipe, x \n')
    assert rows(file) == [{"a": None, "b": None, "c": "NA"}, {"a": "null", "b": '5" pipe', "c": " x "}]


def test_a_contract_decides_what_texts_are(file: Path) -> None:
    file.write_text("zip;price;on\n01001;1,5;true\n10115;2;false\n")
    contract = Dataset(
        schema=1,
        name="homes",
        owner="@acme",
        path="table",
        csv=CsvFormat(delimiter=";", decimal=","),
        columns={
            "zip": ColumnRule(type="string"),
            "price": ColumnRule(type="number"),
            "on": ColumnRule(type="boolean"),
        },
    )
    assert TABLES.arrow(file, contract).to_pydict() == {
        "zip": ["01001", "10115"],
        "price": [1.5, 2.0],
        "on": [True, False],
    }


def test_every_column_of_a_parquet_file_is_a_column(file: Path) -> None:
    frame = pd.DataFrame({"customer": ["C1", "C2"], "0": [1, 2]}).set_index("customer")
    frame.columns = [0]
    frame.to_parquet(file)
    assert rows(file) == [{"0": 1, "customer": "C1"}, {"0": 2, "customer": "C2"}]
    assert list(TABLES.frame(file).columns) == ["0", "customer"]
    assert list(TABLES.frame(file).index) == [0, 1]


def test_integers_beside_a_missing_value_keep_their_digits(file: Path) -> None:
    pq.write_table(pa.table({"id": pa.array([None, 2**60 + 1, 2**60 + 2])}), file)
    assert TABLES.frame(file)["id"].tolist()[1:] == [2**60 + 1, 2**60 + 2]
    file.write_text(f"id,x\n,1\n{2**60 + 1},2\n")
    assert TABLES.frame(file)["id"].tolist()[1] == 2**60 + 1


def test_a_frame_is_what_pandas_would_read(file: Path) -> None:
    frame = pd.DataFrame(
        {
            "text": ["a", None],
            "number": [0.5, None],
            "truth": [True, False],
            "day": pd.to_datetime(["2026-01-01", "2026-01-02"]),
            "class": pd.Categorical(["x", "y"]),
        }
    )
    frame.to_parquet(file)
    pd.testing.assert_frame_equal(TABLES.frame(file), pd.read_parquet(file))
    frame[["text", "number", "truth"]].to_csv(file, index=False)
    pd.testing.assert_frame_equal(TABLES.frame(file), pd.read_csv(file))


def test_two_columns_of_one_name_are_refused(file: Path) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), file)
    assert refusal(file).why == "more than one column is called 'a'"


def test_a_damaged_parquet_file_is_refused(file: Path) -> None:
    file.write_bytes(b"PAR1" + b"\0" * 40)
    refusal(file)
