"""The reader and writer of YAML: a strict subset of YAML 1.2, bounded, and fast through libyaml.

Anchors, aliases, tags, directives, merge keys, duplicate keys and second documents are refused. `yamlscalars` defines
the values of plain scalars.
"""

import functools
import math
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

import yaml
from yaml import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from mlgit.domain.hidden import escaped
from mlgit.edges.formats.document import (
    MAX_FINDINGS,
    Document,
    Lines,
    Path,
    check_text,
    dotted,
    empty,
    line_at,
    not_mapping,
    shortened,
    too_large,
)
from mlgit.edges.formats.yamlscalars import NotDecimal, NotFinite, resolve, style
from mlgit.errors import Finding, Location, MlgitError, inconclusive

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 32
MAX_VALUES: Final = 50_000

_FEATURES: Final = {
    "aliases": "write the value again in place of the alias",
    "anchors": "remove the `&name`, and write the value wherever it is needed",
    "tags": "remove the `!` tag; put the value in quotes if it is text that begins with `!`",
    "merge keys": "write the keys of the other mapping in place of `<<`",
    "directives": "remove the line that begins with `%`",
}


def parse(text: bytes, file: str) -> Document:
    """Read one YAML document whose root is a mapping.

    Args:
        text: the content of the file.
        file: its path, for messages.

    Raises:
        MlgitError: every problem, up to the first that stops the parser.
        Inconclusive: PyYAML is installed without its C extension (`libyaml-missing`).
    """
    check_text(text, file, max_bytes=MAX_BYTES)
    reader = _Reader(text, file)
    try:
        value = reader.document()
    except yaml.YAMLError as error:
        reader.findings.append(_syntax(error, text, file))
    if reader.findings:
        raise MlgitError(*reader.findings)
    return Document(file, value, functools.cache(lambda: _lines(text)))


def dump(mapping: Mapping[str, Any], schema: str | None = None) -> bytes:
    """Write a mapping in block style, so that this reader and any reader of YAML 1.1 return the same values.

    Args:
        mapping: text, finite numbers, booleans, None, lists, and mappings with text as keys; written in this order.
        schema: path or URL of a JSON Schema for editors, named in the first line.

    Raises:
        ValueError: a number is not finite.
    """
    head = f"# yaml-language-server: $schema={schema}\n" if schema else ""
    body = yaml.dump(
        dict(mapping),
        Dumper=_dumper(),
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=1 << 30,
    )
    return (head + escaped(body)).encode()


@functools.cache
def _events() -> Callable[[bytes], Callable[[], Any]]:
    """Return the function that parses bytes into a source of events, by libyaml: the parser in Python is 20 times slower."""
    if not yaml.__with_libyaml__:
        raise inconclusive(
            "libyaml-missing",
            "PyYAML was installed without its C extension",
            why="its parser in Python is 20 times slower, and is not used",
            fix="install a wheel: `pip install --force-reinstall --only-binary :all: pyyaml`",
        )
    return lambda text: yaml.CSafeLoader(text).get_event


class _Reader:
    """Builds the value from the events of libyaml; records problems and continues where possible."""

    def __init__(self, text: bytes, file: str) -> None:
        self.text = text
        self.file = file
        self.findings: list[Finding] = []
        self._next = _events()(text)
        self._path: list[str | int] = []
        self._values_left = MAX_VALUES

    def document(self) -> dict[str, Any]:
        """Return the value of the document.

        Raises:
            MlgitError: a problem after which the parser cannot continue.
            yaml.YAMLError: the syntax is wrong.
        """
        self._next()
        start = self._next()
        if type(start) is StreamEndEvent:
            raise empty(self.file)
        if start.version or start.tags:
            self._feature("directives", start)
        value: object = self._value(self._next())
        if not isinstance(value, dict):
            if value is None and not self.findings:
                raise empty(self.file)
            self._stop(*not_mapping(self.file, "a list" if isinstance(value, list) else "a single value").findings)
        self._next()
        if type(second := self._next()) is not StreamEndEvent:
            why, fix = "`---` begins a second document", "keep one document, and move others to files of their own"
            self._stop(self._finding("yaml-multiple-documents", "there is more than one document", why, fix, second))
        return value

    def _value(self, event: Any) -> Any:
        kind = type(event)
        self._values_left -= 1
        if self._values_left < 0:
            self._stop(*too_large(self.file, f"there are more than {MAX_VALUES:,} values").findings)
        if kind is ScalarEvent:
            return self._scalar(event)
        if kind is AliasEvent:
            self._feature("aliases", event)
            return None
        if event.anchor is not None or event.tag is not None:
            self._feature("anchors" if event.anchor is not None else "tags", event)
        if len(self._path) >= MAX_DEPTH:
            self._stop(*too_large(self.file, f"values are nested deeper than {MAX_DEPTH}").findings)
        return self._mapping() if kind is MappingStartEvent else self._sequence()

    def _mapping(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        keys: dict[str, Any] = {}
        normal: dict[str, str] = {}
        path, next_event = self._path, self._next  # local names: this loop is most of the time of reading
        while type(event := next_event()) is not MappingEndEvent:
            key = self._key(event)
            path.append(key)
            if key in keys:
                self._duplicate(keys[key], event)
            elif normal or not key.isascii():
                self._check_normal(key, keys, normal, event)
            keys[key] = event
            result[key] = self._value(next_event())
            path.pop()
        return result

    def _sequence(self) -> list[Any]:
        result: list[Any] = []
        path, next_event = self._path, self._next
        while type(event := next_event()) is not SequenceEndEvent:
            path.append(len(result))
            result.append(self._value(event))
            path.pop()
        return result

    def _scalar(self, event: Any) -> Any:
        if event.anchor is not None or event.tag is not None:
            self._feature("anchors" if event.anchor is not None else "tags", event)
        if not event.implicit[0]:  # quoted, or a block
            return event.value
        try:
            return resolve(event.value)
        except NotFinite:
            why, fix = "every number in a record has to be finite", "write a finite number, `null`, or text in quotes"
            message = f"{shortened(event.value)} is not a finite number"
            self._note(self._finding("number-not-finite", message, why, fix, event))
            return None
        except NotDecimal:
            value = int(event.value, 0)
            why, fix = (
                f"YAML reads {value} there, which is not what a reviewer sees",
                f"write {value}, or text in quotes",
            )
            message = f"{shortened(event.value)} is not a decimal number"
            self._note(self._finding("number-not-decimal", message, why, fix, event))
            return None

    def _key(self, event: Any) -> str:
        if type(event) is not ScalarEvent:
            actual = "an alias" if type(event) is AliasEvent else "a list or a mapping"
            why, fix = "keys are text", "write a name as the key"
            self._stop(self._finding("key-not-string", f"{actual} is used as a key", why, fix, event))
        key = self._scalar(event)
        if key == "<<" and event.implicit[0]:
            self._feature("merge keys", event)
        if isinstance(key, str):
            return key
        shown = shortened(event.value)
        why, fix = f"without quotes, {shown or 'nothing'} is a value of another type", f'quote it: `"{shown}":`'
        self._note(self._finding("key-not-string", f"the key {shown or '(empty)'} is not text", why, fix, event))
        return str(event.value)

    def _check_normal(self, key: str, keys: Mapping[str, Any], normal: dict[str, str], event: Any) -> None:
        """Refuse a key that looks like another one: the same text in another form of Unicode's normalization."""
        form = unicodedata.normalize("NFC", key)
        other = normal.setdefault(form, key)
        if other != key or (form != key and form in keys):
            why = "they look the same and are two keys, in which an accent is encoded in two ways"
            message = f"the key {shortened(key)} differs from another only in Unicode normalization"
            self._note(self._finding("key-duplicate", message, why, "remove one of the two", event))

    def _duplicate(self, first: Any, second: Any) -> None:
        lines = f"lines {first.start_mark.line + 1} and {second.start_mark.line + 1}"
        message = f"duplicate key {shortened(str(self._path[-1]))} in {lines}"
        self._note(
            self._finding("key-duplicate", message, "a key can have only one value", "remove one of the two", second)
        )

    def _feature(self, name: str, event: Any) -> None:
        why = "reviewers have to see every value at the place where it takes effect"
        self._note(
            self._finding(
                "yaml-feature-unsupported", f"{name} are not supported in mlgit's files", why, _FEATURES[name], event
            )
        )

    def _finding(self, id: str, message: str, why: str, fix: str, event: Any) -> Finding:  # noqa: A002
        return Finding(
            id, message, why, fix, Location(self.file, event.start_mark.line + 1, dotted(tuple(self._path)) or None)
        )

    def _note(self, finding: Finding) -> None:
        self.findings.append(finding)
        if len(self.findings) >= MAX_FINDINGS:
            raise MlgitError(*self.findings)

    def _stop(self, *findings: Finding) -> NoReturn:
        raise MlgitError(*self.findings, *findings)


def _lines(text: bytes) -> Lines:
    """Return the line of each key and item of a document that `parse` accepted."""
    next_event = _events()(text)
    lines: dict[Path, int] = {}

    def walk(event: Any, path: Path) -> None:
        lines[path] = lines.get(path, event.start_mark.line + 1)
        if type(event) is MappingStartEvent:
            while type(key := next_event()) is not MappingEndEvent:
                lines[*path, key.value] = key.start_mark.line + 1
                walk(next_event(), (*path, key.value))
        elif type(event) is SequenceStartEvent:
            for index, item in enumerate(iter(next_event, None)):
                if type(item) is SequenceEndEvent:
                    break
                walk(item, (*path, index))

    next_event()  # the start of the stream
    next_event()  # the start of the document
    walk(next_event(), ())
    return lines


def _syntax(error: yaml.YAMLError, text: bytes, file: str) -> Finding:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        last = line_at(text.rstrip(), len(text))  # libyaml reports the end of a file in the line after it
        line, why = min(mark.line + 1 if mark else 1, last), " ".join(filter(None, (error.context, error.problem)))
    else:
        line, why = line_at(text, getattr(error, "position", 0)), str(getattr(error, "reason", error))
    fix = "check that line and the one before; text that contains `: ` or ` #`, or begins with a sign such as @, needs quotes"
    return Finding("yaml-syntax-error", "the file is not valid YAML", why, fix, Location(file, line))


@functools.cache
def _dumper() -> type[Any]:
    _events()  # without the C extension there is no C dumper either

    class Dumper(yaml.CSafeDumper):
        """Writes every value out in full: no anchors, no tags."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the name is PyYAML's
            return True

    def text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style(value))

    def number(dumper: Any, value: float) -> Any:
        if not math.isfinite(value):
            raise ValueError(f"{value} is not finite")
        return dumper.represent_float(value)

    Dumper.add_representer(str, text)
    Dumper.add_representer(float, number)
    return Dumper
