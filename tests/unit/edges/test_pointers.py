"""Pointers: written as DVC writes them, and read without trust."""

import pytest
from dvc.utils.serialize import dumps_yaml
from hypothesis import given
from hypothesis import strategies as st

from mlgit.domain.records.version import StoredFile
from mlgit.edges.dvc import pointers
from mlgit.errors import MlgitError

MD5 = "2c85e8b671f8c5d9eaac19fc1c18b007"
GOOD = f"outs:\n- md5: {MD5}\n  size: 100\n  hash: md5\n  path: model.skops\n"


def a_file(path: str = "model.skops", md5: str = MD5, size: int = 100) -> StoredFile:
    return StoredFile(path=path, sha256=f"sha256:{'0' * 64}", md5=md5, size=size)


def test_a_pointer_is_what_dvc_writes() -> None:
    assert pointers.render(a_file()) == GOOD.encode()


hashes = st.text("0123456789abcdef", min_size=32, max_size=32) | st.text("0123456789e", min_size=32, max_size=32)
names = st.from_regex(r"[a-z]{1,8}[_-]?[a-z0-9]{0,8}\.(skops|onnx|parquet|ubj|txt)", fullmatch=True)


@given(names, hashes, st.integers(1, 1 << 50))
def test_law_the_bytes_are_those_of_dvcs_own_writer(name: str, md5: str, size: int) -> None:
    ours = pointers.render(a_file(f"models/churn/{name}", md5, size))
    assert ours.decode() == dumps_yaml({"outs": [{"md5": md5, "size": size, "hash": "md5", "path": name}]})


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 ._'#,é-]{0,20}[a-z]", fullmatch=True), hashes, st.integers(1, 1 << 50))
def test_law_what_is_written_is_read_back(name: str, md5: str, size: int) -> None:
    pointer = pointers.parse(pointers.render(a_file(name, md5, size)), f"models/churn/{name}.dvc")
    assert (pointer.path, pointer.md5, pointer.size, pointer.is_folder) == (f"models/churn/{name}", md5, size, False)


def test_a_folder_and_an_import_are_read() -> None:
    text = f"""\
md5: 9c1185a5c5e9fc54612808977ee8f548
frozen: true
deps:
- path: https://example.org/raw
outs:
- md5: {MD5}.dir
  size: 17
  nfiles: 2
  hash: md5
  path: raw
"""
    pointer = pointers.parse(text.encode(), "datasets/flights/raw.dvc")
    assert pointer.is_folder
    assert pointer.path == "datasets/flights/raw"
    assert pointer.md5 == f"{MD5}.dir"


@pytest.mark.parametrize(
    ("was", "becomes", "finding", "line"),
    [
        (f"md5: {MD5}", "md5: ../../../etc/passwd", "dvc-pointer-unsafe", 2),
        (f"md5: {MD5}", "md5: ../885e8b671f8c5d9eaac19fc1c18b007", "dvc-pointer-unsafe", 2),
        (f"md5: {MD5}", "md5: null", "dvc-pointer-unsafe", 2),
        (f"md5: {MD5}", f"md5: {MD5.upper()}", "dvc-pointer-unsafe", 2),
        (f"md5: {MD5}", f'md5: "{MD5}\\n"', "dvc-pointer-unsafe", 2),
        (f"md5: {MD5}", f"md5: {'1' * 32}", "dvc-pointer-unsafe", 2),
        ("path: model.skops", "path: ../model.skops", "dvc-pointer-unsafe", 5),
        ("path: model.skops", "path: a/../../../model.skops", "dvc-pointer-unsafe", 5),
        ("path: model.skops", "path: /etc/passwd", "dvc-pointer-unsafe", 5),
        ("path: model.skops", "path: C:/model.skops", "dvc-pointer-unsafe", 5),
        ("path: model.skops", "path: s3://bucket/model.skops", "dvc-pointer-unsafe", 5),
        ("path: model.skops", "path: .git/hooks/pre-commit", "dvc-pointer-unsafe", 5),
        ("path: model.skops", "path: -rf", "dvc-pointer-unsafe", 5),
        ("path: model.skops", "path: 7", "dvc-pointer-unsafe", 5),
        ("  path: model.skops\n", "", "dvc-pointer-unsafe", 2),
        ("  hash: md5\n", "", "dvc-pointer-legacy", 2),
        ("hash: md5", "hash: sha1", "dvc-pointer-legacy", 2),
        ("size: 100", "size: -1", "dvc-pointer-invalid", 3),
        ("size: 100", "size: true", "dvc-pointer-invalid", 3),
        ("size: 100", "size: many", "dvc-pointer-invalid", 3),
        ("outs:\n", "wdir: ../..\nouts:\n", "dvc-pointer-invalid", 1),
        ("outs:\n", f"outs:\n- md5: {MD5}\n  size: 1\n  hash: md5\n  path: b\n", "dvc-pointer-invalid", 1),
        (GOOD, "outs: []\n", "dvc-pointer-invalid", 1),
        (GOOD, "outs: [text]\n", "dvc-pointer-invalid", 1),
        (GOOD, "outs: text\n", "dvc-pointer-invalid", 1),
        (GOOD, "deps: []\n", "dvc-pointer-invalid", 1),
    ],
)
def test_what_is_no_pointer_to_data_of_the_repository_is_refused(
    was: str, becomes: str, finding: str, line: int
) -> None:
    with pytest.raises(MlgitError) as refusal:
        pointers.parse(GOOD.replace(was, becomes).encode(), "models/churn/model.skops.dvc")
    (problem,) = refusal.value.findings
    assert problem.id == finding
    assert problem.at is not None
    assert (problem.at.file, problem.at.line) == ("models/churn/model.skops.dvc", line)
    assert problem.fix


def test_a_path_that_only_the_folder_makes_unsafe_is_refused() -> None:
    with pytest.raises(MlgitError, match="does not name data"):
        pointers.parse(GOOD.encode(), ".github/model.skops.dvc")
