"""ONNX: a computation graph in protobuf."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mlgit.domain.records.version import ModelFormat
    from mlgit.edges.modelfile.child import Job, Kind, Predict
    from mlgit.edges.modelfile.formats.base import Content
    from mlgit.errors import Location

NAME: "ModelFormat" = "onnx"
EXTENSIONS: tuple[str, ...] = (".onnx",)
SAVE: str = "ONNX"
LIBRARY: str | None = "onnxruntime"
EXTRA: str | None = "onnx"

# Top-level fields of ModelProto and their wire types (0 varint, 2 length-delimited), from onnx.proto:
# https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
_MODEL_PROTO: Final = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_IR_VERSION, _GRAPH = 1, 7
_FIELDS_MAX: Final = 100_000
_NUMPY_TYPES: Final = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}


def matches(content: "Content") -> bool:
    """Tell whether the whole file is a sequence of fields of an ONNX ModelProto, with a version and a graph.

    Protobuf has no magic number, so every field is checked; their content is skipped, not read.
    """
    position, fields = 0, set[int]()
    for _ in range(_FIELDS_MAX):
        if position >= content.size:
            break
        content.stream.seek(position)
        start_of_field = content.stream.read(20)
        tag, value_at = _varint(start_of_field, 0)
        number, wire_type = tag >> 3, tag & 7
        if value_at == 0 or _MODEL_PROTO.get(number) != wire_type:
            return False
        value, end = _varint(start_of_field, value_at)
        if end == 0:
            return False
        position += end + (value if wire_type else 0)  # of a length-delimited field, the value is the length
        fields.add(number)
    return position == content.size and {_IR_VERSION, _GRAPH} <= fields


def list_types(path: Path, at: "Location") -> list[str]:
    """Return no types: a graph consists of ONNX operators, no Python. Refuse one that reads other files."""
    from mlgit.edges.modelfile import onnxfile  # noqa: PLC0415 - the scoring process has no mlgit

    onnxfile.check(path, at)
    return []


def load(job: "Job") -> "tuple[Predict, Kind]":
    """Load a graph, for one thread."""
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(job.model, options, providers=["CPUExecutionProvider"])
    inputs = session.get_inputs()

    def predict(frame: Any) -> Any:
        outputs = session.run(None, _feed(inputs, frame))
        if job.task != "binary":
            return job.values(outputs[0])
        scores = outputs[-1]
        if not isinstance(scores, list):
            return job.values(scores)
        # The operator ZipMap returns a dict for each row, from label to probability.
        labels = list(scores[0])
        positive = labels[job.positive_index(labels)]
        return [row[positive] for row in scores]

    return predict, job.kind


def _feed(inputs: Sequence[Any], frame: Any) -> dict[str, Any]:
    """Return the inputs of a session: all columns as one matrix, or each column by its name."""
    if len(inputs) == 1 and inputs[0].name not in frame.columns:
        return {inputs[0].name: frame.to_numpy(dtype=_NUMPY_TYPES[inputs[0].type])}
    return {column.name: frame[[column.name]].to_numpy(dtype=_NUMPY_TYPES[column.type]) for column in inputs}


def _varint(data: bytes, start: int) -> tuple[int, int]:
    """Return a number in protobuf's base 128 and the offset after it; offset 0 if it does not end within 10 bytes."""
    value = 0
    for offset, byte in enumerate(data[start : start + 10]):
        value |= (byte & 0x7F) << 7 * offset
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more bytes follow
            return value, start + offset + 1
    return 0, 0
