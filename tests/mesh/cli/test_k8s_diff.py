"""`mesh k8s diff` against rendered files, and against what kubectl says of a cluster."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from k8s.render import EXAMPLE, RENDERED
from mesh.cli.main import main

WHALES = "dragonfall-2026-10-whales"


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """The example's catalog, to be changed."""
    return Path(shutil.copy(EXAMPLE, tmp_path / "mesh.yaml"))


def diff(*words: str | Path) -> int:
    return main(["k8s", "diff", *map(str, words)])


def change(catalog: Path) -> None:
    text = catalog.read_text(encoding="utf-8")
    assert "hpa: {cpu_percent: 50}" in text
    catalog.write_text(text.replace("hpa: {cpu_percent: 50}", "hpa: {cpu_percent: 45}"), encoding="utf-8")


def test_a_catalog_that_is_rendered_as_it_is_has_no_changes(catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert diff(catalog, "--rendered", RENDERED) == 0
    assert capsys.readouterr().out == "no change: all 16 HPAs are as the catalog says\n"


def test_a_changed_target_is_one_row(catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(catalog)
    assert diff(catalog, "--rendered", RENDERED) == 1
    head, row, sum_ = capsys.readouterr().out.splitlines()
    assert head.split() == ["HPA", "field", "now", "would", "be"]
    assert row.split() == [WHALES, "metrics[0].containerResource.target.averageUtilization", "50", "45"]
    assert sum_ == "1 of 16 HPAs would change"


def test_programs_get_the_changes_as_json(catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(catalog)
    assert diff(catalog, "--rendered", RENDERED, "--json") == 1
    field = "metrics[0].containerResource.target.averageUtilization"
    assert json.loads(capsys.readouterr().out) == [{"name": WHALES, "field": field, "now": "50", "then": "45"}]


def test_a_folder_that_is_not_there_is_a_clear_line(catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert diff(catalog, "--rendered", catalog.parent) == 2
    folder = catalog.parent / "dragonfall"
    expected = f"{folder}: is no folder; render the chart into it, or give --rendered or --live\n"
    assert capsys.readouterr().err == expected


def test_a_cluster_that_cannot_be_asked_is_a_clear_line(catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert diff(catalog, "--live", "--kubectl", "no-such-kubectl") == 2
    assert capsys.readouterr().err == "no-such-kubectl: is not installed; --live asks the cluster by it\n"


def test_the_live_cluster_is_asked_by_kubectl(catalog: Path, tmp_path: Path) -> None:
    texts = [file.read_text(encoding="utf-8") for file in (RENDERED / "dragonfall").glob("*.yaml")]
    objects = [one for text in texts for one in yaml.safe_load_all(text)]
    kubectl = stand_in(tmp_path, [one for one in objects if one["kind"] == "HorizontalPodAutoscaler"])
    assert diff(catalog, "--live", "--kubectl", kubectl, "-n", "dragonfall") == 0
    change(catalog)
    assert diff(catalog, "--live", "--kubectl", kubectl, "-n", "dragonfall") == 1
    asked = (tmp_path / "asked").read_text(encoding="utf-8").splitlines()
    assert asked[0] == "--namespace=dragonfall get horizontalpodautoscalers -l ensemble-mesh/game=dragonfall -o json"


def test_what_kubectl_says_against_it_is_told(
    catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text("#!/bin/sh\necho 'error: You must be logged in' >&2\nexit 1\n", encoding="utf-8")
    kubectl.chmod(0o755)
    assert diff(catalog, "--live", "--kubectl", kubectl) == 2
    assert capsys.readouterr().err == "error: You must be logged in\n"


@pytest.mark.parametrize(
    ("script", "mode", "told"),
    [
        ("exit 0", 0o644, "cannot be run: Permission denied; --live asks the cluster by it"),
        ("exit 7", 0o755, "ended with 7 and no word of why"),
        ("echo hello", 0o755, "answered what is no list: 'hello\\n'; is it kubectl?"),
    ],
)
def test_what_is_no_kubectl_is_a_clear_line(
    catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str, mode: int, told: str
) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    kubectl.chmod(mode)
    assert diff(catalog, "--live", "--kubectl", kubectl) == 2
    assert capsys.readouterr().err == f"{kubectl}: {told}\n"


def test_of_other_files_in_the_folder_only_hpas_count_and_one_that_goes_is_of_the_number(
    catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "others/dragonfall"
    shutil.copytree(RENDERED / "dragonfall", folder)
    (folder / "patch.yaml").write_text("- {op: remove, path: /spec}\n--- text\n---\nkind: Job\n", encoding="utf-8")
    old = "kind: HorizontalPodAutoscaler\nmetadata: {name: dragonfall-2025-whales}\nspec: {maxReplicas: 3}\n"
    (folder / "old.yaml").write_text(old, encoding="utf-8")
    assert diff(catalog, "--rendered", folder.parent) == 1
    assert capsys.readouterr().out.endswith("1 of 17 HPAs would change\n")


def test_the_real_kubectl_without_a_cluster_ends_in_a_sentence(
    catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert diff(catalog, "--live") == 2
    assert "refused" in capsys.readouterr().err


def stand_in(folder: Path, hpas: list[Any]) -> Path:
    """A kubectl that answers as one does in a cluster without KEDA (the real one is asked in tests/cluster)."""
    (folder / "hpas.json").write_text(json.dumps({"items": hpas}), encoding="utf-8")
    script = folder / "kubectl"
    script.write_text(
        f"""#!{sys.executable}
import sys
open({str(folder / "asked")!r}, "a").write(" ".join(sys.argv[1:]) + "\\n")
if "scaledobjects.keda.sh" in sys.argv:
    sys.exit("error: the server doesn't have a resource type \\"scaledobjects\\"")
print(open({str(folder / "hpas.json")!r}).read())
""",
        encoding="utf-8",
    )
    script.chmod(0o755)
    assert subprocess.run([script, "get"], capture_output=True, check=True, timeout=10).stdout
    (folder / "asked").unlink()
    return script
