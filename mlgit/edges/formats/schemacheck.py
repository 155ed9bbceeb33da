"""Finds every problem of a document that msgspec rejected at its first.

msgspec decides what is valid; this only explains. It uses the JSON Schema that is generated from the same class.
"""

import functools
import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, cast, get_args

import msgspec

from mlgit.domain import names
from mlgit.domain.records.base import Record, Timestamp
from mlgit.domain.schema import json_schema
from mlgit.edges.formats.document import MAX_FINDINGS, Document, Path, dotted, shortened
from mlgit.errors import Finding, Location, MlgitError

_Error = Any
"""jsonschema's ValidationError, which is imported late and whose parts are typed as unions of everything."""

_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "a list of at least {}",
    "minProperties": "a mapping of at least {}",
}
_FORMATS: dict[str, tuple[Any, str]] = {
    "date": (date, "a day, written 2030-01-31"),
    "date-time": (Timestamp, "a time with its zone, written 2030-01-31T14:00:00Z"),
}
_FORMS: dict[str | None, str | None] = {
    meta.pattern: meta.description
    for form in (
        names.Name,
        names.Digest,
        names.Md5,
        names.CommitId,
        names.BlobId,
        names.PromotionId,
        names.RelativePath,
        names.FilePath,
        names.Duration,
        names.Line,
    )
    for meta in get_args(form)[1:]
}
"""What a pattern means in words."""

_SCHEMA = max(get_args(Record.__annotations__["schema"]))
_STEP = re.compile(r"\.([^.\[\]`]+)|\[(\d+)\]")


def refusal(kind: type[msgspec.Struct], document: Document, error: msgspec.ValidationError) -> MlgitError:
    """Return the error to raise for a document that msgspec rejected.

    Args:
        kind: the record, or other struct, that the document should be.
        document: the document.
        error: msgspec's error, which is used if the schema finds no problem.
    """
    return MlgitError(*(explain(kind, document) or [_plain(document, error)]))


def explain(kind: type[msgspec.Struct], document: Document) -> list[Finding]:
    """Return every problem of a document by the schema of its kind, sorted by line; nothing if the schema accepts it."""
    validator = _validator(kind)
    for check in (_newer, _other_kind):
        if finding := check(kind, document):
            return [finding]
    errors = validator.iter_errors(document.value)
    # By content: an empty text violates two constraints, and is one finding.
    findings: dict[tuple[str, str, Location | None], Finding] = {}
    for finding in (finding for error in errors for finding in _findings(error, document)):
        findings.setdefault((finding.id, finding.message, finding.at), finding)
        if len(findings) == MAX_FINDINGS:
            break
    return sorted(findings.values(), key=lambda finding: (finding.at.line or 0) if finding.at else 0)


@functools.cache
def _validator(kind: type[msgspec.Struct]) -> Any:
    from jsonschema import Draft202012Validator, FormatChecker  # noqa: PLC0415 - slow to import, and rarely needed
    from jsonschema.validators import extend  # noqa: PLC0415

    formats = FormatChecker(formats=())
    for name, (form, _) in _FORMATS.items():
        formats.checks(name, raises=msgspec.ValidationError)(functools.partial(_has_form, form))
    # JSON Schema counts 1.0 as an integer; msgspec does not.
    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    strict: Any = extend(Draft202012Validator, type_checker=types)  # type: ignore[no-untyped-call]
    return strict(json_schema(cast("type[Record]", kind)), format_checker=formats)


def _has_form(form: Any, value: Any) -> bool:
    return not isinstance(value, str) or msgspec.convert(value, type=form) is not None


def _newer(kind: type[msgspec.Struct], document: Document) -> Finding | None:
    supported, actual = _SCHEMA, document.value.get("schema")
    if kind.__struct_config__.tag is None or type(actual) is not int or actual <= supported:
        return None
    return Finding(
        "schema-too-new",
        f"schema {actual} needs a newer mlgit",
        f"this mlgit reads schema {supported}",
        "install a newer mlgit; nothing was changed",
        document.at(("schema",)),
    )


def _other_kind(kind: type[msgspec.Struct], document: Document) -> Finding | None:
    expected, actual = kind.__struct_config__.tag, document.value.get("kind")
    if expected is None or "kind" not in document.value or actual == expected:
        return None
    return Finding(
        "record-kind-mismatch",
        f"the kind is {_shown(actual)}, but must be {expected}",
        f"files at this path are of the kind {expected}",
        f"write `kind: {expected}`, or move the file to the path of its kind",
        document.at(("kind",)),
    )


def _plain(document: Document, error: msgspec.ValidationError) -> Finding:
    message, _, location = str(error).partition(" - at `$")
    path = tuple(int(index) if index else key for key, index in _STEP.findall(location))
    fix = "compare the file with the schema of its kind"
    return Finding(
        "record-invalid",
        message.replace("`", ""),
        "the content does not match the kind of record",
        fix,
        document.at(path),
    )


def _findings(error: _Error, document: Document) -> Iterator[Finding]:
    """Return the findings for an error of jsonschema; for `anyOf`, those of the alternative that fits best."""
    path, value = tuple(error.absolute_path), error.instance
    match error.validator:
        case "anyOf":
            yield from _of_alternatives(error, document, path)
        case "additionalProperties":
            allowed = error.schema["properties"]
            keys = (key for key in value if key not in allowed and not key.startswith("x-"))
            yield from (_unknown_key(key, sorted(allowed), document.at((*path, key))) for key in keys)
        case "required":
            keys = (key for key in error.validator_value if key not in value)
            yield from (_missing_key((*path, key), error.schema["properties"][key], document.at(path)) for key in keys)
        case "type":
            yield _wrong_type(value, [error.validator_value], _purpose(error), document.at(path))
        case _ if "propertyNames" in error.absolute_schema_path:
            yield _not_allowed(value, _allowed(error), "it is a key", document.at((*path, value)))
        case "enum":
            options = [option if isinstance(option, str) else _shown(option) for option in error.validator_value]
            yield _not_allowed(value, ", ".join(options), _purpose(error), document.at(path), _near(value, options))
        case _:
            yield _not_allowed(value, _allowed(error), _purpose(error), document.at(path))


def _of_alternatives(error: _Error, document: Document, path: Path) -> Iterator[Finding]:
    branches: dict[int, list[_Error]] = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    if "discriminator" in error.schema and isinstance(error.instance, dict):
        yield from _of_tagged(error, branches, document, path)
        return
    intended = next((errors for errors in branches.values() if not any(map(_is_about_type, errors))), None)
    if intended is not None:
        yield from (finding for inner in intended for finding in _findings(inner, document))
    else:
        types = [inner.validator_value for errors in branches.values() for inner in errors if _is_about_type(inner)]
        yield _wrong_type(error.instance, list(dict.fromkeys(types)), _purpose(error), document.at(path))


def _of_tagged(error: _Error, branches: dict[int, list[_Error]], document: Document, path: Path) -> Iterator[Finding]:
    tag, references = error.schema["discriminator"]["propertyName"], error.schema["discriminator"]["mapping"]
    actual = error.instance.get(tag)
    if tag not in error.instance:
        yield _missing_key((*path, tag), {"enum": list(references)}, document.at(path))
    elif not isinstance(actual, str) or actual not in references:
        allowed = ", ".join(references)
        yield _not_allowed(actual, allowed, _purpose(error), document.at((*path, tag)), _near(actual, list(references)))
    else:
        intended = [branch["$ref"] for branch in error.schema["anyOf"]].index(references[actual])
        yield from (finding for inner in branches[intended] for finding in _findings(inner, document))


def _is_about_type(error: _Error) -> bool:
    """Tell whether an error of an alternative says that the value as a whole is of another type."""
    return error.validator == "type" and not error.relative_path


def _unknown_key(key: str, allowed: Sequence[str], at: Location) -> Finding:
    near = _near(key, allowed)
    fix = (
        f"did you mean {near}? Keys of your own begin with x-" if near else "remove it; keys of your own begin with x-"
    )
    return Finding("key-unknown", f"unknown key {at.path}", f"allowed keys: {', '.join(allowed)}", fix, at)


def _missing_key(path: Path, schema: dict[str, Any], at: Location) -> Finding:
    purpose = schema.get("description", "it is required").rstrip(".")
    why = purpose + (f"; allowed: {', '.join(map(str, schema['enum']))}" if "enum" in schema else "")
    return Finding("key-missing", f"{dotted(path)} is missing", why, f"add `{path[-1]}:` with its value", at)


def _wrong_type(value: Any, types: Sequence[str], purpose: str, at: Location) -> Finding:
    expected = " or ".join(_TYPES[name] for name in types)
    if "string" in types and isinstance(value, int | float):
        fix = f'put it in quotes: "{_shown(value)}"'
    elif "boolean" in types and isinstance(value, str):
        fix = "write true or false, without quotes; yes, no, on and off are text"
    elif isinstance(value, str) and {"integer", "number"} & {*types}:
        fix = "write a number, without quotes"
    else:
        fix = f"write {expected}"
    why = f"the value is {_shown(value)}" + (f" ({purpose})" if purpose else "")
    return Finding("type-mismatch", f"{at.path} must be {expected}", why, fix, at)


def _not_allowed(value: Any, allowed: str, purpose: str, at: Location, near: str | None = None) -> Finding:
    why = f"allowed: {allowed}" + (f" ({purpose})" if purpose else "")
    fix = f"did you mean {near}?" if near else "write one of the allowed values"
    return Finding("value-not-allowed", f"{at.path} cannot be {_shown(value)}", why, fix, at)


def _allowed(error: _Error) -> str:
    """Return in words what a constraint allows."""
    match error.validator:
        case "pattern":
            form = _FORMS.get(error.validator_value)
            return form[0].lower() + form[1:] if form else f"text of the form {error.validator_value}"
        case "format":
            return _FORMATS[error.validator_value][1]
        case "minLength" if error.validator_value == 1:
            return "text that is not empty"
        case bound:
            return _BOUNDS[str(bound)].format(error.validator_value)


def _purpose(error: _Error | None) -> str:
    """Return what the field is for: the first line of the outermost description of the value."""
    text = ""
    path = error.absolute_path if error else None
    while error is not None and error.absolute_path == path:
        text = error.schema.get("description", text) if isinstance(error.schema, dict) else text
        error = error.parent
    return text.split("\n")[0].rstrip(".")


def _near(text: Any, options: Sequence[str]) -> str | None:
    import difflib  # noqa: PLC0415 - only for a wrong name

    return next(iter(difflib.get_close_matches(text, options, n=1)), None) if isinstance(text, str) else None


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return ("a" if value else "an empty") + (" mapping" if isinstance(value, dict) else " list")
    return shortened(msgspec.json.encode(value).decode())
