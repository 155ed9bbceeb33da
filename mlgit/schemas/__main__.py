"""Generate the schemas from the records' classes; the schema of a removed kind is removed."""

from pathlib import Path

import msgspec

from mlgit.domain.records import KINDS
from mlgit.domain.schema import json_schema
from mlgit.schemas import SUFFIX


def main(folder: Path) -> None:
    """Write the schemas of all kinds into a folder, and remove others."""
    schemas = {f"{kind}{SUFFIX}": msgspec.json.encode(json_schema(record)) for kind, record in KINDS.items()}
    for path in folder.glob(f"*{SUFFIX}"):
        if path.name not in schemas:
            path.unlink()
    for name, schema in schemas.items():
        (folder / name).write_bytes(msgspec.json.format(schema, indent=2) + b"\n")


if __name__ == "__main__":
    main(Path(__file__).parent)
