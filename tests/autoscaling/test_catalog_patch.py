"""A change of a catalog's models as a patch of its text."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from autoscaling.tuning.catalog_patch import diff, patched
from mesh.errors import Misconfigured

TEXT = """\
game: g
versions:
  "1":
    models:
      # the first
      - name: whales   # big
        uri: w.txt
        replicas: {min: 3, max: 20}
        hpa:
          cpu_percent: 50
          behavior: {scaleUp: {tolerance: 0.2}}
      - {name: minnows, uri: m.txt}
      - name: pvp
        uri: p.txt
# the end
supervisor: {replicas: {min: 4}}
"""
CHANGES = {
    "1/whales": {"replicas": {"min": 5, "max": 20}, "hpa": {"cpu_percent": 70}},
    "1/minnows": {"replicas": {"min": 2}},
    "1/pvp": {"hpa": {"cpu_percent": 40}},
}


def test_models_of_every_way_of_writing_are_changed_and_the_rest_stays() -> None:
    assert (
        patched(TEXT, CHANGES)
        == """\
game: g
versions:
  "1":
    models:
      # the first
      - name: whales   # big
        uri: w.txt
        replicas: {min: 5, max: 20}
        hpa: {cpu_percent: 70}
      - {name: minnows, uri: m.txt, replicas: {min: 2}}
      - name: pvp
        uri: p.txt
        hpa: {cpu_percent: 40}
# the end
supervisor: {replicas: {min: 4}}
"""
    )


def test_what_is_patched_says_what_was_changed() -> None:
    models = yaml.safe_load(patched(TEXT, CHANGES))["versions"]["1"]["models"]
    before = yaml.safe_load(TEXT)["versions"]["1"]["models"]
    assert models == [{**model, **CHANGES[f"1/{model['name']}"]} for model in before]


def test_the_patch_is_one_that_git_applies(tmp_path: Path) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text(TEXT)
    patch = diff(Path("mesh.yaml"), TEXT, patched(TEXT, CHANGES))
    subprocess.run(["git", "apply", "-p0"], input=patch, text=True, cwd=tmp_path, check=True, timeout=10)
    assert file.read_text() == patched(TEXT, CHANGES)


def test_a_model_of_an_alias_is_to_be_changed_by_hand() -> None:
    text = "versions:\n  a: &v {models: [{name: m}]}\n  b: *v\n"
    with pytest.raises(Misconfigured, match="by hand"):
        patched(text, {"a/m": {"hpa": {}}, "b/m": {"hpa": {}}})
