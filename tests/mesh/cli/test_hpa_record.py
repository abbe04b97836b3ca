"""`mesh hpa record`, its kubectl played."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mesh.cli.hpa import record
from mesh.cli.main import main

PLAYED = Path(__file__).with_name("kubectl_stand_in.py")
OF_NAMESPACE = "/apis/apps/v1/namespaces/game/deployments/whales/scale"
HPA = "/apis/autoscaling/v2/namespaces/game/horizontalpodautoscalers/whales"
PODS = "/api/v1/namespaces/game/pods"
USAGE = "/apis/metrics.k8s.io/v1beta1/namespaces/game/pods"
TARGET = {"type": "Utilization", "averageUtilization": 50}
SPEC = {
    "scaleTargetRef": {"kind": "Deployment", "name": "whales", "apiVersion": "apps/v1"},
    "minReplicas": 1,
    "maxReplicas": 6,
    "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": TARGET}}],
}
POD = {
    "metadata": {"name": "one"},
    "spec": {"containers": [{"name": "worker", "resources": {"requests": {"cpu": "100m"}}}]},
    "status": {
        "phase": "Running",
        "startTime": "2026-11-25T12:00:00Z",
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-25T12:00:05Z"}],
    },
}
ITEM = {"metadata": {"name": "one"}, "timestamp": "2026-11-25T15:04:45Z", "window": "15s"}
CURRENT = {"name": "cpu", "current": {"averageUtilization": 90, "averageValue": "90m"}}
STATUS = {
    "currentReplicas": 1,
    "desiredReplicas": 2,
    "lastScaleTime": "2026-11-25T15:05:00Z",
    "currentMetrics": [{"type": "Resource", "resource": CURRENT}],
    "conditions": [
        {"type": "AbleToScale", "status": "True", "reason": "SucceededRescale"},
        {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"},
        {"type": "ScalingLimited", "status": "False", "reason": "DesiredWithinRange"},
    ],
}
GONE = {"code": 404, "message": 'horizontalpodautoscalers.autoscaling "whales" not found'}


def hpa(**status: Any) -> dict[str, Any]:
    return {"spec": SPEC, "status": status}


ANSWERS: dict[str, list[Any]] = {
    "/version": [{"gitVersion": "v1.36.3-eks-1"}],
    HPA: [hpa(), hpa(), hpa(), hpa(**STATUS), hpa(**STATUS), GONE],
    "/apis/apps/v1": [{"resources": [{"kind": "Deployment", "name": "deployments"}]}],
    OF_NAMESPACE: [{"status": {"replicas": 1, "selector": "app=whales"}}],
    PODS: [{"items": [POD]}],
    "/apis/metrics.k8s.io/v1beta1": [{"resources": []}],
    USAGE: [{"items": [{**ITEM, "containers": [{"name": "worker", "usage": {"cpu": "89999999n"}}]}]}],
}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "LOOK_S", 0.0)


def kubectl(folder: Path, answers: dict[str, list[Any]]) -> str:
    (folder / "answers.json").write_text(json.dumps(answers))
    program = folder / "kubectl"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{PLAYED}" "{folder / "answers.json"}" "$@"\n')
    program.chmod(0o755)
    return str(program)


def run(folder: Path, answers: dict[str, list[Any]], *more: str) -> int:
    out = ["--out", str(folder / "whales.json")]
    return main(["hpa", "record", "whales", "-n", "game", "--kubectl", kubectl(folder, answers), *out, *more])


@pytest.mark.parametrize("name", ["whales.json", "whales.json.gz"])
def test_what_is_recorded_from_the_first_reconcile_on_is_replayed_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    out = tmp_path / name
    assert run(tmp_path, ANSWERS, "--out", str(out)) == 0
    assert f"{out}: 1 ticks, 0 of them in doubt\n" in capsys.readouterr().err
    assert main(["hpa", "replay", str(out)]) == 0
    assert capsys.readouterr().out == "no difference in 5 fields of 1 ticks of 1 traces\n"
    assert sorted(one.name for one in tmp_path.glob("whales*")) == [name]


def test_the_file_says_what_was_told_and_what_is_approximate(tmp_path: Path) -> None:
    assert run(tmp_path, ANSWERS, "--tolerance", "0.2") == 0
    found = json.loads((tmp_path / "whales.json").read_text())
    assert (found["kubernetes"], found["controller"]["tolerance"], found["namespace"]) == ("1.36.3", 0.2, "game")
    assert found["not_recorded"] == ["error"]
    assert "about half a second" in found["approximate"][0]


def test_where_the_controller_has_a_memory_its_first_window_is_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = {**STATUS, "desiredReplicas": 1, "lastScaleTime": None}
    answers = {**ANSWERS, HPA: [hpa(**older), hpa(**older), hpa(**{**STATUS, "desiredReplicas": 4}), GONE]}
    assert run(tmp_path, answers) == 0
    found = json.loads((tmp_path / "whales.json").read_text())
    assert found["compared_from_s"] == found["ticks"][0]["in"]["t_s"] + 301
    assert found["before"]["desired_replicas"] == 1
    capsys.readouterr()
    assert main(["hpa", "replay", str(tmp_path / "whales.json")]) == 0
    assert capsys.readouterr().out == "no difference in 0 fields of 0 ticks of 1 traces\n"


MEMORY = {"type": "Resource", "resource": {"name": "memory", "target": TARGET}}
QUEUE = {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "4"}}}
OTHER = {"type": "External", "external": {"metric": {"name": "other"}, "target": {"type": "Value", "value": "4"}}}
CHARTED: dict[str, list[Any]] = {
    "/apis/external.metrics.k8s.io": [{"preferredVersion": {"groupVersion": "external.metrics.k8s.io/v1beta1"}}]
}


def of(*metrics: Any) -> dict[str, list[Any]]:
    """An HPA of other metrics."""
    return {HPA: [{"spec": {**SPEC, "metrics": list(metrics)}}]}


@pytest.mark.parametrize(
    ("other", "line"),
    [
        ({HPA: [GONE]}, 'the HPA whales cannot be read: horizontalpodautoscalers.autoscaling "whales" not found'),
        ({"/apis/metrics.k8s.io/v1beta1": [{"code": 404, "message": "none"}]}, "cpu: the metrics API (metrics-server)"),
        (of(QUEUE), "queue: the metrics API external.metrics.k8s.io cannot be read"),
        ({**of(QUEUE, OTHER), **CHARTED}, "whales: a trace holds one external metric, and this HPA names 2"),
        (of(MEMORY), "whales: spec.metrics[0]: a trace holds the usage of cpu, not of memory"),
        ({"/version": [{"gitVersion": "v1.25.1"}]}, "Kubernetes 1.25.1 is older than 1.30"),
        (
            {OF_NAMESPACE: [{"code": 403, "message": "forbidden"}]},
            "the scale of Deployment whales cannot be read: forb",
        ),
        ({PODS: [{"code": 403, "message": "forbidden"}]}, "the pods of game cannot be read: forbidden"),
    ],
)
def test_what_cannot_be_recorded_is_one_line_before_anything_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], other: dict[str, list[Any]], line: str
) -> None:
    assert run(tmp_path, {**ANSWERS, **other}) == 2
    said = capsys.readouterr().err
    assert said.startswith(line)
    assert said.count("\n") == 1
    assert list(tmp_path.glob("whales*")) == []


def test_without_kubectl_or_a_place_for_the_file_it_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, ANSWERS, "--kubectl", "no-such-kubectl") == 2
    assert capsys.readouterr().err == "no-such-kubectl: is not installed; the cluster is asked by it\n"
    assert run(tmp_path, ANSWERS, "--out", str(tmp_path / "absent" / "x.json")) == 2
    assert capsys.readouterr().err.endswith("x.json: cannot be written: No such file or directory\n")
    assert run(tmp_path, ANSWERS, "--kubectl", "false") == 2
    assert capsys.readouterr().err == "false: ended with 1 and no word of why\n"


def test_an_api_that_fails_at_times_is_recorded_as_the_controller_sees_it(tmp_path: Path) -> None:
    failed = {**STATUS, "desiredReplicas": 1, "currentMetrics": [{"type": ""}], "lastScaleTime": None}
    answers = {**ANSWERS, USAGE: [{"code": 503, "message": "down"}], HPA: [hpa(), hpa(), hpa(**failed), GONE]}
    assert run(tmp_path, answers) == 0
    (tick,) = json.loads((tmp_path / "whales.json").read_text())["ticks"]
    assert tick["in"]["metrics"] == {}


def test_a_spec_that_is_changed_ends_the_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = {"spec": {**SPEC, "maxReplicas": 9}, "status": STATUS}
    assert run(tmp_path, {**ANSWERS, HPA: [hpa(), hpa(), hpa(**STATUS), changed]}) == 0
    assert "the end: the HPA's spec was changed" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_finishes_the_file(tmp_path: Path, number: signal.Signals) -> None:
    answers = {**ANSWERS, HPA: ANSWERS[HPA][:-1]}
    command = [sys.executable, "-m", "mesh.cli.main", "hpa", "record", "whales", "-n", "game"]
    given = ["--kubectl", kubectl(tmp_path, answers), "--out", str(tmp_path / "whales.json")]
    with subprocess.Popen([*command, *given], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("tick 1: 1 -> 2 replicas" in line for line in process.stderr)
        process.send_signal(number)
        assert process.wait(20) == 0
    assert len(json.loads((tmp_path / "whales.json").read_text())["ticks"]) == 1


def test_a_cluster_that_no_longer_answers_ends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "SILENCE_S", 0.05)
    answers = {**ANSWERS, HPA: [*ANSWERS[HPA][:-1], {"code": 502, "message": "down"}]}
    assert run(tmp_path, answers) == 0
    said = capsys.readouterr().err
    assert said.count("no look: down") == 1
    assert "the end: no look for 0.05 s: down" in said


def test_where_nothing_changes_there_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, {**ANSWERS, HPA: [hpa(), hpa(), hpa(), GONE]}) == 1
    assert "nothing was recorded" in capsys.readouterr().err
    assert list(tmp_path.glob("whales*")) == []
