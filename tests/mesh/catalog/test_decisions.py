"""The `decisions` block of a catalog."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mesh.catalog.catalog import load, read
from mesh.catalog.decisions import Decisions
from mesh.catalog.value_check import warnings
from mesh.errors import Misconfigured

CATALOG = """
game: g
features: {path: players.sqlite}
context: {platform: text}
versions: {v1: {models: [{name: m, uri: m.txt}]}}
"""


def loaded(folder: Path, block: str) -> Decisions | None:
    path = folder / "mesh.yaml"
    path.write_text(f"{CATALOG}decisions: {block}\n")
    return load(path).decisions


def faults(folder: Path, block: str) -> list[str]:
    with pytest.raises(Misconfigured) as error:
        loaded(folder, block)
    return [fault.split(": ", 1)[1] for fault in error.value.faults]


def test_folder_of_a_log_is_relative_to_the_catalog(tmp_path: Path) -> None:
    block = loaded(tmp_path, "{to: log}")
    assert block == Decisions(to=str(tmp_path / "log"))
    assert (block.sample, block.votes, block.flush_s, block.max_bytes) == (100, "all", 30, 64 * 2**20)


def test_address_on_s3_stays_as_it_is(tmp_path: Path) -> None:
    block = loaded(tmp_path, "{to: 's3://bucket/prefix', exclude: [player, level]}")
    assert block is not None
    assert (block.to, block.exclude) == ("s3://bucket/prefix", ("player", "level"))


@pytest.mark.parametrize(
    ("block", "fault"),
    [
        ("{to: 'gs://bucket'}", "decisions.to: 'gs://bucket' is neither a folder nor on S3; give a folder or s3://"),
        ("{to: 's3:///prefix'}", "decisions.to: 's3:///prefix' has no bucket; give s3://BUCKET/PREFIX"),
        ("{to: log, exclude: [level, level]}", "decisions.exclude[1]: 'level' is named twice; name it once"),
        ("{to: log, players: hashed, exclude: [player]}", "decisions.players: is hashed, but `exclude` names player"),
        ("{to: log, sample: 0}", "decisions.sample: "),
        ("{sample: 10}", "decisions.to: is missing"),
    ],
)
def test_fault_names_its_place(tmp_path: Path, block: str, fault: str) -> None:
    assert [found[: len(fault)] for found in faults(tmp_path, block)] == [fault]


def warned(folder: Path, block: str) -> list[str]:
    loaded(folder, block)
    return [f"{fault.problem}; {fault.fix}" for fault in warnings(read(folder / "mesh.yaml"))]


def test_folder_that_does_not_exist_yet_needs_no_warning(tmp_path: Path) -> None:
    assert warned(tmp_path, "{to: new/log}") == []
    assert warned(tmp_path, "{to: 's3://bucket/prefix'}") == []


def test_file_in_place_of_the_folder_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    assert warned(tmp_path, "{to: log}") == [f"{tmp_path}/log is not a folder; name a folder, which may be missing"]


def test_folder_that_cannot_be_written_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda place, _: place != tmp_path)  # root may write everywhere
    (warning,) = warned(tmp_path, "{to: log}")
    assert warning.startswith(f"{tmp_path} cannot be written on this machine")
