"""What must hold across records and files; each rule yields findings. Pure: whoever calls has read the files."""

import functools
import shlex
import unicodedata
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from mlgit.domain import layout
from mlgit.domain.codec import digest, sha256, version_digest
from mlgit.domain.gates.metrics import BeatsChampion, check_test
from mlgit.domain.metrics import METRICS
from mlgit.domain.names import NAMES_ARE, Digest, VersionRef, is_name
from mlgit.domain.records.card import Card
from mlgit.domain.records.environment import Environment
from mlgit.domain.records.governance import Roles
from mlgit.domain.records.model import Model
from mlgit.domain.records.policy import Policy
from mlgit.domain.records.problem import Problem
from mlgit.domain.records.project import Project
from mlgit.domain.records.promotion import Promotion, Slot
from mlgit.domain.records.version import Stored, Version
from mlgit.domain.zones import check_zones
from mlgit.errors import Finding, Location, Severity


def check_problem(problem: Problem) -> Iterator[Finding]:
    """The metric is one that mlgit can compute for this kind of target, in the right direction."""
    file = layout.problem(problem.name)
    name = problem.metric.primary
    facts = METRICS.get(name)
    if facts is None:
        yield _unknown_metric(name, file, "metric.primary")
    elif problem.target.type not in facts.kinds:
        yield Finding(
            "metric-unsuitable",
            f"{name} does not fit a {problem.target.type} target",
            why=f"it is for {' and '.join(facts.kinds)}",
            fix=f"use one of {', '.join(sorted(n for n, f in METRICS.items() if problem.target.type in f.kinds))}",
            at=Location(file, path="metric.primary"),
        )
    elif problem.metric.direction != facts.direction:
        yield Finding(
            "metric-direction",
            f"{name} is better when it is {'larger' if facts.direction == 'max' else 'smaller'}",
            why=f"the problem says direction: {problem.metric.direction}",
            fix=f"set metric.direction to {facts.direction}",
            at=Location(file, path="metric.direction"),
        )
    if problem.target.type == "binary" and problem.target.positive is None:
        yield Finding(
            "positive-missing",
            f"problem {problem.name} does not say which label a high score speaks for",
            fix="add target.positive, for example `positive: true`",
            at=Location(file, path="target"),
        )


def check_model(model: Model, problems: Collection[str], datasets: Collection[str]) -> Iterator[Finding]:
    """The problem and the datasets that a model names are there, and no environment file can be taken for it."""
    file = layout.model(model.name)
    if model.name == "environment":
        yield Finding(
            "name-reserved",
            "a model cannot be called environment",
            why="its manifest would be environments/<environment>/environment.yaml, which describes the environment",
            fix="choose another name",
            at=Location(file, path="name"),
        )
    if model.problem not in problems:
        yield _unknown("problem", model.problem, Location(file, path="problem"), problems)
    for name in model.datasets:
        if name not in datasets:
            yield _unknown("dataset", name, Location(file, path="datasets"), datasets)


def check_environment(environment: Environment, project: Project, policies: Collection[str]) -> Iterator[Finding]:
    """The policy is there, as is where to soak; what must come first comes first in the project's order."""
    file = layout.environment(environment.name)
    if environment.policy not in policies:
        yield _unknown("policy", environment.policy, Location(file, path="policy"), policies)
    order = project.environments
    if environment.soak is not None and environment.soak.in_ not in order:
        yield _unknown("environment", environment.soak.in_, Location(file, path="soak.in"), order)
    yield from check_zones(environment)
    earlier = order[: order.index(environment.name)] if environment.name in order else order
    for name in environment.after:
        if name not in earlier:
            yield Finding(
                "environment-order",
                f"{environment.name} is to come after {name}, which is not before it",
                why=f"{layout.PROJECT} has the order {', '.join(order)}",
                fix="change the order there, or `after` here",
                at=Location(file, path="after"),
            )


def check_project(project: Project, environments: Collection[str]) -> Iterator[Finding]:
    """Each environment of the order is in it once and described, and each that is described is in the order."""
    for index, name in enumerate(project.environments):
        if name in project.environments[:index]:
            yield Finding(
                "environment-twice",
                f"environment {name} is in the order of the project twice",
                fix=f"delete one of them from `environments` in {layout.PROJECT}",
                at=Location(layout.PROJECT, path=f"environments[{index}]"),
            )
        elif name not in environments:
            yield _unknown("environment", name, Location(layout.PROJECT, path="environments"), environments)
    for name in sorted(set(environments) - set(project.environments)):
        yield Finding(
            "environment-unlisted",
            f"environment {name} is not in the order of the project",
            fix=f"add it to `environments` in {layout.PROJECT}",
            at=Location(layout.environment(name)),
        )


def check_roles(roles: Roles) -> Iterator[Finding]:
    """No address and no login is two people's: whoever has it would count as either."""
    addresses: dict[str, str] = {}
    logins: dict[str, str] = {}
    for name, person in roles.people.items():
        for index, email in enumerate(person.emails):
            other = addresses.setdefault(email.casefold(), name)
            if other != name:
                yield Finding(
                    "address-shared",
                    f"{email} is an address of both {other} and {name}",
                    why="commits and approvals tell people by their addresses, and each has to lead to one of them",
                    fix="leave it with one of them; what is one person is one entry, with all addresses and roles",
                    at=Location(layout.ROLES, path=f"people.{name}.emails[{index}]"),
                )
        for index, login in enumerate(person.logins):
            other = logins.setdefault(login.casefold(), name)
            if other != name:
                yield Finding(
                    "login-shared",
                    f"{login} is a login of both {other} and {name}",
                    why="reviews tell people by their logins, in whatever case, and each has to lead to one of them",
                    fix="leave it with one of them; what is one person is one entry, with all logins and roles",
                    at=Location(layout.ROLES, path=f"people.{name}.logins[{index}]"),
                )


def check_policy(policy: Policy) -> Iterator[Finding]:
    """No gate is listed twice in the same words or under one name of the team's, one of them blocks, and metrics are known."""
    file = layout.policy(policy.name)
    for index, gate in enumerate(policy.gates):
        if gate in policy.gates[:index]:
            yield Finding(
                "gate-twice",
                f"policy {policy.name} lists gate {gate.id} twice with the same settings",
                fix="delete one of them",
                at=Location(file, path=f"gates[{index}]"),
            )
        elif gate.id != gate.kind and gate.id in {other.id for other in policy.gates[:index]}:
            yield Finding(
                "gate-twice",
                f"policy {policy.name} has two gates that a report would call {gate.id}",
                fix="give one of them another name",
                at=Location(file, path=f"gates[{index}].name"),
            )
        metric: str | None = getattr(gate, "metric", None)
        if metric is not None and metric not in METRICS:
            yield _unknown_metric(metric, file, f"gates[{index}].metric")
        unsuitable = check_test(gate.test, metric) if isinstance(gate, BeatsChampion) and metric else None
        if unsuitable is not None:
            yield replace(unsuitable, at=Location(file, path=f"gates[{index}].test"))
    if all(gate.severity == "warn" for gate in policy.gates):
        yield Finding(
            "gates-only-warn",
            f"no gate of policy {policy.name} stops a version",
            why="each of them has severity: warn",
            fix="take `severity: warn` out of those that are to guard an environment",
            at=Location(file, path="gates"),
        )


def check_enforced(policy: Policy, manifest: Promotion | None = None) -> Iterator[Finding]:
    """Nothing is asked for that this mlgit reads but does not enforce: what is ignored would look like a guard."""
    asked: list[tuple[bool, str, str]] = []
    if manifest is not None:
        file = layout.promotion(manifest.environment, manifest.model)
        asked += [
            (manifest.change not in {"promote", "rollback", "recertify"}, f"change: {manifest.change}", file),
            (manifest.ramp is not None and bool(manifest.ramp.gates), "ramp.gates", file),
        ]
    for is_asked, setting, file in asked:
        if is_asked:
            yield Finding(
                "setting-unenforced",
                f"{setting} is not enforced by this mlgit",
                why="a guard that is written down and not kept would be worse than none",
                fix="take it out, or use an mlgit that enforces it",
                at=Location(file),
            )
    if policy.evidence == "none" and any(
        rule is not None and (rule.min or rule.roles)
        for rule in (
            policy.approvals.promote,
            policy.approvals.rollback,
            policy.approvals.ramp,
            policy.approvals.retire,
            policy.approvals.recertify,
        )
    ):
        yield Finding(
            "approvals-impossible",
            f"policy {policy.name} asks for approvals and accepts none",
            why="evidence: none means that no approval is looked for",
            fix="set evidence to signed, or approvals to `promote: {min: 0}`",
            at=Location(layout.policy(policy.name), path="evidence"),
        )


def check_version(
    version: Version,
    files: Mapping[str, bytes | None],
    expected_pointers: Mapping[str, bytes],
    known: Container[str] = (),
) -> Iterator[Finding]:
    """The record's digest and the files that it names are what was recorded.

    Args:
        version: the record.
        files: content of `card.md`, `profile.json` and each pointer, by name inside the version's folder.
        expected_pointers: what each pointer must be, byte for byte, by name.
        known: names of files that need no content, for their ids in Git say that they are what was recorded.
    """
    folder = layout.version_folder(version.model, version.version)
    ref = VersionRef(version.model, version.version)
    actual = version_digest(version)
    if actual != version.digest:
        yield Finding(
            "version-tampered",
            f"the record of {ref} is not what was registered",
            why=f"its digest is {actual}, and it states {version.digest}",
            fix="restore it from the commit that registered it; a correction is a new version with `supersedes`",
            at=Location(f"{folder}/version.json"),
        )
    for name, recorded in recorded_files(version).items():
        content = files.get(name)
        if name in known:
            continue
        if content is None:
            yield _missing_file(ref, folder, name)
        elif sha256(content) != recorded:
            yield Finding(
                "version-file-differs",
                f"{name} of {ref} is not what was registered",
                why=f"its sha256 is {sha256(content)[7:19]}, and the record states {recorded[7:19]}",
                fix="restore it from the commit that registered it; later remarks are files of their own",
                at=Location(f"{folder}/{name}"),
            )
    for name, pointer in expected_pointers.items():
        content = files.get(name)
        if name in known:
            continue
        if content is None:
            yield _missing_file(ref, folder, name)
        elif content != pointer:
            yield Finding(
                "pointer-differs",
                f"the pointer {name} of {ref} does not name the file that was registered",
                why="its md5, size or path is not the one in version.json",
                fix="restore it from the commit that registered it",
                at=Location(f"{folder}/{name}"),
            )


def recorded_files(version: Version) -> dict[str, Digest]:
    """Return the digests of the files beside a record, by their names."""
    return {"card.md": version.card, "profile.json": version.profile}


def stated_blobs(version: Version) -> dict[str, str]:
    """Return the ids that a version states of files beside its record, by their names."""
    return {} if version.blobs is None else {"card.md": version.blobs.card, "profile.json": version.blobs.profile}


def check_blobs(version: Version, actual: Mapping[str, str]) -> Iterator[Finding]:
    """The ids that a version states are those of the files, so that by the id alone they can be known later.

    Args:
        version: the record.
        actual: the ids of files that are what was recorded, by name. Ids of another length are of a repository that uses
            another hash, and say nothing.
    """
    for name, stated in stated_blobs(version).items():
        if name in actual and len(actual[name]) == len(stated) and actual[name] != stated:
            ref = VersionRef(version.model, version.version)
            yield Finding(
                "version-blob-differs",
                f"the record of {ref} states another id for {name} than Git gives it",
                why=f"the file is {actual[name][:12]}, and the record states {stated[:12]}",
                fix="register the version again with `mlgit register`, which states the id that Git gives",
                at=Location(layout.version(version.model, version.version)),
            )


def stored_files(version: Version) -> tuple[Stored, ...]:
    """Return the files of a version that DVC keeps."""
    evaluation = version.evaluation
    return (version.artifact, evaluation.predictions, *([evaluation.features] if evaluation.features else []))


def check_card(card: Card, version: Version, problem: Problem) -> Iterator[Finding]:
    """Every number, and every name that can not change later, in the front matter of a card is the record's."""
    file = layout.card(version.model, version.version)
    facts: tuple[tuple[str, Any, Any], ...] = (
        ("mlgit.model", card.mlgit.model, version.model),
        ("mlgit.problem", card.mlgit.problem, problem.name),
        ("mlgit.artifact", card.mlgit.artifact, version.artifact.sha256),
        ("mlgit.split", card.mlgit.split, version.evaluation.split),
    )
    names = [("model-index name", model.name, version.model) for model in card.model_index]
    stated = [
        (f"model-index metric {metric.type}", metric.value, version.evaluation.metrics.get(metric.type))
        for model in card.model_index
        for result in model.results
        for metric in result.metrics
    ]
    for where, says, recorded in (*facts, *names, *stated):
        if says != recorded or recorded is None or isinstance(says, bool):
            yield Finding(
                "card-differs",
                f"the card of {VersionRef(version.model, version.version)} says {where} {says}",
                why=f"the record says {'nothing of it' if recorded is None else recorded}",
                fix="register again: the front matter is filled in from the record",
                at=Location(file, path=where),
            )


def check_described(manifest: Promotion, environments: Collection[str]) -> Iterator[Finding]:
    """The environment of a manifest is one that is described: of another one nobody says what guards it."""
    if manifest.environment not in environments:
        at = Location(layout.promotion(manifest.environment, manifest.model), path="environment")
        yield _unknown("environment", manifest.environment, at, environments)


def check_slots(manifest: Promotion, digests: Mapping[int, Digest | None]) -> Iterator[Finding]:
    """Each slot names a version that is there, by the digest that it has; the shares of traffic and the change fit.

    Args:
        manifest: the promotion.
        digests: digest of each version of the model, by label; None for one that cannot be read, which is a finding of its own.
    """
    file = layout.promotion(manifest.environment, manifest.model)
    traffic = 0
    for name in ("champion", "challenger", "shadow"):
        slot: Slot | None = getattr(manifest.slots, name)
        if slot is None:
            continue
        traffic += slot.traffic if name != "shadow" else 0
        there = digests.get(slot.version)
        ref = VersionRef(manifest.model, slot.version)
        if there is None and slot.version not in digests:
            yield Finding(
                "version-unknown",
                f"{ref} does not exist",
                why=f"{manifest.model} has versions {', '.join(map(str, sorted(digests)[-6:])) or 'none'}",
                fix="name one of those",
                at=Location(file, path=f"slots.{name}.version"),
            )
        elif there is not None and there != slot.digest:
            yield Finding(
                "slot-differs",
                f"{name} names {ref} by a digest that it does not have",
                why=f"the record has {there[:19]}, the manifest {slot.digest[:19]}",
                fix="do not edit digests by hand: `mlgit promote` writes them",
                at=Location(file, path=f"slots.{name}.digest"),
            )
    if manifest.slots.champion is not None and traffic != 100:  # noqa: PLR2004 - per cent
        yield Finding(
            "traffic-sum",
            f"the shares of traffic add up to {traffic} per cent",
            fix="champion and challenger together get 100",
            at=Location(file, path="slots"),
        )
    if (manifest.change == "retire") != (manifest.slots.champion is None):
        named = "no champion" if manifest.slots.champion is None else "a champion"
        yield Finding(
            "change-differs",
            f"the manifest says {manifest.change}, and names {named}",
            why="who must agree goes by the kind of change; a model retires exactly when no version is left to answer",
            fix="do not edit manifests by hand: `mlgit promote` writes them",
            at=Location(file, path="change"),
        )


def check_replaces(manifest: Promotion, before: Promotion | None) -> Iterator[Finding]:
    """A new manifest takes the place of exactly the one that the base branch has (compare and swap)."""
    file = layout.promotion(manifest.environment, manifest.model)
    expected = None if before is None else (before.promotion, digest(before))
    stated = None if manifest.replaces is None else (manifest.replaces.promotion, manifest.replaces.digest)
    if stated == expected:
        return
    now = "there is none" if before is None else f"it is {before.promotion}"
    planned = "none" if manifest.replaces is None else manifest.replaces.promotion
    yield Finding(
        "promotion-stale",
        f"{manifest.environment} changed since this promotion of {manifest.model} was planned",
        why=f"it replaces {planned}, and on the base branch {now}",
        fix="run `mlgit promote` again to judge it against today's champion",
        at=Location(file, path="replaces"),
    )


def check_immutable(changed: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """Nothing in the folder of a registered version was modified, replaced or deleted.

    Args:
        changed: path and status (`A`, `M`, `D`, `T`) of each difference from the base.
    """
    for path, status in changed:
        if status != "A" and layout.is_immutable(path):
            deed = "deleted" if status == "D" else "changed"
            yield Finding(
                f"immutable-{deed}",
                f"{path} was {deed}",
                why="files of a registered version stay as they are for ever",
                fix="restore it; a correction is a new version with `supersedes`, a remark is a file of its own",
                at=Location(path),
            )


def check_kept(changed: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """No manifest was deleted: with it would go the champion that the next version has to beat, and who agreed to it.

    Args:
        changed: path and status (`A`, `M`, `D`, `T`) of each difference from the base.
    """
    for path, status in changed:
        if status == "D" and (place := layout.place(path)) is not None and place.kind == "promotion":
            yield Finding(
                "manifest-deleted",
                f"{path} was deleted",
                why="a model leaves an environment by a promotion with change: retire, which is judged and agreed to",
                fix="restore it from the base branch",
                at=Location(path),
            )


def check_separation(changed: Iterable[str]) -> Iterator[Finding]:
    """What judges and what is judged do not change together."""
    paths = sorted(changed)
    promoted = [path for path in paths if (place := layout.place(path)) and place.kind == "promotion"]
    judging = [
        path
        for path in paths
        if ((place := layout.place(path)) and place.kind in {"policy", "environment", "roles", "override", "standing"})
        or path in {layout.SIGNERS, layout.TRUSTED_TYPES}
    ]
    if promoted and judging:
        yield Finding(
            "policy-with-promotion",
            f"{judging[0]} and a promotion change together",
            why=f"{promoted[0]} would be judged by rules that come with it",
            fix="make two pull requests, the rules first",
            at=Location(judging[0]),
        )


def check_promotion_alone(
    environment: str, model: str, changed: Iterable[str], *, held: str | None = None
) -> Iterator[Finding]:
    """A promotion brings its manifest and gate reports, and nothing that an approval does not cover.

    Args:
        environment: the environment.
        model: the model.
        changed: the paths that differ from the base.
        held: path of the hold that may come along, where the promotion is a rollback that brings one.
    """
    for path in sorted(changed):
        place = layout.place(path)
        own = path in {layout.promotion(environment, model), held}
        report = place is not None and place.kind == "gate-report" and place.says["model"] == model
        if not own and not report:
            yield Finding(
                "promotion-not-alone",
                f"the promotion of {model} to {environment} changes {path} as well",
                why="an approval covers the manifest and what it names, and nothing else that comes along",
                fix="bring the other changes to the base branch first, by themselves",
                at=Location(path),
            )


def check_paths(entries: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """Paths are names that every system can hold, and no state file is a symbolic link or a submodule.

    Args:
        entries: path and Git mode of every file.
    """
    entries = list(entries)
    yield from check_clashes(path for path, _ in entries)
    fits = functools.cache(is_name)  # a name is in the paths of many files
    for path, mode in entries:
        top, _, rest = path.partition("/")
        if top not in _STATE_FOLDERS and top not in {layout.PROJECT, _SETTINGS}:
            continue
        if mode in {"120000", "160000"}:
            yield Finding(
                "state-link",
                f"{path} is a {'symbolic link' if mode == '120000' else 'submodule'}",
                why="the content of a link can be anywhere, so it proves nothing",
                fix="put the file itself there",
                at=Location(path),
            )
        name = rest.split("/", 1)[0].removesuffix(".yaml")
        if name and top in _STATE_FOLDERS and not fits(name) and not name.startswith("."):
            yield Finding(
                "name-unfit",
                f"{name!r} does not do as a name",
                why=NAMES_ARE,
                fix="rename it",
                at=Location(path),
            )


def check_unplaced(paths: Iterable[str]) -> Iterator[Finding]:
    """Nothing that people write has an extension by which it is not read.

    Args:
        paths: paths at which no record belongs.
    """
    for path in paths:
        if path.partition("/")[0] in layout.WRITTEN and (meant := layout.meant(path)) is not None:
            yield Finding(
                "file-unplaced",
                f"{path} is not read",
                why="records that people write end in .yaml",
                fix=f"rename it to {meant}",
                at=Location(path),
                severity=Severity.WARNING,
            )


def check_clashes(paths: Iterable[str]) -> Iterator[Finding]:
    """No two paths are one on a file system that takes letters or accents for the same."""
    folded: dict[str, str] = {}
    for path in paths:
        key = path.casefold() if path.isascii() else unicodedata.normalize("NFC", path).casefold()
        other = folded.setdefault(key, path)
        if other != path:
            yield Finding(
                "path-clash",
                f"{path} and {other} differ only in case, or in how an accent is written",
                why="on many file systems they are one file",
                fix="rename one of them",
                at=Location(path),
            )


def check_sizes(files: Iterable[tuple[str, int]]) -> Iterator[Finding]:
    """No file of the state is so large that it can only be data.

    Args:
        files: path and size in bytes of files, at the least of those above `LARGEST`.
    """
    for path, size in files:
        if size > LARGEST and path.partition("/")[0] in _STATE_FOLDERS:
            yield Finding(
                "file-large",
                f"{path} is too large for Git",
                why=f"it has {size / 2**20:.1f} MiB, and every clone would keep it for ever; {LARGEST >> 20} MiB may be",
                fix=f"let DVC keep it: `git rm --cached --ignore-unmatch {shlex.quote(path)} && dvc add {shlex.quote(path)}`",
                at=Location(path),
            )


LARGEST = 5 << 20
"""Bytes that a file beside the records may have."""
_SETTINGS = layout.ROLES.partition("/")[0]
_STATE_FOLDERS = frozenset(
    {"problems", "datasets", "models", "environments", "policies", "holds", "overrides", "standing", "retirements"}
)


def _unknown(noun: str, name: str, at: Location, there: Collection[str]) -> Finding:
    listed = ", ".join(sorted(there)[:6]) or "none"
    return Finding(
        f"{noun}-unknown",
        f"there is no {noun} {name}",
        why=f"there is {listed}",
        fix=f"name one of those, or draft it with `mlgit new {noun} {name}`",
        at=at,
    )


def _unknown_metric(name: str, file: str, path: str) -> Finding:
    return Finding(
        "metric-unknown",
        f"{name} is no metric that mlgit computes",
        why=f"it computes {', '.join(sorted(METRICS))}",
        fix="name one of those",
        at=Location(file, path=path),
    )


def _missing_file(ref: VersionRef, folder: str, name: str) -> Finding:
    return Finding(
        "version-file-missing",
        f"{ref} lacks {name}",
        why="its record names it",
        fix="restore it from the commit that registered the version",
        at=Location(f"{folder}/{name}"),
    )
