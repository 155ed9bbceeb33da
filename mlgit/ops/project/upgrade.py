"""Write the lock that the workflows install mlgit from: where mlgit comes from, and the hashes of everything it needs."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final, Literal

import msgspec

from mlgit.domain import layout
from mlgit.domain.codec import sha256
from mlgit.domain.requirements_lock import WHEELS, LockedPackage, normalized, render
from mlgit.errors import usage_error
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.installer import Installer, PackageFile, Wheel
from mlgit.ops.kernel.ports.workspace import Workspace

REQUIREMENTS: Final = "requirements.txt"
"""The packages of the project, which it trains with; they are locked with mlgit, so that they fit together."""

_COMMIT: Final = re.compile(r"git\+\S+@[0-9a-f]{40}(?:[0-9a-f]{24})?")
_URL: Final = re.compile(r"https?://\S+\.whl(?:#\S*)?")
_VERSION: Final = re.compile(r"[0-9][A-Za-z0-9.!+_-]*")
_SHA_FRAGMENT: Final = re.compile(r"#.*$")


class MlgitSource(msgspec.Struct, frozen=True):
    """Where mlgit comes from: a version in an index, the URL of a wheel, or what a wheel beside the lock is made from."""

    kind: Literal["index", "url", "wheel"]
    requirement: str

    @classmethod
    def parse(cls, text: str) -> "MlgitSource":
        """Read a version, the URL of a wheel, `git+URL@COMMIT`, or the path of a wheel or of a folder with the sources.

        Raises:
            UsageError: it is none of these (`mlgit-source-invalid`).
        """
        if _URL.fullmatch(text):
            return cls("url", text)
        if _COMMIT.fullmatch(text):
            return cls("wheel", text)
        if _VERSION.fullmatch(text):
            return cls("index", f"mlgit=={text}")
        if "://" in text or text.startswith("-") or not ("/" in text or text.endswith(".whl") or text == "."):
            raise usage_error(
                "mlgit-source-invalid",
                f"{text!r} does not say where mlgit comes from",
                why="a branch or a tag can be moved to other code, and a name alone can be anybody's",
                fix="name the URL of a wheel, git+URL@COMMIT with all 40 characters, a path, or a version in your index",
            )
        return cls("wheel", text)


class LockUpgraded(Outcome, frozen=True, kw_only=True, tag="mlgit/upgrade.v1"):
    """The lock that was written: where mlgit comes from, how many packages it has, and the files that changed."""

    state: Literal["written", "there-already", "planned"]
    source: str
    version: str
    packages: int
    files: dict[str, Literal["+", "~"]]


def run(
    workspace: Workspace,
    installer: Installer,
    source: MlgitSource,
    *,
    extra: Sequence[str] = (),
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> LockUpgraded:
    """Resolve mlgit, the packages of the project and extra ones, and write the lock into the work tree.

    A package that is published as sources only is built here, and its wheel kept beside the lock: the workflows run no code to
    install something. A wheel for this machine only is locked together with that for the workflows.

    Args:
        workspace: where.
        installer: resolves and builds packages.
        source: where mlgit comes from.
        extra: other packages, such as `dvc-s3` for the DVC remote.
        dry_run: whether to write nothing.
        on_step: called with each step before it starts.

    Raises:
        MlgitError: the packages cannot be installed together, or one cannot be built (`packages-unresolvable`).
    """
    tree = workspace.repository.work_tree()
    wheels: dict[str, Wheel] = {}
    requirement = source.requirement
    if source.kind == "wheel":
        on_step(f"building the wheel of {source.requirement}")
        wheels["mlgit"] = installer.wheel(source.requirement)
        requirement = f"mlgit=={_version_of(wheels['mlgit'])}"
    elif source.kind == "url":
        requirement = f"mlgit @ {source.requirement}"
    on_step("resolving the packages")
    files = [REQUIREMENTS] if tree.read(REQUIREMENTS) is not None else []
    resolved = installer.resolve([requirement, *extra], files)
    for package in resolved:
        if not package.is_wheel:
            on_step(f"building the wheel of {package.name}, which is published as sources only")
            wheels[normalized(package.name)] = installer.wheel(f"{package.name}=={package.version}")
    on_step("finding the wheels for the workflows")
    packages = _locked(source, resolved, wheels, _for_workflows(installer, resolved, wheels))
    lock = render(_described(source), packages, has_wheels=bool(wheels))
    folder = PurePosixPath(layout.REQUIREMENTS_LOCK).parent / WHEELS
    # The lock comes last: files are written in this order, and it must not name a wheel that is missing.
    content = {f"{folder}/{wheel.file}": wheel.content for wheel in wheels.values()}
    content[layout.REQUIREMENTS_LOCK] = lock.encode()
    existing = {path: tree.read(path) for path in content}
    changes: dict[str, Literal["+", "~"]] = {
        path: "+" if existing[path] is None else "~" for path in content if existing[path] != content[path]
    }
    if changes and not dry_run:
        workspace.write_files({path: content[path] for path in changes})
    version = next(package.version for package in resolved if normalized(package.name) == "mlgit")
    return LockUpgraded(
        state="there-already" if not changes else "planned" if dry_run else "written",
        source=source.requirement,
        version=version,
        packages=len(resolved),
        files=changes,
    )


def _for_workflows(
    installer: Installer, resolved: Sequence[PackageFile], wheels: Mapping[str, Wheel]
) -> dict[str, PackageFile]:
    """Return, by name, the wheels that the workflows take instead of those for this machine only."""
    pinned = [
        f"{package.name}=={package.version}"
        for package in resolved
        if normalized(package.name) not in wheels and not package.is_for_every_machine
    ]
    found = installer.resolve_for_workflows(pinned) if pinned else []
    return {normalized(package.name): package for package in found}


def _locked(
    source: MlgitSource,
    resolved: Sequence[PackageFile],
    wheels: Mapping[str, Wheel],
    for_workflows: Mapping[str, PackageFile],
) -> list[LockedPackage]:
    locked = []
    for package in resolved:
        name = normalized(package.name)
        if (wheel := wheels.get(name)) is not None:
            locked.append(LockedPackage(name, package.version, (_hex(sha256(wheel.content)),)))
            continue
        files = [package, *([for_workflows[name]] if name in for_workflows else [])]
        is_direct = source.kind == "url" and name == "mlgit"
        url = _SHA_FRAGMENT.sub("", source.requirement) if is_direct else None
        locked.append(LockedPackage(name, package.version, tuple({file.sha256 for file in files}), url))
    return locked


def _described(source: MlgitSource) -> str:
    return {
        "index": f"the index of pip's configuration, {source.requirement}",
        "url": _SHA_FRAGMENT.sub("", source.requirement),
        "wheel": f"{WHEELS}/, made from {source.requirement}",
    }[source.kind]


def _version_of(wheel: Wheel) -> str:
    """Return the version in the name of a wheel's file: the second part."""
    return wheel.file.split("-")[1]


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")
