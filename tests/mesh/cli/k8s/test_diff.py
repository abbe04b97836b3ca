"""`mesh k8s diff` against rendered files, and against a cluster that kubectl reads."""

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
KINDS = ("horizontalpodautoscalers", "configmaps", "deployments")


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """A copy of the example's catalog, to be changed."""
    return Path(shutil.copy(EXAMPLE, tmp_path / "mesh.yaml"))


def diff(*words: str | Path) -> int:
    return main(["k8s", "diff", *map(str, words)])


def change(catalog: Path) -> None:
    text = catalog.read_text(encoding="utf-8")
    assert "hpa: {cpu_percent: 50}" in text
    catalog.write_text(text.replace("hpa: {cpu_percent: 50}", "hpa: {cpu_percent: 45}"), encoding="utf-8")


def test_rendered_catalog_has_no_changes(catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert diff(catalog, "--rendered", RENDERED) == 0
    assert capsys.readouterr().out == "no change: all 16 HPAs match the catalog\n"


def test_changed_target_is_printed_as_one_row(catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(catalog)
    assert diff(catalog, "--rendered", RENDERED) == 1
    head, row, summary = capsys.readouterr().out.splitlines()
    assert head.split() == ["HPA", "field", "now", "would", "be"]
    assert row.split() == [WHALES, "metrics[0].containerResource.target.averageUtilization", "50", "45"]
    assert summary == "1 of 16 HPAs would change"


def test_changes_are_printed_as_json(catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(catalog)
    assert diff(catalog, "--rendered", RENDERED, "--json") == 1
    field = "metrics[0].containerResource.target.averageUtilization"
    assert json.loads(capsys.readouterr().out) == [{"name": WHALES, "field": field, "now": "50", "then": "45"}]


def test_missing_folder_is_reported(catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert diff(catalog, "--rendered", catalog.parent) == 2
    place = catalog.parent
    fix = f"run `mesh k8s render FILE --to {place}` with the catalog before the change, or give --rendered or --live"
    assert capsys.readouterr().err == f"{place}: has no folder dragonfall; {fix}\n"


def test_folder_of_the_game_itself_is_reported_with_its_parent(
    catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert diff(catalog, "--rendered", RENDERED / "dragonfall") == 2
    fix = f"did you mean --rendered {RENDERED}?"
    assert capsys.readouterr().err == f"{RENDERED / 'dragonfall'}: has no folder dragonfall; {fix}\n"


def test_missing_kubectl_is_reported(catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert diff(catalog, "--live", "--kubectl", "no-such-kubectl") == 2
    assert capsys.readouterr().err == "no-such-kubectl: is not installed, but --live requires it; install it\n"


def test_live_cluster_is_read_with_kubectl(catalog: Path, tmp_path: Path) -> None:
    texts = [file.read_text(encoding="utf-8") for file in (RENDERED / "dragonfall").glob("*.yaml")]
    objects = [one for text in texts for one in yaml.safe_load_all(text)]
    kubectl = stand_in(tmp_path, [one for one in objects if one["kind"] == "HorizontalPodAutoscaler"])
    assert diff(catalog, "--live", "--kubectl", kubectl, "-n", "dragonfall") == 0
    change(catalog)
    assert diff(catalog, "--live", "--kubectl", kubectl, "-n", "dragonfall") == 1
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert calls[0] == "--namespace=dragonfall get horizontalpodautoscalers -l ensemble-mesh/game=dragonfall -o json"


def objects_of_render() -> list[Any]:
    texts = [file.read_text(encoding="utf-8") for file in (RENDERED / "dragonfall").glob("*.yaml")]
    return [one for text in texts for one in yaml.safe_load_all(text)]


def give_players_to_a_new_version(catalog: Path) -> None:
    """Replaces the version of the example by another one with the same models."""
    text = catalog.read_text(encoding="utf-8")
    assert '"2026-10":' in text
    catalog.write_text(text.replace('"2026-10":', '"2026-11":'), encoding="utf-8")


REMOVED = (
    "warning: versions: 2026-10 is removed, but it has 100 % of the players; first give its players to other versions, "
    "with `traffic: 0`; remove it in a later upgrade"
)


def test_removed_version_with_players_is_a_warning(catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    give_players_to_a_new_version(catalog)
    assert diff(catalog, "--rendered", RENDERED, "--json") == 1
    assert capsys.readouterr().err.splitlines() == [REMOVED]


def test_live_cluster_without_ready_replicas_for_more_players_is_a_warning(
    catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    objects = objects_of_render()
    kubectl = stand_in(
        tmp_path,
        [one for one in objects if one["kind"] == "HorizontalPodAutoscaler"],
        configmaps=[one for one in objects if one["kind"] == "ConfigMap"],
        deployments=[one for one in objects if one["kind"] == "Deployment"],
    )
    give_players_to_a_new_version(catalog)
    assert diff(catalog, "--live", "--kubectl", kubectl) == 1
    removed, missing = capsys.readouterr().err.splitlines()
    assert removed == REMOVED
    assert missing.startswith(
        "warning: versions.2026-11: gets 100 % of the players, but no replica of whales, minnows, window-shoppers,"
    )
    assert missing.endswith("is ready; keep `traffic: 0` until its pods are ready")


def test_error_of_kubectl_is_printed(catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text("#!/bin/sh\necho 'error: You must be logged in' >&2\nexit 1\n", encoding="utf-8")
    kubectl.chmod(0o755)
    assert diff(catalog, "--live", "--kubectl", kubectl) == 2
    assert capsys.readouterr().err == "error: You must be logged in\n"


@pytest.mark.parametrize(
    ("script", "mode", "message"),
    [
        ("exit 0", 0o644, "cannot be run: Permission denied; --live requires it"),
        ("exit 7", 0o755, "ended with exit code 7 and no message"),
        ("echo hello", 0o755, "the response is not a list: 'hello\\n'; is it kubectl?"),
    ],
)
def test_program_that_is_not_kubectl_is_reported(
    catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str, mode: int, message: str
) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    kubectl.chmod(mode)
    assert diff(catalog, "--live", "--kubectl", kubectl) == 2
    assert capsys.readouterr().err == f"{kubectl}: {message}\n"


def test_only_hpas_of_the_folder_are_compared_and_removed_hpas_count(
    catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "others/dragonfall"
    shutil.copytree(RENDERED / "dragonfall", folder)
    (folder / "patch.yaml").write_text("- {op: remove, path: /spec}\n--- text\n---\nkind: Job\n", encoding="utf-8")
    old = "kind: HorizontalPodAutoscaler\nmetadata: {name: dragonfall-2025-whales}\nspec: {maxReplicas: 3}\n"
    (folder / "old.yaml").write_text(old, encoding="utf-8")
    assert diff(catalog, "--rendered", folder.parent) == 1
    printed = capsys.readouterr()
    assert printed.out.endswith("1 of 17 HPAs would change\n")
    assert printed.err.splitlines() == [
        f"{folder}/patch.yaml: document 1 is a list, not a Kubernetes object",
        f"{folder}/patch.yaml: document 2 is a text, not a Kubernetes object",
    ]


def hpas() -> list[Any]:
    texts = [file.read_text(encoding="utf-8") for file in (RENDERED / "dragonfall").glob("*.yaml")]
    objects = [one for text in texts for one in yaml.safe_load_all(text)]
    return [one for one in objects if one["kind"] == "HorizontalPodAutoscaler"]


def in_folder(folder: Path, name: str, text: str) -> Path:
    """Writes `text` to a file of the game's folder; returns the value of --rendered."""
    file = folder / "rendered/dragonfall" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return folder / "rendered"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("h.yml", yaml.safe_dump_all(hpas())),
        ("h.YAML", yaml.safe_dump_all(hpas())),
        ("h.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": hpas()})),
        ("h.yaml", yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": hpas()})),
        ("h.yaml", yaml.safe_dump({"kind": "HorizontalPodAutoscalerList", "metadata": {}, "items": hpas()})),
        ("ensemble-mesh/templates/h.yaml", yaml.safe_dump_all(hpas())),  # helm template --output-dir
        ("h.yaml", yaml.safe_dump_all([{"kind": "List", "items": hpas()[:5]}, *hpas()[5:]])),
    ],
)
def test_every_form_in_which_tools_write_objects_is_read(
    catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str
) -> None:
    assert diff(catalog, "--rendered", in_folder(tmp_path, name, text)) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("no change: all 16 HPAs match the catalog\n", "")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("NOTES.txt", "hello", "not read, because the name does not end in .yaml, .yml, .json: {file}"),
        ("values.yaml", "game: g\n", "{file}: document 1 has no kind, so it is not a Kubernetes object"),
        (
            "list.yml",
            "kind: List\nitems: [3]\n",
            "{file}: document 1 has an item that is a text, not a Kubernetes object",
        ),
        (
            "kustomization.yaml",
            "resources: [h.yaml]\npatches: []\n",
            "{file}: patches are not applied; compare the output of `kubectl kustomize` instead",
        ),
    ],
)
def test_input_that_is_not_compared_is_reported(
    catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, message: str
) -> None:
    in_folder(tmp_path, "h.yaml", yaml.safe_dump_all(hpas()))
    assert diff(catalog, "--rendered", in_folder(tmp_path, name, text)) == 0
    assert capsys.readouterr().err == message.format(file=tmp_path / "rendered/dragonfall" / name) + "\n"


def test_folder_without_hpas_is_refused(catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert diff(catalog, "--rendered", in_folder(tmp_path, "job.yaml", "kind: Job\n")) == 2
    assert "has 1 Kubernetes objects, but no HPA and no ScaledObject" in capsys.readouterr().err


def test_hpa_in_two_files_is_refused(catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    in_folder(tmp_path, "a.yaml", yaml.safe_dump_all(hpas()))
    assert diff(catalog, "--rendered", in_folder(tmp_path, "b.yml", yaml.safe_dump(hpas()[0]))) == 2
    assert f"b.yml: the HPA {hpas()[0]['metadata']['name']} is also in " in capsys.readouterr().err


def test_real_kubectl_without_a_cluster_reports_an_error(
    catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert diff(catalog, "--live") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "kubectl cannot reach a cluster; check `kubectl config current-context`, or give --context ("
    )
    assert "refused" in line


@pytest.mark.parametrize(
    "message",
    [
        "Error in configuration: context was not found for specified context: nope",
        "Unable to connect to the server: dial tcp: lookup cluster on 10.0.0.2:53: no such host",
    ],
)
def test_missing_cluster_is_reported_with_the_last_line_of_kubectl(
    catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], message: str
) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(f"#!/bin/sh\necho 'E1128 memcache.go' >&2\necho '{message}' >&2\nexit 1\n", encoding="utf-8")
    kubectl.chmod(0o755)
    assert diff(catalog, "--live", "--kubectl", kubectl) == 2
    assert capsys.readouterr().err == (
        f"kubectl cannot reach a cluster; check `kubectl config current-context`, or give --context ({message})\n"
    )


def stand_in(folder: Path, hpas: list[Any], **others: list[Any]) -> Path:
    """Returns a kubectl that responds as in a cluster without KEDA; tests/cluster uses the real kubectl."""
    for kind in KINDS:
        items = hpas if kind == "horizontalpodautoscalers" else others.get(kind, [])
        (folder / f"{kind}.json").write_text(json.dumps({"items": items}), encoding="utf-8")
    script = folder / "kubectl"
    script.write_text(
        f"""#!{sys.executable}
import sys
open({str(folder / "calls")!r}, "a").write(" ".join(sys.argv[1:]) + "\\n")
if "scaledobjects.keda.sh" in sys.argv:
    sys.exit("error: the server doesn't have a resource type \\"scaledobjects\\"")
kind = next(word for word in [*sys.argv[1:], "horizontalpodautoscalers"] if word in {KINDS!r})
print(open({str(folder)!r} + "/" + kind + ".json").read())
""",
        encoding="utf-8",
    )
    script.chmod(0o755)
    assert subprocess.run([script, "get"], capture_output=True, check=True, timeout=10).stdout
    (folder / "calls").unlink()
    return script
