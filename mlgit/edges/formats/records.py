"""Reads records: each must be of the kind, and have the name, that its path says."""

import msgspec

from mlgit.domain import codec, layout
from mlgit.domain.records import KINDS
from mlgit.domain.records.base import Record
from mlgit.edges.formats import jsonfile, schemacheck, yamlfile
from mlgit.edges.formats.document import Document, Path
from mlgit.errors import Finding, Location, MlgitError, refused

_FIELDS = {("gate-report", "version"): ("candidate", "version")}
"""By kind and key of a path: the field that must have the same value, if it is not the field of the same name."""


def read_record(file: str, content: bytes) -> Record:
    """Read the record that belongs at a path.

    Args:
        file: path from the root of the repository, or of the ledger; it determines the kind, and its extension the format.
        content: the content of the file.

    Raises:
        MlgitError: no record belongs there (`record-path-invalid`), or every problem of the content.
    """
    place = layout.parse_path(file)
    if place is None:
        raise refused(
            "record-path-invalid",
            f"no record belongs at {file}",
            why="the path of a file determines its kind, and no kind has this path",
            fix="move it to the path of its kind; `mlgit explain record-path-invalid` lists them",
            at=Location(file),
        )
    kind = KINDS[place.kind]
    record = jsonfile.read_written(content, kind) if file.endswith(".json") else None
    if record is None:
        record = _convert(kind, _parse(file, content))
    _check_place(record, place, file, content)
    return record


def _parse(file: str, content: bytes) -> Document:
    return jsonfile.parse(content, file) if file.endswith(".json") else yamlfile.parse(content, file)


def _convert(kind: type[Record], document: Document) -> Record:
    try:
        if "kind" not in document.value:  # msgspec does not require the tag if there is only one struct
            raise msgspec.ValidationError("Object missing required field `kind`")
        return codec.from_mapping(kind, document.value)
    except msgspec.ValidationError as error:
        raise schemacheck.refusal(kind, document, error) from error


def _check_place(record: Record, place: layout.RecordPath, file: str, content: bytes) -> None:
    paths = {key: _FIELDS.get((place.kind, key), (key,)) for key in place.fields}
    mismatched = {
        key: path
        for key, path in paths.items()
        if path[0] in record.__struct_fields__ and _value(record, path) != place.fields[key]
    }
    if not mismatched:
        return
    document = _parse(file, content)
    raise MlgitError(
        *(
            Finding(
                "path-mismatch",
                f"{key} is {_value(record, path)} in the file, but {place.fields[key]} in its path",
                "a record and its path must say the same",
                "correct the file, or move it to where it belongs",
                document.at(path),
            )
            for key, path in mismatched.items()
        )
    )


def _value(record: Record, path: Path) -> str:
    value: object = record
    for field in path:
        value = getattr(value, str(field))
    return str(value)
