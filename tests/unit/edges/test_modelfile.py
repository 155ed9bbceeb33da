"""Model files are recognized by content, refused for a reason, and never loaded."""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import struct
import subprocess
import sys
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mlgit.domain.records.version import ModelFormat
from mlgit.edges.modelfile import BUILT_IN, check_types, guard, inspect, parse_trusted_types, untrusted
from mlgit.edges.modelfile.formats import EXTENSIONS, FORMATS, loader
from mlgit.edges.modelfile.formats.base import Content, Format
from mlgit.errors import Finding, Location, MlgitError

ROWS = pd.DataFrame({"hour": [1.0, 2.0, 3.0, 4.0] * 5})
LABELS = [0, 1] * 10


MODELS: dict[str, tuple[Callable[[], Any], list[str], list[str]]] = {
    "logistic": (LogisticRegression, [], []),
    "ufunc": (lambda: make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()), [], []),
    "boosting": (
        lambda: HistGradientBoostingClassifier(max_iter=2),
        [],
        ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"],
    ),
    "forest": (lambda: RandomForestClassifier(2), [], ["sklearn.tree._tree.Tree"]),
    "calibrated": (
        lambda: CalibratedClassifierCV(LogisticRegression(), cv=2),
        [],
        ["sklearn.calibration._CalibratedClassifier", "sklearn.calibration._SigmoidCalibration"],
    ),
    "voting": (lambda: VotingClassifier([("a", LogisticRegression())]), [], ["sklearn.utils._bunch.Bunch"]),
    "selector": (
        lambda: make_pipeline(
            ColumnTransformer([("n", StandardScaler(), make_column_selector(dtype_include="number"))]),
            LogisticRegression(),
        ),
        [],
        ["sklearn.compose._column_transformer.make_column_selector"],
    ),
    "gadget": (lambda: FunctionTransformer(os.system), [f"{os.name}.system"], []),
}


@cache
def dumped(name: str) -> bytes:
    return bytes(skops.io.dumps(MODELS[name][0]().fit(ROWS, LABELS)))


def archive(*entries: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of two entries with one name
        for name, content in entries:
            file.writestr(name, content)
    return buffer.getvalue()


def skops_file(schema: Any) -> bytes:
    return archive(("schema.json", schema if isinstance(schema, bytes) else json.dumps(schema).encode()))


def in_directory(data: bytes, entry: bytes, offset: int, value: bytes) -> bytes:
    """Overwrite a field of an entry in the directory at the end of a zip archive."""
    record = data.rindex(b"PK\x01\x02", 0, data.rindex(entry))
    return data[: record + offset] + value + data[record + offset + len(value) :]


def listing(identity: int, *content: Any) -> dict[str, Any]:
    kind = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode"}
    return {**kind, "__id__": identity, "content": list(content)}


def doubling(levels: int) -> dict[str, Any]:
    """Each level holds the one below, and a reference to it: 2^levels visits."""
    node = listing(1)
    for level in range(2, levels + 2):
        node = listing(level, node, {"__id__": level - 1})
    return {**node, "protocol": 2}


def safetensors(header: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + bytes(8)


def refusal(content: bytes, tmp_path: Path, name: str = "model.skops") -> Finding:
    path = tmp_path / "copy"
    path.write_bytes(content)
    with pytest.raises(MlgitError) as caught:
        inspect(path, name)
    (finding,) = caught.value.findings
    assert finding.at == Location(name)
    assert finding.why or finding.id == "model-file-empty"
    assert finding.fix
    return finding


@pytest.mark.parametrize("name", MODELS)
def test_a_skops_file_lists_its_types_by_who_trusts_them(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    path.write_bytes(dumped(name))
    inspected = inspect(path)
    assert (inspected.format, inspected.types, inspected.built_in, inspected.findings) == (
        "skops",
        *MODELS[name][1:],
        [],
    )
    assert sorted(inspected.types + inspected.built_in) == skops.io.get_untrusted_types(data=dumped(name))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zlib.compress, bz2.compress, lzma.compress])
def test_a_pickle_is_refused_whatever_it_is_called(
    protocol: int, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    content = pack(pickle.dumps(LogisticRegression(), protocol))
    for name in ("model.skops", "model.pkl", "model.onnx"):
        finding = refusal(content, tmp_path, name)
        assert finding.id == "model-is-pickle"
        assert "skops.io.dump" in finding.fix


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_what_joblib_writes_is_refused_as_a_pickle(compress: Any, tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    buffer = io.BytesIO()
    joblib.dump({"weights": np.random.default_rng(0).normal(size=50_000)}, buffer, compress=compress)
    assert refusal(buffer.getvalue(), tmp_path).id == "model-is-pickle"


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_is_never_run(protocol: int, tmp_path: Path) -> None:
    target = tmp_path / "run"
    content = pickle.dumps(Bomb(target), protocol)
    assert refusal(content, tmp_path).id == "model-is-pickle"
    assert not target.exists()
    pickle.loads(content)
    assert target.exists(), "the pickle would have run"


STAND_INS = {
    "empty": (b"", "model-file-empty"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n", "model-is-lfs-pointer"),
    "html": (b"\n<!DOCTYPE html>\n<html><title>Sign in</title></html>", "model-is-html"),
    "html with a mark": (b"\xef\xbb\xbf<HTML>", "model-is-html"),
    "error of a bucket": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "model-is-html"),
    "text": (b"to be trained\n", "model-format-unknown"),
    "numpy": (b"\x93NUMPY\x01\x00", "model-format-unknown"),
    "compressed text": (gzip.compress(b"to be trained\n"), "model-format-unknown"),
    "broken gzip": (b"\x1f\x8b\x08\xff", "model-format-unknown"),
    "zip": (archive(("weights.npy", b"")), "model-format-unknown"),
    "empty zip": (archive(), "model-format-unknown"),
    "torch": (archive(("model/data.pkl", b"\x80\x02}.")), "model-is-pickle"),
    "first bytes of a zip": (b"PK\x03\x04", "model-file-unreadable"),
    "no JSON": (skops_file(b"{"), "model-file-unreadable"),
    "no node": (skops_file({}), "model-file-unreadable"),
    "a list": (skops_file([]), "model-file-unreadable"),
    "unknown loader": (skops_file({**listing(1), "__loader__": "Nope", "protocol": 2}), "model-file-unreadable"),
    "newer protocol": (skops_file({**listing(1), "protocol": 99}), "model-file-unreadable"),
    "deep JSON": (skops_file(b'{"content":' * 100_000), "model-file-unreadable"),
    "deep nodes": (skops_file(b'{"content":' * 300 + b"1" + b"}" * 300), "model-file-unreadable"),
    "doubling references": (skops_file(doubling(60)), "model-file-unreadable"),
    "reference to itself": (skops_file({**listing(1, {"__id__": 1}), "protocol": 2}), "model-file-unreadable"),
    "id that is no id": (skops_file({**listing(1), "__id__": [1]}), "model-file-unreadable"),
    "two schemas": (archive(("schema.json", b"{}"), ("schema.json", b"{}")), "model-archive-unsafe"),
    "above": (archive(("schema.json", b"{}"), ("../x.npy", b"")), "model-archive-unsafe"),
    "absolute": (archive(("schema.json", b"{}"), ("/etc/x", b"")), "model-archive-unsafe"),
    "drive": (archive(("schema.json", b"{}"), ("C:x", b"")), "model-archive-unsafe"),
    "backslash": (archive(("schema.json", b"{}"), ("a\\..\\b", b"")), "model-archive-unsafe"),
    "encrypted": (in_directory(skops_file({}), b"schema.json", 8, b"\x01\x00"), "model-archive-unsafe"),
    "large schema": (in_directory(skops_file({}), b"schema.json", 24, b"\xff\xff\xff\x0f"), "model-archive-unsafe"),
    "4 GiB": (
        in_directory(
            in_directory(archive(("schema.json", b"{}"), ("a", b""), ("b", b"")), b"a", 24, b"\xf0\xff\xff\xff"),
            b"b",
            24,
            b"\xf0\xff\xff\xff",
        ),
        "model-archive-unsafe",
    ),
}


@pytest.mark.parametrize("name", STAND_INS)
def test_a_file_that_is_not_a_model_is_refused_with_its_own_id(name: str, tmp_path: Path) -> None:
    content, expected = STAND_INS[name]
    assert refusal(content, tmp_path).id == expected


def test_a_zip_bomb_is_refused_by_its_declared_size(tmp_path: Path) -> None:
    zeros = bytes(70 << 20)
    finding = refusal(archive(("schema.json", b"{}"), ("a.npy", zeros), compression=zipfile.ZIP_DEFLATED), tmp_path)
    assert finding.id == "model-archive-unsafe"
    assert "200 are allowed" in finding.why


def test_a_file_cut_short_is_unreadable(tmp_path: Path) -> None:
    content = dumped("forest")
    assert refusal(content[: len(content) // 2], tmp_path).id == "model-file-unreadable"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MlgitError) as caught:
        inspect(tmp_path / "model.skops")
    assert caught.value.findings[0].id == "model-file-missing"


OTHERS = {
    "safetensors": safetensors(b'{"w":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}'),
    # The length of this header, 640, begins like a pickle of protocol 2.
    "safetensors like a pickle": safetensors(b'{"w":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}'.ljust(640)),
    "xgboost": b'{"learner":{"attributes":{}},"version":[3,2,0]}',
    "xgboost ubj": b"{L" + struct.pack(">q", 7) + b"learner{}}",
    "lightgbm": b"tree\nversion=v4\nnum_class=1\n",
    "onnx": b"\x08\x0a\x12\x05mlgit\x3a\x02\x12\x00",
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_formats_are_recognized_by_content(name: str, tmp_path: Path) -> None:
    path = tmp_path / "copy"
    path.write_bytes(OTHERS[name])
    inspected = inspect(path)
    assert (inspected.format, inspected.types, inspected.findings) == (name.partition(" ")[0], [], [])


def test_every_format_of_the_records_has_a_module() -> None:
    assert sorted(FORMATS) == sorted(get_args(ModelFormat))
    assert EXTENSIONS == {
        ".skops": "skops",
        ".onnx": "onnx",
        ".ubj": "xgboost",
        ".json": "xgboost",
        ".txt": "lightgbm",
        ".safetensors": "safetensors",
    }


@pytest.mark.parametrize("module", FORMATS.values(), ids=list(FORMATS))
def test_no_format_matches_a_pickle(module: Format) -> None:
    values: list[Any] = [LogisticRegression(), {"learner": 1}, "tree\nversion=v4\n", [], None, 1.5, b"PK\x03\x04" * 200]
    for value in values:
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            content = pickle.dumps(value, protocol)
            assert not module.matches(Content(content, io.BytesIO(content), len(content)))


@pytest.mark.parametrize("module", FORMATS.values(), ids=list(FORMATS))
def test_the_module_of_a_format_is_loaded_without_mlgit(module: Format) -> None:
    # As the process that scores loads it: isolated, and by its path.
    script = (
        "import importlib.util, sys\n"
        "spec = importlib.util.spec_from_file_location('mlgit_model_format', sys.argv[1])\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "before = set(sys.modules) | sys.stdlib_module_names\n"
        "spec.loader.exec_module(module)\n"
        "added = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "assert added <= sys.stdlib_module_names, added\n"
        "assert callable(module.load) if module.LIBRARY else not hasattr(module, 'load')\n"
    )
    subprocess.run([sys.executable, "-I", "-B", "-c", script, str(loader(module.NAME))], check=True)


@pytest.mark.parametrize("missing", [None, [], {}, "xgboost.core"])
def test_a_forged_answer_of_the_child_is_a_failure(missing: Any) -> None:
    error = guard._failure(0, {"error": "ValueError: x", "missing": missing}, "", guard.Limits(), Location("m"))
    assert [(finding.id, finding.why) for finding in error.findings] == [("model-load-failed", "ValueError: x")]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("onnx", b"\x08\x0a\x12\x05mlgit"),  # no graph
        ("onnx", b"\x08\x0a\x3a\x7f\x12\x00"),  # longer than the file
        ("onnx", b"\x08\x0a\x3a\x02\x12\x00\x7a\x00"),  # a field that ModelProto does not have
        ("onnx", b"\x08" + b"\xff" * 20),  # a number without end
        ("safetensors", struct.pack("<Q", 1 << 40) + b"{}"),
        ("safetensors", safetensors(b'{"w":[]}')),
        ("safetensors", safetensors(b"{" * 5000)),
        ("xgboost", b'{"lerner":{}}'),
        ("lightgbm", b"tree\nhouse\n"),
    ],
)
def test_what_only_resembles_a_format_is_unknown(name: str, wrong: bytes, tmp_path: Path) -> None:
    assert refusal(wrong, tmp_path).id == "model-format-unknown"


def message(number: int, content: bytes) -> bytes:
    """Return a field of protobuf with a message of less than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


def onnx_file(graph: bytes) -> bytes:
    return b"\x08\x0a" + message(7, graph)


def tensor(*, elements: int = 2, raw: int = 8, more: bytes = b"") -> bytes:
    """Return a TensorProto of floats with one dimension."""
    return bytes([0x08, elements, 0x10, 1]) + (message(9, bytes(raw)) if raw else b"") + more


def weights(size: int, *tensors: tuple[str, list[int], int, int]) -> bytes:
    """Return a file of safetensors with F64 tensors, given by name, shape, begin and end, and `size` bytes of data."""
    entries = {name: {"dtype": "F64", "shape": shape, "data_offsets": [a, b]} for name, shape, a, b in tensors}
    header = json.dumps(entries).encode()
    return struct.pack("<Q", len(header)) + header + bytes(size)


def booster(trees: str, *, header: str = "") -> bytes:
    sizes = header or f"tree_sizes={len(trees)}"
    return f"tree\nversion=v4\nnum_class=1\n{sizes}\n\n{trees}end of trees\n".encode()


TREE = "Tree=0\nnum_leaves=2\nleaf_value=0.1 0.2\n\n\n"
NODES = {name: [0, 0] for name in ("left_children", "right_children", "parents", "split_indices")}
NODES |= {"split_conditions": [0, 0], "default_left": [0, 0]}


def xgboost_file(nodes: str = "2", trees: str = "1", **arrays: list[int]) -> bytes:
    tree = {"tree_param": {"num_nodes": nodes}, **NODES, **arrays}
    model = {"gbtree_model_param": {"num_trees": trees}, "trees": [tree]}
    return json.dumps({"learner": {"gradient_booster": {"model": model}}, "version": [3, 2, 0]}).encode()


EXTERNAL = message(13, message(1, b"location") + message(2, b"../../etc/passwd"))
LYING: dict[str, tuple[bytes, str]] = {
    "onnx: data elsewhere": (onnx_file(message(5, tensor(more=EXTERNAL))), "in another file"),
    "onnx: data elsewhere, by its place": (onnx_file(message(5, tensor(more=b"\x70\x01"))), "in another file"),
    "onnx: data elsewhere in a node": (
        onnx_file(message(1, message(5, message(5, tensor(more=EXTERNAL))))),
        "in another file",
    ),
    "onnx: data elsewhere in a graph of a node": (
        onnx_file(message(1, message(5, message(6, message(5, tensor(more=EXTERNAL)))))),
        "in another file",
    ),
    "onnx: a tensor that lies": (onnx_file(message(5, tensor(elements=100))), "100 elements of 32 bits and has 8 bytes"),
    "onnx: a tensor of nothing": (onnx_file(message(5, tensor(elements=100, raw=0))), "100 elements"),
    "onnx: compiled code": (onnx_file(message(1, message(4, b"EPContext"))), "compiled code"),
    "onnx: a group": (onnx_file(message(5, b"\x0b\x0c")), "wire type"),
    "safetensors: an overlap": (weights(16, ("a", [2], 0, 16), ("b", [1], 8, 16)), "overlaps another"),
    "safetensors: a hole": (weights(24, ("a", [1], 0, 8), ("b", [1], 16, 24)), "begins 8 bytes after"),
    "safetensors: a tensor that lies": (weights(8, ("a", [1000], 0, 8)), "states 64,000 bits and has 64"),
    "safetensors: beyond the end": (weights(8, ("a", [2], 0, 16)), "16 bytes, and 8 follow"),
    "safetensors: more than it says": (weights(16, ("a", [1], 0, 8)), "8 bytes, and 16 follow"),
    "safetensors: a negative shape": (weights(8, ("a", [-1], 0, 8)), "has no shape"),
    "safetensors: a name twice": (
        safetensors(b'{"w":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"w":{"dtype":"F64"}}'),
        "names a tensor twice",
    ),
    "safetensors: an unknown type": (safetensors(b'{"w":{"dtype":"X","shape":[1],"data_offsets":[0,8]}}'), "does not know"),
    "lightgbm: a size that lies": (booster(TREE, header="tree_sizes=9999"), "9,999 bytes for tree 0"),
    "lightgbm: no sizes": (booster(TREE, header="sizes=1"), "no tree_sizes"),
    "lightgbm: leaves that lie": (booster(TREE.replace("num_leaves=2", "num_leaves=9")), "9 leaves and has 2"),
    "lightgbm: another tree": (booster(TREE + TREE, header=f"tree_sizes={len(TREE)}"), "more trees"),
    "xgboost: nodes that lie": (xgboost_file(nodes="1000000000"), "1,000,000,000 nodes"),
    "xgboost: trees that lie": (xgboost_file(trees="7"), "7 trees, and has 1"),
    "xgboost: children that lie": (xgboost_file(left_children=[0]), "left_children"),
    "xgboost: cut off": (b'{"learner":{"gradient_booster":', ""),
    "xgboost ubj: an array that lies": (
        b"{L" + struct.pack(">q", 7) + b"learner[$d#l\x7f\xff\xff\xff}",
        "more than the file has",
    ),
    "xgboost ubj: more behind it": (b"{L" + struct.pack(">q", 7) + b"learner{}}{}", "2 bytes follow"),
    "xgboost ubj: a text that lies": (b"{L" + struct.pack(">q", 7) + b"learnerSl\x7f\xff\xff\xffx}", "in the middle"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "why"), LYING.values(), ids=LYING)
def test_what_states_other_sizes_or_reads_other_files_is_unsafe(content: bytes, why: str, tmp_path: Path) -> None:
    found = refusal(content, tmp_path)
    assert (found.id, why in found.why) == ("model-file-unsafe", True), found


@pytest.mark.parametrize(
    "content",
    [
        onnx_file(message(5, tensor()) + message(5, tensor(elements=0, raw=0)) + message(1, message(4, b"Add"))),
        weights(24, ("b", [2], 8, 24), ("a", [1], 0, 8), ("empty", [0, 3], 24, 24)),
        booster(TREE + TREE.replace("=0\n", "=1\n", 1), header=f"tree_sizes={len(TREE)} {len(TREE)}"),
        xgboost_file(),
    ],
    ids=["onnx", "safetensors", "lightgbm", "xgboost"],
)
def test_what_is_as_large_as_it_states_is_accepted(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "copy").write_bytes(content)
    assert inspect(tmp_path / "copy", "model").findings == []


@pytest.mark.parametrize("package", ["xgboost", "lightgbm", "onnx", "safetensors"])
def test_files_written_by_the_libraries_are_recognized(package: str, tmp_path: Path) -> None:
    pytest.importorskip(package)
    rows, labels = ROWS.to_numpy(), np.array(LABELS)
    paths = []
    if package == "xgboost":
        import xgboost

        booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(rows, labels), 2)
        for name in ("model.ubj", "model.json"):
            paths.append(tmp_path / name)
            booster.save_model(paths[-1])
    elif package == "lightgbm":
        import lightgbm

        paths.append(tmp_path / "model.txt")
        lightgbm.train({"verbose": -1}, lightgbm.Dataset(rows, labels), 2).save_model(paths[-1])
    elif package == "safetensors":
        import safetensors.numpy

        paths.append(tmp_path / "model.safetensors")
        safetensors.numpy.save_file({"w": rows}, paths[-1])
    else:
        onnx = pytest.importorskip("onnx")
        graph = onnx.helper.make_graph([], "empty", [], [])
        paths.append(tmp_path / "model.onnx")
        onnx.save_model(onnx.helper.make_model(graph), paths[-1])
    for path in paths:
        inspected = inspect(path)
        assert (inspected.format, inspected.findings) == (package, [])


@pytest.mark.parametrize(
    ("name", "agrees"),
    [
        ("model.skops", True),
        ("models/a/MODEL.SKOPS", True),
        ("model", True),
        ("5f3a.bin", True),
        ("model.onnx", False),
        ("model.ubj", False),
        ("model.txt", False),
        ("model.joblib", False),
    ],
)
def test_the_extension_of_another_format_is_a_finding(name: str, agrees: bool, tmp_path: Path) -> None:
    path = tmp_path / "copy"
    path.write_bytes(dumped("logistic"))
    findings = inspect(path, name).findings
    assert [finding.id for finding in findings] == ([] if agrees else ["model-extension-mismatch"])
    assert all("`model.skops`" in finding.fix for finding in findings)


def inspect_or_refuse(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "copy"
        path.write_bytes(content)
        try:
            inspect(path)
        except MlgitError as error:
            assert error.findings[0].id.startswith("model-")  # noqa: PT017 - either outcome is right


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([b"", b"PK\x03\x04", b"\x80\x04", b"\x08\x0a", b"tree\n", b'{"learner"', b"\x1f\x8b\x08", b"c"]),
    st.binary(max_size=200),
)
def test_any_bytes_are_a_model_or_refused(start: bytes, rest: bytes) -> None:
    inspect_or_refuse(start + rest)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_skops_file_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(dumped("logistic"))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    inspect_or_refuse(bytes(content))


def test_trusted_types_are_exact_names_and_comments() -> None:
    content = b"# reviewed in #12\nfeatures.clip.Clip\n\n  features.hour.Cyclic  # sine and cosine\r\n"
    assert parse_trusted_types(content) == {"features.clip.Clip", "features.hour.Cyclic"}
    assert parse_trusted_types(b"") == frozenset()


@pytest.mark.parametrize(
    "line",
    [
        "features.*",
        "*",
        "Clip",
        "features.clip:Clip",
        "../features.Clip",
        "a b.C",
        "builtins.eval",
        "os.system",
        "__main__.Clip",
    ],
)
def test_lines_that_could_trust_too_much_are_refused(line: str) -> None:
    with pytest.raises(MlgitError) as caught:
        parse_trusted_types(f"features.Clip\n{line}\n".encode(), "types.txt")
    (finding,) = caught.value.findings
    assert (finding.id, finding.at) == ("trusted-types-invalid", Location("types.txt", 2))


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a.B\n" * 300_000])
def test_a_file_of_trusted_types_that_cannot_be_read_trusts_nothing(content: bytes) -> None:
    with pytest.raises(MlgitError, match="cannot be read"):
        parse_trusted_types(content)


def test_all_wrong_lines_are_reported_at_once() -> None:
    with pytest.raises(MlgitError) as caught:
        parse_trusted_types(b"os.*\nok.Type\nposix.system")
    assert [finding.at for finding in caught.value.findings] == [
        Location(".mlgit/trusted_types", 1),
        Location(".mlgit/trusted_types", 3),
    ]


def test_only_equal_names_are_trusted() -> None:
    types = ["features.Clip", "features.clip", "features.Clip2", "sklearn.tree._tree.Tree"]
    assert untrusted(types, {"features.Clip"}) == ["features.Clip2", "features.clip"]
    assert untrusted(BUILT_IN, set()) == []


def test_untrusted_types_are_named_with_the_way_out() -> None:
    at = Location("models/churn/versions/v8/model.skops")
    (finding,) = check_types(["features.Clip", "features.Hour"], {"features.Hour"}, at)
    assert (finding.id, finding.at) == ("model-type-untrusted", at)
    assert "features.Clip" in finding.message
    assert finding.fix.endswith("features.Clip")
    assert ".mlgit/trusted_types" in finding.fix
    assert list(check_types(["features.Hour"], {"features.Hour"}, at)) == []


def test_a_lambda_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    skops.io.dump(FunctionTransformer(lambda rows: rows), path)
    (finding,) = check_types(inspect(path).types, set(), Location("model.skops"))
    assert finding.id == "model-type-local"
    assert "module of the project" in finding.fix
