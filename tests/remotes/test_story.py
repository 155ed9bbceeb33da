"""A team whose data lies on a server: one registers, another judges in a fresh clone, and damage there is refused."""

import json
import re
import shutil

import pytest

from tests.flows.builder import MODEL
from tests.flows.people import Desk, Team
from tests.remotes.places import SECRET, Place, object_path

VERSION = f"models/{MODEL}/versions/v4"


def settings(place: Place, keys: dict[str, str]) -> str:
    return "['remote \"storage\"']\n" + "".join(f"    {key} = {value}\n" for key, value in keys.items())


def fresh(desk: Desk, place: Place, folder: str) -> Desk:
    """Clone, and set what is a person's own."""
    clone = desk.clone(folder)
    if place.own:
        (clone.root / ".dvc/config.local").write_text(settings(place, dict(place.own)))
    return clone


def test_what_one_registers_another_judges_and_what_is_damaged_nobody_uses(registered: Team, place: Place) -> None:
    if "://" not in place.url:
        pytest.skip("every other story keeps its data in a folder")
    ana, ben = registered.ana, registered.ben
    shared = {"url": place.url, "verify": "True"} | dict(place.shared)
    ana.commit("Move the data", {".dvc/config": "[core]\n    remote = storage\n" + settings(place, shared)})
    if place.own:
        (ana.root / ".dvc/config.local").write_text(settings(place, dict(place.own)))
    output = []

    answer = ana.does("doctor")
    output.append(answer.text)
    assert "read back and removed" in answer.out
    assert "credentials-committed" not in answer.ids

    data = ana.root / "datasets/biopsies/biopsies.csv"
    output.append(ana.does(f"data add {data} --dataset biopsies").text)
    ana.edit("params.yaml", "fit: worse", "fit: better")
    ana.does(f"train {MODEL}")
    output.append(ana.does(f"register {MODEL}").text)
    record = json.loads(ana.read(f"{VERSION}/version.json"))
    assert place.objects.read(object_path(record["artifact"]["md5"])) is not None

    bens = fresh(ben.at(ana.root), place, "bens")
    judged = bens.does(f"gate {MODEL}@4 --env staging")
    output.append(judged.text)

    predictions = record["evaluation"]["predictions"]["md5"]
    path = object_path(predictions)
    sound = place.objects.read(path)
    assert sound is not None
    for name, content, why in (
        ("tampered", sound[:-1] + bytes([sound[-1] ^ 1]), "differs from its record"),
        ("cut", sound[:-9], "differs from its record"),
        ("gone", None, "is neither in the cache nor in remote"),
    ):
        place.objects.write(path, content)
        clone = fresh(ben.at(ana.root), place, name)
        refusal = clone(f"gate {MODEL}@4 --env staging")
        output.append(refusal.text)
        assert refusal.code == (3 if content is None else 1), refusal.text  # without it, nothing can be judged
        assert re.search(f"(fail|error) +integrity .*predictions.parquet .*{why}", refusal.out), refusal.text
        shutil.rmtree(clone.root)
    assert not [text for text in output if SECRET in text]


def test_a_password_in_the_shared_settings_is_named_and_not_shown(registered: Team, place: Place) -> None:
    if not place.url.startswith("webdav"):
        pytest.skip("asked once, where there is a password")
    shared = {"url": place.url, "verify": "True"} | dict(place.own)
    registered.ana.commit("Share", {".dvc/config": "[core]\n    remote = storage\n" + settings(place, shared)})
    answer = registered.ana("doctor")
    assert answer.ids == ["credentials-committed"]
    assert SECRET not in answer.text


def test_a_missing_base_folder_over_webdav_is_reported_with_the_fix(registered: Team, place: Place) -> None:
    if not place.url.startswith("webdav"):
        pytest.skip("everywhere else it is made with what is put into it")
    registered.ana.commit(
        "Elsewhere",
        {
            ".dvc/config": "[core]\n    remote = storage\n"
            + settings(place, {"url": f"{place.url}/new", "verify": "True"})
        },
    )
    (registered.root / ".dvc/config.local").write_text(settings(place, dict(place.own)))
    assert registered.ana("doctor").ids == ["dvc-remote-folder-missing"]
