"""A version folder that somebody writes by hand, with every digest right: what its model file is decides."""

import hashlib
import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from mlgit.domain import codec, layout
from mlgit.domain.records import Version
from mlgit.domain.records.version import Artifact
from tests.flows.builder import MODEL
from tests.flows.people import Team
from tests.flows.test_approvals_flow import BRANCH, forged
from tests.flows.test_audit_abuse import audited

FORGED = f"{MODEL}@4"
GENUINE, FOLDER = layout.version_folder(MODEL, 2), layout.version_folder(MODEL, 4)


class _Gadget:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch /tmp/mlgit-was-attacked",)


def _bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", "{}")
        archive.writestr("zeros.npy", bytes(128 << 20))
    return buffer.getvalue()


def _weights() -> bytes:
    entry = {"dtype": "F64", "shape": [1 << 40], "data_offsets": [0, 8]}
    header = json.dumps({"a": entry, "b": entry}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(8)


_EXTERNAL = b"\x6a\x10\x0a\x08location\x12\x04/etc"
ATTACKS: Mapping[str, tuple[str, bytes, str]] = {
    "a pickle": ("skops", pickle.dumps(_Gadget()), "model-is-pickle"),
    "a zip bomb": ("skops", _bomb(), "model-archive-unsafe"),
    "a web page": ("skops", b"<!DOCTYPE html><title>403</title>", "model-is-html"),
    "a pointer of Git LFS": ("skops", b"version https://git-lfs.github.com/spec/v1\n", "model-is-lfs-pointer"),
    "a graph with paths": ("onnx", b"\x08\x0a\x3a\x14\x2a\x12" + _EXTERNAL, "model-file-unsafe"),
    "weights that overlap and lie": ("safetensors", _weights(), "model-file-unsafe"),
}


def forge(team: Team, content: bytes, form: str = "skops", **claims: Any) -> None:
    """Write a version like the second by hand, with a model file of one's own making in the cache and in the remote."""
    desk = team.ana
    version = msgspec.json.decode(desk.read(f"{GENUINE}/version.json"), type=Version)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    for place in (team.folder / "storage", team.root / ".dvc/cache"):
        stored = place / "mlgit/md5" / md5[:2] / md5[2:]
        stored.parent.mkdir(parents=True, exist_ok=True)
        stored.write_bytes(content)
    path, size = f"model.{form}", claims.pop("size", len(content))
    artifact = Artifact(path=path, sha256=codec.sha256(content), md5=md5, size=size, format=form)  # type: ignore[arg-type]
    card = desk.read(f"{GENUINE}/card.md").replace(version.artifact.sha256, artifact.sha256)
    made = msgspec.structs.replace(version, version=4, artifact=artifact, card=codec.sha256(card.encode()), blobs=None)
    made = msgspec.structs.replace(made, digest=codec.version_digest(made))
    files: dict[str, str | bytes] = {
        f"{FOLDER}/version.json": codec.to_json(made),
        f"{FOLDER}/card.md": card,
        f"{FOLDER}/profile.json": desk.read(f"{GENUINE}/profile.json"),
    }
    desk.commit("Write a version by hand", files)


@pytest.mark.parametrize(("form", "content", "id_"), ATTACKS.values(), ids=ATTACKS)
def test_a_forged_model_file_is_refused_by_validate_and_by_the_gates(
    registered: Team, form: str, content: bytes, id_: str
) -> None:
    ana = registered.ana
    forge(registered, content, form)
    assert {*ana("validate").ids} == {*ana("validate --base HEAD~1").ids} == {id_}
    said = {one["gate"]: one for one in ana(f"gate {FORGED} --env staging --json").json["results"]}
    assert [said[gate]["outcome"] for gate in ("model-safe", "integrity")] == ["fail", "fail"]
    assert id_ in said["model-safe"]["facts"]["findings"][0]
    assert ana(f"promote {FORGED} --to staging").code == 1


def test_a_size_that_lies_is_found_where_the_object_is(registered: Team) -> None:
    content = (registered.root / "src/fits/plain/model.skops").read_bytes()
    forge(registered, content, size=5)
    assert "stored-size-mismatch" in registered.ana("validate").ids


@pytest.mark.tier("fast")
@pytest.mark.parametrize("attack", ["a pickle", "a web page"])
def test_a_forged_version_is_neither_merged_nor_applied_nor_proven(running: Team, attack: str) -> None:
    """Its gate report is forged too, a reviewer believes it, and somebody who may push merges it."""
    form, content, _ = ATTACKS[attack]
    ana = running.ana
    ana.edit("environments/production/environment.yaml", "after: [staging]", "after: []")
    forge(running, content, form)
    ana.does(f"promote {MODEL}@2 --to production")
    forged(running, 4)
    running.ben.does("approve")
    answer = ana("merge")
    assert (answer.code, "gate-report-mismatch" in answer.ids) == (1, True), answer.text
    running.mallory.git("merge", "--quiet", "--no-ff", "-m", "Merge it", BRANCH)
    answer = ana("apply production --json")
    (applied,) = answer.json["results"]
    assert (answer.code, applied["state"]) == (1, "blocked")
    assert "model-safe: pass then, fail now" in applied["findings"][0]["why"]
    for options in ("--no-cache --depth recompute", "--no-cache --depth full"):
        change = audited(ana, options).json["changes"][-1]
        assert change["verdict"] != "PROVEN", options
        assert {finding["id"] for finding in change["findings"]} & {"apply-rejected", "gate-report-mismatch"}


def test_no_target_gets_a_file_that_was_not_gated(running: Team) -> None:
    """What a rollback restores needs no gates: the file is inspected all the same before any target gets it."""
    from mlgit.ops.evaluation.evidence_files import require_safe_model

    session = running.ana.session()
    version = msgspec.json.decode(running.ana.read(f"{GENUINE}/version.json"), type=Version)
    path = running.folder / "model.skops"
    path.write_bytes(pickle.dumps(_Gadget()))
    with pytest.raises(Exception, match="pickle"):
        require_safe_model(session, version, path, b"")


def test_whoever_registers_cannot_choose_the_seed(running: Team) -> None:
    """The same predictions under another digest: the interval against the champion is the same, to the last digit."""
    ana = running.ana
    again = msgspec.json.decode(ana.read(f"{GENUINE}/version.json"), type=Version)
    again = msgspec.structs.replace(again, version=4, registered_at=again.registered_at + timedelta(seconds=1))
    again = msgspec.structs.replace(again, digest=codec.version_digest(again))
    names = ("card.md", "profile.json")
    files: dict[str, str | bytes] = {f"{FOLDER}/{name}": ana.read(f"{GENUINE}/{name}") for name in names}
    ana.commit("Register it once more", files | {f"{FOLDER}/version.json": codec.to_json(again)})
    facts = [
        {one["gate"]: one.get("facts") for one in ana(f"gate {ref} --env production --json").json["results"]}
        for ref in (f"{MODEL}@2", FORGED)
    ]
    for gate in ("beats-baseline", "beats-champion", "slice-harm"):
        assert facts[0][gate] == facts[1][gate], gate
