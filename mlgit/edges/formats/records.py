"""The one door for records: content in, a record out that is what its path says it is."""

import msgspec

from mlgit.domain import codec, layout
from mlgit.domain.records import KINDS
from mlgit.domain.records.base import Record
from mlgit.edges.formats import jsonfile, schemacheck, yamlfile
from mlgit.edges.formats.document import Document, Path
from mlgit.errors import Finding, Location, MlgitError, refused

_SAID_BY = {("gate-report", "version"): ("candidate", "version")}
"""Where a record says what its path says, if not in a field of the same name."""


def read_record(file: str, content: bytes) -> Record:
    """Read the record that belongs at a path.

    Args:
        file: path from the root of the repository, or of the ledger; it tells the kind, and its extension the format.
        content: the content of the file.

    Raises:
        MlgitError: no record belongs there, or everything that is wrong with the content.
    """
    place = layout.parse_path(file)
    if place is None:
        raise refused(
            "record-path-invalid",
            f"no record belongs at {file}",
            why="the place of a file tells its kind, and none is known for this place",
            fix="move it to where its kind belongs, as `mlgit explain record-path-invalid` lists them",
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
        if "kind" not in document.value:  # msgspec takes the tag for granted where there is only one
            raise msgspec.ValidationError("Object missing required field `kind`")
        return codec.from_mapping(kind, document.value)
    except msgspec.ValidationError as error:
        raise schemacheck.refusal(kind, document, error) from error


def _check_place(record: Record, place: layout.RecordPath, file: str, content: bytes) -> None:
    paths = {key: _SAID_BY.get((place.kind, key), (key,)) for key in place.fields}
    wrong = {
        key: path
        for key, path in paths.items()
        if path[0] in record.__struct_fields__ and _said(record, path) != place.fields[key]
    }
    if not wrong:
        return
    document = _parse(file, content)
    raise MlgitError(
        *(
            Finding(
                "path-mismatch",
                f"{key} is {_said(record, path)} in the file, but {place.fields[key]} in its path",
                "a record says the same as the place where it is",
                "correct the file, or move it to where it belongs",
                document.at(path),
            )
            for key, path in wrong.items()
        )
    )


def _said(record: Record, path: Path) -> str:
    value: object = record
    for field in path:
        value = getattr(value, str(field))
    return str(value)
