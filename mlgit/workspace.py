"""The composition root: connects the ports with the edges, for a command, a server or a test.

Each edge is imported and opened when it is first used, so that a command does not wait for what it does not need.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlgit.edges.clock import SystemClock
from mlgit.edges.git.repository import GitRepository, open_repository
from mlgit.errors import Inconclusive, Location, MlgitError, usage_error

if TYPE_CHECKING:
    from mlgit.domain.cards import CardText
    from mlgit.domain.metrics import Task
    from mlgit.domain.pipeline import Stage
    from mlgit.domain.records import Environment, Record
    from mlgit.domain.records.card import Card
    from mlgit.domain.records.problem import Label
    from mlgit.domain.records.version import ModelFormat, StoredFile
    from mlgit.domain.results import ModelFileInspection
    from mlgit.domain.signers import SignerLine
    from mlgit.edges.git.remotes import ShowProgress
    from mlgit.edges.known_hashes import KnownHashes
    from mlgit.ops.kernel.ports.data import DataStore, Pipeline, Reproduction, Tables, VersionStore
    from mlgit.ops.kernel.ports.forge import Forge
    from mlgit.ops.kernel.ports.formats import Formats, RecordReader
    from mlgit.ops.kernel.ports.git import Tree
    from mlgit.ops.kernel.ports.model import ModelFiles, Scored
    from mlgit.ops.kernel.ports.signing import Signatures
    from mlgit.ops.kernel.ports.target import Target
    from mlgit.ops.kernel.ports.team_gates import TeamGates
    from mlgit.ops.kernel.ports.timestamps import Timestamps
    from mlgit.ops.kernel.ports.workspace import Cache, Clock


class LocalWorkspace:
    """The workspace of a folder on this machine (see `ops.kernel.ports.workspace.Workspace`)."""

    def __init__(self, directory: Path, *, show: ShowProgress | None = None) -> None:
        """Take a folder in the repository, and what shows the progress of fetch and push; None shows nothing."""
        self.directory = directory
        self._show = show
        self._reuses_evidence = False

    @cached_property
    def repository(self) -> GitRepository:
        """The repository that the folder is in."""
        return open_repository(self.directory, show=self._show)

    @cached_property
    def formats(self) -> Formats:
        """Readers and writers of files."""
        return _Formats()

    @cached_property
    def cache(self) -> Cache:
        """A cache in the folder of Git."""
        from mlgit.edges.cache import FileCache  # noqa: PLC0415 - few commands use it

        return FileCache(self.repository.git_dir)

    @cached_property
    def evidence_cache(self) -> Cache:
        """A cache in the folder of Git if `reuse_evidence` was called, otherwise an empty one."""
        from mlgit.edges import cache, installation  # noqa: PLC0415 - few commands use it

        if not self._reuses_evidence:
            return cache.NoCache()
        return cache.FileCache(self.repository.git_dir, program=installation.digest())

    def reuse_evidence(self) -> None:
        """Use evidence that was computed before. Not for commands that verify what others decided."""
        self._reuses_evidence = True

    @cached_property
    def clock(self) -> Clock:
        """The system's clock."""
        return SystemClock()

    @cached_property
    def signatures(self) -> Signatures:
        """SSH signatures with the key that Git is configured with."""
        from mlgit.edges.ssh.signing import SshSignatures  # noqa: PLC0415 - only for approvals

        return SshSignatures(self.repository.config)

    @cached_property
    def timestamps(self) -> Timestamps:
        """Timestamps by an authority, over HTTP."""
        from mlgit.edges.timestamps import Rfc3161Timestamps  # noqa: PLC0415 - only where a project names an authority

        return Rfc3161Timestamps()

    @cached_property
    def pipeline(self) -> Pipeline:
        """The project's DVC pipeline."""
        from mlgit.edges.dvc.pipeline import DvcPipeline  # noqa: PLC0415 - only for training

        return DvcPipeline(self.root, self._hashes)

    @cached_property
    def model_files(self) -> ModelFiles:
        """Model files, opened in a sandbox."""
        return _ModelFiles(self.root)

    @cached_property
    def tables(self) -> Tables:
        """Tables in Parquet and CSV files."""
        from mlgit.edges.tables import ArrowTables  # noqa: PLC0415 - few commands read tables

        return ArrowTables()

    @property
    def reproduction(self) -> Reproduction:
        """Runs DVC stages again in a private checkout."""
        from mlgit.edges.dvc.reproduction import reproduced  # noqa: PLC0415 - only for gates that need it

        return reproduced

    @cached_property
    def team_gates(self) -> TeamGates:
        """Gates that the team provides."""
        from mlgit.edges import teamgates  # noqa: PLC0415 - only for policies with such gates

        return teamgates.PrivateTeamGates()

    @cached_property
    def _hashes(self) -> KnownHashes:
        from mlgit.edges.known_hashes import KnownHashes  # noqa: PLC0415 - few commands hash files

        return KnownHashes(self.cache)

    def hash_file(self, path: Path, name: str) -> StoredFile:
        """Return the hashes and the size of a file, as DVC would store it under a name."""
        from mlgit.edges import hashing  # noqa: PLC0415 - few commands hash files

        stored = hashing.stored(path, name, self._hashes.of(path))
        self._hashes.save()
        return stored

    def write_files(self, files: Mapping[str, bytes]) -> None:
        """Write files into the work tree, each one atomically."""
        from mlgit.edges import workfiles  # noqa: PLC0415 - few commands write files

        workfiles.write(self.root, files)

    @property
    def root(self) -> Path:
        """The work tree.

        Raises:
            UsageError: the repository is bare (`repository-bare`).
        """
        if self.repository.root is None:
            raise usage_error(
                "repository-bare",
                "the repository is bare, and this command needs a work tree",
                fix="run it in a clone",
            )
        return self.repository.root

    def store(self, remote: str) -> DataStore:
        """Return the content in a DVC remote."""
        from mlgit.edges.dvc.store import DvcStore  # noqa: PLC0415 - DVC

        return DvcStore(self.root, remote, self._hashes)

    def versions(self, remote: str) -> VersionStore:
        """Return the content of registered versions in a DVC remote."""
        from mlgit.edges.dvc.versionstore import VersionStore  # noqa: PLC0415 - DVC

        return VersionStore(self.root, remote, self._hashes)

    def target(self, environment: Environment) -> Target | None:
        """Return the target of an environment; None if it has none that mlgit deploys to."""
        from mlgit.edges.targets import open_target  # noqa: PLC0415 - only for deployments

        return open_target(environment.target, self.root)

    def forge(self) -> Forge | None:
        """Return the forge that the base branch states; None if it states none."""
        return self._forge

    @cached_property
    def _forge(self) -> Forge | None:
        from mlgit.ops.kernel.snapshot import base_of  # noqa: PLC0415 - reads records

        # From the base branch: the branch of a proposal must not choose another forge, whose reviews would count.
        kind = base_of(self)[1].project().forge
        if kind == "none":
            return None
        from mlgit.edges.forge import open_forge  # noqa: PLC0415 - only for projects with a forge

        return open_forge(kind, self.repository.config("remote.origin.url"))

    @contextlib.contextmanager
    def scratch(self) -> Iterator[LocalWorkspace]:
        """Yield this workspace with a repository whose new objects and refs are discarded at the end."""
        with self.repository.scratch() as repository:
            workspace = LocalWorkspace(self.directory)
            workspace._reuses_evidence = self._reuses_evidence
            workspace.repository = repository
            yield workspace


class _ModelFiles:
    def __init__(self, root: Path) -> None:
        self._root = root

    def inspect(self, path: Path, trusted: bytes | None) -> ModelFileInspection:
        from mlgit.domain.results import ModelFileInspection  # noqa: PLC0415 - few commands open model files
        from mlgit.edges import modelfile  # noqa: PLC0415 - skops

        file = self._display_path(path)
        try:
            content = modelfile.inspect(path, file)
            names = None if trusted is None else modelfile.parse_trusted_types(trusted)
        except Inconclusive:
            raise
        except MlgitError as error:
            return ModelFileInspection(format=None, findings=list(error.findings))
        findings = [] if names is None else list(modelfile.check_types(content.types, names, Location(file)))
        return ModelFileInspection(format=content.format, types=content.types, findings=findings)

    def score(
        self,
        path: Path,
        kind: ModelFormat,
        trusted: bytes,
        features: Path,
        *,
        columns: Sequence[str],
        task: Task,
        positive: Label | None,
    ) -> Scored:
        from mlgit.edges import modelfile  # noqa: PLC0415 - skops

        return modelfile.score(
            path,
            kind,
            modelfile.parse_trusted_types(trusted),
            features,
            columns=columns,
            task=task,
            positive=positive,
            file=self._display_path(path),
            project=self._root,
        )

    def _display_path(self, path: Path) -> str:
        """Return a path for messages: relative to the root, or only the name of a private copy elsewhere."""
        return str(path.relative_to(self._root)) if path.is_relative_to(self._root) else path.name


class _Formats:
    def record(self, file: str, content: bytes) -> Record:
        return self._read(file, content)

    @cached_property  # called for each record: even the lookup of an imported module would be noticeable
    def _read(self) -> RecordReader:
        from mlgit.edges.formats.records import read_record  # noqa: PLC0415 - YAML

        return read_record

    def card(self, file: str, content: bytes) -> tuple[Card, CardText]:
        from mlgit.edges.formats import cardfile  # noqa: PLC0415 - YAML

        card, text, _ = cardfile.parse(content, file)
        return card, text

    def model_card(self, file: str, content: bytes) -> tuple[dict[str, Any], str]:
        from mlgit.edges.formats import cardfile  # noqa: PLC0415 - YAML

        return cardfile.parse_model_card(content, file)

    def pointer(self, stored: StoredFile) -> bytes:
        return self._render(stored)

    @cached_property
    def _render(self) -> Callable[[StoredFile], bytes]:
        from mlgit.edges.dvc import pointers  # noqa: PLC0415 - only for versions

        return pointers.render

    def pointed(self, file: str, content: bytes) -> str:
        from mlgit.edges.dvc import pointers  # noqa: PLC0415 - only for pointers

        return pointers.parse(content, file).md5

    def check_pointer(self, file: str, content: bytes) -> None:
        from mlgit.edges.dvc import pointers  # noqa: PLC0415 - only for pointers

        pointers.check_named(content, file)

    def signers(self, content: bytes) -> Sequence[SignerLine]:
        from mlgit.domain.layout import SIGNERS  # noqa: PLC0415 - only where keys are read
        from mlgit.edges.ssh import signers  # noqa: PLC0415 - only where keys are read

        return signers.parse(content, SIGNERS).lines()

    def yaml(self, file: str, record: Record) -> bytes:
        from mlgit.domain.codec import to_mapping  # noqa: PLC0415 - only for writing
        from mlgit.domain.layout import SCHEMAS  # noqa: PLC0415 - only for writing
        from mlgit.domain.records import Promotion  # noqa: PLC0415 - only for writing
        from mlgit.edges.formats import yamlfile  # noqa: PLC0415 - YAML

        up = "../" * file.count("/")
        mapping = to_mapping(record)
        # The unique id comes first, so that Git reports a conflict for two manifests written at the same time, even if all
        # else in them is equal.
        first = {"promotion": mapping["promotion"]} if isinstance(record, Promotion) else {}
        return yamlfile.dump(first | mapping, f"{up}{SCHEMAS}/{record.__struct_config__.tag}.schema.json")

    def front_matter(self, mapping: Mapping[str, Any]) -> bytes:
        from mlgit.edges.formats import yamlfile  # noqa: PLC0415 - YAML

        return yamlfile.dump(mapping)

    def params(self, file: str, content: bytes) -> dict[str, Any]:
        from mlgit.edges.dvc import definitions  # noqa: PLC0415 - YAML

        return definitions.read_values(file, content)

    def stages(self, tree: Tree) -> list[Stage]:
        from mlgit.edges.dvc import definitions  # noqa: PLC0415 - only for lineage

        return definitions.read_stages(tree)
