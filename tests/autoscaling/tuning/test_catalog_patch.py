"""Changes of models as a patch of the catalog text."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from autoscaling.tuning.catalog_patch import apply_changes, unified_diff
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


def test_models_in_block_and_flow_style_are_changed_and_all_other_text_stays() -> None:
    assert (
        apply_changes(TEXT, CHANGES)
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


def test_patched_models_have_the_changed_keys() -> None:
    models = yaml.safe_load(apply_changes(TEXT, CHANGES))["versions"]["1"]["models"]
    before = yaml.safe_load(TEXT)["versions"]["1"]["models"]
    assert models == [{**model, **CHANGES[f"1/{model['name']}"]} for model in before]


def test_git_applies_the_patch(tmp_path: Path) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text(TEXT)
    patch = unified_diff(Path("mesh.yaml"), TEXT, apply_changes(TEXT, CHANGES))
    subprocess.run(["git", "apply", "-p0"], input=patch, text=True, cwd=tmp_path, check=True, timeout=10)
    assert file.read_text() == apply_changes(TEXT, CHANGES)


def test_model_of_an_alias_is_refused() -> None:
    text = "versions:\n  a: &v {models: [{name: m}]}\n  b: *v\n"
    with pytest.raises(Misconfigured, match="by hand"):
        apply_changes(text, {"a/m": {"hpa": {}}, "b/m": {"hpa": {}}})
