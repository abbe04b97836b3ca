"""`mesh hpa record` with a stand-in for kubectl."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autoscaling.recording import recorder
from mesh.cli.main import main

STAND_IN = Path(__file__).with_name("kubectl_stand_in.py")
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


RESPONSES: dict[str, list[Any]] = {
    "/version": [{"gitVersion": "v1.36.3-eks-1"}],
    HPA: [hpa(), hpa(), hpa(), hpa(**STATUS), hpa(**STATUS), GONE],
    "/apis/apps/v1": [{"resources": [{"kind": "Deployment", "name": "deployments"}]}],
    OF_NAMESPACE: [{"status": {"replicas": 1, "selector": "app=whales"}}],
    PODS: [{"items": [POD]}],
    "/apis/metrics.k8s.io/v1beta1": [{"resources": []}],
    USAGE: [{"items": [{**ITEM, "containers": [{"name": "worker", "usage": {"cpu": "89999999n"}}]}]}],
}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "SNAPSHOT_INTERVAL_S", 0.0)


def kubectl(folder: Path, responses: dict[str, list[Any]]) -> str:
    (folder / "responses.json").write_text(json.dumps(responses))
    program = folder / "kubectl"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN}" "{folder / "responses.json"}" "$@"\n')
    program.chmod(0o755)
    return str(program)


def run(folder: Path, responses: dict[str, list[Any]], *more: str) -> int:
    out = ["--out", str(folder / "whales.json")]
    return main(["hpa", "record", "whales", "-n", "game", "--kubectl", kubectl(folder, responses), *out, *more])


@pytest.mark.parametrize("name", ["whales.json", "whales.json.gz"])
def test_recording_from_the_first_reconcile_is_replayed_without_differences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    out = tmp_path / name
    assert run(tmp_path, RESPONSES, "--out", str(out)) == 0
    assert f"{out}: 1 tick, 0 in doubt\n" in capsys.readouterr().err
    assert main(["hpa", "replay", str(out)]) == 0
    assert capsys.readouterr().out == "1 trace, 1 decision: all equal (5 fields)\n"
    assert sorted(one.name for one in tmp_path.glob("whales*")) == [name]


def test_file_contains_the_options_and_the_known_inaccuracies(tmp_path: Path) -> None:
    assert run(tmp_path, RESPONSES, "--tolerance", "0.2") == 0
    found = json.loads((tmp_path / "whales.json").read_text())
    assert (found["kubernetes"], found["controller"]["tolerance"], found["namespace"]) == ("1.36.3", 0.2, "game")
    assert found["not_recorded"] == ["error"]
    assert "about half a second" in found["approximate"][0]


def test_first_window_is_not_compared_if_the_controller_already_has_a_state(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = {**STATUS, "desiredReplicas": 1, "lastScaleTime": None}
    responses = {**RESPONSES, HPA: [hpa(**older), hpa(**older), hpa(**{**STATUS, "desiredReplicas": 4}), GONE]}
    assert run(tmp_path, responses) == 0
    found = json.loads((tmp_path / "whales.json").read_text())
    assert found["compared_from_s"] == found["ticks"][0]["in"]["t_s"] + 301
    assert found["before"]["desired_replicas"] == 1
    capsys.readouterr()
    assert main(["hpa", "replay", str(tmp_path / "whales.json")]) == 0
    assert capsys.readouterr().out == "1 trace, 0 decisions: nothing to compare\n"


MEMORY = {"type": "Resource", "resource": {"name": "memory", "target": TARGET}}
QUEUE = {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "4"}}}
OTHER = {"type": "External", "external": {"metric": {"name": "other"}, "target": {"type": "Value", "value": "4"}}}
EXTERNAL_API: dict[str, list[Any]] = {
    "/apis/external.metrics.k8s.io": [{"preferredVersion": {"groupVersion": "external.metrics.k8s.io/v1beta1"}}]
}


def with_metrics(*metrics: Any) -> dict[str, list[Any]]:
    """Returns an HPA with `metrics`."""
    return {HPA: [{"spec": {**SPEC, "metrics": list(metrics)}}]}


@pytest.mark.parametrize(
    ("other", "line"),
    [
        ({HPA: [GONE]}, 'the HPA whales cannot be read: horizontalpodautoscalers.autoscaling "whales" not found'),
        ({"/apis/metrics.k8s.io/v1beta1": [{"code": 404, "message": "none"}]}, "cpu: the metrics API (metrics-server)"),
        (with_metrics(QUEUE), "queue: the metrics API external.metrics.k8s.io cannot be read"),
        (
            {**with_metrics(QUEUE, OTHER), **EXTERNAL_API},
            "whales: a trace can record one external metric, but this HPA has 2",
        ),
        (with_metrics(MEMORY), "whales: spec.metrics[0]: a trace has no usage of memory, only of cpu"),
        ({"/version": [{"gitVersion": "v1.25.1"}]}, "Kubernetes 1.25.1 is older than 1.30"),
        (
            {OF_NAMESPACE: [{"code": 403, "message": "forbidden"}]},
            "the scale of Deployment whales cannot be read: forb",
        ),
        ({PODS: [{"code": 403, "message": "forbidden"}]}, "the pods of game cannot be read: forbidden"),
    ],
)
def test_hpa_that_cannot_be_recorded_is_reported_before_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], other: dict[str, list[Any]], line: str
) -> None:
    assert run(tmp_path, {**RESPONSES, **other}) == 2
    reported = capsys.readouterr().err
    assert reported.startswith(line)
    assert reported.count("\n") == 1
    assert list(tmp_path.glob("whales*")) == []


def test_missing_kubectl_or_folder_is_reported_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, RESPONSES, "--kubectl", "no-such-kubectl") == 2
    assert capsys.readouterr().err == "no-such-kubectl: is not installed; install it, or give another --kubectl\n"
    assert run(tmp_path, RESPONSES, "--out", str(tmp_path / "absent" / "x.json")) == 2
    assert capsys.readouterr().err.endswith("x.json: cannot be written: No such file or directory\n")
    assert run(tmp_path, RESPONSES, "--kubectl", "false") == 2
    assert capsys.readouterr().err == "false: ended with exit code 1 and no message\n"


def test_failure_of_a_metrics_api_is_recorded(tmp_path: Path) -> None:
    failed = {**STATUS, "desiredReplicas": 1, "currentMetrics": [{"type": ""}], "lastScaleTime": None}
    responses = {**RESPONSES, USAGE: [{"code": 503, "message": "down"}], HPA: [hpa(), hpa(), hpa(**failed), GONE]}
    assert run(tmp_path, responses) == 0
    (tick,) = json.loads((tmp_path / "whales.json").read_text())["ticks"]
    assert tick["in"]["metrics"] == {}


def test_change_of_the_spec_ends_the_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = {"spec": {**SPEC, "maxReplicas": 9}, "status": STATUS}
    assert run(tmp_path, {**RESPONSES, HPA: [hpa(), hpa(), hpa(**STATUS), changed]}) == 0
    assert "recording ends: the HPA's spec changed" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_writes_the_file(tmp_path: Path, number: signal.Signals) -> None:
    responses = {**RESPONSES, HPA: RESPONSES[HPA][:-1]}
    command = [sys.executable, "-m", "mesh.cli.main", "hpa", "record", "whales", "-n", "game"]
    given = ["--kubectl", kubectl(tmp_path, responses), "--out", str(tmp_path / "whales.json")]
    with subprocess.Popen([*command, *given], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("tick 1: 1 -> 2 replicas" in line for line in process.stderr)
        process.send_signal(number)
        assert process.wait(20) == 0
    assert len(json.loads((tmp_path / "whales.json").read_text())["ticks"]) == 1


def test_outage_of_the_cluster_ends_the_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "MAX_OUTAGE_S", 0.05)
    responses = {**RESPONSES, HPA: [*RESPONSES[HPA][:-1], {"code": 502, "message": "down"}]}
    assert run(tmp_path, responses) == 0
    reported = capsys.readouterr().err
    assert reported.count("snapshot failed: down") == 1
    assert "recording ends: no snapshot for 0.05 s: down" in reported


def test_no_file_is_written_without_ticks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, {**RESPONSES, HPA: [hpa(), hpa(), hpa(), GONE]}) == 1
    assert "nothing was recorded" in capsys.readouterr().err
    assert list(tmp_path.glob("whales*")) == []


def test_cluster_that_does_not_respond_is_reported_with_the_fix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = {"code": 502, "message": "dial tcp 127.0.0.1:8080: connect: connection refused"}
    assert run(tmp_path, {**RESPONSES, "/version": [refused]}) == 2
    assert capsys.readouterr().err == (
        "kubectl cannot reach a cluster; check `kubectl config current-context`, or give --context "
        "(dial tcp 127.0.0.1:8080: connect: connection refused)\n"
    )


def test_unknown_context_is_reported_with_the_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = tmp_path / "no-cluster"
    program.write_text("#!/bin/sh\necho 'error: context \"nope\" does not exist' >&2\nexit 1\n")
    program.chmod(0o755)
    assert run(tmp_path, RESPONSES, "--kubectl", str(program)) == 2
    assert capsys.readouterr().err == (
        "kubectl cannot reach a cluster; check `kubectl config current-context`, or give --context "
        '(error: context "nope" does not exist)\n'
    )
