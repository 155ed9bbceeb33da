"""Check what Git does to the bytes of records and data, by the attributes that it applies to their paths."""

from collections.abc import Iterator, Mapping
from typing import Final

from mlgit.domain import layout
from mlgit.errors import Finding, Location, Severity
from mlgit.ops.doctor.context import CheckResult, DoctorContext, Fix

_ATTRIBUTES: Final = ".gitattributes"
_NAMES: Final = ("text", "eol", "filter", "ident", "working-tree-encoding")
_CONVERTING: Final = ("filter", "ident", "working-tree-encoding")
_NONE: Final = frozenset({"unspecified", "unset"})
_MAX_SHOWN: Final = 3
_RULES: Final = ("mlgit.yaml", "dvc.yaml", "dvc.lock", "params.yaml", ".mlgit/roles.yaml", ".mlgit/allowed_signers")
_OF_A_VERSION: Final = ("version.json", "card.md", "profile.json", "gates/01JD8ZK3M9.json")


def attributes(context: DoctorContext) -> CheckResult:
    """Git does not change the bytes of records and data, on any machine."""
    repository = context.workspace.repository
    data = set(_data(context))
    paths = list(dict.fromkeys([*_records(context), *data]))
    applied = repository.attributes(paths, _NAMES)
    changed = {path: why for path, values in applied.items() if (why := _conversion(values, is_data=path in data))}
    unprotected = [path for path, values in applied.items() if path not in changed and _is_open(values)]
    text = (repository.work_tree().read(_ATTRIBUTES) or b"").decode(errors="replace")
    missing = _missing_lines(context, text) if unprotected else []
    findings, fixes = [], []
    if changed:
        findings.append(_overridden(changed))
    if unprotected:
        findings.append(_unprotected(unprotected, missing))
    if missing:
        content = "\n".join([*filter(None, [text.rstrip("\n")]), *missing, ""]).encode()
        fixes.append(
            Fix(
                f"add {len(missing)} lines to {_ATTRIBUTES}",
                lambda: context.workspace.write_files({_ATTRIBUTES: content}),
            )
        )
    if not findings:
        return CheckResult(f"Git leaves the bytes of records and data alone ({len(paths)} paths)")
    return CheckResult(
        f"Git may change the bytes of {len(changed) + len(unprotected)} of {len(paths)} paths", findings, fixes
    )


def _records(context: DoctorContext) -> Iterator[str]:
    """Yield the paths of rules and records, and for each model those of its first version, which need not exist."""
    state = context.state
    yield from _RULES
    folders = ["datasets", *sorted(layout.RECORD_FOLDERS)]
    yield from (entry.path for entry in state.tree.entries(folders) if entry.path.endswith((".yaml", ".dvc")))
    for model in state.models():
        yield from (layout.model(model), layout.model_card(model))
        yield from (f"{layout.version_folder(model, 1)}/{name}" for name in _OF_A_VERSION)


def _data(context: DoctorContext) -> Iterator[str]:
    state = context.state
    names = [name.removesuffix("/") for name in state.tree.names("datasets") if name.endswith("/")]
    for name in names:
        pointers = [file for file in state.tree.names(f"datasets/{name}") if file.endswith(".dvc")]
        yield from (f"datasets/{name}/{file.removesuffix('.dvc')}" for file in pointers)


def _conversion(values: Mapping[str, str], *, is_data: bool) -> str:
    """Return the attribute by which Git changes the bytes of a file; an empty text if there is none."""
    for name in _CONVERTING:
        if values[name] not in _NONE:
            return name if values[name] == "set" else f"{name}={values[name]}"
    if values["text"] != "unset" and values["eol"] == "crlf":
        return "eol=crlf"
    if is_data and values["text"] not in _NONE:
        return f"text={values['text']}"
    return ""


def _is_open(values: Mapping[str, str]) -> bool:
    """Return whether the settings of each machine decide on the line ends of a file."""
    return values["text"] != "unset" and values["eol"] != "lf"


def _missing_lines(context: DoctorContext, text: str) -> list[str]:
    present = {tuple(line.split()) for line in text.splitlines()}
    shipped = context.shipped[_ATTRIBUTES].decode().splitlines()
    return [line for line in shipped if line.strip() and line[0] != "#" and tuple(line.split()) not in present]


def _overridden(changed: Mapping[str, str]) -> Finding:
    path, why = next(iter(changed.items()))
    kinds = ", ".join(dict.fromkeys(changed.values()))
    return Finding(
        "gitattributes-override",
        f"Git changes the bytes of {len(changed)} records or data files",
        why=f"first {path}, by {why}"
        + (f"; in all {kinds}" if kinds != why else "")
        + "; digests are computed over bytes",
        fix=f"`git check-attr --all {path}` shows it; the last line that matches counts: remove it from {_ATTRIBUTES}",
        at=Location(_ATTRIBUTES),
        severity=Severity.WARNING,
    )


def _unprotected(paths: list[str], missing: list[str]) -> Finding:
    shown = "; ".join(" ".join(line.split()) for line in missing[:_MAX_SHOWN])
    return Finding(
        "gitattributes-missing",
        f"each machine decides on the line ends of {len(paths)} records or data files, first {paths[0]}",
        why=f"{_ATTRIBUTES} lacks {shown}" if missing else f"a later line of {_ATTRIBUTES} overrides those of mlgit",
        fix="run `mlgit doctor --fix` and commit the file" if missing else f"remove that line from {_ATTRIBUTES}",
        at=Location(_ATTRIBUTES),
        severity=Severity.WARNING,
    )
